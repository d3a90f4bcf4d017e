#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include <date/tz.h>

#include "operators.hpp"

namespace weir::cel {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

__extension__ using Wide = __int128;

constexpr std::int64_t ns_per_s = 1'000'000'000;

/// Reads `count` digits and removes them.
bool take_digits(std::string_view& text, std::size_t count, int& out) {
    if (text.size() < count) return false;
    out = 0;
    for (const char c : text.substr(0, count)) {
        if (c < '0' || c > '9') return false;
        out = out * 10 + (c - '0');
    }
    text.remove_prefix(count);
    return true;
}

bool take(std::string_view& text, char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

/// ".25" as nanoseconds; digits beyond the ninth are dropped.
bool take_fraction(std::string_view& text, std::uint32_t& ns) {
    ns = 0;
    if (!take(text, '.')) return true;
    std::size_t count = 0;
    std::uint32_t scale = 100'000'000;
    for (; count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count) {
        ns += static_cast<std::uint32_t>(text[count] - '0') * scale;
        scale /= 10;
    }
    text.remove_prefix(count);
    return count > 0;
}

/// Seconds east of UTC of "Z", "+02:00", "-05:30".
bool take_offset(std::string_view& text, int& seconds) {
    seconds = 0;
    if (take(text, 'Z')) return true;
    const bool west = text.starts_with('-');
    if (!west && !text.starts_with('+')) return false;
    text.remove_prefix(1);
    int hours = 0, minutes = 0;
    if (!take_digits(text, 2, hours) || !take(text, ':') || !take_digits(text, 2, minutes)) return false;
    if (hours > 23 || minutes > 59) return false;
    seconds = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

/// Old names that some distributions leave to a package of their own (tzdata-legacy).
std::string_view modern_name(std::string_view zone) {
    static constexpr std::pair<std::string_view, std::string_view> names[] = {
        {"US/Alaska", "America/Anchorage"},
        {"US/Arizona", "America/Phoenix"},
        {"US/Central", "America/Chicago"},
        {"US/Eastern", "America/New_York"},
        {"US/Hawaii", "Pacific/Honolulu"},
        {"US/Michigan", "America/Detroit"},
        {"US/Mountain", "America/Denver"},
        {"US/Pacific", "America/Los_Angeles"},
        {"Asia/Calcutta", "Asia/Kolkata"},
        {"Asia/Katmandu", "Asia/Kathmandu"},
        {"Asia/Saigon", "Asia/Ho_Chi_Minh"},
        {"Europe/Kiev", "Europe/Kyiv"},
        {"GB", "Europe/London"},
        {"Japan", "Asia/Tokyo"},
    };
    for (const auto& [old_name, name] : names)
        if (old_name == zone) return name;
    return zone;
}

const date::time_zone* find_zone(std::string_view name) {
    try {
        return date::locate_zone(std::string(name));
    } catch (const std::exception&) {
        return nullptr;
    }
}

/// Seconds east of UTC at an instant: "02:00", "-05:30", or a name of the IANA time zone database.
std::optional<std::int64_t> zone_offset(std::string_view zone, std::int64_t at) {
    if (zone.empty() || zone == "UTC") return 0;
    if (zone.find(':') != std::string_view::npos) {
        const bool west = take(zone, '-');
        if (!west) take(zone, '+');
        int hours = 0, minutes = 0;
        if (!take_digits(zone, zone.find(':') == 1 ? 1 : 2, hours) || !take(zone, ':') ||
            !take_digits(zone, 2, minutes) || !zone.empty() || hours > 23 || minutes > 59)
            return std::nullopt;
        return std::int64_t{hours * 60 + minutes} * (west ? -60 : 60);
    }
    try {
        const auto* found = find_zone(zone);
        if (found == nullptr) found = find_zone(modern_name(zone));
        if (found == nullptr) return std::nullopt;
        return found->get_info(date::sys_seconds(std::chrono::seconds(at))).offset.count();
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

/// A quantity and a unit, "1.5h", added to `total` in nanoseconds.
bool take_amount(std::string_view& text, Wide& total) {
    Wide whole = 0, fraction = 0, scale = 1;
    std::size_t digits = 0;
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
        whole = whole * 10 + (text[0] - '0');
        if (whole > INT64_MAX) return false;
    }
    if (take(text, '.')) {
        for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
            if (scale > 100'000'000'000'000'000) continue;
            fraction = fraction * 10 + (text[0] - '0');
            scale *= 10;
        }
    }
    if (digits == 0) return false;
    struct Unit {
        std::string_view name;
        std::int64_t ns;
    };
    // Longer names first: "ms" is not "m". Both signs for micro are in use, U+00B5 and U+03BC.
    static constexpr Unit units[] = {
        {"ns", 1},         {"us", 1'000},   {"\u00b5s", 1'000},   {"\u03bcs", 1'000},
        {"ms", 1'000'000}, {"s", ns_per_s}, {"m", 60 * ns_per_s}, {"h", 3'600 * ns_per_s}};
    for (const auto& unit : units) {
        if (!text.starts_with(unit.name)) continue;
        text.remove_prefix(unit.name.size());
        total += whole * unit.ns + fraction * unit.ns / scale;
        return total <= static_cast<Wide>(INT64_MAX) + 1;
    }
    return false;
}

std::int64_t calendar_part(Function part, std::int64_t local_seconds, std::uint32_t ns) {
    const sys_seconds at{std::chrono::seconds(local_seconds)};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const auto second = (at - day).count();
    switch (part) {
        case Function::GetFullYear: return static_cast<int>(date.year());
        case Function::GetMonth: return static_cast<unsigned>(date.month()) - 1;
        case Function::GetDayOfYear: return (day - sys_days(date.year() / std::chrono::January / 1)).count();
        case Function::GetDayOfMonth: return static_cast<unsigned>(date.day()) - 1;
        case Function::GetDate: return static_cast<unsigned>(date.day());
        case Function::GetDayOfWeek: return std::chrono::weekday(day).c_encoding();
        case Function::GetHours: return second / 3600;
        case Function::GetMinutes: return second / 60 % 60;
        case Function::GetSeconds: return second % 60;
        default: return ns / 1'000'000;
    }
}

Fault duration_part(Function part, const Value& of, Value& out) {
    const auto ns = of.as_duration().count();
    switch (part) {
        case Function::GetHours: out = Value::integer(ns / (3'600 * ns_per_s)); return Fault::None;
        case Function::GetMinutes: out = Value::integer(ns / (60 * ns_per_s)); return Fault::None;
        case Function::GetSeconds: out = Value::integer(ns / ns_per_s); return Fault::None;
        case Function::GetMilliseconds: out = Value::integer(ns / 1'000'000); return Fault::None;
        default: return Fault::NoOverload;
    }
}

} // namespace

Fault read_timestamp(std::string_view text, Value& out) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offset = 0;
    std::uint32_t ns = 0;
    if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) || !take(text, '-') ||
        !take_digits(text, 2, day) || !take(text, 'T') || !take_digits(text, 2, hour) || !take(text, ':') ||
        !take_digits(text, 2, minute) || !take(text, ':') || !take_digits(text, 2, second) ||
        !take_fraction(text, ns) || !take_offset(text, offset) || !text.empty())
        return Fault::Conversion;
    const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return Fault::Conversion;
    const auto seconds = sys_days(date).time_since_epoch().count() * std::int64_t{86'400} + hour * 3'600 +
                         minute * 60 + second - offset;
    if (seconds < timestamp_seconds_min || seconds > timestamp_seconds_max) return Fault::TimeRange;
    out = Value::timestamp(seconds, ns);
    return Fault::None;
}

Fault read_duration(std::string_view text, Value& out) {
    const bool negative = take(text, '-');
    if (!negative) take(text, '+');
    if (text.empty()) return Fault::Conversion;
    Wide total = 0;
    if (text != "0")
        while (!text.empty())
            if (!take_amount(text, total)) return Fault::Conversion;
    if (negative) total = -total;
    if (total > INT64_MAX) return Fault::Overflow;
    out = Value::duration(Duration(static_cast<std::int64_t>(total)));
    return Fault::None;
}

Fault time_part(Function part, const Value& of, const Value* zone, Value& out) {
    if (of.kind() == Kind::Duration && zone == nullptr) return duration_part(part, of, out);
    if (of.kind() != Kind::Timestamp || (zone != nullptr && zone->kind() != Kind::String))
        return Fault::NoOverload;
    auto seconds = of.timestamp_seconds();
    if (zone != nullptr) {
        const auto offset = zone_offset(zone->as_string(), seconds);
        if (!offset) return Fault::Zone;
        seconds += *offset;
    }
    out = Value::integer(calendar_part(part, seconds, of.timestamp_nanoseconds()));
    return Fault::None;
}

} // namespace weir::cel
