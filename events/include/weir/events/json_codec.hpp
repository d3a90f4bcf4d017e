#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

namespace weir::events {

/// Limits of a message that may hold several events.
struct BatchLimits {
    std::size_t bytes_max = 8 * 1024 * 1024; ///< the whole body
    std::size_t events_max = 10'000;
    EventLimits event;
};

/// Reads one event in the CloudEvents JSON format 1.0.2 (`application/cloudevents+json`). The text is
/// validated whole, then checked like check(). A null attribute is absent; attributes that are not
/// CloudEvents' own are kept as extensions with their type. `data` is kept as compact JSON: white space goes,
/// every number and escape stays as written. A name given twice is refused. `data_base64` gives bytes, or
/// JSON if datacontenttype says so. Errors: `invalid` names the attribute, what was expected and what was
/// found, or line and column of malformed JSON; `exhausted` the limit; `unsupported` another specversion.
/// Limits: the text may have half as much again as EventLimits::bytes_max. Thread-safe, as is all of this
/// header.
Result<Event> decode_json(std::string_view text, const EventLimits& limits = {});

/// Reads a batch (`application/cloudevents-batch+json`), possibly empty. One bad event refuses the whole; the
/// error says which one, counted from 1.
Result<std::vector<Event>> decode_json_batch(std::string_view text, const BatchLimits& limits = {});

/// Appends a checked event in the JSON format, compact, without a line break.
void append_json(std::string& out, const Event& event);
std::string encode_json(const Event& event);
std::string encode_json_batch(std::span<const Event> events);

} // namespace weir::events
