#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <weir/flows/launcher.hpp>

#include "values.hpp"

namespace weir::flows::local {

/// What a run was created with, as request.json holds it.
struct StoredRequest {
    std::string run;
    std::string decision;
    std::string team;
    std::string flow;
    std::string version;
    std::string arguments_json;
    std::string settings_json;
    std::string pipeline;
    Instant created{};  ///< the cause's time
    Instant accepted{}; ///< when the folder was made
};
std::string write_request(const StoredRequest& request);
Result<StoredRequest> read_request(const std::filesystem::path& run_folder);

/// How one attempt of a task ended, as tasks/<task>/@N.json holds it.
struct AttemptRecord {
    enum class State : std::uint8_t { Succeeded, Failed, Interrupted };
    State state = State::Failed;
    int run_attempt = 1; ///< in which attempt of the run
    std::string error;
    Instant started{};
    Instant finished{};
    Values outputs;
};
std::string write_attempt(const AttemptRecord& record);
Result<AttemptRecord> read_attempt(const std::filesystem::path& file);

/// How the run ended, as settled.json holds it.
std::string write_settlement(const RunReport& report, const std::vector<TaskRecord>& tasks);
struct Settlement {
    RunReport report;
    std::vector<TaskRecord> tasks;
};
/// `not_found` if the run has not settled.
Result<Settlement> read_settlement(const std::filesystem::path& run_folder);

/// Which attempt of the run is under way, as attempt.json holds it from the first retry on.
struct RunAttempt {
    int attempt = 1;
    std::string reason; ///< why it was tried again
    Instant opened{};   ///< empty for the first one: see StoredRequest::accepted
};
/// Of a run that has not settled. Attempt 1 if none was opened by open_attempt().
Result<RunAttempt> read_run_attempt(const std::filesystem::path& run_folder);
/// Opens the next attempt of a settled run, whose settlement `settled` is: from then on the run counts as
/// unsettled, its settlement stays as settled@N.json. Durable when it returns; if it fails, or weir dies
/// before the end, the run is as it was (or the attempt is open already).
Status open_attempt(const std::filesystem::path& run_folder, int settled, const RunAttempt& next);

/// Folder of a task: tasks/<path>. Attempts are @N and @N.json in it.
std::filesystem::path task_folder(const std::filesystem::path& run_folder, const std::string& path);
std::filesystem::path attempt_folder(const std::filesystem::path& run_folder, const std::string& path,
                                     int attempt);
std::filesystem::path attempt_file(const std::filesystem::path& run_folder, const std::string& path,
                                   int attempt);
/// False for a name that would lead out of the run's folder.
bool safe_task_path(std::string_view path);
/// The tasks of a run that is not followed at present, as far as its folder tells.
std::vector<TaskRecord> scan_tasks(const std::filesystem::path& run_folder);

} // namespace weir::flows::local
