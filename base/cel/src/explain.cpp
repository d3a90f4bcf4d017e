#include <algorithm>
#include <optional>

#include <weir/base/text.hpp>

#include "eval.hpp"
#include "paths.hpp"

namespace weir::cel {
namespace {

constexpr std::size_t values_max = 8;
constexpr std::size_t value_bytes_max = 200;

/// What one node came to.
struct Outcome {
    std::optional<bool> truth;
    std::string error;
};

class Explainer {
  public:
    Explainer(const Program::Impl& program, const Bindings& bindings)
        : program_(program), bindings_(bindings) {}

    /// `node` is not `wanted`: false, true or an error instead.
    Explanation explain(const Node& node, bool wanted) const {
        if (node.op == Op::Not) return explain(*node.a, !wanted);
        if (node.op == Op::And || node.op == Op::Or) {
            // What an && needs, every operand must be; a single one that is not decides.
            const bool all_needed = (node.op == Op::And) == wanted;
            if (const auto* const operand = deciding(node, wanted, all_needed))
                return explain(*operand, wanted);
        }
        const auto outcome = evaluate(node);
        Explanation out;
        out.clause = clause(node);
        out.values = values(node);
        out.error = outcome.error;
        return out;
    }

    Outcome evaluate(const Node& node) const {
        Evaluator evaluator(program_, bindings_, program_.limits.cost_max);
        Value scratch;
        const auto* const value = evaluator.run(node, scratch);
        if (value == nullptr) return {std::nullopt, evaluator.error().message};
        if (value->kind() == Kind::Bool) return {value->as_bool(), {}};
        return {std::nullopt, "a condition must be true or false, this is of type " +
                                  std::string(type_name(value->kind()))};
    }

  private:
    /// The operand that decides alone, or nullptr if it takes all of them.
    const Node* deciding(const Node& node, bool wanted, bool all_needed) const {
        const Node* failed = nullptr;
        for (const auto* item : node.items) {
            const auto outcome = evaluate(*item);
            if (outcome.truth && *outcome.truth != wanted && all_needed) return item;
            if (!outcome.truth && failed == nullptr) failed = item;
        }
        return failed;
    }

    std::string clause(const Node& node) const {
        std::string_view text = std::string_view(program_.text).substr(node.begin, node.end - node.begin);
        // Parentheses round an operand are part of its text; round a clause of its own they only disturb.
        while (text.size() >= 2 && text.front() == '(' && text.back() == ')' && encloses(text)) {
            text = text.substr(1, text.size() - 2);
            const auto first = text.find_first_not_of(" \t\r\n");
            if (first == std::string_view::npos) break;
            text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
        }
        return std::string(text);
    }

    /// Whether the first parenthesis closes at the end. Texts with quotes are left alone.
    static bool encloses(std::string_view text) {
        if (text.find_first_of("\"'`") != std::string_view::npos) {
            return text.find('(', 1) == std::string_view::npos && text.find(')') == text.size() - 1;
        }
        int depth = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '(') ++depth;
            if (text[i] == ')' && --depth == 0) return i + 1 == text.size();
        }
        return false;
    }

    std::string values(const Node& node) const {
        std::vector<Path> paths, guarded;
        collect_paths(program_, node, paths, guarded);
        for (auto& path : guarded)
            if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(std::move(path));
        std::vector<std::string> texts;
        for (const auto& path : paths) {
            auto text = found(path);
            if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
        }
        std::string out;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (i > 0) out += ", ";
            if (i == values_max) return out + "...";
            out += texts[i];
        }
        return out;
    }

    std::string found(const Path& path) const {
        const auto* value = bindings_.find(path.front());
        std::size_t depth = 1;
        while (value != nullptr && depth < path.size()) {
            value = value->kind() == Kind::Map ? value->find(path[depth]) : nullptr;
            ++depth;
        }
        if (value == nullptr)
            return written(Path(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth))) +
                   " is missing";
        const auto text = to_json(*value);
        return written(path) + " = " +
               (text.ok() ? printable(*text, value_bytes_max) : std::string(type_name(value->kind())));
    }

    const Program::Impl& program_;
    const Bindings& bindings_;
};

} // namespace

Explanation Program::explain(const Bindings& bindings) const {
    const Explainer explainer(*impl_, bindings);
    if (explainer.evaluate(*impl_->root).truth == true) return {};
    return explainer.explain(*impl_->root, true);
}

} // namespace weir::cel
