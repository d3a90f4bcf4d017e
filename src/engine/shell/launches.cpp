// After the commit: requests to backends and what they answer (design, section 4, Launching).

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>

#include "stream.hpp"

namespace weir::engine {

void Shell::queue(Instant time, RunFactInput fact) {
    Pending pending;
    pending.time = time;
    pending.what = std::move(fact);
    pending.since = ports_.clock.steady_now();
    facts_.emplace(time, std::move(pending));
}

void Shell::fact(ledger::RunNo run, RunFactInput::Kind kind, std::string reason) {
    RunFactInput input;
    input.kind = kind;
    input.run = run;
    input.reason = std::move(reason);
    if (const auto* row = core_->run(run); row != nullptr) input.attempt = std::max(row->attempt, 1);
    queue(ports_.clock.now(), std::move(input));
}

void Shell::refuse_run(ledger::RunNo run, std::string reason) {
    RunFactInput input;
    input.kind = RunFactInput::Kind::Settled;
    input.run = run;
    if (const auto* row = core_->run(run); row != nullptr) input.attempt = std::max(row->attempt, 1);
    input.outcome = flows::Outcome::Refused;
    input.reason = std::move(reason);
    const auto now = ports_.clock.now();
    input.finished_at = now;
    queue(now, std::move(input));
}

void Shell::act(const Act& act) {
    const auto backend = ports_.backends.find(act.backend);
    const auto* run = core_->run(act.run);
    if (backend == ports_.backends.end()) {
        if (run != nullptr && act.kind != Act::Kind::Forget)
            refuse_run(act.run, "the backend \"" + act.backend + "\" is not part of this weir");
        return;
    }
    auto& [launcher, watcher] = backend->second;
    switch (act.kind) {
        case Act::Kind::Watch:
            if (watcher != nullptr) watcher->watch(act.id);
            return;
        case Act::Kind::Forget:
            look_fresh_.erase(act.run);
            if (watcher != nullptr) watcher->forget(act.id);
            return;
        default: break;
    }
    if (run == nullptr) return; // it settled meanwhile
    switch (act.kind) {
        case Act::Kind::Send: send(act, *run); break;
        case Act::Kind::Look: look(act.run); break;
        case Act::Kind::Cancel:
            launcher->cancel(act.id, act.reason, [this, alive = alive_, act](const Status& status) {
                if (status.ok() || !retryable(status.error().kind)) return;
                ports_.post([this, alive, act] {
                    if (*alive) later(config_.retry_min * 10, [this, act] { this->act(act); });
                });
            });
            break;
        case Act::Kind::Retry: retry(act, *run); break;
        default: break;
    }
}

void Shell::retry(const Act& act, const ledger::RunRow& run) {
    if (!retry_asked(run)) return; // it is under way already
    const auto attempt = run.attempt;
    crash_point("before_retry");
    const auto answered = [this, act, attempt](const Status& status) {
        const auto* now = core_->run(act.run);
        if (now == nullptr || !retry_asked(*now) || now->attempt != attempt) return;
        if (status.ok()) return this->act({Act::Kind::Watch, act.run, act.id, act.backend, {}});
        if (retryable(status.error().kind))
            return later(config_.retry_min * 10, [this, act] { this->act(act); });
        RunFactInput input;
        input.kind = RunFactInput::Kind::Settled;
        input.run = act.run;
        // The request itself is the new attempt: the old one has settled already.
        input.attempt = attempt;
        input.outcome = flows::Outcome::Failed;
        input.reason = "it could not be tried again: " + status.error().message;
        const auto time = ports_.clock.now();
        input.finished_at = time;
        queue(time, std::move(input));
    };
    ports_.backends.at(act.backend)
        .launcher->retry(act.id, attempt, act.reason, [this, alive = alive_, answered](const Status& status) {
            crash_point("after_retry");
            ports_.post([alive, answered, status] {
                if (*alive) answered(status);
            });
        });
}

void Shell::send(const Act& act, const ledger::RunRow& run) {
    if (run.state != ledger::RunState::Sent) return;
    auto& launcher = *ports_.backends.at(run.backend).launcher;
    const auto now = ports_.clock.now();
    const auto fresh = look_fresh_.find(act.run);
    const bool known = fresh != look_fresh_.end() && now - fresh->second <= config_.look_first_after;
    const auto flow = core_->flow(run.flow_team, run.flow);
    if (!known || !flow) return fact(act.run, RunFactInput::Kind::Lost, "decided long ago: looked for first");
    flows::LaunchRequest request;
    request.run = run.id;
    request.decision = run.decision_id;
    request.flow = flow;
    request.arguments_json = run.arguments_json;
    request.created = run.created;
    request.deadline = run.sent_deadline;
    ++counters_.launches;
    crash_point("before_send");
    launcher.launch(std::move(request),
                    [this, alive = alive_, no = act.run](const flows::LaunchReply& reply) {
                        crash_point("after_send");
                        ports_.post([this, alive, no, reply] {
                            if (*alive) replied(no, reply);
                        });
                    });
}

void Shell::replied(ledger::RunNo run, const flows::LaunchReply& reply) {
    switch (reply.answer) {
        case flows::LaunchAnswer::Accepted: return fact(run, RunFactInput::Kind::Accepted);
        case flows::LaunchAnswer::Refused: return refuse_run(run, reply.reason);
        // Late: nothing left, but only a look may say so.
        case flows::LaunchAnswer::Late:
        case flows::LaunchAnswer::Unknown: return fact(run, RunFactInput::Kind::Lost, reply.reason);
    }
}

void Shell::look(ledger::RunNo no) {
    const auto* run = core_->run(no);
    if (run == nullptr || run->state != ledger::RunState::Unknown) return;
    ++counters_.looks;
    ports_.backends.at(run->backend)
        .launcher->look(run->id, [this, alive = alive_, no](const flows::LookReply& reply) {
            ports_.post([this, alive, no, reply] {
                if (*alive) looked(no, reply);
            });
        });
}

void Shell::looked(ledger::RunNo no, const flows::LookReply& reply) {
    const auto* run = core_->run(no);
    if (run == nullptr || run->state != ledger::RunState::Unknown) return;
    switch (reply.answer) {
        case flows::LookAnswer::Found: {
            const bool ours = reply.flow_version == run->flow_version &&
                              reply.arguments_json == run->arguments_json &&
                              reply.decision == run->decision_id.to_string();
            if (ours) return fact(no, RunFactInput::Kind::Accepted, "found");
            return refuse_run(no, "conflict: the backend has a run of this id that is not ours");
        }
        case flows::LookAnswer::Absent:
            if (ports_.backends.at(run->backend).launcher->absence_is_final()) {
                look_fresh_[no] = ports_.clock.now();
                return fact(no, RunFactInput::Kind::Missed, "never started");
            }
            [[fallthrough]];
        case flows::LookAnswer::Unreachable: return later(config_.retry_min * 10, [this, no] { look(no); });
    }
}

void Shell::report(flows::RunReport report) {
    const auto* run = core_->run(report.run);
    if (run == nullptr) {
        // Recorded already: the backend may stop repeating it. Which backend is not known any more: ask all.
        if (report.settled)
            for (auto& [name, backend] : ports_.backends)
                if (backend.watcher != nullptr) backend.watcher->forget(report.run);
        return;
    }
    RunFactInput input;
    input.kind = report.settled ? RunFactInput::Kind::Settled : RunFactInput::Kind::Started;
    input.run = run->no;
    input.attempt = report.attempt;
    input.outcome = report.outcome;
    input.reason = report.error;
    input.outputs_json = report.outputs_json;
    input.started_at = report.started_at;
    input.finished_at = report.finished_at;
    input.inputs = std::move(report.inputs);
    input.outputs = std::move(report.outputs);
    auto time = report.settled ? report.finished_at : report.started_at;
    if (time == Instant{}) time = ports_.clock.now();
    queue(time, std::move(input));
}

} // namespace weir::engine
