#include <array>

#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>
#include <weir/engine/input.hpp>
#include <weir/events/wire_codec.hpp>

#include "stored_report.hpp"

namespace weir::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array fact_words = {"lost",      "missed", "accepted", "started", "settled",
                                   "postponed", "ended",  "seen",     "odd",     "left"};

Json flow_body(const flows::FlowVersion& flow) {
    Json parameters = Json::array();
    for (const auto& p : flow.parameters)
        parameters.push_back({{"name", p.name},
                              {"type", static_cast<int>(p.type)},
                              {"optional", p.optional},
                              {"default", p.default_json},
                              {"literals", p.literals_json}});
    return {{"team", flow.team},
            {"flow", flow.flow},
            {"version", flow.version},
            {"backend", flow.backend},
            {"settings", flow.settings_json},
            {"parameters", std::move(parameters)}};
}

std::shared_ptr<const flows::FlowVersion> flow_from(const Json& body) {
    auto flow = std::make_shared<flows::FlowVersion>();
    flow->team = body.at("team");
    flow->flow = body.at("flow");
    flow->version = body.at("version");
    flow->backend = body.at("backend");
    flow->settings_json = body.value("settings", "{}");
    for (const auto& p : body.at("parameters")) {
        flows::Parameter parameter;
        parameter.name = p.at("name");
        parameter.type = static_cast<flows::ParameterType>(p.at("type").get<int>());
        parameter.optional = p.at("optional");
        parameter.default_json = p.at("default");
        parameter.literals_json = p.at("literals").get<std::vector<std::string>>();
        flow->parameters.push_back(std::move(parameter));
    }
    return flow;
}

Json names_body(const std::vector<ApplyInput::Name>& names) {
    Json list = Json::array();
    for (const auto& name : names)
        list.push_back({name.team, name.name});
    return list;
}

std::vector<ApplyInput::Name> names_from(const Json& list) {
    std::vector<ApplyInput::Name> names;
    for (const auto& name : list)
        names.push_back({name.at(0), name.at(1)});
    return names;
}

/// A settled run as a retry needs it: all that is written once, and what a new attempt keeps.
Json run_body(const ledger::RunRow& run) {
    Json events = Json::array();
    for (const auto& event : run.events)
        events.push_back({event.seq.value, event.source, event.id, event.role});
    return {{"id", run.id.to_string()},
            {"decision", run.decision.value},
            {"decision_id", run.decision_id.to_string()},
            {"trigger", run.trigger.value},
            {"trigger_name", run.trigger_name},
            {"trigger_version", run.trigger_version},
            {"team", run.team},
            {"flow_team", run.flow_team},
            {"flow", run.flow},
            {"backend", run.backend},
            {"launch_no", run.launch_no},
            {"depth", run.depth},
            {"arguments", run.arguments_json},
            {"events", std::move(events)},
            {"principal", run.principal},
            {"created", to_ns(run.created)},
            {"created_seq", run.created_seq.value},
            {"flow_version", run.flow_version},
            {"sent_epoch", run.sent_epoch.value},
            {"sent_deadline", to_ns(run.sent_deadline)},
            {"looks", run.looks},
            {"sends", run.sends},
            {"origin", run.origin},
            {"backend_version", run.backend_version},
            {"attempt", run.attempt},
            {"outcome", run.outcome ? flows::to_string(*run.outcome) : std::string_view()}};
}

Result<ledger::RunRow> run_from(const Json& body) {
    ledger::RunRow run;
    WEIR_ASSIGN(id, Uuid::parse(body.at("id").get<std::string>()));
    WEIR_ASSIGN(decision_id, Uuid::parse(body.at("decision_id").get<std::string>()));
    run.id = RunId{id};
    run.decision = ledger::DecisionNo(body.at("decision").get<std::int64_t>());
    run.decision_id = DecisionId{decision_id};
    run.trigger = ledger::TriggerNo(body.at("trigger").get<std::int64_t>());
    run.trigger_name = body.at("trigger_name");
    run.trigger_version = body.at("trigger_version");
    run.team = body.at("team");
    run.flow_team = body.at("flow_team");
    run.flow = body.at("flow");
    run.backend = body.at("backend");
    run.launch_no = body.at("launch_no");
    run.depth = body.at("depth");
    run.arguments_json = body.at("arguments");
    for (const auto& event : body.at("events"))
        run.events.push_back({Seq(event.at(0).get<std::int64_t>()), event.at(1), event.at(2), event.at(3)});
    run.principal = body.at("principal");
    run.created = from_ns(body.at("created"));
    run.created_seq = Seq(body.at("created_seq").get<std::int64_t>());
    run.state = ledger::RunState::Settled;
    run.flow_version = body.at("flow_version");
    run.sent_epoch = ledger::Epoch(body.at("sent_epoch").get<std::int64_t>());
    run.sent_deadline = from_ns(body.at("sent_deadline"));
    run.looks = body.at("looks");
    run.sends = body.value("sends", 1);
    run.origin = body.value("origin", "");
    run.backend_version = body.value("backend_version", "");
    run.attempt = body.at("attempt");
    run.outcome = outcome_of_word(body.at("outcome").get<std::string>());
    return run;
}

