#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/loop.hpp>
#include <weir/base/pool.hpp>
#include <weir/engine/shell.hpp>
#include <weir/events/bus.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/flows/null/null_launcher.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "bench.hpp"

namespace weir::bench {

/// Passes launches on, telling when each was asked for.
class HeardLauncher final : public flows::Launcher {
  public:
    explicit HeardLauncher(flows::Launcher& inner) : inner_(inner) {}
    [[nodiscard]] bool absence_is_final() const override { return inner_.absence_is_final(); }
    void launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) override {
        if (heard) heard(request);
        inner_.launch(std::move(request), std::move(done));
    }
    void look(RunId run, std::function<void(flows::LookReply)> done) override {
        inner_.look(run, std::move(done));
    }
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override {
        inner_.cancel(run, std::move(reason), std::move(done));
    }
    void close() override { inner_.close(); }

    std::function<void(const flows::LaunchRequest&)> heard; ///< called on the loop's thread

  private:
    flows::Launcher& inner_;
};

/// The engine as `weir serve` runs it: a loop, a thread for commits, a feed thread per remote bus, the SQLite
/// ledger (FULL) and the null backend on a thread of its own. Two flows: `sink` (parameter n), whose runs end
/// at once, and `busy`, whose runs do not end.
class BusEngine {
  public:
    /// A fresh ledger in `folder` that knows `triggers`; nothing is read yet.
    static Result<std::unique_ptr<BusEngine>> open(const std::string& folder,
                                                   const std::vector<std::string>& triggers);
    ~BusEngine();
    /// Begins to read the bus, which outlives this.
    Status start(events::Bus& bus);
    /// Turns the engine, on this thread, until `done`; `unavailable` after `within`.
    Status run(const std::function<bool()>& done, Duration within);
    /// Makes run() ask `done` again. Any thread.
    void wake() { loop_.wake(); }
    /// So many read, decided, durable, and so many runs launched and settled; nothing is under way.
    [[nodiscard]] bool drained(std::int64_t arrivals, std::int64_t settled) const;
    [[nodiscard]] const engine::Shell::Counters& counters() const { return shell_->counters(); }

    std::unique_ptr<HeardLauncher> launcher;

  private:
    BusEngine() : commits_(std::make_unique<Pool>(1, 4)) {}
    Status apply(const std::vector<std::string>& triggers);
    Status open_shell(std::vector<events::Bus*> buses);
    void checkpoint();

    SystemClock clock_;
    Loop loop_;
    std::unique_ptr<Pool> commits_;
    std::unique_ptr<ledger::SqliteLedger> ledger_;
    std::unique_ptr<flows::null::NullLauncher> null_;
    std::unique_ptr<engine::Shell> shell_;
    events::Bus* bus_ = nullptr; ///< one that is not remote
    SteadyInstant next_checkpoint_{};
};

} // namespace weir::bench
