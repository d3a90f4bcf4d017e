#include <algorithm>
#include <numeric>
#include <utility>

#include <weir/triggers/cron.hpp>

#include "step.hpp"

namespace weir::engine {

void Core::Step::refuse(ErrorKind kind, std::string message) {
    result.recorded = false;
    result.refused = Error(kind, std::move(message));
}

void Core::Step::audit(const std::string& principal, std::string action, std::string target,
                       const std::string& reason) {
    const int n = static_cast<int>(std::count_if(batch.audits.begin(), batch.audits.end(),
                                                 [&](const auto& row) { return row.seq == seq; }));
    batch.audits.push_back({seq,
                            n,
                            principal,
                            std::move(action),
                            std::move(target),
                            reason.empty() ? "no reason given" : reason,
                            input.time,
                            {}});
}

void Core::Step::set_state(Trigger& trigger, ledger::TriggerState state, std::string reason) {
    trigger.state = state;
    trigger.state_reason = reason;
    batch.trigger_states.push_back({trigger.no, state, std::move(reason), seq});
}

void Core::Step::change(const ApplyInput& apply) {
    record(ledger::InputKind::Change);
    for (const auto& flow : apply.flows)
        put_flow(flow, apply.principal);
    for (const auto& trigger : apply.triggers) {
        const auto& document = trigger.compiled->trigger();
        audit(apply.principal, "apply", "trigger " + document.team + "/" + document.name, apply.reason);
        put_trigger(trigger, apply.principal);
    }
    for (const auto& flow : apply.flows)
        audit(apply.principal, "apply", "flow " + flow->team + "/" + flow->flow, apply.reason);
    for (const auto& name : apply.delete_triggers) {
        if (core.find_trigger(name.team, name.name) == nullptr) continue;
        audit(apply.principal, "delete", "trigger " + name.team + "/" + name.name, apply.reason);
        delete_trigger(name.team, name.name);
    }
    for (const auto& name : apply.delete_flows) {
        const auto found = core.flows_.find({name.team, name.name});
        if (found == core.flows_.end()) continue;
        audit(apply.principal, "delete", "flow " + name.team + "/" + name.name, apply.reason);
        batch.flow_versions.push_back({*found->second, seq, std::nullopt, true, apply.principal});
        core.flows_.erase(found);
    }
}

void Core::Step::put_flow(const std::shared_ptr<const flows::FlowVersion>& flow,
                          const std::string& principal) {
    auto& current = core.flows_[{flow->team, flow->flow}];
    if (current && current->version == flow->version) return;
    current = flow;
    batch.flow_versions.push_back({*flow, seq, std::nullopt, false, principal});
}

void Core::Step::put_trigger(const TriggerApply& apply, const std::string& principal) {
    const auto& document = apply.compiled->trigger();
    if (auto* existing = core.find_trigger(document.team, document.name)) {
        if (existing->compiled->trigger().hash != document.hash) update_trigger(*existing, apply, principal);
        return;
    }
    const auto no = core.next_trigger_;
    core.next_trigger_.value++;
    auto& trigger = core.triggers_[no];
    trigger.no = no;
    trigger.uid = apply.uid_if_new;
    trigger.version = 0;
    core.by_name_[{document.team, document.name}] = no;
    update_trigger(trigger, apply, principal);
    batch.trigger_states.push_back({no, ledger::TriggerState::Active, "created", seq});
}

void Core::Step::update_trigger(Trigger& trigger, const TriggerApply& apply, const std::string& principal) {
    const auto& document = apply.compiled->trigger();
    const bool first = trigger.compiled == nullptr;
    if (first) {
        if (document.when.kind == triggers::When::Kind::All)
            trigger.join = std::make_unique<triggers::Join>(document.when);
        for (int i = 0; i < static_cast<int>(document.when.leaves.size()); ++i)
            trigger.leaf_numbers.push_back(i);
    } else {
        keep_held(trigger, *apply.compiled);
    }
    const auto before = std::exchange(trigger.compiled, apply.compiled);
    ++trigger.version;
    core.matcher_.add(trigger.no.value, apply.compiled);
    ledger::TriggerVersionRow row;
    row.no = trigger.no;
    row.uid = trigger.uid;
    row.team = document.team;
    row.name = document.name;
    row.group = trigger.uid.uuid.bytes[15] % 64;
    row.version = trigger.version;
    row.hash = document.hash;
    row.document_json = document.canonical_json;
    row.source_text = apply.source_text;
    row.from = seq;
    row.principal = principal;
    batch.trigger_versions.push_back(std::move(row));
    set_slots(trigger, before ? &before->trigger().when : nullptr);
    release(trigger); // overlap may have become less strict
}

void Core::Step::keep_held(Trigger& trigger, const triggers::CompiledTrigger& next) {
    // What died under the old version stays dead, however long the new one's `within` is.
    if (trigger.join) write_left(trigger, trigger.join->sweep(input.time), {});
    const auto& before = trigger.compiled->trigger().when;
    const auto& after = next.trigger().when;
    const auto carried = triggers::carried_leaves(before, after);
    std::vector<int> numbers(after.leaves.size(), -1);
    for (std::size_t i = 0; i < carried.size(); ++i)
        if (carried[i]) numbers[static_cast<std::size_t>(*carried[i])] = trigger.leaf_numbers[i];
    // A new leaf takes the smallest number that no other leaf of this version has.
    for (auto& number : numbers)
        for (int candidate = 0; number < 0; ++candidate)
            if (std::find(numbers.begin(), numbers.end(), candidate) == numbers.end()) number = candidate;

    std::unique_ptr<triggers::Join> join;
    if (after.kind == triggers::When::Kind::All) join = std::make_unique<triggers::Join>(after);
    if (trigger.join) {
        const bool both = join != nullptr && before.kind == after.kind;
        for (const auto& held : trigger.join->held()) {
            const auto& target = carried[static_cast<std::size_t>(held.leaf)];
            if (both && target) {
                join->restore(*target, held.key, held.seq, held.time);
                continue;
            }
            batch.held_left.push_back({trigger.no, trigger.leaf_numbers[static_cast<std::size_t>(held.leaf)],
                                       held.seq, seq, std::string(to_string(triggers::HeldEnd::Updated)),
                                       std::nullopt});
            let_go(held.seq);
        }
    }
    trigger.join = std::move(join);
    trigger.leaf_numbers = std::move(numbers);
}

void Core::Step::delete_trigger(const std::string& team, const std::string& name) {
    auto& trigger = *core.find_trigger(team, name);
    if (trigger.join) {
        std::vector<int> leaves(trigger.leaf_numbers.size());
        std::iota(leaves.begin(), leaves.end(), 0);
        write_left(trigger, trigger.join->clear(leaves, triggers::HeldEnd::Dropped), {});
    }
    std::vector<TimerName> timers;
    for (const auto& [timer, row] : core.timers_)
        if (std::get<0>(timer) == trigger.no) timers.push_back(timer);
    for (const auto& timer : timers)
        end_timer(timer, "deleted");
    for (const auto no : trigger.waiting) {
        auto& run = core.runs_.at(no);
        settle_later(run, flows::Outcome::Skipped, "its trigger was deleted while it waited");
        run.hold = ending;
    }
    set_state(trigger, ledger::TriggerState::Deleted, "deleted");
    core.matcher_.remove(trigger.no.value);
    core.by_name_.erase({team, name});
    core.triggers_.erase(trigger.no);
}

void Core::Step::pause(const PauseInput& pause) {
    auto* trigger = core.find_trigger(pause.team, pause.name);
    const auto name = pause.team + "/" + pause.name;
    if (trigger == nullptr) return refuse(ErrorKind::NotFound, "there is no trigger " + name);
    if (trigger->state == ledger::TriggerState::Paused)
        return refuse(ErrorKind::Conflict, "the trigger " + name + " is paused already");
    record(ledger::InputKind::Change);
    audit(pause.principal, "pause", "trigger " + name, pause.reason);
    set_state(*trigger, ledger::TriggerState::Paused, pause.reason.empty() ? "paused" : pause.reason);
}

void Core::Step::resume(const ResumeInput& resume) {
    auto* trigger = core.find_trigger(resume.team, resume.name);
    const auto name = resume.team + "/" + resume.name;
    if (trigger == nullptr) return refuse(ErrorKind::NotFound, "there is no trigger " + name);
    if (trigger->state == ledger::TriggerState::Active)
        return refuse(ErrorKind::Conflict, "the trigger " + name + " is not paused");
    record(ledger::InputKind::Change);
    audit(resume.principal, resume.replay ? "resume --replay" : "resume --drop", "trigger " + name,
          resume.reason);
    set_state(*trigger, ledger::TriggerState::Active, resume.reason.empty() ? "resumed" : resume.reason);
    if (resume.replay) {
        // What waited for the pause now waits for the overlap policy alone.
        for (const auto no : trigger->waiting) {
            auto& run = core.runs_.at(no);
            if (run.hold == "overlap") continue;
            run.hold = "overlap";
            write(run);
        }
    } else {
        for (const auto no : trigger->waiting) {
            auto& run = core.runs_.at(no);
            if (run.hold == "overlap") continue;
            settle_later(run, flows::Outcome::Skipped, "dropped when its trigger was resumed");
            run.hold = ending;
        }
    }
    release(*trigger);
}

} // namespace weir::engine
