#include <weir/events/bus.hpp>

namespace weir::events {

std::string_view to_string(Durability durability) noexcept {
    return durability == Durability::PowerSafe ? "power-safe" : "process-safe";
}

Digest place_digest(const Arrival& arrival) {
    if (!arrival.poison) return place_digest(arrival.event);
    std::string fields;
    append_field(fields, std::string_view("poison"));
    append_field(fields, std::string_view(encode_message(arrival.poison->message)));
    return sha256(fields);
}

Digest place_digest(const Event& event) {
    std::string fields;
    append_field(fields, std::string_view("event"));
    append_field(fields, std::string_view(event.source));
    append_field(fields, std::string_view(event.id));
    return sha256(fields);
}

Result<Arrival> Bus::decode(std::string_view stream, const Message&, Position, Instant) {
    return unsupported("messages of the stream \"" + std::string(stream) + "\" are not read again");
}

} // namespace weir::events
