#include <chrono>
#include <optional>
#include <set>
#include <string>

#include <date/tz.h>

#include <weir/triggers/cron.hpp>
#include <weir/triggers/reference.hpp>

namespace weir::triggers::reference {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

bool fits(const Cron& cron, std::int64_t local) {
    const std::chrono::sys_seconds at{seconds(local)};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const std::chrono::weekday weekday(day);
    const auto minute = std::chrono::floor<minutes>(at - day).count();
    return cron.month(static_cast<int>(static_cast<unsigned>(date.month()))) &&
           cron.day(static_cast<int>(static_cast<unsigned>(date.day())),
                    static_cast<int>(weekday.c_encoding())) &&
           cron.hour(static_cast<int>(minute / 60)) && cron.minute(static_cast<int>(minute % 60));
}

std::int64_t day_of(std::int64_t local) {
    return std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(seconds(local)))
        .time_since_epoch()
        .count();
}

} // namespace

// Walks minute by minute of real time, as a clock on a wall would: what it shows now, and what it showed a
// minute ago.
std::vector<Instant> slots(std::string_view cron_text, std::string_view zone_name, Instant after,
                           Instant until) {
    const auto cron = Cron::parse(cron_text);
    const auto* zone = date::locate_zone(std::string(zone_name));
    const auto wall = [&](std::int64_t at) {
        return at + zone->get_info(date::sys_seconds(seconds(at))).offset.count();
    };
    const bool real = cron->follows_real_time();

    // From two days before, so that the wall times shown already are known.
    const std::int64_t begin = to_ns(after) / 60'000'000'000 * 60 - 2 * 86'400;
    const std::int64_t end = to_ns(until) / 1'000'000'000;
    std::vector<Instant> found;
    std::set<std::int64_t> shown;
    std::int64_t before = wall(begin - 60);
    for (std::int64_t at = begin; at <= end; at += 60) {
        const auto now = wall(at);
        bool slot = fits(*cron, now) && (real || shown.count(now) == 0);
        // The wall jumped forward: what it left out counts now, but for dates that it left out whole.
        if (!real)
            for (auto missed = before + 60; missed < now; missed += 60)
                slot = slot || (shown.count(missed) == 0 && fits(*cron, missed) &&
                                (day_of(missed) == day_of(before) || day_of(missed) == day_of(now)));
        shown.insert(now);
        for (auto missed = before + 60; missed < now; missed += 60)
            shown.insert(missed);
        before = now;
        const auto instant = from_ns(at * 1'000'000'000);
        if (slot && instant > after && instant <= until) found.push_back(instant);
    }
    return found;
}

} // namespace weir::triggers::reference
