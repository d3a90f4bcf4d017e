#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include <support/broker.hpp>
#include <support/catch.hpp>

#include <weir/events/kafka_bus.hpp>

#include "bus_follower.hpp"
#include "kafka_client.hpp"

// The broker of the Kafka tests, and buses on it.
namespace weir::contract {

inline const char* kafka_version() {
    const char* version = std::getenv("WEIR_KAFKA_VERSION");
    return version == nullptr ? "3.9" : version;
}

/// One broker for all cases.
inline support::Broker& broker() {
    static support::Broker one = [] {
        support::BrokerOptions options;
        options.properties = {{"log.cleaner.backoff.ms", "200"}, {"log.retention.check.interval.ms", "500"}};
        return support::Broker::start("kafka", kafka_version(), options);
    }();
    return one;
}

inline support::Broker& running() {
    if (!broker().running()) broker().start();
    return broker();
}

inline const Clock& real_clock() {
    static const SystemClock one;
    return one;
}

inline events::KafkaBusOptions kafka_options(const std::string& topic, int partitions = 1) {
    events::KafkaBusOptions options;
    options.brokers = {broker().url()};
    options.timeout = std::chrono::seconds(5);
    events::KafkaTopicOptions one;
    one.topic = topic;
    one.create = events::KafkaTopicOptions::Create{};
    one.create->partitions = partitions;
    one.create->settings["max.message.bytes"] = "8000000"; // more than weir takes
    options.topics = {one};
    return options;
}

/// `reached`: a bus that was reached and has its topics, as after the start of an engine.
inline std::unique_ptr<events::Bus> open_kafka(const events::KafkaBusOptions& options, bool reached = true) {
    auto bus = events::open_kafka_bus(real_clock(), options);
    INFO((bus.ok() ? "" : bus.error().message));
    REQUIRE(bus.ok());
    Signal pause;
    for (const Deadline deadline; reached;) {
        const auto streams = (*bus)->streams();
        INFO((streams.ok() ? "" : streams.error().message));
        if (streams.ok() && !streams->empty()) break;
        if (!streams.ok()) REQUIRE(streams.error().kind == ErrorKind::Unavailable);
        REQUIRE_FALSE(deadline.passed());
        pause.wait(std::chrono::milliseconds(20));
    }
    return std::move(bus).value();
}

} // namespace weir::contract
