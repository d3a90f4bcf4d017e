// Which runs are followed, closely until their settlement is recorded, then now and then for a while.

#include <algorithm>

#include <weir/base/log.hpp>

#include "watch.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t later_max = 1'000'000;
constexpr std::size_t faults_max = 1'000;
constexpr std::size_t faults_shown = 20;

} // namespace

void Watch::take_out(RunId run, Tracked& tracked) {
    if (!tracked.queue) return;
    due_[*tracked.queue].erase({tracked.due, run});
    tracked.queue.reset();
}

void Watch::set_due(RunId run, Tracked& tracked, SteadyInstant due) {
    take_out(run, tracked);
    tracked.due = due;
    tracked.asked = false;
    tracked.queue = tracked.view.value_or(tracked.trying) + (tracked.settled ? due_.size() / 2 : 0);
    due_[*tracked.queue].emplace(due, run);
    wake(tracked.settled ? std::max(due, settled_pace_.next()) : due);
}

void Watch::watch(RunId run) {
    const auto known = tracked_.find(run);
    const bool fresh = known == tracked_.end();
    if ((fresh || known->second.settled) && !room()) return put_off(run);
    recorded(run, 0);
    Tracked& tracked = tracked_[run];
    if (fresh) tracked.view = views_.find(run);
    go_on(run, tracked);
    // Whoever watches again is told again.
    tracked.told = tracked.floor - 1;
    tracked.told_running = 0;
    tracked.told_note.clear();
    tracked.lost = false;
    tracked.absences = 0;
    tracked.absent_since = {};
    if (!tracked.asked) set_due(run, tracked, clock_.steady_now());
    show_counts();
}

/// There are as many as may be: it is watched as soon as one of them has settled.
void Watch::put_off(RunId run) {
    if (later_ids_.contains(run)) return;
    if (later_.size() >= later_max)
        return log::warn("a run is not watched: too many wait for their turn",
                         {{"backend", options_.name}, {"run", run.to_string()}, {"limit", later_max}});
    if (later_ids_.empty())
        log::warn("runs wait to be watched: there are too many",
                  {{"backend", options_.name}, {"run", run.to_string()}, {"limit", options_.limits.tracked}});
    later_.push_back(run);
    later_ids_.insert(run);
    show_counts();
}

void Watch::admit() {
    while (!later_.empty() && room()) {
        const RunId run = later_.front();
        later_.pop_front();
        if (later_ids_.erase(run) != 0) watch(run);
    }
}

void Watch::forget(RunId run) {
    recorded(run, 0);
    later_ids_.erase(run);
    cancels_.erase(run);
    views_.forget(run);
    well("run " + run.to_string());
    const auto found = tracked_.find(run);
    if (found == tracked_.end()) return show_counts();
    go_on(run, found->second);
    tracked_.erase(found);
    full_.erase(run.to_string());
    admit();
    show_counts();
}

void Watch::settled(RunId run, int attempt) {
    const auto found = tracked_.find(run);
    // One that never came so far: refused, say. Or one that waits for room, and has settled without it.
    if (found == tracked_.end() || options_.limits.settled == 0) {
        const bool waited = later_ids_.contains(run);
        forget(run);
        if (waited && options_.limits.settled != 0) follow_settled(run, attempt, clock_.now());
        return;
    }
    recorded(run, attempt);
    Tracked& tracked = found->second;
    // What is lost may come back, and contradict.
    if (!tracked.lost) tracked.told = std::max(tracked.told, attempt);
    if (!tracked.settled) keep_settled(run, tracked, options_.watch.settled_for);
}

void Watch::follow_settled(RunId run, int attempt, Instant ended) {
    const auto left = options_.watch.settled_for - std::max(Duration(0), Duration(clock_.now() - ended));
    if (options_.limits.settled == 0 || left <= Duration(0) || tracked_.contains(run)) return;
    Tracked& tracked = tracked_[run];
    tracked.view = views_.find(run);
    tracked.told = tracked.seen = attempt;
    keep_settled(run, tracked, left);
    set_due(run, tracked, clock_.steady_now());
}

void Watch::keep_settled(RunId run, Tracked& tracked, Duration for_how_long) {
    take_out(run, tracked);
    tracked.settled = true;
    tracked.absences = 0;
    tracked.until = clock_.steady_now() + for_how_long;
    ++settled_count_;
    settled_.emplace_back(run, tracked.until);
    if (!tracked.asked) set_due(run, tracked, clock_.steady_now() + options_.watch.settled_interval);
    while (!settled_.empty()) {
        const auto [oldest, until] = settled_.front();
        const auto found = tracked_.find(oldest);
        const bool still = found != tracked_.end() && found->second.settled && found->second.until == until;
        if (still && settled_count_ <= options_.limits.settled) break;
        settled_.pop_front();
        if (still) forget(oldest);
    }
    admit();
    show_counts();
}

/// Followed closely, from now on.
void Watch::go_on(RunId run, Tracked& tracked) {
    take_out(run, tracked);
    if (std::exchange(tracked.settled, false)) --settled_count_;
}

void Watch::cancelled(RunId run, std::string reason, bool sure) {
    const auto found = tracked_.find(run);
    Cancelled& kept = cancels_[run];
    kept = {found == tracked_.end() ? 0 : found->second.seen, std::move(reason), {}};
    if (!sure) kept.at = clock_.now();
    if (found != tracked_.end() && !found->second.asked) set_due(run, found->second, clock_.steady_now());
}

void Watch::retried(RunId run, int attempt) {
    cancels_.erase(run);
    Tracked& tracked = tracked_[run];
    go_on(run, tracked);
    if (!tracked.view) tracked.view = views_.find(run);
    tracked.floor = std::max(tracked.floor, attempt);
    tracked.told = std::max(tracked.told, tracked.floor - 1);
    tracked.seen = std::max(tracked.seen, attempt);
    tracked.told_note.clear();
    if (!tracked.asked) set_due(run, tracked, clock_.steady_now());
    show_counts();
}

void Watch::show_counts() {
    status_.with([&](KubeflowStatus& status) {
        status.tracked = tracked_.size() - settled_count_;
        status.settled = settled_count_;
        status.put_off = later_ids_.size();
    });
}

void Watch::fault(const std::string& what, const std::string& why) {
    if (faults_.size() >= faults_max && !faults_.contains(what)) return;
    std::string& known = faults_[what];
    if (known == why) return;
    if (known.empty())
        log::warn("something cannot be watched",
                  {{"backend", options_.name}, {"what", what}, {"error", why}});
    known = why;
    show_faults();
}

void Watch::well(const std::string& what) {
    if (!faults_.empty() && faults_.erase(what) != 0) show_faults();
}

void Watch::show_faults() {
    std::vector<std::string> lines;
    for (const auto& [of, reason] : faults_)
        if (lines.size() < faults_shown) lines.push_back(of + ": " + reason);
    status_.with([&](KubeflowStatus& status) { status.watch_faults = std::move(lines); });
}

} // namespace weir::flows::kubeflow
