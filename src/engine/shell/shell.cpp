#include <weir/engine/shell.hpp>

#include <algorithm>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>

#include "stream.hpp"

namespace weir::engine {
namespace {

constexpr auto awaiting_poll = std::chrono::milliseconds(50);

} // namespace

Shell::Shell(ShellPorts ports, ShellConfig config) : ports_(std::move(ports)), config_(config) {}
Shell::~Shell() {
    *alive_ = false;
    // Their threads end before anything they call does.
    for (auto& handle : buses_)
        if (handle->feed) handle->feed->stop();
    if (relay_) relay_->stop();
}

Status Shell::open() {
    WEIR_ASSIGN(epoch, ports_.ledger.take_epoch());
    epoch_ = epoch;
    opened_ = ports_.clock.now();
    WEIR_ASSIGN(snapshot, ports_.ledger.snapshot());
    instance_ = snapshot.instance;
    core_ = std::make_unique<Core>(
        CoreConfig{snapshot.instance, snapshot.secret, config_.limits, ports_.outside != nullptr});
    WEIR_TRY(core_->restore(snapshot));
    next_seq_ = snapshot.next_seq;
    log_time_ = snapshot.log_time;
    WEIR_TRY(open_streams(snapshot));
    open_outgoing(snapshot);
    resume_runs();
    return {};
}

void Shell::resume_runs() {
    // A copy of the numbers: facts may only be queued here, but acts look runs up.
    for (const auto& [no, run] : core_->runs()) {
        if (backend_is_missing(run)) continue;
        Act act{Act::Kind::Watch, no, run.id, run.backend, {}};
        switch (run.state) {
            case ledger::RunState::Sent: lost(run, "weir restarted"); break;
            case ledger::RunState::Unknown:
                act.kind = Act::Kind::Look;
                acts_.push_back(act);
                break;
            case ledger::RunState::Accepted:
            case ledger::RunState::Running:
            case ledger::RunState::Ended:
                if (retry_asked(run)) {
                    act.kind = Act::Kind::Retry;
                    act.reason = "asked for before weir restarted";
                }
                acts_.push_back(act);
                if (run.cancel_requested != Instant{}) {
                    act.kind = Act::Kind::Cancel;
                    act.reason = "cancelled";
                    acts_.push_back(act);
                }
                break;
            default: break;
        }
    }
    for (const auto& [backend, runs] : missing_backends_)
        log::error("runs are open on a backend that is not part of this weir; they stay open until it is",
                   {{"backend", backend}, {"runs", runs}});
    auto acts = std::exchange(acts_, {});
    for (const auto& act : acts)
        this->act(act);
}

bool Shell::turn() {
    if (fatal_ || committing_) return false;
    run_later();
    if (!stalled_.empty()) return false; // the same batch is tried again, later; nothing new is taken
    gather();
    if (fatal_) return false;
    note_idle_places();
    note_positions();
    note_watched();
    if (batch_.empty()) {
        auto done = std::exchange(done_, {});
        for (auto& [callback, outcome] : done)
            if (callback) callback(std::move(outcome));
        return !done.empty();
    }
    crash_point("before_commit");
    commit();
    return true;
}

void Shell::run_later() {
    const auto now = ports_.clock.steady_now();
    while (!later_.empty() && later_.begin()->first <= now) {
        auto task = std::move(later_.begin()->second);
        later_.erase(later_.begin());
        task();
    }
}

void Shell::later(Duration delay, std::function<void()> task) {
    later_.emplace(ports_.clock.steady_now() + delay, std::move(task));
}

std::optional<Duration> Shell::wake_in() const {
    std::optional<Duration> wait;
    const auto sooner = [&](Duration d) {
        d = std::max(d, Duration::zero());
        if (!wait || d < *wait) wait = d;
    };
    if (!later_.empty()) sooner(later_.begin()->first - ports_.clock.steady_now());
    if (stalled_.empty() && !committing_)
        if (const auto timer = core_->next_timer()) {
            const auto due = timer->due - ports_.clock.now() + Duration(1);
            // A stream that was asked calls; if it does not, its grace ends some time.
            sooner(awaiting_ ? std::max<Duration>(due, awaiting_poll) : due);
        }
    return wait;
}

bool Shell::idle() const {
    if (committing_ || !stalled_.empty() || !facts_.empty() || !changes_.empty() || !done_.empty() ||
        !accepted_.empty() || !published_.empty() || !found_gaps_.empty())
        return false;
    return std::all_of(streams_.begin(), streams_.end(), [](const auto& s) { return s->buffer.empty(); });
}

void Shell::submit(decltype(Input::what) what, Done done) {
    if (fatal_) {
        done({*fatal_, std::nullopt});
        return;
    }
    Pending pending;
    pending.time = ports_.clock.now();
    pending.what = std::move(what);
    pending.done = std::move(done);
    pending.since = ports_.clock.steady_now();
    changes_.push_back(std::move(pending));
}

void Shell::commit() {
    batch_.next_seq = next_seq_;
    batch_.log_time = log_time_;
    committing_ = true;
    ports_.commit_on([this, alive = alive_] {
        auto status = std::make_shared<Status>(ports_.ledger.commit(batch_, epoch_));
        crash_point("after_commit");
        ports_.post([this, alive, status] {
            if (*alive) committed(*status);
        });
    });
}

void Shell::committed(Status status) {
    committing_ = false;
    if (!status.ok()) {
        ++counters_.commit_failures;
        if (status.error().kind != ErrorKind::Unavailable) return give_up(status.error());
        // Memory is ahead of the disk by exactly this batch: the same one is tried until it is down.
        stalled_ = status.error().message;
        commit_backoff_ = std::clamp(commit_backoff_ * 2, config_.retry_min, config_.retry_max);
        log::error("the ledger cannot write now; nothing new is taken until it can",
                   {{"error", stalled_}, {"retry_in", format_duration(commit_backoff_)}});
        later(commit_backoff_, [this] {
            stalled_ = "writing the batch again";
            commit();
        });
        return;
    }
    if (!stalled_.empty()) log::info("the ledger writes again");
    stalled_.clear();
    commit_backoff_ = Duration::zero();
    ++counters_.commits;
    counters_.recorded += static_cast<std::int64_t>(batch_.inputs.size());
    counters_.decisions += static_cast<std::int64_t>(batch_.decisions.size());
    counters_.runs += static_cast<std::int64_t>(batch_.runs.size());
    for (auto& [time, fact] : std::exchange(late_news_, {}))
        queue(time, std::move(fact));
    for (const auto& attempt : batch_.attempts_settled)
        if (attempt.outcome) ++counters_.settled[std::string(flows::to_string(*attempt.outcome))];
    for (auto& stream : streams_) {
        if (!stream->moved) continue;
        stream->moved = false;
        release(*stream);
    }
    if (relay_) relay_->add(std::move(batch_.outgoing));
    batch_ = {};
    batch_seen_.clear();
    auto acts = std::exchange(acts_, {});
    auto done = std::exchange(done_, {});
    for (auto& [callback, outcome] : done)
        if (callback) callback(std::move(outcome));
    for (const auto& one : acts)
        act(one);
}

void Shell::give_up(Error error) {
    fatal_ = std::move(error);
    log::error("the engine stops", {{"error", fatal_->message}});
    for (auto& [callback, outcome] : std::exchange(done_, {}))
        if (callback) callback({*fatal_, std::nullopt});
    for (auto& change : std::exchange(changes_, {}))
        if (change.done) change.done({*fatal_, std::nullopt});
    for (auto& [wires, done] : std::exchange(accepted_, {}))
        if (done) done({*fatal_, std::nullopt});
    for (auto& [time, fact] : std::exchange(facts_, {}))
        if (fact.done) fact.done({*fatal_, std::nullopt});
}

Seq Shell::next_seq() {
    return next_seq_;
}

} // namespace weir::engine
