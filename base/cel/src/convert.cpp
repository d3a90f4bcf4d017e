#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <weir/base/text.hpp>

#include "lexer.hpp"
#include "number.hpp"
#include "operators.hpp"

namespace weir::cel {
namespace {

template <class Integer>
bool read_whole(std::string_view text, Integer& out) {
    if (std::is_signed_v<Integer> && text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return false;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

Fault to_int(const Value& from, Value& out) {
    switch (from.kind()) {
        case Kind::Int: out = from; return Fault::None;
        case Kind::Uint:
            if (from.as_uint() > static_cast<std::uint64_t>(INT64_MAX)) return Fault::Overflow;
            out = Value::integer(static_cast<std::int64_t>(from.as_uint()));
            return Fault::None;
        case Kind::Double: {
            const double d = from.as_double();
            // Both ends are refused: what lies there may have been rounded into range.
            if (!(d > -9223372036854775808.0 && d < 9223372036854775808.0)) return Fault::Overflow;
            out = Value::integer(static_cast<std::int64_t>(d));
            return Fault::None;
        }
        case Kind::String: {
            std::int64_t value = 0;
            if (!read_whole(from.as_string(), value)) return Fault::Conversion;
            out = Value::integer(value);
            return Fault::None;
        }
        case Kind::Timestamp: out = Value::integer(from.timestamp_seconds()); return Fault::None;
        case Kind::Duration: out = Value::integer(from.as_duration().count()); return Fault::None;
        default: return Fault::NoOverload;
    }
}

Fault to_uint(const Value& from, Value& out) {
    switch (from.kind()) {
        case Kind::Uint: out = from; return Fault::None;
        case Kind::Int:
            if (from.as_int() < 0) return Fault::Overflow;
            out = Value::unsigned_integer(static_cast<std::uint64_t>(from.as_int()));
            return Fault::None;
        case Kind::Double: {
            const double d = from.as_double();
            if (!(d >= 0 && d < 18446744073709551616.0)) return Fault::Overflow;
            out = Value::unsigned_integer(static_cast<std::uint64_t>(d));
            return Fault::None;
        }
        case Kind::String: {
            std::uint64_t value = 0;
            if (!read_whole(from.as_string(), value)) return Fault::Conversion;
            out = Value::unsigned_integer(value);
            return Fault::None;
        }
        default: return Fault::NoOverload;
    }
}

Fault to_double(const Value& from, Value& out) {
    switch (from.kind()) {
        case Kind::Double: out = from; return Fault::None;
        case Kind::Int: out = Value::real(static_cast<double>(from.as_int())); return Fault::None;
        case Kind::Uint: out = Value::real(static_cast<double>(from.as_uint())); return Fault::None;
        case Kind::String: {
            const auto value = read_double(from.as_string());
            if (!value) return Fault::Conversion;
            out = Value::real(*value);
            return Fault::None;
        }
        default: return Fault::NoOverload;
    }
}

Fault to_bool(const Value& from, Value& out) {
    static constexpr std::array<std::string_view, 6> yes{"true", "True", "TRUE", "t", "T", "1"};
    static constexpr std::array<std::string_view, 6> no{"false", "False", "FALSE", "f", "F", "0"};
    if (from.kind() == Kind::Bool) {
        out = from;
        return Fault::None;
    }
    if (from.kind() != Kind::String) return Fault::NoOverload;
    const auto among = [&from](const auto& words) {
        return std::find(words.begin(), words.end(), from.as_string()) != words.end();
    };
    const bool truth = among(yes);
    if (!truth && !among(no)) return Fault::Conversion;
    out = Value::boolean(truth);
    return Fault::None;
}

Fault to_text(const Value& from, Value& out) {
    switch (from.kind()) {
        case Kind::String: out = from; return Fault::None;
        case Kind::Bool: out = Value::borrowed(from.as_bool() ? "true" : "false"); return Fault::None;
        case Kind::Int: out = Value::string(std::to_string(from.as_int())); return Fault::None;
        case Kind::Uint: out = Value::string(std::to_string(from.as_uint())); return Fault::None;
        case Kind::Double: out = Value::string(display(from.as_double())); return Fault::None;
        case Kind::Bytes:
            if (!valid_utf8(from.as_string())) return Fault::Conversion;
            out = Value::string(from.as_string());
            return Fault::None;
        case Kind::Timestamp:
            out = Value::string(format_timestamp(from.timestamp_seconds(), from.timestamp_nanoseconds()));
            return Fault::None;
        case Kind::Duration: out = Value::string(format_seconds(from.as_duration())); return Fault::None;
        default: return Fault::NoOverload;
    }
}

Fault to_timestamp(const Value& from, Value& out) {
    switch (from.kind()) {
        case Kind::Timestamp: out = from; return Fault::None;
        case Kind::String: return read_timestamp(from.as_string(), out);
        case Kind::Int:
            if (from.as_int() < timestamp_seconds_min || from.as_int() > timestamp_seconds_max)
                return Fault::TimeRange;
            out = Value::timestamp(from.as_int(), 0);
            return Fault::None;
        default: return Fault::NoOverload;
    }
}

Fault to_duration(const Value& from, Value& out) {
    switch (from.kind()) {
        case Kind::Duration: out = from; return Fault::None;
        case Kind::String: return read_duration(from.as_string(), out);
        case Kind::Int: out = Value::duration(Duration(from.as_int())); return Fault::None;
        default: return Fault::NoOverload;
    }
}

} // namespace

std::int64_t characters(std::string_view text) noexcept {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

Fault convert(Function to, const Value& from, Value& out) {
    switch (to) {
        case Function::Int: return to_int(from, out);
        case Function::Uint: return to_uint(from, out);
        case Function::Double: return to_double(from, out);
        case Function::Bool: return to_bool(from, out);
        case Function::String: return to_text(from, out);
        case Function::Timestamp: return to_timestamp(from, out);
        case Function::Duration: return to_duration(from, out);
        case Function::Type: out = Value::type(from.kind()); return Fault::None;
        case Function::Dyn: out = from; return Fault::None;
        case Function::Bytes:
            if (from.kind() != Kind::String && from.kind() != Kind::Bytes) return Fault::NoOverload;
            out = from.kind() == Kind::Bytes ? from : Value::bytes(from.as_string());
            return Fault::None;
        default: return Fault::NoOverload;
    }
}

} // namespace weir::cel
