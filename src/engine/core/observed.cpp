// Runs that weir did not launch: seen on a backend, or asked for under a given id.

#include <algorithm>

#include <weir/flows/arguments.hpp>
#include <weir/flows/document.hpp>
#include <weir/flows/naming.hpp>

#include "step.hpp"
#include "stored_report.hpp"

namespace weir::engine {
namespace {

/// The registered flow that a run of this pipeline is one of; nullptr if there is none, or several.
const flows::FlowVersion* flow_of_pipeline(
    const std::map<std::pair<std::string, std::string>, std::shared_ptr<const flows::FlowVersion>>& flows,
    const flows::SeenRun& seen) {
    const flows::FlowVersion* found = nullptr;
    for (const auto& [name, flow] : flows) {
        if (flow->backend != seen.backend) continue;
        const auto settings = flows::read_settings(flow->settings_json);
        if (!settings.ok() || settings->pipeline.empty()) continue;
        if (settings->pipeline != seen.pipeline && settings->pipeline != seen.pipeline_id) continue;
        // Two flows of one pipeline: the place it was seen in decides.
        if (found != nullptr && (found->team == seen.team) == (flow->team == seen.team)) return nullptr;
        if (found == nullptr || flow->team == seen.team) found = flow.get();
    }
    return found;
}

} // namespace

ledger::RunRow Core::Step::given_run(const RunId& id, const flows::FlowVersion& flow, const char* origin,
                                     Cause cause) {
    ledger::DecisionRow decision;
    decision.id = decision_id(core.config_.secret, TriggerUid{}, origin, cause, 0);
    decision.no = core.next_decision_;
    core.next_decision_.value++;
    decision.seq = seq;
    decision.semantics = decision_semantics;
    decision.verdict = ledger::Verdict::Fired;
    decision.reason = origin;
    decision.occasion = origin;
    decision.cause = std::move(cause.text);
    decision.team = flow.team;
    decision.time = input.time;
    ledger::RunRow run;
    run.no = core.next_run_;
    core.next_run_.value++;
    run.id = id;
    run.decision = decision.no;
    run.decision_id = decision.id;
    run.team = flow.team;
    run.flow_team = flow.team;
    run.flow = flow.flow;
    run.flow_version = flow.version;
    run.backend = flow.backend;
    run.depth = 1;
    run.origin = origin;
    run.created_seq = seq;
    batch.decisions.push_back(std::move(decision));
    return run;
}

void Core::Step::start_run(const StartRunInput& command) {
    result.run = command.id;
    if (core.run(command.id) != nullptr)
        return refuse(ErrorKind::Conflict, "there is a run " + command.id.to_string() + " already");
    auto arguments = flows::bind_arguments(command.flow->parameters, command.arguments_json);
    if (!arguments.ok()) return refuse(arguments.error().kind, arguments.error().message);
    record(ledger::InputKind::Command);
    audit(command.principal, "run", "flow " + command.flow->team + "/" + command.flow->flow, command.reason);
    auto run = given_run(command.id, *command.flow, "api", run_cause("api", command.id, input.time));
    batch.decisions.back().detail = command.description;
    run.arguments_json = std::move(arguments).value();
    run.principal = command.principal;
    run.created = input.time;
    const auto current = core.flow(command.flow->team, command.flow->flow);
    if (!current || current->version != command.flow->version)
        batch.flow_versions.push_back({*command.flow, seq, seq, false, command.principal});
    core.run_flows_[run.no] = command.flow;
    launch(std::move(run), nullptr);
}

void Core::Step::see(const RunFactInput& fact) {
    expects(fact.seen.has_value(), "a run is seen that nobody describes");
    const auto& seen = *fact.seen;
    auto next = fact;
    next.kind = fact.settled ? RunFactInput::Kind::Ended : RunFactInput::Kind::Started;
    next.seen.reset();
    if (const auto* known = run_named(fact.run_id)) {
        // Ours after all, or seen a moment ago.
        next.run = known->no;
        next.run_id.clear();
        result.recorded = false;
        result.followups.push_back(std::move(next));
        return;
    }
    const auto id = Uuid::parse(fact.run_id);
    if (!id.ok()) {
        result.recorded = false;
        return;
    }
    record(ledger::InputKind::RunFact);
    flows::FlowVersion unregistered;
    unregistered.team = seen.team;
    unregistered.flow = flows::flow_name_of(seen.pipeline.empty() ? seen.display_name : seen.pipeline);
    unregistered.backend = seen.backend;
    const auto* registered = flow_of_pipeline(core.flows_, seen);
    auto run = given_run(RunId{*id}, registered != nullptr ? *registered : unregistered, "observed",
                         run_cause("observed", RunId{*id}, seen.created));
    batch.decisions.back().detail = "started outside weir: " + seen.display_name;
    run.flow_version.clear(); // what ran is the backend's version, whatever is registered now
    run.backend_version = seen.pipeline_id + (seen.version_id.empty() ? "" : "/" + seen.version_id);
    run.arguments_json = seen.arguments_json;
    run.created = seen.created == Instant{} ? input.time : seen.created;
    run.state = ledger::RunState::Accepted;
    next.run = run.no;
    next.run_id.clear();
    result.followups.push_back(std::move(next));
    core.run_ids_[run.id] = run.no;
    batch.runs.push_back(run);
    auto& kept = core.runs_[run.no] = std::move(run);
    count(kept, +1);
    act(Act::Kind::Watch, kept);
}

void Core::Step::reopen(const RunFactInput& fact) {
    const auto& row = *fact.reopened;
    if (core.runs_.count(row.no) != 0) return;
    auto& run = core.runs_[row.no] = row;
    core.run_ids_[run.id] = run.no;
    run.state = ledger::RunState::Accepted;
    run.outcome.reset();
    run.reason.clear();
    run.cancel_requested = Instant{};
    run.outputs_json = "{}";
    run.report_json.clear();
    run.started_at = run.finished_at = Instant{};
    count(run, +1);
    act(Act::Kind::Watch, run);
}

} // namespace weir::engine
