#include "tables.hpp"

namespace weir::server::openapi {

namespace {

using Names = std::vector<std::string_view>;

Operation reads(std::string_view pattern, std::string_view id, std::string_view about, Names names,
                std::string_view given) {
    Operation operation{"GET", pattern, id, {}, about, std::move(names)};
    operation.given = given;
    return operation;
}
Operation gives(std::string_view pattern, std::string_view id, std::string_view about, Shape shape,
                Names names = {}) {
    auto operation = reads(pattern, id, about, std::move(names), {});
    operation.gives = shape;
    return operation;
}
Operation lists(std::string_view pattern, std::string_view id, std::string_view about, std::string_view given,
                Names names = {}) {
    auto operation = reads(pattern, id, about, std::move(names), given);
    operation.gives = Shape::Listing;
    return operation;
}
Operation acts(std::string_view pattern, std::string_view id, std::string_view about, Names names,
               std::string_view taken, std::string_view given, int status = 200) {
    auto operation = reads(pattern, id, about, std::move(names), given);
    operation.method = "POST";
    operation.takes = Shape::Json;
    operation.taken = taken;
    operation.status = status;
    return operation;
}

std::vector<Operation> of_service() {
    auto ready = reads("/readyz", "getReadiness", "What must work for weir to do its work, item by item", {},
                       "Readiness");
    ready.further = {503};
    return {
        reads("/healthz", "getHealth", "The process answers", {}, "Health"),
        ready,
        gives("/metrics", "getMetrics", "Metrics for Prometheus", Shape::Metrics),
        gives("/v1/openapi.json", "getOpenApi", "This document", Shape::Document),
    };
}

std::vector<Operation> of_events() {
    auto publish = acts("/v1/events", "publishEvents",
                        "Hand in a CloudEvent; durable when answered. A batch "
                        "(application/cloudevents-batch+json) and binary mode are taken, too",
                        {}, "CloudEvent", "Accepted", 202);
    publish.takes = Shape::CloudEvents;
    return {
        publish,
        lists("/v1/events", "listEvents", "Recorded events, newest first", "Event"),
        reads("/v1/events/{*}", "getEvent", "An event by its id or its seq", {"event"}, "Event"),
    };
}

std::vector<Operation> of_runs() {
    return {
        lists("/v1/runs", "listRuns", "Runs, newest first", "Run"),
        acts("/v1/runs", "startRun", "Run a flow by hand; the same request_id again starts nothing", {},
             "StartRun", "Run", 201),
        reads("/v1/runs/{}", "getRun", "One run", {"run"}, "Run"),
        lists("/v1/runs/{}/tasks", "listTasks", "The tasks of a run, where its backend tells", "Task",
              {"run"}),
        gives("/v1/runs/{}/logs", "getLog", "The end of a task's log", Shape::PlainText, {"run"}),
        acts("/v1/runs/{}/report", "reportRun", "What a run says of its own end, outputs and artifacts",
             {"run"}, "Report", "Reported", 202),
        acts("/v1/runs/{}:cancel", "cancelRun", "End a run", {"run"}, "Reason", "Run", 202),
        acts("/v1/runs/{}:retry", "retryRun", "Run what failed once more, as a further attempt", {"run"},
             "Reason", "Run", 202),
    };
}

std::vector<Operation> of_triggers() {
    const Names names{"team", "trigger"};
    auto gone =
        reads("/v1/triggers/{}/{}", "deleteTrigger", "Delete a trigger; its history stays", names, "Deleted");
    gone.method = "DELETE";
    return {
        lists("/v1/triggers", "listTriggers", "Triggers", "Trigger"),
        reads("/v1/triggers/{}/{}", "getTrigger", "A trigger with its document and history", names,
              "TriggerDetails"),
        gone,
        acts("/v1/triggers/{}/{}:pause", "pauseTrigger", "Firings wait from now on", names, "Reason",
             "Trigger"),
        acts("/v1/triggers/{}/{}:resume", "resumeTrigger", "Go on; what waited is launched or dropped", names,
             "Resume", "Trigger"),
        acts("/v1/apply", "apply", "Register or update triggers and flows: all of it or nothing", {}, "Apply",
             "Applied"),
    };
}

std::vector<Operation> of_flows() {
    return {
        lists("/v1/flows", "listFlows", "Flows", "Flow"),
        reads("/v1/flows/{}/{}", "getFlow", "A flow with its versions", {"team", "flow"}, "FlowDetails"),
    };
}

std::vector<Operation> of_decisions() {
    return {
        lists("/v1/decisions", "listDecisions", "What triggers decided, newest first", "Decision"),
        reads("/v1/decisions/{}", "getDecision", "One decision", {"decision"}, "Decision"),
        gives("/v1/why", "why", "Why a run exists; why an event did or did not start one", Shape::JsonOrText),
        gives("/v1/lineage", "getLineage", "What something came from, or what came of it", Shape::JsonOrText),
        lists("/v1/audit", "listAudits", "Manual acts: who, what, why", "Audit"),
    };
}

std::vector<Operation> of_streams() {
    return {
        lists("/v1/streams", "listStreams", "What is read, how far, and what is missing", "Stream"),
        acts("/v1/streams/{}:accept-gap", "acceptGap", "Read on behind a gap", {"stream"}, "Reason",
             "Stream"),
        lists("/v1/dead-letters", "listDeadLetters", "Messages that are no events, newest first",
              "DeadLetter"),
        reads("/v1/dead-letters/{}", "getDeadLetter", "A message as it came", {"dead_letter"}, "DeadLetter"),
        acts("/v1/dead-letters/{}:replay", "replayDeadLetter",
             "Read it once more, as the configuration is now", {"dead_letter"}, "Reason", "DeadLetter"),
    };
}

} // namespace

std::span<const Operation> operations() {
    static const std::vector<Operation> all = [] {
        std::vector<Operation> list;
        const auto add = [&](std::string_view tag, std::vector<Operation> some) {
            for (auto& operation : some)
                operation.tag = tag;
            list.insert(list.end(), some.begin(), some.end());
        };
        add("service", of_service());
        add("events", of_events());
        add("runs", of_runs());
        add("triggers", of_triggers());
        add("flows", of_flows());
        add("decisions", of_decisions());
        add("streams", of_streams());
        return list;
    }();
    return all;
}

std::span<const QueryParameter> query_parameters() {
    static const QueryParameter table[] = {
        {"after", Kind::Whole, "Only what came after this seq, as an earlier answer's `after` said."},
        {"bytes", Kind::Whole, "How much of the log's end to show."},
        {"data", Kind::Flag, "Whether the payload is shown, too."},
        {"depth", Kind::Whole, "How many steps, 0 to 1000."},
        {"direction", Kind::Text, "`up` (what it came from) or `down` (what came of it)."},
        {"event", Kind::Text, "An event's id, or its source and id with a space between."},
        {"flow", Kind::Text, "NAME or TEAM/NAME."},
        {"format", Kind::Text, "The form of the answer."},
        {"id", Kind::Text, "Exactly this id."},
        {"limit", Kind::Whole, "How many on a page, 1 to 1000; 100 if left out."},
        {"outcome", Kind::Text, "succeeded, failed, cancelled, skipped, refused or lost."},
        {"page", Kind::Text, "A further page, as an earlier answer's `next` said."},
        {"reason", Kind::Text, "Why, for the audit trail."},
        {"run", Kind::Uuid, "A run."},
        {"since", Kind::Text, "RFC 3339, or a duration before now as 2h; inclusive."},
        {"source", Kind::Text, "Exactly this source."},
        {"start", Kind::Text, "A run, an event's id, TEAM/FLOW, an artifact's URI or a decision."},
        {"state", Kind::Text, "In this state."},
        {"stream", Kind::Text, "Of this stream."},
        {"task", Kind::Text, "A task of the run."},
        {"team", Kind::Text, "Of this team."},
        {"trigger", Kind::Text, "NAME or TEAM/NAME."},
        {"type", Kind::Text, "This type, or with * for any text."},
        {"until", Kind::Text, "As `since`; exclusive."},
        {"verdict", Kind::Text, "fired, suppressed or failed."},
    };
    return table;
}

} // namespace weir::server::openapi
