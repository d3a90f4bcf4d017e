#include "watch.hpp"

#include <algorithm>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "place.hpp"
#include "query.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t open_max = 8;
constexpr std::size_t batch_min = 10;
/// How often a run that was told of is looked at until it is forgotten: for flaps.
constexpr auto settled_interval = std::chrono::seconds(30);
constexpr int absences_min = 2;

} // namespace

RunReport report_of(RunId run, const RunView& view, const AttemptView& attempt,
                    const std::string* cancel_reason) {
    RunReport report;
    report.run = run;
    report.attempt = attempt.number;
    report.started_at = attempt.started;
    report.note = attempt.note;
    report.settled = attempt.settled;
    if (!attempt.settled) return report;
    report.finished_at = attempt.finished;
    if (attempt.state == "SUCCEEDED") {
        report.outcome = Outcome::Succeeded;
        report.outputs_json = view.outputs_json;
    } else if (attempt.state == "SKIPPED") {
        report.outcome = Outcome::Skipped;
    } else if (attempt.state == "CANCELED" || attempt.cancelling || cancel_reason != nullptr) {
        report.outcome = Outcome::Cancelled;
        report.error =
            cancel_reason != nullptr && !cancel_reason->empty() ? *cancel_reason : "ended on request";
    } else {
        report.outcome = Outcome::Failed;
        report.cancel_ends_failed = true;
        report.error = failure_of(view);
    }
    report.outputs = view.artifacts;
    return report;
}

Watch::Watch(const Clock& clock, const KubeflowOptions& options, Client& client, Lookups& lookups, Runs& runs,
             Views& views, Timers& timers, Sync<KubeflowStatus>& status)
    : clock_(clock),
      options_(options),
      client_(client),
      lookups_(lookups),
      runs_(runs),
      views_(views),
      timers_(timers),
      status_(status),
      pace_(options.watch.requests_per_second),
      batch_(options.watch.batch),
      due_(views.all().size()) {}
Watch::~Watch() = default;

// --- what is followed

std::set<Watch::Wanted>& Watch::queue_of(const Tracked& tracked) {
    return due_[tracked.view.value_or(tracked.trying)];
}

void Watch::set_due(RunId run, Tracked& tracked, SteadyInstant due) {
    queue_of(tracked).erase({tracked.due, run});
    tracked.due = due;
    tracked.asked = false;
    queue_of(tracked).emplace(due, run);
    wake(due);
}

void Watch::watch(RunId run) {
    const bool fresh = !tracked_.contains(run);
    if (fresh && tracked_.size() >= options_.limits.tracked) {
        log::warn("a run is not watched: there are too many",
                  {{"backend", options_.name}, {"run", run.to_string()}, {"limit", options_.limits.tracked}});
        return;
    }
    Tracked& tracked = tracked_[run];
    if (fresh) tracked.view = views_.find(run);
    // Whoever watches again is told again.
    tracked.told = tracked.floor - 1;
    tracked.told_running = 0;
    tracked.told_note.clear();
    tracked.lost = false;
    tracked.absences = 0;
    tracked.absent_since = {};
    if (!tracked.asked) set_due(run, tracked, clock_.steady_now());
    status_.with([&](KubeflowStatus& status) { status.tracked = tracked_.size(); });
}

void Watch::forget(RunId run) {
    cancels_.erase(run);
    views_.forget(run);
    const auto found = tracked_.find(run);
    if (found == tracked_.end()) return;
    queue_of(found->second).erase({found->second.due, run});
    tracked_.erase(found);
    full_.erase(run.to_string());
    status_.with([&](KubeflowStatus& status) { status.tracked = tracked_.size(); });
}

void Watch::cancelled(RunId run, std::string reason) {
    const auto found = tracked_.find(run);
    cancels_[run] = {found == tracked_.end() ? 0 : found->second.seen, std::move(reason)};
    if (found != tracked_.end() && !found->second.asked) set_due(run, found->second, clock_.steady_now());
}

void Watch::retried(RunId run, int attempt) {
    cancels_.erase(run);
    Tracked& tracked = tracked_[run];
    if (!tracked.view) tracked.view = views_.find(run);
    tracked.floor = std::max(tracked.floor, attempt);
    tracked.told = std::max(tracked.told, tracked.floor - 1);
    tracked.seen = std::max(tracked.seen, attempt);
    tracked.told_note.clear();
    if (!tracked.asked) set_due(run, tracked, clock_.steady_now());
}

// --- when

void Watch::wake(SteadyInstant when) {
    const auto at = std::max(when, pace_.next());
    if (woken_for_ && *woken_for_ <= at) return;
    woken_for_ = at;
    timers_.at(at, [this, at] {
        if (woken_for_ != at) return; // an earlier one came instead
        woken_for_.reset();
        turn();
    });
}

