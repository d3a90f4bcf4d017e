#include <set>

#include <weir/events/wire_codec.hpp>
#include <weir/triggers/cron.hpp>

#include "step.hpp"

namespace weir::engine {

void Core::Step::set_timer(ledger::TimerSetRow timer) {
    const TimerName name{timer.trigger, timer.kind, timer.key};
    end_timer(name, "replaced");
    core.due_.emplace(timer.due, name);
    core.timers_[name] = timer;
    batch.timers_set.push_back(std::move(timer));
}

void Core::Step::end_timer(const TimerName& name, std::string why) {
    const auto found = core.timers_.find(name);
    if (found == core.timers_.end()) return;
    const auto& timer = found->second;
    batch.timers_ended.push_back({timer.trigger, timer.kind, timer.key, timer.due, seq, std::move(why)});
    core.due_.erase({timer.due, name});
    core.timers_.erase(found);
}

namespace {

bool same_schedule(const triggers::When& a, const triggers::When& b, const std::string& leaf) {
    const auto of = [&leaf](const triggers::When& when) -> const triggers::SchedulePattern* {
        for (const auto& candidate : when.leaves)
            if (candidate.name == leaf) return std::get_if<triggers::SchedulePattern>(&candidate.pattern);
        return nullptr;
    };
    const auto *one = of(a), *other = of(b);
    return one != nullptr && other != nullptr && *one == *other;
}

} // namespace

void Core::Step::set_slots(Trigger& trigger, const triggers::When* before) {
    const auto& document = trigger.compiled->trigger();
    std::vector<TimerName> gone;
    std::set<std::string> kept;
    for (auto timer = core.timers_.lower_bound({trigger.no, ledger::TimerKind{}, ""});
         timer != core.timers_.end() && std::get<0>(timer->first) == trigger.no; ++timer) {
        if (std::get<1>(timer->first) != ledger::TimerKind::Slot) continue;
        const auto& leaf = std::get<2>(timer->first);
        // A slot that is due at this very instant is still to come: an update of anything else must not lose
        // it.
        if (before != nullptr && same_schedule(*before, document.when, leaf))
            kept.insert(leaf);
        else
            gone.push_back(timer->first);
    }
    for (const auto& name : gone)
        end_timer(name, "replaced");
    for (const auto& leaf : document.when.leaves) {
        const auto* pattern = std::get_if<triggers::SchedulePattern>(&leaf.pattern);
        if (pattern == nullptr || kept.contains(leaf.name)) continue;
        const auto schedule = triggers::Schedule::parse(pattern->cron, pattern->timezone);
        if (!schedule.ok()) continue; // checked when applied; a zone may have left the machine since
        const auto due = schedule->next(input.time);
        if (!due) continue;
        set_timer({trigger.no, ledger::TimerKind::Slot, leaf.name, *due, seq, triggers::tzdata_version(),
                   schedule->previous(*due).value_or(Instant{})});
    }
}

void Core::Step::timer(const TimerInput& timer) {
    const auto found = core.timers_.find({timer.trigger, timer.kind, timer.key});
    const auto owner = core.triggers_.find(timer.trigger);
    const bool of_run = timer.trigger == ledger::TriggerNo{};
    if (found == core.timers_.end() || (owner == core.triggers_.end() && !of_run)) {
        result.recorded = false;
        return;
    }
    const auto row = found->second;
    if (of_run) return run_timer(row);
    if (timer.kind == ledger::TimerKind::Slot) return slot(owner->second, row);
    record(ledger::InputKind::TimerFired);
    end_timer(found->first, "fired");
    const auto id = Uuid::parse(timer.key);
    const auto* run = id.ok() ? core.run(RunId{*id}) : nullptr;
    if (run == nullptr || run->state != ledger::RunState::Waiting) return;
    settle_later(*run, flows::Outcome::Skipped, "it waited longer than max_age");
    core.runs_.at(run->no).hold = ending;
}

void Core::Step::slot(Trigger& trigger, const ledger::TimerSetRow& timer) {
    const auto& document = trigger.compiled->trigger();
    int leaf = -1;
    for (std::size_t i = 0; i < document.when.leaves.size(); ++i)
        if (document.when.leaves[i].name == timer.key) leaf = static_cast<int>(i);
    expects(leaf >= 0, "a slot timer names a leaf that its trigger does not have");
    const auto& pattern =
        std::get<triggers::SchedulePattern>(document.when.leaves[static_cast<std::size_t>(leaf)].pattern);
    std::optional<Instant> previous;
    if (timer.previous != Instant{}) previous = timer.previous;
    const auto event = triggers::slot_event(document.team, document.name, timer.key, timer.due, previous);
    std::string wire = events::encode_wire(event);
    record(ledger::InputKind::TimerFired);
    auto& row = batch.inputs.back();
    row.type = event.type;
    row.source = event.source;
    row.id = event.id;
    row.subject = event.subject;
    row.body = wire;
    row.position = Position(trigger.no.value);
    end_timer({trigger.no, ledger::TimerKind::Slot, timer.key}, "fired");
    if (const auto schedule = triggers::Schedule::parse(pattern.cron, pattern.timezone); schedule.ok())
        if (const auto due = schedule->next(timer.due))
            set_timer({trigger.no, ledger::TimerKind::Slot, timer.key, *due, seq, triggers::tzdata_version(),
                       timer.due});

    triggers::EventView view(event);
    const auto met = trigger.compiled->where(leaf, view);
    if (!met.ok() || !*met) return;
    Completing completing{view, std::move(wire), slot_cause(timer.key, timer.due), 0};
    meet(trigger, completing, {leaf});
}

} // namespace weir::engine
