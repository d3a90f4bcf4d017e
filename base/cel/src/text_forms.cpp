#include <array>
#include <charconv>
#include <cstdio>

#include "number.hpp"

namespace weir::cel {
namespace {

/// Digits and exponent of the shortest form: value = 0.d1d2d3... * 10^point.
struct Decimal {
    bool negative = false;
    std::string digits;
    int point = 0;
};

Decimal decimal(double d) {
    std::array<char, 40> buffer{};
    const auto end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), d, std::chars_format::scientific).ptr;
    std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    Decimal out;
    if (text.front() == '-') {
        out.negative = true;
        text.remove_prefix(1);
    }
    const auto e = text.find('e');
    for (const char c : text.substr(0, e))
        if (c != '.') out.digits += c;
    auto exponent = text.substr(e + 1);
    if (exponent.front() == '+') exponent.remove_prefix(1);
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), out.point);
    ++out.point;
    return out;
}

std::string positional(const Decimal& d) {
    std::string out = d.negative ? "-" : "";
    const auto size = static_cast<int>(d.digits.size());
    if (d.point <= 0) {
        out += "0.";
        out.append(static_cast<std::size_t>(-d.point), '0');
        return out + d.digits;
    }
    if (d.point >= size) {
        out += d.digits;
        out.append(static_cast<std::size_t>(d.point - size), '0');
        return out;
    }
    out.append(d.digits, 0, static_cast<std::size_t>(d.point));
    out += '.';
    return out.append(d.digits, static_cast<std::size_t>(d.point), std::string::npos);
}

std::string scientific(const Decimal& d, bool two_digits) {
    std::string out = d.negative ? "-" : "";
    out += d.digits.front();
    if (d.digits.size() > 1) out.append(".").append(d.digits, 1, std::string::npos);
    const int exponent = d.point - 1;
    out += exponent < 0 ? "e-" : "e+";
    const int magnitude = exponent < 0 ? -exponent : exponent;
    if (two_digits && magnitude < 10) out += '0';
    return out + std::to_string(magnitude);
}

/// The fraction of a second with its dot and without trailing zeros; nothing for zero.
std::string fraction(std::uint32_t nanoseconds) {
    if (nanoseconds == 0) return {};
    std::array<char, 16> buffer{};
    const int n = std::snprintf(buffer.data(), buffer.size(), ".%09u", nanoseconds);
    std::string_view text(buffer.data(), static_cast<std::size_t>(n));
    return std::string(text.substr(0, text.find_last_not_of('0') + 1));
}

} // namespace

std::string shortest(double d) {
    if (d == 0) return std::signbit(d) ? "-0" : "0";
    const auto parts = decimal(d);
    return parts.point > 21 || parts.point < -5 ? scientific(parts, false) : positional(parts);
}

std::string display(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Inf" : "+Inf";
    if (d == 0) return std::signbit(d) ? "-0" : "0";
    const auto parts = decimal(d);
    // Shortest digits, but an exponent from a million on: what C's %g does at its precision of six.
    const int exponent = parts.point - 1;
    return exponent < -4 || exponent >= 6 ? scientific(parts, true) : positional(parts);
}

std::string format_timestamp(std::int64_t seconds, std::uint32_t nanoseconds) {
    using namespace std::chrono;
    const sys_seconds at{std::chrono::seconds(seconds)};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const auto rest = static_cast<int>((at - day).count());
    std::array<char, 64> buffer{};
    const int n = std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                static_cast<unsigned>(date.day()), rest / 3600, rest / 60 % 60, rest % 60);
    return std::string(buffer.data(), static_cast<std::size_t>(n)) + fraction(nanoseconds) + "Z";
}

std::string format_seconds(Duration d) {
    const auto count = d.count();
    const auto magnitude = count < 0 ? -static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
    return (count < 0 ? "-" : "") + std::to_string(magnitude / 1'000'000'000) +
           fraction(static_cast<std::uint32_t>(magnitude % 1'000'000'000)) + "s";
}

std::string base64(std::string_view bytes) {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto left = bytes.size() - i;
        const auto at = [&](std::size_t k) -> std::uint32_t {
            return k < left ? static_cast<unsigned char>(bytes[i + k]) : 0;
        };
        const std::uint32_t group = at(0) << 16 | at(1) << 8 | at(2);
        out += alphabet[group >> 18];
        out += alphabet[group >> 12 & 63];
        out += left > 1 ? alphabet[group >> 6 & 63] : '=';
        out += left > 2 ? alphabet[group & 63] : '=';
    }
    return out;
}

} // namespace weir::cel
