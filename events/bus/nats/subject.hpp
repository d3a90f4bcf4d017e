#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

// Texts of the NATS protocol. Private to this adapter. Thread-safe.
namespace weir::events::nats {

/// True if `subject` falls under `filter` (`*`: one token, a last `>`: one or more).
bool subject_matches(std::string_view filter, std::string_view subject) noexcept;
/// What is wrong with a subject, or with a filter if `wildcards`; empty if nothing.
std::string subject_fault(std::string_view subject, bool wildcards);
/// What is wrong with the name of a stream; empty if nothing.
std::string stream_name_fault(std::string_view name);

/// PREFIX.TYPE: characters outside of [A-Za-z0-9_-.] become `_`, and a token that would be empty is `_`.
std::string subject_of(std::string_view prefix, std::string_view type);

/// The id by which the server knows a message again: source and id, one text for each pair. Long ones are a
/// digest.
std::string message_id(const Event& event);

/// What the reply subject of a JetStream message tells. The views lie in that subject.
struct AckPlace {
    std::string_view stream, consumer;
    std::int64_t stream_sequence = 0;
    std::int64_t consumer_sequence = 0;
    std::int64_t time_ns = 0;
    std::int64_t pending = 0; ///< further messages for this consumer
};
/// `$JS.ACK.STREAM.CONSUMER.DELIVERIES.SEQ.SEQ.TIME.PENDING`, or with DOMAIN.ACCOUNT behind `ACK` and
/// anything behind PENDING.
std::optional<AckPlace> parse_ack(std::string_view reply) noexcept;

/// A URL without user and password, for people.
std::string bare_url(std::string_view url);

} // namespace weir::events::nats
