#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/events/binding.hpp>
#include <weir/events/bus.hpp>
#include <weir/events/remote.hpp>

namespace weir::events {

/// One topic that weir reads, all of its partitions.
struct KafkaTopicOptions {
    std::string topic;
    StreamStart start;
    std::optional<JsonMappingSettings> mapping;
    /// Made with these settings where there is none, else adopted as it is. nullopt: never made.
    struct Create {
        int partitions = 1;
        int replication = 1;
        std::map<std::string, std::string> settings; ///< "retention.ms"...
    };
    std::optional<Create> create;
};

struct KafkaBusOptions {
    std::string name = "kafka";       ///< begins the names of its streams
    std::vector<std::string> brokers; ///< "host:9092", at least one
    std::string group_id; ///< under which positions are committed for lag tools; empty: "weir-NAME"
    enum class Sasl { None, Plain, ScramSha256, ScramSha512 } sasl = Sasl::None;
    std::string user, password;
    Tls tls;
    std::vector<KafkaTopicOptions> topics;
    std::string publish_topic; ///< the default topic of publish(); empty: the first; must be among `topics`
    MessageMode mode = MessageMode::Binary;
    bool java_partitioner = false; ///< murmur2 as Java's default, where producers in Java share the topic
    std::optional<Durability>
        durability; ///< said by the operator; else from replication and min.insync.replicas
    Duration timeout = std::chrono::seconds(10); ///< of one request
    Duration refresh = std::chrono::seconds(30); ///< how often new partitions are looked for
    std::map<std::string, std::string> settings; ///< further librdkafka properties, applied last; those that
                                                 ///< weir's promises rest on are refused
    EventLimits limits;
};

/// A bus on Apache Kafka (brokers 3.9 and newer). A stream is a partition, "NAME/TOPIC/PARTITION"; its family
/// is "NAME/TOPIC". A position is offset + 1, the number that Kafka calls a committed offset; positions are
/// not contiguous (transactions' marks, compaction). An incarnation is the cluster's id and the topic's name:
/// a topic that was deleted and made anew has the same one, and is found out by what stands at a position.
/// publish("") and publish("NAME/TOPIC") choose the partition by the record's key;
/// publish("NAME/TOPIC/PARTITION") goes there. A producer that had a fatal error is made anew, and what it
/// did not acknowledge is sent again: the same event may then stand twice in a stream. Arrival times:
/// LogAppendTime, else the lesser of CreateTime and `clock`, which has to outlive the bus. Reads ahead at
/// most 100,000 messages or 64 MiB, all partitions together, and what the brokers answer at once. Opening
/// does not wait for the broker unless `options` are wrong (`invalid`); streams() is `unavailable` until it
/// is reached, and it is tried for ever. close() waits for calls on their way, `timeout` at most, and for a
/// name server.
Result<std::unique_ptr<Bus>> open_kafka_bus(const Clock& clock, KafkaBusOptions options);

} // namespace weir::events
