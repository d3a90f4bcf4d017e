#pragma once

#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/flows/records.hpp>

#include "json.hpp"

namespace weir::facade {

/// KFP's check of a run's parameters (validatePipelineJobInputs): unknown and missing ones, kinds of JSON,
/// literals. Null is refused for every parameter. Elements of lists and structs are not looked at, and an
/// integer may have a fraction here: weir's own check comes after it.
Done check_parameters(const std::vector<flows::Parameter>& declared, const Json& given);

} // namespace weir::facade
