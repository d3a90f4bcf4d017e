#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <weir/base/ids.hpp>
#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/flows/records.hpp>
#include <weir/ledger/records.hpp>

namespace weir::engine {

/// Who asks and why; every manual act is recorded with both.
struct Actor {
    std::string principal; ///< "local:alice"
    std::string reason;    ///< not empty
};

/// One document to register: its text and the name its problems are reported under. Flow documents come with
/// the pipeline files they name already read.
struct SourceFile {
    std::string name;
    std::string text;
};
struct ApplyRequest {
    std::vector<SourceFile> files;            ///< trigger and flow documents
    std::map<std::string, std::string> extra; ///< other files by name: pipelines named by flow documents
    std::string default_team;                 ///< for documents that name none; empty: "default"
    bool dry_run = false;
    bool prune = false; ///< delete what `owner` applied before and this request does not hold
    std::string owner;  ///< label under which this set is managed; needed for prune
    /// The caller's: documents of other teams, and triggers that launch flows of other teams, are `denied`;
    /// prune passes over what belongs to them. Empty: every team.
    std::vector<std::string> teams;
    Actor actor;
};

/// What happened, or would happen, to one thing.
struct ApplyChange {
    enum class Action : std::uint8_t { Created, Updated, Unchanged, Deleted } action = Action::Unchanged;
    std::string kind; ///< "trigger", "flow"
    std::string team;
    std::string name;
    std::string version;            ///< new version: number of a trigger, hash of a flow
    std::vector<std::string> notes; ///< what differs, what held events leave
};
struct ApplyReport {
    std::vector<ApplyChange> changes;
    std::vector<std::string> problems; ///< "file:line:column: ..."; not empty: nothing was changed
};

/// One part of /readyz.
struct ReadyItem {
    std::string name; ///< "ledger", "bus embedded", "source folder inbox", "backend local"
    bool ready = true;
    std::string detail; ///< durability class, why not
    /// false: weir takes events and keeps what is to be launched while this is away, and /readyz stays 200.
    bool required = true;
};

/// Counters for /metrics; names as exported, without the weir_ prefix.
struct MetricValue {
    std::string name; ///< "events_recorded_total"
    std::string help;
    bool counter = true; ///< false: gauge
    std::map<std::string, std::string> labels;
    double value = 0;
};

/// What a join waits for, from the engine's memory (why, listings).
struct JoinWaiting {
    std::string key_json;          ///< null: a join without keys, or what leaves without one share
    std::vector<std::string> held; ///< leaf names
    std::vector<std::string> missing;
    std::optional<Instant> until; ///< the oldest held event dies then
};

/// A stream and its bus.
struct StreamReport {
    std::string name;
    std::string bus;
    std::string kind;       ///< of the bus: "embedded", "nats", "kafka"
    std::string durability; ///< "process-safe", "power-safe"
    std::string durability_note;
    std::string incarnation;
    Position position;  ///< read up to here
    std::string state;  ///< "read", "stopped", "unreachable", "left out", "absent"
    std::string detail; ///< why
};

/// A run of exactly this version of a flow, registered or not, under an id that the caller chose.
struct StartRun {
    RunId id;
    std::shared_ptr<const flows::FlowVersion> flow;
    std::string arguments_json;
    std::string description; ///< kept with the decision
};

/// What a flow says of its own run. Everything but `run` may be left out; then it is not known.
struct RunSaid {
    RunId run;
    int attempt = 0; ///< 0: the newest
    std::optional<flows::Outcome> outcome;
    std::string error;
    std::string outputs_json = "{}"; ///< an object
    std::vector<flows::ArtifactRecord> artifacts;
};

/// The engine as seen by the server: everything that changes something, and what only memory knows.
/// Owner:  the application.
/// Thread: any thread but the engine's own; each call returns when its effect is durable (or refused).
/// Errors: returned: `invalid` (problems), `not_found`, `conflict`, `unavailable` (ledger or bus cannot take
/// it now;
///         nothing changed), `cancelled` (shutting down).
/// Limits: at most 1,000 calls wait at once; then `unavailable`.
class Engine {
  public:
    virtual ~Engine() = default;

    virtual Result<ApplyReport> apply(const ApplyRequest& request) = 0;
    virtual Status delete_trigger(const std::string& team, const std::string& name, const Actor& actor) = 0;
    virtual Status pause(const std::string& team, const std::string& name, const Actor& actor) = 0;
    /// `replay`: launch what waited; else what waited is dropped, recorded.
    virtual Status resume(const std::string& team, const std::string& name, bool replay,
                          const Actor& actor) = 0;
    /// A manual run. The same `request_id` gives the same run.
    virtual Result<RunId> run_flow(const std::string& team, const std::string& flow,
                                   const std::string& arguments_json, const std::string& request_id,
                                   const Actor& actor) = 0;
    /// Records and launches such a run. `conflict`: there is one of this id. The version is kept with the
    /// flow's old ones unless it is the current one.
    virtual Result<RunId> start_run(const StartRun& run, const Actor& actor) = 0;
    /// A flow's own report. True: recorded; false: known already. A run that is not known yet may come: its
    /// report is kept for a day (`unavailable` if there are 10,000).
    virtual Result<bool> report_run(const RunSaid& said, const Actor& actor) = 0;
    virtual Status cancel_run(const RunId& run, const Actor& actor) = 0;
    /// Opens a new attempt of a failed run: finished tasks are kept.
    virtual Status retry_run(const RunId& run, const Actor& actor) = 0;

    /// Accepted for good when it returns: durable on the embedded bus, or in the ledger's inbox, from which
    /// they go out to the outside bus. All or none.
    virtual Status publish(std::span<const events::Event> events) = 0;

    /// Every stream that is read or was, as the engine has it now.
    [[nodiscard]] virtual Result<std::vector<StreamReport>> streams() = 0;
    /// Reads a stream on that stopped at a gap. `conflict`: it has none.
    virtual Status accept_gap(const std::string& stream, const Actor& actor) = 0;
    /// Reads a dead letter again and takes it as an arrival. Returns the input it became; `invalid`: it is
    /// still no event, and why; `conflict`: it was replayed already, or no trigger's pattern is met.
    virtual Status replay(ledger::DeadLetterNo letter, const Actor& actor) = 0;

    [[nodiscard]] virtual std::vector<JoinWaiting> waiting(const std::string& team,
                                                           const std::string& trigger) = 0;
    [[nodiscard]] virtual std::vector<ReadyItem> readiness() = 0;
    [[nodiscard]] virtual std::vector<MetricValue> metrics() = 0;
};

} // namespace weir::engine
