#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <date/tz.h>

#include <weir/base/clock.hpp>

namespace weir::sim {

/// The slots of a cron expression, found the slow way: by asking every minute, and every day for its fixed
/// times. The rules are those of design section 5 (Cron); nothing is shared with the product's schedule. The
/// expression is taken to be valid (the product refuses others when a trigger is applied).
class ReferenceSchedule {
  public:
    ReferenceSchedule(const std::string& cron, const std::string& zone) : zone_(date::locate_zone(zone)) {
        std::istringstream in(cron);
        for (auto& field : fields_)
            in >> field;
        const bool star_day = fields_[2].front() == '*', star_weekday = fields_[4].front() == '*';
        either_ = !star_day && !star_weekday;
        for (const auto& field : {fields_[0], fields_[1]})
            real_time_ =
                real_time_ || field.find('*') != std::string::npos || field.find('/') != std::string::npos;
        sets_ = {values(fields_[0], 0, 59), values(fields_[1], 0, 23), values(fields_[2], 1, 31),
                 values(fields_[3], 1, 12), values(fields_[4], 0, 7)};
        if (sets_[4].count(7) != 0) sets_[4].insert(0);
    }

    /// The first slot after `after` within about `days_max` days.
    [[nodiscard]] std::optional<Instant> next(Instant after, int days_max = 800) const {
        return real_time_ ? next_minute(after, days_max) : next_fixed(after, days_max);
    }

  private:
    using Minutes = std::chrono::time_point<std::chrono::system_clock, std::chrono::minutes>;
    using Seconds = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

    static int number(const std::string& text) {
        static const std::map<std::string, int> names{
            {"JAN", 1}, {"FEB", 2}, {"MAR", 3},  {"APR", 4},  {"MAY", 5},  {"JUN", 6}, {"JUL", 7},
            {"AUG", 8}, {"SEP", 9}, {"OCT", 10}, {"NOV", 11}, {"DEC", 12}, {"SUN", 0}, {"MON", 1},
            {"TUE", 2}, {"WED", 3}, {"THU", 4},  {"FRI", 5},  {"SAT", 6}};
        std::string upper;
        for (const char c : text)
            upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        const auto found = names.find(upper);
        return found != names.end() ? found->second : std::stoi(text);
    }

    static std::set<int> values(const std::string& field, int low, int high) {
        std::set<int> out;
        std::istringstream parts(field);
        for (std::string part; std::getline(parts, part, ',');) {
            const auto slash = part.find('/');
            const int step = slash == std::string::npos ? 1 : std::stoi(part.substr(slash + 1));
            const auto range = part.substr(0, slash);
            const auto dash = range.find('-');
            int from = low, to = high;
            if (range != "*") {
                from = number(range.substr(0, dash));
                to = dash != std::string::npos    ? number(range.substr(dash + 1))
                     : slash != std::string::npos ? high
                                                  : from;
            }
            for (int v = from; v <= to; v += step)
                out.insert(v);
        }
        return out;
    }

    [[nodiscard]] bool day_fits(date::year_month_day day) const {
        const auto weekday = static_cast<int>(date::weekday(date::sys_days(day)).c_encoding());
        const bool in_month = sets_[2].count(static_cast<int>(unsigned(day.day()))) != 0;
        const bool in_week = sets_[4].count(weekday) != 0;
        const bool fits = either_ ? in_month || in_week : in_month && in_week;
        return fits && sets_[3].count(static_cast<int>(unsigned(day.month()))) != 0;
    }

    /// A schedule that follows real time has a slot at each minute whose wall clock shows what it asks for.
    [[nodiscard]] std::optional<Instant> next_minute(Instant after, int days_max) const {
        auto minute = std::chrono::floor<std::chrono::minutes>(after);
        for (std::int64_t i = 0; i < std::int64_t{days_max} * 1440; ++i) {
            minute += std::chrono::minutes(1);
            const auto local = zone_->to_local(Seconds(minute));
            const auto day = date::floor<date::days>(local);
            const auto of_day = std::chrono::duration_cast<std::chrono::minutes>(local - day).count();
            if (sets_[0].count(static_cast<int>(of_day % 60)) == 0) continue;
            if (sets_[1].count(static_cast<int>(of_day / 60)) == 0) continue;
            if (day_fits(date::year_month_day(day))) return Instant(minute);
        }
        return std::nullopt;
    }

    /// Fixed times come once on each day that fits: in a gap at its end, in a doubled hour on the first pass.
    [[nodiscard]] std::optional<Instant> next_fixed(Instant after, int days_max) const {
        auto day = date::floor<date::days>(zone_->to_local(std::chrono::floor<std::chrono::seconds>(after))) -
                   date::days(2);
        for (int i = 0; i < days_max; ++i, day += date::days(1)) {
            if (!day_fits(date::year_month_day(day))) continue;
            std::set<Instant> slots;
            for (const int hour : sets_[1]) {
                for (const int minute : sets_[0]) {
                    const auto local = day + std::chrono::hours(hour) + std::chrono::minutes(minute);
                    const auto info = zone_->get_info(date::local_seconds(local));
                    if (info.result == date::local_info::nonexistent) {
                        // A date that the zone left out as a whole has no slot.
                        const auto end = info.second.begin;
                        const auto shown = date::floor<date::days>(zone_->to_local(end));
                        const auto before =
                            date::floor<date::days>(zone_->to_local(end - std::chrono::seconds(1)));
                        if (shown > day && before < day) continue;
                        slots.insert(Instant(end));
                    } else {
                        slots.insert(
                            Instant(date::sys_seconds(local.time_since_epoch() - info.first.offset)));
                    }
                }
            }
            for (const auto slot : slots) {
                if (slot > after) return slot;
            }
        }
        return std::nullopt;
    }

    const date::time_zone* zone_;
    std::array<std::string, 5> fields_;
    std::array<std::set<int>, 5> sets_;
    bool either_ = false;    ///< both day fields are restricted: either one is enough
    bool real_time_ = false; ///< `*` or a step in minute or hour
};

} // namespace weir::sim