Json seen_body(const flows::SeenRun& seen) {
    return {{"backend", seen.backend},          {"team", seen.team},
            {"pipeline_id", seen.pipeline_id},  {"pipeline", seen.pipeline},
            {"version_id", seen.version_id},    {"display_name", seen.display_name},
            {"namespace", seen.namespace_},     {"experiment", seen.experiment},
            {"arguments", seen.arguments_json}, {"created", to_ns(seen.created)}};
}

flows::SeenRun seen_from(const Json& body) {
    flows::SeenRun seen;
    seen.backend = body.at("backend");
    seen.team = body.at("team");
    seen.pipeline_id = body.at("pipeline_id");
    seen.pipeline = body.at("pipeline");
    seen.version_id = body.at("version_id");
    seen.display_name = body.at("display_name");
    seen.namespace_ = body.at("namespace");
    seen.experiment = body.at("experiment");
    seen.arguments_json = body.at("arguments");
    seen.created = from_ns(body.at("created"));
    return seen;
}

/// Only what the kind needs: most facts are short, and there are many.
Json encode_fact(const RunFactInput& fact) {
    Json body = {{"kind", fact_words[static_cast<std::size_t>(fact.kind)]},
                 {"run", fact.run.value},
                 {"attempt", fact.attempt},
                 {"reason", fact.reason},
                 {"started_at", to_ns(fact.started_at)},
                 {"finished_at", to_ns(fact.finished_at)}};
    if (fact.unsent) body["unsent"] = true;
    if (fact.until != Instant{}) body["until"] = to_ns(fact.until);
    if (!fact.version.empty()) body["version"] = fact.version;
    if (!fact.run_id.empty()) body["run_id"] = fact.run_id;
    if (fact.reopened) body["reopened"] = run_body(*fact.reopened);
    if (fact.kind == RunFactInput::Kind::Ended || fact.kind == RunFactInput::Kind::Seen)
        body["told"] = encode(StoredReport{std::nullopt, end_of(fact)});
    if (fact.seen) {
        body["seen"] = seen_body(*fact.seen);
        body["settled"] = fact.settled;
    }
    return body;
}

struct Encode {
    Json operator()(const ArrivalInput&) const { return Json::object(); }
    Json operator()(const TimerInput& i) const {
        return {{"kind", "timer"},
                {"trigger", i.trigger.value},
                {"timer", static_cast<int>(i.kind)},
                {"key", i.key}};
    }
    Json operator()(const RunFactInput& i) const { return encode_fact(i); }
    Json operator()(const ReportInput& i) const {
        return {{"kind", "report"},        {"run", i.run.to_string()},
                {"attempt", i.attempt},    {"own", encode(StoredReport{own_of(i), std::nullopt})},
                {"settled", i.settled},    {"next_attempt", i.next_attempt},
                {"principal", i.principal}};
    }
    Json operator()(const StartRunInput& i) const {
        return {{"kind", "start"},
                {"run", i.id.to_string()},
                {"flow", flow_body(*i.flow)},
                {"arguments", i.arguments_json},
                {"description", i.description},
                {"principal", i.principal},
                {"reason", i.reason}};
    }
    Json operator()(const ApplyInput& i) const {
        Json flows = Json::array(), triggers = Json::array();
        for (const auto& flow : i.flows)
            flows.push_back(flow_body(*flow));
        for (const auto& trigger : i.triggers)
            triggers.push_back({{"uid", trigger.uid_if_new.to_string()},
                                {"document", trigger.compiled->trigger().canonical_json}});
        return {{"kind", "apply"},
                {"flows", std::move(flows)},
                {"triggers", std::move(triggers)},
                {"delete_triggers", names_body(i.delete_triggers)},
                {"delete_flows", names_body(i.delete_flows)},
                {"principal", i.principal},
                {"reason", i.reason}};
    }
    Json operator()(const DeleteTriggerInput& i) const {
        return named("delete", i.team, i.name, i.principal, i.reason);
    }
    Json operator()(const PauseInput& i) const {
        return named("pause", i.team, i.name, i.principal, i.reason);
    }
    Json operator()(const ResumeInput& i) const {
        auto body = named("resume", i.team, i.name, i.principal, i.reason);
        body["replay"] = i.replay;
        return body;
    }
    Json operator()(const RunFlowInput& i) const {
        auto body = named("run", i.team, i.flow, i.principal, i.reason);
        body["arguments"] = i.arguments_json;
        body["request_id"] = i.request_id;
        return body;
    }
    Json operator()(const CancelInput& i) const {
        return {{"kind", "cancel"}, {"run", i.run.value}, {"principal", i.principal}, {"reason", i.reason}};
    }
    Json operator()(const RetryInput& i) const {
        return {{"kind", "retry"},
                {"run", i.run.no.value},
                {"row", run_body(i.run)},
                {"principal", i.principal},
                {"reason", i.reason}};
    }
    Json operator()(const AcceptGapInput& i) const {
        return {{"kind", "accept-gap"},         {"gap", i.gap.value},       {"stream", i.stream},
                {"gap_kind", i.kind},           {"detail", i.detail},       {"resume", i.resume.value},
                {"incarnation", i.incarnation}, {"principal", i.principal}, {"reason", i.reason}};
    }
    static Json named(const char* kind, const std::string& team, const std::string& name,
                      const std::string& principal, const std::string& reason) {
        return {{"kind", kind}, {"team", team}, {"name", name}, {"principal", principal}, {"reason", reason}};
    }
};

