#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/engine/shell.hpp>
#include <weir/events/bus.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/flows/null/null_launcher.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "bench.hpp"

namespace weir::bench {

/// Seconds spent behind a port.
struct Spent {
    double seconds = 0;
    std::int64_t calls = 0;
    template <class F>
    decltype(auto) of(F&& work) {
        struct Add {
            Spent& spent;
            Stopwatch watch{};
            ~Add() {
                spent.seconds += watch.seconds();
                ++spent.calls;
            }
        } add{*this};
        return work();
    }
};

/// A bus, a ledger and a launcher that note how long calls take.
class TimedBus final : public events::Bus {
  public:
    explicit TimedBus(events::Bus& inner) : inner_(inner) {}
    Result<std::vector<events::StreamInfo>> streams() override { return inner_.streams(); }
    Result<events::StreamInfo> look(std::string_view stream) override {
        return look_.of([&] { return inner_.look(stream); });
    }
    [[nodiscard]] events::BusState state() const override { return inner_.state(); }
    [[nodiscard]] bool remote() const override { return inner_.remote(); }
    Result<events::Arrival> at(std::string_view stream, Position position) override {
        return inner_.at(stream, position);
    }
    Result<Position> last_before(std::string_view stream, Instant time) override {
        return inner_.last_before(stream, time);
    }
    Result<events::Reading> read(std::string_view stream, Position after, std::size_t events_max,
                                 std::size_t bytes_max) override {
        return read_.of([&] { return inner_.read(stream, after, events_max, bytes_max); });
    }
    Result<std::vector<Position>> publish(std::string_view stream,
                                          std::span<const events::Event> events) override {
        return publish_.of([&] { return inner_.publish(stream, events); });
    }
    void on_append(std::function<void()> called) override { inner_.on_append(std::move(called)); }
    Status release(std::string_view stream, Position position) override {
        return release_.of([&] { return inner_.release(stream, position); });
    }
    void close() override { inner_.close(); }

    Spent look_, read_, publish_, release_;

  private:
    events::Bus& inner_;
};

class TimedLedger final : public ledger::Ledger {
  public:
    explicit TimedLedger(ledger::Ledger& inner) : inner_(inner) {}
    Result<ledger::Epoch> take_epoch() override { return inner_.take_epoch(); }
    Result<ledger::StreamState> register_stream(const ledger::StreamState& first_sight) override {
        return inner_.register_stream(first_sight);
    }
    Result<ledger::Snapshot> snapshot() override { return inner_.snapshot(); }
    Status commit(const ledger::Batch& batch, ledger::Epoch epoch) override {
        return commit_.of([&] { return inner_.commit(batch, epoch); });
    }
    Result<std::optional<ledger::Seen>> find_seen(std::string_view source, std::string_view id,
                                                  Instant time) override {
        return seen_.of([&] { return inner_.find_seen(source, id, time); });
    }
    Status retain(Instant payloads_before) override { return inner_.retain(payloads_before); }
    void close() override { inner_.close(); }

    Spent commit_, seen_;

  private:
    ledger::Ledger& inner_;
};

/// Notes the instant at which a launch is handed to the backend: where a CreateRun's first byte would leave.
class TimedLauncher final : public flows::Launcher {
  public:
    explicit TimedLauncher(flows::Launcher& inner) : inner_(inner) {}
    [[nodiscard]] bool absence_is_final() const override { return inner_.absence_is_final(); }
    void launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) override {
        at_ = clock_.steady_now();
        launch_.of([&] { inner_.launch(std::move(request), std::move(done)); });
    }
    void look(RunId run, std::function<void(flows::LookReply)> done) override {
        inner_.look(run, std::move(done));
    }
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override {
        inner_.cancel(run, std::move(reason), std::move(done));
    }
    void close() override { inner_.close(); }

    Spent launch_;
    std::optional<SteadyInstant> at_;

  private:
    SystemClock clock_;
    flows::Launcher& inner_;
};

/// The product's engine on the embedded bus, the SQLite ledger and the null backend, on one thread.
class Rig {
  public:
    /// `flow_settings`: further lines of the flow's document (settle_after...).
    static Result<std::unique_ptr<Rig>> open(const std::string& folder, const std::string& flow_settings,
                                             const std::vector<std::string>& triggers);
    ~Rig();

    /// Turns the engine until nothing is left to do.
    Status drain();
    /// Publishes as one call.
    Status publish(std::span<const events::Event> events);

    [[nodiscard]] engine::Shell& shell() { return *shell_; }
    [[nodiscard]] ledger::LedgerReader& reader() { return ledger_->reader(); }

    std::unique_ptr<TimedBus> bus;
    std::unique_ptr<TimedLedger> ledger;
    std::unique_ptr<TimedLauncher> launcher;

  private:
    Rig() = default;
    Status apply(const std::string& flow_settings, const std::vector<std::string>& triggers);
    bool run_tasks();

    SystemClock clock_;
    std::unique_ptr<events::Bus> bus_;
    std::unique_ptr<ledger::SqliteLedger> ledger_;
    std::unique_ptr<flows::null::NullLauncher> null_;
    std::unique_ptr<engine::Shell> shell_;
    std::deque<std::function<void()>> tasks_;
};

} // namespace weir::bench
