#include "check.hpp"

#include <algorithm>
#include <array>

#include <weir/base/text.hpp>

#include "lexer.hpp"
#include "number.hpp"

namespace weir::cel {
namespace {

constexpr std::array<std::string_view, 9> event_attributes{
    "id", "source", "type", "subject", "datacontenttype", "dataschema", "time", "specversion", "data"};

Static of(Kind kind) {
    return {.known = true, .kind = kind};
}

/// The kind of `a op b`, or Null where CEL has no such form.
Kind result_of(Op op, Kind a, Kind b) {
    const bool number = a == b && is_number(a);
    switch (op) {
        case Op::Add:
            if (number ||
                (a == b && (a == Kind::String || a == Kind::Bytes || a == Kind::List || a == Kind::Duration)))
                return a;
            if ((a == Kind::Timestamp && b == Kind::Duration) ||
                (a == Kind::Duration && b == Kind::Timestamp))
                return Kind::Timestamp;
            return Kind::Null;
        case Op::Subtract:
            if (number || (a == Kind::Duration && b == a)) return a;
            if (a == Kind::Timestamp && b == Kind::Duration) return Kind::Timestamp;
            return a == Kind::Timestamp && b == a ? Kind::Duration : Kind::Null;
        case Op::Modulo: return number && a != Kind::Double ? a : Kind::Null;
        default: return number ? a : Kind::Null;
    }
}

bool ordered(Kind a, Kind b) {
    if (is_number(a) && is_number(b)) return true;
    return a == b && (a == Kind::String || a == Kind::Bytes || a == Kind::Bool || a == Kind::Timestamp ||
                      a == Kind::Duration);
}

constexpr std::array<Kind, 12> all_kinds{Kind::Null,   Kind::Bool,      Kind::Int,      Kind::Uint,
                                         Kind::Double, Kind::String,    Kind::Bytes,    Kind::List,
                                         Kind::Map,    Kind::Timestamp, Kind::Duration, Kind::Type};

/// Whether some pair of kinds that agrees with what is known satisfies `test`.
template <class Test>
bool possible(const Static& a, const Static& b, Test test) {
    for (const auto x : all_kinds)
        for (const auto y : all_kinds)
            if ((!a.known || a.kind == x) && (!b.known || b.kind == y) && test(x, y)) return true;
    return false;
}

std::string name_of(const Static& s) {
    return s.known ? std::string(type_name(s.kind)) : "a value of any type";
}

Kind result_of(Function function) {
    switch (function) {
        case Function::Contains:
        case Function::StartsWith:
        case Function::EndsWith:
        case Function::Matches:
        case Function::Bool: return Kind::Bool;
        case Function::Bytes: return Kind::Bytes;
        case Function::Double: return Kind::Double;
        case Function::Duration: return Kind::Duration;
        case Function::String: return Kind::String;
        case Function::Timestamp: return Kind::Timestamp;
        case Function::Type: return Kind::Type;
        case Function::Uint: return Kind::Uint;
        default: return Kind::Int;
    }
}

/// Whether argument `i` (the receiver counts) of a function may be of a kind.
bool accepts(Function function, std::size_t i, Kind kind) {
    const auto among = [kind](std::initializer_list<Kind> kinds) {
        return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
    };
    switch (function) {
        case Function::Size: return among({Kind::String, Kind::Bytes, Kind::List, Kind::Map});
        case Function::Contains:
        case Function::StartsWith:
        case Function::EndsWith:
        case Function::Matches:
        case Function::ParseJson: return kind == Kind::String;
        case Function::Bool: return among({Kind::Bool, Kind::String});
        case Function::Bytes: return among({Kind::Bytes, Kind::String});
        case Function::Double: return is_number(kind) || kind == Kind::String;
        case Function::Duration: return among({Kind::Duration, Kind::String, Kind::Int});
        case Function::Int: return is_number(kind) || among({Kind::String, Kind::Timestamp, Kind::Duration});
        case Function::String:
            return is_number(kind) ||
                   among({Kind::Bool, Kind::String, Kind::Bytes, Kind::Timestamp, Kind::Duration});
        case Function::Timestamp: return among({Kind::Timestamp, Kind::String, Kind::Int});
        case Function::Uint: return is_number(kind) || kind == Kind::String;
        case Function::Dyn:
        case Function::Type:
        case Function::Unknown: return true;
        default: break;
    }
    if (i == 1) return kind == Kind::String;
    const bool of_duration = function >= Function::GetHours;
    return kind == Kind::Timestamp || (of_duration && kind == Kind::Duration);
}

} // namespace

Checker::Checker(const Program::Impl& program, const CompileOptions& options)
    : program_(program), options_(options), locals_(program.locals) {}

Status Checker::check(const Node& root) {
    type_of(root);
    return status_;
}

std::string Checker::source(const Node& node) const {
    return printable(std::string_view(program_.text).substr(node.begin, node.end - node.begin), 80);
}

void Checker::fail(const Node& node, const std::string& what) {
    if (status_.ok()) status_ = invalid(place_in(program_.text, node.at) + ": " + what);
}

void Checker::want_bool(const Node& node) {
    const auto type = type_of(node);
    if (options_.check && type.known && type.kind != Kind::Bool)
        fail(node, source(node) + " is of type " + name_of(type) + ", expected a bool");
}

Static Checker::type_of(const Node& node) {
    if (!status_.ok()) return {};
    switch (node.op) {
        case Op::Literal:
            if (node.value.kind() == Kind::Null) return {};
            return of(node.value.kind());
        case Op::Name:
        case Op::Variable: return variable(node);
        case Op::Local: return locals_[node.slot];
        case Op::Select: return member(node, type_of(*node.a), node.value.as_string());
        case Op::Has: member(node, type_of(*node.a), node.value.as_string()); return of(Kind::Bool);
        case Op::Index: return index(node);
        case Op::List: return list(node);
        case Op::Map:
            for (const auto* item : node.items)
                type_of(*item);
            return of(Kind::Map);
        case Op::And:
        case Op::Or:
            for (const auto* item : node.items)
                want_bool(*item);
            return of(Kind::Bool);
        case Op::Not: want_bool(*node.a); return of(Kind::Bool);
        case Op::Conditional: return conditional(node);
        case Op::Negate: {
            const auto type = type_of(*node.a);
            const bool fits = !type.known || type.kind == Kind::Int || type.kind == Kind::Double ||
                              type.kind == Kind::Duration;
            if (options_.check && !fits) fail(node, "\"-\" has no form for " + name_of(type));
            return type;
        }
        case Op::Add:
        case Op::Subtract:
        case Op::Multiply:
        case Op::Divide:
        case Op::Modulo: return arithmetic(node);
        case Op::Equal:
        case Op::NotEqual:
        case Op::Less:
        case Op::LessEqual:
        case Op::Greater:
        case Op::GreaterEqual:
        case Op::In: return comparison(node);
        case Op::Call: return call(node);
        case Op::All:
        case Op::Exists:
        case Op::ExistsOne:
        case Op::Transform:
        case Op::Filter: return macro(node);
    }
    return {};
}

Static Checker::variable(const Node& node) const {
    const auto name =
        node.op == Op::Variable ? std::string_view(program_.variables[node.slot]) : node.value.as_string();
    for (const auto& known : options_.variables) {
        if (known.name != name) continue;
        switch (known.type) {
            case VariableType::Dynamic: return {};
            case VariableType::Event: return {.known = true, .kind = Kind::Map, .event = true};
            case VariableType::String: return of(Kind::String);
            case VariableType::Int: return of(Kind::Int);
            case VariableType::Bool: return of(Kind::Bool);
            case VariableType::Timestamp: return of(Kind::Timestamp);
        }
    }
    return {};
}

Static Checker::member(const Node& node, const Static& operand, std::string_view name) {
    if (options_.check && operand.known && operand.kind != Kind::Map)
        fail(node, source(*node.a) + " is of type " + name_of(operand) + " and has no field \"" +
                       printable(name, 40) + "\"");
    if (!operand.event) return {};
    if (name == "data") return {};
    if (name == "time") return of(Kind::Timestamp);
    if (std::find(event_attributes.begin(), event_attributes.end(), name) != event_attributes.end())
        return of(Kind::String);
    const bool extension = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
    if (options_.check && !extension)
        fail(node, "an event has no attribute \"" + printable(name, 40) +
                       "\" (names are lower-case letters and digits; the payload is " + source(*node.a) +
                       ".data)" + did_you_mean(name, {event_attributes.begin(), event_attributes.end()}));
    return {};
}

Static Checker::index(const Node& node) {
    const auto operand = type_of(*node.a);
    const auto key = type_of(*node.b);
    if (!status_.ok() || !operand.known) return {};
    if (operand.kind == Kind::Map && node.b->op == Op::Literal && node.b->value.is_string())
        return member(node, operand, node.b->value.as_string());
    const bool map = operand.kind == Kind::Map;
    const auto fits = [&](Kind kind) {
        if (operand.event) return kind == Kind::String;
        return is_number(kind) || (map && (kind == Kind::String || kind == Kind::Bool));
    };
    if (options_.check && !map && operand.kind != Kind::List)
        fail(node, source(*node.a) + " is of type " + name_of(operand) + " and cannot be indexed");
    else if (options_.check && key.known && !fits(key.kind))
        fail(node, "a " + name_of(key) + " cannot index " + source(*node.a) + ", which is of type " +
                       name_of(operand));
    if (operand.kind == Kind::List && operand.element_known) return of(operand.element);
    return {};
}

Static Checker::list(const Node& node) {
    Static type = of(Kind::List);
    bool first = true;
    for (const auto* item : node.items) {
        const auto element = type_of(*item);
        if (first) {
            type.element_known = element.known;
            type.element = element.kind;
        } else if (!element.known || element.kind != type.element) {
            type.element_known = false;
        }
        first = false;
    }
    return type;
}

void Checker::refuse_untyped(const Node& node, const Static& a, const Static& b) {
    if (a.known && b.known) return;
    const auto number = [](const Static& s) { return s.known && is_number(s.kind); };
    if (node.op == Op::Add && !number(a) && !number(b)) return;
    // Times are unmistakable: an unknown operand beside one must be a time as well.
    const auto time = [](const Static& s) {
        return s.known && (s.kind == Kind::Timestamp || s.kind == Kind::Duration);
    };
    if (node.op == Op::Subtract && (time(a) || time(b))) return;
    const auto& untyped = a.known ? *node.b : *node.a;
    const auto name = source(untyped);
    fail(node, "arithmetic on " + name +
                   ", whose type is not known: a JSON number may be an int or a double; write int(" + name +
                   ") or double(" + name + ")");
}

Static Checker::arithmetic(const Node& node) {
    const auto a = type_of(*node.a);
    const auto b = type_of(*node.b);
    if (!status_.ok()) return {};
    if (options_.check &&
        !possible(a, b, [&](Kind x, Kind y) { return result_of(node.op, x, y) != Kind::Null; })) {
        const auto sign = std::string_view(program_.text).substr(node.at, 1);
        const auto text = [](const Static& s) { return s.known && s.kind == Kind::String; };
        const auto number = [](const Static& s) { return s.known && is_number(s.kind); };
        std::string hint;
        if ((text(a) && number(b)) || (number(a) && text(b)))
            hint = "; convert with string(), int() or double()";
        if (number(a) && number(b)) hint = "; convert with int() or double()";
        fail(node,
             "\"" + std::string(sign) + "\" has no form for " + name_of(a) + " and " + name_of(b) + hint);
    }
    if (options_.refuse_untyped_arithmetic) refuse_untyped(node, a, b);
    if (a.known && b.known) {
        if (const auto kind = result_of(node.op, a.kind, b.kind); kind != Kind::Null) return of(kind);
    }
    return {};
}

Static Checker::comparison(const Node& node) {
    const auto a = type_of(*node.a);
    const auto b = type_of(*node.b);
    if (!status_.ok() || !options_.check) return of(Kind::Bool);
    if (node.op == Op::In) {
        if (b.known && b.kind != Kind::List && b.kind != Kind::Map)
            fail(node, "\"in\" needs a list or map on its right, not " + name_of(b) +
                           (b.kind == Kind::String ? "; a part of a string is found by contains()" : ""));
    } else if (node.op == Op::Equal || node.op == Op::NotEqual) {
        const bool comparable =
            !a.known || !b.known || a.kind == b.kind || (is_number(a.kind) && is_number(b.kind));
        if (!comparable) fail(node, name_of(a) + " and " + name_of(b) + " are never equal: " + source(node));
    } else if (!possible(a, b, ordered)) {
        fail(node, name_of(a) + " and " + name_of(b) + " have no order: " + source(node));
    }
    return of(Kind::Bool);
}

Static Checker::call(const Node& node) {
    std::size_t i = 0;
    Static first;
    const auto argument = [&](const Node& item) {
        const auto type = type_of(item);
        if (i == 0) first = type;
        if (options_.check && type.known && !accepts(node.function, i, type.kind))
            fail(node, std::string(node.value.as_string()) + "() does not take " + name_of(type) + ": " +
                           source(item));
        ++i;
    };
    if (node.a != nullptr) argument(*node.a);
    for (const auto* item : node.items)
        argument(*item);
    if (node.function == Function::Unknown || node.function == Function::Dyn ||
        node.function == Function::ParseJson)
        return {};
    return of(result_of(node.function));
}

Static Checker::conditional(const Node& node) {
    want_bool(*node.a);
    const auto b = type_of(*node.b);
    const auto c = type_of(*node.c);
    return b.known && c.known && b.kind == c.kind && !b.event && !c.event ? of(b.kind) : Static{};
}

Static Checker::macro(const Node& node) {
    const auto range = type_of(*node.a);
    if (options_.check && range.known && range.kind != Kind::List && range.kind != Kind::Map)
        fail(node, source(*node.a) + " is of type " + name_of(range) + ", expected a list or map");
    Static element;
    if (range.event) element = of(Kind::String);
    if (range.known && range.kind == Kind::List && range.element_known) element = of(range.element);
    locals_[node.slot] = element;
    if (node.op == Op::Transform) {
        if (node.c != nullptr) want_bool(*node.c);
        const auto item = type_of(*node.b);
        return {.known = true, .kind = Kind::List, .element_known = item.known, .element = item.kind};
    }
    want_bool(*node.b);
    if (node.op != Op::Filter) return of(Kind::Bool);
    return {.known = true, .kind = Kind::List, .element_known = element.known, .element = element.kind};
}

} // namespace weir::cel
