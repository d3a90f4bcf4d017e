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
#include <weir/base/sync.hpp>
#include <weir/engine/core.hpp>
#include <weir/events/bus.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/ledger.hpp>

namespace weir::engine {

class Feed;
class Relay;
struct StreamGap;

/// Documented limits and delays of the shell.
struct ShellConfig {
    std::size_t batch_max = 1000; ///< inputs and uncounted arrivals a transaction
    std::size_t read_bytes_max = 8 * 1024 * 1024;
    std::size_t buffer_max = 2000;                        ///< arrivals read ahead, per stream
    Duration launch_timeout = std::chrono::seconds(60);   ///< deadline of a request
    Duration look_first_after = std::chrono::seconds(60); ///< a launch decided longer ago looks first
    /// Where absence is not final: a run that was sent twice and never seen is given up that long after.
    Duration never_seen_after = std::chrono::hours(24);
    Duration retry_min = std::chrono::milliseconds(100); ///< back-off of commits and looks, doubling
    Duration retry_max = std::chrono::seconds(10);
    Duration source_grace = std::chrono::minutes(5); ///< an unreachable stream is left out after it
    /// A person's act, and what a backend says of a run that goes on, wait this long for a stream that does
    /// not answer.
    Duration act_patience = std::chrono::seconds(1);
    std::size_t outgoing_max = 100'000;                 ///< events on their way to the outside bus
    std::size_t outgoing_bytes_max = 512 * 1024 * 1024; ///< the same, by size
    events::EventLimits events;                         ///< of an event whose data comes unread
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
    std::vector<events::Bus*> buses; ///< a remote one is read on a thread of its own, until the shell goes

    std::map<std::string, Backend> backends;
    /// Runs a task on the shell's own thread, later.
    std::function<void(std::function<void()>)> post;
    /// Runs a task where it may block (the ledger's thread); inline in simulation.
    std::function<void(std::function<void()>)> commit_on;
    /// Unique ids for new triggers.
    std::function<TriggerUid()> mint_uid;
    /// The remote bus that takes what clients publish and what weir tells of runs, by way of the ledger.
    /// nullptr: nothing goes out.
    events::Bus* outside = nullptr;
    /// A run of the ledger, settled or not. Asked on the shell's thread; empty: nothing is known of settled
    /// runs.
    std::function<Result<ledger::RunRow>(const RunId&)> find_run;
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
        bool recorded = true; ///< false: it was known already
    };
    using Done = std::function<void(Outcome)>;
    /// Feeds a change or command; `done` is called once it is durable, or refused.
    void submit(decltype(Input::what) what, Done done);

    /// A report of a backend; any order, repeats are harmless.
    void report(flows::RunReport report);

    /// What ended in a place of a backend before `until` was told and is on record: kept, so that a later
    /// process looks on from there. Never goes back.
    void watched(const std::string& backend, const std::string& place, Instant until) {
        watched_[{backend, place}] = until;
    }

    /// Accepts events for the outside bus: `done` once they are durable here. `unavailable` if too many wait
    /// already.
    void publish(std::vector<std::string> wires, Done done);
    /// Reads a stopped stream on, past what was lost. `done` as submit().
    void accept_gap(const std::string& stream, const std::string& principal, const std::string& reason,
                    Done done);
    /// Takes a dead letter that reads as an event now as an arrival of its stream.
    void replay(const ledger::DeadLetterRow& letter, events::Arrival arrival, const std::string& principal,
                const std::string& reason, Done done);
    /// The bus that a stream belongs to; nullptr if it is not among this weir's.
    [[nodiscard]] events::Bus* bus_of(std::string_view stream) const;

    [[nodiscard]] const Core& core() const { return *core_; }
    [[nodiscard]] const std::string& instance() const { return instance_; }
    [[nodiscard]] TriggerUid mint_uid() const { return ports_.mint_uid(); }

