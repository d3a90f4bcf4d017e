#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/engine/shell.hpp>
#include <weir/events/bus.hpp>
#include <weir/ledger/ledger.hpp>
#include <weir/ledger/reader.hpp>

#include "chance.hpp"
#include "faulty_ledger.hpp"
#include "plan.hpp"
#include "sim_launcher.hpp"

namespace weir::sim {

/// A stretch of time in which weir is stopped.
struct Outage {
    Instant from;
    Instant to;
};

/// What may go wrong. Never part of the plan: the decisions must not depend on it.
struct Weather {
    std::uint64_t seed = 1;
    std::size_t batch_max = 1000;
    std::uint64_t crash = 0;         ///< at each named point, in thousandths
    std::uint64_t power_loss = 0;    ///< at a crash: unsynced pages are lost as well, in thousandths
    std::uint64_t write_failure = 0; ///< at each commit: disk full or I/O error, in thousandths
    std::uint64_t delay = 0;         ///< before each turn: up to 5 s nothing happens, in thousandths
    std::vector<Outage> outages;
    LauncherFaults launcher;
};

/// Where ledger and bus keep their bytes: memory, or SQLite over a disk that can lose power.
class Storage {
  public:
    virtual ~Storage() = default;
    virtual Status open(const Clock& clock) = 0;
    virtual void close() = 0;
    /// What was not synced is gone, wholly or in part. Between close() and open().
    virtual void power_loss(std::uint64_t seed) = 0;
    virtual ledger::Ledger& ledger() = 0;
    virtual ledger::LedgerReader& reader() = 0;
    virtual events::Bus& bus() = 0;
    /// All of them, bus() first.
    virtual std::vector<events::Bus*> buses() { return {&bus()}; }
};
/// `streams`: a bus each, of these names.
std::unique_ptr<Storage> memory_storage(const std::vector<std::string>& streams = {"events"});
std::unique_ptr<Storage> sqlite_storage();

struct Report {
    int crashes = 0;
    int power_losses = 0;
    int write_failures = 0;
    std::vector<std::string> failures; ///< what must never be; empty: all is well
};

/// One simulation: a plan, a weather, the real shell and core.
class World {
  public:
    World(const Plan& plan, Weather weather, std::unique_ptr<Storage> storage);
    ~World();

    /// Runs until everything published is decided and every run has ended.
    Report run();

    ledger::LedgerReader& reader() { return storage_->reader(); }
    Storage& storage() { return *storage_; }
    [[nodiscard]] const SimLauncher& launcher() const { return launcher_; }
    /// Events that the bus accepted, in its order.
    [[nodiscard]] const std::vector<events::Arrival>& arrivals();

  private:
    struct Crash {};
    enum class Quiet { Yes, Endless };

    void boot();
    void start_shell();
    void die();
    bool rise();
    /// Everything up to the next instant at which something happens.
    void live();
    void close_down();
    void work_until_quiet();
    void pump();
    void act(const Edit& edit);
    void apply(const std::vector<std::string>& documents, bool with_flows);
    void publish(const Publication& publication);
    [[nodiscard]] std::optional<Instant> next_instant();
    [[nodiscard]] bool stopped_now() const;
    static void crash_hook(const char* name);

    const Plan& plan_;
    Weather weather_;
    SimClock clock_;
    Chance chance_;
    SimLauncher launcher_;
    std::unique_ptr<Storage> storage_;
    std::unique_ptr<FaultyLedger> ledger_;
    std::unique_ptr<engine::Shell> shell_;
    std::deque<std::function<void()>> posts_;
    std::size_t next_publication_ = 0;
    std::size_t next_edit_ = 0;
    std::vector<events::Arrival> arrivals_;
    Report report_;
    bool foul_ = true; ///< faults may happen; false while closing down
    static World* crashing_;
};

/// Exactly once: each fired decision has one run, each run known to the backend has one decision, each
/// accepted event was taken once, nothing is left open. Adds what is wrong.
void check_exactly_once(World& world, std::vector<std::string>& failures);

/// Decisions, and the answer of `why` for every recorded event and trigger, equal the reference model's.
void check_against_reference(World& world, const Plan& plan, std::vector<std::string>& failures);

} // namespace weir::sim
