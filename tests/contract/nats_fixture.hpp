#pragma once

#include <cstdlib>
#include <string_view>

#include <support/broker.hpp>

#include <weir/events/nats_bus.hpp>

#include "bus_follower.hpp"

namespace weir::contract {

/// The server that this run is for: "debian" or "current".
inline std::string_view nats_version() {
    const char* version = std::getenv("WEIR_NATS_VERSION");
    return version == nullptr ? "debian" : version;
}

/// Options for one stream on a server.
inline events::NatsBusOptions nats_options(const std::string& url, const std::string& stream,
                                           const std::string& subject) {
    events::NatsBusOptions options;
    options.urls = {url};
    options.publish_subject = subject;
    events::NatsStreamOptions one;
    one.stream = stream;
    one.create = events::NatsStreamOptions::Create{{subject + ".>"}};
    options.streams = {one};
    return options;
}

inline std::unique_ptr<Bus> open_nats(const events::NatsBusOptions& options) {
    auto bus = events::open_nats_bus(options);
    INFO((bus.ok() ? "" : bus.error().message));
    REQUIRE(bus.ok());
    return std::move(bus).value();
}

/// Waits until the streams are there, as after the start of an engine.
inline std::vector<events::StreamInfo> reached(Bus& bus) {
    Signal pause;
    for (const Deadline deadline;;) {
        auto streams = bus.streams();
        if (streams.ok()) return std::move(streams).value();
        INFO(streams.error().message);
        REQUIRE(streams.error().kind == ErrorKind::Unavailable);
        REQUIRE_FALSE(deadline.passed());
        pause.wait(std::chrono::milliseconds(20));
    }
}

} // namespace weir::contract
