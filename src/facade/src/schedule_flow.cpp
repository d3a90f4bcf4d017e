#include <algorithm>
#include <set>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/flows/naming.hpp>

#include "cron.hpp"
#include "facade_impl.hpp"
#include "macros.hpp"
#include "messages.hpp"
#include "parameters.hpp"

// Which flow a recurring run launches, and how that flow follows its pipeline.
namespace weir::facade {
namespace {

constexpr std::size_t name_max = 100; // flows::flow_name_of
constexpr const char* flow_file = "pipeline.yaml";
constexpr const char* folder = "facade/";

/// By which a flow is known as the façade's own.
std::string owner_of_flow(const std::string& flow) {
    return "kfp recurring runs: " + flow;
}

std::string owner_label(const ledger::FlowVersionRow& row) {
    const auto settings = stored_json(row.flow.settings_json);
    const auto labels = settings.find("labels");
    return labels == settings.end() || !labels->is_object() ? "" : text_of(*labels, "owner");
}

/// Whether a flow of this name stands there that the façade did not register.
bool foreign(const std::vector<ledger::FlowVersionRow>& flows, const std::string& team,
             const std::string& name) {
    return std::any_of(flows.begin(), flows.end(), [&](const ledger::FlowVersionRow& row) {
        return row.flow.team == team && row.flow.flow == name && owner_label(row) != owner_of_flow(name);
    });
}

std::string with_suffix(const std::string& name, const std::string& suffix) {
    return name.substr(0, name_max - suffix.size() - 1) + "." + suffix;
}

std::string quoted_time(Instant time) {
    return "timestamp(\"" + format_rfc3339(time) + "\")";
}

/// The trigger that makes its runs.
Outcome<std::string> trigger_document(const RecurringRecord& record, const WeirSchedule& schedule,
                                      const Json& parameters) {
    Json when{{"schedule", schedule.cron}, {"timezone", "UTC"}};
    std::string where;
    if (schedule.start) where = "timestamp(event.data.slot) >= " + quoted_time(*schedule.start);
    if (schedule.end)
        where +=
            (where.empty() ? "" : " && ") + ("timestamp(event.data.slot) <= " + quoted_time(*schedule.end));
    if (!where.empty()) when["where"] = where;
    Json launch{{"flow", record.flow}, {"overlap", record.max_concurrency == 1 ? "queue" : "allow"}};
    for (const auto& [name, value] : parameters.items()) {
        WEIR_ASSIGN(expression, scheduled_text(name, value));
        if (expression.empty())
            launch["parameters"][name] = {{"value", value}};
        else
            launch["parameters"][name] = expression;
    }
    return to_text(Json{{"trigger", record.trigger_name},
                        {"team", record.team},
                        {"description", "recurring run " + printable(record.name, 200)},
                        {"when", std::move(when)},
                        {"launch", std::move(launch)}});
}

/// The parameters that a schedule's runs get.
Outcome<Json> read_parameters(const RecurringRecord& record, const Source& source) {
    const auto runtime = stored_json(record.runtime_json);
    const auto given = runtime.is_object() ? runtime.value("parameters", Json::object()) : Json::object();
    if (auto right = check_parameters(source.spec.parameters, given); !right.ok()) return right.error();
    auto bound = flows::bind_arguments(source.spec.parameters, to_text(given));
    if (!bound.ok()) return invalid_fault(bound.error().message);
    return stored_json(*bound);
}

void note_version(RecurringRecord& record, const std::string& flow_version, const std::string& version) {
    auto versions = stored_json(record.versions_json);
    if (!versions.is_object()) versions = Json::object();
    versions[flow_version] = version;
    record.versions_json = to_text(versions);
}

/// The flow that a trigger's document launches, with its team.
std::pair<std::string, std::string> launched(const ledger::TriggerRow& row) {
    const auto document = stored_json(row.version.document_json);
    const auto launch = document.is_object() ? document.value("launch", Json::object()) : Json::object();
    auto flow = launch.is_object() ? text_of(launch, "flow") : "";
    const auto slash = flow.find('/');
    if (slash == std::string::npos) return {row.version.team, flow};
    return {flow.substr(0, slash), flow.substr(slash + 1)};
}

Outcome<std::vector<ledger::TriggerRow>> all_triggers(ledger::LedgerReader& reader) {
    std::vector<ledger::TriggerRow> all;
    ledger::Query query;
    query.limit = 1000;
    do {
        WEIR_ASSIGN(page, reader.triggers(query));
        std::move(page.rows.begin(), page.rows.end(), std::back_inserter(all));
        query.page = page.next;
    } while (!query.page.empty());
    return all;
}

} // namespace

Outcome<std::vector<ledger::FlowVersionRow>> Facade::Impl::registered_flows() {
    std::vector<ledger::FlowVersionRow> flows;
    ledger::Query query;
    query.limit = 1000;
    do {
        WEIR_ASSIGN(page, ports.reader.flows(query));
        std::move(page.rows.begin(), page.rows.end(), std::back_inserter(flows));
        query.page = page.next;
    } while (!query.page.empty());
    return flows;
}

const ledger::FlowVersionRow* naming_flow(const Ask& ask, const Source& source,
                                          const std::vector<ledger::FlowVersionRow>& flows) {
    const ledger::FlowVersionRow* found = nullptr;
    if (source.pipeline.empty()) return found;
    for (const auto& row : flows) {
        // A flow that has its file with it names none of ours.
        if (!row.flow.pipeline.empty() || !ask.reaches(row.flow.team)) continue;
        if (row.flow.team != source.team && !source.shared) continue;
        const auto named = text_of(stored_json(row.flow.settings_json), "pipeline");
        if (named.empty() || (named != source.pipeline && named != source.pipeline_name)) continue;
        if (found == nullptr || row.flow.team == source.team) found = &row;
    }
    return found;
}

Status Facade::Impl::choose_flow(const Ask& ask, const Source& source, RecurringRecord& record) {
    auto flows = registered_flows();
    if (!flows.ok()) return unavailable(flows.error().message);
    const auto* named = naming_flow(ask, source, *flows);
    record.team = named != nullptr ? named->flow.team : source.team;
    record.flow = named != nullptr ? named->flow.flow : flows::flow_name_of(source.pipeline_name);
    const auto fixed = named == nullptr ? "" : text_of(stored_json(named->flow.settings_json), "version");
    if (named != nullptr && !source.pinned && (fixed.empty() || fixed == "latest")) {
        // The user's flow takes the latest version by itself, and the rest of what it says counts, too.
        record.own_flow = false;
        return {};
    }
    record.own_flow = true;
    // What is pinned to a version, or brings its spec, is a flow of its own: the other one moves on.
    if (source.pinned) record.flow = with_suffix(record.flow, record.version.substr(0, 8));
    if (record.pipeline.empty()) record.flow = with_suffix(record.flow, record.id.substr(0, 8));
    const auto wished = record.flow;
    if (foreign(*flows, record.team, record.flow)) record.flow = with_suffix(wished, "kfp");
    if (foreign(*flows, record.team, record.flow)) record.flow = with_suffix(wished, record.id.substr(0, 8));
    return {};
}

Outcome<engine::ApplyRequest> Facade::Impl::schedule_request(const Ask& ask, const Source& source,
                                                             RecurringRecord& record) {
    WEIR_ASSIGN(schedule, read_trigger(stored_json(record.trigger_json)));
    WEIR_ASSIGN(parameters, read_parameters(record, source));
    engine::ApplyRequest request;
    request.default_team = record.team;
    request.teams = ask.call.teams;
    request.actor = actor_of(ask, "recurring run " + record.name);
    if (!schedule) return request;
    record.trigger_name = trigger_of_recurring(record.id);
    WEIR_ASSIGN(trigger, trigger_document(record, *schedule, parameters));
    request.files.push_back({std::string(folder) + "trigger", std::move(trigger)});
    if (!record.own_flow) return request;
    const auto owner = owner_of_flow(record.flow);
    request.files.push_back(
        {std::string(folder) + "flow", flow_document(record.team, record.flow, flow_file, owner)});
    request.extra[std::string(folder) + flow_file] = source.spec.text;
    WEIR_ASSIGN(version, flow_version_of(record.team, record.flow, source.spec.text, owner));
    note_version(record, version.version, source.version);
    return request;
}

Outcome<Source> Facade::Impl::source_of_record(const Ask& ask, const RecurringRecord& record) {
    Json message = Json::object();
    if (!record.pipeline.empty()) {
        message["pipeline_version_reference"] = reference_json(record.pipeline, record.version);
        return source_of(ask, message);
    }
    auto spec = read_spec(record.spec_text);
    if (!spec.ok()) return Fault(spec.error());
    Source source;
    source.spec = std::move(*spec);
    return source;
}

Status Facade::Impl::apply(engine::ApplyRequest request, bool dry_run) {
    if (request.files.empty()) return {};
    request.dry_run = dry_run;
    WEIR_ASSIGN(report, ports.engine.apply(request));
    if (!report.problems.empty()) return invalid(report.problems.front());
    return {};
}

Outcome<std::map<std::string, bool>> Facade::Impl::launching_triggers() {
    WEIR_ASSIGN(rows, all_triggers(ports.reader));
    std::map<std::string, bool> launching;
    for (const auto& row : rows)
        launching[row.version.team + "/" + row.version.name] = row.state == ledger::TriggerState::Active;
    return launching;
}

Outcome<Facade::Impl::Following> Facade::Impl::follow(const Ask& ask, const PipelineRecord& pipeline,
                                                      const VersionRecord& version) {
    WEIR_ASSIGN(all, ports.store.recurring_runs());
    WEIR_ASSIGN(launching, launching_triggers());
    WEIR_ASSIGN(registered, registered_flows());
    Following following;
    following.request.actor = actor_of(ask, "the latest version of " + pipeline.name);
    following.request.teams = ask.call.teams;
    following.request.extra[std::string(folder) + flow_file] = version.text;
    std::set<std::pair<std::string, std::string>> flows;
    for (auto& record : all) {
        // What has no trigger is registered when it is enabled, with the version that is the latest one then.
        if (record.pipeline != pipeline.id || !record.version.empty() || record.deleted || !record.own_flow ||
            !launching.count(record.team + "/" + record.trigger_name))
            continue;
        // Somebody put a flow of theirs in its place: it is theirs now.
        if (foreign(registered, record.team, record.flow)) continue;
        if (!ask.reaches(record.team))
            return Fault(Code::Denied, "a recurring run of the team " + record.team + " follows the pipeline",
                         "a recurring run of the team " + record.team +
                             ", which the token does not reach, follows the pipeline");
        auto spec = read_spec(version.text);
        if (!spec.ok()) return Fault(spec.error());
        Source source;
        source.spec = std::move(*spec);
        if (auto fits = read_parameters(record, source); !fits.ok())
            return invalid_fault("the recurring run " + printable(record.name, 80) + " (" + record.id +
                                 ") takes the latest version, and its parameters do not fit this one: " +
                                 fits.error().detail + "; delete it first, or pin it to a version");
        const auto owner = owner_of_flow(record.flow);
        WEIR_ASSIGN(made, flow_version_of(record.team, record.flow, version.text, owner));
        note_version(record, made.version, version.id);
        if (flows.insert({record.team, record.flow}).second)
            following.request.files.push_back({folder + std::string("flow-") + std::to_string(flows.size()),
                                               flow_document(record.team, record.flow, flow_file, owner)});
        following.records.push_back(std::move(record));
    }
    if (auto fits = apply(following.request, true); !fits.ok())
        return Fault(fits.error()).in("a recurring run takes the latest version, and this one is refused");
    return following;
}

void Facade::Impl::make_follow(Following following) {
    // The call has its answer already: what it asked for is stored.
    if (const auto done = apply(following.request, false); !done.ok()) {
        log::warn("recurring runs do not follow the latest version of their pipeline",
                  {{"reason", following.request.actor.reason}, {"error", done.error().message}});
        return;
    }
    for (const auto& record : following.records)
        if (const auto kept = ports.store.change_recurring(record); !kept.ok())
            log::warn("a recurring run's version was not noted",
                      {{"recurring_run", record.id}, {"error", kept.error().message}});
}

void Facade::Impl::sweep_flows(const engine::Actor& actor) {
    auto all = ports.store.recurring_runs();
    auto triggers = all_triggers(ports.reader);
    auto rows = index.rows();
    if (!all.ok() || !triggers.ok() || !rows.ok()) return;
    std::set<std::pair<std::string, std::string>> needed;
    for (const auto& record : *all)
        if (!record.deleted) needed.insert({record.team, record.flow});
    for (const auto& row : *triggers)
        needed.insert(launched(row));
    // One that waits its turn is launched of the flow as it is registered then.
    for (const auto& row : *rows)
        if (row.state != ledger::RunState::Settled) needed.insert({row.flow_team, row.flow});
    for (auto& record : *all) {
        if (!record.deleted || !record.own_flow || needed.count({record.team, record.flow}) > 0) continue;
        engine::ApplyRequest request;
        request.prune = true;
        request.owner = owner_of_flow(record.flow);
        request.teams = {record.team};
        request.actor = actor;
        if (!ports.engine.apply(request).ok()) continue;
        record.own_flow = false;
        (void)ports.store.change_recurring(record);
    }
}

} // namespace weir::facade