    struct StreamView {
        std::string name;
        std::string bus;
        std::string incarnation;
        Position position;       ///< read up to here
        std::string stopped;     ///< why it is not read; empty: it is
        bool vanished = false;   ///< absent, though this process has read it
        bool absent = false;     ///< its bus does not have it, or it is not configured any more
        std::string unreachable; ///< why it cannot be reached just now
        bool left_out = false;   ///< unreachable for longer than source_grace: decisions go on without it
        std::size_t buffered = 0;
    };
    [[nodiscard]] std::vector<StreamView> streams() const;
    [[nodiscard]] std::vector<events::BusState> bus_states() const;
    struct Counters {
        std::int64_t arrivals = 0, recorded = 0, duplicates = 0, conflicting = 0, decisions = 0, runs = 0,
                     commits = 0, commit_failures = 0, launches = 0, looks = 0, dead_letters = 0, echoes = 0,
                     gaps = 0, published = 0;
        std::map<std::string, std::int64_t> settled; ///< by outcome word
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }
    /// Events that wait for the outside bus, and why they do not go out (empty: they do).
    [[nodiscard]] std::size_t outgoing() const { return outgoing_.size(); }
    [[nodiscard]] std::string outgoing_trouble() const;
    /// Open runs that wait for what their backend cannot tell: it is not configured, or does not take a
    /// cancel. Thread: any.
    [[nodiscard]] std::vector<flows::WaitingLaunch> troubles() const;
    /// Backends that are not configured -> runs that were open on them at the start.
    [[nodiscard]] const std::map<std::string, std::size_t>& missing_backends() const {
        return missing_backends_;
    }
    /// The ledger cannot take a commit just now; empty: all is well.
    [[nodiscard]] const std::string& stalled() const { return stalled_; }

  private:
    struct Stream;
    struct BusHandle;
    struct Pending {
        Instant time;
        decltype(Input::what) what;
        Done done;
        SteadyInstant since{};
        /// Set: the input is this dead letter's event.
        std::optional<ledger::DeadLetterNo> letter;
        std::string principal, reason;
    };
    struct Choice;

    // streams.cpp: what streams there are, how they are read, what was lost
    Status open_streams(const ledger::Snapshot& snapshot);
    Status open_inline(events::Bus& bus);
    Stream& add_stream(const ledger::StreamState& state, events::Bus& bus, Feed* feed);
    void open_feed(BusHandle& handle);
    void looked(BusHandle& handle, Instant asked, const std::vector<events::StreamInfo>& infos);
    void register_all(BusHandle& handle, std::vector<ledger::StreamState> sights);
    void registered(BusHandle& handle, const std::vector<Result<ledger::StreamState>>& states);
    void follow(Stream& stream);
    void delivered(const std::string& stream, std::uint64_t generation, events::Reading reading);
    void unreachable(BusHandle& handle, const std::string& stream, const Error& error);
    void stop_stream(Stream& stream, const StreamGap& gap);
    void gap_accepted(const AcceptGapInput& accepted, Seq seq);
    ledger::GapRow gap_row(const Stream& stream, const StreamGap& gap);
    void release(Stream& stream);
    [[nodiscard]] bool left_out(const Stream& stream) const;
    Stream* find_stream(std::string_view name);
    void bury(Stream& stream, const events::Arrival& arrival);
    void note_idle_places();
    // outgoing.cpp: what goes out on the outside bus
    void open_outgoing(const ledger::Snapshot& snapshot);
    void gather_outgoing();
    void number_outgoing(std::size_t before);
    void refused(const ledger::OutgoingRow& row, const Error& error);