Result<ApplyInput> apply_from(const Json& body) {
    ApplyInput apply;
    for (const auto& flow : body.at("flows"))
        apply.flows.push_back(flow_from(flow));
    for (const auto& item : body.at("triggers")) {
        Problems problems;
        auto documents = triggers::read_triggers(item.at("document").get<std::string>(), "ledger", problems);
        if (documents.size() != 1) return corrupt("a recorded trigger document does not read");
        WEIR_ASSIGN(uid, Uuid::parse(item.at("uid").get<std::string>()));
        apply.triggers.push_back(
            {triggers::CompiledTrigger::stored(std::move(documents.front())), TriggerUid{uid}, {}});
    }
    apply.delete_triggers = names_from(body.at("delete_triggers"));
    apply.delete_flows = names_from(body.at("delete_flows"));
    apply.principal = body.at("principal");
    apply.reason = body.at("reason");
    return apply;
}

Status decode_rest(const Json& body, RunFactInput& fact) {
    fact.unsent = body.value("unsent", false);
    fact.until = from_ns(body.value("until", std::int64_t{0}));
    fact.version = body.value("version", "");
    fact.run_id = body.value("run_id", "");
    if (body.contains("reopened")) {
        WEIR_ASSIGN(run, run_from(body.at("reopened")));
        run.no = fact.run;
        fact.reopened = std::make_shared<const ledger::RunRow>(std::move(run));
    }
    if (body.contains("told")) {
        WEIR_ASSIGN(told, decode_report(body.at("told").get<std::string>()));
        if (!told.end) return corrupt("the end of a run is recorded without its outcome");
        fact.outcome = told.end->outcome;
        fact.outputs_json = told.end->outputs_json;
        fact.inputs = told.end->inputs;
        fact.outputs = told.end->outputs;
    }
    if (body.contains("seen")) {
        fact.seen = seen_from(body.at("seen"));
        fact.settled = body.at("settled");
    }
    return {};
}

Result<ReportInput> report_from(const Json& body) {
    ReportInput report;
    WEIR_ASSIGN(id, Uuid::parse(body.at("run").get<std::string>()));
    report.run = RunId{id};
    report.attempt = body.at("attempt");
    WEIR_ASSIGN(stored, decode_report(body.at("own").get<std::string>()));
    if (!stored.own) return corrupt("a recorded report of a flow says nothing");
    report.outcome = stored.own->outcome;
    report.error = stored.own->error;
    report.outputs_json = stored.own->outputs_json;
    report.artifacts = stored.own->artifacts;
    report.settled = body.at("settled");
    report.next_attempt = body.value("next_attempt", 0);
    report.principal = body.at("principal");
    return report;
}

Result<StartRunInput> start_from(const Json& body) {
    WEIR_ASSIGN(id, Uuid::parse(body.at("run").get<std::string>()));
    return StartRunInput{RunId{id},
                         flow_from(body.at("flow")),
                         body.at("arguments"),
                         body.at("description"),
                         body.at("principal"),
                         body.at("reason")};
}