std::optional<SteadyInstant> Watch::next_due() const {
    std::optional<SteadyInstant> next;
    const auto sooner = [&](SteadyInstant when) {
        if (!next || when < *next) next = when;
    };
    for (const auto& queue : due_)
        if (!queue.empty()) sooner(queue.begin()->first);
    for (const auto& place : places_)
        if (!place->asked) sooner(place->due);
    if (!confirm_.empty() || fulls_waiting()) sooner(clock_.steady_now());
    return next;
}

void Watch::turn() {
    const auto now = clock_.steady_now();
    if (open_ >= open_max) return; // the next answer wakes it
    if (!client_.lets_pass())
        return wake(now + std::max<Duration>(client_.left_alone_for(), std::chrono::milliseconds(50)));
    if (pace_.next() <= now) (void)one_request();
    if (const auto next = next_due()) wake(*next);
}

/// The kinds of work take turns, so that much of one does not starve the others.
bool Watch::one_request() {
    const auto now = clock_.steady_now();
    for (unsigned kind = 0; kind < 4; ++kind) {
        bool did = false;
        switch ((round_ + kind) % 4) {
            case 0: did = batch_due(now); break;
            case 1: did = fulls_due(); break;
            case 2:
                while (!did && !confirm_.empty()) {
                    const RunId run = confirm_.front();
                    confirm_.pop_front();
                    if (!tracked_.contains(run)) continue;
                    confirm(run);
                    did = true;
                }
                break;
            default: did = places_due(now); break;
        }
        if (!did) continue;
        round_ = (round_ + kind + 1) % 4;
        return true;
    }
    return false;
}

void Watch::request(Call call, std::function<void(Answer)> done) {
    call.use = Call::Use::Watch;
    pace_.took(clock_.steady_now());
    ++open_;
    client_.call(std::move(call), [this, done = std::move(done)](const Answer& answer) {
        --open_;
        done(answer);
        turn();
    });
}

// --- batches

bool Watch::batch_due(SteadyInstant now) {
    std::size_t best = due_.size();
    for (std::size_t view = 0; view < due_.size(); ++view)
        if (!due_[view].empty() && due_[view].begin()->first <= now &&
            (best == due_.size() || due_[view].begin()->first < due_[best].begin()->first))
            best = view;
    if (best == due_.size()) return false;
    // What is due soon goes along: a request more costs more than a look too early.
    const auto soon = now + options_.watch.interval / 4;
    std::vector<RunId> runs;
    auto& queue = due_[best];
    while (!queue.empty() && runs.size() < batch_ && queue.begin()->first <= soon) {
        runs.push_back(queue.begin()->second);
        tracked_.at(queue.begin()->second).asked = true;
        queue.erase(queue.begin());
    }
    ask_batch(best, std::move(runs));
    return true;
}

void Watch::ask_batch(std::size_t view, std::vector<RunId> runs) {
    std::vector<std::string> ids;
    ids.reserve(runs.size());
    for (const RunId& run : runs)
        ids.push_back(run.to_string());
    Query query;
    query.add("page_size", "200").add("namespace", views_.all()[view].namespace_);
    query.filter(Filter().one_of("run_id", ids).json());
    Call call;
    call.what = "ListRuns";
    call.path = "/runs" + query.text();
    call.user = views_.all()[view].user;
    request(std::move(call), [this, view, runs = std::move(runs)](const Answer& answer) {
        batch_answered(view, runs, answer);
    });
}

void Watch::batch_answered(std::size_t view, const std::vector<RunId>& asked, const Answer& answer) {
    const auto now = clock_.steady_now();
    auto page = read_run_page(answer.good() ? answer.body : "");
    if (!answer.good() || !page.ok()) {
        if (answer.kind == Kind::TooLarge) batch_ = std::max(batch_min, batch_ / 2);
        const auto pause = std::max<Duration>(options_.watch.interval, answer.retry_after);
        for (const RunId& run : asked)
            if (const auto found = tracked_.find(run); found != tracked_.end()) {
                Tracked& tracked = found->second;
                // This identity may not look there: perhaps another one's view.
                if (!tracked.view && answer.kind == Kind::Forbidden)
                    tracked.trying = (tracked.trying + 1) % due_.size();
                set_due(run, tracked, now + pause);
            }
        return;
    }
    std::unordered_map<std::string, const RunView*> told;
    for (const RunView& run : page->runs)
        told.emplace(run.id, &run);
    for (const RunId& run : asked) {
        const auto found = tracked_.find(run);
        if (found == tracked_.end()) continue;
        const auto there = told.find(run.to_string());
        if (there == told.end()) {
            absent(run);
            continue;
        }
        Tracked& tracked = found->second;
        set_due(run, tracked, now + options_.watch.interval);
        if (!tracked.view) {
            queue_of(tracked).erase({tracked.due, run});
            tracked.view = view;
            queue_of(tracked).emplace(tracked.due, run);
            views_.learn(run, view);
        }
        observe(run, *there->second, false);
    }
}

// --- runs that are not there

