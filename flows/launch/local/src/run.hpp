#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/sync.hpp>
#include <weir/flows/document.hpp>
#include <weir/flows/local/interpreter.hpp>
#include <weir/flows/local/supervisor.hpp>

#include "executor.hpp"
#include "record.hpp"

namespace weir::flows::local {

/// The tasks of a run as others see them. Thread-safe.
using TaskBoard = Sync<std::map<std::string, TaskRecord>>;

/// A task that is to become a process as soon as there is a place and, for Python, an environment.
struct PendingTask {
    Work work;
    std::optional<ir::PythonStep> step; ///< waits for an environment if `python` is empty
    std::filesystem::path python;
};

/// A task that is a process.
struct Job {
    Work work;
    int attempt = 1;
    Instant started{};
    std::optional<SteadyInstant> deadline;
    bool timed_out = false;
    std::filesystem::path python;
};

/// One run that is not settled: its interpreter, its processes, its record.
/// Owner: loop-confined to the backend's thread, but for board().
class Run {
  public:
    /// `attempt`: the one under way. `resumed`: there may be something of it, or of those before, on record.
    Run(RunId id, std::filesystem::path folder, StoredRequest request, RunAttempt attempt,
        FlowSettings settings, std::shared_ptr<const ir::Pipeline> pipeline, const Clock& clock,
        bool resumed);

    /// Goes as far as it can without a process: replays what is recorded, imports, retries that are due.
    void advance();
    /// Makes the attempt's folder and starts its process.
    void start(PendingTask task, std::uint64_t id, Supervisor& supervisor,
               std::vector<std::string> environment, const std::string& path);
    /// A process of this run has ended.
    void ended(const ProcessEnd& end);
    /// Nobody can say how a process ended: its task counts as interrupted and goes on when the run is
    /// resumed.
    void lost(std::uint64_t process);
    /// The attempt ends without a process having run.
    void fail(const Work& work, const std::string& error, const std::filesystem::path& log = {});
    /// Nothing begins any more; what runs is stopped.
    void abort(Outcome outcome, const std::string& reason, Supervisor& supervisor, Duration grace);
    /// Enforces time limits.
    void check_time(Supervisor& supervisor, Duration grace);
    /// The soonest instant at which advance() or check_time() has something to do, as a wait from now.
    [[nodiscard]] std::optional<Duration> next_wait() const;

    /// All has ended and is recorded: what is left is settle().
    [[nodiscard]] bool finished() const;
    /// Writes settled.json. Repeat it when the disk was full.
    Result<RunReport> settle();
    [[nodiscard]] RunReport running_report() const;

    /// What a Python component needs that installs nothing itself: the SDK it was compiled with.
    [[nodiscard]] std::vector<std::vector<std::string>> default_installs() const;

    [[nodiscard]] RunId id() const { return id_; }
    [[nodiscard]] int attempt() const { return attempt_.attempt; }
    [[nodiscard]] const StoredRequest& request() const { return request_; }
    [[nodiscard]] const FlowSettings& settings() const { return settings_; }
    [[nodiscard]] const std::shared_ptr<TaskBoard>& board() const { return board_; }
    [[nodiscard]] std::map<std::uint64_t, Job>& jobs() { return jobs_; }
    [[nodiscard]] std::deque<PendingTask>& pending() { return pending_; }
    bool watched = false;
    std::optional<SteadyInstant> settle_again; ///< settling failed: not before then

  private:
    struct Unsaved {
        Work work;
        int attempt;
        AttemptRecord record;
    };
    [[nodiscard]] Attempt attempt_of(const Work& work, int number, const std::filesystem::path& python) const;
    bool replay(const Work& work);
    void interrupted(const Work& work, int attempt);
    void import(const Work& work);
    void record(const Work& work, int attempt, AttemptRecord record);
    void apply(const Work& work, int attempt, const AttemptRecord& record);
    void show(const std::string& path, TaskState state, int attempt, const std::string& error,
              std::optional<Instant> started, std::optional<Instant> finished);
    void show_changes();
    [[nodiscard]] std::string describe_end(const Job& job, const ProcessEnd& end) const;

    RunId id_;
    std::filesystem::path folder_;
    StoredRequest request_;
    RunAttempt attempt_;
    FlowSettings settings_;
    std::shared_ptr<const ir::Pipeline> pipeline_;
    const Clock& clock_;
    bool resumed_;
    Context context_;
    std::unique_ptr<Interpreter> machine_;
    std::deque<PendingTask> pending_;
    std::map<std::uint64_t, Job> jobs_;
    std::map<std::string, int> next_attempt_;
    std::shared_ptr<TaskBoard> board_ = std::make_shared<TaskBoard>();
    std::vector<ArtifactRecord> used_;
    std::vector<ArtifactRecord> made_;
    std::vector<Unsaved> unsaved_;
    std::optional<SteadyInstant> save_again_;
    std::optional<SteadyInstant> deadline_;
};

} // namespace weir::flows::local
