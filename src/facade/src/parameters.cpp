#include "parameters.hpp"

#include <algorithm>

#include <weir/base/text.hpp>

namespace weir::facade {
namespace {

using flows::ParameterType;

std::string wrong_kind(const flows::Parameter& parameter, const Json& value) {
    const std::string name = "input parameter " + parameter.name;
    const auto say = [&](std::string_view type) {
        return name + " requires type " + std::string(type) + ", but the input parameter is not of " +
               std::string(type) + " value type";
    };
    switch (parameter.type) {
        case ParameterType::Integer:
        case ParameterType::Double:
            if (value.is_number()) return "";
            return name +
                   " requires type double or integer, but the parameter value is not of number value type";
        case ParameterType::String: return value.is_string() ? "" : say("string");
        case ParameterType::Boolean: return value.is_boolean() ? "" : say("bool");
        case ParameterType::List: return value.is_array() ? "" : say("list");
        case ParameterType::Struct: return value.is_object() ? "" : say("struct");
    }
    return "";
}

std::string wrong_literal(const flows::Parameter& parameter, const Json& value) {
    if (parameter.literals_json.empty()) return "";
    std::string all;
    for (const auto& literal : parameter.literals_json) {
        if (as_struct(stored_json(literal)) == value) return "";
        all += (all.empty() ? "" : " ") + literal;
    }
    return "input parameter \"" + parameter.name + "\" value " + printable(to_text(value), 80) +
           " does not match any of the allowed literal values: [" + all + "]";
}

} // namespace

Done check_parameters(const std::vector<flows::Parameter>& declared, const Json& given) {
    const auto refuse = [](const std::string& detail) {
        return invalid_fault(detail).in(
            "Failed to create a new run: Failed to generate the ExecutionSpec: invalid pipeline job inputs");
    };
    std::string unknown;
    for (const auto& [name, _] : given.items()) {
        const bool known = std::any_of(declared.begin(), declared.end(),
                                       [&](const auto& each) { return each.name == name; });
        if (!known) unknown += (unknown.empty() ? "" : ", ") + printable(name, 80);
    }
    for (const auto& parameter : declared) {
        const auto value = given.find(parameter.name);
        if (value == given.end()) {
            if (parameter.optional) continue;
            return refuse("parameter " + parameter.name +
                          " is not optional, yet has neither default value nor user provided value");
        }
        if (const auto wrong = wrong_kind(parameter, *value); !wrong.empty()) return refuse(wrong);
        if (const auto wrong = wrong_literal(parameter, *value); !wrong.empty()) return refuse(wrong);
    }
    if (!unknown.empty()) return refuse("parameter(s) provided are not required by pipeline: " + unknown);
    return Nothing{};
}

} // namespace weir::facade
