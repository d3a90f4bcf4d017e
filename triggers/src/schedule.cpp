#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include <date/tz.h>

#include <weir/base/text.hpp>
#include <weir/triggers/cron.hpp>

namespace weir::triggers {
namespace {

using std::chrono::seconds;
using Days = std::chrono::days;
/// Seconds since 1970 on the zone's wall clock.
using Local = std::int64_t;

constexpr std::int64_t day_seconds = 86'400;
constexpr std::int64_t search_seconds = 30 * 366 * day_seconds;
/// Instants are nanoseconds in 64 bits: 1678 to 2261 (see parse_rfc3339).
constexpr std::int64_t first_second = -9'214'560'000, last_second = 9'214'646'400;

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
    const auto rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

/// A stretch of real time with one offset, [begin, end).
struct Segment {
    std::int64_t begin;
    std::int64_t end;
    std::int64_t offset;
};

/// What the wall clock shows, by the date library. `zone` null: UTC, which needs no data.
class Zone {
  public:
    explicit Zone(const date::time_zone* zone) : zone_(zone) {
        // The library's tables end in 2037, and behind them it leaves out summer time without a word.
        constexpr std::int64_t year_2037 = 2'114'380'800, year_2038 = 2'145'916'800;
        const auto late = segment(year_2038 - 1);
        if (late.begin >= year_2037 || late.end <= year_2038) end_ = year_2038;
    }

    /// No slot is looked for from here on (seconds since 1970).
    [[nodiscard]] std::int64_t end() const { return end_; }

    [[nodiscard]] Segment segment(std::int64_t at) const {
        if (zone_ == nullptr) return {first_second, last_second, 0};
        const auto info = zone_->get_info(date::sys_seconds(seconds(at)));
        return {info.begin.time_since_epoch().count(), info.end.time_since_epoch().count(),
                info.offset.count()};
    }

    /// The instant of a fixed local time: in a gap its end, of two the first; nothing if the whole date is
    /// missing.
    [[nodiscard]] std::optional<std::int64_t> instant(Local local) const {
        if (zone_ == nullptr) return local;
        const auto info = zone_->get_info(date::local_seconds(seconds(local)));
        if (info.result != date::local_info::nonexistent) return local - info.first.offset.count();
        const auto moved = info.first.end.time_since_epoch().count();
        const auto midnight = floor_to(local, day_seconds);
        if (moved + info.first.offset.count() <= midnight &&
            moved + info.second.offset.count() >= midnight + day_seconds)
            return std::nullopt;
        return moved;
    }

  private:
    const date::time_zone* zone_;
    std::int64_t end_ = last_second;
};

/// The fields of a cron expression over local time, without any zone.
class Calendar {
  public:
    explicit Calendar(const Cron& cron) : cron_(cron) {}

    /// The first minute that fits, at or after `from` and before `end`.
    [[nodiscard]] std::optional<Local> next(Local from, Local end) const {
        Local at = floor_to(from + 59, 60);
        while (at < end) {
            const auto midnight = floor_to(at, day_seconds);
            const std::chrono::year_month_day date{std::chrono::sys_days(Days(midnight / day_seconds))};
            if (!cron_.month(month_of(date))) {
                const auto first =
                    std::chrono::sys_days(date.year() / date.month() / 1 + std::chrono::months(1));
                at = first.time_since_epoch().count() * day_seconds;
                continue;
            }
            if (fits(date))
                if (const auto minute = minute_from(static_cast<int>((at - midnight) / 60)); minute >= 0) {
                    const auto found = midnight + minute * 60;
                    return found < end ? std::optional(found) : std::nullopt;
                }
            at = midnight + day_seconds;
        }
        return std::nullopt;
    }

