#include <algorithm>

#include <weir/engine/lines.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/flows/arguments.hpp>

#include "step.hpp"

namespace weir::engine {

events::Event settlement_event(const std::string& instance, const ledger::RunRow& run) {
    events::Event event;
    const auto id = run.id.to_string();
    event.type = triggers::finish_type;
    event.source = "/weir/" + instance + "/" + run.flow_team + "/" + run.flow;
    event.subject = id;
    event.id = id + "/" + std::to_string(run.attempt);
    event.datacontenttype = "application/json";
    event.time = format_rfc3339(run.finished_at);
    event.set_extension("weirdepth", std::to_string(run.depth), events::AttributeType::Integer);
    event.data_kind = events::DataKind::Json;
    event.data = run_line(run);
    return event;
}

void Core::Step::count(const ledger::RunRow& run, int by) {
    const auto found = core.triggers_.find(run.trigger);
    const bool takes = takes_place(run.state, run.sends);
    if (takes) core.places_[run.backend] += by;
    if (found == core.triggers_.end()) return;
    if (takes) found->second.places += by;
    if (unfinished(run.state)) found->second.unfinished += by;
}

void Core::Step::enter(ledger::RunRow& run, ledger::RunState next) {
    count(run, -1);
    if (run.state == ledger::RunState::Ready) core.ready_.erase(run.no);
    run.state = next;
    count(run, +1);
    if (next != ledger::RunState::Waiting) run.hold.clear();
}

void Core::Step::write(const ledger::RunRow& run) {
    batch.run_updates.push_back({run.no, seq, run.state, run.hold, run.flow_version, run.sent_epoch,
                                 run.sent_deadline, run.sends, run.looks, run.attempt, run.backend_version,
                                 run.report_json, run.outcome, run.reason, run.outputs_json, run.started_at,
                                 run.finished_at, run.cancel_requested});
}

void Core::Step::act(Act::Kind kind, const ledger::RunRow& run, std::string reason) {
    result.acts.push_back({kind, run.no, run.id, run.backend, std::move(reason), run.attempt});
}

void Core::Step::settle_later(const ledger::RunRow& run, flows::Outcome outcome, std::string reason) {
    RunFactInput fact;
    fact.kind = RunFactInput::Kind::Settled;
    fact.run = run.no;
    fact.attempt = std::max(run.attempt, 1);
    fact.outcome = outcome;
    fact.reason = std::move(reason);
    fact.finished_at = input.time;
    result.followups.push_back(std::move(fact));
}

bool Core::Step::place_free_on(const std::string& backend) const {
    const auto taken = core.places_.find(backend);
    return taken == core.places_.end() || taken->second < core.config_.limits.places;
}

bool Core::Step::place_free(const ledger::RunRow& run) const {
    if (!place_free_on(run.backend)) return false;
    const auto found = core.triggers_.find(run.trigger);
    return found == core.triggers_.end() || found->second.places < core.config_.limits.places_per_trigger;
}

bool Core::Step::send(ledger::RunRow& run) {
    const auto flow = core.flow_of(run);
    std::string fault;
    if (!flow) {
        fault = "the flow " + run.flow_team + "/" + run.flow + " was deleted before it could be launched";
    } else if (flow->backend != run.backend) {
        fault = "the flow moved from backend " + run.backend + " to " + flow->backend + " after the decision";
    } else if (const auto fits = flows::bind_arguments(flow->parameters, run.arguments_json); !fits.ok()) {
        fault = "the parameters do not fit version " + flow->version + ": " + fits.error().message;
    }
    if (!fault.empty()) {
        settle_later(run, flows::Outcome::Refused, std::move(fault));
        return false;
    }
    run.flow_version = flow->version;
    run.sent_epoch = context.epoch;
    run.sent_deadline = context.send_deadline;
    ++run.sends;
    run.reason.clear();
    enter(run, ledger::RunState::Sent);
    run.hold = queued;
    act(Act::Kind::Send, run);
    return true;
}

void Core::Step::send_ready() {
    if (core.ready_.empty()) return;
    // The oldest of each lane that has a place; the oldest of all goes first.
    std::map<ReadyRuns::Order, ledger::RunNo> next;
    const auto& lanes = core.ready_.by_lane();
    for (auto lane = lanes.begin(); lane != lanes.end();) {
        if (!place_free_on(lane->first.first)) {
            lane = core.ready_.next_backend(lane);
            continue;
        }
        const auto& runs = lane->second;
        if (place_free(core.runs_.at(runs.begin()->second))) next.insert(*runs.begin());
        ++lane;
    }
    while (!next.empty()) {
        const auto [order, no] = *next.begin();
        next.erase(next.begin());
        auto& run = core.runs_.at(no);
        if (!place_free(run)) continue; // another lane took the last one
        const bool waits_for_settlement = std::any_of(result.followups.begin(), result.followups.end(),
                                                      [&](const auto& f) { return f.run == run.no; });
        if (!waits_for_settlement && send(run)) write(run); // enter() took it off the ready runs
        if (!place_free(run)) continue;
        if (const auto behind = core.ready_.after(ReadyRuns::lane_of(run), order)) next.insert(*behind);
    }
}

const ledger::RunRow* Core::Step::run_named(const std::string& id) const {
    const auto uuid = Uuid::parse(id);
    return uuid.ok() ? core.run(RunId{*uuid}) : nullptr;
}

namespace {

RunStep step_of(RunFactInput::Kind kind) {
    using Kind = RunFactInput::Kind;
    switch (kind) {
        case Kind::Lost: return RunStep::Lose;
        case Kind::Missed: return RunStep::Miss;
        case Kind::Accepted: return RunStep::Accept;
        case Kind::Started: return RunStep::Start;
        case Kind::Settled: return RunStep::Settle;
        case Kind::Postponed: return RunStep::Postpone;
        case Kind::Ended: return RunStep::End;
        case Kind::Left: return RunStep::Leave;
        case Kind::Seen:
        case Kind::Odd: break;
    }
    return RunStep::Accept;
}

} // namespace

void Core::Step::learn(const RunFactInput& fact) {
    using Kind = RunFactInput::Kind;
    if (fact.kind == Kind::Seen) return see(fact);
    if (fact.kind == Kind::Odd) {
        record(ledger::InputKind::RunFact);
        return;
    }
    if (fact.reopened) reopen(fact);
    const auto* named = fact.run_id.empty() ? core.run(fact.run) : run_named(fact.run_id);
    const auto found = named == nullptr ? core.runs_.end() : core.runs_.find(named->no);
    if (found == core.runs_.end()) {
        result.recorded = false;
        return;
    }
    auto& run = found->second;
    const auto moved = move(run.state, step_of(fact.kind));
    expects(moved.kind != RunMove::Kind::Never, "a fact about a run that its state does not allow");
    if (run.state == ledger::RunState::Ended && fact.attempt > run.attempt) return next_attempt(run, fact);
    // An attempt before the newest one has settled, or the newest would not be: it is told again, no more.
    const bool overtaken = fact.kind == Kind::Settled && fact.unsent &&
                           (run.state != ledger::RunState::Sent || run.hold != queued);
    if (moved.kind == RunMove::Kind::Stay || fact.attempt < run.attempt || overtaken) {
        result.recorded = false;
        return;
    }
    if (moved.kind == RunMove::Kind::To) open_reports(run, fact);
    if (fact.kind == Kind::Settled || (fact.kind == Kind::Ended && moved.kind == RunMove::Kind::To)) {
        const auto until = fact.kind == Kind::Ended ? awaits_report(run, fact) : std::nullopt;
        // What opens a settled run again has a row of its own: a replay has to open it too.
        return until || fact.reopened ? end(run, fact, until) : settle(run, told(run, fact));
    }
    record(ledger::InputKind::RunFact);
    if (moved.kind == RunMove::Kind::Record) return;
    const bool flap = run.state == ledger::RunState::Ended && fact.attempt == run.attempt;
    // Before it enters: whether it keeps its place depends on it.
    if (fact.kind == Kind::Lost && fact.unsent) --run.sends;
    enter(run, moved.next);
    switch (fact.kind) {
        case Kind::Lost:
            ++run.looks;
            act(Act::Kind::Look, run);
            break;
        case Kind::Missed:
            if (run.cancel_requested != Instant{})
                settle_later(run, flows::Outcome::Cancelled, "cancelled");
            else
                core.ready_.push_front(run);
            break;
        case Kind::Postponed:
            --run.sends;
            run.hold = postponed;
            run.reason = fact.reason;
            set_timer({{}, ledger::TimerKind::Postponed, run.id.to_string(), fact.until, seq, {}, {}});
            break;
        case Kind::Accepted:
            run.reason.clear();
            if (!fact.version.empty()) run.backend_version = fact.version;
            act(Act::Kind::Watch, run);
            break;
        case Kind::Started: started(run, fact, flap); break;
        default: break;
    }
    // A cancel that came while the request was open reaches the backend as soon as it has the run.
    if ((fact.kind == Kind::Accepted || fact.kind == Kind::Started) && run.cancel_requested != Instant{})
        act(Act::Kind::Cancel, run, "cancelled");
    write(run);
}

/// `flap`: what had ended goes on in the same attempt.
void Core::Step::started(ledger::RunRow& run, const RunFactInput& fact, bool flap) {
    end_run_timers(run);
    run.reason.clear();
    if (flap) return;
    run.attempt = fact.attempt;
    run.started_at = fact.started_at;
    open_attempt(run);
}

void Core::Step::open_attempt(const ledger::RunRow& run) {
    ledger::AttemptRow attempt;
    attempt.run = run.no;
    attempt.attempt = run.attempt;
    attempt.opened = seq;
    attempt.started_at = run.started_at;
    batch.attempts_opened.push_back(std::move(attempt));
}

/// The instant that dates what follows from a settlement (ADR 10). What the backend says of an attempt it
/// says again to a restored ledger; when weir itself ended a run that no backend had is known to nobody else.
Instant Core::Step::settled_at(const ledger::RunRow& run) {
    const bool on_backend = run.state == ledger::RunState::Accepted ||
                            run.state == ledger::RunState::Running || run.state == ledger::RunState::Ended;
    return on_backend ? run.finished_at : run.created;
}

void Core::Step::settle(ledger::RunRow& run, const RunFactInput& fact) {
    const bool opened = run.attempt >= fact.attempt &&
                        (run.state == ledger::RunState::Running || run.state == ledger::RunState::Ended);
    run.attempt = fact.attempt;
    run.outcome = fact.outcome;
    run.reason = fact.reason;
    run.outputs_json = fact.outputs_json;
    run.report_json.clear();
    if (fact.started_at != Instant{}) run.started_at = fact.started_at;
    run.finished_at = fact.finished_at == Instant{} ? input.time : fact.finished_at;
    const bool held_back = run.state == ledger::RunState::Waiting;
    const auto dated = settled_at(run);
    enter(run, ledger::RunState::Settled);

    auto event = settlement_event(core.config_.instance, run);
    auto wire = events::encode_wire(event);
    record_event(ledger::InputKind::Settlement, event, wire);
    batch.inputs.back().team = run.flow_team;
    batch.inputs.back().position = Position(seq.value & ((std::int64_t{1} << 48) - 1));
    batch.inputs.back().digest = events::digest_of(event);
    // Its number is given by the shell, which knows what else goes out.
    if (core.config_.publish_settlements) batch.outgoing.push_back({{}, wire});

    ledger::AttemptRow attempt;
    attempt.run = run.no;
    attempt.attempt = run.attempt;
    attempt.opened = seq;
    attempt.started_at = run.started_at;
    if (!opened) batch.attempts_opened.push_back(attempt);
    attempt.settled = seq;
    attempt.outcome = run.outcome;
    attempt.error = run.reason;
    attempt.finished_at = run.finished_at;
    attempt.inputs = fact.inputs;
    attempt.outputs = fact.outputs;
    batch.attempts_settled.push_back(std::move(attempt));
    write(run);
    act(Act::Kind::Forget, run);

    const auto trigger = core.triggers_.find(run.trigger);
    if (trigger != core.triggers_.end() && held_back) std::erase(trigger->second.waiting, run.no);
    end_timer({run.trigger, ledger::TimerKind::MaxAge, run.id.to_string()}, "settled");
    end_run_timers(run);
    drop_early(run);
    core.run_flows_.erase(run.no);
    Cause cause = settlement_cause(run.id, run.attempt, dated);
    const int depth = run.depth;
    core.run_ids_.erase(run.id);
    core.runs_.erase(run.no);

    if (trigger != core.triggers_.end()) release(trigger->second);
    triggers::EventView view(event, triggers::Origin::Settled);
    Completing completing{view, std::move(wire), std::move(cause), depth};
    match(completing);
}

void Core::Step::supersede(Trigger& trigger, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        auto& run = core.runs_.at(trigger.waiting[i]);
        if (run.hold == ending) continue;
        settle_later(run, flows::Outcome::Skipped, "a newer firing took its place");
        run.hold = ending;
    }
}

