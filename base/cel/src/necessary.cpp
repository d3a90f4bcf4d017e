#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "number.hpp"
#include "paths.hpp"
#include "pattern_literals.hpp"

namespace weir::cel {
namespace {

constexpr std::size_t alternatives_max = 16;
constexpr std::size_t comparisons_max = 16;     ///< of one alternative; leaving some out only widens it
constexpr std::size_t computed_bytes_max = 512; ///< of a computed operand's text
/// From here on an int meets a double after rounding, so that equality is no longer one of exact values.
constexpr double exact_max = 9007199254740992.0;

using Conjunction = std::vector<Comparison>;

/// Any of the alternatives must hold. None: no condition is known.
struct Condition {
    std::vector<Conjunction> alternatives;
    bool exact = false; ///< and that is enough
    [[nodiscard]] bool known() const { return !alternatives.empty(); }
};

bool indexable(const Value& value) {
    switch (value.kind()) {
        case Kind::Int: return std::abs(static_cast<double>(value.as_int())) < exact_max;
        case Kind::Uint: return static_cast<double>(value.as_uint()) < exact_max;
        case Kind::Double: return std::abs(value.as_double()) < exact_max; // false for NaN
        case Kind::Bool:
        case Kind::String:
        case Kind::Bytes:
        case Kind::Timestamp:
        case Kind::Duration: return true;
        default: return false;
    }
}

/// Whether an index can look such a comparison up; the others only turn candidates down.
bool selective(const Comparison& comparison) {
    return comparison.op != Comparison::Op::NotEqual && comparison.op != Comparison::Op::Suffix &&
           comparison.op != Comparison::Op::Has;
}
bool selective(const Condition& condition) {
    return std::all_of(condition.alternatives.begin(), condition.alternatives.end(), [](const auto& all) {
        return std::any_of(all.begin(), all.end(), [](const Comparison& each) { return selective(each); });
    });
}

Condition any(Condition a, Condition b) {
    if (!a.known() || !b.known() || a.alternatives.size() + b.alternatives.size() > alternatives_max)
        return {};
    std::move(b.alternatives.begin(), b.alternatives.end(), std::back_inserter(a.alternatives));
    a.exact = a.exact && b.exact;
    return a;
}

/// One of the two, where both together are too many.
Condition better(Condition a, Condition b) {
    const auto rank = [](const Condition& c) { return std::pair(!selective(c), c.alternatives.size()); };
    auto& chosen = rank(a) <= rank(b) ? a : b;
    chosen.exact = false;
    return std::move(chosen);
}

Condition both(Condition a, Condition b) {
    if (!a.known() || !b.known()) {
        auto& only = a.known() ? a : b;
        only.exact = false;
        return std::move(only);
    }
    if (a.alternatives.size() * b.alternatives.size() > alternatives_max)
        return better(std::move(a), std::move(b));
    Condition out{{}, a.exact && b.exact};
    for (const auto& x : a.alternatives) {
        for (const auto& y : b.alternatives) {
            auto& joined = out.alternatives.emplace_back(x);
            for (const auto& comparison : y) {
                if (joined.size() < (selective(comparison) ? comparisons_max : comparisons_max / 2))
                    joined.push_back(comparison);
                else
                    out.exact = false;
            }
        }
    }
    return out;
}

/// Whether an expression depends on a variable. Those of macros are bound inside of it.
bool has_variable(const Node& node) {
    if (node.op == Op::Variable) return true;
    for (const auto* child : {node.a, node.b, node.c})
        if (child != nullptr && has_variable(*child)) return true;
    return std::any_of(node.items.begin(), node.items.end(),
                       [](const Node* item) { return has_variable(*item); });
}

class Analysis {
  public:
    explicit Analysis(const Program::Impl& program) : program_(program) {}

    /// What must hold for a node to be `wanted`.
    Condition condition(const Node& node, bool wanted) const {
        switch (node.op) {
            case Op::And:
            case Op::Or: return combined(node, wanted);
            case Op::Not: return condition(*node.a, !wanted);
            case Op::Conditional:
                return any(both(condition(*node.a, true), condition(*node.b, wanted)),
                           both(condition(*node.a, false), condition(*node.c, wanted)));
            case Op::Equal:
                return comparison(node, wanted ? Comparison::Op::Equal : Comparison::Op::NotEqual);
            case Op::NotEqual:
                return comparison(node, wanted ? Comparison::Op::NotEqual : Comparison::Op::Equal);
            // An order that is not there is an error, never false: the opposite holds.
            case Op::Less:
                return comparison(node, wanted ? Comparison::Op::Less : Comparison::Op::GreaterEqual);
            case Op::LessEqual:
                return comparison(node, wanted ? Comparison::Op::LessEqual : Comparison::Op::Greater);
            case Op::Greater:
                return comparison(node, wanted ? Comparison::Op::Greater : Comparison::Op::LessEqual);
            case Op::GreaterEqual:
                return comparison(node, wanted ? Comparison::Op::GreaterEqual : Comparison::Op::Less);
            case Op::In: return wanted ? membership(node) : Condition();
            case Op::Call: return wanted ? call(node) : Condition();
            case Op::Has:
                if (auto path = wanted ? path_of(program_, *node.a) : std::nullopt) {
                    path->emplace_back(node.value.as_string());
                    return one({std::move(*path), Comparison::Op::Has, {}, {}});
                }
                return {};
            case Op::Variable:
            case Op::Select:
            case Op::Index:
                if (auto path = path_of(program_, node))
                    return one({std::move(*path), Comparison::Op::Equal, {Value::boolean(wanted)}, {}});
                return {};
            default: return {};
        }
    }

