#include "watch.hpp"

#include <algorithm>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "place.hpp"
#include "query.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t open_max = 8;
constexpr std::size_t batch_min = 10; ///< what is late, or too long a request, is not because of fewer
/// How often a run that was told of is looked at until that is recorded.
constexpr auto told_interval = std::chrono::seconds(30);
constexpr auto settled_share = 0.25;
constexpr auto clock_grain = std::chrono::seconds(1); ///< the server's times are of whole seconds
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
      settled_pace_(options.watch.requests_per_second * settled_share),
      batch_(options.watch.batch),
      full_batch_(options.watch.batch),
      due_(2 * views.all().size()) {}
Watch::~Watch() = default;

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
    for (std::size_t n = 0; n < due_.size(); ++n) {
        if (due_[n].empty()) continue;
        const auto due = due_[n].begin()->first;
        sooner(n < due_.size() / 2 ? due : std::max(due, settled_pace_.next()));
    }
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
    constexpr unsigned kinds = 5;
    for (unsigned kind = 0; kind < kinds; ++kind) {
        bool did = false;
        switch ((round_ + kind) % kinds) {
            case 0: did = batch_due(now, false); break;
            case 1: did = fulls_due(); break;
            case 3: did = batch_due(now, true); break;
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
        round_ = (round_ + kind + 1) % kinds;
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

/// The queue of the view that waits longest.
bool Watch::batch_due(SteadyInstant now, bool settled) {
    if (settled && settled_pace_.next() > now) return false;
    const std::size_t views = due_.size() / 2;
    std::optional<std::size_t> best;
    for (std::size_t n = settled ? views : 0; n < (settled ? due_.size() : views); ++n)
        if (!due_[n].empty() && due_[n].begin()->first <= now &&
            (!best || due_[n].begin()->first < due_[*best].begin()->first))
            best = n;
    if (!best) return false;
    std::vector<RunId> runs;
    take_from(*best, now, runs);
    if (runs.empty()) return false;
    if (settled) settled_pace_.took(now);
    ask_batch(*best % views, std::move(runs));
    return true;
}

void Watch::take_from(std::size_t queue, SteadyInstant now, std::vector<RunId>& runs) {
    auto& due = due_[queue];
    // What is due soon goes along: a request more costs more than a look too early.
    const auto soon = now + options_.watch.interval / 4;
    while (!due.empty() && runs.size() < batch_.now() && due.begin()->first <= soon) {
        const RunId run = due.begin()->second;
        due.erase(due.begin());
        const auto found = tracked_.find(run);
        if (found == tracked_.end()) continue;
        Tracked& tracked = found->second;
        tracked.queue.reset();
        if (tracked.settled && now >= tracked.until) {
            forget(run);
            continue;
        }
        tracked.asked = true;
        if (tracked.alone)
            confirm_.push_back(run);
        else
            runs.push_back(run);
    }
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
    if (!answer.good() || !page.ok()) return batch_failed(asked, answer);
    if (asked.size() >= batch_.now()) batch_.worked();
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
        if (!tracked.view) {
            tracked.view = view;
            views_.learn(run, view);
        }
        set_due(run, tracked, now + options_.watch.interval);
        observe(run, *there->second, false);
    }
}

void Watch::batch_failed(const std::vector<RunId>& asked, const Answer& answer) {
    const bool oversize = answer.kind == Kind::Oversize;
    if (oversize || answer.kind == Kind::TooLarge || answer.timed_out)
        batch_.failed(asked.size(), oversize ? 1 : batch_min);
    const auto now = clock_.steady_now();
    const auto pause =
        oversize ? Duration(0) : std::max<Duration>(options_.watch.interval, answer.retry_after);
    for (const RunId& run : asked) {
        const auto found = tracked_.find(run);
        if (found == tracked_.end()) continue;
        Tracked& tracked = found->second;
        // This identity may not look there: perhaps another one's view.
        if (!tracked.view && answer.kind == Kind::Forbidden)
            tracked.trying = (tracked.trying + 1) % (due_.size() / 2);
        if (oversize && asked.size() == 1) tracked.alone = true;
        const bool rarely = tracked.settled && !oversize;
        set_due(run, tracked,
                now + (rarely ? std::max<Duration>(pause, options_.watch.settled_interval) : pause));
    }
}

// --- runs that are not there

void Watch::absent(RunId run) {
    Tracked& tracked = tracked_.at(run);
    const auto now = clock_.steady_now();
    if (!tracked.view && tracked.trying + 1 < due_.size() / 2) {
        ++tracked.trying;
        return set_due(run, tracked, now);
    }
    if (!tracked.view) tracked.trying = 0;
    if (tracked.settled) {
        // What became of it is on record: that it was deleted is no news.
        if (++tracked.absences >= absences_min && !tracked.lost) return forget(run);
        return set_due(run, tracked, now + options_.watch.settled_interval);
    }
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
    const std::string name = "run " + run.to_string();
    if (!got.oversize) well(name);
    if (got.run) {
        if (const auto view = views_.find(run); view && !tracked.view) tracked.view = view;
        set_due(run, tracked, now + options_.watch.interval);
        return observe(run, *got.run, false);
    }
    auto pause = Duration(options_.watch.interval);
    if (got.oversize) {
        fault(name, got.reason);
        pause = std::max<Duration>(pause, options_.timeouts.retry_max);
    }
    if (got.missing && tracked.settled) return forget(run);
    if (tracked.settled) pause = std::max<Duration>(pause, options_.watch.settled_interval);
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
        if (tracked.lost) pause = told_interval;
    }
    set_due(run, tracked, now + pause);
}

// --- what was seen

const std::string* Watch::cancel_reason(RunId run, const Tracked& tracked, const AttemptView& attempt) const {
    static const std::string none;
    const auto asked = cancels_.find(run);
    const auto before = [&](Instant at) { return attempt.settled && attempt.finished + clock_grain <= at; };
    if (asked != cancels_.end() && (asked->second.attempt == 0 || asked->second.attempt == attempt.number) &&
        !(asked->second.at && before(*asked->second.at)))
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
        set_due(run, tracked,
                clock_.steady_now() +
                    (tracked.settled ? options_.watch.settled_interval : Duration(told_interval)));
    for (RunReport& report : reports)
        tell(std::move(report));
}

void Watch::tell(RunReport report) {
    if (report_) report_(std::move(report));
}

} // namespace weir::flows::kubeflow
