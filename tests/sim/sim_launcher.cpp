#include "sim_launcher.hpp"

#include <weir/base/digest.hpp>

namespace weir::sim {

std::uint64_t number_of(const std::string& text) {
    return leading_bits(sha256(text));
}

void SimLauncher::create(const flows::LaunchRequest& request) {
    auto& record = records_[request.run];
    if (record.creates > 0 && record.request.arguments_json != request.arguments_json)
        faults_seen.push_back("run " + request.run.to_string() + " was asked for again with other arguments");
    if (record.creates++ > 0) return; // the backend knows it: adopted
    record.request = request;
    const auto fate = number_of(request.flow->flow + request.arguments_json);
    record.outcome = fate % 5 == 0 ? flows::Outcome::Failed : flows::Outcome::Succeeded;
    record.settles_at = clock_.now() + std::chrono::milliseconds(10 + fate / 8 % 60'000);
    report_itself(record, fate);
}

/// Of flows that report themselves, most do, a little before or after their end.
void SimLauncher::report_itself(const Record& record, std::uint64_t fate) {
    if (record.request.flow->settings_json.find("reports") == std::string::npos || fate / 512 % 4 == 0)
        return;
    own_reports_[{record.request.run, record.attempt}] =
        record.settles_at + std::chrono::milliseconds(fate / 4096 % 20'000) - std::chrono::seconds(5);
}

void SimLauncher::launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) {
    using flows::LaunchAnswer;
    if (++open_[request.run] > 1)
        faults_seen.push_back("two requests to create run " + request.run.to_string() + " were open at once");
    const auto run = request.run;
    const auto reply = [this, run, done](LaunchAnswer answer, std::string reason) {
        --open_[run];
        done({answer, std::move(reason)});
    };
    const auto now = clock_.now();
    if (request.deadline < now || chance_.happens(faults_.late)) return reply(LaunchAnswer::Late, "too late");
    if (chance_.happens(faults_.postponed)) {
        --open_[run];
        return done({LaunchAnswer::Postponed,
                     "in maintenance",
                     now + std::chrono::milliseconds(chance_.below(120'000)),
                     {}});
    }
    if (!faults_.remote || !request.leave) return leave(request, reply);
    auto ask = request.leave;
    ask([this, request = std::move(request), reply](bool go) {
        if (!go || request.deadline < clock_.now()) return reply(LaunchAnswer::Late, "too late");
        leave(request, reply);
    });
}

void SimLauncher::leave(const flows::LaunchRequest& request,
                        const std::function<void(flows::LaunchAnswer, std::string)>& reply) {
    using flows::LaunchAnswer;
    const auto run = request.run;
    const auto now = clock_.now();
    const auto at =
        chance_.happens(faults_.slow) ? now + std::chrono::milliseconds(chance_.below(20'000)) : now;
    if (faults_.remote && ++left_[run] > 2)
        faults_seen.push_back("a third request to create run " + run.to_string() + " left");
    // Twice lost is lost for ever where nothing is sent a third time.
    if (chance_.happens(faults_.lost_request) && (!faults_.remote || lost_once_.insert(run).second))
        return answer(at, [reply] { reply(LaunchAnswer::Unknown, "the request was lost"); });
    // Refusal belongs to the run, not to chance: every simulation of the trace sees it.
    if (number_of("refuse" + request.arguments_json) % 17 == 0)
        return answer(at, [reply] { reply(LaunchAnswer::Refused, "refused by the simulated backend"); });
    if (on_create) on_create(request);
    if (chance_.happens(faults_.late_effect)) {
        effects_.emplace(now + std::chrono::milliseconds(chance_.below(170'000)),
                         [this, request] { create(request); });
        return answer(at, [reply] { reply(LaunchAnswer::Unknown, "no reply"); });
    }
    create(request);
    const bool lost = chance_.happens(faults_.lost_reply);
    answer(at, [reply, lost] {
        reply(lost ? LaunchAnswer::Unknown : LaunchAnswer::Accepted, lost ? "reply lost" : "");
    });
}

void SimLauncher::look(RunId run, std::function<void(flows::LookReply)> done) {
    flows::LookReply reply;
    const auto found = records_.find(run);
    if (chance_.happens(faults_.unreachable)) {
        reply.answer = flows::LookAnswer::Unreachable;
    } else if (found == records_.end()) {
        reply.answer = flows::LookAnswer::Absent;
    } else {
        reply.answer = flows::LookAnswer::Found;
        reply.flow_version = found->second.request.flow->version;
        reply.arguments_json = found->second.request.arguments_json;
        reply.decision = found->second.request.decision.to_string();
    }
    answer(clock_.now(), [done = std::move(done), reply] { done(reply); });
}

void SimLauncher::cancel(RunId run, std::string, std::function<void(Status)> done) {
    const auto found = records_.find(run);
    if (found == records_.end()) return done(not_found("no such run"));
    auto& record = found->second;
    if (record.settles_at > clock_.now()) {
        record.settles_at = clock_.now();
        record.outcome = flows::Outcome::Cancelled;
        record.cancelled = true;
    }
    done({});
}

void SimLauncher::retry(RunId run, int attempt, std::string, std::function<void(Status)> done) {
    const auto found = records_.find(run);
    if (found == records_.end()) return done(not_found("no such run"));
    auto& record = found->second;
    if (chance_.happens(faults_.unreachable)) return done(unavailable("the backend is not reachable"));
    if (record.attempt < attempt) {
        if (record.settles_at > clock_.now()) return done(conflict("the run has not ended"));
        if (attempt != record.attempt + 1)
            faults_seen.push_back("run " + run.to_string() + " was to be tried again as attempt " +
                                  std::to_string(attempt) + " after " + std::to_string(record.attempt));
        if (chance_.happens(faults_.repeat_report)) report(run); // of the old attempt: it was on its way
        record.attempt = attempt;
        // Of the attempt, not of chance, as with the first one.
        const auto fate = number_of(record.request.arguments_json + std::to_string(attempt));
        record.outcome = fate % 3 == 0 ? flows::Outcome::Failed : flows::Outcome::Succeeded;
        record.settles_at = clock_.now() + std::chrono::milliseconds(10 + fate / 8 % 20'000);
        report_itself(record, fate);
    }
    if (chance_.happens(faults_.lost_reply)) return done(unavailable("the reply was lost"));
    done({});
}

void SimLauncher::watch(RunId run) {
    watched_.try_emplace(run, false);
}
void SimLauncher::forget(RunId run) {
    watched_.erase(run);
}

void SimLauncher::weir_died() {
    later_.clear();
    watched_.clear();
    open_.clear();
    report_ = {};
}

void SimLauncher::report(const RunId& run, bool running) {
    const auto& record = records_.at(run);
    flows::RunReport report;
    report.run = run;
    report.attempt = record.attempt;
    report.settled = !running;
    if (running) report.note = "it had ended and runs again";
    report.outcome = record.outcome;
    report.outputs_json = "{\"n\":" + std::to_string(number_of(record.request.arguments_json) % 100) + "}";
    if (record.outcome == flows::Outcome::Failed) report.error = "the simulated task failed";
    report.started_at = record.request.created;
    report.finished_at = record.settles_at;
    report.outputs.push_back({"task.model", "sim://models/" + run.to_string(), "system.Model", "{}"});
    if (report_) report_(report);
}

void SimLauncher::flap(const RunId& run) {
    const auto now = clock_.now();
    answer(now + std::chrono::seconds(3), [this, run] { report(run, true); });
    answer(now + std::chrono::seconds(9), [this, run] { report(run); });
}

/// What happens inside the backend, whoever listens.
std::optional<Instant> SimLauncher::work_inside() {
    while (!effects_.empty() && effects_.begin()->first <= clock_.peek()) {
        auto effect = std::move(effects_.begin()->second);
        effects_.erase(effects_.begin());
        effect();
    }
    std::optional<Instant> next;
    if (!effects_.empty()) next = effects_.begin()->first;
    std::vector<Attempt> due;
    for (auto& [attempt, at] : own_reports_) {
        if (at <= clock_.peek()) {
            due.push_back(attempt);
            at = clock_.peek() + std::chrono::seconds(2);
        }
        if (!next || at < *next) next = at;
    }
    for (const auto& attempt : due)
        if (on_own_report) on_own_report(attempt);
    return next;
}

std::optional<Instant> SimLauncher::work() {
    auto next = work_inside();
    while (!later_.empty() && later_.begin()->first <= clock_.peek()) {
        auto task = std::move(later_.begin()->second);
        later_.erase(later_.begin());
        task();
    }
    if (!later_.empty() && (!next || later_.begin()->first < *next)) next = later_.begin()->first;
    std::vector<RunId> due;
    for (auto& [run, reported] : watched_) {
        const auto found = records_.find(run);
        if (found == records_.end() || reported) continue;
        const auto at = found->second.settles_at;
        if (at <= clock_.peek())
            due.push_back(run);
        else if (!next || at < *next)
            next = at;
    }
    for (const auto& run : due) {
        watched_[run] = !chance_.happens(faults_.repeat_report);
        report(run);
        if (chance_.happens(faults_.flap)) flap(run);
        if (!watched_[run] && (!next || clock_.peek() < *next)) next = clock_.peek() + Duration(1'000'000);
    }
    return next;
}

} // namespace weir::sim
