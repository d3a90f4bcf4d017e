#include "operators.hpp"

#include <cmath>

#include "number.hpp"

namespace weir::cel {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;

/// Overflow is an error in CEL, for int as for uint.
template <class Operation>
Fault checked(const Value& a, const Value& b, Value& out, Operation operation) {
    if (a.kind() == Kind::Int) {
        std::int64_t result = 0;
        if (operation(a.as_int(), b.as_int(), &result)) return Fault::Overflow;
        out = Value::integer(result);
    } else {
        std::uint64_t result = 0;
        if (operation(a.as_uint(), b.as_uint(), &result)) return Fault::Overflow;
        out = Value::unsigned_integer(result);
    }
    return Fault::None;
}

bool same_whole(const Value& a, const Value& b) {
    return a.kind() == b.kind() && (a.kind() == Kind::Int || a.kind() == Kind::Uint);
}
bool both(Kind kind, const Value& a, const Value& b) {
    return a.kind() == kind && b.kind() == kind;
}

/// A timestamp moved by nanoseconds.
Fault shift(const Value& timestamp, std::int64_t ns, bool back, Value& out) {
    auto seconds = ns / ns_per_s;
    auto rest = ns % ns_per_s;
    if (back) {
        seconds = -seconds;
        rest = -rest;
    }
    seconds += timestamp.timestamp_seconds();
    rest += timestamp.timestamp_nanoseconds();
    if (rest < 0) {
        rest += ns_per_s;
        --seconds;
    } else if (rest >= ns_per_s) {
        rest -= ns_per_s;
        ++seconds;
    }
    if (seconds < timestamp_seconds_min || seconds > timestamp_seconds_max) return Fault::TimeRange;
    out = Value::timestamp(seconds, static_cast<std::uint32_t>(rest));
    return Fault::None;
}

Fault between(const Value& later, const Value& earlier, Value& out) {
    std::int64_t ns = 0;
    const auto seconds = later.timestamp_seconds() - earlier.timestamp_seconds();
    const auto rest =
        std::int64_t{later.timestamp_nanoseconds()} - std::int64_t{earlier.timestamp_nanoseconds()};
    if (__builtin_mul_overflow(seconds, ns_per_s, &ns) || __builtin_add_overflow(ns, rest, &ns))
        return Fault::TimeRange;
    out = Value::duration(Duration(ns));
    return Fault::None;
}

Fault add_durations(const Value& a, const Value& b, bool minus, Value& out) {
    std::int64_t ns = 0;
    const auto x = a.as_duration().count(), y = b.as_duration().count();
    if (minus ? __builtin_sub_overflow(x, y, &ns) : __builtin_add_overflow(x, y, &ns)) return Fault::Overflow;
    out = Value::duration(Duration(ns));
    return Fault::None;
}

std::string joined(const Value& a, const Value& b) {
    std::string text;
    text.reserve(a.as_string().size() + b.as_string().size());
    return text.append(a.as_string()).append(b.as_string());
}

} // namespace

Fault add(const Value& a, const Value& b, Value& out) {
    if (same_whole(a, b))
        return checked(a, b, out, [](auto x, auto y, auto* r) { return __builtin_add_overflow(x, y, r); });
    if (a.kind() == Kind::Timestamp && b.kind() == Kind::Duration)
        return shift(a, b.as_duration().count(), false, out);
    if (a.kind() == Kind::Duration && b.kind() == Kind::Timestamp)
        return shift(b, a.as_duration().count(), false, out);
    if (a.kind() != b.kind()) return Fault::NoOverload;
    switch (a.kind()) {
        case Kind::Double: out = Value::real(a.as_double() + b.as_double()); return Fault::None;
        case Kind::String: out = Value::string(joined(a, b)); return Fault::None;
        case Kind::Bytes: out = Value::bytes(joined(a, b)); return Fault::None;
        case Kind::Duration: return add_durations(a, b, false, out);
        case Kind::List: {
            const auto x = a.as_list(), y = b.as_list();
            std::vector<Value> items;
            items.reserve(x.size() + y.size());
            items.insert(items.end(), x.begin(), x.end());
            items.insert(items.end(), y.begin(), y.end());
            out = Value::list(std::move(items));
            return Fault::None;
        }
        default: return Fault::NoOverload;
    }
}

