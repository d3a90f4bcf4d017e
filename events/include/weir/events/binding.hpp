#pragma once

#include <string>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/events/json_mapping.hpp>
#include <weir/events/message.hpp>

namespace weir::events {

/// How events are written as messages.
enum class MessageMode : std::uint8_t { Binary, Structured };

/// What a binding made of a message.
struct Decoded {
    Event event;
    bool data_checked = true; ///< as Arrival::data_checked
};

/// What a binding needs besides the message.
struct DecodeContext {
    const JsonMapping* mapping = nullptr; ///< for messages that are no CloudEvents; nullptr: they are refused
    MessagePlace place;                   ///< what the mapping may name
    EventLimits limits;
};

/// The Kafka protocol binding 1.0.2. Structured if the header `content-type` begins with
/// application/cloudevents, else binary: headers `ce_NAME` in UTF-8, `content-type` is datacontenttype, no
/// value (a tombstone): no data. A record without any `ce_` header goes to the mapping. Headers that are not
/// CloudEvents' own are kept as extensions where their name allows it and no attribute has it ([a-z0-9],
/// lower-cased; `traceparent`), else left out: the record keeps them. Binary mode does not look at the data.
/// Errors: `invalid`, `unsupported`, `exhausted`, as decode_http(). Thread-safe, as is all of this header.
Result<Decoded> decode_kafka(const Message& message, const DecodeContext& context = {});
/// Key: the attribute `partitionkey`, else the subject, else the source.
Message encode_kafka(const Event& event, MessageMode mode = MessageMode::Binary);

/// The NATS protocol binding 1.0.2. Structured if the header `Content-Type` (any case) begins with
/// application/cloudevents; else binary if there is a header `ce-specversion` (any case): headers `ce-NAME`,
/// values percent-decoded once, `ce-datacontenttype` as well (without it `Content-Type` counts); else a bare
/// JSON object with `specversion` is a structured event (as before 1.0.2), anything else goes to the mapping.
/// Other headers become extensions as with Kafka. Binary mode does not look at the data.
Result<Decoded> decode_nats(const Message& message, const DecodeContext& context = {});
Message encode_nats(const Event& event, MessageMode mode = MessageMode::Binary);

} // namespace weir::events
