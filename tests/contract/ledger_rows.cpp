#include "ledger_contract.hpp"

namespace weir::ledger::contract {

namespace {

Digest digest(std::int64_t n) {
    return sha256("digest " + std::to_string(n));
}

Uuid uuid(std::int64_t n, const char* what) {
    return Uuid::time_led(at(n), sha256(what + std::to_string(n)));
}

std::string text(const char* what, std::int64_t n) {
    return what + std::to_string(n);
}

} // namespace

Instant at(std::int64_t ns) {
    return from_ns(1'748'736'000'000'000'000 + ns);
}
Seq seq(std::int64_t n) {
    return Seq(first + n - 1);
}
RunId run_id(std::int64_t n) {
    return RunId{uuid(n, "run")};
}
DecisionId decision_id(std::int64_t n) {
    return DecisionId{uuid(n, "decision")};
}
TriggerUid trigger_uid(std::int64_t n) {
    return TriggerUid{uuid(n, "trigger")};
}

InputRow arrival(std::int64_t n, const std::string& id, const std::string& source, const std::string& type) {
    InputRow row;
    row.seq = seq(n);
    row.kind = InputKind::Arrival;
    row.time = at(n);
    row.late_by = Duration(n * 3);
    row.stream = StreamNo(1);
    row.position = Position(1000 + n);
    row.type = type;
    row.source = source;
    row.id = id;
    row.subject = text("subject ", n);
    row.digest = digest(n);
    row.body = std::string("\0\xff body ", 8) + std::to_string(n);
    return row;
}

InputRow fact(std::int64_t n, InputKind kind) {
    InputRow row;
    row.seq = seq(n);
    row.kind = kind;
    row.time = at(n);
    row.body = "{\"fact\":" + std::to_string(n) + "}";
    return row;
}

InputRow settlement(std::int64_t n, std::int64_t run, const std::string& team) {
    auto row = arrival(n, run_id(run).to_string() + "/1", "/weir/w/" + team + "/train", "weir.run.finished");
    row.kind = InputKind::Settlement;
    row.late_by = Duration(0);
    row.stream = StreamNo(2);
    row.position = Position(n);
    row.team = team;
    return row;
}

DecisionRow decision(std::int64_t no, std::int64_t n, std::int64_t trigger) {
    DecisionRow row;
    row.no = DecisionNo(no);
    row.id = decision_id(no);
    row.seq = seq(n);
    row.n = static_cast<int>(no % 3);
    row.trigger = TriggerNo(trigger);
    row.version = 4;
    row.semantics = 2;
    row.verdict = Verdict::Fired;
    row.reason = "match";
    row.detail = text("detail \xe2\x82\xac ", no);
    row.occasion = no % 2 == 0 ? "manual:r" : "live";
    row.cause = text("stream/incarnation/", no);
    row.key = text("\"key", no) + "\"";
    row.leaf = text("leaf", no % 2);
    row.team = "ads";
    row.time = at(n);
    return row;
}

RunRow run(std::int64_t no, std::int64_t decision, std::int64_t n) {
    RunRow row;
    row.no = RunNo(no);
    row.id = run_id(no);
    row.decision = DecisionNo(decision);
    row.decision_id = decision_id(decision);
    row.trigger = TriggerNo(1);
    row.trigger_name = "retrain";
    row.trigger_version = 4;
    row.team = "ads";
    row.flow_team = "ml";
    row.flow = "train";
    row.backend = "local";
    row.launch_no = 2;
    row.depth = 3;
    row.arguments_json = "{\"rows\":" + std::to_string(no) + "}";
    row.principal = "local:alice";
    row.created = at(n);
    row.created_seq = seq(n);
    row.state = RunState::Ready;
    row.hold = "overlap";
    row.flow_version = "abcdef012345";
    row.sent_epoch = Epoch(7);
    row.sent_deadline = at(n + 60);
    row.looks = 5;
    row.attempt = 0;
    row.reason = "none yet";
    row.outputs_json = "{\"a\":1}";
    row.started_at = at(n + 1);
    row.finished_at = at(n + 2);
    row.cancel_requested = at(n + 3);
    row.origin = "manual";
    row.sends = 1;
    row.backend_version = "pipeline/1";
    row.report_json = "{}";
    row.changed = row.created_seq;
    return row;
}

RunUpdateRow update(std::int64_t no, std::int64_t n, RunState state) {
    RunUpdateRow row;
    row.no = RunNo(no);
    row.seq = seq(n);
    row.state = state;
    row.hold = "paused";
    row.flow_version = text("version", n);
    row.sent_epoch = Epoch(n);
    row.sent_deadline = at(n + 100);
    row.looks = static_cast<int>(n);
    row.attempt = 1;
    if (state == RunState::Settled) row.outcome = flows::Outcome::Failed;
    row.reason = text("reason ", n);
    row.outputs_json = "{\"n\":" + std::to_string(n) + "}";
    row.started_at = at(n + 11);
    row.finished_at = at(n + 12);
    row.cancel_requested = at(n + 13);
    row.sends = 2;
    row.backend_version = text("pipeline/", n);
    row.report_json = "{\"n\":" + std::to_string(n) + "}";
    return row;
}

RunRow updated(RunRow row, const RunUpdateRow& update) {
    row.changed = update.seq;
    row.state = update.state;
    row.hold = update.hold;
    row.flow_version = update.flow_version;
    row.sent_epoch = update.sent_epoch;
    row.sent_deadline = update.sent_deadline;
    row.looks = update.looks;
    row.attempt = update.attempt;
    row.outcome = update.outcome;
    row.reason = update.reason;
    row.outputs_json = update.outputs_json;
    row.started_at = update.started_at;
    row.finished_at = update.finished_at;
    row.cancel_requested = update.cancel_requested;
    row.sends = update.sends;
    row.backend_version = update.backend_version;
    row.report_json = update.report_json;
    return row;
}

AttemptRow opened(std::int64_t run, int attempt, std::int64_t n) {
    AttemptRow row;
    row.run = RunNo(run);
    row.attempt = attempt;
    row.opened = seq(n);
    row.started_at = at(n);
    return row;
}

AttemptRow settled(std::int64_t run, int attempt, std::int64_t opened, std::int64_t n) {
    AttemptRow row;
    row.run = RunNo(run);
    row.attempt = attempt;
    row.opened = seq(opened);
    row.settled = seq(n);
    row.outcome = flows::Outcome::Cancelled;
    row.error = text("error ", n);
    row.started_at = at(opened + 1);
    row.finished_at = at(n);
    row.inputs = {{"load.table", "s3://in/table", "system.Dataset", "{\"rows\":7}"}};
    row.outputs = {{"train.model", text("s3://out/model", run), "system.Model", "{}"},
                   {"train.report", "s3://out/report", "system.HTML", "{\"x\":[1,2]}"}};
    return row;
}

TriggerVersionRow trigger(std::int64_t no, const std::string& name, int version, std::int64_t n) {
    TriggerVersionRow row;
    row.no = TriggerNo(no);
    row.uid = trigger_uid(no);
    row.team = "ads";
    row.name = name;
    row.group = static_cast<int>(no % 64);
    row.version = version;
    row.hash = text("hash", version);
    row.document_json = "{\"trigger\":\"" + name + "\",\"v\":" + std::to_string(version) + "}";
    row.source_text = "trigger: " + name + "\n# " + std::to_string(version) + "\n";
    row.from = seq(n);
    row.principal = "local:bob";
    return row;
}

FlowVersionRow flow(const std::string& name, const std::string& version, std::int64_t n) {
    FlowVersionRow row;
    row.flow.team = "ml";
    row.flow.flow = name;
    row.flow.version = version;
    row.flow.backend = "local";
    row.flow.parameters = {
        {"date", flows::ParameterType::String, false, "", "the day", {"\"a\"", "\"b\""}},
        {"rows", flows::ParameterType::Integer, true, "7", "", {}},
        {"more", flows::ParameterType::Struct, true, "{\"x\":[1]}", "with \"quotes\" and \xc3\xa9", {}},
    };
    row.flow.pipeline = "pipelineInfo: {name: " + name + "}\n# " + version;
    row.flow.settings_json = "{\"on_restart\":\"resume\"}";
    row.from = seq(n);
    row.principal = "local:carol";
    return row;
}

HeldEnterRow enter(std::int64_t trigger, int leaf, std::int64_t n) {
    return {TriggerNo(trigger), leaf, text("leaf", leaf), text("\"k", n) + "\"", seq(n), seq(n), at(n)};
}

HeldLeaveRow leave(std::int64_t trigger, int leaf, std::int64_t event, std::int64_t n,
                   const std::string& why) {
    return {TriggerNo(trigger), leaf, seq(event), seq(n), why, DecisionNo(n)};
}

TimerSetRow timer(std::int64_t trigger, const std::string& key, std::int64_t due_ns, std::int64_t n) {
    return {TriggerNo(trigger), TimerKind::Slot, key, at(due_ns), seq(n), "2025b", at(due_ns - 5)};
}

TimerEndRow timer_end(const TimerSetRow& timer, std::int64_t n, const std::string& why) {
    return {timer.trigger, timer.kind, timer.key, timer.due, seq(n), why};
}

OutgoingRow outgoing(std::int64_t no) {
    return {OutgoingNo(no), std::string("\0\xfe out ", 7) + std::to_string(no)};
}

GapRow gap(std::int64_t no, std::int64_t stream) {
    GapRow row;
    row.no = GapNo(no);
    row.stream = StreamNo(stream);
    row.kind = text("kind", no);
    row.from = Position(no * 10);
    row.to = Position(no * 10 + 5);
    row.detail = text("what is lost: ", no);
    row.found = at(no);
    return row;
}

DeadLetterRow dead_letter(std::int64_t no, std::int64_t stream) {
    DeadLetterRow row;
    row.no = DeadLetterNo(no);
    row.stream = StreamNo(stream);
    row.position = Position(no * 7);
    row.time = at(no);
    row.reason = text("no event: ", no);
    row.message = std::string("\0\xfd dead ", 8) + std::to_string(no);
    row.bytes = no * 1000;
    row.cut = no % 2 == 1;
    return row;
}

Batch batch_of(std::vector<InputRow> inputs, std::int64_t last) {
    Batch batch;
    batch.next_seq = inputs.empty() ? seq(last + 1) : Seq(inputs.back().seq.value + 1);
    batch.log_time = inputs.empty() ? at(last) : inputs.back().time;
    batch.inputs = std::move(inputs);
    return batch;
}

} // namespace weir::ledger::contract
