#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/digest.hpp>
#include <weir/base/ids.hpp>
#include <weir/flows/records.hpp>

/// The rows of the ledger as plain records. Who reads or writes the ledger speaks in these.
namespace weir::ledger {

// Surrogate keys, handed out by the engine core in order; stable for ever.
using StreamNo = Number<struct StreamNoTag>;
using TriggerNo = Number<struct TriggerNoTag>;
using DecisionNo = Number<struct DecisionNoTag>;
using RunNo = Number<struct RunNoTag>;
using OutgoingNo = Number<struct OutgoingNoTag>;
using DeadLetterNo = Number<struct DeadLetterNoTag>;
using GapNo = Number<struct GapNoTag>;

/// Who else may write. Raised by whoever takes the log over; every commit is conditional on it.
using Epoch = Number<struct EpochTag>;

/// Kinds of recorded inputs. One input = one row = one seq.
enum class InputKind : std::uint8_t {
    Arrival,    ///< an event from a bus
    Settlement, ///< a run's attempt ended: an arrival of the stream `internal`
    RunFact,    ///< anything else learned about a run: accepted, refused, unknown...
    TimerFired,
    Change,  ///< a trigger or flow was applied, deleted, paused, resumed
    Command, ///< a person asked for something: run, cancel, retry
};

/// An identity already seen: the same source and id at an earlier place.
struct Seen {
    Seq seq;       ///< the earliest input with this identity in the window
    Digest digest; ///< its payload digest; another one means a conflicting duplicate
};

struct InputRow {
    Seq seq;
    InputKind kind = InputKind::Arrival;
    Instant time;        ///< never falls with seq
    Duration late_by{0}; ///< how much older the arrival was than `time` says
    // Arrival and Settlement: where and what. Settlement: stream `internal`, position = n of seq.
    StreamNo stream;
    Position position;
    std::string type;
    std::string source;
    std::string id; ///< the event's id
    std::string subject;
    std::string team; ///< Settlement: team of the flow
    std::optional<Seq> duplicate_of;
    bool conflicting = false; ///< duplicate with another digest
    bool echo = false;        ///< a copy of our own completion event come back
    Digest digest{};
    /// Arrival and Settlement: the event in wire form (events/wire_codec.hpp). Others: a JSON object that
    /// holds everything needed to step the core again.
    std::string body;
};

struct PositionRow {
    StreamNo stream;
    Position position; ///< read up to here
    Instant time;      ///< of the newest arrival at or before `position`
    Position event{};  ///< place of that arrival; 0: none was read
    Digest digest{};   ///< events::place_digest() of it: checked when reading on
};

/// A stream goes on as another incarnation (its gap was accepted).
struct StreamRow {
    StreamNo no;
    std::string incarnation;
};

/// Arrivals that met no pattern: only counted.
struct UncountedRow {
    std::int64_t minute = 0; ///< minutes since 1970, of the arrival time
    StreamNo stream;
    std::string type;
    std::string source;
    std::int64_t count = 0;
};

enum class Verdict : std::uint8_t { Fired, Suppressed, Failed };
std::string_view to_string(Verdict verdict) noexcept;

/// One event that a decision used.
struct IncludedRow {
    Seq seq;
    std::string leaf;
};

struct DecisionRow {
    DecisionNo no;
    DecisionId id;
    Seq seq;           ///< the completing input
    int n = 0;         ///< which firing of that step and trigger
    TriggerNo trigger; ///< 0: a manual run
    int version = 0;
    int semantics = 1;
    Verdict verdict = Verdict::Fired;
    std::string
        reason; ///< a stable word: "match", "slot", "overlap_skip", "queue_full", "depth", "key_failed"...
    std::string detail; ///< one sentence for a person; may quote values
    std::string occasion = "live";
    std::string cause;                 ///< readable form of what was hashed into the id
    std::string key;                   ///< canonical text of the join key; empty: none
    std::string leaf;                  ///< leaf the completing event filled
    std::vector<IncludedRow> included; ///< joins only: every event used, leaf order, the completing one too
    std::vector<std::string> without;  ///< streams left out by source_grace
    std::string team;
    Instant time;
};

struct HeldEnterRow {
    TriggerNo trigger;
    int leaf = 0; ///< index in the document
    std::string leaf_name;
    std::string key; ///< canonical text; empty: shared by all keys
    Seq event;       ///< the held event
    Seq in;          ///< input at which it entered (= event)
    Instant time;    ///< its arrival time
};
struct HeldLeaveRow {
    TriggerNo trigger;
    int leaf = 0;
    Seq event;
    Seq out;
    std::string why; ///< consumed, superseded, expired, reset, updated, dropped
    std::optional<DecisionNo> decision;
};

enum class TimerKind : std::uint8_t {
    Slot,
    MaxAge,
    Report,    ///< of a run, trigger 0: its own report is awaited no longer
    Postponed, ///< of a run, trigger 0: its backend is asked again
};
/// Timers are named by (trigger, kind, key); at most one of a name is open.
struct TimerSetRow {
    TriggerNo trigger;
    TimerKind kind = TimerKind::Slot;
    std::string key; ///< Slot: leaf name; others: run id
    Instant due;
    Seq set;
    std::string tzdata; ///< Slot: the tzdata version the instant was computed with
    Instant previous{}; ///< Slot: the slot before this one (0: none)
};
struct TimerEndRow {
    TriggerNo trigger;
    TimerKind kind = TimerKind::Slot;
    std::string key;
    Instant due;
    Seq end;
    std::string why; ///< fired, replaced, deleted
};

/// States of a run's launch and life, one table in engine/core (run_states).
enum class RunState : std::uint8_t {
    Waiting,  ///< decided, held back: overlap queue, pause or breaker (`hold` says which)
    Ready,    ///< to be sent when a place is free
    Sent,     ///< a request may be open; durable before its first byte
    Unknown,  ///< a request was open and its reply is lost: being looked for
    Accepted, ///< the backend has it
    Running,  ///< the backend reports that it started
    Settled,  ///< its newest attempt ended
    Ended,    ///< the backend says that its newest attempt ended; the flow's own report of it is awaited
};
std::string_view to_string(RunState state) noexcept;
std::optional<RunState> run_state_from(std::string_view word) noexcept;

struct EventRef {
    Seq seq;
    std::string source;
    std::string id;
    std::string role; ///< leaf name
};

/// A run: IS the launch outbox. Everything but the fields of RunUpdateRow is written once.
struct RunRow {
    RunNo no;
    RunId id;
    DecisionNo decision;
    DecisionId decision_id;
    TriggerNo trigger;        ///< 0: manual
    std::string trigger_name; ///< empty: manual
    int trigger_version = 0;
    std::string team;
    std::string flow_team;
    std::string flow;
    std::string backend;
    int launch_no = 1;
    int depth = 0;              ///< causal depth: runs between the first outside event and this one
    std::string arguments_json; ///< given parameters, bound to declared types
    std::vector<EventRef> events;
    std::string principal; ///< manual runs: who
    std::string origin; ///< "" (a trigger), "manual", "api" (of a given flow version), "observed" (elsewhere)
    Instant created;    ///< the cause's time
    Seq created_seq;
    RunState state = RunState::Ready;
    std::string hold; ///< Waiting: "overlap", "paused", "breaker"; Ready: "postponed"; Sent: "queued" while
                      ///< nothing has left
    // As of the newest update:
    std::string flow_version; ///< resolved when sent
    Epoch sent_epoch;
    Instant sent_deadline{};
    int sends = 0; ///< requests that left, or may have; the second one is a resend
    int looks = 0;
    int attempt = 0;             ///< 0: none opened
    std::string backend_version; ///< what the backend made of the flow's version: "PIPELINE/VERSION"
    std::string report_json;     ///< what is known of the newest attempt before it settles (StoredReport)
    std::optional<flows::Outcome> outcome;
    std::string reason; ///< why refused, skipped, failed: one line
    std::string outputs_json = "{}";
    Instant started_at{};
    Instant finished_at{};
    Instant cancel_requested{};
    Seq changed; ///< newest input that changed it; filled in by the ledger, ignored in a Batch
};

/// What changed about a run, in full (small, and no half-merged states).
struct RunUpdateRow {
    RunNo no;
    Seq seq; ///< the input that changed it
    RunState state = RunState::Ready;
    std::string hold;
    std::string flow_version;
    Epoch sent_epoch;
    Instant sent_deadline{};
    int sends = 0;
    int looks = 0;
    int attempt = 0;
    std::string backend_version;
    std::string report_json;
    std::optional<flows::Outcome> outcome;
    std::string reason;
    std::string outputs_json = "{}";
    Instant started_at{};
    Instant finished_at{};
    Instant cancel_requested{};
};

/// Attempt n of a run: opened, later settled.
struct AttemptRow {
    RunNo run;
    int attempt = 1;
    Seq opened;
    std::optional<Seq> settled;
    std::optional<flows::Outcome> outcome;
    std::string error;
    Instant started_at{};
    Instant finished_at{};
    std::vector<flows::ArtifactRecord> inputs;
    std::vector<flows::ArtifactRecord> outputs;
};

/// A report of a flow about a run, or an attempt, that is not known yet: kept until that attempt opens, a day
/// at most.
struct EarlyReportRow {
    RunId run;
    int attempt = 0; ///< 0: the report names none
    Instant time;
    std::string body; ///< the report as JSON
};

/// How far a place of a backend is done with: whatever ended there before was told and is on record.
struct WatchedRow {
    std::string backend;
    std::string place; ///< "TEAM/EXPERIMENT"; "TEAM/": all of the team's
    Instant until;
};

enum class TriggerState : std::uint8_t { Active, Paused, Tripped, Deleted };
std::string_view to_string(TriggerState state) noexcept;

/// A new version of a trigger (or its first one).
struct TriggerVersionRow {
    TriggerNo no;
    TriggerUid uid;
    std::string team;
    std::string name;
    int group = 0; ///< 0..63, hash of uid
    int version = 1;
    std::string hash;
    std::string document_json; ///< canonical document
    std::string source_text;   ///< as applied
    Seq from;
    std::optional<Seq> to;
    std::string principal;
};
struct TriggerStateRow {
    TriggerNo no;
    TriggerState state = TriggerState::Active;
    std::string reason;
    Seq seq;
};
struct FlowVersionRow {
    flows::FlowVersion flow;
    Seq from;
    std::optional<Seq> to;
    bool deleted = false; ///< the flow was deleted at `from`
    std::string principal;
};

struct AuditRow {
    Seq seq;
    int n = 0;
    std::string principal;
    std::string action; ///< apply, delete, pause, resume, run, cancel, retry...
    std::string target; ///< "trigger ads/retrain", "run 0199..."
    std::string reason; ///< never empty
    Instant time;
    std::string team; ///< empty in a Batch: taken from a target "KIND TEAM/NAME" or "run ID"
};

/// An event on its way to an outside bus: accepted from a client (the inbox) or made by weir. Kept until the
/// bus has it.
struct OutgoingRow {
    OutgoingNo no;    ///< handed out in order by the engine; published in this order
    std::string body; ///< wire form
};

/// Something was lost between two positions of a stream, or its numbers mean something else now. The stream
/// is not read until it is accepted.
struct GapRow {
    GapNo no;
    StreamNo stream;
    std::string kind; ///< "retention", "recreated", "truncated", "rewritten", "unreadable"
    Position from;    ///< first lost one, as far as is known
    Position to;      ///< last lost one; below `from`: unknown
    std::string detail;
    Instant found;
    std::optional<Seq> accepted; ///< the command that accepted it
    std::string stream_name;     ///< filled in by the reader, ignored in a Batch
};
struct GapAcceptedRow {
    GapNo no;
    Seq seq;
};

/// A message that is no event, as it came (events::Poison), or an outgoing event that no bus takes.
struct DeadLetterRow {
    DeadLetterNo no;
    StreamNo stream;   ///< 0: an outgoing one
    Position position; ///< in its stream
    Instant time;      ///< of arrival
    std::string reason;
    std::string message; ///< events::encode_message(); empty once retention dropped it
    std::int64_t bytes = 0;
    bool cut = false;                ///< only the beginning of the message is kept
    std::optional<Instant> replayed; ///< when it was read again as an event
    Seq replayed_seq;                ///< the input that it became; 0: it met no pattern
    std::string stream_name;         ///< filled in by the reader, ignored in a Batch
};
struct DeadLetterReplayedRow {
    DeadLetterNo no;
    Instant time;
    Seq seq;
};

/// Everything one transaction writes. Order inside a list is order of happening.
struct Batch {
    Seq next_seq;     ///< the seq that the next input will get
    Instant log_time; ///< time of the last input; never falls
    std::vector<InputRow> inputs;
    std::vector<PositionRow> positions;
    std::vector<UncountedRow> uncounted;
    std::vector<DecisionRow> decisions;
    std::vector<HeldEnterRow> held_entered;
    std::vector<HeldLeaveRow> held_left;
    std::vector<TimerSetRow> timers_set;
    std::vector<TimerEndRow> timers_ended;
    std::vector<RunRow> runs;
    std::vector<RunUpdateRow> run_updates;
    std::vector<AttemptRow> attempts_opened;
    std::vector<AttemptRow> attempts_settled;
    std::vector<EarlyReportRow> early_reports; ///< one of the same run and attempt already there is replaced
    std::vector<std::pair<RunId, int>> early_reports_gone; ///< run and attempt
    std::vector<WatchedRow> watched; ///< one of a place already there moves on to it, never back
    std::vector<TriggerVersionRow> trigger_versions;
    std::vector<TriggerStateRow> trigger_states;
    std::vector<FlowVersionRow> flow_versions;
    std::vector<AuditRow> audits;
    std::vector<OutgoingRow> outgoing;
    std::vector<OutgoingNo> outgoing_done; ///< the bus has them
    std::vector<GapRow> gaps;
    std::vector<GapAcceptedRow> gaps_accepted;
    std::vector<StreamRow> streams;
    std::vector<DeadLetterRow> dead_letters;
    std::vector<DeadLetterReplayedRow> dead_letters_replayed;

    [[nodiscard]] bool empty() const {
        return inputs.empty() && positions.empty() && uncounted.empty() && run_updates.empty() &&
               outgoing.empty() && outgoing_done.empty() && gaps.empty() && dead_letters.empty() &&
               dead_letters_replayed.empty() && watched.empty();
    }
};

} // namespace weir::ledger
