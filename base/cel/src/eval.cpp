#include "eval.hpp"

#include <utility>

namespace weir::cel {
namespace {

constexpr std::size_t bytes_per_cost = 64;

const Value* truth(bool value) {
    static const Value yes = Value::boolean(true);
    static const Value no = Value::boolean(false);
    return value ? &yes : &no;
}

std::size_t bytes_of(const Value& value) {
    switch (value.kind()) {
        case Kind::String:
        case Kind::Bytes: return value.as_string().size();
        case Kind::List: return value.as_list().size() * sizeof(Value);
        case Kind::Map: return value.as_map().size() * sizeof(Value::Entry);
        default: return 0;
    }
}

} // namespace

const Value* Evaluator::run(const Node& node, Value& scratch) {
    if (cost_left_ == 0) return fail(node, Fault::Cost);
    --cost_left_;
    switch (node.op) {
        case Op::Literal: return &node.value;
        case Op::Name:
        case Op::Variable: return variable(node);
        case Op::Local: return locals_[node.slot];
        case Op::Select: return select(node, scratch);
        case Op::Has: return has(node, scratch);
        case Op::Index: return index(node, scratch);
        case Op::List: return list(node, scratch);
        case Op::Map: return map(node, scratch);
        case Op::And: return logic(node, false, scratch);
        case Op::Or: return logic(node, true, scratch);
        case Op::Not: return negation(node, scratch);
        case Op::Conditional: return conditional(node, scratch);
        case Op::Negate:
        case Op::Add:
        case Op::Subtract:
        case Op::Multiply:
        case Op::Divide:
        case Op::Modulo: return arithmetic(node, scratch);
        case Op::Equal:
        case Op::NotEqual: return equality(node, scratch);
        case Op::Less:
        case Op::LessEqual:
        case Op::Greater:
        case Op::GreaterEqual: return ordering(node, scratch);
        case Op::In: return membership(node, scratch);
        case Op::Call: return call(node, scratch);
        case Op::All: return quantifier(node, false, scratch);
        case Op::Exists: return quantifier(node, true, scratch);
        case Op::ExistsOne: return exactly_one(node, scratch);
        case Op::Transform: return transform(node, scratch);
        case Op::Filter: return filter(node, scratch);
    }
    return nullptr;
}

const Value* Evaluator::fail(const Node& node, Fault fault) {
    failure_.fault = fault;
    failure_.node = &node;
    failure_.binary = false;
    failure_.detail = Value();
    return nullptr;
}

const Value* Evaluator::fail(const Node& node, Fault fault, const Value& detail) {
    fail(node, fault);
    failure_.detail = detail;
    return nullptr;
}

const Value* Evaluator::no_overload(const Node& node, const Value& a) {
    fail(node, Fault::NoOverload);
    failure_.left = a.kind();
    return nullptr;
}

const Value* Evaluator::no_overload(const Node& node, const Value& a, const Value& b) {
    fail(node, Fault::NoOverload);
    failure_.left = a.kind();
    failure_.right = b.kind();
    failure_.binary = true;
    return nullptr;
}

bool Evaluator::charge(const Node& node, std::size_t bytes) {
    const std::uint64_t cost = bytes / bytes_per_cost;
    if (cost > cost_left_) {
        cost_left_ = 0;
        fail(node, Fault::Cost);
        return false;
    }
    cost_left_ -= cost;
    return true;
}

const Value* Evaluator::variable(const Node& node) {
    const auto* const value =
        bindings_.find(node.op == Op::Variable ? program_.variables[node.slot] : node.value.as_string());
    return value != nullptr ? value : fail(node, Fault::UnknownName);
}

const Value* Evaluator::select(const Node& node, Value& scratch) {
    const auto* const operand = run(*node.a, scratch);
    if (operand == nullptr) return nullptr;
    if (operand->kind() != Kind::Map) return no_overload(node, *operand);
    const auto* const found = operand->find(node.value.as_string());
    return found != nullptr ? found : fail(node, Fault::NoSuchKey, node.value);
}

const Value* Evaluator::has(const Node& node, Value& scratch) {
    const auto* const operand = run(*node.a, scratch);
    if (operand == nullptr) return nullptr;
    if (operand->kind() != Kind::Map) return no_overload(node, *operand);
    return truth(operand->find(node.value.as_string()) != nullptr);
}

const Value* Evaluator::index(const Node& node, Value& scratch) {
    Value own;
    const auto* const operand = run(*node.a, scratch);
    if (operand == nullptr) return nullptr;
    const auto* const key = run(*node.b, own);
    if (key == nullptr) return nullptr;
    if (operand->kind() == Kind::Map) {
        const auto* const found = operand->find(*key);
        return found != nullptr ? found : fail(node, Fault::NoSuchKey, *key);
    }
    if (operand->kind() != Kind::List) return no_overload(node, *operand, *key);
    const Value* found = nullptr;
    switch (const auto fault = element(*operand, *key, found); fault) {
        case Fault::None: return found;
        case Fault::NoOverload: return no_overload(node, *operand, *key);
        default: return fail(node, fault, *key);
    }
}

const Value* Evaluator::list(const Node& node, Value& scratch) {
    std::vector<Value> items;
    items.reserve(node.items.size());
    for (const auto* item : node.items) {
        Value own;
        const auto* const value = run(*item, own);
        if (value == nullptr) return nullptr;
        items.push_back(*value);
    }
    scratch = Value::list(std::move(items));
    return &scratch;
}

const Value* Evaluator::map(const Node& node, Value& scratch) {
    std::vector<Value::Entry> entries;
    entries.reserve(node.items.size() / 2);
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
        Value own_key, own_value;
        const auto* const key = run(*node.items[i], own_key);
        if (key == nullptr) return nullptr;
        const auto kind = key->kind();
        if (kind != Kind::String && kind != Kind::Int && kind != Kind::Uint && kind != Kind::Bool)
            return fail(*node.items[i], Fault::KeyType, *key);
        const auto* const value = run(*node.items[i + 1], own_value);
        if (value == nullptr) return nullptr;
        entries.emplace_back(*key, *value);
    }
    scratch = Value::map(std::move(entries));
    return &scratch;
}

