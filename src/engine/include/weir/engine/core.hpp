#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/engine/binding.hpp>
#include <weir/engine/engine.hpp>
#include <weir/engine/input.hpp>
#include <weir/engine/ready_runs.hpp>
#include <weir/ledger/ledger.hpp>
#include <weir/triggers/join.hpp>
#include <weir/triggers/matcher.hpp>

namespace weir::engine {

/// Hold word of a sent run whose request waits in its backend's hands: nothing has left.
inline constexpr std::string_view queued = "queued";

/// Number on every decision: raised, with an ADR and golden replays, when the same inputs would decide
/// otherwise.
inline constexpr int decision_semantics = 2; // ADR 10

/// Documented limits of the core.
struct CoreLimits {
    int places_per_trigger = 16;                       ///< launches of one trigger whose reply is open
    int places = 256;                                  ///< the same on one backend
    std::size_t waiting_max = 10'000;                  ///< firings one paused or tripped trigger holds back
    int failures_per_hour = 100;                       ///< failed decisions stored per trigger and hour
    Duration report_grace = std::chrono::seconds(30);  ///< a flow's own report may be that much later
    Duration outputs_grace = std::chrono::minutes(10); ///< the same where a trigger maps its outputs
    std::size_t early_reports_max = 10'000;            ///< reports kept of runs and attempts not known yet
    std::size_t early_reports_bytes_max = 64 * 1024 * 1024; ///< the same, in bytes
    Duration early_reports_age = std::chrono::hours(24);
    std::size_t report_bytes_max = 1024 * 1024; ///< all that a flow has reported of one attempt
    std::size_t report_outputs_max = 1000;      ///< the same
    std::size_t report_artifacts_max = 1000;    ///< the same
};

struct CoreConfig {
    std::string instance = "weir";
    std::string secret;
    CoreLimits limits;
    bool publish_settlements = false; ///< each settlement goes out as an event as well (an outside bus)
};

/// A new attempt of this run has been decided, and no report of it has come yet: whether the backend was told
/// is not known, so that it is told (again) after a restart.
inline bool retry_asked(const ledger::RunRow& run) noexcept {
    return run.state == ledger::RunState::Accepted && run.attempt > 1;
}

/// The attempt that may still follow the end of a settled run; 0: none will. Of a run whose settlement is on
/// its way to the ledger: any may.
inline int next_attempt_of(const ledger::RunRow& run) noexcept {
    const bool may = run.state != ledger::RunState::Settled || run.outcome == flows::Outcome::Failed ||
                     run.outcome == flows::Outcome::Cancelled;
    return may ? run.attempt + 1 : 0;
}

/// What may differ between a run and its replay without changing a decision.
struct StepContext {
    ledger::Epoch epoch;
    Instant send_deadline{}; ///< for runs that become `sent` in this step
};

/// One step's outcome besides the rows.
struct StepResult {
    std::vector<Act> acts;
    /// Facts that follow at once: fed right after this input, in the same batch.
    std::vector<RunFactInput> followups;
    std::optional<RunId> run;     ///< RunFlowInput: the run it made
    std::optional<Error> refused; ///< a command or change that cannot be carried out: nothing was recorded
    /// False: the input had no effect and no row; its seq is free for the next one.
    bool recorded = true;
};

/// The engine's decisions, pure: no clock, no chance, no I/O. Production, simulation, replay and tests run
/// this. Owner:  the shell. Thread: one at a time. Errors: a command that cannot be carried out is refused in
/// StepResult; everything else is decided. Limits: CoreLimits, and those of each operator.
class Core {
  public:
    explicit Core(CoreConfig config);
    ~Core();
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    /// Rebuilds the state from what the ledger holds. Call once, first.
    Status restore(const ledger::Snapshot& snapshot);

    /// Which leaves an event meets. Changes nothing.
    void meet(triggers::EventView& view, triggers::Matcher::Match& match);
    /// Decides one input; rows go to `batch`. An arrival that met no pattern must not be fed: only count it.
    StepResult step(Input input, Seq seq, const StepContext& context, ledger::Batch& batch);

    /// The earliest timer.
    struct DueTimer {
        Instant due;
        TimerInput timer;
    };
    [[nodiscard]] std::optional<DueTimer> next_timer() const;