Fault subtract(const Value& a, const Value& b, Value& out) {
    if (same_whole(a, b))
        return checked(a, b, out, [](auto x, auto y, auto* r) { return __builtin_sub_overflow(x, y, r); });
    if (a.kind() == Kind::Timestamp && b.kind() == Kind::Duration)
        return shift(a, b.as_duration().count(), true, out);
    if (both(Kind::Timestamp, a, b)) return between(a, b, out);
    if (both(Kind::Duration, a, b)) return add_durations(a, b, true, out);
    if (!both(Kind::Double, a, b)) return Fault::NoOverload;
    out = Value::real(a.as_double() - b.as_double());
    return Fault::None;
}

Fault multiply(const Value& a, const Value& b, Value& out) {
    if (same_whole(a, b))
        return checked(a, b, out, [](auto x, auto y, auto* r) { return __builtin_mul_overflow(x, y, r); });
    if (!both(Kind::Double, a, b)) return Fault::NoOverload;
    out = Value::real(a.as_double() * b.as_double());
    return Fault::None;
}

Fault divide(const Value& a, const Value& b, Value& out) {
    if (both(Kind::Double, a, b)) {
        out = Value::real(a.as_double() / b.as_double()); // IEEE 754: by zero it is an infinity or NaN
        return Fault::None;
    }
    if (!same_whole(a, b)) return Fault::NoOverload;
    if (a.kind() == Kind::Uint) {
        if (b.as_uint() == 0) return Fault::DivisionByZero;
        out = Value::unsigned_integer(a.as_uint() / b.as_uint());
        return Fault::None;
    }
    if (b.as_int() == 0) return Fault::DivisionByZero;
    if (a.as_int() == INT64_MIN && b.as_int() == -1) return Fault::Overflow;
    out = Value::integer(a.as_int() / b.as_int());
    return Fault::None;
}

Fault modulo(const Value& a, const Value& b, Value& out) {
    if (!same_whole(a, b)) return Fault::NoOverload;
    if (a.kind() == Kind::Uint) {
        if (b.as_uint() == 0) return Fault::ModulusByZero;
        out = Value::unsigned_integer(a.as_uint() % b.as_uint());
        return Fault::None;
    }
    if (b.as_int() == 0) return Fault::ModulusByZero;
    if (a.as_int() == INT64_MIN && b.as_int() == -1) return Fault::Overflow;
    out = Value::integer(a.as_int() % b.as_int());
    return Fault::None;
}

Fault negate(const Value& a, Value& out) {
    switch (a.kind()) {
        case Kind::Int:
            if (a.as_int() == INT64_MIN) return Fault::Overflow;
            out = Value::integer(-a.as_int());
            return Fault::None;
        case Kind::Double: out = Value::real(-a.as_double()); return Fault::None;
        case Kind::Duration:
            if (a.as_duration().count() == INT64_MIN) return Fault::Overflow;
            out = Value::duration(-a.as_duration());
            return Fault::None;
        default: return Fault::NoOverload;
    }
}

Fault element(const Value& list, const Value& index, const Value*& found) {
    std::int64_t at = -1;
    switch (index.kind()) {
        case Kind::Int: at = index.as_int(); break;
        case Kind::Uint:
            if (index.as_uint() <= static_cast<std::uint64_t>(INT64_MAX))
                at = static_cast<std::int64_t>(index.as_uint());
            break;
        case Kind::Double:
            if (!to_int_exact(index.as_double(), at)) return Fault::KeyType;
            break;
        default: return Fault::NoOverload;
    }
    const auto items = list.as_list();
    if (at < 0 || static_cast<std::uint64_t>(at) >= items.size()) return Fault::IndexRange;
    found = &items[static_cast<std::size_t>(at)];
    return Fault::None;
}

} // namespace weir::cel
