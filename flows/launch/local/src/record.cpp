#include "record.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include <weir/base/crash_point.hpp>
#include <weir/flows/files.hpp>

namespace weir::flows::local {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t record_bytes_max = 256 * 1024 * 1024;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Instant instant(const Json& json, const char* name) {
    const auto parsed = parse_rfc3339(json.value(name, ""));
    return parsed.ok() ? *parsed : Instant{};
}

template <class Read>
auto guarded(const std::filesystem::path& file, Read&& read) -> decltype(read(std::declval<const Json&>())) {
    WEIR_ASSIGN(text, read_file(file, record_bytes_max));
    try {
        return read(Json::parse(text));
    } catch (const std::exception& error) {
        return corrupt(file.string() + ": " + error.what());
    }
}

TaskState task_state(const std::string& text) {
    for (const TaskState state : {TaskState::Running, TaskState::Succeeded, TaskState::Failed,
                                  TaskState::Skipped, TaskState::Cancelled})
        if (to_string(state) == text) return state;
    return TaskState::Pending;
}

Json artifact_list(const std::vector<ArtifactRecord>& artifacts) {
    Json list = Json::array();
    for (const ArtifactRecord& artifact : artifacts)
        list.push_back({{"name", artifact.name},
                        {"uri", artifact.uri},
                        {"type", artifact.type},
                        {"metadata", Json::parse(artifact.metadata_json)}});
    return list;
}

std::vector<ArtifactRecord> artifact_list(const Json& json, const char* name) {
    std::vector<ArtifactRecord> list;
    for (const Json& item : json.at(name))
        list.push_back({item.value("name", ""), item.value("uri", ""), item.value("type", ""),
                        dump(item.at("metadata"))});
    return list;
}

} // namespace

std::string write_request(const StoredRequest& request) {
    return dump({{"run", request.run},
                 {"decision", request.decision},
                 {"team", request.team},
                 {"flow", request.flow},
                 {"version", request.version},
                 {"arguments", request.arguments_json},
                 {"settings", request.settings_json},
                 {"created_at", format_rfc3339(request.created)},
                 {"accepted_at", format_rfc3339(request.accepted)},
                 {"pipeline", request.pipeline}});
}

Result<StoredRequest> read_request(const std::filesystem::path& run_folder) {
    return guarded(run_folder / "request.json", [](const Json& json) -> Result<StoredRequest> {
        StoredRequest request;
        request.run = json.at("run");
        request.decision = json.at("decision");
        request.team = json.at("team");
        request.flow = json.at("flow");
        request.version = json.at("version");
        request.arguments_json = json.at("arguments");
        request.settings_json = json.at("settings");
        request.pipeline = json.at("pipeline");
        request.created = instant(json, "created_at");
        request.accepted = instant(json, "accepted_at");
        return request;
    });
}

std::string write_attempt(const AttemptRecord& record) {
    constexpr const char* states[] = {"succeeded", "failed", "interrupted"};
    return dump({{"state", states[static_cast<int>(record.state)]},
                 {"run_attempt", record.run_attempt},
                 {"error", record.error},
                 {"started_at", format_rfc3339(record.started)},
                 {"finished_at", format_rfc3339(record.finished)},
                 {"outputs", Json::parse(write_values(record.outputs))}});
}

Result<AttemptRecord> read_attempt(const std::filesystem::path& file) {
    return guarded(file, [](const Json& json) -> Result<AttemptRecord> {
        AttemptRecord record;
        const std::string state = json.at("state");
        if (state == "succeeded") record.state = AttemptRecord::State::Succeeded;
        if (state == "interrupted") record.state = AttemptRecord::State::Interrupted;
        record.run_attempt = json.value("run_attempt", 1);
        record.error = json.at("error");
        record.started = instant(json, "started_at");
        record.finished = instant(json, "finished_at");
        WEIR_ASSIGN(outputs, cel::from_json(dump(json.at("outputs"))));
        WEIR_ASSIGN(values, read_values(outputs));
        record.outputs = std::move(values);
        return record;
    });
}

std::string write_settlement(const RunReport& report, const std::vector<TaskRecord>& tasks) {
    Json list = Json::array();
    for (const TaskRecord& task : tasks)
        list.push_back({{"name", task.name},
                        {"state", to_string(task.state)},
                        {"attempt", task.attempt},
                        {"started_at", format_rfc3339(task.started_at)},
                        {"finished_at", format_rfc3339(task.finished_at)},
                        {"error", task.error},
                        {"log", task.log_path}});
    return dump({{"run", report.run.to_string()},
                 {"attempt", report.attempt},
                 {"outcome", to_string(report.outcome)},
                 {"error", report.error},
                 {"started_at", format_rfc3339(report.started_at)},
                 {"finished_at", format_rfc3339(report.finished_at)},
                 {"outputs", Json::parse(report.outputs_json)},
                 {"artifacts_in", artifact_list(report.inputs)},
                 {"artifacts_out", artifact_list(report.outputs)},
                 {"tasks", std::move(list)}});
}

