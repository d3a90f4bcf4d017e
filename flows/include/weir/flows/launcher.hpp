#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/flows/records.hpp>

namespace weir::flows {

/// Everything a backend needs to create one run. `arguments_json` is an object with a value of the declared
/// type for every parameter given; defaults are the backend's to fill in.
struct LaunchRequest {
    RunId run;
    DecisionId decision;
    std::shared_ptr<const FlowVersion> flow;
    std::string arguments_json;
    Instant created;  ///< the cause's time, for display
    Instant deadline; ///< checked last before the first byte leaves; after it nothing may be sent
    /// An earlier request of this run may have left, of this process or another: where absence is not final,
    /// it is looked for before anything is made, and no reason of the present tells what became of it.
    bool again = false;
    /// Where absence is not final: asked before each request that creates the run, so that what has not left
    /// is known after a crash. Answered once that is durable, on any thread: true: it may leave; false: it
    /// must not. Not answered while nothing can be recorded. Empty: nobody wants to know.
    std::function<void(std::function<void(bool)>)> leave;
};

enum class LaunchAnswer : std::uint8_t {
    Accepted,  ///< the backend has the run, durably
    Refused,   ///< it will never run; `reason` says why
    Unknown,   ///< no reply: look before anything else
    Late,      ///< the deadline had passed before anything left: nothing was sent
    Postponed, ///< nothing was made, and nothing is left here: ask again at `next`; `reason` says why
};
struct LaunchReply {
    LaunchAnswer answer = LaunchAnswer::Unknown;
    std::string reason;
    Instant next{};      ///< Postponed: not before
    std::string version; ///< Accepted: what the backend resolved the flow's version to; empty: nothing
};

/// A launch that waits inside the backend.
struct WaitingLaunch {
    RunId run;
    std::string reason; ///< one line for a person
    Instant next{};     ///< when it is tried again
    int tries = 0;      ///< how often it was in vain
};

enum class LookAnswer : std::uint8_t { Found, Absent, Unreachable };
struct LookReply {
    LookAnswer answer = LookAnswer::Unreachable;
    // What the found run was created with; compared before it is adopted.
    std::string flow_version;
    std::string arguments_json;
    std::string decision;
    std::string reason;
};

/// The way to create runs on one backend.
/// Owner:  the application; no callback runs once close() has returned.
/// Thread: launch(), look(), cancel() from any thread, they return at once; callbacks come on any thread,
/// once. Errors: inside the reply. A launch is asked at most once per run and process; asking again for a run
/// that the
///         backend has answers Accepted if it is the same request and Refused (conflict) if not.
/// Time:   LaunchRequest::deadline is wall clock and is checked by the adapter.
/// Limits: the caller bounds how many launches are open; the adapter bounds its own threads and processes.
class Launcher {
  public:
    virtual ~Launcher() = default;
    /// True if a look that finds nothing means that the run never started and never will.
    [[nodiscard]] virtual bool absence_is_final() const = 0;
    /// How long after a request's deadline a run that a look does not find may still appear. 0 where absence
    /// is final.
    [[nodiscard]] virtual Duration absence_wait() const { return {}; }
    virtual void launch(LaunchRequest request, std::function<void(LaunchReply)> done) = 0;
    virtual void look(RunId run, std::function<void(LookReply)> done) = 0;
    /// Asks a run to end. Success means the request was taken; the end itself is reported by the RunWatcher.
    virtual void cancel(RunId run, std::string reason, std::function<void(Status)> done) = 0;
    /// Opens attempt `attempt` (2 and up, the caller counts) of a run whose newest attempt failed or was
    /// cancelled; what finished is kept. Success means that this attempt has been opened, durably, now or
    /// earlier: asked again it opens no second one. The attempt is reported by the RunWatcher. `not_found`:
    /// no such run here (any more); `conflict`: it has not ended, or succeeded; nothing has changed then.
    virtual void retry(RunId run, int attempt, std::string reason, std::function<void(Status)> done) {
        (void)run, (void)attempt, (void)reason;
        done(unsupported("this backend cannot try a run again"));
    }
    /// Launches that wait here for the server, each with its reason. Thread: any.
    [[nodiscard]] virtual std::vector<WaitingLaunch> waiting() const { return {}; }
    virtual void close() = 0;
};

/// A run that weir did not launch, as its backend tells of it.
struct SeenRun {
    std::string backend;
    std::string team; ///< of the place it was seen in
    std::string pipeline_id;
    std::string pipeline; ///< name; empty: an inline pipeline, or not known
    std::string version_id;
    std::string display_name;
    std::string namespace_;
    std::string experiment; ///< name or id
    std::string arguments_json = "{}";
    Instant created{};
};

/// What a backend knows about an attempt of a run.
struct RunReport {
    RunId run;
    int attempt = 1;
    bool settled = false; ///< false: it is running
    Outcome outcome = Outcome::Succeeded;
    std::string outputs_json = "{}"; ///< output parameters of the pipeline, by name
    std::string error;               ///< one line for a person; empty on success
    Instant started_at{};
    Instant finished_at{}; ///< as the backend recorded it
    std::vector<ArtifactRecord> inputs;
    std::vector<ArtifactRecord> outputs;
    /// Failed: this backend ends so what was cancelled, and does not say which it was.
    bool cancel_ends_failed = false;
    std::string note;            ///< one line: what was odd, a flap say; empty: nothing
    std::optional<SeenRun> seen; ///< of a run that weir did not launch
};

/// The way to learn what became of runs.
/// Owner:  the application; no report comes once close() of the backend has returned.
/// Thread: watch(), forget() from any thread; reports come on any thread, in order for one run.
/// Errors: none; what cannot be reached is tried again.
/// Limits: reports of one run repeat until settled(run) or forget(run), so a report lost in a crash comes
/// again after watch().
class RunWatcher {
  public:
    virtual ~RunWatcher() = default;
    /// Where reports go. Set once, before the first watch().
    virtual void on_report(std::function<void(RunReport)> report) = 0;
    /// Follows a run that was accepted. Reports its present state soon, then every change.
    virtual void watch(RunId run) = 0;
    /// Nothing more is to be said of this run.
    virtual void forget(RunId run) = 0;
    /// The settlement of the attempts up to `attempt` is recorded and need not be told again. Where a run may
    /// go on by other hands the backend looks at it now and then, for a while, and tells of a further attempt
    /// or of a contradiction; elsewhere this is forget().
    virtual void settled(RunId run, int attempt) {
        (void)attempt;
        forget(run);
    }
};

enum class TaskState : std::uint8_t { Pending, Running, Succeeded, Failed, Skipped, Cancelled };
std::string_view to_string(TaskState state) noexcept;

struct TaskRecord {
    std::string name; ///< path in the DAG, "for-loop-1.0/train"
    TaskState state = TaskState::Pending;
    int attempt = 1;
    Instant started_at{};
    Instant finished_at{};
    std::string error;
    std::string log_path; ///< absolute; empty if it wrote none
};

/// The way to the details of a run: its tasks and their logs.
/// Thread: any. Errors: `not_found` for a run this backend does not have.
class TaskReader {
  public:
    virtual ~TaskReader() = default;
    [[nodiscard]] virtual Result<std::vector<TaskRecord>> tasks(RunId run) const = 0;
    /// The log of a task's newest attempt, at most `bytes_max` from its end.
    [[nodiscard]] virtual Result<std::string> log(RunId run, std::string_view task,
                                                  std::size_t bytes_max) const = 0;
};

} // namespace weir::flows
