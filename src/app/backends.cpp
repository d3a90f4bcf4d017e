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

std::string name_of(const flows::kubeflow::WatchedPlace& place) {
    return place.team + "/" + place.experiment;
}

Result<std::vector<NamedKubeflow>> open_kubeflow_backends(const config::Config& config,
                                                          [[maybe_unused]] const Clock& clock,
                                                          [[maybe_unused]] ledger::LedgerReader& reader) {
    WEIR_TRY(check_backend_kinds(config));
    std::vector<NamedKubeflow> backends;
#ifdef WEIR_WITH_KUBEFLOW
    for (const auto& [name, given] : config.backends.kubeflow) {
        auto options = config::kubeflow_options(config, given);
        if (!options.ok()) return options.error().in("backend " + name);
        WEIR_ASSIGN(watched, reader.watched());
        // A time given by a person goes before what is on record.
        if (!options->watch.since)
            for (auto& place : options->watch.places)
                for (const auto& row : watched)
                    if (row.backend == name && row.place == name_of(place)) place.since = row.until;
        auto opened = flows::kubeflow::open_kubeflow_backend(clock, std::move(*options));
        if (!opened.ok()) return opened.error().in("backend " + name);
        backends.push_back({name, std::move(*opened)});
    }
#endif
    return backends;
}

Status follow_settled(const std::vector<NamedKubeflow>& backends, const config::Config& config,
                      const Clock& clock, ledger::LedgerReader& reader) {
    constexpr std::size_t rows_max = 20'000;
    std::map<std::string, std::pair<flows::kubeflow::KubeflowBackend*, std::size_t>> wanting;
    Duration longest{};
    for (const auto& named : backends) {
        const auto& options = config.backends.kubeflow.at(named.name).options;
        wanting[named.name] = {named.backend.get(), options.limits.settled};
        longest = std::max(longest, options.watch.settled_for);
    }
    ledger::Query query;
    query.limit = 1000;
    query.state = "settled";
    for (std::size_t seen = 0; !wanting.empty() && seen < rows_max;) {
        WEIR_ASSIGN(page, reader.runs(query));
        for (const auto& run : page.rows) {
            const auto found = wanting.find(run.backend);
            // What never came to its backend is not looked for there.
            if (found == wanting.end() || run.attempt < 1 || run.outcome == flows::Outcome::Refused ||
                run.finished_at < clock.now() - longest)
                continue;
            auto& [backend, room] = found->second;
            if (room > 0) backend->follow_settled(run.id, run.attempt, run.finished_at);
            if (room <= 1)
                wanting.erase(found);
            else
                --room;
        }
        seen += page.rows.size();
        if (page.next.empty()) break;
        query.page = page.next;
    }
    return {};
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
    if (status.put_off > 0) text += ", " + std::to_string(status.put_off) + " runs wait to be watched";
    for (const auto& fault : status.watch_faults)
        text += ", not watched: " + printable(fault, 400);
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
    add("backend_put_off_runs", "Runs that wait for room among them.", false, status.put_off);
    add("backend_settled_runs", "Runs that are looked at now and then after their settlement.", false,
        status.settled);
    add("backend_watch_faults", "Places and runs that cannot be watched just now.", false,
        status.watch_faults.size());
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