Result<Settlement> read_settlement(const std::filesystem::path& run_folder) {
    return guarded(run_folder / "settled.json", [](const Json& json) -> Result<Settlement> {
        Settlement settlement;
        RunReport& report = settlement.report;
        const auto run = Uuid::parse(json.at("run").get<std::string>());
        if (!run.ok()) return corrupt("settled.json names no run");
        report.run = RunId{*run};
        report.attempt = json.at("attempt");
        report.settled = true;
        const std::string outcome = json.at("outcome");
        for (const Outcome known :
             {Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled, Outcome::Skipped})
            if (to_string(known) == outcome) report.outcome = known;
        report.error = json.at("error");
        report.started_at = instant(json, "started_at");
        report.finished_at = instant(json, "finished_at");
        report.outputs_json = dump(json.at("outputs"));
        report.inputs = artifact_list(json, "artifacts_in");
        report.outputs = artifact_list(json, "artifacts_out");
        for (const Json& item : json.at("tasks")) {
            TaskRecord task;
            task.name = item.at("name");
            task.state = task_state(item.at("state"));
            task.attempt = item.at("attempt");
            task.started_at = instant(item, "started_at");
            task.finished_at = instant(item, "finished_at");
            task.error = item.at("error");
            task.log_path = item.at("log");
            settlement.tasks.push_back(std::move(task));
        }
        return settlement;
    });
}

Result<RunAttempt> read_run_attempt(const std::filesystem::path& run_folder) {
    auto read = guarded(run_folder / "attempt.json", [](const Json& json) -> Result<RunAttempt> {
        RunAttempt attempt;
        attempt.attempt = json.at("attempt");
        attempt.reason = json.at("reason");
        attempt.opened = instant(json, "opened_at");
        return attempt;
    });
    if (!read.ok() && read.error().kind == ErrorKind::NotFound) return RunAttempt{};
    return read;
}

Status open_attempt(const std::filesystem::path& run_folder, int settled, const RunAttempt& next) {
    crash_point("local_before_retry");
    // As long as settled.json is there the run is settled, whatever else its folder holds.
    WEIR_TRY(write_durably(run_folder / "attempt.json", dump({{"attempt", next.attempt},
                                                              {"reason", next.reason},
                                                              {"opened_at", format_rfc3339(next.opened)}})));
    std::error_code error;
    if (std::filesystem::remove(run_folder / "cancel", error)) WEIR_TRY(sync_folder(run_folder));
    if (error)
        return unavailable("cannot remove " + (run_folder / "cancel").string() + ": " + error.message());
    crash_point("local_within_retry");
    const std::filesystem::path kept = run_folder / ("settled@" + std::to_string(settled) + ".json");
    std::filesystem::rename(run_folder / "settled.json", kept, error);
    if (error)
        return unavailable("cannot rename " + (run_folder / "settled.json").string() + ": " +
                           error.message());
    crash_point("local_after_retry");
    return sync_folder(run_folder);
}

std::filesystem::path task_folder(const std::filesystem::path& run_folder, const std::string& path) {
    return run_folder / "tasks" / path;
}
std::filesystem::path attempt_folder(const std::filesystem::path& run_folder, const std::string& path,
                                     int attempt) {
    return task_folder(run_folder, path) / ("@" + std::to_string(attempt));
}
std::filesystem::path attempt_file(const std::filesystem::path& run_folder, const std::string& path,
                                   int attempt) {
    return task_folder(run_folder, path) / ("@" + std::to_string(attempt) + ".json");
}

bool safe_task_path(std::string_view path) {
    if (path.empty() || path.size() > 4'000 || path.front() == '/') return false;
    if (path.find('@') != std::string_view::npos || path.find('\0') != std::string_view::npos) return false;
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        const std::string_view part = path.substr(at, end - at);
        if (part.empty() || part.front() == '.') return false;
        at = end + 1;
    }
    return true;
}

std::vector<TaskRecord> scan_tasks(const std::filesystem::path& run_folder) {
    std::vector<TaskRecord> tasks;
    std::error_code error;
    const std::filesystem::path root = run_folder / "tasks";
    auto it = std::filesystem::recursive_directory_iterator(root, error);
    for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.empty() || name.front() != '@') continue;
        if (it->is_directory(error)) it.disable_recursion_pending();
        int attempt = 0;
        const auto [rest, fault] = std::from_chars(name.data() + 1, name.data() + name.size(), attempt);
        if (fault != std::errc() || rest != name.data() + name.size()) continue;
        TaskRecord task;
        task.name = it->path().parent_path().lexically_relative(root).string();
        task.attempt = attempt;
        task.log_path = (it->path() / "log").string();
        if (auto record = read_attempt(it->path().string() + ".json"); record.ok()) {
            if (record->state == AttemptRecord::State::Succeeded) task.state = TaskState::Succeeded;
            if (record->state == AttemptRecord::State::Failed) task.state = TaskState::Failed;
            task.error = record->error;
            task.started_at = record->started;
            task.finished_at = record->finished;
        }
        const auto same = std::find_if(tasks.begin(), tasks.end(),
                                       [&](const TaskRecord& other) { return other.name == task.name; });
        if (same == tasks.end())
            tasks.push_back(std::move(task));
        else if (same->attempt < task.attempt)
            *same = std::move(task);
    }
    std::sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return tasks;
}

} // namespace weir::flows::local