void Watch::absent(RunId run) {
    Tracked& tracked = tracked_.at(run);
    const auto now = clock_.steady_now();
    if (!tracked.view && tracked.trying + 1 < due_.size()) {
        ++tracked.trying;
        tracked.asked = false;
        return set_due(run, tracked, now);
    }
    if (!tracked.view) tracked.trying = 0;
    // The list may be filtered by grants, or by a namespace it is not in: GetRun decides.
    confirm_.push_back(run);
    wake(now);
}

void Watch::confirm(RunId run) {
    ++open_;
    pace_.took(clock_.steady_now());
    runs_.get(run, Call::Use::Watch, [this, run](const GotRun& got) {
        --open_;
        confirmed(run, got);
        turn();
    });
}

void Watch::confirmed(RunId run, const GotRun& got) {
    const auto found = tracked_.find(run);
    if (found == tracked_.end()) return;
    Tracked& tracked = found->second;
    const auto now = clock_.steady_now();
    if (got.run) {
        if (const auto view = views_.find(run); view && !tracked.view) tracked.view = view;
        set_due(run, tracked, now + options_.watch.interval);
        return observe(run, *got.run, false);
    }
    auto pause = Duration(options_.watch.interval);
    if (got.missing) {
        if (tracked.absences++ == 0) tracked.absent_since = now;
        // Asked less and less often, but not later than it is given up.
        pause = std::max<Duration>(options_.watch.interval, std::min<Duration>(options_.watch.lost_after / 8,
                                                                               std::chrono::seconds(15)));
        if (!tracked.lost && tracked.absences >= absences_min &&
            now - tracked.absent_since >= options_.watch.lost_after) {
            tracked.lost = true;
            RunReport report;
            report.run = run;
            report.attempt = std::max(tracked.seen, tracked.floor);
            report.settled = true;
            report.outcome = Outcome::Lost;
            report.error = "the server does not know the run any more; it was deleted, or its history was";
            report.finished_at = clock_.now();
            tell(std::move(report));
        }
        if (tracked.lost) pause = settled_interval;
    }
    set_due(run, tracked, now + pause);
}

// --- what was seen

const std::string* Watch::cancel_reason(RunId run, const Tracked& tracked, const AttemptView& attempt) const {
    static const std::string none;
    const auto asked = cancels_.find(run);
    if (asked != cancels_.end() && (asked->second.attempt == 0 || asked->second.attempt == attempt.number))
        return &asked->second.reason;
    return attempt.cancelling || tracked.cancelling == attempt.number ? &none : nullptr;
}

void Watch::observe(RunId run, const RunView& view, bool complete_already) {
    Tracked& tracked = tracked_.at(run);
    tracked.absences = 0;
    tracked.lost = false;
    const auto attempts = attempts_of(view);
    const AttemptView& newest = attempts.back();
    tracked.seen = std::max(tracked.seen, newest.number);
    if (view.state == "CANCELING") tracked.cancelling = newest.number;
    if (auto asked = cancels_.find(run); asked != cancels_.end() && asked->second.attempt == 0)
        asked->second.attempt = newest.number;
    const bool news = std::any_of(attempts.begin(), attempts.end(), [&](const AttemptView& attempt) {
        return attempt.settled && attempt.number > tracked.told && attempt.number >= tracked.floor;
    });
    if (news && !complete_already && full_worth_trying()) {
        return complete(tracked.view.value_or(0), view, [this, run](const RunView& full) {
            if (tracked_.contains(run)) observe(run, full, true);
        });
    }
    settle(run, view);
}

void Watch::settle(RunId run, const RunView& view) {
    Tracked& tracked = tracked_.at(run);
    const auto attempts = attempts_of(view);
    const AttemptView& newest = attempts.back();
    std::vector<RunReport> reports;
    for (const AttemptView& attempt : attempts) {
        if (attempt.number < tracked.floor) continue;
        const bool is_newest = attempt.number == newest.number;
        if (attempt.settled && attempt.number > tracked.told) {
            RunReport report = report_of(run, view, attempt, cancel_reason(run, tracked, attempt));
            // What the server tells of outputs and tasks is the newest attempt's.
            if (!is_newest) {
                report.outputs_json = "{}";
                report.outputs.clear();
            }
            reports.push_back(std::move(report));
            tracked.told = attempt.number;
            tracked.told_note = attempt.note;
        } else if (attempt.settled && is_newest && attempt.note != tracked.told_note) {
            tracked.told_note = attempt.note;
            reports.push_back(report_of(run, view, attempt, cancel_reason(run, tracked, attempt)));
        } else if (!attempt.settled && attempt.state != "PENDING" && tracked.told_running < attempt.number) {
            tracked.told_running = attempt.number;
            reports.push_back(report_of(run, view, attempt, nullptr));
        }
    }
    // An attempt that was opened here may not show yet.
    if (newest.settled && newest.number >= tracked.floor && tracked.told >= newest.number)
        set_due(run, tracked, clock_.steady_now() + settled_interval);
    for (RunReport& report : reports)
        tell(std::move(report));
}

void Watch::tell(RunReport report) {
    if (report_) report_(std::move(report));
}

} // namespace weir::flows::kubeflow
