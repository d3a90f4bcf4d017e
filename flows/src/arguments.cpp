#include <weir/flows/arguments.hpp>

#include <algorithm>
#include <map>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cel/value.hpp>

namespace weir::flows {

namespace {

constexpr std::int64_t safe_integer = 9'007'199'254'740'991; // 2^53 - 1, KFP's NUMBER_INTEGER

std::string describe(const cel::Value& value) {
    switch (value.kind()) {
        case cel::Kind::Null: return "null";
        case cel::Kind::Bool: return value.as_bool() ? "true" : "false";
        case cel::Kind::String: return "the string \"" + printable(value.as_string(), 60) + "\"";
        case cel::Kind::List: return "a list";
        case cel::Kind::Map: return "an object";
        default: {
            const auto text = cel::to_json(value);
            return "the number " + (text.ok() ? *text : std::string("?"));
        }
    }
}

/// Why the value is not of the type, or nothing.
std::string mismatch(ParameterType type, const cel::Value& value) {
    using cel::Kind;
    const Kind kind = value.kind();
    const auto want = [&](std::string_view what) {
        return "must be " + std::string(what) + ", not " + describe(value);
    };
    switch (type) {
        case ParameterType::Integer:
            if (kind != Kind::Int) return want("a whole number");
            if (value.as_int() > safe_integer || value.as_int() < -safe_integer)
                return "must be a whole number between -(2^53 - 1) and 2^53 - 1, not " +
                       std::to_string(value.as_int());
            return {};
        case ParameterType::Double: return kind == Kind::Int || kind == Kind::Double ? "" : want("a number");
        case ParameterType::String: return kind == Kind::String ? "" : want("a string");
        case ParameterType::Boolean: return kind == Kind::Bool ? "" : want("true or false");
        case ParameterType::List: return kind == Kind::List ? "" : want("a list");
        case ParameterType::Struct: return kind == Kind::Map ? "" : want("an object");
    }
    return "is of an unknown type";
}

/// Why the value is none of the declared literals, or nothing.
std::string literal_mismatch(const Parameter& parameter, const cel::Value& value) {
    if (parameter.literals_json.empty()) return {};
    std::string allowed;
    for (const std::string& text : parameter.literals_json) {
        const auto literal = cel::from_json(text);
        if (literal.ok() && literal->equals(value)) return {};
        allowed += (allowed.empty() ? "" : ", ") + printable(text, 60);
    }
    return "must be one of " + allowed + ", not " + describe(value);
}

} // namespace

Result<ParameterType> parse_parameter_type(std::string_view text) {
    for (const ParameterType type : {ParameterType::Integer, ParameterType::Double, ParameterType::String,
                                     ParameterType::Boolean, ParameterType::List, ParameterType::Struct})
        if (to_string(type) == text) return type;
    return invalid("there is no parameter type \"" + printable(text) +
                   "\"; there are integer, double, string, boolean, list, struct");
}

Result<std::string> check_value(ParameterType type, std::string_view value_json, std::string_view what) {
    auto value = cel::from_json(value_json);
    if (!value.ok()) return value.error().in(what);
    if (const std::string why = mismatch(type, *value); !why.empty())
        return invalid(std::string(what) + " " + why);
    return cel::to_json(*value);
}

Result<std::string> bind_arguments(const std::vector<Parameter>& parameters,
                                   std::string_view arguments_json) {
    if (arguments_json.size() > argument_bytes_max)
        return exhausted("the arguments are " + std::to_string(arguments_json.size()) + " bytes; at most " +
                         std::to_string(argument_bytes_max) + " are taken");
    auto given = cel::from_json(arguments_json);
    if (!given.ok()) return given.error().in("arguments");
    if (given->kind() != cel::Kind::Map) return invalid("arguments must be a JSON object of name: value");
    std::vector<std::string_view> names;
    for (const Parameter& parameter : parameters)
        names.push_back(parameter.name);
    std::string faults;
    const auto fault = [&](const std::string& text) { faults += (faults.empty() ? "" : "; ") + text; };
    for (const auto& [key, value] : given->as_map()) {
        const std::string_view name = key.as_string();
        if (std::find(names.begin(), names.end(), name) == names.end())
            fault("there is no parameter \"" + printable(name) + "\"" + did_you_mean(name, names));
    }
    std::map<std::string, std::string> bound;
    for (const Parameter& parameter : parameters) {
        const cel::Value* value = given->find(parameter.name);
        if (value == nullptr || (value->is_null() && parameter.optional)) {
            if (!parameter.optional)
                fault("the parameter \"" + parameter.name + "\" (" + std::string(to_string(parameter.type)) +
                      ") is missing");
            continue;
        }
        std::string why = mismatch(parameter.type, *value);
        if (why.empty()) why = literal_mismatch(parameter, *value);
        if (!why.empty()) {
            fault("the parameter \"" + parameter.name + "\" " + why);
            continue;
        }
        WEIR_ASSIGN(text, cel::to_json(*value));
        bound.emplace(parameter.name, std::move(text));
    }
    if (!faults.empty()) return invalid(faults);
    std::string out = "{";
    for (const auto& [name, text] : bound) {
        if (out.size() > 1) out += ',';
        append_json_string(out, name);
        out += ':';
        out += text;
    }
    return out + "}";
}

} // namespace weir::flows
