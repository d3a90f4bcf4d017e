#include "json.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <vector>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

namespace weir::facade {
namespace {

constexpr std::size_t depth_max = 64;
constexpr double whole_max = 9007199254740992.0; // 2^53: beyond it a double has gaps

/// The shortest digits that give the double, with zeros up to the point: what Go writes.
Json big_whole(double number) {
    std::array<char, 64> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), std::abs(number),
                                   std::chars_format::scientific)
                         .ptr;
    const std::string text(digits.data(), end);
    const auto exponent_at = text.find('e');
    const int exponent = std::stoi(text.substr(exponent_at + 1));
    std::string whole = text.substr(0, 1);
    if (exponent_at > 1) whole += text.substr(2, exponent_at - 2);
    if (static_cast<int>(whole.size()) > exponent + 1 || exponent > 19) return number;
    whole.append(static_cast<std::size_t>(exponent) + 1 - whole.size(), '0');
    std::uint64_t value = 0;
    const auto read = std::from_chars(whole.data(), whole.data() + whole.size(), value);
    if (read.ec != std::errc()) return number;
    if (number > 0) return value;
    if (value > std::uint64_t{1} << 63) return number;
    return -static_cast<std::int64_t>(value);
}

Json as_double(double number) {
    if (number == 0 && std::signbit(number)) return number;
    if (number != std::floor(number)) return number;
    if (std::abs(number) <= whole_max) return static_cast<std::int64_t>(number);
    return big_whole(number);
}

} // namespace

Outcome<Json> parse_json(std::string_view text, std::size_t bytes_max) {
    if (const auto valid = validate_json(text, {bytes_max, depth_max}); !valid.ok())
        return gateway_fault(Code::Invalid, "proto: syntax error: " + valid.error().message);
    std::vector<std::set<std::string>> names;
    std::string twice;
    const auto look = [&](int, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start) names.emplace_back();
        if (event == Json::parse_event_t::object_end) names.pop_back();
        if (event == Json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
            twice = parsed.get<std::string>();
        return true;
    };
    auto value = Json::parse(text, look, false);
    if (value.is_discarded()) return gateway_fault(Code::Invalid, "proto: syntax error");
    if (!twice.empty())
        return gateway_fault(Code::Invalid, "proto: duplicate map key \"" + printable(twice, 80) + "\"");
    return value;
}

Json stored_json(const std::string& text) {
    auto value = Json::parse(text, nullptr, false);
    return value.is_discarded() ? Json() : value;
}

Json json_of(const Node& node) {
    switch (node.kind) {
        case Node::Kind::Null: break;
        case Node::Kind::Bool: return node.bool_value;
        case Node::Kind::Int: return node.int_value;
        case Node::Kind::Double: return node.double_value;
        case Node::Kind::String: return node.text;
        case Node::Kind::List: {
            auto list = Json::array();
            for (const auto& item : node.items)
                list.push_back(json_of(item));
            return list;
        }
        case Node::Kind::Map: {
            auto map = Json::object();
            for (const auto& [key, value] : node.members)
                map[key.text] = json_of(value);
            return map;
        }
    }
    return nullptr;
}

Json as_struct(const Json& value) {
    if (value.is_number()) return as_double(value.get<double>());
    if (!value.is_structured()) return value;
    Json out = value;
    for (auto& item : out)
        item = as_struct(item);
    return out;
}

std::string time_text(Instant time) {
    return format_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
}

std::string precise_time_text(Instant time) {
    return format_rfc3339(std::chrono::floor<std::chrono::microseconds>(time));
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace weir::facade