    /// A run that is not settled (or is just being retried); nullptr otherwise.
    [[nodiscard]] const ledger::RunRow* run(ledger::RunNo no) const;
    [[nodiscard]] const ledger::RunRow* run(const RunId& id) const;
    [[nodiscard]] const std::map<ledger::RunNo, ledger::RunRow>& runs() const { return runs_; }
    [[nodiscard]] std::shared_ptr<const flows::FlowVersion> flow(const std::string& team,
                                                                 const std::string& name) const;
    [[nodiscard]] std::vector<JoinWaiting> waiting(const std::string& team, const std::string& trigger) const;
    [[nodiscard]] std::size_t trigger_count() const { return triggers_.size(); }
    [[nodiscard]] std::size_t held_count() const { return held_.size(); }

    /// What a trigger is now; nullptr if there is none of that name.
    struct TriggerInfo {
        ledger::TriggerNo no;
        int version = 0;
        std::string hash;
        ledger::TriggerState state = ledger::TriggerState::Active;
        std::size_t held = 0;
    };
    [[nodiscard]] std::optional<TriggerInfo> trigger(const std::string& team, const std::string& name) const;
    /// The document of a live trigger; nullptr if there is none.
    [[nodiscard]] const triggers::Trigger* document(const std::string& team, const std::string& name) const;
    /// The version that a run is launched with: its own if it was asked for, else the current one.
    [[nodiscard]] std::shared_ptr<const flows::FlowVersion> flow_of(const ledger::RunRow& run) const;
    [[nodiscard]] std::vector<std::shared_ptr<const flows::FlowVersion>> flows() const;
    [[nodiscard]] std::vector<std::string> flow_names(const std::string& team) const;
    /// The run that a manual request gives, made already or not.
    [[nodiscard]] RunId manual_run_id(const std::string& request_id) const;
    /// Live triggers, by team and name.
    [[nodiscard]] std::vector<ApplyInput::Name> trigger_names() const;

  private:
    struct Trigger {
        ledger::TriggerNo no;
        TriggerUid uid;
        int version = 0;
        std::shared_ptr<const triggers::CompiledTrigger> compiled;
        ledger::TriggerState state = ledger::TriggerState::Active;
        std::string state_reason;
        std::unique_ptr<triggers::Join> join;
        std::vector<int> leaf_numbers;     ///< leaf index -> number in the ledger's held rows
        std::deque<ledger::RunNo> waiting; ///< runs held back, oldest first
        int unfinished = 0;
        int places = 0;
        std::int64_t failed_hour = -1;
        int failed_in_hour = 0;
        std::int64_t fired_minute = -1;
        int fired_in_minute = 0;
    };
    /// A held event's content, once however many triggers hold it.
    struct Held {
        std::string wire;
        Instant time;
        int holders = 0;
    };
    struct Step; // one step's working set; the decisions are its methods

    Trigger* find_trigger(const std::string& team, const std::string& name);
    Status restore_held(const ledger::Snapshot& snapshot);
    void restore_runs(const ledger::Snapshot& snapshot);

    CoreConfig config_;
    triggers::Matcher matcher_;
    std::map<ledger::TriggerNo, Trigger> triggers_;
    std::map<std::pair<std::string, std::string>, ledger::TriggerNo> by_name_;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<const flows::FlowVersion>> flows_;
    std::map<ledger::RunNo, ledger::RunRow> runs_;
    std::unordered_map<RunId, ledger::RunNo> run_ids_;
    std::map<ledger::RunNo, std::shared_ptr<const flows::FlowVersion>>
        run_flows_; ///< runs of a given version
    /// By run and attempt (0: the report names none).
    std::map<std::pair<RunId, int>, ledger::EarlyReportRow> early_reports_;
    std::size_t early_reports_bytes_ = 0;
    ReadyRuns ready_;
    std::unordered_map<Seq, Held> held_;
    using TimerName = std::tuple<ledger::TriggerNo, ledger::TimerKind, std::string>;
    std::map<TimerName, ledger::TimerSetRow> timers_;
    std::set<std::pair<Instant, TimerName>> due_;
    std::map<std::string, int> places_; ///< taken, by backend
    ledger::TriggerNo next_trigger_{1};
    ledger::DecisionNo next_decision_{1};
    ledger::RunNo next_run_{1};
    Instant last_sweep_{};
    Instant last_time_{}; ///< of the newest input
};

} // namespace weir::engine
