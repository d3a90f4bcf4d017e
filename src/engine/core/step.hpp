#pragma once

#include <memory>
#include <string>
#include <vector>

#include <weir/engine/core.hpp>

#include "identity.hpp"
#include "run_states.hpp"

namespace weir::engine {

/// One step's working set. Everything that reads as "the core decides" is a method here; rows go to the
/// batch.
struct Core::Step {
    Core& core;
    const Input& input;
    Seq seq;
    const StepContext& context;
    ledger::Batch& batch;
    StepResult& result;
    std::map<ledger::TriggerNo, int> firings{}; ///< this step's firings per trigger so far: n of the id
    using EarlyKey = std::pair<RunId, int>;     ///< run and attempt, 0: none named

    void run();

    // arrival.cpp: an event meets triggers
    void decide(const ArrivalInput& arrival);
    /// The completing event of a match: what it is, where it comes from, how deep its causes go.
    struct Completing {
        triggers::EventView& view;
        std::string wire;
        Cause cause;
        int depth = 0;
    };
    void match(Completing& event);
    void meet(Trigger& trigger, Completing& event, const std::vector<int>& leaves);
    void offer(Trigger& trigger, Completing& event, const std::vector<int>& leaves);
    /// The decision made, if one was recorded.
    std::optional<ledger::DecisionNo> fire_join(Trigger& trigger, Completing& event,
                                                const triggers::JoinFiring& joined);
    void write_entered(Trigger& trigger, const triggers::JoinStep& step, const Completing& event);
    using DecisionsByKey = std::map<std::string, ledger::DecisionNo>;
    void write_left(Trigger& trigger, const triggers::JoinStep& step, const DecisionsByKey& decisions);
    void sweep();

    // firing.cpp: a firing becomes a decision and a run
    struct Firing {
        Trigger& trigger;
        std::string reason;
        std::string key;
        std::vector<LeafEvent> events; ///< leaf order
        std::string leaf;              ///< the leaf that the completing event filled
        int depth = 0;
        bool joined = false;
    };
    std::optional<ledger::DecisionNo> fire(Firing& firing, Completing& event);
    std::optional<ledger::DecisionNo> fail(Trigger& trigger, const Completing& event, std::string leaf,
                                           std::string reason, std::string detail);
    ledger::DecisionRow decision(const Trigger& trigger, const Cause& cause);
    ledger::RunRow new_run(const Firing& firing, const ledger::DecisionRow& decision,
                           const flows::FlowVersion& flow, std::string arguments_json);
    /// Puts a run into its first state: held back, ready, or sent if a place is free.
    void launch(ledger::RunRow run, Trigger* trigger);
    /// Opens the breakers: from then on firings wait until the trigger is resumed.
    void trip(Trigger& trigger, int depth);
    /// Whether a firing may not launch now: a verdict word, or empty.
    std::string suppression(const Trigger& trigger) const;

    // runs.cpp: the life of a run
    void learn(const RunFactInput& fact);
    const ledger::RunRow* run_named(const std::string& id) const;
    void started(ledger::RunRow& run, const RunFactInput& fact, bool flap);
    void open_attempt(const ledger::RunRow& run);
    void settle(ledger::RunRow& run, const RunFactInput& fact);
    static Instant settled_at(const ledger::RunRow& run);
    void release(Trigger& trigger);
    /// Ends the first `count` runs that wait: a newer firing takes their place.
    void supersede(Trigger& trigger, std::size_t count);
    void cancel_unfinished(const Trigger& trigger);
    void send_ready();
    bool send(ledger::RunRow& run);
    bool place_free(const ledger::RunRow& run) const;
    bool place_free_on(const std::string& backend) const;
    /// Moves a run by the table, keeps every count that depends on its state.
    void enter(ledger::RunRow& run, ledger::RunState next);
    void count(const ledger::RunRow& run, int by);
    void write(const ledger::RunRow& run);
    void act(Act::Kind kind, const ledger::RunRow& run, std::string reason = {});
    void settle_later(const ledger::RunRow& run, flows::Outcome outcome, std::string reason);

