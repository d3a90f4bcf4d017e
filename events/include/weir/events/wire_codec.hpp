#pragma once

#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

namespace weir::events {

/// Appends a checked event in the form it is stored in: the CloudEvents Protobuf format
/// (schemas/cloudevents.proto) with one field more, so that decode_wire() gives back an equal Event: kind of
/// data, text of `time`, types of extensions. The same event gives the same bytes. Thread-safe, as is all of
/// this header.
void append_wire(std::string& out, const Event& event);
std::string encode_wire(const Event& event);

/// Reads what encode_wire() wrote. `corrupt` says what does not fit. JSON data is not parsed again: it was
/// validated before it was stored.
Result<Event> decode_wire(std::string_view bytes);

} // namespace weir::events
