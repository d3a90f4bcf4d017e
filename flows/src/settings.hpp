#pragma once

#include <string>

#include <weir/flows/document.hpp>

namespace weir::flows {

/// The settings as JSON, defaults left out.
std::string write_settings(const FlowSettings& settings);

} // namespace weir::flows
