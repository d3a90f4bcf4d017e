#pragma once

#include <string>
#include <string_view>

#include <weir/cel/value.hpp>

#include "ast.hpp"

namespace weir::cel {

/// Why an operation has no value. A fault is cheap; words are made of it only when somebody reads them.
enum class Fault : std::uint8_t {
    None,
    NoOverload, ///< the operator or function has no form for these types
    NoSuchKey,
    IndexRange,
    KeyType,
    DivisionByZero,
    ModulusByZero,
    Overflow,
    TimeRange,
    Conversion,
    Pattern,
    Zone,
    UnknownName,
    UnknownFunction,
    NotIterable,
    Json,
    Cost,
};

constexpr std::int64_t timestamp_seconds_min = -62'135'596'800; // 0001-01-01T00:00:00Z
constexpr std::int64_t timestamp_seconds_max = 253'402'300'799; // 9999-12-31T23:59:59Z

Fault add(const Value& a, const Value& b, Value& out);
Fault subtract(const Value& a, const Value& b, Value& out);
Fault multiply(const Value& a, const Value& b, Value& out);
Fault divide(const Value& a, const Value& b, Value& out);
Fault modulo(const Value& a, const Value& b, Value& out);
Fault negate(const Value& a, Value& out);
/// list[i]; `found` points into the list.
Fault element(const Value& list, const Value& index, const Value*& found);

/// int(x), timestamp(x) and their like.
Fault convert(Function to, const Value& from, Value& out);
/// x.getHours("Europe/Zurich") and its like, on timestamps and durations; `zone` may be nullptr.
Fault time_part(Function part, const Value& of, const Value* zone, Value& out);
/// Strict RFC 3339 (capital T and Z), years 1 to 9999.
Fault read_timestamp(std::string_view text, Value& out);
/// "1h30m", "-1.5s", "100ms": units h m s ms us ns, decimal fractions.
Fault read_duration(std::string_view text, Value& out);

/// Characters of a UTF-8 text.
std::int64_t characters(std::string_view text) noexcept;

} // namespace weir::cel
