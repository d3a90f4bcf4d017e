#include <weir/flows/arguments.hpp>

#include "step.hpp"

namespace weir::engine {
namespace {

/// A time-led request id leads the run's id too; any other one gives the same run for the same text all the
/// same.
Instant time_of_request(const std::string& request_id) {
    const auto id = Uuid::parse(request_id);
    if (!id.ok() || (id->bytes[6] >> 4) != 8) return Instant{};
    std::int64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i)
        ms = ms << 8 | id->bytes[i];
    return from_ns(ms * 1'000'000);
}

DecisionId manual_decision(const std::string& secret, const Cause& cause) {
    return decision_id(secret, TriggerUid{}, "manual", cause, 0);
}

/// Why a settled run cannot be tried again.
std::string why_not(const std::optional<flows::Outcome>& outcome) {
    if (outcome == flows::Outcome::Succeeded) return "succeeded";
    if (outcome == flows::Outcome::Lost) return "is lost: its backend does not know it";
    return "never started";
}

} // namespace

RunId Core::manual_run_id(const std::string& request_id) const {
    const auto cause = manual_cause(request_id, time_of_request(request_id));
    return run_id(manual_decision(config_.secret, cause), 1, cause.time);
}

void Core::Step::run_flow(const RunFlowInput& command) {
    const auto flow = core.flow(command.team, command.flow);
    if (!flow) return refuse(ErrorKind::NotFound, "there is no flow " + command.team + "/" + command.flow);
    auto arguments = flows::bind_arguments(flow->parameters, command.arguments_json);
    if (!arguments.ok()) return refuse(arguments.error().kind, arguments.error().message);
    const auto cause = manual_cause(command.request_id, time_of_request(command.request_id));

    ledger::DecisionRow decision;
    decision.id = manual_decision(core.config_.secret, cause);
    const auto id = run_id(decision.id, 1, cause.time);
    result.run = id;
    if (core.run(id) != nullptr) {
        result.recorded = false;
        return;
    }
    record(ledger::InputKind::Command);
    audit(command.principal, "run", "flow " + command.team + "/" + command.flow, command.reason);
    decision.no = core.next_decision_;
    core.next_decision_.value++;
    decision.seq = seq;
    decision.semantics = decision_semantics;
    decision.verdict = ledger::Verdict::Fired;
    decision.reason = "manual";
    decision.detail = command.reason;
    decision.occasion = "manual";
    decision.cause = cause.text;
    decision.team = command.team;
    decision.time = input.time;
    ledger::RunRow run;
    run.no = core.next_run_;
    core.next_run_.value++;
    run.id = id;
    run.decision = decision.no;
    run.decision_id = decision.id;
    run.team = command.team;
    run.flow_team = flow->team;
    run.flow = flow->flow;
    run.backend = flow->backend;
    run.depth = 1;
    run.arguments_json = std::move(arguments).value();
    run.principal = command.principal;
    run.origin = "manual";
    run.created = input.time;
    run.created_seq = seq;
    batch.decisions.push_back(std::move(decision));
    launch(std::move(run), nullptr);
}

void Core::Step::cancel(const CancelInput& command) {
    const auto found = core.runs_.find(command.run);
    if (found == core.runs_.end()) return refuse(ErrorKind::Conflict, "the run has ended already");
    auto& run = found->second;
    record(ledger::InputKind::Command);
    audit(command.principal, "cancel", "run " + run.id.to_string(), command.reason);
    cancel_run(run, command.reason);
}

void Core::Step::cancel_run(ledger::RunRow& run, const std::string& reason) {
    const bool first = run.cancel_requested == Instant{};
    if (first) run.cancel_requested = input.time;
    switch (run.state) {
        case ledger::RunState::Waiting:
        case ledger::RunState::Ready:
            // Nothing has left yet: it ends here.
            settle_later(run, flows::Outcome::Cancelled, reason);
            if (run.state == ledger::RunState::Waiting) run.hold = ending;
            break;
        case ledger::RunState::Settled: break;
        default: act(Act::Kind::Cancel, run, reason); break;
    }
    if (first) write(run);
}

void Core::Step::retry(const RetryInput& command) {
    if (core.runs_.count(command.run.no) != 0)
        return refuse(ErrorKind::Conflict, "the run has not ended: nothing to try again");
    if (command.run.state != ledger::RunState::Settled)
        return refuse(ErrorKind::Conflict, "the end of the run is just being recorded: ask again");
    if (command.run.outcome != flows::Outcome::Failed && command.run.outcome != flows::Outcome::Cancelled)
        return refuse(ErrorKind::Conflict, "only a failed or cancelled run can be tried again; this one " +
                                               why_not(command.run.outcome) +
                                               ": start another with `weir run`");
    if (command.run.attempt < 1 || command.run.flow_version.empty())
        return refuse(ErrorKind::Conflict,
                      "the run never reached its backend: there is no attempt to repeat");
    record(ledger::InputKind::Command);
    audit(command.principal, "retry", "run " + command.run.id.to_string(), command.reason);
    auto& run = core.runs_[command.run.no] = command.run;
    core.run_ids_[run.id] = run.no;
    // Accepted in an attempt after the first: asked for, not seen to start (see retry_asked()).
    run.state = ledger::RunState::Accepted;
    ++run.attempt;
    run.outcome.reset();
    run.reason.clear();
    run.cancel_requested = Instant{};
    run.outputs_json = "{}";
    run.started_at = run.finished_at = Instant{};
    count(run, +1);
    act(Act::Kind::Retry, run, command.reason);
    write(run);
}

} // namespace weir::engine
