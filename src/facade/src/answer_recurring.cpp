#include "cron.hpp"
#include "facade_impl.hpp"
#include "messages.hpp"

namespace weir::facade {
namespace {

constexpr std::string_view service_account = "pipeline-runner";
constexpr std::size_t text_max = 255;
constexpr const char* failed = "Failed to create a recurring run";

const ListSchema& schema() {
    static const ListSchema table{"RecurringRun",
                                  {{"recurring_run_id"},
                                   {"id", false, false},
                                   {"display_name"},
                                   {"name"},
                                   {"description"},
                                   {"namespace", false, false},
                                   {"experiment_id", false, false},
                                   {"status"},
                                   {"mode", false, false},
                                   {"created_at", true},
                                   {"updated_at", true}},
                                  "recurring_run_id"};
    return table;
}

std::string_view status_of(const RecurringRecord& record) {
    return record.enabled ? "ENABLED" : "DISABLED";
}

std::string_view mode_of(const RecurringRecord& record) {
    return record.enabled ? "ENABLE" : "DISABLE";
}

Cell cell_of(const RecurringRecord& record, std::size_t key) {
    switch (key) {
        case 0:
        case 1: return std::string_view(record.id);
        case 2:
        case 3: return std::string_view(record.name);
        case 4: return std::string_view(record.description);
        case 5: return std::string_view("kubeflow");
        case 6: return std::string_view(record.experiment);
        case 7: return status_of(record);
        case 8: return mode_of(record);
        case 9: return to_ns(record.created);
        default: return to_ns(record.updated);
    }
}

/// 64-bit integers are texts in KFP's JSON.
Json trigger_json(const std::string& text) {
    auto trigger = stored_json(text);
    if (trigger.contains("periodic_schedule")) {
        auto& seconds = trigger["periodic_schedule"]["interval_second"];
        if (seconds.is_number_integer()) seconds = std::to_string(seconds.get<std::int64_t>());
    }
    return trigger;
}

Json recurring_json(const RecurringRecord& record) {
    Json json{{"recurring_run_id", record.id},
              {"display_name", record.name},
              {"max_concurrency", std::to_string(record.max_concurrency)},
              {"trigger", trigger_json(record.trigger_json)},
              {"mode", mode_of(record)},
              {"created_at", precise_time_text(record.created)},
              {"updated_at", precise_time_text(record.updated)},
              {"status", status_of(record)},
              {"namespace", "kubeflow"},
              {"experiment_id", record.experiment}};
    if (!record.description.empty()) json["description"] = record.description;
    if (record.no_catchup) json["no_catchup"] = true;
    if (!record.runtime_json.empty()) json["runtime_config"] = stored_json(record.runtime_json);
    if (!record.plugins_json.empty()) json["plugins_input"] = stored_json(record.plugins_json);
    if (record.pipeline.empty())
        json["pipeline_spec"] = shown_spec(record.spec_text);
    else
        json["pipeline_version_reference"] = reference_json(record.pipeline, record.version);
    // KFP leaves it out where the version is open.
    if (!record.service_account.empty())
        json["service_account"] = record.service_account;
    else if (record.pipeline.empty() || !record.version.empty())
        json["service_account"] = service_account;
    return json;
}

Outcome<RecurringRecord> find(PipelineStore& store, const Ask& ask, const std::string& id) {
    auto record = store.recurring(id);
    if (!record.ok() && record.error().kind != ErrorKind::NotFound) return record.error();
    if (!record.ok() || record->deleted || !ask.reaches(record->team)) return missing("Job", id);
    return std::move(*record);
}

/// The trigger may be gone or stand already as it shall: then there is nothing to do.
Status unless_done(Status done) {
    if (!done.ok() && (done.error().kind == ErrorKind::NotFound || done.error().kind == ErrorKind::Conflict))
        return {};
    return done;
}

/// One whose trigger is gone or does not launch is not enabled, whoever did that.
void tell_state(RecurringRecord& record, const std::map<std::string, bool>& launching) {
    if (record.trigger_name.empty()) return;
    const auto found = launching.find(record.team + "/" + record.trigger_name);
    record.enabled = found != launching.end() && found->second;
}

Outcome<RecurringRecord> read_record(const Json& message, Instant now) {
    RecurringRecord record;
    record.id = new_id();
    record.name = text_of(message, "display_name");
    record.description = text_of(message, "description");
    if (record.name.empty())
        return internal_fault(
            "Failed to convert a API recurring run to its internal representation: Invalid input "
            "error: Recurring run's name cannot be empty");
    if (characters(record.name) > text_max || characters(record.description) > text_max)
        return internal_fault("Failed to store the recurring run: Data too long");
    record.max_concurrency = message.value("max_concurrency", std::int64_t{0});
    if (record.max_concurrency < 1 || record.max_concurrency > 10)
        return invalid_fault(
            "Max concurrency of a recurring run must be at least 1 and at most 10. Received " +
            std::to_string(record.max_concurrency));
    record.trigger_json = to_text(message.value("trigger", Json::object()));
    if (message.contains("runtime_config")) record.runtime_json = to_text(message["runtime_config"]);
    if (message.contains("plugins_input")) record.plugins_json = to_text(message["plugins_input"]);
    record.service_account = text_of(message, "service_account");
    record.no_catchup = message.value("no_catchup", false);
    record.enabled = text_of(message, "mode") == "ENABLE";
    record.created = now;
    record.updated = now;
    return record;
}

} // namespace

Outcome<Json> Facade::Impl::create_recurring(const Ask& ask) {
    WEIR_ASSIGN(message, body_message(ask, recurring_run_message()));
    auto read = read_record(message, ports.clock.now());
    if (!read.ok()) return read.error().in(std::string(failed) + " due to conversion error");
    auto& record = *read;
    if (auto schedule = read_trigger(stored_json(record.trigger_json)); !schedule.ok())
        return schedule.error().in(std::string(failed) + " due to conversion error");
    auto experiment = experiment_of(message);
    if (!experiment.ok()) return experiment.error().in(failed);
    record.experiment = *experiment;
    auto source = source_of(ask, message);
    if (!source.ok()) return source.error().in(failed);
    record.pipeline = source->pipeline;
    if (source->pinned) record.version = source->version;
    if (record.pipeline.empty()) record.spec_text = source->spec.text;

    std::lock_guard guard(creating);
    WEIR_TRY(choose_flow(ask, *source, record));
    if (!ask.reaches(record.team)) {
        const auto why =
            "the recurring run would belong to the team " + record.team + ", which the token does not reach";
        return Fault(Code::Denied, why, why);
    }
    auto request = schedule_request(ask, *source, record);
    if (!request.ok()) return request.error().in(failed);
    // One that is not enabled has no trigger yet: none of its slots may come in between.
    if (!record.enabled) {
        if (const auto fits = apply(*request, true); !fits.ok()) return Fault(fits.error()).in(failed);
        WEIR_TRY(ports.store.add_recurring(record));
        return recurring_json(record);
    }
    WEIR_TRY(ports.store.add_recurring(record));
    if (const auto made = apply(std::move(*request), false); !made.ok()) {
        (void)ports.store.delete_recurring(record.id);
        return Fault(made.error()).in(failed);
    }
    return recurring_json(record);
}

Outcome<Json> Facade::Impl::list_recurring(const Ask& ask) {
    WEIR_ASSIGN(all, ports.store.recurring_runs());
    WEIR_ASSIGN(launching, launching_triggers());
    const auto wanted = ask.parameter("experiment_id");
    std::erase_if(all, [&](const RecurringRecord& record) {
        return record.deleted || !ask.reaches(record.team) ||
               (!wanted.empty() && record.experiment != wanted);
    });
    for (auto& record : all)
        tell_state(record, launching);
    auto page = list_rows(schema(), ask.list_request(), all.size(),
                          [&](std::size_t row, std::size_t key) { return cell_of(all[row], key); });
    if (!page.ok()) return page.error();
    Json answer = Json::object();
    for (const auto row : page->rows)
        answer["recurringRuns"].push_back(recurring_json(all[row]));
    add_page(answer, *page);
    return answer;
}

Outcome<Json> Facade::Impl::get_recurring(const Ask& ask) {
    auto record = find(ports.store, ask, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to fetch a recurring run");
    WEIR_ASSIGN(launching, launching_triggers());
    tell_state(*record, launching);
    return recurring_json(*record);
}

Outcome<Json> Facade::Impl::enable_recurring(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = find(ports.store, ask, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to enable a recurring run");
    WEIR_ASSIGN(launching, launching_triggers());
    if (launching.count(record->team + "/" + record->trigger_name) > 0) {
        // Slots that fell into the pause are over: they are dropped, recorded.
        WEIR_TRY(unless_done(
            ports.engine.resume(record->team, record->trigger_name, false, actor_of(ask, "enable"))));
    } else {
        auto source = source_of_record(ask, *record);
        if (!source.ok()) return source.error().in("Failed to enable a recurring run");
        // A flow of that name may have come since.
        WEIR_TRY(choose_flow(ask, *source, *record));
        auto request = schedule_request(ask, *source, *record);
        if (!request.ok()) return request.error().in("Failed to enable a recurring run");
        if (const auto made = apply(std::move(*request), false); !made.ok())
            return Fault(made.error()).in("Failed to enable a recurring run");
    }
    record->enabled = true;
    record->updated = ports.clock.now();
    WEIR_TRY(ports.store.change_recurring(*record));
    return Json(Json::object());
}

Status Facade::Impl::disable(RecurringRecord record, const engine::Actor& actor) {
    if (!record.trigger_name.empty())
        WEIR_TRY(unless_done(ports.engine.pause(record.team, record.trigger_name, actor)));
    record.enabled = false;
    record.updated = ports.clock.now();
    return ports.store.change_recurring(record);
}

Outcome<Json> Facade::Impl::disable_recurring(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = find(ports.store, ask, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to disable a recurring run");
    WEIR_TRY(disable(std::move(*record), actor_of(ask, "disable")));
    return Json(Json::object());
}

Outcome<Json> Facade::Impl::delete_recurring(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = find(ports.store, ask, ask.values[0]);
    if (!record.ok())
        return record.error().in("Failed to delete a recurring run: Failed to delete recurring run " +
                                 ask.values[0] + ". Check if exists");
    if (!record->trigger_name.empty())
        WEIR_TRY(unless_done(
            ports.engine.delete_trigger(record->team, record->trigger_name, actor_of(ask, "delete"))));
    // Its runs are called after it.
    record->deleted = true;
    record->updated = ports.clock.now();
    WEIR_TRY(ports.store.change_recurring(*record));
    sweep_flows(actor_of(ask, "delete"));
    return Json(Json::object());
}

} // namespace weir::facade