  private:
    static Condition one(Comparison comparison) {
        // What is computed may be so at a cost that only the whole expression passes.
        const bool exact = comparison.computed.empty();
        return {{{std::move(comparison)}}, exact};
    }

    Condition combined(const Node& node, bool wanted) const {
        const bool all = (node.op == Op::And) == wanted;
        Condition out = condition(*node.items.front(), wanted);
        for (std::size_t i = 1; i < node.items.size(); ++i) {
            auto next = condition(*node.items[i], wanted);
            out = all ? both(std::move(out), std::move(next)) : any(std::move(out), std::move(next));
        }
        return out;
    }

    /// What is compared: a path, or something computed from variables. Nothing: neither.
    std::optional<Comparison> compared(const Node& node) const {
        if (auto path = path_of(program_, node))
            return Comparison{std::move(*path), Comparison::Op::Equal, {}, {}};
        if (!has_variable(node) || node.end - node.begin > computed_bytes_max) return std::nullopt;
        return Comparison{
            {}, Comparison::Op::Equal, {}, program_.text.substr(node.begin, node.end - node.begin)};
    }

    Condition comparison(const Node& node, Comparison::Op op) const {
        const bool turned = node.a->op == Op::Literal;
        const auto& literal = turned ? *node.a : *node.b;
        if (literal.op != Op::Literal || !indexable(literal.value)) return {};
        auto out = compared(turned ? *node.b : *node.a);
        if (!out) return {};
        if (turned) {
            switch (op) {
                case Comparison::Op::Less: op = Comparison::Op::Greater; break;
                case Comparison::Op::LessEqual: op = Comparison::Op::GreaterEqual; break;
                case Comparison::Op::Greater: op = Comparison::Op::Less; break;
                case Comparison::Op::GreaterEqual: op = Comparison::Op::LessEqual; break;
                default: break;
            }
        }
        out->op = op;
        out->literals = {literal.value};
        return one(std::move(*out));
    }

    Condition membership(const Node& node) const {
        if (node.b->op != Op::Literal || node.b->value.kind() != Kind::List) return {};
        const auto items = node.b->value.as_list();
        if (!std::all_of(items.begin(), items.end(), indexable)) return {};
        auto out = compared(*node.a);
        if (!out) return {};
        out->op = Comparison::Op::In;
        out->literals = {items.begin(), items.end()};
        return one(std::move(*out));
    }

    Condition call(const Node& node) const {
        const bool text_function = node.function == Function::StartsWith ||
                                   node.function == Function::EndsWith || node.function == Function::Matches;
        if (!text_function) return {};
        const auto& literal = *node.items.back();
        if (literal.op != Op::Literal || !literal.value.is_string()) return {};
        auto out = compared(node.receiver ? *node.a : *node.items.front());
        if (!out) return {};
        if (node.function == Function::Matches)
            return node.slot != 0 ? matching(std::move(*out), literal.value.as_string()) : Condition();
        out->op = node.function == Function::StartsWith ? Comparison::Op::Prefix : Comparison::Op::Suffix;
        out->literals = {literal.value};
        return one(std::move(*out));
    }

    /// What a pattern begins and ends with. The rest is left to the pattern.
    static Condition matching(Comparison compared, std::string_view pattern) {
        const auto literals = pattern_literals(pattern);
        Condition out;
        const auto add = [&](Comparison::Op op, const std::string& text) {
            if (!out.known()) out.alternatives.emplace_back();
            auto& comparison = out.alternatives.front().emplace_back(compared);
            comparison.op = op;
            comparison.literals = {Value::string(text)};
        };
        if (literals.whole) {
            add(Comparison::Op::Equal, literals.prefix);
            return out;
        }
        if (!literals.prefix.empty()) add(Comparison::Op::Prefix, literals.prefix);
        if (!literals.suffix.empty()) add(Comparison::Op::Suffix, literals.suffix);
        return out;
    }

    const Program::Impl& program_;
};

} // namespace

Necessary Program::necessary() const {
    auto condition = Analysis(*impl_).condition(*impl_->root, true);
    // Comparisons with literals cost next to nothing beside the usual limit, so it is never what decides.
    const bool affordable = impl_->limits.cost_max >= Limits().cost_max;
    return {std::move(condition.alternatives), condition.exact && affordable};
}

} // namespace weir::cel
