#include <algorithm>

#include "facade_impl.hpp"
#include "messages.hpp"

namespace weir::facade {
namespace {

const ListSchema& schema() {
    static const ListSchema table{"Run",
                                  {{"run_id"},
                                   {"display_name"},
                                   {"name"},
                                   {"description"},
                                   {"storage_state"},
                                   {"state"},
                                   {"experiment_id", false, false},
                                   {"recurring_run_id", false, false},
                                   {"namespace", false, false},
                                   {"state_history", false, false},
                                   {"runtime_details", false, false},
                                   {"created_at", true},
                                   {"scheduled_at", true},
                                   {"finished_at", true}},
                                  "run_id"};
    return table;
}

Cell cell_of(const RunView& view, std::size_t key) {
    switch (key) {
        case 0: return std::string_view(view.shown_id);
        case 1:
        case 2: return std::string_view(view.display_name);
        case 3: return view.note ? std::string_view(view.note->description) : std::string_view();
        case 4: return std::string_view(view.note && view.note->archived ? "ARCHIVED" : "AVAILABLE");
        case 5: return view.state;
        case 6: return std::string_view(view.experiment);
        case 7: return std::string_view(view.recurring);
        case 11:
        case 12: return to_ns(view.created);
        case 13: return to_ns(view.finished);
        default: return std::string_view();
    }
}

Fault row_not_found(const std::string& id) {
    return invalid_fault("Failed to terminate a run " + id + ". Row not found")
        .in("Failed to terminate a run: Failed to terminate run " + id);
}

Fault not_failed(const std::string& id) {
    return Fault(Code::Aborted,
                 "BadRequestError: Workflow must be Failed/Error to retry: workflow cannot be retried",
                 "Workflow must be Failed/Error to retry")
        .in("Failed to retry a run: Failed to retry run " + id);
}

/// A run whose end was not known when an act was asked for.
bool refused_as_ended(const Status& done) {
    return !done.ok() &&
           (done.error().kind == ErrorKind::Conflict || done.error().kind == ErrorKind::Invalid ||
            done.error().kind == ErrorKind::NotFound);
}

} // namespace

void Facade::Impl::fill_in(RunView& view, const RecurringRecord& record) {
    if (record.team != view.row.team) return;
    auto note = note_of(view);
    note.experiment = record.experiment;
    note.display_name = record.name + "-" + view.shown_id.substr(0, 8);
    note.service_account = record.service_account;
    if (!note.parameters_json.empty())
        note.parameters_json = to_text(as_struct(stored_json(note.parameters_json)));
    note.spec_text = record.spec_text;
    note.pipeline = record.pipeline;
    note.version = record.version;
    if (note.version.empty()) {
        // What the flow's own launch resolved, or which version stood behind the flow's when it was sent.
        const auto versions = stored_json(record.versions_json);
        const auto slash = view.row.backend_version.find('/');
        if (slash != std::string::npos)
            note.version = view.row.backend_version.substr(slash + 1);
        else
            note.version = text_of(versions, view.row.flow_version);
    }
    view.experiment = note.experiment;
    view.display_name = note.display_name;
    view.note = std::move(note);
}

Outcome<RunView> Facade::Impl::view_of(ledger::RunRow row, std::optional<RunNote> note) {
    WEIR_ASSIGN(experiment, default_experiment());
    auto view = make_view(std::move(row), std::move(note), experiment.id);
    if (!view.recurring.empty() && !view.note) {
        if (const auto record = ports.store.recurring(view.recurring); record.ok()) fill_in(view, *record);
    }
    return view;
}

Outcome<RunView> Facade::Impl::visible_run(const Ask& ask, const std::string& id) {
    std::optional<RunNote> note;
    RunId run;
    if (auto found = ports.store.run_note_by_shown_id(id); found.ok()) {
        run = found->run;
        note = std::move(*found);
    } else if (const auto uuid = Uuid::parse(id); uuid.ok()) {
        run = {*uuid};
        // What the client called otherwise is the same run.
        if (auto known = ports.store.run_note(run); known.ok()) note = std::move(*known);
    } else {
        return missing("Run", id);
    }
    if (note && note->deleted) return missing("Run", id);
    auto row = (ask.call.reader != nullptr ? *ask.call.reader : ports.reader).run(run);
    if (!row.ok() && row.error().kind == ErrorKind::NotFound) return missing("Run", id);
    if (!row.ok()) return row.error();
    return view_of(std::move(*row), std::move(note));
}

RunNote Facade::Impl::note_of(const RunView& view) const {
    if (view.note) return *view.note;
    RunNote note;
    note.run = view.row.id;
    note.shown_id = view.shown_id;
    note.display_name = view.display_name;
    note.experiment = view.experiment;
    note.recurring = view.recurring;
    note.parameters_json = view.row.arguments_json == "{}" ? "" : view.row.arguments_json;
    note.created = view.created;
    return note;
}

Outcome<Json> Facade::Impl::list_runs(const Ask& ask) {
    const auto wanted = ask.parameter("experiment_id");
    if (!wanted.empty()) {
        auto experiment = experiment_of(Json{{"experiment_id", wanted}});
        if (!experiment.ok()) return experiment.error().in("Failed to list runs");
    }
    WEIR_ASSIGN(standard, default_experiment());
    WEIR_ASSIGN(notes, ports.store.run_notes());
    WEIR_ASSIGN(recurring, ports.store.recurring_runs());
    WEIR_ASSIGN(rows, index.rows());
    std::map<RunId, RunNote*> note_of_run;
    for (auto& note : notes)
        note_of_run[note.run] = &note;
    std::map<std::string, const RecurringRecord*> schedules;
    for (const auto& record : recurring)
        schedules[record.id] = &record;

    std::vector<RunView> views;
    for (auto& row : rows) {
        if (!ask.reaches(row.team) && !ask.reaches(row.flow_team)) continue;
        std::optional<RunNote> note;
        if (const auto found = note_of_run.find(row.id); found != note_of_run.end())
            note = std::move(*found->second);
        if (note && note->deleted) continue;
        auto view = make_view(std::move(row), std::move(note), standard.id);
        if (const auto found = schedules.find(view.recurring); found != schedules.end() && !view.note) {
            fill_in(view, *found->second);
        }
        if (!wanted.empty() && view.experiment != wanted) continue;
        views.push_back(std::move(view));
    }
    auto page = list_rows(schema(), ask.list_request(), views.size(),
                          [&](std::size_t row, std::size_t key) { return cell_of(views[row], key); });
    if (!page.ok()) return page.error();
    Json answer = Json::object();
    const bool full = ask.parameter("view") == "FULL";
    for (const auto number : page->rows) {
        // The few that are shown are read whole.
        auto view = visible_run(ask, views[number].shown_id);
        if (!view.ok()) continue;
        WEIR_ASSIGN(shown, shown_run(*view, full, full));
        answer["runs"].push_back(std::move(shown));
    }
    add_page(answer, *page);
    return answer;
}

/// `tasks`: its tasks are read, too; `full`: view=FULL.
Outcome<Json> Facade::Impl::shown_run(const RunView& view, bool tasks, bool full) {
    RunDetails details;
    WEIR_ASSIGN(attempts, ports.reader.attempts(view.row.no));
    details.attempts = std::move(attempts);
    if (tasks && ports.tasks != nullptr) {
        // A run that its backend has not heard of yet, or has forgotten, has none.
        if (auto told = ports.tasks->tasks(view.row.id); told.ok()) details.tasks = std::move(*told);
    }
    const auto spec = view.note && !view.note->spec_text.empty() ? shown_spec(view.note->spec_text) : Json();
    auto json = run_json(view, details, spec);
    if (full) json["tasks"] = full_tasks(view, details);
    return json;
}

Outcome<Json> Facade::Impl::get_run(const Ask& ask) {
    auto view = visible_run(ask, ask.values[0]);
    if (!view.ok()) return view.error().in("Failed to get a run: Failed to fetch run " + ask.values[0]);
    return shown_run(*view, true, ask.parameter("view") == "FULL");
}

Outcome<Json> Facade::Impl::terminate_run(const Ask& ask) {
    const auto& id = ask.values[0];
    auto view = visible_run(ask, id);
    if (!view.ok())
        return view.error().in("Failed to terminate a run: Failed to terminate run " + id +
                               " due to error fetching the run");
    if (view->state != "PENDING" && view->state != "RUNNING") return row_not_found(id);
    const auto done = ports.engine.cancel_run(view->row.id, actor_of(ask, "terminate"));
    if (refused_as_ended(done)) return row_not_found(id);
    WEIR_TRY(done);
    return Json(Json::object());
}

Outcome<Json> Facade::Impl::retry_run(const Ask& ask) {
    const auto& id = ask.values[0];
    auto view = visible_run(ask, id);
    if (!view.ok())
        return view.error().in("Failed to retry a run: Failed to retry run " + id +
                               " due to error fetching the run");
    if (view->state != "FAILED") return not_failed(id);
    const auto done = ports.engine.retry_run(view->row.id, actor_of(ask, "retry"));
    if (refused_as_ended(done)) return not_failed(id).in(done.error().message);
    WEIR_TRY(done);
    return Json(Json::object());
}

Outcome<Json> Facade::Impl::archive_run(const Ask& ask) {
    std::lock_guard guard(creating);
    auto view = visible_run(ask, ask.values[0]);
    if (!view.ok()) return view.error().in("Failed to archive a run");
    auto note = note_of(*view);
    note.archived = true;
    WEIR_TRY(ports.store.note_run(note));
    return Json(Json::object());
}

Outcome<Json> Facade::Impl::unarchive_run(const Ask& ask) {
    std::lock_guard guard(creating);
    auto view = visible_run(ask, ask.values[0]);
    if (!view.ok()) return view.error().in("Failed to unarchive a run");
    auto note = note_of(*view);
    note.archived = false;
    WEIR_TRY(ports.store.note_run(note));
    return Json(Json::object());
}

Outcome<Json> Facade::Impl::delete_run(const Ask& ask) {
    std::lock_guard guard(creating);
    auto view = visible_run(ask, ask.values[0]);
    if (!view.ok())
        return view.error().in("Failed to delete a run: Failed to delete run " + ask.values[0] +
                               " as it does not exist");
    // With KFP its Workflow goes, too; the ledger keeps what happened.
    if (view->row.state != ledger::RunState::Settled) {
        const auto done = ports.engine.cancel_run(view->row.id, actor_of(ask, "delete"));
        if (!refused_as_ended(done)) WEIR_TRY(done);
    }
    auto note = note_of(*view);
    note.deleted = true;
    WEIR_TRY(ports.store.note_run(note));
    return Json(Json::object());
}

} // namespace weir::facade
