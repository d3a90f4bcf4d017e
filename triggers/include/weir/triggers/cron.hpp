#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

namespace weir::triggers {

/// A cron expression of five fields: minute 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC, day of
/// week 0-7 (0 and 7 are Sunday) or SUN-SAT; each `*`, a value, a range a-b, a step (`*/n`, a-b/n, a/n), or a
/// list of those. If both day fields are restricted, a day that fits either counts. Immutable.
class Cron {
  public:
    /// `invalid` names the field and what was expected. @daily and the like, seconds, `L W # ?` are refused.
    static Result<Cron> parse(std::string_view expression);

    [[nodiscard]] bool minute(int m) const { return minutes_[static_cast<std::size_t>(m)]; }
    [[nodiscard]] bool hour(int h) const { return hours_[static_cast<std::size_t>(h)]; }
    [[nodiscard]] bool month(int m) const { return months_[static_cast<std::size_t>(m)]; }
    /// True if the day counts: of the month (1..31) and of the week (0 = Sunday).
    [[nodiscard]] bool day(int of_month, int of_week) const;
    /// True if minute or hour is `*` or has a step: such a schedule follows real time when clocks are moved;
    /// every other one names fixed times of the day.
    [[nodiscard]] bool follows_real_time() const { return follows_real_time_; }

  private:
    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_;
    std::bitset<13> months_;
    std::bitset<7> weekdays_;
    bool any_day_ = false;
    bool any_weekday_ = false;
    bool follows_real_time_ = false;
};

/// A cron expression in a time zone.
/// When clocks are moved, a fixed time of day comes exactly once that day: in a gap at its end (several that
/// fall together are one slot), in an hour that comes twice on its first pass. A schedule that follows real
/// time goes through a gap and through both passes. A date that does not exist has no slot. Limits: slots
/// after 2037-12-31 are not computed (the time zone library loses summer time there); the search ends after
/// 30 years without a slot. Both give "no slot". Thread: immutable.
class Schedule {
  public:
    /// `invalid` names the bad field or the unknown zone.
    static Result<Schedule> parse(std::string_view cron, std::string_view timezone);

    /// The first slot after `after`, or nothing if there is none within the limits.
    [[nodiscard]] std::optional<Instant> next(Instant after) const;
    /// The last slot before `at`, or nothing if there is none in the 30 years before.
    [[nodiscard]] std::optional<Instant> previous(Instant at) const;

    [[nodiscard]] const std::string& cron() const;
    [[nodiscard]] const std::string& timezone() const;

    struct Impl;

  private:
    explicit Schedule(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<const Impl> impl_;
};

/// The installed time zone data's version ("2026a"), or "unknown".
std::string tzdata_version();

} // namespace weir::triggers
