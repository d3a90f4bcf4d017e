#include "bus_parts.hpp"

#include <weir/base/text.hpp>

#include "rules.hpp"

namespace weir::events {

Error no_such_stream(std::string_view asked, std::string_view known) {
    return not_found("there is no stream " + found(asked) + "; this bus has \"" + std::string(known) + "\"");
}

Error bus_closed() {
    return unavailable("the bus is closed");
}

Error positions_gone(std::string_view stream, Position from, Position to) {
    return corrupt("stream \"" + std::string(stream) + "\": positions " + std::to_string(from.value) +
                   " to " + std::to_string(to.value) +
                   " are gone: retention dropped them before they were read");
}

Error beyond_head(std::string_view stream, Position after, Position head) {
    return corrupt("stream \"" + std::string(stream) + "\": position " + std::to_string(after.value) +
                   " was asked for, but the newest is " + std::to_string(head.value) +
                   ": the stream lost events, or it is another one");
}

Error nothing_at(std::string_view stream, Position position) {
    return not_found("stream \"" + std::string(stream) + "\": there is nothing at position " +
                     std::to_string(position.value));
}

Reading reading_of(std::vector<Arrival> arrivals, Position after) {
    const auto upto = arrivals.empty() ? after : arrivals.back().position;
    return {std::move(arrivals), upto, false};
}

Arrival decoded_arrival(Result<Decoded> decoded, const Message& message, Position position, Instant time) {
    Arrival arrival;
    arrival.position = position;
    arrival.time = time;
    if (decoded.ok()) {
        arrival.event = std::move(decoded->event);
        arrival.data_checked = decoded->data_checked;
    } else {
        arrival.poison = std::make_shared<const Poison>(make_poison(decoded.error().message, message));
    }
    return arrival;
}

Status check_all(std::span<const Event> events, const EventLimits& limits) {
    for (std::size_t i = 0; i < events.size(); ++i)
        if (const auto status = check(events[i], limits); !status.ok())
            return events.size() == 1 ? status.error() : status.error().in("event " + std::to_string(i + 1));
    return {};
}

} // namespace weir::events
