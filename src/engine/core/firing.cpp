#include <weir/base/text.hpp>

#include "step.hpp"

namespace weir::engine {

ledger::DecisionRow Core::Step::decision(const Trigger& trigger, const Cause& cause) {
    ledger::DecisionRow row;
    row.no = core.next_decision_;
    core.next_decision_.value++;
    row.n = firings[trigger.no]++;
    row.id = decision_id(core.config_.secret, trigger.uid, "live", cause, row.n);
    row.seq = seq;
    row.trigger = trigger.no;
    row.version = trigger.version;
    row.semantics = decision_semantics;
    row.cause = cause.text;
    row.team = trigger.compiled->trigger().team;
    row.time = input.time;
    row.without = input.without;
    return row;
}

std::optional<ledger::DecisionNo> Core::Step::fail(Trigger& trigger, const Completing& event,
                                                   std::string leaf, std::string reason, std::string detail) {
    const std::int64_t hour = to_ns(input.time) / 3'600'000'000'000;
    if (trigger.failed_hour != hour) {
        trigger.failed_hour = hour;
        trigger.failed_in_hour = 0;
    }
    // The first ones tell the story; a trigger that fails at every event must not fill the disk.
    if (trigger.failed_in_hour++ >= core.config_.limits.failures_per_hour) return std::nullopt;
    auto row = decision(trigger, event.cause);
    row.verdict = ledger::Verdict::Failed;
    row.reason = std::move(reason);
    row.detail = std::move(detail);
    row.leaf = std::move(leaf);
    const auto no = row.no;
    batch.decisions.push_back(std::move(row));
    return no;
}

std::string Core::Step::suppression(const Trigger& trigger) const {
    const auto& launch = trigger.compiled->trigger().launch;
    if (trigger.state != ledger::TriggerState::Active)
        return trigger.waiting.size() >= core.config_.limits.waiting_max ? "waiting_full" : "";
    switch (launch.overlap) {
        case triggers::Launch::Overlap::Allow: return "";
        case triggers::Launch::Overlap::Skip: return trigger.unfinished > 0 ? "overlap_skip" : "";
        case triggers::Launch::Overlap::Queue:
            if (trigger.unfinished == 0 && trigger.waiting.empty()) return "";
            return trigger.waiting.size() >= static_cast<std::size_t>(launch.queue_max) ? "queue_full" : "";
        case triggers::Launch::Overlap::Latest:
        case triggers::Launch::Overlap::CancelRunning: return "";
    }
    return "";
}

void Core::Step::trip(Trigger& trigger, int depth) {
    const auto& breakers = trigger.compiled->trigger().breakers;
    const std::int64_t minute = to_ns(input.time) / 60'000'000'000;
    if (trigger.fired_minute != minute) {
        trigger.fired_minute = minute;
        trigger.fired_in_minute = 0;
    }
    if (trigger.state != ledger::TriggerState::Active) return;
    if (depth > breakers.depth)
        set_state(trigger, ledger::TriggerState::Tripped,
                  "causal depth " + std::to_string(depth) + " passed the limit of " +
                      std::to_string(breakers.depth));
    else if (trigger.fired_in_minute >= breakers.firings_per_minute)
        set_state(trigger, ledger::TriggerState::Tripped,
                  "more than " + std::to_string(breakers.firings_per_minute) + " firings within a minute");
}

namespace {

std::string suppression_text(const std::string& reason, const triggers::Trigger& trigger) {
    if (reason == "overlap_skip") return "a run of this trigger is unfinished and overlap is skip";
    if (reason == "queue_full")
        return "the overlap queue holds " + std::to_string(trigger.launch.queue_max) + " runs already";
    return "the trigger is paused and holds back as many firings as it may";
}

std::string join_problems(const std::string& text) {
    return as_utf8(text.substr(0, 2000));
}

} // namespace

std::optional<ledger::DecisionNo> Core::Step::fire(Firing& firing, Completing& event) {
    auto& trigger = firing.trigger;
    const auto& document = trigger.compiled->trigger();
    const int depth = firing.depth + 1;
    const auto flow = core.flow(document.launch.flow_team(document.team), document.launch.flow_name());
    if (!flow)
        return fail(trigger, event, firing.leaf, "flow_missing",
                    "there is no flow " + document.launch.flow_team(document.team) + "/" +
                        document.launch.flow_name());
    auto arguments = bind_parameters(*trigger.compiled, firing.events, event.view, *flow);
    if (!arguments.ok())
        return fail(trigger, event, firing.leaf, "parameters_failed",
                    join_problems(arguments.error().message));

    trip(trigger, depth);
    auto row = decision(trigger, event.cause);
    row.key = firing.key;
    row.leaf = firing.leaf;
    row.reason = firing.reason;
    if (firing.joined)
        for (const auto& used : firing.events)
            row.included.push_back({used.seq, used.name});
    if (const auto reason = suppression(trigger); !reason.empty()) {
        row.verdict = ledger::Verdict::Suppressed;
        row.reason = reason;
        row.detail = suppression_text(reason, document);
        batch.decisions.push_back(std::move(row));
        return batch.decisions.back().no;
    }
    row.verdict = ledger::Verdict::Fired;
    ++trigger.fired_in_minute;
    auto run = new_run(firing, row, *flow, std::move(arguments).value());
    run.created = event.cause.time;
    run.id = run_id(row.id, run.launch_no, event.cause.time);
    run.depth = depth;
    const auto no = row.no;
    batch.decisions.push_back(std::move(row));
    launch(std::move(run), &trigger);
    return no;
}

ledger::RunRow Core::Step::new_run(const Firing& firing, const ledger::DecisionRow& decision,
                                   const flows::FlowVersion& flow, std::string arguments_json) {
    const auto& document = firing.trigger.compiled->trigger();
    ledger::RunRow run;
    run.no = core.next_run_;
    core.next_run_.value++;
    run.decision = decision.no;
    run.decision_id = decision.id;
    run.trigger = firing.trigger.no;
    run.trigger_name = document.name;
    run.trigger_version = firing.trigger.version;
    run.team = document.team;
    run.flow_team = flow.team;
    run.flow = flow.flow;
    run.backend = flow.backend;
    run.arguments_json = std::move(arguments_json);
    for (const auto& used : firing.events)
        run.events.push_back({used.seq, used.view->event().source, used.view->event().id, used.name});
    run.created_seq = seq;
    return run;
}

void Core::Step::launch(ledger::RunRow run, Trigger* trigger) {
    run.state = ledger::RunState::Ready;
    if (trigger != nullptr) {
        const auto overlap = trigger->compiled->trigger().launch.overlap;
        const bool waits = overlap == triggers::Launch::Overlap::Queue || one_waits(overlap);
        if (trigger->state != ledger::TriggerState::Active) {
            run.state = ledger::RunState::Waiting;
            run.hold = trigger->state == ledger::TriggerState::Tripped ? "breaker" : "paused";
        } else if (waits && (trigger->unfinished > 0 || !trigger->waiting.empty())) {
            run.state = ledger::RunState::Waiting;
            run.hold = "overlap";
            if (one_waits(overlap)) supersede(*trigger, trigger->waiting.size());
            if (overlap == triggers::Launch::Overlap::CancelRunning) cancel_unfinished(*trigger);
        }
    }
    // A ledger that was restored may not know of a run yet that its backend has.
    take_early(run, 1, Instant{});
    const auto no = run.no;
    core.run_ids_[run.id] = no;
    auto& stored = core.runs_[no] = std::move(run);
    count(stored, +1);
    if (stored.state == ledger::RunState::Waiting) {
        trigger->waiting.push_back(no);
        if (const auto age = trigger->compiled->trigger().launch.max_age)
            set_timer({trigger->no,
                       ledger::TimerKind::MaxAge,
                       stored.id.to_string(),
                       input.time + *age,
                       seq,
                       {},
                       {}});
        batch.runs.push_back(stored);
        return;
    }
    // Born `sent` when a place is free: one row, no further commit before the request.
    const bool sent = core.ready_.empty(ReadyRuns::lane_of(stored)) && place_free(stored) && send(stored);
    batch.runs.push_back(stored);
    if (!sent && stored.state == ledger::RunState::Ready) core.ready_.push_back(stored);
}

} // namespace weir::engine