    void resume_runs();
    // troubles.cpp: what runs wait for that their backend cannot tell
    bool backend_is_missing(const ledger::RunRow& run);
    void without_backend(const Act& act, const ledger::RunRow& run);
    void trouble(const ledger::RunRow& run, std::string reason, Instant next, int tries);
    void forget_trouble(const RunId& run);
    void cancel(const Act& act, int tries);
    void cancel_answered(const Act& act, int tries, const Status& status);
    [[nodiscard]] static bool ended_on_request(const ledger::RunRow& run, const flows::RunReport& report);
    [[nodiscard]] Duration pause_after(int tries) const;
    [[nodiscard]] Instant time_of(const flows::RunReport& report) const;
    void read_streams();
    void read(Stream& stream);
    std::optional<Choice> choose();
    std::optional<Choice> earliest();
    std::optional<Choice> overdue();
    enum class Drained { Yes, MoreCame, NotYet };
    Drained drained_after(Instant time, const Stream* except);
    void take_arrival(Stream& stream);
    void take_pending(Pending pending, bool overdue);
    void take_letter(Pending pending, Instant time);
    void take(Instant time, decltype(Input::what) what, Done done);
    void add_without(Input& input) const;
    void run_later();
    void gather();
    Status find_duplicate(ArrivalInput& arrival, Instant time);
    void step(Input input, Done done);
    void give_up(Error error);
    void count_arrival(const events::Event& event, Instant time, ledger::StreamNo no);
    [[nodiscard]] bool own_source(const events::Event& event) const;
    void check_place(Stream& stream, const Error& why);
    void note_positions();
    void note_watched();
    void commit();
    void committed(Status status);
    void act(const Act& act);
    void send(const Act& act, const ledger::RunRow& run);
    void retry(const Act& act, const ledger::RunRow& run);
    void look(ledger::RunNo run);
    void replied(ledger::RunNo run, const flows::LaunchReply& reply);
    void looked(ledger::RunNo run, const flows::LookReply& reply, Instant asked);
    void postpone(ledger::RunNo run, std::string reason, Instant next);
    void absent(ledger::RunNo no, const ledger::RunRow& run, Instant asked);
    void report_unknown(flows::RunReport report);
    void lost(const ledger::RunRow& run, std::string reason);
    void end_run(const ledger::RunRow& run, flows::Outcome outcome, std::string reason, bool unsent = false);
    void leave(ledger::RunNo no, Instant deadline, const std::function<void(bool)>& go);
    [[nodiscard]] bool made_already(const RunFactInput& fact) const;
    [[nodiscard]] static bool may_go_on(const ledger::RunRow& run);
    bool waits_for_settlement(Pending& pending);
    static bool dated_by_backend(const RunFactInput& fact);
    void queue(Instant time, RunFactInput fact);
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
    std::vector<std::unique_ptr<BusHandle>> buses_;
    ledger::GapNo next_gap_{1};
    ledger::DeadLetterNo next_letter_{1};
    // What goes out.
    std::unique_ptr<Relay> relay_;
    ledger::OutgoingNo next_outgoing_{1};
    std::map<ledger::OutgoingNo, std::size_t> outgoing_; ///< on their way, with their size
    std::size_t outgoing_bytes_ = 0;
    std::deque<std::pair<std::vector<std::string>, Done>> accepted_; ///< for the batch being gathered
    std::vector<ledger::OutgoingNo> published_;                      ///< for the same
    std::vector<ledger::DeadLetterRow> refused_;                     ///< for the same
    std::vector<ledger::GapRow> found_gaps_;                         ///< for the same
    std::multimap<Instant, Pending> facts_;
    std::deque<Pending> changes_;
    Seq next_seq_;
    Instant log_time_{};
    // The batch under way, and what belongs to it.
    ledger::Batch batch_;
    std::vector<Act> acts_;
    std::vector<std::pair<Done, Outcome>> done_;
    std::unordered_map<std::string, ledger::Seen> batch_seen_;
    triggers::Matcher::Match match_; ///< kept for its memory
    std::size_t taken_ = 0;          ///< inputs and counted arrivals in the batch
    bool committing_ = false;
    bool awaiting_ = false; ///< some stream was asked, and what is next depends on its answer
    Duration commit_backoff_{};
    std::string stalled_;
    std::optional<Error> fatal_;
    /// What this process knows of a launch before its request leaves.
    struct Fresh {
        Instant at;          ///< when it was decided or looked for, by wall clock
        bool looked = false; ///< looks found nothing, for as long as that takes
        bool unsent = false; ///< made `sent` here, and looked for first: nothing has left
        int looks = 0;       ///< in vain, so far
    };
    std::map<ledger::RunNo, Fresh> fresh_;
    Sync<std::map<RunId, flows::WaitingLaunch>> troubles_;
    std::map<std::string, std::size_t> missing_backends_;
    std::set<ledger::RunNo> postponed_;            ///< their backend asked for patience: nothing has left
    std::map<std::pair<RunId, int>, Instant> odd_; ///< contradictions recorded by this process
    /// Of attempts that follow one whose settlement is not in the ledger yet; with their times.
    std::vector<std::pair<Instant, RunFactInput>> late_news_;
    static constexpr std::size_t late_news_max = 10'000; ///< beyond, news waits for the run's next report
    std::map<std::pair<std::string, std::string>, Instant> watched_; ///< to be written
    Instant opened_{}; ///< requests of earlier processes are older than this
    std::multimap<SteadyInstant, std::function<void()>> later_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    Counters counters_;
};

} // namespace weir::engine
