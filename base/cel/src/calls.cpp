#include <algorithm>
#include <array>
#include <cstring>

#include <re2/re2.h>

#include <weir/base/text.hpp>

#include "eval.hpp"
#include "lexer.hpp"

namespace weir::cel {
namespace {

/// A regular expression that is not constant is compiled on the spot, which costs more than one step.
constexpr std::size_t pattern_cost_bytes = 250 * 64;
constexpr std::int64_t pattern_memory_bytes = 1 << 20;

constexpr std::array<Signature, 26> signatures{{
    {"size", Function::Size, true, true, 1, 1},
    {"contains", Function::Contains, false, true, 2, 2},
    {"startsWith", Function::StartsWith, false, true, 2, 2},
    {"endsWith", Function::EndsWith, false, true, 2, 2},
    {"matches", Function::Matches, true, true, 2, 2},
    {"bool", Function::Bool, true, false, 1, 1},
    {"bytes", Function::Bytes, true, false, 1, 1},
    {"double", Function::Double, true, false, 1, 1},
    {"dyn", Function::Dyn, true, false, 1, 1},
    {"duration", Function::Duration, true, false, 1, 1},
    {"int", Function::Int, true, false, 1, 1},
    {"string", Function::String, true, false, 1, 1},
    {"timestamp", Function::Timestamp, true, false, 1, 1},
    {"type", Function::Type, true, false, 1, 1},
    {"uint", Function::Uint, true, false, 1, 1},
    {"parseJson", Function::ParseJson, true, false, 1, 1},
    {"getFullYear", Function::GetFullYear, false, true, 1, 2},
    {"getMonth", Function::GetMonth, false, true, 1, 2},
    {"getDayOfYear", Function::GetDayOfYear, false, true, 1, 2},
    {"getDayOfMonth", Function::GetDayOfMonth, false, true, 1, 2},
    {"getDate", Function::GetDate, false, true, 1, 2},
    {"getDayOfWeek", Function::GetDayOfWeek, false, true, 1, 2},
    {"getHours", Function::GetHours, false, true, 1, 2},
    {"getMinutes", Function::GetMinutes, false, true, 1, 2},
    {"getSeconds", Function::GetSeconds, false, true, 1, 2},
    {"getMilliseconds", Function::GetMilliseconds, false, true, 1, 2},
}};

} // namespace

const Signature* find_function(std::string_view name) noexcept {
    const auto* const found = std::find_if(signatures.begin(), signatures.end(),
                                           [name](const Signature& s) { return s.name == name; });
    return found == signatures.end() ? nullptr : found;
}

std::vector<std::string_view> function_names(bool parse_json) {
    std::vector<std::string_view> names{"has", "all", "exists", "exists_one", "map", "filter"};
    for (const auto& signature : signatures)
        if (signature.function != Function::ParseJson || parse_json) names.push_back(signature.name);
    return names;
}

Result<std::shared_ptr<const re2::RE2>> compile_pattern(std::string_view pattern, const Limits& limits) {
    if (pattern.size() > limits.pattern_bytes_max)
        return exhausted("a regular expression of " + std::to_string(pattern.size()) +
                         " bytes; the limit is " + std::to_string(limits.pattern_bytes_max));
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(pattern_memory_bytes);
    auto compiled = std::make_shared<re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!compiled->ok()) return invalid("malformed regular expression: " + compiled->error());
    return std::shared_ptr<const re2::RE2>(std::move(compiled));
}

const Value* Evaluator::call(const Node& node, Value& scratch) {
    if (node.function == Function::Unknown) return fail(node, Fault::UnknownFunction);
    std::array<Value, 2> own;
    std::array<const Value*, 2> arguments{};
    std::size_t count = 0;
    if (node.a != nullptr) {
        arguments[count] = run(*node.a, own[count]);
        if (arguments[count++] == nullptr) return nullptr;
    }
    for (const auto* item : node.items) {
        arguments[count] = run(*item, own[count]);
        if (arguments[count++] == nullptr) return nullptr;
    }
    const auto& first = *arguments[0];
    switch (node.function) {
        case Function::Size: return size(node, first, scratch);
        case Function::Contains:
        case Function::StartsWith:
        case Function::EndsWith: return text_function(node, first, *arguments[1], scratch);
        case Function::Matches: return matching(node, first, *arguments[1], scratch);
        case Function::ParseJson: return parse_json(node, first, scratch);
        default: break;
    }
    const bool part_of_time = node.function >= Function::GetFullYear;
    if (!part_of_time && (first.kind() == Kind::String || first.kind() == Kind::Bytes) &&
        !charge(node, first.as_string().size()))
        return nullptr;
    const auto fault = part_of_time ? time_part(node.function, first, arguments[1], scratch)
                                    : convert(node.function, first, scratch);
    if (fault == Fault::None) return &scratch;
    if (fault == Fault::NoOverload)
        return arguments[1] != nullptr ? no_overload(node, first, *arguments[1]) : no_overload(node, first);
    return fail(node, fault, fault == Fault::Zone ? *arguments[1] : first);
}

const Value* Evaluator::size(const Node& node, const Value& of, Value& scratch) {
    switch (of.kind()) {
        case Kind::String:
            if (!charge(node, of.as_string().size())) return nullptr;
            scratch = Value::integer(characters(of.as_string()));
            return &scratch;
        case Kind::Bytes:
            scratch = Value::integer(static_cast<std::int64_t>(of.as_string().size()));
            return &scratch;
        case Kind::List:
            scratch = Value::integer(static_cast<std::int64_t>(of.as_list().size()));
            return &scratch;
        case Kind::Map:
            scratch = Value::integer(static_cast<std::int64_t>(of.as_map().size()));
            return &scratch;
        default: return no_overload(node, of);
    }
}

