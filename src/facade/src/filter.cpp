#include "filter.hpp"

#include <algorithm>
#include <chrono>

#include <weir/base/text.hpp>

#include "messages.hpp"

namespace weir::facade {
namespace {

constexpr std::size_t filter_bytes_max = 1024 * 1024;
constexpr std::size_t predicates_max = 100;

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::int64_t whole_seconds(std::int64_t ns) {
    return std::chrono::floor<std::chrono::seconds>(from_ns(ns)).time_since_epoch().count();
}

Outcome<std::size_t> find_key(const ListSchema& schema, const std::string& name) {
    for (std::size_t i = 0; i < schema.keys.size(); ++i)
        if (schema.keys[i].name == name) return i;
    return invalid_fault("no support for filtering on unrecognized field \"" + printable(name, 80) + "\"");
}

Fault bad_value(const std::string& operation, std::string_view kind) {
    return invalid_fault("cannot use " + operation + " with " + std::string(kind));
}

Outcome<Predicate> read_predicate(const ListSchema& schema, const Json& given) {
    Predicate predicate;
    predicate.operation = text_of(given, "operation");
    WEIR_ASSIGN(key, find_key(schema, text_of(given, "key")));
    predicate.key = key;
    const bool in = predicate.operation == "IN";
    if (predicate.operation.empty()) return invalid_fault("a predicate of the filter has no operation");
    if (given.contains("string_values")) {
        if (!in) return bad_value(predicate.operation, "a list");
        predicate.texts = given["string_values"].value("values", std::vector<std::string>{});
        return predicate;
    }
    for (const auto* name : {"int_values", "long_values"}) {
        if (!given.contains(name)) continue;
        if (!in) return bad_value(predicate.operation, "a list");
        predicate.numeric = true;
        predicate.seconds = given[name].value("values", std::vector<std::int64_t>{});
        return predicate;
    }
    if (in) return bad_value(predicate.operation, "a single value");
    if (given.contains("string_value")) {
        predicate.texts = {text_of(given, "string_value")};
        return predicate;
    }
    predicate.numeric = true;
    if (given.contains("timestamp_value")) {
        WEIR_ASSIGN(time, parse_rfc3339(text_of(given, "timestamp_value")));
        predicate.seconds = {whole_seconds(to_ns(time))};
    } else if (given.contains("int_value") || given.contains("long_value")) {
        predicate.seconds = {
            given[given.contains("int_value") ? "int_value" : "long_value"].get<std::int64_t>()};
    } else {
        return Fault(Code::Invalid, "UnknownApiVersionError: Error using Filter.Predicate.Value with <nil>",
                     "Error using Filter.Predicate.Value with <nil>");
    }
    if (predicate.operation == "IS_SUBSTRING")
        return bad_value(predicate.operation, "a value that is no text");
    return predicate;
}

bool ordered(std::string_view operation, int order) {
    if (operation == "EQUALS" || operation == "IN") return order == 0;
    if (operation == "NOT_EQUALS") return order != 0;
    if (operation == "GREATER_THAN") return order > 0;
    if (operation == "GREATER_THAN_EQUALS") return order >= 0;
    if (operation == "LESS_THAN") return order < 0;
    if (operation == "LESS_THAN_EQUALS") return order <= 0;
    return false;
}

} // namespace

int compare_texts(std::string_view a, std::string_view b) noexcept {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const auto left = static_cast<unsigned char>(lower(a[i]));
        const auto right = static_cast<unsigned char>(lower(b[i]));
        if (left != right) return left < right ? -1 : 1;
    }
    return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

bool like(std::string_view text, std::string_view pattern) noexcept {
    // The last `%` met, and how much of the text it has swallowed so far.
    std::size_t at = 0, in = 0, star = std::string_view::npos, swallowed = 0;
    while (at < text.size()) {
        if (in < pattern.size() && pattern[in] == '%') {
            star = in++;
            swallowed = at;
        } else if (in < pattern.size() && (pattern[in] == '_' || lower(pattern[in]) == lower(text[at]))) {
            ++in;
            ++at;
        } else if (star != std::string_view::npos) {
            in = star + 1;
            at = ++swallowed;
        } else {
            return false;
        }
    }
    while (in < pattern.size() && pattern[in] == '%')
        ++in;
    return in == pattern.size();
}

Outcome<std::vector<Predicate>> read_filter(const ListSchema& schema, const std::string& text) {
    const auto refuse = [&](const std::string& why) {
        return invalid_fault("failed to parse valid filter from \"" + printable(text, 400) + "\": " + why);
    };
    const auto decoded = query_unescape(text);
    if (!decoded) return refuse("invalid URL escape");
    auto json = parse_json(*decoded, filter_bytes_max);
    if (!json.ok()) return refuse(json.error().message);
    auto message = read_message(*json, filter_message());
    if (!message.ok()) return refuse(message.error().message);
    std::vector<Predicate> predicates;
    if (!message->contains("predicates")) return predicates;
    if ((*message)["predicates"].size() > predicates_max)
        return invalid_fault("a filter has at most " + std::to_string(predicates_max) + " predicates");
    for (const auto& given : (*message)["predicates"]) {
        WEIR_ASSIGN(predicate, read_predicate(schema, given));
        predicates.push_back(std::move(predicate));
    }
    return predicates;
}

bool meets(const Predicate& predicate, const Cell& cell) {
    if (const auto* ns = std::get_if<std::int64_t>(&cell)) {
        if (!predicate.numeric) return false;
        const auto here = whole_seconds(*ns);
        return std::any_of(predicate.seconds.begin(), predicate.seconds.end(), [&](std::int64_t there) {
            return ordered(predicate.operation, here == there ? 0 : here < there ? -1 : 1);
        });
    }
    if (predicate.numeric) return false;
    const auto text = std::get<std::string_view>(cell);
    if (predicate.operation == "IS_SUBSTRING") return like(text, "%" + predicate.texts[0] + "%");
    return std::any_of(predicate.texts.begin(), predicate.texts.end(), [&](const std::string& there) {
        return ordered(predicate.operation, compare_texts(text, there));
    });
}

} // namespace weir::facade
