#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "number.hpp"
#include "paths.hpp"

namespace weir::cel {
namespace {

constexpr std::size_t alternatives_max = 16;
constexpr std::size_t comparisons_max = 16; ///< of one alternative; leaving some out only widens it
/// From here on an int meets a double after rounding, so that equality is no longer one of exact values.
constexpr double exact_max = 9007199254740992.0;

using Conjunction = std::vector<Comparison>;
/// Any of the alternatives must hold. Nothing: no condition is known.
using Condition = std::optional<std::vector<Conjunction>>;

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

Condition any(Condition a, Condition b) {
    if (!a || !b || a->size() + b->size() > alternatives_max) return std::nullopt;
    std::move(b->begin(), b->end(), std::back_inserter(*a));
    return a;
}

Condition both(Condition a, Condition b) {
    if (!a) return b;
    if (!b) return a;
    if (a->size() * b->size() > alternatives_max) return a->size() <= b->size() ? a : b;
    std::vector<Conjunction> out;
    for (const auto& x : *a) {
        for (const auto& y : *b) {
            auto& joined = out.emplace_back(x);
            for (const auto& comparison : y)
                if (joined.size() < comparisons_max) joined.push_back(comparison);
        }
    }
    return out;
}

Condition one(Path path, Comparison::Op op, std::vector<Value> literals) {
    return std::vector<Conjunction>{{Comparison{std::move(path), op, std::move(literals)}}};
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
            case Op::Equal: return wanted ? comparison(node, Comparison::Op::Equal) : std::nullopt;
            case Op::NotEqual: return wanted ? std::nullopt : comparison(node, Comparison::Op::Equal);
            // An order that is not there is an error, never false: the opposite holds.
            case Op::Less:
                return comparison(node, wanted ? Comparison::Op::Less : Comparison::Op::GreaterEqual);
            case Op::LessEqual:
                return comparison(node, wanted ? Comparison::Op::LessEqual : Comparison::Op::Greater);
            case Op::Greater:
                return comparison(node, wanted ? Comparison::Op::Greater : Comparison::Op::LessEqual);
            case Op::GreaterEqual:
                return comparison(node, wanted ? Comparison::Op::GreaterEqual : Comparison::Op::Less);
            case Op::In: return wanted ? membership(node) : std::nullopt;
            case Op::Call: return wanted ? prefix(node) : std::nullopt;
            case Op::Variable:
            case Op::Select:
            case Op::Index:
                if (auto path = path_of(program_, node))
                    return one(std::move(*path), Comparison::Op::Equal, {Value::boolean(wanted)});
                return std::nullopt;
            default: return std::nullopt;
        }
    }

  private:
    Condition combined(const Node& node, bool wanted) const {
        const bool all = (node.op == Op::And) == wanted;
        Condition out = condition(*node.items.front(), wanted);
        for (std::size_t i = 1; i < node.items.size(); ++i) {
            auto next = condition(*node.items[i], wanted);
            out = all ? both(std::move(out), std::move(next)) : any(std::move(out), std::move(next));
        }
        return out;
    }

    Condition comparison(const Node& node, Comparison::Op op) const {
        const bool turned = node.a->op == Op::Literal;
        const auto& literal = turned ? *node.a : *node.b;
        auto path = path_of(program_, turned ? *node.b : *node.a);
        if (!path || literal.op != Op::Literal || !indexable(literal.value)) return std::nullopt;
        if (turned) {
            switch (op) {
                case Comparison::Op::Less: op = Comparison::Op::Greater; break;
                case Comparison::Op::LessEqual: op = Comparison::Op::GreaterEqual; break;
                case Comparison::Op::Greater: op = Comparison::Op::Less; break;
                case Comparison::Op::GreaterEqual: op = Comparison::Op::LessEqual; break;
                default: break;
            }
        }
        return one(std::move(*path), op, {literal.value});
    }

    Condition membership(const Node& node) const {
        auto path = path_of(program_, *node.a);
        if (!path || node.b->op != Op::Literal || node.b->value.kind() != Kind::List) return std::nullopt;
        const auto items = node.b->value.as_list();
        if (!std::all_of(items.begin(), items.end(), indexable)) return std::nullopt;
        return one(std::move(*path), Comparison::Op::In, {items.begin(), items.end()});
    }

    Condition prefix(const Node& node) const {
        if (node.function != Function::StartsWith) return std::nullopt;
        auto path = path_of(program_, *node.a);
        const auto& literal = *node.items.front();
        if (!path || literal.op != Op::Literal || !literal.value.is_string()) return std::nullopt;
        return one(std::move(*path), Comparison::Op::Prefix, {literal.value});
    }

    const Program::Impl& program_;
};

} // namespace

Necessary Program::necessary() const {
    auto condition = Analysis(*impl_).condition(*impl_->root, true);
    Necessary out;
    if (condition) out.alternatives = std::move(*condition);
    return out;
}

} // namespace weir::cel
