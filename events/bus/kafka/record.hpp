#pragma once

#include <weir/events/binding.hpp>
#include <weir/events/bus.hpp>

#include "handle.hpp"

namespace weir::events::kafka {

/// A record as an arrival: an event, or poison with the reason. Its time is LogAppendTime, else the lesser of
/// CreateTime and now.
Arrival arrival_of(const rd_kafka_message_t& record, const std::string& topic, DecodeContext context,
                   Instant now);

} // namespace weir::events::kafka
