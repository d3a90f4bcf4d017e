#include "bus_side.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <weir/base/loop.hpp>
#include <weir/events/embedded_bus.hpp>

namespace weir::bench {
namespace {

constexpr auto reach_within = std::chrono::seconds(60);
constexpr auto reach_pause = std::chrono::milliseconds(20);

class EmbeddedSide final : public BusSide {
  public:
    explicit EmbeddedSide(std::string folder) : folder_(std::move(folder)) {}

    Result<std::unique_ptr<events::Bus>> open(const std::string& stream) override {
        events::EmbeddedBusOptions options;
        options.keep_bytes = 0; // every case reads all of it again
        return events::open_embedded_bus(folder_ + "/" + stream + ".db", clock_, options);
    }
    [[nodiscard]] bool several() const override { return false; } // one file, one writer
    /// There is no client below Bus::read().
    Status bare(const std::string& stream, std::int64_t events) override {
        WEIR_ASSIGN(bus, open(stream));
        WEIR_ASSIGN(streams, bus->streams());
        Position at(0);
        for (std::int64_t left = events; left > 0;) {
            WEIR_ASSIGN(reading, bus->read(streams.front().name, at, 1000, 8 * 1024 * 1024));
            if (reading.arrivals.empty()) return internal("the embedded bus ended early");
            left -= static_cast<std::int64_t>(reading.arrivals.size());
            at = reading.upto;
        }
        bus->close();
        return {};
    }
    [[nodiscard]] Report facts() const override {
        return {{"kind", "embedded"}, {"bare_client", "Bus::read() alone"}};
    }

  private:
    SystemClock clock_;
    std::string folder_;
};

} // namespace

Result<std::unique_ptr<events::Bus>> reached(std::unique_ptr<events::Bus> bus) {
    SystemClock clock;
    Loop pause;
    const auto until = clock.steady_now() + reach_within;
    for (;;) {
        const auto streams = bus->streams();
        if (streams.ok() && !streams->empty()) return bus;
        if (clock.steady_now() > until)
            return streams.ok() ? unavailable("the broker has no stream for the benchmark") : streams.error();
        (void)pause.run_until(clock.steady_now() + reach_pause);
    }
}

std::string version_in_log(const std::string& folder, const std::string& words) {
    std::ifstream in(folder + "/server.log");
    for (std::string line; std::getline(in, line);) {
        const auto at = line.find(words);
        if (at == std::string::npos) continue;
        const auto from = line.find_first_not_of(' ', at + words.size());
        if (from == std::string::npos) continue;
        return line.substr(from, line.find_first_of(" (\r", from) - from);
    }
    return {};
}

Result<std::unique_ptr<BusSide>> open_bus_side(const Options& options, const std::string& folder) {
    // Where fetch.py writes it by default; tests never guess, a benchmark run by hand may.
    if (const char* home = std::getenv("HOME"); home != nullptr) {
        const auto usual = std::string(home) + "/.cache/weir/brokers/brokers.json";
        if (std::filesystem::exists(usual)) ::setenv("WEIR_BROKERS", usual.c_str(), 0);
    }
    if (options.bus == "embedded") return std::unique_ptr<BusSide>(new EmbeddedSide(folder));
#ifdef WEIR_WITH_NATS
    if (options.bus == "nats") return open_nats_side(options);
#endif
#ifdef WEIR_WITH_KAFKA
    if (options.bus == "kafka") return open_kafka_side(options);
#endif
    if (options.bus == "nats" || options.bus == "kafka")
        return unsupported("this weir-bench was built without the bus " + options.bus + "; set -D" +
                           options.bus + "=enabled");
    return invalid("--bus \"" + options.bus + "\": expected nats, kafka or embedded");
}

} // namespace weir::bench
