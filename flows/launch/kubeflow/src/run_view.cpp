#include "run_view.hpp"

#include <algorithm>

#include <weir/base/text.hpp>

#include "json.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t description_max = 255; // varchar(255) in the server's database

/// 1970 where there is no time, as the server writes it.
Instant time_of(Element object, std::string_view name) {
    const auto text = text_of(object, name);
    if (text.empty()) return {};
    const auto time = parse_rfc3339(text);
    return time.ok() ? *time : Instant{};
}

TaskState task_state(std::string_view state) {
    if (state == "RUNNING" || state == "CANCELING") return TaskState::Running;
    if (state == "SUCCEEDED" || state == "CACHED") return TaskState::Succeeded;
    if (state == "FAILED") return TaskState::Failed;
    if (state == "SKIPPED") return TaskState::Skipped;
    if (state == "CANCELED") return TaskState::Cancelled;
    return TaskState::Pending;
}

/// An error of a run or a task: google.rpc.Status.
std::string error_of(Element object) {
    const auto error = member(object, "error");
    return error ? printable(text_of(*error, "message"), 1000) : std::string();
}

TaskRecord read_task(Element task, std::string_view name_field, std::string_view created_field) {
    TaskRecord record;
    record.name = text_of(task, name_field);
    if (record.name.empty()) record.name = text_of(task, "display_name");
    record.state = task_state(text_of(task, "state"));
    record.started_at = time_of(task, "start_time");
    if (record.started_at == Instant{}) record.started_at = time_of(task, created_field);
    record.finished_at = time_of(task, "end_time");
    record.error = error_of(task);
    return record;
}

void read_artifacts(Element outputs, const std::string& task, std::vector<ArtifactRecord>& into) {
    const auto groups = list_of(outputs, "artifacts");
    if (!groups) return;
    for (const Element group : *groups) {
        const auto items = list_of(group, "artifacts");
        if (!items) continue;
        for (const Element item : *items) {
            ArtifactRecord record;
            auto key = text_of(group, "artifact_key");
            if (key.empty()) key = text_of(item, "name");
            record.name = task.empty() ? std::string(key) : task + "." + std::string(key);
            record.uri = text_of(item, "uri");
            record.type = text_of(item, "type");
            if (const auto metadata = member(item, "metadata")) record.metadata_json = to_text(*metadata);
            if (std::find(into.begin(), into.end(), record) == into.end()) into.push_back(std::move(record));
        }
    }
}

std::string read_outputs(Element outputs) {
    std::string out = "{";
    const auto parameters = list_of(outputs, "parameters");
    if (parameters)
        for (const Element parameter : *parameters) {
            const auto value = member(parameter, "value");
            const auto key = text_of(parameter, "parameter_key");
            if (!value || key.empty()) continue;
            if (out.size() > 1) out += ',';
            out += to_text(*member(parameter, "parameter_key")) + ":" + to_text(*value);
        }
    return out + "}";
}

/// tasks[] of view=FULL.
void read_full(Element run, RunView& view) {
    const auto tasks = list_of(run, "tasks");
    view.full = tasks.has_value() || member(run, "task_count").has_value();
    if (!tasks) return;
    view.tasks.clear();
    std::vector<ArtifactRecord> of_root;
    for (const Element task : *tasks) {
        const bool root = text_of(task, "type") == "ROOT";
        const auto outputs = member(task, "outputs");
        if (!root) view.tasks.push_back(read_task(task, "name", "create_time"));
        if (!outputs) continue;
        if (root) view.outputs_json = read_outputs(*outputs);
        read_artifacts(*outputs, root ? std::string() : view.tasks.back().name,
                       root ? of_root : view.artifacts);
    }
    // The pipeline's own artifacts are those of its tasks again, whose names say more.
    for (ArtifactRecord& record : of_root)
        if (std::none_of(view.artifacts.begin(), view.artifacts.end(),
                         [&](const ArtifactRecord& known) { return known.uri == record.uri; }))
            view.artifacts.push_back(std::move(record));
}

Result<RunView> view_of(Element run) {
    RunView view;
    view.id = text_of(run, "run_id");
    if (view.id.empty()) return invalid("it has no run_id");
    view.experiment_id = text_of(run, "experiment_id");
    view.display_name = text_of(run, "display_name");
    view.description = text_of(run, "description");
    if (const auto reference = member(run, "pipeline_version_reference")) {
        view.pipeline_id = text_of(*reference, "pipeline_id");
        view.version_id = text_of(*reference, "pipeline_version_id");
    }
    view.state = text_of(run, "state");
    if (const auto config = member(run, "runtime_config"))
        if (const auto parameters = member(*config, "parameters"); parameters && parameters->is_object())
            view.arguments_json = to_text(*parameters);
    view.error = error_of(run);
    view.created = time_of(run, "created_at");
    view.finished = time_of(run, "finished_at");
    if (const auto history = list_of(run, "state_history"))
        for (const Element change : *history)
            if (const auto state = text_of(change, "state"); !state.empty())
                view.history.push_back({std::string(state), time_of(change, "update_time")});
    if (const auto details = member(run, "run_details"))
        if (const auto tasks = list_of(*details, "task_details"))
            for (const Element task : *tasks)
                view.tasks.push_back(read_task(task, "display_name", "create_time"));
    read_full(run, view);
    return view;
}

} // namespace

