#pragma once

#include <string>
#include <string_view>

#include "json.hpp"

// Names in double brackets in the texts of parameters. Text that stands for nothing is left as it is.
namespace weir::facade {

/// Fills in `[[RunUUID]]` and `[[CurrentTime]]`, `[[CurrentTime.LAYOUT]]` (a layout of Go's), in the texts at
/// the top, as KFP does for runs that no schedule made. All other brackets stay as they are.
Json fill_in_macros(const Json& parameters, const std::string& run_id, Instant now);

/// A parameter of a schedule's runs as an expression over the slot, `[[ScheduledTime]]` and
/// `[[ScheduledTime.LAYOUT]]` filled in; empty: the value is what it is. What KFP would fill in and nothing
/// of a slot tells, `[[CurrentTime]]`, `[[RunUUID]]` and `[[Index]]`, is refused by name.
Outcome<std::string> scheduled_text(std::string_view parameter, const Json& value);

} // namespace weir::facade