Status decode_body(const Json& body, Input& input) {
    const std::string kind = body.at("kind");
    const auto text = [&](const char* key) { return body.at(key).get<std::string>(); };
    if (kind == "timer") {
        input.what = TimerInput{ledger::TriggerNo(body.at("trigger").get<std::int64_t>()),
                                static_cast<ledger::TimerKind>(body.at("timer").get<int>()), text("key")};
    } else if (kind == "apply") {
        WEIR_ASSIGN(apply, apply_from(body));
        input.what = std::move(apply);
    } else if (kind == "delete") {
        input.what = DeleteTriggerInput{text("team"), text("name"), text("principal"), text("reason")};
    } else if (kind == "pause") {
        input.what = PauseInput{text("team"), text("name"), text("principal"), text("reason")};
    } else if (kind == "resume") {
        input.what =
            ResumeInput{text("team"), text("name"), body.at("replay"), text("principal"), text("reason")};
    } else if (kind == "run") {
        input.what = RunFlowInput{text("team"),       text("name"),      text("arguments"),
                                  text("request_id"), text("principal"), text("reason")};
    } else if (kind == "cancel") {
        input.what =
            CancelInput{ledger::RunNo(body.at("run").get<std::int64_t>()), text("principal"), text("reason")};
    } else if (kind == "retry") {
        WEIR_ASSIGN(run, run_from(body.at("row")));
        RetryInput retry;
        retry.run = std::move(run);
        retry.run.no = ledger::RunNo(body.at("run").get<std::int64_t>());
        retry.principal = text("principal");
        retry.reason = text("reason");
        input.what = std::move(retry);
    } else if (kind == "report") {
        WEIR_ASSIGN(report, report_from(body));
        input.what = std::move(report);
    } else if (kind == "start") {
        WEIR_ASSIGN(start, start_from(body));
        input.what = std::move(start);
    } else if (kind == "accept-gap") {
        input.what = AcceptGapInput{ledger::GapNo(body.at("gap").get<std::int64_t>()),
                                    text("stream"),
                                    text("gap_kind"),
                                    text("detail"),
                                    Position(body.at("resume").get<std::int64_t>()),
                                    text("incarnation"),
                                    text("principal"),
                                    text("reason")};
    } else {
        RunFactInput fact;
        int word = -1;
        for (std::size_t i = 0; i < fact_words.size(); ++i)
            if (kind == fact_words[i]) word = static_cast<int>(i);
        if (word < 0) return corrupt("an input of the unknown kind \"" + kind + "\"");
        fact.kind = static_cast<RunFactInput::Kind>(word);
        fact.run = ledger::RunNo(body.at("run").get<std::int64_t>());
        fact.attempt = body.at("attempt");
        fact.reason = text("reason");
        fact.started_at = from_ns(body.at("started_at"));
        fact.finished_at = from_ns(body.at("finished_at"));
        WEIR_TRY(decode_rest(body, fact));
        input.what = std::move(fact);
    }
    return {};
}

} // namespace

std::string encode_body(const Input& input) {
    return std::visit(Encode{}, input.what).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Input> decode_input(const ledger::InputRow& row) {
    Input input;
    input.time = row.time;
    input.late_by = row.late_by;
    try {
        if (row.kind == ledger::InputKind::Arrival) {
            WEIR_ASSIGN(event, events::decode_wire(row.body));
            ArrivalInput arrival;
            arrival.stream = row.stream;
            arrival.position = row.position;
            arrival.event = std::make_shared<const events::Event>(std::move(event));
            arrival.digest = row.digest;
            arrival.duplicate_of = row.duplicate_of;
            arrival.conflicting = row.conflicting;
            arrival.echo = row.echo;
            input.what = std::move(arrival);
        } else if (row.kind == ledger::InputKind::TimerFired && !row.type.empty()) {
            input.what =
                TimerInput{ledger::TriggerNo(row.position.value), ledger::TimerKind::Slot, row.subject};
        } else if (row.kind == ledger::InputKind::Settlement) {
            WEIR_ASSIGN(event, events::decode_wire(row.body));
            const auto line = Json::parse(event.data);
            RunFactInput fact;
            fact.kind = RunFactInput::Kind::Settled;
            fact.attempt = line.at("attempt");
            const std::string outcome = line.at("outcome");
            const auto known = outcome_of_word(outcome);
            if (!known) return corrupt("a settlement has the outcome " + printable(outcome, 40));
            fact.outcome = *known;
            fact.reason = line.at("reason").is_null() ? "" : line.at("reason").get<std::string>();
            fact.outputs_json = line.at("outputs").dump();
            const auto time = [&](const char* key) {
                if (line.at(key).is_null()) return Instant{};
                const auto parsed = parse_rfc3339(line.at(key).get<std::string>());
                return parsed.ok() ? *parsed : Instant{};
            };
            fact.started_at = time("started_at");
            fact.finished_at = time("finished_at");
            fact.run_id = event.subject;
            input.what = std::move(fact);
        } else {
            WEIR_TRY(decode_body(Json::parse(row.body), input));
        }
    } catch (const nlohmann::json::exception& error) {
        return corrupt("the recorded input " + std::to_string(row.seq.value) +
                       " does not read: " + error.what());
    }
    return input;
}

} // namespace weir::engine
