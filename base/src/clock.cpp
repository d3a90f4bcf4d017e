#include <weir/base/clock.hpp>

#include <array>
#include <cstdio>

namespace weir {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::sys_days;

bool digits(std::string_view text, std::size_t at, std::size_t count, int& out) {
    if (at + count > text.size()) return false;
    out = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        out = out * 10 + (text[i] - '0');
    }
    return true;
}

struct Unit {
    std::string_view name;
    std::int64_t ns;
};
// Longest first, so that "ms" is not read as "m" and a stray "s".
constexpr std::array<Unit, 7> units{{{"d", 86'400'000'000'000},
                                     {"h", 3'600'000'000'000},
                                     {"m", 60'000'000'000},
                                     {"s", 1'000'000'000},
                                     {"ms", 1'000'000},
                                     {"us", 1'000},
                                     {"ns", 1}}};

} // namespace

std::string format_rfc3339(Instant t) {
    const auto day = floor<days>(t);
    const std::chrono::year_month_day date{day};
    auto rest = (t - day).count();
    const auto fraction = rest % 1'000'000'000;
    rest /= 1'000'000'000;
    char buffer[64];
    int n = std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d",
                          static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                          static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                          static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
    std::string text(buffer, static_cast<std::size_t>(n));
    if (fraction != 0) {
        n = std::snprintf(buffer, sizeof buffer, ".%09lld", static_cast<long long>(fraction));
        std::string_view tail(buffer, static_cast<std::size_t>(n));
        tail = tail.substr(0, tail.find_last_not_of('0') + 1);
        text += tail;
    }
    text += 'Z';
    return text;
}

Result<Instant> parse_rfc3339(std::string_view text) {
    const auto bad = [&] {
        return invalid("not an RFC 3339 time: \"" + std::string(text.substr(0, 64)) +
                       "\"; expected the form 2026-03-01T06:30:00Z");
    };
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (text.size() < 20 || !digits(text, 0, 4, year) || text[4] != '-' || !digits(text, 5, 2, month) ||
        text[7] != '-' || !digits(text, 8, 2, day) || (text[10] != 'T' && text[10] != 't') ||
        !digits(text, 11, 2, hour) || text[13] != ':' || !digits(text, 14, 2, minute) || text[16] != ':' ||
        !digits(text, 17, 2, second))
        return bad();
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
    std::size_t at = 19;
    std::int64_t fraction = 0;
    if (text[at] == '.') {
        std::int64_t scale = 100'000'000;
        const std::size_t first = ++at;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
            fraction += (text[at] - '0') * scale;
            scale /= 10;
            ++at;
        }
        if (at == first) return bad();
    }
    if (at >= text.size()) return bad();
    std::int64_t offset = 0;
    if (text[at] == 'Z' || text[at] == 'z') {
        ++at;
    } else if (text[at] == '+' || text[at] == '-') {
        int oh = 0, om = 0;
        if (!digits(text, at + 1, 2, oh) || at + 3 >= text.size() || text[at + 3] != ':' ||
            !digits(text, at + 4, 2, om) || oh > 23 || om > 59)
            return bad();
        offset = (oh * 3600 + om * 60) * (text[at] == '-' ? -1 : 1);
        at += 6;
    } else {
        return bad();
    }
    if (at != text.size()) return bad();
    // int64 nanoseconds reach from 1678 to 2262; outside of it a stored time would wrap.
    if (year < 1678 || year > 2261) return bad();
    const auto midnight = std::chrono::sys_days(date).time_since_epoch();
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(midnight).count() +
                                 hour * 3600 + minute * 60 + second - offset;
    return from_ns(seconds * 1'000'000'000 + fraction);
}

Result<Duration> parse_duration(std::string_view text) {
    const auto bad = [&] {
        return invalid("not a duration: \"" + std::string(text.substr(0, 64)) +
                       "\"; expected whole numbers with units, as 90s, 1h30m, 250ms or 7d");
    };
    if (text.empty()) return bad();
    std::int64_t total = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t first = at;
        std::int64_t number = 0;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
            if (__builtin_mul_overflow(number, std::int64_t{10}, &number) ||
                __builtin_add_overflow(number, std::int64_t{text[at] - '0'}, &number))
                return bad();
            ++at;
        }
        const std::size_t unit_at = at;
        while (at < text.size() && text[at] >= 'a' && text[at] <= 'z')
            ++at;
        const auto name = text.substr(unit_at, at - unit_at);
        const Unit* found = nullptr;
        for (const auto& unit : units)
            if (unit.name == name) found = &unit;
        if (unit_at == first || found == nullptr || __builtin_mul_overflow(number, found->ns, &number) ||
            __builtin_add_overflow(total, number, &total))
            return bad();
    }
    return Duration(total);
}

std::string format_duration(Duration d) {
    auto rest = d.count();
    if (rest == 0) return "0s";
    std::string text = rest < 0 ? "-" : "";
    auto magnitude = rest < 0 ? -static_cast<std::uint64_t>(rest) : static_cast<std::uint64_t>(rest);
    for (const auto& unit : units) {
        const auto size = static_cast<std::uint64_t>(unit.ns);
        if (magnitude < size) continue;
        text += std::to_string(magnitude / size);
        text += unit.name;
        magnitude %= size;
    }
    return text;
}

Instant SystemClock::now() const {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}
SteadyInstant SystemClock::steady_now() const {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

Instant ManualClock::now() const {
    return state_.with([](const State& s) { return s.wall; });
}
SteadyInstant ManualClock::steady_now() const {
    return state_.with([](const State& s) { return s.steady; });
}
void ManualClock::advance(Duration d) {
    expects(d >= Duration::zero(), "a manual clock is only advanced forwards");
    state_.with([d](State& s) {
        s.wall += d;
        s.steady += d;
    });
}
void ManualClock::jump_wall(Instant to) {
    state_.with([to](State& s) { s.wall = to; });
}

} // namespace weir
