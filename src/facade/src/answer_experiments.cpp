#include <algorithm>

#include "facade_impl.hpp"
#include "messages.hpp"

namespace weir::facade {
namespace {

constexpr std::size_t name_max = 128;
constexpr const char* default_name = "Default";

const ListSchema& schema() {
    static const ListSchema table{"Experiment",
                                  {{"experiment_id"},
                                   {"id", false, false},
                                   {"display_name"},
                                   {"name"},
                                   {"description"},
                                   {"namespace", false, false},
                                   {"storage_state"},
                                   {"created_at", true},
                                   {"last_run_created_at", true}},
                                  "experiment_id"};
    return table;
}

std::string_view storage_state(const ExperimentRecord& record) {
    return record.archived ? "ARCHIVED" : "AVAILABLE";
}

Cell cell_of(const ExperimentRecord& record, std::size_t key) {
    switch (key) {
        case 0:
        case 1: return std::string_view(record.id);
        case 2:
        case 3: return std::string_view(record.name);
        case 4: return std::string_view(record.description);
        case 6: return storage_state(record);
        case 7: return to_ns(record.created);
        case 8: return to_ns(record.last_run);
        default: return std::string_view();
    }
}

Json experiment_json(const ExperimentRecord& record) {
    Json json{{"experiment_id", record.id},
              {"display_name", record.name},
              {"created_at", precise_time_text(record.created)},
              {"storage_state", storage_state(record)},
              {"last_run_created_at", time_text(record.last_run)}};
    if (!record.description.empty()) json["description"] = record.description;
    return json;
}

Outcome<ExperimentRecord> find(PipelineStore& store, const std::string& id) {
    auto record = store.experiment(id);
    if (!record.ok() && record.error().kind == ErrorKind::NotFound) return missing("Experiment", id);
    if (!record.ok()) return record.error();
    return std::move(*record);
}

Outcome<Json> set_archived(PipelineStore& store, const std::string& id, bool archived) {
    auto record = find(store, id);
    if (!record.ok()) return record.error().in("Failed to change an experiment");
    record->archived = archived;
    WEIR_TRY(store.change_experiment(*record));
    return Json(Json::object());
}

Fault default_stays(const std::string& id) {
    return Fault(
        Code::Aborted,
        "BadRequestError: Failed to delete experiment " + id + ". The default experiment cannot be deleted",
        "Failed to delete experiment " + id + ". The default experiment cannot be deleted");
}

} // namespace

Status Facade::Impl::make_default_experiment() {
    WEIR_ASSIGN(all, ports.store.experiments());
    for (const auto& record : all)
        if (record.name == default_name) return {};
    ExperimentRecord record;
    record.id = new_id();
    record.name = default_name;
    record.description = "All runs created without specifying an experiment will be grouped here.";
    record.created = ports.clock.now();
    return ports.store.add_experiment(record);
}

Outcome<ExperimentRecord> Facade::Impl::default_experiment() {
    WEIR_TRY(make_default_experiment());
    WEIR_ASSIGN(all, ports.store.experiments());
    for (auto& record : all)
        if (record.name == default_name) return std::move(record);
    return internal_fault("the experiment Default is gone");
}

Outcome<std::string> Facade::Impl::experiment_of(const Json& message) {
    if (const auto id = text_of(message, "experiment_id"); !id.empty()) {
        auto record = find(ports.store, id);
        if (!record.ok())
            return record.error().in(
                "Failed to create a run due to invalid experimentId and namespace combination");
        return record->id;
    }
    WEIR_ASSIGN(record, default_experiment());
    return record.id;
}

Outcome<std::map<std::string, Instant>> Facade::Impl::newest_scheduled() {
    WEIR_ASSIGN(recurring, ports.store.recurring_runs());
    std::map<std::string, Instant> newest;
    if (recurring.empty()) return newest;
    WEIR_ASSIGN(rows, index.rows());
    std::map<std::string, const RecurringRecord*> schedules;
    for (const auto& record : recurring)
        schedules[record.id] = &record;
    for (const auto& row : rows) {
        const auto found = schedules.find(recurring_of_trigger(row.trigger_name));
        if (found == schedules.end() || found->second->team != row.team) continue;
        auto& time = newest[found->second->experiment];
        time = std::max(time, row.created);
    }
    return newest;
}

Outcome<Json> Facade::Impl::create_experiment(const Ask& ask) {
    auto message = body_message(ask, experiment_message());
    if (!message.ok()) return message.error();
    ExperimentRecord record;
    record.name = text_of(*message, "display_name");
    record.description = text_of(*message, "description");
    if (record.name.empty())
        return invalid_fault("Experiment name is empty. Please specify a valid experiment name")
            .in("Failed to validate experiment request");
    if (record.name.size() > name_max)
        return internal_fault("Failed to create an experiment: its name is over 128 bytes");
    std::lock_guard guard(creating);
    record.id = new_id();
    record.created = ports.clock.now();
    if (const auto made = ports.store.add_experiment(record); !made.ok()) {
        if (made.error().kind == ErrorKind::Conflict) {
            const auto detail = "Experiment name already exists: " + record.name;
            return Fault(Code::AlreadyExists,
                         "Failed to create a new experiment: Already exist error: " + detail, detail);
        }
        return made.error();
    }
    return experiment_json(record);
}

Outcome<Json> Facade::Impl::list_experiments(const Ask& ask) {
    WEIR_ASSIGN(all, ports.store.experiments());
    WEIR_ASSIGN(newest, newest_scheduled());
    for (auto& record : all)
        record.last_run = std::max(record.last_run, newest[record.id]);
    WEIR_ASSIGN(page, list_rows(schema(), ask.list_request(), all.size(),
                                [&](std::size_t row, std::size_t key) { return cell_of(all[row], key); }));
    Json answer = Json::object();
    for (const auto row : page.rows)
        answer["experiments"].push_back(experiment_json(all[row]));
    add_page(answer, page);
    return answer;
}

Outcome<Json> Facade::Impl::get_experiment(const Ask& ask) {
    auto record = find(ports.store, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to fetch experiment");
    WEIR_ASSIGN(newest, newest_scheduled());
    record->last_run = std::max(record->last_run, newest[record->id]);
    return experiment_json(*record);
}

Outcome<Json> Facade::Impl::archive_experiment(const Ask& ask) {
    std::lock_guard guard(creating);
    WEIR_ASSIGN(archived, set_archived(ports.store, ask.values[0], true));
    WEIR_ASSIGN(all, ports.store.recurring_runs());
    for (auto& record : all)
        if (record.experiment == ask.values[0] && !record.deleted && ask.reaches(record.team))
            WEIR_TRY(disable(std::move(record), actor_of(ask, "its experiment is archived")));
    return archived;
}

Outcome<Json> Facade::Impl::unarchive_experiment(const Ask& ask) {
    std::lock_guard guard(creating);
    return set_archived(ports.store, ask.values[0], false);
}

Outcome<Json> Facade::Impl::delete_experiment(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = find(ports.store, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to delete experiment");
    if (record->name == default_name) return default_stays(record->id);
    WEIR_TRY(ports.store.delete_experiment(record->id));
    return Json(Json::object());
}

} // namespace weir::facade
