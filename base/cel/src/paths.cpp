#include "paths.hpp"

#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

namespace weir::cel {
namespace {

void add(std::vector<Path>& paths, Path path) {
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(std::move(path));
}

bool plain(const std::string& name) {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

} // namespace

std::optional<Path> path_of(const Program::Impl& program, const Node& node) {
    if (node.op == Op::Variable) return Path{program.variables[node.slot]};
    const bool index = node.op == Op::Index && node.b->op == Op::Literal && node.b->value.is_string();
    if (node.op != Op::Select && !index) return std::nullopt;
    auto path = path_of(program, *node.a);
    if (path) path->emplace_back(index ? node.b->value.as_string() : node.value.as_string());
    return path;
}

void collect_paths(const Program::Impl& program, const Node& node, std::vector<Path>& used,
                   std::vector<Path>& guarded) {
    if (auto path = path_of(program, node)) return add(used, std::move(*path));
    if (node.op == Op::Has) {
        if (auto path = path_of(program, *node.a)) {
            path->emplace_back(node.value.as_string());
            return add(guarded, std::move(*path));
        }
    }
    for (const auto* child : {node.a, node.b, node.c})
        if (child != nullptr) collect_paths(program, *child, used, guarded);
    for (const auto* child : node.items)
        collect_paths(program, *child, used, guarded);
}

std::string written(const Path& path) {
    std::string text;
    for (const auto& name : path) {
        if (text.empty())
            text = name;
        else
            text += plain(name) ? "." + name : "[" + json_string(printable(name, 80)) + "]";
    }
    return text;
}

std::vector<Path> Program::paths() const {
    std::vector<Path> used, guarded;
    collect_paths(*impl_, *impl_->root, used, guarded);
    return used;
}

std::vector<Path> Program::guarded_paths() const {
    std::vector<Path> used, guarded;
    collect_paths(*impl_, *impl_->root, used, guarded);
    return guarded;
}

} // namespace weir::cel
