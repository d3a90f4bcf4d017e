#pragma once

#include <string>

#include <weir/triggers/document.hpp>

namespace weir::triggers {

/// The text of Trigger::canonical_json, from all else of the trigger.
std::string canonical_json(const Trigger& trigger);

} // namespace weir::triggers