const Value* Evaluator::logic(const Node& node, bool decisive, Value& scratch) {
    Failure held;
    for (const auto* item : node.items) {
        const auto* const value = run(*item, scratch);
        if (value != nullptr && value->kind() == Kind::Bool) {
            if (value->as_bool() == decisive) return truth(decisive);
            continue;
        }
        if (value != nullptr) no_overload(node, *value);
        if (failure_.fault == Fault::Cost) return nullptr;
        // An error counts only if no other operand decides: the order of operands means nothing.
        if (held.fault == Fault::None) held = std::exchange(failure_, Failure());
    }
    if (held.fault == Fault::None) return truth(!decisive);
    failure_ = std::move(held);
    return nullptr;
}

const Value* Evaluator::negation(const Node& node, Value& scratch) {
    const auto* const operand = run(*node.a, scratch);
    if (operand == nullptr) return nullptr;
    return operand->kind() == Kind::Bool ? truth(!operand->as_bool()) : no_overload(node, *operand);
}

const Value* Evaluator::conditional(const Node& node, Value& scratch) {
    const auto* const condition = run(*node.a, scratch);
    if (condition == nullptr) return nullptr;
    if (condition->kind() != Kind::Bool) return no_overload(node, *condition);
    return run(condition->as_bool() ? *node.b : *node.c, scratch);
}

const Value* Evaluator::arithmetic(const Node& node, Value& scratch) {
    Value own_a, own_b;
    const auto* const a = run(*node.a, own_a);
    if (a == nullptr) return nullptr;
    if (node.op == Op::Negate) {
        const auto fault = negate(*a, scratch);
        if (fault == Fault::None) return &scratch;
        return fault == Fault::NoOverload ? no_overload(node, *a) : fail(node, fault);
    }
    const auto* const b = run(*node.b, own_b);
    if (b == nullptr) return nullptr;
    if (node.op == Op::Add && !charge(node, bytes_of(*a) + bytes_of(*b))) return nullptr;
    const auto fault = node.op == Op::Add        ? add(*a, *b, scratch)
                       : node.op == Op::Subtract ? subtract(*a, *b, scratch)
                       : node.op == Op::Multiply ? multiply(*a, *b, scratch)
                       : node.op == Op::Divide   ? divide(*a, *b, scratch)
                                                 : modulo(*a, *b, scratch);
    if (fault == Fault::None) return &scratch;
    return fault == Fault::NoOverload ? no_overload(node, *a, *b) : fail(node, fault);
}

bool Evaluator::equal(const Node& node, const Value& a, const Value& b, bool& same) {
    same = false;
    if (a.kind() != b.kind() || (a.kind() != Kind::List && a.kind() != Kind::Map)) {
        same = a.equals(b);
        return !same || charge(node, bytes_of(a));
    }
    if (!charge(node, bytes_of(a))) return false;
    if (a.kind() == Kind::List) {
        const auto x = a.as_list(), y = b.as_list();
        same = x.size() == y.size();
        for (std::size_t i = 0; same && i < x.size(); ++i)
            if (!equal(node, x[i], y[i], same)) return false;
        return true;
    }
    same = a.as_map().size() == b.as_map().size();
    for (const auto& [key, value] : a.as_map()) {
        if (!same) return true;
        const auto* const other = b.find(key);
        if (other == nullptr)
            same = false;
        else if (!equal(node, value, *other, same))
            return false;
    }
    return true;
}

