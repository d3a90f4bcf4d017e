#include "backends.hpp"

#include <algorithm>

#include <weir/base/text.hpp>

namespace weir::app {

Status check_backend_kinds([[maybe_unused]] const config::Config& config) {
#ifndef WEIR_WITH_KUBEFLOW
    if (!config.backends.kubeflow.empty())
        return unsupported("backends." + config.backends.kubeflow.begin()->first +
                           ": this weir was built without Kubeflow (`meson configure -Dkubeflow=enabled` "
                           "builds it in)");
#endif
    return {};
}

#ifdef WEIR_WITH_KUBEFLOW
namespace {

/// Up to when the ends of foreign runs of this backend are on record: that of the newest one. Where the
/// newest thousands of runs hold none, the newest event: nothing that came later can have been recorded.
Result<std::optional<Instant>> observed_until(ledger::LedgerReader& reader, const std::string& backend) {
    constexpr int pages_max = 5;
    ledger::Query query;
    query.limit = 1000;
    query.state = "settled";
    for (int n = 0; n < pages_max; ++n) {
        WEIR_ASSIGN(page, reader.runs(query));
        std::optional<Instant> newest;
        for (const auto& run : page.rows)
            if (run.origin == "observed" && run.backend == backend)
                newest = std::max(newest.value_or(Instant{}), run.finished_at);
        if (newest) return newest;
        if (page.next.empty()) break;
        query.page = page.next;
    }
    ledger::Query last;
    last.limit = 1;
    WEIR_ASSIGN(heard, reader.events(last));
    if (heard.rows.empty()) return std::optional<Instant>();
    return std::optional(heard.rows.front().time);
}

} // namespace
#endif

Result<std::vector<NamedKubeflow>> open_kubeflow_backends(const config::Config& config,
                                                          [[maybe_unused]] const Clock& clock,
                                                          [[maybe_unused]] ledger::LedgerReader& reader) {
    WEIR_TRY(check_backend_kinds(config));
    std::vector<NamedKubeflow> backends;
#ifdef WEIR_WITH_KUBEFLOW
    for (const auto& [name, given] : config.backends.kubeflow) {
        auto options = config::kubeflow_options(config, given);
        if (!options.ok()) return options.error().in("backend " + name);
        if (!options->watch.since) {
            WEIR_ASSIGN(since, observed_until(reader, name));
            options->watch.since = since;
        }
        auto opened = flows::kubeflow::open_kubeflow_backend(clock, std::move(*options));
        if (!opened.ok()) return opened.error().in("backend " + name);
        backends.push_back({name, std::move(*opened)});
    }
#endif
    return backends;
}

engine::ReadyItem readiness_of(const std::string& name, const flows::kubeflow::KubeflowStatus& status) {
    const bool asked = to_ns(status.last_success_at) != 0 || !status.last_error.empty();
    const bool open = status.circuit != flows::kubeflow::Circuit::Closed;
    engine::ReadyItem item{"backend " + name, !asked || (status.reachable && !open), "", false};
    auto& text = item.detail;
    text = "kubeflow";
    if (!status.server_version.empty()) text += " " + printable(status.server_version, 60);
    if (status.multi_user) text += *status.multi_user ? ", multi-user" : ", single-user";
    if (!asked) text += ", not asked yet";
    if (asked && !status.reachable) text += ", not reached";
    if (open) text += ", left alone until " + format_rfc3339(status.circuit_until);
    if (!status.waiting.empty())
        text += ", " + std::to_string(status.waiting.size()) +
                (status.waiting.size() == 1 ? " launch waits" : " launches wait");
    if (!status.last_error.empty()) text += ": " + printable(status.last_error, 400);
    return item;
}

void add_metrics(const std::string& name, const flows::kubeflow::KubeflowStatus& status,
                 std::vector<engine::MetricValue>& values) {
    const auto add = [&](const char* metric, const char* help, bool counter, auto value,
                         std::map<std::string, std::string> labels = {}) {
        labels["backend"] = name;
        values.push_back({metric, help, counter, std::move(labels), static_cast<double>(value)});
    };
    add("backend_reachable", "1 while the backend's server answers.", false, status.reachable ? 1 : 0);
    add("backend_circuit_open", "1 while no request is sent to the server because it failed too often.",
        false, status.circuit == flows::kubeflow::Circuit::Closed ? 0 : 1);
    add("backend_launches", "Launches under way or waiting in the backend.", false, status.launches);
    add("backend_waiting_launches", "Those of them that wait for the server.", false, status.waiting.size());
    add("backend_tracked_runs", "Runs that are watched.", false, status.tracked);
    add("backend_requests_in_flight", "Requests whose answer is open.", false, status.in_flight);
    add("backend_requests_total", "Requests sent.", true, status.requests);
    add("backend_creates_total", "Requests that create a run.", true, status.creates);
    add("backend_watch_requests_total", "Requests of the watcher.", true, status.watch_requests);
    const char* answers = "Answers, by kind.";
    add("backend_answers_total", answers, true, status.answers_ok, {{"kind", "ok"}});
    add("backend_answers_total", answers, true, status.answers_client, {{"kind", "client_error"}});
    add("backend_answers_total", answers, true, status.answers_server, {{"kind", "server_error"}});
    add("backend_answers_total", answers, true, status.no_answer, {{"kind", "none"}});
    add("backend_unknown_launches_total", "Launches whose fate was not known at once.", true, status.unknown);
    add("backend_strays_suspected_total",
        "Launches after which the server may execute a workflow without a run.", true,
        status.stray_suspected);
    add("backend_retried_reads_total", "Reads that were tried again.", true, status.retried_reads);
}

Result<std::vector<flows::TaskRecord>> TasksByBackend::tasks(RunId run) const {
    WEIR_ASSIGN(row, reader_.run(run));
    const auto found = by_backend_.find(row.backend);
    if (found == by_backend_.end())
        return not_found("the backend \"" + printable(row.backend, 60) + "\" of this run keeps no tasks");
    return found->second->tasks(run);
}

Result<std::string> TasksByBackend::log(RunId run, std::string_view task, std::size_t bytes_max) const {
    WEIR_ASSIGN(row, reader_.run(run));
    const auto found = by_backend_.find(row.backend);
    if (found == by_backend_.end())
        return unsupported("the backend \"" + printable(row.backend, 60) +
                           "\" of this run keeps no logs here");
    return found->second->log(run, task, bytes_max);
}

} // namespace weir::app
