#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <weir/events/bus.hpp>

#include "bench.hpp"

namespace weir::bench {

/// A broker with streams of events on it, read by weir's adapter and by nothing but the client library.
/// Streams are made by the first open() that names them and stand as long as the broker.
class BusSide {
  public:
    virtual ~BusSide() = default;

    /// weir's adapter with this one stream, read from its beginning; reached, the stream made.
    virtual Result<std::unique_ptr<events::Bus>> open(const std::string& stream) = 0;
    /// True: open() works while another one is open.
    [[nodiscard]] virtual bool several() const { return true; }
    /// Receives so many messages of the stream from its beginning by the bare client, and drops them.
    virtual Status bare(const std::string& stream, std::int64_t events) = 0;
    /// Of the server, if it was started here and runs; else 0.
    [[nodiscard]] virtual int server_pid() const { return 0; }
    /// Kind, version of the server and of the client library, and how the bare client reads.
    [[nodiscard]] virtual Report facts() const = 0;
};

/// Waits for the adapter to have reached its broker, at most 60 s.
Result<std::unique_ptr<events::Bus>> reached(std::unique_ptr<events::Bus> bus);

/// By options.bus, options.version and options.url. `unsupported` for what this build has no adapter for.
Result<std::unique_ptr<BusSide>> open_bus_side(const Options& options, const std::string& folder);
Result<std::unique_ptr<BusSide>> open_nats_side(const Options& options);
Result<std::unique_ptr<BusSide>> open_kafka_side(const Options& options);

/// The version that a line of a server's log says behind `words`; empty if none does.
std::string version_in_log(const std::string& folder, const std::string& words);

} // namespace weir::bench
