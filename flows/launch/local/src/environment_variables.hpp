#pragma once

#include <string>
#include <vector>

#include <weir/flows/document.hpp>

#include "record.hpp"

namespace weir::flows::local {

/// What every process of weir sees of weir's own environment: where to find programs and certificates,
/// language, proxies, pip's configuration. Nothing else: no secrets by accident.
std::vector<std::string> base_environment();
/// A task's environment: the base, what the flow lets through and sets, and who is asking (WEIR_*).
std::vector<std::string> task_environment(const StoredRequest& request, const FlowSettings& settings,
                                          const std::string& server, const std::string& mark);
/// PATH of weir.
std::string search_path();

} // namespace weir::flows::local
