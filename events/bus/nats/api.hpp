#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/events/nats_bus.hpp>

#include "link.hpp"

// JetStream's requests, as far as this adapter makes them. Errors: `unavailable` without an answer,
// `not_found`: no such stream. Thread-safe; each call waits for one answer.
namespace weir::events::nats {

struct StreamState {
    std::string created; ///< nanoseconds since 1970, as text
    std::int64_t first = 1, last = 0;
    bool limits_retention = true;
    bool no_ack = false;
    bool in_memory = false;
    bool removes = false; ///< single messages may go, or went, from the middle
    /// Nothing but a limit per subject removes messages: what is missing at the beginning was overtaken, not
    /// lost.
    bool keeps_newest_only = false;
};
Result<StreamState> stream_state(const Link& link, const std::string& stream);

/// `conflict`: there is one with other settings.
Status create_stream(const Link& link, const std::string& stream, const NatsStreamOptions::Create& settings);

struct Consumer {
    std::string name;
    std::int64_t begins_after = 0; ///< as the server understood the start
};
/// A pull consumer in the server's memory that starts behind `after`, acknowledges nothing and goes when
/// unused.
Result<Consumer> create_consumer(const Link& link, const std::string& stream, std::int64_t after,
                                 const std::string& filter);
/// Does not wait: it would go by itself.
void forget_consumer(Connection& connection, const std::string& stream, const std::string& consumer);

struct Found {
    std::int64_t sequence = 0;
    Instant time{};
};
/// The newest message under a filter. TRAP: nothing is no proof that there is none: once the newest one was
/// removed by itself, servers (2.9.10; 2.15.1 too where the filter is `>`) say so although older ones are
/// there.
Result<std::optional<Found>> last_matching(const Link& link, const std::string& stream,
                                           const std::string& filter);
/// The first message under a filter at or behind a sequence.
Result<std::optional<Found>> next_from(const Link& link, const std::string& stream, std::int64_t sequence,
                                       const std::string& filter = ">");

} // namespace weir::events::nats
