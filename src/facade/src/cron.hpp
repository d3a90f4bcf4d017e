#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

#include "json.hpp"

namespace weir::facade {

/// A schedule in KFP's notation as one of weir's: five fields of cron, in UTC.
struct WeirSchedule {
    std::string cron;
    std::optional<Instant> start; ///< slots before it do not count
    std::optional<Instant> end;   ///< slots after it do not count
};

/// KFP's trigger message. Nothing: there is no schedule in it. Faults as KFP has them (`invalid`), and
/// `unsupported` for what a cron of five fields cannot say: seconds other than 0, intervals that do not
/// divide an hour or a day evenly.
/// Intervals follow the clock: every 15 minutes is at :00, :15, :30, :45, whenever the schedule was made.
Outcome<std::optional<WeirSchedule>> read_trigger(const Json& trigger);

} // namespace weir::facade