    /// The last minute that fits, before `before` and at or after `begin`.
    [[nodiscard]] std::optional<Local> previous(Local before, Local begin) const {
        Local at = floor_to(before - 1, 60);
        while (at >= begin) {
            const auto midnight = floor_to(at, day_seconds);
            const std::chrono::year_month_day date{std::chrono::sys_days(Days(midnight / day_seconds))};
            if (!cron_.month(month_of(date))) {
                const auto first = std::chrono::sys_days(date.year() / date.month() / 1);
                at = first.time_since_epoch().count() * day_seconds - 60;
                continue;
            }
            if (fits(date))
                if (const auto minute = minute_until(static_cast<int>((at - midnight) / 60)); minute >= 0) {
                    const auto found = midnight + minute * 60;
                    return found >= begin ? std::optional(found) : std::nullopt;
                }
            at = midnight - 60;
        }
        return std::nullopt;
    }

  private:
    static int month_of(const std::chrono::year_month_day& date) {
        return static_cast<int>(static_cast<unsigned>(date.month()));
    }
    [[nodiscard]] bool fits(const std::chrono::year_month_day& date) const {
        const std::chrono::weekday weekday{std::chrono::sys_days(date)};
        return cron_.day(static_cast<int>(static_cast<unsigned>(date.day())),
                         static_cast<int>(weekday.c_encoding()));
    }
    [[nodiscard]] int minute_from(int minute) const {
        for (int m = minute; m < 1440; ++m) {
            if (!cron_.hour(m / 60))
                m = m / 60 * 60 + 59;
            else if (cron_.minute(m % 60))
                return m;
        }
        return -1;
    }
    [[nodiscard]] int minute_until(int minute) const {
        for (int m = minute; m >= 0; --m) {
            if (!cron_.hour(m / 60))
                m = m / 60 * 60;
            else if (cron_.minute(m % 60))
                return m;
        }
        return -1;
    }

    const Cron& cron_;
};

constexpr const char* zone_table = "/usr/share/zoneinfo/tzdata.zi";

/// For hints in errors. Read from the table of zones: the library's own list changes its layout with the
/// options it was built with, so only its functions may be used, never its records.
std::vector<std::string> zone_names() {
    std::vector<std::string> names;
    std::ifstream file(zone_table);
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string kind, name, link;
        words >> kind >> name >> link;
        if (kind == "Z") names.push_back(name);
        if (kind == "L") names.push_back(link);
    }
    return names;
}

Result<const date::time_zone*> find_zone(std::string_view name) {
    if (name == "UTC" || name == "Etc/UTC") return static_cast<const date::time_zone*>(nullptr);
    const auto unknown = [&](std::string_view more) {
        return invalid("time zone \"" + printable(name, 60) + "\" is not known" + std::string(more) +
                       "; expected an IANA name as Europe/Zurich or UTC (time zone data " + tzdata_version() +
                       ")");
    };
    // These folders hold the same zones again, counted in leap seconds or spelled another way.
    if (name.empty() || name.starts_with("right/") || name.starts_with("posix/")) return unknown({});
    try {
        const auto* zone = date::locate_zone(std::string(name));
        static_cast<void>(zone->get_info(date::sys_seconds(seconds(0))));
        return zone;
    } catch (const std::exception&) {
        // Either the zone or the whole of the data is missing.
    }
    try {
        static_cast<void>(date::locate_zone("Etc/UTC"));
    } catch (const std::exception& error) {
        return unavailable("time zone data cannot be read: " + std::string(error.what()) +
                           "; install the package tzdata");
    }
    const auto names = zone_names();
    return unknown(did_you_mean(name, {names.begin(), names.end()}));
}

std::int64_t whole_seconds(Instant t) {
    return floor_to(to_ns(t), 1'000'000'000) / 1'000'000'000;
}

} // namespace

struct Schedule::Impl {
    Cron cron;
    Zone zone;
    std::string cron_text;
    std::string zone_name;

    Impl(Cron c, const date::time_zone* z, std::string_view text, std::string_view name)
        : cron(c), zone(z), cron_text(text), zone_name(name) {}

