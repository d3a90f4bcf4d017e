#include <weir/events/bus.hpp>

namespace weir::events {

std::string_view to_string(Durability durability) noexcept {
    return durability == Durability::PowerSafe ? "power-safe" : "process-safe";
}

Digest place_digest(const Arrival& arrival) {
    std::string fields;
    if (arrival.poison) {
        append_field(fields, "poison");
        append_field(fields, encode_message(arrival.poison->message));
    } else {
        append_field(fields, "event");
        append_field(fields, arrival.event.source);
        append_field(fields, arrival.event.id);
    }
    return sha256(fields);
}

} // namespace weir::events
