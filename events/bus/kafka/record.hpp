#pragma once

#include <weir/events/binding.hpp>
#include <weir/events/bus.hpp>

#include "handle.hpp"

namespace weir::events::kafka {

/// A record as an arrival, into an empty one: an event, or poison with the reason. Its time is LogAppendTime,
/// else the lesser of CreateTime and now.
void read_record(const rd_kafka_message_t& record, const std::string& topic, DecodeContext context,
                 Instant now, Arrival& arrival);

} // namespace weir::events::kafka
