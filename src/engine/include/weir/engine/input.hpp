#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <weir/events/event.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/flows/records.hpp>
#include <weir/ledger/records.hpp>
#include <weir/triggers/compiled.hpp>
#include <weir/triggers/matcher.hpp>

/// What the core is stepped with. Everything that decides anything comes in here, is recorded as one row, and
/// can be fed again from that row.
namespace weir::engine {

/// An event at its place. The shell has looked up its identity and asked the core which patterns it meets.
struct ArrivalInput {
    ledger::StreamNo stream;
    std::string stream_name;
    std::string incarnation;
    Position position;
    std::shared_ptr<const events::Event> event;
    Digest digest{};
    std::optional<Seq> duplicate_of;
    bool conflicting = false;
    bool echo = false;
};

/// A timer that is due. Its time is the input's time.
struct TimerInput {
    ledger::TriggerNo trigger;
    ledger::TimerKind kind = ledger::TimerKind::Slot;
    std::string key;
};

/// Something learned about a run.
struct RunFactInput {
    enum class Kind : std::uint8_t {
        Lost,
        Missed,
        Accepted,
        Started,
        Settled,   ///< an attempt has ended, and nothing more is awaited
        Postponed, ///< nothing left: asked again at `until`
        Ended,     ///< its backend says so: settles the attempt once the flow's own report is in
        Seen,      ///< a run that weir did not launch (`seen`), as it is
        Odd,       ///< what its backend says contradicts what is recorded: recorded, no more
        Left,      ///< the request is about to leave: until then, nothing has
    } kind = Kind::Accepted;
    ledger::RunNo run;
    int attempt = 1;
    flows::Outcome outcome = flows::Outcome::Succeeded;
    std::string reason;
    std::string outputs_json = "{}";
    Instant started_at{};
    Instant finished_at{};
    std::vector<flows::ArtifactRecord> inputs;  ///< Settled, Ended, Seen
    std::vector<flows::ArtifactRecord> outputs; ///< Settled, Ended, Seen
    std::string run_id;                         ///< replay, Seen, Odd: names the run instead of `run`
    Instant until{};                            ///< Postponed: not before. Ended, Seen: when it was told
    /// Lost: nothing has left, it is looked for first. Settled: only if nothing has left.
    bool unsent = false;
    std::string version;                ///< Accepted: what the backend made of the flow's version
    bool settled = false;               ///< Seen: it has ended
    std::optional<flows::SeenRun> seen; ///< Seen
    /// Started, Ended: the run settled before, and its backend has opened a further attempt. It comes along,
    /// because the core forgets settled runs.
    std::shared_ptr<const ledger::RunRow> reopened;
};

/// What a flow says of its own run. Merged with what the backend says; opens no attempt.
struct ReportInput {
    RunId run;
    int attempt = 0; ///< 0: the newest
    std::optional<flows::Outcome> outcome;
    std::string error;
    std::string outputs_json = "{}";
    std::vector<flows::ArtifactRecord> artifacts;
    std::string principal;
    bool settled = false; ///< the run is in the ledger, and the core has it no more: it has settled
    /// Settled: what is said of this attempt or a later one, or of none by number, is kept until that attempt
    /// opens; 0: none will, it is recorded, no more.
    int next_attempt = 0;
};

/// One trigger of an apply.
struct TriggerApply {
    std::shared_ptr<const triggers::CompiledTrigger> compiled;
    TriggerUid uid_if_new; ///< minted by the shell: the core has no chance of its own
    std::string source_text;
};
struct ApplyInput {
    std::vector<std::shared_ptr<const flows::FlowVersion>> flows;
    std::vector<TriggerApply> triggers;
    struct Name {
        std::string team;
        std::string name;
    };
    std::vector<Name> delete_triggers;
    std::vector<Name> delete_flows;
    std::string principal;
    std::string reason;
};
struct DeleteTriggerInput {
    std::string team, name, principal, reason;
};
struct PauseInput {
    std::string team, name, principal, reason;
};
struct ResumeInput {
    std::string team, name;
    bool replay = true;
    std::string principal, reason;
};
struct RunFlowInput {
    std::string team, flow, arguments_json, request_id, principal, reason;
};
/// A run of exactly this version, under this id: what a KFP client asks for.
struct StartRunInput {
    RunId id;
    std::shared_ptr<const flows::FlowVersion> flow;
    std::string arguments_json, description, principal, reason;
};
struct CancelInput {
    ledger::RunNo run;
    std::string principal, reason;
};
/// A new attempt of a settled run, which comes along, and is recorded in the input's row, because the core
/// forgets settled runs.
struct RetryInput {
    ledger::RunRow run;
    std::string principal, reason;
};

/// A person takes note of a gap: the stream is read on. The shell moves its place; here it is recorded.
struct AcceptGapInput {
    ledger::GapNo gap;
    std::string stream, kind, detail;
    Position resume;         ///< reading goes on behind it
    std::string incarnation; ///< the stream's, from now on
    std::string principal, reason;
};

struct Input {
    Instant time;                     ///< never falls from one input to the next
    Duration late_by{0};              ///< arrivals: how much older they were
    std::vector<std::string> without; ///< streams left out because they were unreachable
    std::variant<ArrivalInput, TimerInput, RunFactInput, ApplyInput, DeleteTriggerInput, PauseInput,
                 ResumeInput, RunFlowInput, CancelInput, RetryInput, AcceptGapInput, ReportInput,
                 StartRunInput>
        what;
};

/// What the shell has to do once the batch is durable.
struct Act {
    enum class Kind : std::uint8_t {
        Send,   ///< launch it
        Look,   ///< ask the backend whether it has it
        Cancel, ///< ask the backend to end it
        Retry,  ///< ask the backend for the attempt that the run now names
        Watch,  ///< follow it
        Forget, ///< its settlement is recorded
    } kind = Kind::Send;
    ledger::RunNo run;
    RunId id;
    std::string backend;
    std::string reason;
    int attempt = 0; ///< the newest one
};

/// The row of an input that is no arrival, as JSON; and back. `decode` needs the row alone: replay reads the
/// ledger.
std::string encode_body(const Input& input);
Result<Input> decode_input(const ledger::InputRow& row);

} // namespace weir::engine