void Core::Step::cancel_unfinished(const Trigger& trigger) {
    for (auto& [no, run] : core.runs_)
        if (run.trigger == trigger.no && unfinished(run.state) && run.cancel_requested == Instant{})
            cancel_run(run, "a newer firing takes its place");
}

void Core::Step::release(Trigger& trigger) {
    if (trigger.state != ledger::TriggerState::Active) return;
    const auto overlap = trigger.compiled->trigger().launch.overlap;
    if (one_waits(overlap)) {
        auto newest = trigger.waiting.size();
        while (newest > 0 && core.runs_.at(trigger.waiting[newest - 1]).hold == ending)
            --newest;
        if (newest > 1) supersede(trigger, newest - 1);
    }
    // A copy: settling what cannot go changes the queue only with its own input.
    const std::vector<ledger::RunNo> waiting(trigger.waiting.begin(), trigger.waiting.end());
    for (const auto no : waiting) {
        auto& run = core.runs_.at(no);
        if (run.hold == ending) continue;
        const bool busy = trigger.unfinished > 0;
        if (busy && (overlap == triggers::Launch::Overlap::Queue || one_waits(overlap))) return;
        if (busy && overlap == triggers::Launch::Overlap::Skip) {
            settle_later(run, flows::Outcome::Skipped,
                         "a run of this trigger is unfinished and overlap is skip");
            run.hold = ending;
            continue;
        }
        std::erase(trigger.waiting, no);
        end_timer({trigger.no, ledger::TimerKind::MaxAge, run.id.to_string()}, "released");
        enter(run, ledger::RunState::Ready);
        core.ready_.push_back(run);
        write(run);
    }
}

} // namespace weir::engine
