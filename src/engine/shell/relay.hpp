#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>
#include <weir/ledger/records.hpp>

namespace weir::engine {

/// Documented limits of the relay.
struct RelayLimits {
    std::size_t events_max = 500; ///< one publish()
    std::size_t bytes_max = 4 * 1024 * 1024;
    Duration retry_min = std::chrono::milliseconds(100); ///< doubling
    Duration retry_max = std::chrono::seconds(5);
};

/// Publishes what the ledger holds for an outside bus, in order, on a thread of its own, again and again
/// until the bus has it. An event that went out but was not marked before weir died goes out twice, with the
/// same source and id. Owner:  the shell; the sink is not called once stop() has returned. Thread: every
/// method from any thread. Errors: an event that is refused for what it is (`invalid`, `exhausted`)
/// goes to `refused`, and the next ones go on; everything else is tried again, for ever. Limits: RelayLimits;
/// how much waits is the ledger's affair (the shell's outgoing_max).
class Relay {
  public:
    struct Sink {
        std::function<void(std::vector<ledger::OutgoingNo>)> published;
        std::function<void(ledger::OutgoingRow, Error)> refused;
    };
    Relay(events::Bus& bus, const Clock& clock, Sink sink, RelayLimits limits = {});
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    void start();
    void stop();
    /// Durable rows, in order.
    void add(std::vector<ledger::OutgoingRow> rows);
    /// Why nothing goes out just now; empty: all is well.
    [[nodiscard]] std::string trouble() const;

  private:
    void work();
    void send(std::deque<ledger::OutgoingRow>& rows);
    /// True if they are on the bus, or refused for good.
    bool publish(std::deque<ledger::OutgoingRow>& rows, std::size_t n);
    void wait_after(const Error& error);

    events::Bus& bus_;
    const Clock& clock_;
    const Sink sink_;
    const RelayLimits limits_;
    mutable std::mutex mutex_; ///< over what follows
    std::condition_variable changed_;
    std::deque<ledger::OutgoingRow> rows_;
    std::string trouble_;
    bool stop_ = false;
    Duration backoff_{}; ///< the thread's own
    std::thread thread_;
};

} // namespace weir::engine
