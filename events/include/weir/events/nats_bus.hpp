#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/events/binding.hpp>
#include <weir/events/bus.hpp>
#include <weir/events/remote.hpp>

namespace weir::events {

/// One JetStream stream that weir reads.
struct NatsStreamOptions {
    std::string stream;                ///< name on the server
    std::vector<std::string> subjects; ///< only these (`*` and `>` allowed); empty: all of the stream
    StreamStart start;
    std::optional<JsonMappingSettings> mapping;
    /// Made with these settings where there is none, else adopted as it is. nullopt: never made.
    struct Create {
        std::vector<std::string> subjects; ///< what the stream takes in
        Duration age_max{};                ///< 0: no limit
        std::int64_t bytes_max = -1;       ///< -1: no limit
        int replicas = 1;
        Duration duplicates = std::chrono::minutes(2); ///< window in which the server knows message ids
    };
    std::optional<Create> create;
};

struct NatsBusOptions {
    std::string name = "nats";     ///< begins the names of its streams
    std::vector<std::string> urls; ///< "nats://host:4222", at least one
    std::string user, password, token;
    std::string credentials_file; ///< a .creds file (JWT and seed)
    std::string nkey_seed_file;   ///< an nkey seed
    Tls tls;
    std::vector<NatsStreamOptions> streams;
    std::string
        publish_stream; ///< the default stream of publish(); empty: the first; must be among `streams`
    std::string publish_subject = "weir.events"; ///< events go to PUBLISH_SUBJECT.TYPE
    MessageMode mode = MessageMode::Binary;
    std::optional<Durability> durability; ///< said by the operator (sync_interval: always); else process-safe
    Duration timeout = std::chrono::seconds(5); ///< of one request to the server
    EventLimits limits;
};

/// A bus on NATS JetStream (server 2.9.10 and newer; libnats 3.4.1 and newer).
/// Streams: named BUS/STREAM; a position is a stream sequence; the incarnation is the stream's creation time.
/// Retention
///         `limits` only. Without a filter, or with several, everything is read and filtered here; one filter
///         is the server's work. streams() makes a stream that is not there only once in a process: what is
///         deleted later stays deleted.
/// Publishing: with Nats-Msg-Id made of source and id, so that the same event again within the stream's
/// window for
///         duplicates has the same position; and with Nats-Expected-Stream. What is not acknowledged is sent
///         again, in order, within `timeout`. An event whose message with its headers is over the server's
///         max_payload (1 MiB unless configured) is `exhausted`: for events of the full
///         EventLimits::bytes_max raise it there.
/// Interrupted: after every loss of the connection (a silent peer is given up after 9 seconds) and whenever
/// the server
///         ended the reading or the stream was made anew; noticed within about a second.
/// Gaps:   `corrupt` names the positions. A stream whose only limit is one per subject has none: what is
/// missing was
///         overtaken. With one filter, positions that retention took while the reader was behind count as
///         lost, though they may have held nothing for it.
/// Limits: reads ahead at most 4,096 messages and about 16 MiB a stream; publishes at most 512 messages or 4
/// MiB of a
///         call at a time.
/// Threads: one that keeps the connection and looks after streams once a second, and the client library's.
/// Opening: does not wait for the server unless `options` are wrong (`invalid`); streams() is `unavailable`
/// until it is reached, and it is tried for ever.
Result<std::unique_ptr<Bus>> open_nats_bus(NatsBusOptions options);

} // namespace weir::events
