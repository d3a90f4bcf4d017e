#pragma once

#include <string>
#include <vector>

#include <weir/events/event.hpp>
#include <weir/triggers/document.hpp>

namespace weir::engine::detail {

/// What the trigger's expressions (the leaf's `where` and key, the launch parameters) read from this event,
/// as `data.table = "orders"`; a path that is not there as `data.table is missing`. Each once, at most 32,
/// shortened and made safe for a terminal.
std::vector<std::string> values_used(const triggers::Trigger& trigger, const std::string& leaf,
                                     const events::Event& event);

} // namespace weir::engine::detail
