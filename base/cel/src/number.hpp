#pragma once

#include <cmath>
#include <compare>
#include <cstdint>
#include <string>

#include <weir/cel/value.hpp>

namespace weir::cel {

inline bool is_number(Kind kind) noexcept {
    return kind == Kind::Int || kind == Kind::Uint || kind == Kind::Double;
}

/// The int a double is, if it is whole and fits.
inline bool to_int_exact(double d, std::int64_t& out) noexcept {
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0) || d != std::trunc(d)) return false;
    out = static_cast<std::int64_t>(d);
    return true;
}
inline bool to_uint_exact(double d, std::uint64_t& out) noexcept {
    if (!(d >= 0.0 && d < 18446744073709551616.0) || d != std::trunc(d)) return false;
    out = static_cast<std::uint64_t>(d);
    return true;
}

/// The order of two numbers of any kinds. An integer meets a double as a double (it may round).
inline std::partial_ordering compare_numbers(const Value& a, const Value& b) noexcept {
    const auto real = [](const Value& v) {
        if (v.kind() == Kind::Double) return v.as_double();
        if (v.kind() == Kind::Int) return static_cast<double>(v.as_int());
        return static_cast<double>(v.as_uint());
    };
    if (a.kind() == Kind::Double || b.kind() == Kind::Double) return real(a) <=> real(b);
    if (a.kind() == b.kind())
        return a.kind() == Kind::Int ? a.as_int() <=> b.as_int() : a.as_uint() <=> b.as_uint();
    if (a.kind() == Kind::Int) {
        if (a.as_int() < 0) return std::partial_ordering::less;
        return static_cast<std::uint64_t>(a.as_int()) <=> b.as_uint();
    }
    if (b.as_int() < 0) return std::partial_ordering::greater;
    return a.as_uint() <=> static_cast<std::uint64_t>(b.as_int());
}

/// Shortest digits that read back, positional up to 1e21: the form of JSON and JavaScript.
std::string shortest(double d);
/// Shortest digits in the form of CEL's string(): "1.5", "3", "1e+06", "+Inf".
std::string display(double d);

/// RFC 3339 for the years 1 to 9999, with as many fraction digits as needed.
std::string format_timestamp(std::int64_t seconds, std::uint32_t nanoseconds);
/// Seconds with as many fraction digits as needed: "1.5s", "-0.25s".
std::string format_seconds(Duration d);

std::string base64(std::string_view bytes);

} // namespace weir::cel