    /// Both searches look at whole seconds: slots stand on full minutes.
    [[nodiscard]] std::optional<std::int64_t> next_real(std::int64_t after) const {
        const Calendar calendar(cron);
        const auto end = std::min(zone.end(), after + search_seconds);
        for (auto at = after + 1; at < end;) {
            const auto segment = zone.segment(at);
            const auto until = std::min(segment.end, end);
            if (const auto local = calendar.next(at + segment.offset, until + segment.offset))
                return *local - segment.offset;
            at = until;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::int64_t> previous_real(std::int64_t before) const {
        const Calendar calendar(cron);
        const auto begin = std::max(first_second, before - search_seconds);
        for (auto at = std::min(before, zone.end()); at > begin;) {
            const auto segment = zone.segment(at - 1);
            const auto from = std::max(segment.begin, begin);
            if (const auto local = calendar.previous(at + segment.offset, from + segment.offset))
                return *local - segment.offset;
            at = from;
        }
        return std::nullopt;
    }

    // Fixed times: the instants of local times never fall as the local times rise, so the first one past
    // `after` is found by going on from the wall clock at `after`.
    [[nodiscard]] std::optional<std::int64_t> next_fixed(std::int64_t after) const {
        const Calendar calendar(cron);
        const auto end = std::min(zone.end(), after + search_seconds);
        auto from = after + zone.segment(after).offset;
        while (const auto local = calendar.next(from, end + day_seconds)) {
            const auto at = zone.instant(*local);
            if (at && *at >= end) return std::nullopt;
            if (at && *at > after) return at;
            from = at ? *local + 60 : floor_to(*local, day_seconds) + day_seconds;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<std::int64_t> previous_fixed(std::int64_t before) const {
        const Calendar calendar(cron);
        const auto begin = std::max(first_second, before - search_seconds);
        before = std::min(before, zone.end());
        // In the second pass of an hour, later local times lie in the first pass: look back from there.
        const auto now = zone.segment(before - 1);
        const auto earlier = zone.segment(std::max(now.begin, first_second + 1) - 1);
        auto until = before + std::max(now.offset, earlier.offset);
        while (const auto local = calendar.previous(until, begin - day_seconds)) {
            const auto at = zone.instant(*local);
            if (at && *at < begin) return std::nullopt;
            if (at && *at < before) return at;
            until = *local;
        }
        return std::nullopt;
    }
};

Result<Schedule> Schedule::parse(std::string_view cron, std::string_view timezone) {
    WEIR_ASSIGN(parsed, Cron::parse(cron));
    WEIR_ASSIGN(zone, find_zone(timezone));
    return Schedule(std::make_shared<const Impl>(parsed, zone, cron, timezone));
}

std::optional<Instant> Schedule::next(Instant after) const {
    const auto from = whole_seconds(after);
    if (from <= first_second || from >= impl_->zone.end()) return std::nullopt;
    const auto found = impl_->cron.follows_real_time() ? impl_->next_real(from) : impl_->next_fixed(from);
    if (!found) return std::nullopt;
    return from_ns(*found * 1'000'000'000);
}

std::optional<Instant> Schedule::previous(Instant at) const {
    // A slot in the same second counts if `at` is behind the full second.
    const auto before = to_ns(at) % 1'000'000'000 == 0 ? whole_seconds(at) : whole_seconds(at) + 1;
    if (before <= first_second + day_seconds || before >= last_second) return std::nullopt;
    const auto found =
        impl_->cron.follows_real_time() ? impl_->previous_real(before) : impl_->previous_fixed(before);
    if (!found) return std::nullopt;
    return from_ns(*found * 1'000'000'000);
}

const std::string& Schedule::cron() const {
    return impl_->cron_text;
}
const std::string& Schedule::timezone() const {
    return impl_->zone_name;
}

std::string tzdata_version() {
    const auto first_line = [](const char* path) {
        std::ifstream file(path);
        std::string line;
        std::getline(file, line);
        return line;
    };
    const auto line = first_line(zone_table);
    if (line.starts_with("# version ")) return line.substr(10);
    const auto version = first_line("/usr/share/zoneinfo/+VERSION");
    return version.empty() ? "unknown" : version;
}

} // namespace weir::triggers
