#pragma once

#include <map>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>
#include <weir/cel/value.hpp>

namespace weir::flows::ir {

/// A condition of the IR (triggerPolicy.condition): CEL over the task's inputs,
/// `inputs.parameter_values['x']`. `invalid` with line:column if it does not compile.
Result<cel::Program> compile_condition(std::string_view text);

/// True if the task is to run. `invalid` if the expression fails on these values (a missing input, a text
/// that is no number): the task fails then, as it does on a cluster.
Result<bool> test_condition(std::string_view text, const std::map<std::string, cel::Value>& parameters);

} // namespace weir::flows::ir
