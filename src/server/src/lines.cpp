#include "lines.hpp"

#include <algorithm>

#include <weir/engine/why.hpp>

namespace weir::server {
namespace {

std::string parameters_json(const std::vector<flows::Parameter>& parameters) {
    std::string out = "[";
    for (const auto& parameter : parameters) {
        JsonObject object;
        object.text("name", parameter.name).text("type", flows::to_string(parameter.type));
        object.boolean("optional", parameter.optional);
        object.raw("default", parameter.default_json.empty() ? "null" : parameter.default_json);
        object.text_or_null("description", parameter.description);
        out += (out.size() > 1 ? "," : "") + object.end();
    }
    return out + "]";
}

} // namespace

std::string task_line(const flows::TaskRecord& task) {
    return JsonObject()
        .text("task", task.name)
        .text("state", flows::to_string(task.state))
        .number("attempt", task.attempt)
        .time("started_at", task.started_at)
        .time("finished_at", task.finished_at)
        .text_or_null("error", task.error)
        .end();
}

std::string audit_line(const ledger::AuditRow& audit) {
    return JsonObject()
        .time("at", audit.time)
        .text("principal", audit.principal)
        .text("action", audit.action)
        .text("target", audit.target)
        .text("reason", audit.reason)
        .number("seq", audit.seq.value)
        .end();
}

JsonObject trigger_object(const ledger::TriggerRow& trigger, Instant applied_at) {
    JsonObject object;
    object.text("trigger", trigger.version.name).text("team", trigger.version.team);
    object.number("version", trigger.version.version).text("hash", trigger.version.hash);
    object.text("state", ledger::to_string(trigger.state)).text_or_null("state_reason", trigger.state_reason);
    object.number("fired", trigger.fired);
    object.time("next_slot", trigger.next_slot.value_or(Instant{}));
    object.time("applied_at", applied_at).text_or_null("principal", trigger.version.principal);
    return object;
}

JsonObject flow_object(const ledger::FlowVersionRow& row, Instant applied_at) {
    JsonObject object;
    object.text("flow", row.flow.flow).text("team", row.flow.team);
    object.text("version", row.flow.version).text("backend", row.flow.backend);
    object.boolean("deleted", row.deleted);
    object.raw("parameters", parameters_json(row.flow.parameters));
    object.time("applied_at", applied_at).text_or_null("principal", row.principal);
    return object;
}

Result<std::map<Seq, Instant>> times_of(ledger::LedgerReader& reader, std::vector<Seq> seqs) {
    std::sort(seqs.begin(), seqs.end());
    seqs.erase(std::unique(seqs.begin(), seqs.end()), seqs.end());
    std::map<Seq, Instant> times;
    if (seqs.empty()) return times;
    WEIR_ASSIGN(inputs, reader.inputs_by_seq(seqs));
    for (const auto& input : inputs)
        times[input.seq] = input.time;
    return times;
}

Result<std::vector<std::string>> decision_lines(ledger::LedgerReader& reader,
                                                const std::vector<ledger::DecisionRow>& rows) {
    std::vector<std::string> lines;
    if (rows.empty()) return lines;
    std::vector<ledger::DecisionNo> numbers;
    std::vector<Seq> seqs;
    for (const auto& row : rows) {
        numbers.push_back(row.no);
        seqs.push_back(row.seq);
        for (const auto& included : row.included)
            seqs.push_back(included.seq);
    }
    std::sort(seqs.begin(), seqs.end());
    seqs.erase(std::unique(seqs.begin(), seqs.end()), seqs.end());
    WEIR_ASSIGN(run_rows, reader.runs_of_decisions(numbers));
    std::map<ledger::DecisionNo, RunId> runs;
    for (const auto& run : run_rows)
        runs.emplace(run.decision, run.id);
    WEIR_ASSIGN(inputs, reader.inputs_by_seq(seqs));
    std::map<Seq, const ledger::InputRow*> by_seq;
    for (const auto& input : inputs)
        by_seq.emplace(input.seq, &input);

    std::map<ledger::TriggerNo, std::string> names;
    for (const auto& row : rows) {
        auto name = names.find(row.trigger);
        if (name == names.end()) {
            name = names.emplace(row.trigger, "").first;
            if (row.trigger.value != 0) {
                WEIR_ASSIGN(versions, reader.trigger_versions(row.trigger));
                if (!versions.empty()) name->second = versions.back().name;
            }
        }
        std::vector<ledger::EventRef> events;
        const auto add = [&](Seq seq, const std::string& role) {
            const auto found = by_seq.find(seq);
            if (found == by_seq.end()) return;
            const auto& input = *found->second;
            if (input.kind != ledger::InputKind::Arrival && input.kind != ledger::InputKind::Settlement)
                return;
            events.push_back({seq, input.source, input.id, role});
        };
        for (const auto& included : row.included)
            add(included.seq, included.leaf);
        if (row.included.empty()) add(row.seq, row.leaf);
        const auto run = runs.find(row.no);
        lines.push_back(engine::decision_line(row, name->second, events,
                                              run == runs.end() ? std::nullopt : std::optional(run->second)));
    }
    return lines;
}

Result<engine::Actor> actor_of(const Call& call, std::string reason) {
    if (reason.size() > 1000) return exhausted("the reason is over 1,000 bytes");
    if (reason.empty()) reason = "no reason given";
    return engine::Actor{call.caller.principal, std::move(reason)};
}

Result<engine::Actor> read_actor(const Call& call, const Body& body) {
    WEIR_ASSIGN(reason, body.text("reason"));
    return actor_of(call, std::move(reason));
}

} // namespace weir::server