const Value* Evaluator::text_function(const Node& node, const Value& text, const Value& other,
                                      Value& scratch) {
    if (text.kind() != Kind::String || other.kind() != Kind::String) return no_overload(node, text, other);
    const auto a = text.as_string(), b = other.as_string();
    bool result = false;
    if (node.function == Function::StartsWith) {
        result = a.starts_with(b);
    } else if (node.function == Function::EndsWith) {
        result = a.ends_with(b);
    } else {
        if (!charge(node, a.size())) return nullptr;
        result = b.empty() || memmem(a.data(), a.size(), b.data(), b.size()) != nullptr; // never quadratic
    }
    scratch = Value::boolean(result);
    return &scratch;
}

const Value* Evaluator::matching(const Node& node, const Value& text, const Value& pattern, Value& scratch) {
    if (text.kind() != Kind::String || pattern.kind() != Kind::String)
        return no_overload(node, text, pattern);
    if (!charge(node, text.as_string().size())) return nullptr;
    const auto input = re2::StringPiece(text.as_string().data(), text.as_string().size());
    if (node.slot != 0) {
        scratch = Value::boolean(re2::RE2::PartialMatch(input, *program_.patterns[node.slot - 1U]));
        return &scratch;
    }
    if (!charge(node, pattern_cost_bytes + pattern.as_string().size() * 64)) return nullptr;
    const auto compiled = compile_pattern(pattern.as_string(), program_.limits);
    if (!compiled.ok()) return fail(node, Fault::Pattern, Value::string(compiled.error().message));
    scratch = Value::boolean(re2::RE2::PartialMatch(input, **compiled));
    return &scratch;
}

const Value* Evaluator::parse_json(const Node& node, const Value& text, Value& scratch) {
    if (text.kind() != Kind::String) return no_overload(node, text);
    // What is read takes more memory than its text.
    if (!charge(node, text.as_string().size() * 16)) return nullptr;
    auto value = from_json(text.as_string());
    if (!value.ok()) return fail(node, Fault::Json, Value::string(value.error().message));
    scratch = std::move(*value);
    return &scratch;
}

std::string Evaluator::source(const Node& node) const {
    return printable(std::string_view(program_.text).substr(node.begin, node.end - node.begin), 80);
}

Error Evaluator::error() const {
    const auto& f = failure_;
    const auto kind = f.fault == Fault::Cost ? ErrorKind::Exhausted : ErrorKind::Invalid;
    return {kind, (f.node != nullptr ? place_in(program_.text, f.node->at) + ": " : std::string()) + words()};
}

std::string Evaluator::words() const {
    const auto& f = failure_;
    if (f.node == nullptr) return "no value";
    const auto shown = [&f] {
        if (f.detail.kind() == Kind::String) return "\"" + printable(f.detail.as_string(), 80) + "\"";
        const auto text = to_json(f.detail);
        return text.ok() ? printable(*text, 80) : std::string(type_name(f.detail.kind()));
    };
    const auto types = [&f] {
        return std::string(type_name(f.left)) + (f.binary ? " and " + std::string(type_name(f.right)) : "");
    };
    switch (f.fault) {
        case Fault::NoSuchKey: return "no such key: " + shown() + " in " + source(*f.node->a);
        case Fault::NoOverload:
            if (f.node->op == Op::Select || f.node->op == Op::Has)
                return "no such key: \"" + printable(f.node->value.as_string(), 80) + "\"; " +
                       source(*f.node->a) + " is of type " + types() + ", not a map";
            return "no such overload: " + source(*f.node) + " with " + types();
        case Fault::IndexRange: return "index out of range: " + shown() + " in " + source(*f.node);
        case Fault::KeyType: return "a map key or list index cannot be " + shown();
        case Fault::DivisionByZero: return "division by zero: " + source(*f.node);
        case Fault::ModulusByZero: return "modulus by zero: " + source(*f.node);
        case Fault::Overflow: return "the result is out of range: " + source(*f.node);
        case Fault::TimeRange: return "the time is out of range: " + source(*f.node);
        case Fault::Conversion:
            return std::string(f.node->value.as_string()) + "() cannot read " + shown() +
                   (f.node->function == Function::Timestamp  ? "; expected the form 2026-03-01T06:30:00Z"
                    : f.node->function == Function::Duration ? "; expected the form 1h30m, 90s, 1.5s or 250ms"
                                                             : "");
        case Fault::Pattern: return std::string(f.detail.as_string());
        case Fault::Zone:
            return "unknown time zone " + shown() + "; expected a name like Europe/Zurich or +02:00";
        case Fault::UnknownName: return "unknown name: " + source(*f.node);
        case Fault::UnknownFunction:
            return "unknown function: " + printable(f.node->value.as_string(), 80) + "()";
        case Fault::NotIterable: return source(*f.node->a) + " is of type " + types() + ", not a list or map";
        case Fault::Json: return "parseJson(): " + std::string(f.detail.as_string());
        case Fault::Cost:
            return "the evaluation took more than " + std::to_string(program_.limits.cost_max) +
                   " steps; make the expression or its data smaller";
        case Fault::None: break;
    }
    return "no value";
}

} // namespace weir::cel
