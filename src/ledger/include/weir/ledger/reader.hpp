#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/ledger/ledger.hpp>
#include <weir/ledger/records.hpp>

namespace weir::ledger {

/// One page of a listing: newest first; `next` continues it, empty at the end.
template <class Row>
struct Page {
    std::vector<Row> rows;
    std::string next;
};

/// What a listing shows. Every field left empty does not filter; one that the listing does not have is
/// `invalid`: runs take trigger, flow, state, outcome; decisions trigger, state; events type, source, id;
/// triggers trigger, state; flows flow; all take team, since, until (but triggers and flows), after, page,
/// limit.
struct Query {
    std::string team;             ///< exact: events of no team (arrivals) are shown only without it
    std::string trigger;          ///< "name" or "team/name"
    std::string flow;             ///< "name" or "team/name"
    std::string state;            ///< runs: state word; decisions: verdict word; triggers: state word
    std::string outcome;          ///< runs
    std::string type;             ///< events: exact or with `*`
    std::string source;           ///< events: exact
    std::string id;               ///< events: exact
    std::optional<Instant> since; ///< inclusive: time of the input that made the row
    std::optional<Instant> until; ///< exclusive
    /// Only rows whose seq is greater: for watching; then oldest first. Runs count as of RunRow::changed,
    /// triggers as of their newest version or state. Take head() before asking: it is the next `after`.
    std::optional<Seq> after;
    std::string page;        ///< `next` of the page before
    std::size_t limit = 100; ///< 1 to 1000
};

struct HeldRow {
    HeldEnterRow entered;
    std::optional<HeldLeaveRow> left;
};

struct TriggerRow {
    TriggerVersionRow version; ///< current one (or the last one of a deleted trigger)
    TriggerState state = TriggerState::Active;
    std::string state_reason;
    std::int64_t fired = 0; ///< decisions with verdict fired
    std::optional<Instant> next_slot;
};

struct CountRow {
    std::int64_t inputs = 0, decisions = 0, runs = 0, held_open = 0, runs_unsettled = 0;
};

/// The reading side: what happened and why. Decides visibility (only committed rows, only the caller's
/// teams). Owner:  whoever asks; readers never block the writer. Thread: every method from any thread
/// (connections are pooled inside). Errors: `not_found` where one thing was asked for; `invalid` for a broken
/// page token; `unavailable` when busy. Limits: a listing gives at most 1000 rows a page.
class LedgerReader {
  public:
    virtual ~LedgerReader() = default;

    virtual Result<Page<RunRow>> runs(const Query& query) = 0;
    virtual Result<Page<DecisionRow>> decisions(const Query& query) = 0;
    /// Inputs of kind Arrival and Settlement.
    virtual Result<Page<InputRow>> events(const Query& query) = 0;
    /// Deleted ones only when asked for by state "deleted".
    virtual Result<Page<TriggerRow>> triggers(const Query& query) = 0;
    /// Current version of every flow that is not deleted.
    virtual Result<Page<FlowVersionRow>> flows(const Query& query) = 0;
    virtual Result<Page<AuditRow>> audits(const Query& query) = 0;

    virtual Result<RunRow> run(const RunId& id) = 0;
    virtual Result<RunRow> run(RunNo no) = 0;
    virtual Result<std::vector<AttemptRow>> attempts(RunNo run) = 0;
    virtual Result<DecisionRow> decision(DecisionNo no) = 0;
    virtual Result<DecisionRow> decision(const DecisionId& id) = 0;
    /// The run that a fired decision made.
    virtual Result<RunRow> run_of(DecisionNo decision) = 0;
    virtual Result<InputRow> input(Seq seq) = 0;
    /// Inputs with this event id, newest first; `source` empty: any. At most 100.
    virtual Result<std::vector<InputRow>> events_by_id(std::string_view id, std::string_view source) = 0;
    /// All versions of a live or deleted trigger, oldest first; `name` within `team` (the live one if any,
    /// else the one deleted last).
    virtual Result<std::vector<TriggerVersionRow>> trigger_versions(std::string_view team,
                                                                    std::string_view name) = 0;
    virtual Result<std::vector<TriggerVersionRow>> trigger_versions(TriggerNo no) = 0;
    /// State changes of a trigger, oldest first.
    virtual Result<std::vector<TriggerStateRow>> trigger_states(TriggerNo no) = 0;
    virtual Result<std::vector<FlowVersionRow>> flow_versions(std::string_view team,
                                                              std::string_view flow) = 0;
    virtual Result<std::vector<TimerSetRow>> open_timers(TriggerNo no) = 0;