const Value* Evaluator::equality(const Node& node, Value& scratch) {
    Value own;
    const auto* const a = run(*node.a, scratch);
    if (a == nullptr) return nullptr;
    const auto* const b = run(*node.b, own);
    if (b == nullptr) return nullptr;
    bool same = false;
    if (!equal(node, *a, *b, same)) return nullptr;
    return truth(same == (node.op == Op::Equal));
}

const Value* Evaluator::ordering(const Node& node, Value& scratch) {
    Value own;
    const auto* const a = run(*node.a, scratch);
    if (a == nullptr) return nullptr;
    const auto* const b = run(*node.b, own);
    if (b == nullptr) return nullptr;
    const auto result = order(*a, *b);
    if (result == std::partial_ordering::unordered) return no_overload(node, *a, *b);
    switch (node.op) {
        case Op::Less: return truth(result < 0);
        case Op::LessEqual: return truth(result <= 0);
        case Op::Greater: return truth(result > 0);
        default: return truth(result >= 0);
    }
}

const Value* Evaluator::membership(const Node& node, Value& scratch) {
    Value own;
    const auto* const a = run(*node.a, own);
    if (a == nullptr) return nullptr;
    const auto* const b = run(*node.b, scratch);
    if (b == nullptr) return nullptr;
    if (b->kind() == Kind::Map) return truth(b->find(*a) != nullptr);
    if (b->kind() != Kind::List) return no_overload(node, *a, *b);
    if (!charge(node, bytes_of(*b))) return nullptr;
    for (const auto& item : b->as_list()) {
        bool same = false;
        if (!equal(node, *a, item, same)) return nullptr;
        if (same) return truth(true);
    }
    return truth(false);
}

template <class Each>
bool Evaluator::iterate(const Node& node, Each each) {
    Value own;
    const auto* const range = run(*node.a, own);
    if (range == nullptr) return false;
    auto& local = locals_[node.slot];
    if (range->kind() == Kind::List) {
        for (const auto& item : range->as_list()) {
            local = &item;
            if (!each(item)) break;
        }
    } else if (range->kind() == Kind::Map) {
        for (const auto& entry : range->as_map()) {
            local = &entry.first;
            if (!each(entry.first)) break;
        }
    } else {
        fail(node, Fault::NotIterable);
        failure_.left = range->kind();
        return false;
    }
    return true;
}

const Value* Evaluator::quantifier(const Node& node, bool decisive, Value& scratch) {
    Failure held;
    bool decided = false;
    const bool whole = iterate(node, [&](const Value&) {
        const auto* const value = run(*node.b, scratch);
        if (value != nullptr && value->kind() == Kind::Bool) {
            decided = value->as_bool() == decisive;
            return !decided;
        }
        if (value != nullptr) no_overload(node, *value);
        if (failure_.fault == Fault::Cost) {
            held = std::exchange(failure_, Failure());
            return false;
        }
        if (held.fault == Fault::None) held = std::exchange(failure_, Failure());
        return true;
    });
    if (!whole) return nullptr;
    if (decided || held.fault == Fault::None) return truth(decided == decisive);
    failure_ = std::move(held);
    return nullptr;
}

const Value* Evaluator::exactly_one(const Node& node, Value& scratch) {
    std::size_t count = 0;
    bool failed = false;
    const bool whole = iterate(node, [&](const Value&) {
        const auto* const value = run(*node.b, scratch);
        failed = value == nullptr || value->kind() != Kind::Bool;
        if (value != nullptr && failed) no_overload(node, *value);
        if (!failed && value->as_bool()) ++count;
        return !failed;
    });
    return whole && !failed ? truth(count == 1) : nullptr;
}

const Value* Evaluator::transform(const Node& node, Value& scratch) {
    std::vector<Value> out;
    bool failed = false;
    const bool whole = iterate(node, [&](const Value&) {
        Value own;
        if (node.c != nullptr) {
            const auto* const wanted = run(*node.c, own);
            failed = wanted == nullptr || wanted->kind() != Kind::Bool;
            if (wanted != nullptr && failed) no_overload(node, *wanted);
            if (failed || !wanted->as_bool()) return !failed;
        }
        const auto* const value = run(*node.b, own);
        failed = value == nullptr;
        if (!failed) out.push_back(*value);
        return !failed;
    });
    if (!whole || failed) return nullptr;
    scratch = Value::list(std::move(out));
    return &scratch;
}

const Value* Evaluator::filter(const Node& node, Value& scratch) {
    std::vector<Value> out;
    bool failed = false;
    const bool whole = iterate(node, [&](const Value& item) {
        const auto* const wanted = run(*node.b, scratch);
        failed = wanted == nullptr || wanted->kind() != Kind::Bool;
        if (wanted != nullptr && failed) no_overload(node, *wanted);
        if (!failed && wanted->as_bool()) out.push_back(item);
        return !failed;
    });
    if (!whole || failed) return nullptr;
    scratch = Value::list(std::move(out));
    return &scratch;
}

} // namespace weir::cel
