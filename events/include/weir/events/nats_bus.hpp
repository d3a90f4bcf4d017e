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

/// A bus on NATS JetStream (server 2.9.10 and newer).
/// Reads ahead at most 4,096 messages and 16 MiB a stream.
/// Opening: does not wait for the server unless `options` are wrong (`invalid`); streams() is `unavailable`
/// until it is reached, and it is tried for ever.
Result<std::unique_ptr<Bus>> open_nats_bus(NatsBusOptions options);

} // namespace weir::events
