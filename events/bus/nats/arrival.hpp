#pragma once

#include <string>
#include <vector>

#include <nats/nats.h>

#include <weir/events/bus.hpp>
#include <weir/events/json_mapping.hpp>

namespace weir::events::nats {

/// One stream as configured; immutable.
struct StreamSettings {
    std::string bus, stream;          ///< as configured
    std::string name;                 ///< BUS/STREAM
    std::vector<std::string> filters; ///< empty: everything
    std::optional<JsonMapping> mapping;
    EventLimits limits;

    /// What the server is to filter by: it knows one filter a consumer from its first versions on.
    [[nodiscard]] std::string server_filter() const { return filters.size() == 1 ? filters.front() : ""; }
    /// True if a message of this subject is ours.
    [[nodiscard]] bool wants(std::string_view subject) const;
};

/// The event, or the poison, that a message is. Data are not looked at. Thread-safe.
Arrival arrival_of(natsMsg* message, Position position, Instant time, const StreamSettings& settings);

} // namespace weir::events::nats
