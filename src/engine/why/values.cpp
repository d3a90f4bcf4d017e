#include "values.hpp"

#include <algorithm>
#include <span>

#include <weir/base/text.hpp>
#include <weir/cel/program.hpp>
#include <weir/cel/value.hpp>
#include <weir/triggers/event_view.hpp>

namespace weir::engine::detail {
namespace {

constexpr std::size_t values_max = 32;

/// Paths below `name` that an expression reads.
void paths_below(const triggers::Expression& expression, std::string_view name,
                 std::vector<std::vector<std::string>>& out) {
    cel::CompileOptions options;
    options.any_variable = true;
    const auto program = cel::Program::compile(expression.text, options);
    if (!program.ok()) return;
    for (auto& path : program->paths()) {
        if (path.size() < 2 || path.front() != name) continue;
        path.erase(path.begin());
        if (std::find(out.begin(), out.end(), path) == out.end()) out.push_back(std::move(path));
    }
}

std::string shown(const cel::Value& root, const std::vector<std::string>& path) {
    std::string name;
    const cel::Value* at = &root;
    for (const auto& part : path) {
        name += (name.empty() ? "" : ".") + part;
        if (at != nullptr) at = at->kind() == cel::Kind::Map ? at->find(std::string_view(part)) : nullptr;
    }
    if (at == nullptr) return printable(name, 200) + " is missing";
    const auto text = cel::to_json(*at);
    return printable(name, 200) + " = " + (text.ok() ? printable(text.value(), 200) : "(cannot be shown)");
}

} // namespace

std::vector<std::string> values_used(const triggers::Trigger& trigger, const std::string& leaf,
                                     const events::Event& event) {
    std::vector<std::vector<std::string>> paths;
    std::vector<std::vector<std::string>> run_paths;
    const auto& when = trigger.when;
    const auto take = [&](const triggers::Expression& expression) {
        paths_below(expression, "event", paths);
        paths_below(expression, "run", run_paths);
    };
    for (std::size_t i = 0; i < when.leaves.size(); ++i) {
        if (when.leaves[i].name != leaf) continue;
        if (when.leaves[i].where) take(*when.leaves[i].where);
        if (i < when.keys.size() && when.keys[i]) take(*when.keys[i]);
    }
    for (const auto& parameter : trigger.launch.parameters) {
        if (parameter.constant) continue;
        paths_below(parameter.expression, leaf, paths);
        // `run` is the one finish leaf's.
        if (when.leaves.size() > 1 && event.type == triggers::finish_type)
            paths_below(parameter.expression, "run", run_paths);
        if (when.leaves.size() == 1) take(parameter.expression);
    }
    triggers::EventView view(event);
    std::vector<std::string> out;
    for (const auto& path : paths)
        out.push_back(shown(view.value(), path));
    if (event.type == triggers::finish_type) {
        for (const auto& path : run_paths)
            out.push_back("run." + shown(view.run(), path));
    }
    if (out.size() > values_max) out.resize(values_max);
    return out;
}

} // namespace weir::engine::detail
