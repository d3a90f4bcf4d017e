#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/flows/arguments.hpp>

#include "cron.hpp"
#include "facade_impl.hpp"
#include "messages.hpp"
#include "parameters.hpp"

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

std::string quoted_time(Instant time) {
    return "timestamp(\"" + format_rfc3339(time) + "\")";
}

/// The trigger that makes its runs.
std::string trigger_document(const RecurringRecord& record, const WeirSchedule& schedule,
                             const Json& parameters) {
    Json when{{"schedule", schedule.cron}, {"timezone", "UTC"}};
    std::string where;
    if (schedule.start) where = "timestamp(event.data.slot) >= " + quoted_time(*schedule.start);
    if (schedule.end)
        where +=
            (where.empty() ? "" : " && ") + ("timestamp(event.data.slot) <= " + quoted_time(*schedule.end));
    if (!where.empty()) when["where"] = where;
    Json launch{{"flow", record.flow}, {"overlap", record.max_concurrency == 1 ? "queue" : "allow"}};
    for (const auto& [name, value] : parameters.items())
        launch["parameters"][name] = {{"value", value}};
    return to_text(Json{{"trigger", record.trigger_name},
                        {"team", record.team},
                        {"description", "recurring run " + printable(record.name, 200)},
                        {"when", std::move(when)},
                        {"launch", std::move(launch)}});
}

Outcome<RecurringRecord> find(PipelineStore& store, const Ask& ask, const std::string& id) {
    auto record = store.recurring(id);
    if (!record.ok() && record.error().kind != ErrorKind::NotFound) return record.error();
    if (!record.ok() || !ask.reaches(record->team)) return missing("Job", id);
    return std::move(*record);
}

/// The trigger may be gone or stand already as it shall: then there is nothing to do.
Status unless_done(Status done) {
    if (!done.ok() && (done.error().kind == ErrorKind::NotFound || done.error().kind == ErrorKind::Conflict))
        return {};
    return done;
}

/// The parameters that a schedule's runs get: constants of its trigger.
Outcome<Json> read_parameters(const RecurringRecord& record, const Source& source) {
    const auto runtime = stored_json(record.runtime_json);
    const auto given = runtime.is_object() ? runtime.value("parameters", Json::object()) : Json::object();
    if (auto right = check_parameters(source.spec.parameters, given); !right.ok()) return right.error();
    auto bound = flows::bind_arguments(source.spec.parameters, to_text(given));
    if (!bound.ok()) return invalid_fault(bound.error().message);
    return stored_json(*bound);
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
    if (record.name.size() > text_max || record.description.size() > text_max)
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

Status Facade::Impl::apply_flow(const std::string& team, const std::string& flow, const std::string& text,
                                const std::string& trigger, const engine::Actor& actor) {
    engine::ApplyRequest request;
    const std::string file = "facade/pipeline.yaml";
    if (!text.empty()) {
        request.files.push_back({"facade/flow", flow_document(team, flow, "pipeline.yaml")});
        request.extra[file] = text;
    }
    if (!trigger.empty()) request.files.push_back({"facade/trigger", trigger});
    request.default_team = team;
    request.actor = actor;
    WEIR_ASSIGN(report, ports.engine.apply(request));
    if (!report.problems.empty()) return invalid(report.problems.front());
    return {};
}

Status Facade::Impl::follow_latest(const Ask& ask, const PipelineRecord& pipeline,
                                   const VersionRecord& version) {
    WEIR_ASSIGN(all, ports.store.recurring_runs());
    const auto follows = std::find_if(all.begin(), all.end(), [&](const RecurringRecord& record) {
        return record.pipeline == pipeline.id && record.version.empty() && !record.trigger_name.empty();
    });
    if (follows == all.end()) return {};
    return apply_flow(follows->team, follows->flow, version.text, "",
                      actor_of(ask, "a new version of " + pipeline.name));
}

Outcome<Json> Facade::Impl::create_recurring(const Ask& ask) {
    WEIR_ASSIGN(message, body_message(ask, recurring_run_message()));
    auto read = read_record(message, ports.clock.now());
    if (!read.ok()) return read.error().in(std::string(failed) + " due to conversion error");
    auto& record = *read;
    auto schedule = read_trigger(stored_json(record.trigger_json));
    if (!schedule.ok()) return schedule.error().in(std::string(failed) + " due to conversion error");
    auto experiment = experiment_of(message);
    if (!experiment.ok()) return experiment.error().in(failed);
    record.experiment = *experiment;
    auto source = source_of(ask, message);
    if (!source.ok()) return source.error().in(failed);
    record.pipeline = source->pipeline;
    if (source->pinned) record.version = source->version;
    if (record.pipeline.empty()) record.spec_text = source->spec.text;
    auto parameters = read_parameters(record, *source);
    if (!parameters.ok()) return parameters.error().in(failed);

    std::lock_guard guard(creating);
    WEIR_ASSIGN(flow, flow_of(*source));
    record.team = flow.first;
    // What is pinned to a version, or brings its spec, is a flow of its own: the other one moves on.
    record.flow = flow.second;
    if (source->pinned) record.flow += "." + record.version.substr(0, 8);
    if (record.pipeline.empty()) record.flow += "." + record.id.substr(0, 8);
    if (*schedule) record.trigger_name = trigger_of_recurring(record.id);
    WEIR_TRY(ports.store.add_recurring(record));
    if (!*schedule) return recurring_json(record);
    const auto actor = actor_of(ask, "recurring run " + record.name);
    auto made = apply_flow(record.team, record.flow, source->spec.text,
                           trigger_document(record, **schedule, *parameters), actor);
    if (made.ok() && !record.enabled) made = ports.engine.pause(record.team, record.trigger_name, actor);
    if (!made.ok()) {
        (void)ports.engine.delete_trigger(record.team, record.trigger_name, actor);
        (void)ports.store.delete_recurring(record.id);
        return Fault(made.error()).in(failed);
    }
    return recurring_json(record);
}

Outcome<Json> Facade::Impl::list_recurring(const Ask& ask) {
    WEIR_ASSIGN(all, ports.store.recurring_runs());
    const auto wanted = ask.parameter("experiment_id");
    std::erase_if(all, [&](const RecurringRecord& record) {
        return !ask.reaches(record.team) || (!wanted.empty() && record.experiment != wanted);
    });
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
    return recurring_json(*record);
}

Outcome<Json> Facade::Impl::enable_recurring(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = find(ports.store, ask, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to enable a recurring run");
    if (!record->trigger_name.empty())
        // Slots that fell into the pause are over: they are dropped, recorded.
        WEIR_TRY(unless_done(
            ports.engine.resume(record->team, record->trigger_name, false, actor_of(ask, "enable"))));
    record->enabled = true;
    record->updated = ports.clock.now();
    WEIR_TRY(ports.store.change_recurring(*record));
    return Json(Json::object());
}

Outcome<Json> Facade::Impl::disable_recurring(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = find(ports.store, ask, ask.values[0]);
    if (!record.ok()) return record.error().in("Failed to disable a recurring run");
    if (!record->trigger_name.empty())
        WEIR_TRY(
            unless_done(ports.engine.pause(record->team, record->trigger_name, actor_of(ask, "disable"))));
    record->enabled = false;
    record->updated = ports.clock.now();
    WEIR_TRY(ports.store.change_recurring(*record));
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
    WEIR_TRY(ports.store.delete_recurring(record->id));
    return Json(Json::object());
}

} // namespace weir::facade