Result<RunView> read_run(std::string_view json) {
    WEIR_ASSIGN(document, Document::parse(json));
    return view_of(document.root());
}

Result<RunPage> read_run_page(std::string_view json) {
    WEIR_ASSIGN(document, Document::parse(json));
    const Element page = document.root();
    if (!page.is_object()) return invalid("it is no list of runs");
    RunPage read;
    read.next_token = text_of(page, "next_page_token");
    if (const auto runs = list_of(page, "runs"))
        for (const Element run : *runs) {
            auto view = view_of(run);
            // An item the server could not convert carries ids and an error, no times.
            if (view.ok() && view->created != Instant{})
                read.runs.push_back(std::move(*view));
            else
                ++read.unreadable;
        }
    return read;
}

const std::vector<std::string>& terminal_states() {
    static const std::vector<std::string> states{"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"};
    return states;
}

bool is_terminal(std::string_view state) {
    const auto& states = terminal_states();
    return std::find(states.begin(), states.end(), state) != states.end();
}

std::vector<AttemptView> attempts_of(const RunView& run) {
    std::vector<StateChange> history = run.history;
    // The newest state may not stand in the history: older servers, and CANCELING.
    if (!run.state.empty() && (history.empty() || history.back().state != run.state))
        history.push_back({run.state, run.finished != Instant{} ? run.finished
                                      : history.empty()         ? run.created
                                                                : history.back().at});
    std::vector<AttemptView> attempts(1);
    attempts[0].started = run.created;
    attempts[0].state = "PENDING";
    std::string last;
    bool ran = false;
    for (const StateChange& change : history) {
        AttemptView* now = &attempts.back();
        const bool going = change.state == "RUNNING" || change.state == "PENDING" || change.state == "PAUSED";
        if (going && now->settled && now->state == "FAILED" && last == "FAILED") {
            AttemptView next;
            next.number = now->number + 1;
            next.started = change.at;
            next.state = change.state;
            attempts.push_back(std::move(next));
            ran = change.state == "RUNNING";
        } else if (now->settled) {
            if (change.state != last)
                now->note += (now->note.empty() ? "a late report after " + now->state + ": " : ", ") +
                             change.state + " at " + format_rfc3339(change.at);
        } else if (is_terminal(change.state)) {
            now->settled = true;
            now->state = change.state;
            now->finished = change.at;
        } else if (change.state == "CANCELING") {
            now->cancelling = true;
            now->state = change.state;
        } else {
            if (change.state == "RUNNING" && !ran) {
                now->started = change.at;
                ran = true;
            }
            now->state = change.state;
        }
        last = change.state;
    }
    AttemptView& newest = attempts.back();
    // Argo's own end is nearer to the truth than the time at which its report came in.
    if (newest.settled && newest.note.empty() && run.finished != Instant{} && run.state == newest.state)
        newest.finished = run.finished;
    for (AttemptView& attempt : attempts)
        if (attempt.settled && attempt.started > attempt.finished) attempt.started = attempt.finished;
    return attempts;
}

std::string machine_line(const MachineLine& line) {
    const std::string before = "weir: decision=" + line.decision + " flow=";
    const std::string after = " version=" + line.version;
    std::string flow = line.flow;
    const std::size_t room = description_max - std::min(description_max, before.size() + after.size());
    if (flow.size() > room) flow.resize(room);
    return before + flow + after;
}

MachineLine read_machine_line(std::string_view description) {
    while (!description.empty() && (description.back() == '\n' || description.back() == '\r'))
        description.remove_suffix(1);
    const auto start = description.rfind('\n');
    std::string_view line = start == std::string_view::npos ? description : description.substr(start + 1);
    MachineLine read;
    if (!line.starts_with("weir: ")) return read;
    line.remove_prefix(6);
    while (!line.empty()) {
        const auto end = line.find(' ');
        const std::string_view word = line.substr(0, end);
        line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
        if (word.starts_with("decision=")) read.decision = word.substr(9);
        if (word.starts_with("flow=")) read.flow = word.substr(5);
        if (word.starts_with("version=")) read.version = word.substr(8);
    }
    return read;
}

std::string failure_of(const RunView& run) {
    if (!run.error.empty()) return run.error;
    std::string failed;
    std::size_t count = 0;
    for (const TaskRecord& task : run.tasks) {
        if (task.state != TaskState::Failed) continue;
        if (++count > 5) continue;
        failed += (failed.empty() ? "" : ", ") + printable(task.name, 100);
        if (!task.error.empty()) failed += " (" + task.error + ")";
    }
    if (count > 5) failed += " and " + std::to_string(count - 5) + " more";
    if (count == 0) return "the server says FAILED and does not say why";
    return std::string(count == 1 ? "the task " : "the tasks ") + failed + " failed";
}

} // namespace weir::flows::kubeflow