    // reports.cpp: what backends and flows say of the end of runs
    /// Until when a flow's own report of this end is awaited; nothing: it is in, or none will come.
    std::optional<Instant> awaits_report(const ledger::RunRow& run, const RunFactInput& fact) const;
    bool outputs_wanted(const ledger::RunRow& run) const;
    /// It has ended; it settles when its report is in, or at `until` (nothing: at once).
    void end(ledger::RunRow& run, const RunFactInput& fact, std::optional<Instant> until);
    void settle_ended(const ledger::RunRow& run);
    /// What the backend says of the end, with what the flow itself has said before.
    RunFactInput told(const ledger::RunRow& run, const RunFactInput& fact) const;
    void report(const ReportInput& report);
    void keep_early(const ReportInput& report);
    std::vector<EarlyKey> outdated_early() const;
    void put_early(ledger::EarlyReportRow row);
    void drop_early(const EarlyKey& key);
    /// Of the reports that are kept about this run, those of attempts up to this one are not awaited any
    /// more.
    void drop_early(const ledger::RunRow& run);
    void take_early(ledger::RunRow& run, int attempt, Instant started);
    /// The attempt of this fact opens, if it has not.
    void open_reports(ledger::RunRow& run, const RunFactInput& fact);
    void run_timer(const ledger::TimerSetRow& timer);
    void end_run_timers(const ledger::RunRow& run);

    // observed.cpp: runs that weir did not launch
    void see(const RunFactInput& fact);
    void next_attempt(const ledger::RunRow& run, const RunFactInput& fact);
    ledger::RunRow given_run(const RunId& id, const flows::FlowVersion& flow, const char* origin,
                             Cause cause);
    void reopen(const RunFactInput& fact);

    // changes.cpp: triggers and flows come and go
    void change(const ApplyInput& apply);
    void put_flow(const std::shared_ptr<const flows::FlowVersion>& flow, const std::string& principal);
    void put_trigger(const TriggerApply& apply, const std::string& principal);
    void update_trigger(Trigger& trigger, const TriggerApply& apply, const std::string& principal);
    void keep_held(Trigger& trigger, const triggers::CompiledTrigger& next);
    void delete_trigger(const std::string& team, const std::string& name);
    void pause(const PauseInput& pause);
    void resume(const ResumeInput& resume);
    void set_state(Trigger& trigger, ledger::TriggerState state, std::string reason);
    void audit(const std::string& principal, std::string action, std::string target,
               const std::string& reason);
    void refuse(ErrorKind kind, std::string message);

    // timers.cpp
    void timer(const TimerInput& timer);
    void slot(Trigger& trigger, const ledger::TimerSetRow& timer);
    /// Sets the timers of a new version's schedules; those that `before` (nothing: a new trigger) has too
    /// stay.
    void set_slots(Trigger& trigger, const triggers::When* before);
    void set_timer(ledger::TimerSetRow timer);
    void end_timer(const TimerName& name, std::string why);

    // commands.cpp
    void run_flow(const RunFlowInput& command);
    void cancel(const CancelInput& command);
    void cancel_run(ledger::RunRow& run, const std::string& reason);
    void retry(const RetryInput& command);
    void start_run(const StartRunInput& command);

    // The input's own row.
    ledger::InputRow& record(ledger::InputKind kind);
    void record_event(ledger::InputKind kind, const events::Event& event, const std::string& wire);
    void hold(Seq event, const std::string& wire, Instant time);
    void let_go(Seq event);
};

/// The event of a settlement (design, section 4): type weir.run.finished, data = the run line.
events::Event settlement_event(const std::string& instance, const ledger::RunRow& run);
/// Of the firings that wait only the newest is kept.
inline bool one_waits(triggers::Launch::Overlap overlap) noexcept {
    return overlap == triggers::Launch::Overlap::Latest ||
           overlap == triggers::Launch::Overlap::CancelRunning;
}
/// How deep the causes of an event go: attribute `weirdepth`, 0 without one.
int depth_of(const events::Event& event);
/// Hold word of a waiting run whose settlement follows in the same batch; never stored.
inline constexpr std::string_view ending = "ending";
/// Hold word of a ready run whose backend has asked for patience.
inline constexpr std::string_view postponed = "postponed";

} // namespace weir::engine
