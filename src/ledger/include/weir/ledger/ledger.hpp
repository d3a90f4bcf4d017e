#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/ledger/records.hpp>

namespace weir::ledger {

/// A stream as the ledger knows it, with how far it was read.
struct StreamState {
    StreamNo no;
    std::string name;
    std::string kind;   ///< "bus", "internal"
    std::string family; ///< streams that belong together (partitions of a topic); empty: on its own
    std::string incarnation;
    Position position; ///< read up to here; 0: nothing
    Instant time{};
    Position event{}; ///< place of the newest arrival read; 0: none
    Digest digest{};  ///< events::place_digest() of it
};

struct OpenTrigger {
    TriggerVersionRow version; ///< the current one
    TriggerState state = TriggerState::Active;
    std::string state_reason;
    int failed_in_hour = 0;  ///< failed decisions stored in the hour (since 1970) of log_time
    int fired_in_minute = 0; ///< fired decisions in the minute (since 1970) of log_time
};
struct OpenHeld {
    HeldEnterRow row;
};
/// A held event's content, once however many triggers hold it.
struct HeldEvent {
    Seq seq;
    Instant time;
    std::string body; ///< wire form
};

/// Everything the engine needs to go on where it stopped.
struct Snapshot {
    std::string instance; ///< name of this weir, in the source of its events
    std::string secret;   ///< 32 bytes, hashed into decision ids
    Seq next_seq;
    Instant log_time{};
    Epoch epoch;
    DecisionNo next_decision{1};
    RunNo next_run{1};
    TriggerNo next_trigger{1};
    OutgoingNo next_outgoing{1};
    GapNo next_gap{1};
    DeadLetterNo next_dead_letter{1};
    std::vector<StreamState> streams;
    std::vector<GapRow> gaps;          ///< not accepted yet
    std::vector<OutgoingRow> outgoing; ///< not published yet, in order
    std::vector<OpenTrigger> triggers; ///< all that are not deleted
    std::vector<FlowVersionRow> flows; ///< current version of each flow that is not deleted
    /// Versions that runs of the origin "api" are of, which have not settled.
    std::vector<FlowVersionRow> run_flows;
    std::vector<EarlyReportRow> early_reports; ///< by time
    std::vector<OpenHeld> held;
    std::vector<HeldEvent> held_events;
    std::vector<TimerSetRow> timers; ///< open ones
    std::vector<RunRow> runs;        ///< not settled, in order of no
};

/// The one write port: decisions become true here.
/// Owner:  the engine's shell; one process at a time has the ledger open for writing.
/// Thread: open(), snapshot(), commit(), find_seen() from one thread at a time (the ledger's).
/// Errors: returned. commit(): `conflict` when the epoch was taken by somebody else: the process must end.
///         `unavailable` (disk full, I/O error, locked): nothing of the batch was written, and the same batch
///         may be committed again. Anything else is a defect or a damaged file: stop.
/// Time:   none is read; all times come in the records.
/// Limits: a batch holds at most 10,000 inputs.
class Ledger {
  public:
    virtual ~Ledger() = default;

    /// Takes the log over: raises its epoch by one. Everything still open under an older epoch fails from now
    /// on.
    virtual Result<Epoch> take_epoch() = 0;
    /// A stream as it is known; on first sight it is registered as `first_sight` says (name, kind, family,
    /// incarnation, position; the number is given here).
    virtual Result<StreamState> register_stream(const StreamState& first_sight) = 0;
    virtual Result<Snapshot> snapshot() = 0;
    /// Writes all of the batch in one transaction, durable on return, if the log still has this epoch.
    virtual Status commit(const Batch& batch, Epoch epoch) = 0;
    /// The earliest committed input with this identity whose time lies within 7 days before `time`.
    virtual Result<std::optional<Seen>> find_seen(std::string_view source, std::string_view id,
                                                  Instant time) = 0;
    /// Drops what is older than the limits; payloads pinned by held events and unsettled runs stay. Of dead
    /// letters the messages go, the rest stays: at most 100,000 are kept, for each one more the oldest goes
    /// with the commit. Bounded work.
    virtual Status retain(Instant payloads_before) = 0;
    virtual void close() = 0;
};

} // namespace weir::ledger
