#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/flows/records.hpp>

namespace weir::flows {

/// Checks the arguments of a launch (a JSON object) against a flow's declared parameters and returns them as
/// compact JSON with sorted names. Nothing is guessed: the JSON kind must be the declared one. The only
/// conversions are of numbers by value: 3.0 or 3e0 for an integer becomes 3, and 3 is a double. Null is taken
/// for an optional parameter and means "not given"; parameters not given are left out (defaults are the
/// backend's to fill in). Source of the rules: KFP validatePipelineJobInputs; integers within +-(2^53 - 1) as
/// KFP's NUMBER_INTEGER. Errors: `invalid` with every fault found (unknown names with a suggestion, missing
/// ones, wrong kinds, values outside of the declared literals); `exhausted` past `argument_bytes_max`.
/// Thread-safe.
Result<std::string> bind_arguments(const std::vector<Parameter>& parameters, std::string_view arguments_json);

/// Documented limit of all arguments of one launch together.
inline constexpr std::size_t argument_bytes_max = 1024 * 1024;

/// Reads "integer", "double", "string", "boolean", "list", "struct".
Result<ParameterType> parse_parameter_type(std::string_view text);

/// Checks one JSON text against a type; the returned text is compact. `what` begins the error's sentence.
Result<std::string> check_value(ParameterType type, std::string_view value_json, std::string_view what);

} // namespace weir::flows