    // Edges, each way, for why and lineage. Batches, so that a breadth-first search asks once a level.
    /// Decisions completed by or including these inputs.
    virtual Result<std::vector<std::pair<Seq, DecisionNo>>> decisions_of_events(
        std::span<const Seq> events) = 0;
    virtual Result<std::vector<DecisionRow>> decisions_by_no(std::span<const DecisionNo> decisions) = 0;
    virtual Result<std::vector<RunRow>> runs_of_decisions(std::span<const DecisionNo> decisions) = 0;
    virtual Result<std::vector<RunRow>> runs_by_no(std::span<const RunNo> runs) = 0;
    /// Settlement inputs of these runs.
    virtual Result<std::vector<std::pair<RunNo, Seq>>> settlements_of_runs(std::span<const RunNo> runs) = 0;
    /// The run that a settlement input settled.
    virtual Result<std::vector<std::pair<Seq, RunNo>>> runs_of_settlements(
        std::span<const Seq> settlements) = 0;
    /// Input rows without their bodies.
    virtual Result<std::vector<InputRow>> inputs_by_seq(std::span<const Seq> seqs) = 0;
    struct ArtifactEdge {
        RunNo run;
        bool output = false;
        flows::ArtifactRecord artifact;
    };
    virtual Result<std::vector<ArtifactEdge>> artifacts_of_runs(std::span<const RunNo> runs) = 0;
    virtual Result<std::vector<ArtifactEdge>> runs_of_artifact(std::string_view uri) = 0;

    /// Where one event was held by one trigger.
    virtual Result<std::vector<HeldRow>> held_of(Seq event, TriggerNo trigger) = 0;
    /// What a trigger held right after input `at` was decided.
    virtual Result<std::vector<HeldRow>> held_at(TriggerNo trigger, Seq at) = 0;
    /// Decisions of this trigger completed by this input.
    virtual Result<std::vector<DecisionRow>> decisions_at(Seq seq, TriggerNo trigger) = 0;

    /// Recorded inputs from `from` on in seq order, whole, for replay.
    virtual Result<std::vector<InputRow>> inputs_from(Seq from, std::size_t limit) = 0;
    virtual Result<CountRow> counts() = 0;
    /// The newest committed seq.
    virtual Result<Seq> head() = 0;

    /// Gaps that were found, oldest first, the newest 1000 at most.
    virtual Result<std::vector<GapRow>> gaps() = 0;
    /// Every stream, with how far it was read as of the newest commit.
    virtual Result<std::vector<StreamState>> streams() = 0;
    /// Every watched place of every backend that was ever done with up to some instant, by name.
    virtual Result<std::vector<WatchedRow>> watched() = 0;
    /// Dead letters; `source` selects a stream by name; takes since, until, after (a dead letter's number),
    /// page, limit. Without their messages.
    virtual Result<Page<DeadLetterRow>> dead_letters(const Query& query) = 0;
    /// One of them, whole.
    virtual Result<DeadLetterRow> dead_letter(DeadLetterNo no) = 0;
    /// Arrivals that met no pattern in the minutes of [from, until), at most 10,000 rows, oldest first.
    virtual Result<std::vector<UncountedRow>> uncounted(Instant from, Instant until) = 0;
};

} // namespace weir::ledger
