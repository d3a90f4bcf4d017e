#include <array>
#include <functional>

#include <simdjson.h>

#include <weir/base/json.hpp>
#include <weir/cel/value.hpp>

#include "number.hpp"

namespace weir::cel {
namespace {

/// The names of members come again with every event, so the same few are kept and shared.
Value member_name(std::string_view name) {
    constexpr std::size_t names = 256, name_bytes_max = 32;
    if (name.size() > name_bytes_max) return Value::string(name);
    thread_local std::array<Value, names> kept;
    auto& known = kept[std::hash<std::string_view>{}(name) % names];
    if (!known.is_string() || known.as_string() != name) known = Value::string(name);
    return known;
}

/// Walks a parsed document. False if it lies deeper than the limit.
bool convert(simdjson::dom::element element, std::size_t depth_left, Value& out) {
    using simdjson::dom::element_type;
    switch (element.type()) {
        case element_type::ARRAY: {
            if (depth_left == 0) return false;
            const simdjson::dom::array array = element;
            std::vector<Value> items;
            items.reserve(array.size());
            for (const auto item : array)
                if (!convert(item, depth_left - 1, items.emplace_back())) return false;
            out = Value::list(std::move(items));
            return true;
        }
        case element_type::OBJECT: {
            if (depth_left == 0) return false;
            const simdjson::dom::object object = element;
            std::vector<Value::Entry> entries;
            entries.reserve(object.size());
            for (const auto field : object) {
                auto& entry = entries.emplace_back(member_name(field.key), Value());
                if (!convert(field.value, depth_left - 1, entry.second)) return false;
            }
            out = Value::map(std::move(entries));
            return true;
        }
        case element_type::INT64: out = Value::integer(element.get_int64().value_unsafe()); return true;
        case element_type::UINT64:
            out = Value::real(static_cast<double>(element.get_uint64().value_unsafe()));
            return true;
        case element_type::DOUBLE: {
            const double d = element.get_double().value_unsafe();
            std::int64_t whole = 0;
            out = to_int_exact(d, whole) ? Value::integer(whole) : Value::real(d);
            return true;
        }
        case element_type::STRING: out = Value::string(element.get_string().value_unsafe()); return true;
        case element_type::BOOL: out = Value::boolean(element.get_bool().value_unsafe()); return true;
        case element_type::NULL_VALUE: out = Value::null(); return true;
    }
    return false;
}

Status write(const Value& value, std::string& out) {
    switch (value.kind()) {
        case Kind::Null: out += "null"; return {};
        case Kind::Bool: out += value.as_bool() ? "true" : "false"; return {};
        case Kind::Int: out += std::to_string(value.as_int()); return {};
        case Kind::Uint: out += std::to_string(value.as_uint()); return {};
        case Kind::Double:
            if (!std::isfinite(value.as_double()))
                return invalid("JSON has no form for " + display(value.as_double()));
            out += shortest(value.as_double());
            return {};
        case Kind::String: append_json_string(out, value.as_string()); return {};
        case Kind::Bytes: out += '"' + base64(value.as_string()) + '"'; return {};
        case Kind::Timestamp:
            out += '"' + format_timestamp(value.timestamp_seconds(), value.timestamp_nanoseconds()) + '"';
            return {};
        case Kind::Duration: out += '"' + format_seconds(value.as_duration()) + '"'; return {};
        case Kind::Type: return invalid("JSON has no form for the type " + std::string(value.as_string()));
        case Kind::List: {
            out += '[';
            bool first = true;
            for (const auto& item : value.as_list()) {
                if (!std::exchange(first, false)) out += ',';
                WEIR_TRY(write(item, out));
            }
            out += ']';
            return {};
        }
        case Kind::Map: {
            out += '{';
            bool first = true;
            for (const auto& [key, member] : value.as_map()) {
                if (!key.is_string())
                    return invalid("JSON has no form for a map key of type " +
                                   std::string(type_name(key.kind())) + "; use strings as keys");
                if (!std::exchange(first, false)) out += ',';
                append_json_string(out, key.as_string());
                out += ':';
                WEIR_TRY(write(member, out));
            }
            out += '}';
            return {};
        }
    }
    return {};
}

} // namespace

Result<Value> from_json(std::string_view text) {
    const JsonLimits limits;
    if (text.size() <= limits.bytes_max) {
        thread_local simdjson::dom::parser parser;
        Value value;
        const auto read = [&](std::string_view from) {
            simdjson::dom::element root;
            return parser.parse(from.data(), from.size()).get(root) == simdjson::SUCCESS &&
                   convert(root, limits.depth_max, value);
        };
        if (read(text)) return value;
        if (const auto wide = with_wide_integers(text); !wide.empty() && read(wide)) return value;
    }
    // The slow way finds the words for what is wrong.
    WEIR_TRY(validate_json(text, limits));
    return internal("a JSON text that was found valid could not be read");
}

Result<std::string> to_json(const Value& value) {
    std::string out;
    WEIR_TRY(write(value, out));
    return out;
}

} // namespace weir::cel
