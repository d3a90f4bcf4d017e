#include "run_view.hpp"

#include <algorithm>

#include <weir/base/digest.hpp>

namespace weir::facade {
namespace {

using ledger::RunState;

constexpr std::string_view trigger_prefix = "kfp-";
constexpr std::string_view service_account = "pipeline-runner";

std::string_view end_state(const std::optional<flows::Outcome>& outcome) noexcept {
    if (outcome == flows::Outcome::Succeeded) return "SUCCEEDED";
    if (outcome == flows::Outcome::Skipped) return "SKIPPED";
    return "FAILED";
}

std::string_view task_state(flows::TaskState state) noexcept {
    switch (state) {
        case flows::TaskState::Pending: return "PENDING";
        case flows::TaskState::Running: return "RUNNING";
        case flows::TaskState::Succeeded: return "SUCCEEDED";
        case flows::TaskState::Skipped: return "SKIPPED";
        case flows::TaskState::Failed:
        case flows::TaskState::Cancelled: break;
    }
    return "FAILED";
}

Json entry(Instant time, std::string_view state) {
    return {{"update_time", time_text(time)}, {"state", state}};
}

Json history_of(const RunView& view, const std::vector<ledger::AttemptRow>& attempts) {
    auto history = Json::array({entry(view.created, "PENDING")});
    auto last = view.created;
    // What has no time of its own yet, as a retry that was just asked for, came after what was before it.
    const auto add = [&](Instant time, std::string_view state) {
        last = std::max(last, time);
        history.push_back(entry(last, state));
    };
    for (const auto& attempt : attempts) {
        if (to_ns(attempt.started_at) != 0 || (attempt.attempt > 1 && !attempt.settled))
            add(attempt.started_at, "RUNNING");
        if (attempt.settled) add(attempt.finished_at, end_state(attempt.outcome));
    }
    // One that was refused has no attempt.
    if (view.row.state == RunState::Settled && attempts.empty()) add(view.finished, view.state);
    if (view.state == "RUNNING" && history.back()["state"] != "RUNNING") add(view.row.started_at, "RUNNING");
    return history;
}

std::string id_of_task(const RunView& view, const std::string& name) {
    return Uuid::time_led(view.created, sha256(view.shown_id + "/" + name)).to_string();
}

std::string last_part(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

Json tasks_of(const RunView& view, const std::vector<flows::TaskRecord>& tasks) {
    auto list = Json::array();
    for (const auto& task : tasks) {
        const auto state = task_state(task.state);
        const auto created = to_ns(task.started_at) != 0 ? task.started_at : view.created;
        const auto updated = to_ns(task.finished_at) != 0 ? task.finished_at : created;
        Json json{{"run_id", view.shown_id},
                  {"task_id", id_of_task(view, task.name)},
                  {"display_name", last_part(task.name)},
                  {"create_time", time_text(created)},
                  {"start_time", time_text(task.started_at)},
                  {"end_time", time_text(task.finished_at)},
                  {"state", state},
                  {"state_history", Json::array({entry(updated, state)})}};
        list.push_back(std::move(json));
    }
    return list;
}

void add(Json& json, const char* name, const std::string& text) {
    if (!text.empty()) json[name] = text;
}

Json outputs_of(const RunView& view, const std::vector<ledger::AttemptRow>& attempts) {
    Json outputs = Json::object();
    const auto values = stored_json(view.row.outputs_json);
    for (const auto& [name, value] : values.items())
        outputs["parameters"].push_back({{"value", value}, {"type", "OUTPUT"}, {"parameter_key", name}});
    if (attempts.empty()) return outputs;
    for (const auto& artifact : attempts.back().outputs) {
        Json item{{"artifact_id", id_of_task(view, "artifact/" + artifact.name)}, {"name", artifact.name}};
        add(item, "uri", artifact.uri);
        add(item, "type", artifact.type);
        if (auto metadata = stored_json(artifact.metadata_json); !metadata.empty())
            item["metadata"] = std::move(metadata);
        outputs["artifacts"].push_back(
            {{"artifacts", Json::array({item})}, {"type", "OUTPUT"}, {"artifact_key", artifact.name}});
    }
    return outputs;
}

} // namespace

std::string_view runtime_state(const ledger::RunRow& row) noexcept {
    if (row.state == RunState::Settled) return end_state(row.outcome);
    if (to_ns(row.cancel_requested) != 0) return "CANCELING";
    if (row.state == RunState::Running || row.attempt > 1) return "RUNNING";
    return "PENDING";
}

std::string trigger_of_recurring(const std::string& recurring) {
    return std::string(trigger_prefix) + recurring;
}

std::string recurring_of_trigger(const std::string& trigger) {
    if (!trigger.starts_with(trigger_prefix)) return "";
    auto id = trigger.substr(trigger_prefix.size());
    return Uuid::parse(id).ok() ? id : "";
}

RunView make_view(ledger::RunRow row, std::optional<RunNote> note, const std::string& default_experiment) {
    RunView view;
    view.state = runtime_state(row);
    view.created = note && to_ns(note->created) != 0 ? note->created : row.created;
    if (row.state == RunState::Settled)
        view.finished = to_ns(row.finished_at) != 0 ? row.finished_at : view.created;
    view.recurring = recurring_of_trigger(row.trigger_name);
    view.experiment = default_experiment;
    view.shown_id = row.id.to_string();
    view.display_name = row.flow + "-" + view.shown_id.substr(0, 8);
    if (note) {
        if (!note->recurring.empty()) view.recurring = note->recurring;
        if (!note->experiment.empty()) view.experiment = note->experiment;
        if (!note->shown_id.empty()) view.shown_id = note->shown_id;
        if (!note->display_name.empty()) view.display_name = note->display_name;
    }
    view.row = std::move(row);
    view.note = std::move(note);
    return view;
}

Json run_json(const RunView& view, const RunDetails& details, const Json& spec) {
    Json json{{"experiment_id", view.experiment},
              {"run_id", view.shown_id},
              {"display_name", view.display_name},
              {"storage_state", view.note && view.note->archived ? "ARCHIVED" : "AVAILABLE"},
              {"service_account", service_account},
              {"created_at", precise_time_text(view.created)},
              {"scheduled_at", time_text(view.created)},
              {"finished_at", time_text(view.finished)},
              {"state", view.state}};
    Json runtime = Json::object();
    if (view.note) {
        const auto& note = *view.note;
        add(json, "description", note.description);
        add(json, "service_account", note.service_account);
        if (!note.pipeline.empty()) {
            auto& reference = json["pipeline_version_reference"];
            reference["pipeline_id"] = note.pipeline;
            add(reference, "pipeline_version_id", note.version);
        }
        if (!note.plugins_json.empty()) json["plugins_input"] = stored_json(note.plugins_json);
        if (!note.parameters_json.empty()) runtime["parameters"] = stored_json(note.parameters_json);
        add(runtime, "pipeline_root", note.pipeline_root);
    } else if (!view.row.arguments_json.empty() && view.row.arguments_json != "{}") {
        runtime["parameters"] = as_struct(stored_json(view.row.arguments_json));
    }
    if (!spec.is_null()) json["pipeline_spec"] = spec;
    if (!runtime.empty()) json["runtime_config"] = std::move(runtime);
    add(json, "recurring_run_id", view.recurring);
    json["state_history"] = history_of(view, details.attempts);
    if (!details.tasks.empty()) json["run_details"] = {{"task_details", tasks_of(view, details.tasks)}};
    return json;
}

Json full_tasks(const RunView& view, const RunDetails& details) {
    Json root{{"task_id", id_of_task(view, "")},    {"run_id", view.shown_id}, {"name", "ROOT"},
              {"display_name", view.display_name},  {"type", "ROOT"},          {"state", view.state},
              {"scope_path", Json::array({"root"})}};
    if (auto outputs = outputs_of(view, details.attempts); !outputs.empty())
        root["outputs"] = std::move(outputs);
    auto list = Json::array({std::move(root)});
    for (const auto& task : details.tasks) {
        Json json{{"task_id", id_of_task(view, task.name)},
                  {"run_id", view.shown_id},
                  {"name", task.name},
                  {"display_name", last_part(task.name)},
                  {"type", "RUNTIME"},
                  {"state", task_state(task.state)},
                  {"create_time", time_text(to_ns(task.started_at) != 0 ? task.started_at : view.created)},
                  {"start_time", time_text(task.started_at)},
                  {"end_time", time_text(task.finished_at)}};
        if (!task.error.empty()) json["error"] = {{"code", 13}, {"message", task.error}};
        list.push_back(std::move(json));
    }
    return list;
}

} // namespace weir::facade
