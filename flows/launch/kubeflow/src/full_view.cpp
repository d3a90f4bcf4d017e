// view=FULL: outputs and artifacts of runs that ended, many at a time, where the server has it.

#include <algorithm>

#include <weir/base/log.hpp>

#include "query.hpp"
#include "watch.hpp"

namespace weir::flows::kubeflow {

namespace {

/// How long a server that showed none of it is not asked again: it may be upgraded.
constexpr auto no_full_for = std::chrono::minutes(10);
constexpr int tries_max = 3;

} // namespace

bool Watch::full_worth_trying() const {
    return !full_view_ || *full_view_ || clock_.steady_now() >= full_until_;
}

void Watch::complete(std::size_t view, RunView run, std::function<void(const RunView&)> done) {
    if (!full_worth_trying()) return done(run);
    const std::string id = run.id;
    Wait& wait = full_[id];
    if (wait.done) return; // it is being asked for
    wait.view = view;
    wait.run = std::move(run);
    wait.done = std::move(done);
    wake(clock_.steady_now());
}

bool Watch::fulls_waiting() const {
    return std::any_of(full_.begin(), full_.end(), [](const auto& one) { return !one.second.asked; });
}

bool Watch::fulls_due() {
    std::vector<std::string> ids;
    std::size_t view = 0;
    for (auto& [id, wait] : full_) {
        if (wait.asked || (!ids.empty() && wait.view != view) || ids.size() >= full_batch_.now()) continue;
        view = wait.view;
        wait.asked = true;
        ids.push_back(id);
    }
    if (ids.empty()) return false;
    Query query;
    query.add("view", "FULL").add("page_size", "200").add("namespace", views_.all()[view].namespace_);
    query.filter(Filter().one_of("run_id", ids).json());
    Call call;
    call.what = "ListRuns";
    call.path = "/runs" + query.text();
    call.user = views_.all()[view].user;
    request(std::move(call),
            [this, ids = std::move(ids)](const Answer& answer) { full_answered(ids, answer); });
    return true;
}

void Watch::full_answered(const std::vector<std::string>& asked, const Answer& answer) {
    auto page = read_run_page(answer.good() ? answer.body : "");
    if (!answer.good() || !page.ok()) {
        const bool smaller = (answer.kind == Kind::Oversize || answer.timed_out) && asked.size() > 1;
        if (smaller) full_batch_.failed(asked.size(), 1);
        if (answer.kind == Kind::Oversize && !smaller)
            log::warn("outputs and artifacts of a run are too large to be read",
                      {{"backend", options_.name}, {"run", asked.front()}, {"error", answer.reason}});
        for (const std::string& id : asked) {
            const auto found = full_.find(id);
            if (found == full_.end()) continue;
            found->second.asked = false;
            if (smaller) continue;
            if (answer.kind != Kind::Oversize && ++found->second.tries < tries_max) continue;
            const Wait wait = std::move(found->second);
            full_.erase(found);
            wait.done(wait.run); // better without than never
        }
        return;
    }
    if (asked.size() >= full_batch_.now()) full_batch_.worked();
    std::map<std::string, RunView> told;
    std::optional<bool> has;
    for (RunView& run : page->runs) {
        // One that failed early may have nothing to show on any server.
        if (run.full)
            has = true;
        else if (run.state == "SUCCEEDED" && !has)
            has = false;
        told.emplace(run.id, std::move(run));
    }
    if (has) {
        full_view_ = has;
        full_until_ = clock_.steady_now() + no_full_for;
        status_.with([&](KubeflowStatus& status) { status.full_view = has; });
    }
    for (const std::string& id : asked) {
        const auto found = full_.find(id);
        if (found == full_.end()) continue;
        const Wait wait = std::move(found->second);
        full_.erase(found);
        const auto there = told.find(id);
        wait.done(there == told.end() ? wait.run : there->second);
    }
}

} // namespace weir::flows::kubeflow
