#include <weir/engine/core.hpp>

#include <algorithm>

#include <weir/cel/value.hpp>
#include <weir/events/wire_codec.hpp>

#include "step.hpp"

namespace weir::engine {

Core::Core(CoreConfig config) : config_(std::move(config)) {}
Core::~Core() = default;

StepResult Core::step(Input input, Seq seq, const StepContext& context, ledger::Batch& batch) {
    StepResult result;
    Step step{*this, input, seq, context, batch, result};
    step.run();
    return result;
}

void Core::Step::run() {
    struct Dispatch {
        Step& step;
        void operator()(const ArrivalInput& i) { step.decide(i); }
        void operator()(const TimerInput& i) { step.timer(i); }
        void operator()(const RunFactInput& i) { step.learn(i); }
        void operator()(const ApplyInput& i) { step.change(i); }
        void operator()(const DeleteTriggerInput& i) {
            if (core.find_trigger(i.team, i.name) == nullptr)
                return step.refuse(ErrorKind::NotFound, "there is no trigger " + i.team + "/" + i.name);
            step.record(ledger::InputKind::Change);
            step.audit(i.principal, "delete", "trigger " + i.team + "/" + i.name, i.reason);
            step.delete_trigger(i.team, i.name);
        }
        void operator()(const PauseInput& i) { step.pause(i); }
        void operator()(const ResumeInput& i) { step.resume(i); }
        void operator()(const RunFlowInput& i) { step.run_flow(i); }
        void operator()(const CancelInput& i) { step.cancel(i); }
        void operator()(const RetryInput& i) { step.retry(i); }
        void operator()(const ReportInput& i) { step.report(i); }
        void operator()(const StartRunInput& i) { step.start_run(i); }
        void operator()(const AcceptGapInput& i) {
            step.record(ledger::InputKind::Command);
            step.audit(i.principal, "accept-gap", "stream " + i.stream, i.reason);
        }
        Core& core = step.core;
    };
    std::visit(Dispatch{*this}, input.what);
    if (!result.recorded) return;
    sweep();
    send_ready();
}

void Core::meet(triggers::EventView& view, triggers::Matcher::Match& match) {
    matcher_.match(view, match);
}

Core::Trigger* Core::find_trigger(const std::string& team, const std::string& name) {
    const auto found = by_name_.find({team, name});
    return found == by_name_.end() ? nullptr : &triggers_.at(found->second);
}

std::optional<Core::DueTimer> Core::next_timer() const {
    if (due_.empty()) return std::nullopt;
    const auto& [due, name] = *due_.begin();
    return DueTimer{due, {std::get<0>(name), std::get<1>(name), std::get<2>(name)}};
}

const ledger::RunRow* Core::run(ledger::RunNo no) const {
    const auto found = runs_.find(no);
    return found == runs_.end() ? nullptr : &found->second;
}

const ledger::RunRow* Core::run(const RunId& id) const {
    const auto found = run_ids_.find(id);
    return found == run_ids_.end() ? nullptr : run(found->second);
}

std::shared_ptr<const flows::FlowVersion> Core::flow(const std::string& team, const std::string& name) const {
    const auto found = flows_.find({team, name});
    return found == flows_.end() ? nullptr : found->second;
}

std::shared_ptr<const flows::FlowVersion> Core::flow_of(const ledger::RunRow& run) const {
    const auto own = run_flows_.find(run.no);
    return own == run_flows_.end() ? flow(run.flow_team, run.flow) : own->second;
}

std::vector<JoinWaiting> Core::waiting(const std::string& team, const std::string& trigger) const {
    std::vector<JoinWaiting> all;
    const auto found = by_name_.find({team, trigger});
    if (found == by_name_.end()) return all;
    const auto& entry = triggers_.at(found->second);
    if (!entry.join) return all;
    const auto& leaves = entry.compiled->trigger().when.leaves;
    for (const auto& waiting : entry.join->waiting(last_time_)) {
        JoinWaiting one{waiting.key.empty() ? "null" : cel::key_json(waiting.key), {}, {}, waiting.until};
        for (const auto& held : waiting.held)
            one.held.push_back(leaves[static_cast<std::size_t>(held.leaf)].name);
        for (const int leaf : waiting.missing)
            one.missing.push_back(leaves[static_cast<std::size_t>(leaf)].name);
        all.push_back(std::move(one));
    }
    return all;
}

std::optional<Core::TriggerInfo> Core::trigger(const std::string& team, const std::string& name) const {
    const auto found = by_name_.find({team, name});
    if (found == by_name_.end()) return std::nullopt;
    const auto& entry = triggers_.at(found->second);
    return TriggerInfo{entry.no, entry.version, entry.compiled->trigger().hash, entry.state,
                       entry.join ? entry.join->size() : 0};
}

const triggers::Trigger* Core::document(const std::string& team, const std::string& name) const {
    const auto found = by_name_.find({team, name});
    return found == by_name_.end() ? nullptr : &triggers_.at(found->second).compiled->trigger();
}

std::vector<std::shared_ptr<const flows::FlowVersion>> Core::flows() const {
    std::vector<std::shared_ptr<const flows::FlowVersion>> all;
    for (const auto& [name, flow] : flows_)
        all.push_back(flow);
    return all;
}

std::vector<std::string> Core::flow_names(const std::string& team) const {
    std::vector<std::string> names;
    for (const auto& [name, flow] : flows_)
        if (name.first == team) names.push_back(name.second);
    return names;
}

std::vector<ApplyInput::Name> Core::trigger_names() const {
    std::vector<ApplyInput::Name> names;
    for (const auto& [name, no] : by_name_)
        names.push_back({name.first, name.second});
    return names;
}

ledger::InputRow& Core::Step::record(ledger::InputKind kind) {
    ledger::InputRow row;
    row.seq = seq;
    row.kind = kind;
    row.time = input.time;
    row.late_by = input.late_by;
    if (kind != ledger::InputKind::Arrival && kind != ledger::InputKind::Settlement)
        row.body = encode_body(input);
    batch.inputs.push_back(std::move(row));
    return batch.inputs.back();
}

void Core::Step::record_event(ledger::InputKind kind, const events::Event& event, const std::string& wire) {
    auto& row = record(kind);
    row.type = event.type;
    row.source = event.source;
    row.id = event.id;
    row.subject = event.subject;
    row.body = wire;
}

void Core::Step::hold(Seq event, const std::string& wire, Instant time) {
    auto& held = core.held_[event];
    if (held.holders++ == 0) {
        held.wire = wire;
        held.time = time;
    }
}

void Core::Step::let_go(Seq event) {
    const auto found = core.held_.find(event);
    expects(found != core.held_.end(), "a held event is let go of that is not held");
    if (--found->second.holders == 0) core.held_.erase(found);
}

} // namespace weir::engine
