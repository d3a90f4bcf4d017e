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
