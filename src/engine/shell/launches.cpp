// After the commit: requests to backends and what they answer (design, section 4, Launching).

#include <algorithm>

#include <nlohmann/json.hpp>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "stream.hpp"

namespace weir::engine {

void Shell::queue(Instant time, RunFactInput fact) {
    Pending pending;
    pending.time = time;
    fact.reason = as_utf8(fact.reason); // what others say need not be
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

/// What became of the request is not known; that nothing has left may be.
void Shell::lost(const ledger::RunRow& run, std::string reason) {
    const auto backend = ports_.backends.find(run.backend);
    RunFactInput input;
    input.kind = RunFactInput::Kind::Lost;
    input.run = run.no;
    input.attempt = std::max(run.attempt, 1);
    input.reason = std::move(reason);
    input.unsent = run.hold == queued && backend != ports_.backends.end() &&
                   !backend->second.launcher->absence_is_final();
    queue(ports_.clock.now(), std::move(input));
}

/// weir itself ends it. `unsent`: only if the request has not left by then.
void Shell::end_run(const ledger::RunRow& run, flows::Outcome outcome, std::string reason, bool unsent) {
    RunFactInput input;
    input.kind = RunFactInput::Kind::Settled;
    input.run = run.no;
    input.attempt = std::max(run.attempt, 1);
    input.outcome = outcome;
    input.reason = std::move(reason);
    input.unsent = unsent;
    const auto now = ports_.clock.now();
    input.finished_at = now;
    queue(now, std::move(input));
}

void Shell::refuse_run(ledger::RunNo run, std::string reason) {
    if (const auto* row = core_->run(run); row != nullptr)
        end_run(*row, flows::Outcome::Refused, std::move(reason));
}

void Shell::act(const Act& act) {
    const auto backend = ports_.backends.find(act.backend);
    const auto* run = core_->run(act.run);
    if (act.kind == Act::Kind::Forget) forget_trouble(act.id);
    if (backend == ports_.backends.end()) {
        if (run != nullptr) without_backend(act, *run);
        return;
    }
    auto& [launcher, watcher] = backend->second;
    switch (act.kind) {
        case Act::Kind::Watch:
            if (watcher != nullptr) watcher->watch(act.id);
            return;
        case Act::Kind::Forget:
            fresh_.erase(act.run);
            postponed_.erase(act.run);
            if (watcher != nullptr) watcher->settled(act.id, act.attempt);
            return;
        default: break;
    }
    if (run == nullptr) return; // it settled meanwhile
    switch (act.kind) {
        case Act::Kind::Send: send(act, *run); break;
        case Act::Kind::Look: look(act.run); break;
        case Act::Kind::Cancel:
            // While a request is open: as soon as the backend says that it has the run.
            if (run->state == ledger::RunState::Sent && run->hold == queued && !launcher->absence_is_final())
                end_run(*run, flows::Outcome::Cancelled, act.reason, true);
            if (run->state == ledger::RunState::Accepted || run->state == ledger::RunState::Running)
                cancel(act, 0);
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
        // The request itself is the new attempt: the old one has settled already.
        end_run(*now, flows::Outcome::Failed, "it could not be tried again: " + status.error().message);
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
    const auto fresh = fresh_.find(act.run);
    bool known = fresh != fresh_.end() && now - fresh->second.at <= config_.look_first_after;
    // An earlier process, or the one whose backup this ledger is, may have decided and sent the same.
    if (known && !launcher.absence_is_final() && run.created < opened_) known = fresh->second.looked;
    known = known || postponed_.count(act.run) != 0;
    const auto flow = core_->flow_of(run);
    if (!known || !flow) {
        fresh_[act.run].unsent = true;
        RunFactInput input;
        input.kind = RunFactInput::Kind::Lost;
        input.run = act.run;
        input.attempt = std::max(run.attempt, 1);
        input.reason = "decided long ago: looked for first";
        input.unsent = true;
        return queue(now, std::move(input));
    }
    fresh_.erase(act.run);
    flows::LaunchRequest request;
    request.run = run.id;
    request.decision = run.decision_id;
    request.flow = flow;
    request.arguments_json = run.arguments_json;
    request.created = run.created;
    request.deadline = run.sent_deadline;
    // By hand: the caller may have asked with the same request_id before a backup was restored.
    request.again = run.sends > 1 || run.created < opened_ || run.trigger == ledger::TriggerNo();
    if (!launcher.absence_is_final())
        request.leave = [this, alive = alive_, no = act.run,
                         deadline = run.sent_deadline](const std::function<void(bool)>& go) {
            ports_.post([this, alive, no, deadline, go] {
                if (*alive) leave(no, deadline, go);
            });
        };
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

/// The request is about to leave. Once that is durable it may; one that was given up meanwhile must not.
void Shell::leave(ledger::RunNo no, Instant deadline, const std::function<void(bool)>& go) {
    const auto* run = core_->run(no);
    if (fatal_ || run == nullptr || run->state != ledger::RunState::Sent || run->sent_deadline != deadline)
        return go(false);
    if (run->hold != queued) return go(true); // it left before, and another try follows
    Pending pending;
    RunFactInput input;
    input.kind = RunFactInput::Kind::Left;
    input.run = no;
    input.attempt = std::max(run->attempt, 1);
    pending.time = ports_.clock.now();
    pending.what = std::move(input);
    pending.done = [go](const Outcome& outcome) { go(!outcome.error && outcome.recorded); };
    pending.since = ports_.clock.steady_now();
    facts_.emplace(pending.time, std::move(pending));
}

void Shell::replied(ledger::RunNo run, const flows::LaunchReply& reply) {
    postponed_.erase(run);
    switch (reply.answer) {
        case flows::LaunchAnswer::Accepted: {
            RunFactInput input;
            input.kind = RunFactInput::Kind::Accepted;
            input.run = run;
            input.version = reply.version;
            if (const auto* row = core_->run(run); row != nullptr) input.attempt = std::max(row->attempt, 1);
            return queue(ports_.clock.now(), std::move(input));
        }
        case flows::LaunchAnswer::Refused: return refuse_run(run, reply.reason);
        case flows::LaunchAnswer::Postponed: return postpone(run, reply.reason, reply.next);
        case flows::LaunchAnswer::Late: {
            const auto* row = core_->run(run);
            // Nothing left. Where a look can say so too, it does; elsewhere it would take minutes.
            if (row != nullptr && !ports_.backends.at(row->backend).launcher->absence_is_final())
                return postpone(run, reply.reason, {});
            return fact(run, RunFactInput::Kind::Lost, reply.reason);
        }
        case flows::LaunchAnswer::Unknown:
            if (const auto* row = core_->run(run); row != nullptr) lost(*row, reply.reason);
            return;
    }
}

/// The backend let nothing leave: it is asked again at `next`.
void Shell::postpone(ledger::RunNo run, std::string reason, Instant next) {
    postponed_.insert(run);
    RunFactInput input;
    input.kind = RunFactInput::Kind::Postponed;
    input.run = run;
    input.reason = std::move(reason);
    if (const auto* row = core_->run(run); row != nullptr) input.attempt = std::max(row->attempt, 1);
    const auto now = ports_.clock.now();
    input.until = std::max(next, now + config_.retry_min);
    queue(now, std::move(input));
}

void Shell::look(ledger::RunNo no) {
    const auto* run = core_->run(no);
    if (run == nullptr || run->state != ledger::RunState::Unknown) return;
    ++counters_.looks;
    const auto asked = ports_.clock.now();
    ports_.backends.at(run->backend)
        .launcher->look(run->id, [this, alive = alive_, no, asked](const flows::LookReply& reply) {
            ports_.post([this, alive, no, asked, reply] {
                if (*alive) looked(no, reply, asked);
            });
        });
}

namespace {

/// The same JSON values; 1 and 1.0 are the same number.
bool same_json(const std::string& a, const std::string& b) {
    if (a == b) return true;
    const auto one = nlohmann::json::parse(a, nullptr, false);
    const auto other = nlohmann::json::parse(b, nullptr, false);
    return !one.is_discarded() && !other.is_discarded() && one == other;
}

} // namespace

void Shell::looked(ledger::RunNo no, const flows::LookReply& reply, Instant asked) {
    const auto* run = core_->run(no);
    if (run == nullptr || run->state != ledger::RunState::Unknown) return;
    switch (reply.answer) {
        case flows::LookAnswer::Found: {
            const bool ours = reply.flow_version == run->flow_version &&
                              same_json(reply.arguments_json, run->arguments_json) &&
                              reply.decision == run->decision_id.to_string();
            if (ours) return fact(no, RunFactInput::Kind::Accepted, "found");
            return refuse_run(no, "conflict: the backend has a run of this id that is not ours");
        }
        case flows::LookAnswer::Absent: return absent(no, *run, asked);
        case flows::LookAnswer::Unreachable:
            return later(pause_after(fresh_[no].looks++), [this, no] { look(no); });
    }
}

/// A look found nothing (design, section 4, Launching: what a 404 means). It tells of the instant at which it
/// was asked: its answer may have been long on its way.
void Shell::absent(ledger::RunNo no, const ledger::RunRow& run, Instant asked) {
    const auto& launcher = *ports_.backends.at(run.backend).launcher;
    const auto now = ports_.clock.now();
    auto& fresh = fresh_[no];
    // Also of an earlier process: it only looked.
    fresh.unsent = fresh.unsent || run.sends == 0;
    // What an earlier process sent, it sent before this one began.
    const auto last_sent = fresh.unsent ? opened_ + config_.launch_timeout : run.sent_deadline;
    const bool final = launcher.absence_is_final();
    if (!final && asked < last_sent + launcher.absence_wait())
        return later(pause_after(fresh.looks++), [this, no] { look(no); });
    if (!final && !fresh.unsent && run.sends >= 2) {
        if (now < run.sent_deadline + config_.never_seen_after)
            return later(config_.retry_max * 6, [this, no] { look(no); });
        return end_run(run, flows::Outcome::Lost,
                       "never seen: the request was sent twice, and its backend has not had the run for " +
                           format_duration(config_.never_seen_after));
    }
    RunFactInput input;
    input.kind = RunFactInput::Kind::Missed;
    input.run = no;
    input.attempt = std::max(run.attempt, 1);
    input.unsent = fresh.unsent;
    input.reason =
        fresh.unsent || final ? "never started" : "not seen for as long as it takes: sent once more";
    fresh = {now, true, false, 0};
    queue(now, std::move(input));
}

namespace {

RunFactInput fact_of(flows::RunReport& report) {
    RunFactInput input;
    input.kind = report.settled ? RunFactInput::Kind::Ended : RunFactInput::Kind::Started;
    input.attempt = report.attempt;
    input.outcome = report.outcome;
    input.reason = report.error;
    input.outputs_json = std::move(report.outputs_json);
    input.started_at = report.started_at;
    input.finished_at = report.finished_at;
    input.inputs = std::move(report.inputs);
    input.outputs = std::move(report.outputs);
    return input;
}

} // namespace

/// When it happened, by the backend's clock; one that is ahead of ours must not make the log wait for it.
Instant Shell::time_of(const flows::RunReport& report) const {
    const auto told = report.settled ? report.finished_at : report.started_at;
    const auto now = ports_.clock.now();
    return told == Instant{} ? now : std::min(told, now);
}

void Shell::report(flows::RunReport report) {
    const auto* run = core_->run(report.run);
    if (run == nullptr) return report_unknown(std::move(report));
    // A launch whose answer is open: its own look finds the run and compares it. Until then it is told again.
    using State = ledger::RunState;
    if (report.seen && run->state != State::Accepted && run->state != State::Running &&
        run->state != State::Ended)
        return;
    if (!report.note.empty())
        log::info("a backend tells something odd of a run",
                  {{"run", report.run.to_string()}, {"note", report.note}});
    if (report.cancel_ends_failed && ended_on_request(*run, report)) {
        report.outcome = flows::Outcome::Cancelled;
        report.error = "ended on request";
    }
    const auto time = time_of(report);
    auto input = fact_of(report);
    input.until = ports_.clock.now();
    input.run = run->no;
    // By then the attempt before may have settled, and the core may not have the run.
    if (report.attempt > 1) input.run_id = report.run.to_string();
    queue(time, std::move(input));
}

/// Another attempt may follow.
bool Shell::may_go_on(const ledger::RunRow& run) {
    return run.outcome == flows::Outcome::Failed || run.outcome == flows::Outcome::Cancelled;
}

/// News of an attempt, where the core does not have the run: the attempt before it has settled. The run is
/// opened again; where that settlement is still on its way to the ledger, this waits for it (true).
bool Shell::waits_for_settlement(Pending& pending) {
    auto* fact = std::get_if<RunFactInput>(&pending.what);
    if (fact == nullptr || fact->reopened || fact->attempt < 2 || fact->run_id.empty()) return false;
    if (fact->kind != RunFactInput::Kind::Started && fact->kind != RunFactInput::Kind::Ended) return false;
    const auto id = Uuid::parse(fact->run_id);
    if (!id.ok() || core_->run(RunId{*id}) != nullptr || !ports_.find_run) return false;
    const auto row = ports_.find_run(RunId{*id});
    if (!row.ok()) return false;
    // What the batch under way made of the run is not in the ledger yet.
    const auto& updates = batch_.run_updates;
    const bool outdated =
        std::any_of(updates.begin(), updates.end(), [&](const auto& update) { return update.no == row->no; });
    if (outdated || row->state != ledger::RunState::Settled) {
        if (late_news_.size() < late_news_max) late_news_.emplace_back(pending.time, std::move(*fact));
        return true;
    }
    if (fact->attempt > row->attempt && may_go_on(*row))
        fact->reopened = std::make_shared<const ledger::RunRow>(*row);
    return false;
}

/// A report of a run that the core does not have: settled, being recorded, or never launched here.
void Shell::report_unknown(flows::RunReport report) {
    // The backend may stop repeating it.
    const auto forget = [&] {
        for (auto& [name, backend] : ports_.backends)
            if (report.settled && backend.watcher != nullptr) backend.watcher->forget(report.run);
    };
    if (!ports_.find_run) return forget();
    const auto row = ports_.find_run(report.run);
    if (!row.ok() && row.error().kind != ErrorKind::NotFound) return; // it comes again
    const auto time = time_of(report);
    if (!row.ok()) {
        if (!report.seen) return forget();
        auto seen = std::move(report.seen);
        const bool settled = report.settled;
        auto input = fact_of(report);
        input.kind = RunFactInput::Kind::Seen;
        input.until = ports_.clock.now();
        input.run_id = report.run.to_string();
        input.seen = std::move(seen);
        input.settled = settled;
        return queue(time, std::move(input));
    }
    const bool settling = row->state != ledger::RunState::Settled; // that is on its way to the ledger
    if (report.attempt > row->attempt && (settling || may_go_on(*row))) {
        auto input = fact_of(report);
        input.until = ports_.clock.now();
        input.run = row->no;
        input.run_id = report.run.to_string();
        return queue(time, std::move(input));
    }
    if (settling) return;
    // Whoever tells of it may be another backend than the one that launched it: all are asked.
    const auto recorded = [&] {
        for (auto& [name, backend] : ports_.backends)
            if (report.settled && backend.watcher != nullptr)
                backend.watcher->settled(report.run, row->attempt);
    };
    // Attempts before the newest one are told again as well.
    const bool same = report.attempt < row->attempt ||
                      (report.settled && report.attempt == row->attempt && report.outcome == row->outcome);
    if ((same && report.note.empty()) || !odd_.emplace(std::pair(report.run, report.attempt), time).second)
        return recorded();
    if (odd_.size() > 10'000) odd_.erase(odd_.begin());
    RunFactInput input;
    input.kind = RunFactInput::Kind::Odd;
    input.run = row->no;
    input.run_id = report.run.to_string();
    input.attempt = report.attempt;
    input.reason = report.note.empty() ? "its backend tells of it otherwise than is recorded" : report.note;
    queue(time, std::move(input));
}

/// A run was seen twice before the first sight was recorded.
bool Shell::made_already(const RunFactInput& fact) const {
    if (fact.kind != RunFactInput::Kind::Seen) return false;
    const auto id = Uuid::parse(fact.run_id);
    if (!id.ok()) return true;
    if (core_->run(RunId{*id}) != nullptr) return false; // the core takes it as news of that run
    const auto& runs = batch_.runs;
    if (std::any_of(runs.begin(), runs.end(), [&](const auto& row) { return row.id == RunId{*id}; }))
        return true;
    return ports_.find_run && ports_.find_run(RunId{*id}).ok();
}

} // namespace weir::engine
