#include "ledger_contract.hpp"

namespace weir::ledger::contract {

namespace {

/// Collects the names of the fields that differ.
class Differ {
  public:
    template <class T>
    Differ& field(const char* name, const T& a, const T& b) {
        if (!(a == b)) out_ += (out_.empty() ? "" : ", ") + std::string(name);
        return *this;
    }
    template <class Row>
    Differ& rows(const char* name, const std::vector<Row>& a, const std::vector<Row>& b) {
        if (a.size() != b.size()) return field(name, a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            const auto difference = differ(a[i], b[i]);
            if (!difference.empty())
                out_ += (out_.empty() ? "" : ", ") + std::string(name) + "[" + std::to_string(i) + "]." +
                        difference;
        }
        return *this;
    }
    [[nodiscard]] std::string text() const { return out_; }

  private:
    std::string out_;
};

} // namespace

std::string differ(const IncludedRow& a, const IncludedRow& b) {
    return Differ().field("seq", a.seq, b.seq).field("leaf", a.leaf, b.leaf).text();
}

std::string differ(const EventRef& a, const EventRef& b) {
    return Differ()
        .field("seq", a.seq, b.seq)
        .field("source", a.source, b.source)
        .field("id", a.id, b.id)
        .field("role", a.role, b.role)
        .text();
}

std::string differ(const StreamState& a, const StreamState& b) {
    return Differ()
        .field("no", a.no, b.no)
        .field("name", a.name, b.name)
        .field("kind", a.kind, b.kind)
        .field("family", a.family, b.family)
        .field("incarnation", a.incarnation, b.incarnation)
        .field("position", a.position, b.position)
        .field("time", a.time, b.time)
        .field("event", a.event, b.event)
        .field("digest", a.digest, b.digest)
        .text();
}

std::string differ(const OpenTrigger& a, const OpenTrigger& b) {
    return Differ()
        .field("version", differ(a.version, b.version), std::string())
        .field("state", a.state, b.state)
        .field("state_reason", a.state_reason, b.state_reason)
        .field("failed_in_hour", a.failed_in_hour, b.failed_in_hour)
        .field("fired_in_minute", a.fired_in_minute, b.fired_in_minute)
        .text();
}

std::string differ(const OpenHeld& a, const OpenHeld& b) {
    return differ(a.row, b.row);
}

std::string differ(const HeldEvent& a, const HeldEvent& b) {
    return Differ()
        .field("seq", a.seq, b.seq)
        .field("time", a.time, b.time)
        .field("body", a.body, b.body)
        .text();
}

std::string differ(const InputRow& a, const InputRow& b) {
    return Differ()
        .field("seq", a.seq, b.seq)
        .field("kind", a.kind, b.kind)
        .field("time", a.time, b.time)
        .field("late_by", a.late_by, b.late_by)
        .field("stream", a.stream, b.stream)
        .field("position", a.position, b.position)
        .field("type", a.type, b.type)
        .field("source", a.source, b.source)
        .field("id", a.id, b.id)
        .field("subject", a.subject, b.subject)
        .field("team", a.team, b.team)
        .field("duplicate_of", a.duplicate_of, b.duplicate_of)
        .field("conflicting", a.conflicting, b.conflicting)
        .field("echo", a.echo, b.echo)
        .field("digest", a.digest, b.digest)
        .field("body", a.body, b.body)
        .text();
}

std::string differ(const DecisionRow& a, const DecisionRow& b) {
    return Differ()
        .field("no", a.no, b.no)
        .field("id", a.id, b.id)
        .field("seq", a.seq, b.seq)
        .field("n", a.n, b.n)
        .field("trigger", a.trigger, b.trigger)
        .field("version", a.version, b.version)
        .field("semantics", a.semantics, b.semantics)
        .field("verdict", a.verdict, b.verdict)
        .field("reason", a.reason, b.reason)
        .field("detail", a.detail, b.detail)
        .field("occasion", a.occasion, b.occasion)
        .field("cause", a.cause, b.cause)
        .field("key", a.key, b.key)
        .field("leaf", a.leaf, b.leaf)
        .rows("included", a.included, b.included)
        .field("without", a.without, b.without)
        .field("team", a.team, b.team)
        .field("time", a.time, b.time)
        .text();
}

std::string differ(const RunRow& a, const RunRow& b) {
    return Differ()
        .field("no", a.no, b.no)
        .field("id", a.id, b.id)
        .field("decision", a.decision, b.decision)
        .field("decision_id", a.decision_id, b.decision_id)
        .field("trigger", a.trigger, b.trigger)
        .field("trigger_name", a.trigger_name, b.trigger_name)
        .field("trigger_version", a.trigger_version, b.trigger_version)
        .field("team", a.team, b.team)
        .field("flow_team", a.flow_team, b.flow_team)
        .field("flow", a.flow, b.flow)
        .field("backend", a.backend, b.backend)
        .field("launch_no", a.launch_no, b.launch_no)
        .field("depth", a.depth, b.depth)
        .field("arguments_json", a.arguments_json, b.arguments_json)
        .rows("events", a.events, b.events)
        .field("principal", a.principal, b.principal)
        .field("created", a.created, b.created)
        .field("created_seq", a.created_seq, b.created_seq)
        .field("state", a.state, b.state)
        .field("hold", a.hold, b.hold)
        .field("flow_version", a.flow_version, b.flow_version)
        .field("sent_epoch", a.sent_epoch, b.sent_epoch)
        .field("sent_deadline", a.sent_deadline, b.sent_deadline)
        .field("looks", a.looks, b.looks)
        .field("attempt", a.attempt, b.attempt)
        .field("outcome", a.outcome, b.outcome)
        .field("reason", a.reason, b.reason)
        .field("outputs_json", a.outputs_json, b.outputs_json)
        .field("started_at", a.started_at, b.started_at)
        .field("finished_at", a.finished_at, b.finished_at)
        .field("cancel_requested", a.cancel_requested, b.cancel_requested)
        .field("origin", a.origin, b.origin)
        .field("sends", a.sends, b.sends)
        .field("backend_version", a.backend_version, b.backend_version)
        .field("report_json", a.report_json, b.report_json)
        .field("changed", a.changed, b.changed)
        .text();
}

std::string differ(const AttemptRow& a, const AttemptRow& b) {
    return Differ()
        .field("run", a.run, b.run)
        .field("attempt", a.attempt, b.attempt)
        .field("opened", a.opened, b.opened)
        .field("settled", a.settled, b.settled)
        .field("outcome", a.outcome, b.outcome)
        .field("error", a.error, b.error)
        .field("started_at", a.started_at, b.started_at)
        .field("finished_at", a.finished_at, b.finished_at)
        .field("inputs", a.inputs, b.inputs)
        .field("outputs", a.outputs, b.outputs)
        .text();
}

std::string differ(const TriggerVersionRow& a, const TriggerVersionRow& b) {
    return Differ()
        .field("no", a.no, b.no)
        .field("uid", a.uid, b.uid)
        .field("team", a.team, b.team)
        .field("name", a.name, b.name)
        .field("group", a.group, b.group)
        .field("version", a.version, b.version)
        .field("hash", a.hash, b.hash)
        .field("document_json", a.document_json, b.document_json)
        .field("source_text", a.source_text, b.source_text)
        .field("from", a.from, b.from)
        .field("to", a.to, b.to)
        .field("principal", a.principal, b.principal)
        .text();
}

std::string differ(const FlowVersionRow& a, const FlowVersionRow& b) {
    return Differ()
        .field("team", a.flow.team, b.flow.team)
        .field("flow", a.flow.flow, b.flow.flow)
        .field("version", a.flow.version, b.flow.version)
        .field("backend", a.flow.backend, b.flow.backend)
        .field("parameters", a.flow.parameters, b.flow.parameters)
        .field("pipeline", a.flow.pipeline, b.flow.pipeline)
        .field("settings_json", a.flow.settings_json, b.flow.settings_json)
        .field("from", a.from, b.from)
        .field("to", a.to, b.to)
        .field("deleted", a.deleted, b.deleted)
        .field("principal", a.principal, b.principal)
        .text();
}

std::string differ(const HeldEnterRow& a, const HeldEnterRow& b) {
    return Differ()
        .field("trigger", a.trigger, b.trigger)
        .field("leaf", a.leaf, b.leaf)
        .field("leaf_name", a.leaf_name, b.leaf_name)
        .field("key", a.key, b.key)
        .field("event", a.event, b.event)
        .field("in", a.in, b.in)
        .field("time", a.time, b.time)
        .text();
}

std::string differ(const HeldLeaveRow& a, const HeldLeaveRow& b) {
    return Differ()
        .field("trigger", a.trigger, b.trigger)
        .field("leaf", a.leaf, b.leaf)
        .field("event", a.event, b.event)
        .field("out", a.out, b.out)
        .field("why", a.why, b.why)
        .field("decision", a.decision, b.decision)
        .text();
}

std::string differ(const TimerSetRow& a, const TimerSetRow& b) {
    return Differ()
        .field("trigger", a.trigger, b.trigger)
        .field("kind", a.kind, b.kind)
        .field("key", a.key, b.key)
        .field("due", a.due, b.due)
        .field("set", a.set, b.set)
        .field("tzdata", a.tzdata, b.tzdata)
        .field("previous", a.previous, b.previous)
        .text();
}

std::string differ(const OutgoingRow& a, const OutgoingRow& b) {
    return Differ().field("no", a.no, b.no).field("body", a.body, b.body).text();
}

std::string differ(const GapRow& a, const GapRow& b) {
    return Differ()
        .field("no", a.no, b.no)
        .field("stream", a.stream, b.stream)
        .field("kind", a.kind, b.kind)
        .field("from", a.from, b.from)
        .field("to", a.to, b.to)
        .field("detail", a.detail, b.detail)
        .field("found", a.found, b.found)
        .field("accepted", a.accepted, b.accepted)
        .field("stream_name", a.stream_name, b.stream_name)
        .text();
}

std::string differ(const DeadLetterRow& a, const DeadLetterRow& b) {
    return Differ()
        .field("no", a.no, b.no)
        .field("stream", a.stream, b.stream)
        .field("position", a.position, b.position)
        .field("time", a.time, b.time)
        .field("reason", a.reason, b.reason)
        .field("message", a.message, b.message)
        .field("bytes", a.bytes, b.bytes)
        .field("cut", a.cut, b.cut)
        .field("replayed", a.replayed, b.replayed)
        .field("replayed_seq", a.replayed_seq, b.replayed_seq)
        .field("stream_name", a.stream_name, b.stream_name)
        .text();
}

std::string differ(const Snapshot& a, const Snapshot& b) {
    return Differ()
        .field("instance", a.instance, b.instance)
        .field("secret", a.secret, b.secret)
        .field("next_seq", a.next_seq, b.next_seq)
        .field("log_time", a.log_time, b.log_time)
        .field("epoch", a.epoch, b.epoch)
        .field("next_decision", a.next_decision, b.next_decision)
        .field("next_run", a.next_run, b.next_run)
        .field("next_trigger", a.next_trigger, b.next_trigger)
        .field("next_outgoing", a.next_outgoing, b.next_outgoing)
        .field("next_gap", a.next_gap, b.next_gap)
        .field("next_dead_letter", a.next_dead_letter, b.next_dead_letter)
        .rows("streams", a.streams, b.streams)
        .rows("gaps", a.gaps, b.gaps)
        .rows("outgoing", a.outgoing, b.outgoing)
        .rows("triggers", a.triggers, b.triggers)
        .rows("flows", a.flows, b.flows)
        .rows("held", a.held, b.held)
        .rows("held_events", a.held_events, b.held_events)
        .rows("timers", a.timers, b.timers)
        .rows("runs", a.runs, b.runs)
        .text();
}

} // namespace weir::ledger::contract
