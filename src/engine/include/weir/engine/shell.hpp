#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/engine/core.hpp>
#include <weir/events/bus.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/ledger.hpp>

namespace weir::engine {

/// Documented limits and delays of the shell.
struct ShellConfig {
    std::size_t batch_max = 1000; ///< inputs and uncounted arrivals a transaction
    std::size_t read_bytes_max = 8 * 1024 * 1024;
    std::size_t buffer_max = 2000;                        ///< arrivals read ahead, per stream
    Duration launch_timeout = std::chrono::seconds(60);   ///< deadline of a request
    Duration look_first_after = std::chrono::seconds(60); ///< a launch decided longer ago looks first
    Duration retry_min = std::chrono::milliseconds(100);  ///< back-off of commits and looks, doubling
    Duration retry_max = std::chrono::seconds(10);
    Duration source_grace = std::chrono::minutes(5); ///< an unreachable stream is left out after it
    CoreLimits limits;
};

/// A backend as the shell uses it.
struct Backend {
    flows::Launcher* launcher = nullptr;
    flows::RunWatcher* watcher = nullptr;
};

/// What ties the shell to threads. Simulation runs everything inline.
struct ShellPorts {
    const Clock& clock;
    ledger::Ledger& ledger;
    std::vector<events::Bus*> buses;
    std::map<std::string, Backend> backends;
    /// Runs a task on the shell's own thread, later.
    std::function<void(std::function<void()>)> post;
    /// Runs a task where it may block (the ledger's thread); inline in simulation.
    std::function<void(std::function<void()>)> commit_on;
    /// Unique ids for new triggers.
    std::function<TriggerUid()> mint_uid;
};

/// The engine's outside: puts inputs into one order, steps the core, commits, then acts.
/// Owner:  the application (or the simulation).
/// Thread: one, the loop's; other threads come in through ShellPorts::post.
/// Errors: open() returns them. Later: a ledger that cannot write now is retried with the same batch and the
///         sources paused; a lost epoch or a damaged ledger sets fatal() and nothing happens any more.
/// Time:   the order of inputs follows arrival times (design, section 4, Time); only this class reads the
/// clock.
class Shell {
  public:
    Shell(ShellPorts ports, ShellConfig config);
    ~Shell();
    Shell(const Shell&) = delete;
    Shell& operator=(const Shell&) = delete;

    /// Takes the ledger over, restores the core, finds the streams, follows what was running.
    Status open();

    /// Takes what came, decides, commits. Never waits. True if there may be more to do at once.
    bool turn();
    /// How long until turn() has something to do though nobody calls; nothing: only when something comes.
    [[nodiscard]] std::optional<Duration> wake_in() const;
    /// Everything read, decided and committed, as far as is known now. For tests and a clean stop.
    [[nodiscard]] bool idle() const;
    [[nodiscard]] const std::optional<Error>& fatal() const { return fatal_; }

    /// What came of a submitted change or command.
    struct Outcome {
        std::optional<Error> error;
        std::optional<RunId> run;
    };
    using Done = std::function<void(Outcome)>;
    /// Feeds a change or command; `done` is called once it is durable, or refused.
    void submit(decltype(Input::what) what, Done done);

    /// A report of a backend; any order, repeats are harmless.
    void report(flows::RunReport report);

    [[nodiscard]] const Core& core() const { return *core_; }
    [[nodiscard]] const std::string& instance() const { return instance_; }
    [[nodiscard]] TriggerUid mint_uid() const { return ports_.mint_uid(); }

    struct StreamView {
        std::string name;
        Position position;
        std::string stopped; ///< why it is not read; empty: it is
        std::size_t buffered = 0;
    };
    [[nodiscard]] std::vector<StreamView> streams() const;
    struct Counters {
        std::int64_t arrivals = 0, recorded = 0, duplicates = 0, conflicting = 0, decisions = 0, runs = 0,
                     commits = 0, commit_failures = 0, launches = 0, looks = 0;
        std::map<std::string, std::int64_t> settled; ///< by outcome word
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }
    /// The ledger cannot take a commit just now; empty: all is well.
    [[nodiscard]] const std::string& stalled() const { return stalled_; }

  private:
    struct Stream;
    struct Pending {
        Instant time;
        decltype(Input::what) what;
        Done done;
    };
    struct Choice;

    Status open_streams(const ledger::Snapshot& snapshot);
    void resume_runs();
    void read_streams();
    void read(Stream& stream);
    std::optional<Choice> choose();
    std::optional<Choice> earliest();
    enum class Drained { Yes, MoreCame, NotYet };
    Drained drained_after(Instant time, const Stream* except);
    void take_arrival(Stream& stream);
    void take(Instant time, decltype(Input::what) what, Done done);
    void run_later();
    void gather();
    Status find_duplicate(ArrivalInput& arrival, Instant time);
    void step(Input input, Done done);
    void give_up(Error error);
    void count_arrival(const events::Arrival& arrival, ledger::StreamNo no);
    void note_positions();
    void commit();
    void committed(Status status);
    void act(const Act& act);
    void send(const Act& act, const ledger::RunRow& run);
    void retry(const Act& act, const ledger::RunRow& run);
    void look(ledger::RunNo run);
    void replied(ledger::RunNo run, const flows::LaunchReply& reply);
    void looked(ledger::RunNo run, const flows::LookReply& reply);
    void fact(ledger::RunNo run, RunFactInput::Kind kind, std::string reason = {});
    void refuse_run(ledger::RunNo run, std::string reason);
    void later(Duration delay, std::function<void()> task);
    Seq next_seq();

    ShellPorts ports_;
    ShellConfig config_;
    std::unique_ptr<Core> core_;
    std::string instance_;
    ledger::Epoch epoch_;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::multimap<Instant, Pending> facts_;
    std::deque<Pending> changes_;
    Seq next_seq_;
    Instant log_time_{};
    // The batch under way, and what belongs to it.
    ledger::Batch batch_;
    std::vector<Act> acts_;
    std::vector<std::pair<Done, Outcome>> done_;
    std::unordered_map<std::string, ledger::Seen> batch_seen_;
    std::size_t taken_ = 0; ///< inputs and counted arrivals in the batch
    bool committing_ = false;
    Duration commit_backoff_{};
    std::string stalled_;
    std::optional<Error> fatal_;
    std::map<ledger::RunNo, Instant> look_fresh_; ///< decided or looked for in this process, by wall clock
    std::multimap<SteadyInstant, std::function<void()>> later_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    Counters counters_;
};

} // namespace weir::engine
