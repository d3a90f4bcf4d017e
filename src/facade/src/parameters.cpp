#include "parameters.hpp"

#include <algorithm>
#include <array>
#include <ctime>

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

/// Elements of Go's layouts, longest first where one begins another, and what strftime has for them.
constexpr std::array<std::pair<std::string_view, const char*>, 14> layout_words{{{"January", "%B"},
                                                                                 {"Jan", "%b"},
                                                                                 {"Monday", "%A"},
                                                                                 {"Mon", "%a"},
                                                                                 {"MST", "UTC"},
                                                                                 {"2006", "%Y"},
                                                                                 {"Z07:00", "Z"},
                                                                                 {"01", "%m"},
                                                                                 {"02", "%d"},
                                                                                 {"03", "%I"},
                                                                                 {"04", "%M"},
                                                                                 {"05", "%S"},
                                                                                 {"06", "%y"},
                                                                                 {"15", "%H"}}};

std::string in_layout(std::string_view layout, Instant now) {
    const auto seconds =
        static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::string out;
    while (!layout.empty()) {
        const auto word = std::find_if(layout_words.begin(), layout_words.end(),
                                       [&](const auto& each) { return layout.starts_with(each.first); });
        if (word == layout_words.end()) {
            out += layout[0];
            layout.remove_prefix(1);
            continue;
        }
        std::array<char, 64> text{};
        out.append(text.data(), std::strftime(text.data(), text.size(), word->second, &parts));
        layout.remove_prefix(word->first.size());
    }
    return out;
}

/// What a name in double brackets stands for; empty: nothing.
std::string meaning_of(std::string_view macro, const std::string& run_id, Instant now) {
    constexpr std::string_view time = "CurrentTime";
    if (macro == "RunUUID") return run_id;
    if (macro == time) return in_layout("20060102150405", now);
    if (macro.starts_with(time) && macro.size() > time.size() + 1 && macro[time.size()] == '.')
        return in_layout(macro.substr(time.size() + 1), now);
    return "";
}

std::string filled_in(std::string_view text, const std::string& run_id, Instant now) {
    std::string out;
    for (;;) {
        const auto open = text.find("[[");
        const auto close = open == std::string_view::npos ? open : text.find("]]", open);
        if (close == std::string_view::npos) return out += text;
        const auto value = meaning_of(text.substr(open + 2, close - open - 2), run_id, now);
        out += text.substr(0, open);
        if (value.empty()) {
            out += '[';
            text.remove_prefix(open + 1);
        } else {
            out += value;
            text.remove_prefix(close + 2);
        }
    }
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

Json fill_in_macros(const Json& parameters, const std::string& run_id, Instant now) {
    Json out = parameters;
    for (auto& value : out)
        if (value.is_string()) value = filled_in(value.get_ref<const std::string&>(), run_id, now);
    return out;
}

} // namespace weir::facade
