#pragma once

#include <string>
#include <string_view>

namespace weir::flows {

/// The name of the flow that stands for a pipeline which no flow document names: what a flow's name may not
/// have becomes `-`, it begins with a letter or a digit, at most 100 characters. "pipeline" if nothing is
/// left. Pure.
std::string flow_name_of(std::string_view pipeline);

} // namespace weir::flows
