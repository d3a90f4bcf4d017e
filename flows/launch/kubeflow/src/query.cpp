#include "query.hpp"

#include <weir/base/ids.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

namespace weir::flows::kubeflow {

void Query::append(std::string_view name, std::string_view encoded) {
    text_ += text_.empty() ? '?' : '&';
    text_ += name;
    text_ += '=';
    text_ += encoded;
}

Query& Query::add(std::string_view name, std::string_view value) {
    if (!value.empty()) append(name, percent_encode(value));
    return *this;
}

Query& Query::filter(std::string_view json) {
    append("filter", percent_encode(percent_encode(json)));
    return *this;
}

Filter& Filter::add(std::string predicate) {
    if (!predicates_.empty()) predicates_ += ',';
    predicates_ += predicate;
    return *this;
}

Filter& Filter::equals(std::string_view key, std::string_view value) {
    return add("{\"operation\":\"EQUALS\",\"key\":" + json_string(key) +
               ",\"string_value\":" + json_string(value) + "}");
}

Filter& Filter::one_of(std::string_view key, const std::vector<std::string>& values) {
    std::string list;
    for (const std::string& value : values) {
        if (!list.empty()) list += ',';
        append_json_string(list, value);
    }
    return add("{\"operation\":\"IN\",\"key\":" + json_string(key) + ",\"string_values\":{\"values\":[" +
               list + "]}}");
}

Filter& Filter::not_before(std::string_view key, Instant time) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    return add("{\"operation\":\"GREATER_THAN_EQUALS\",\"key\":" + json_string(key) +
               ",\"timestamp_value\":" + json_string(format_rfc3339(seconds)) + "}");
}

std::string Filter::json() const {
    return "{\"predicates\":[" + predicates_ + "]}";
}

bool looks_like_id(std::string_view text) {
    return Uuid::parse(text).ok();
}

} // namespace weir::flows::kubeflow
