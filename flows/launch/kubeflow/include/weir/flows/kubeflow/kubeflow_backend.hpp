#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/flows/kubeflow/options.hpp>
#include <weir/flows/launcher.hpp>

namespace weir::flows::kubeflow {

/// Whether requests are sent to the server at all.
enum class Circuit : std::uint8_t {
    Closed,  ///< yes
    Open,    ///< no: it failed too often; until `circuit_until`
    Probing, ///< one, to learn whether it is back
};
std::string_view to_string(Circuit circuit) noexcept;

/// How the backend fares, for /readyz, /metrics and `weir doctor`.
struct KubeflowStatus {
    bool reachable = false; ///< the last request was answered by something that speaks like a KFP server
    std::string last_error; ///< one line; empty: none since the last success
    Instant last_error_at{};
    Instant last_success_at{};
    Circuit circuit = Circuit::Closed;
    Instant circuit_until{};
    std::string server_version;     ///< `tag_name` of its healthz; empty: not known yet
    std::optional<bool> multi_user; ///< likewise
    std::optional<bool> full_view;  ///< it tells outputs and artifacts (`view=FULL`); nothing: not tried yet
    std::vector<WaitingLaunch> waiting;
    std::size_t launches = 0; ///< under way or waiting here
    std::size_t tracked = 0;  ///< runs that are watched
    std::size_t put_off = 0;  ///< runs that wait for room among them
    std::size_t settled = 0;  ///< runs looked at now and then after their settlement
    /// What cannot be watched just now, and why: a line for each place or run, twenty at most.
    std::vector<std::string> watch_faults;
    std::size_t in_flight = 0;

    // Since the start.
    std::uint64_t requests = 0;        ///< all
    std::uint64_t creates = 0;         ///< CreateRun
    std::uint64_t watch_requests = 0;  ///< of the watcher
    std::uint64_t answers_ok = 0;      ///< 2xx
    std::uint64_t answers_client = 0;  ///< 4xx
    std::uint64_t answers_server = 0;  ///< 5xx
    std::uint64_t no_answer = 0;       ///< not reached, or no reply
    std::uint64_t unknown = 0;         ///< launches whose fate was not known here
    std::uint64_t stray_suspected = 0; ///< launches after which the server may execute a workflow of no row
    std::uint64_t retried_reads = 0;
};

/// A real Kubeflow Pipelines API server (REST v2beta1, 2.0 to 2.17 and later).
/// Owner:  the application. No callback runs once close() has returned.
/// Thread: one of its own for all requests; every method from any thread. tasks() and log() wait for the
///         server, at most TimeoutOptions::request; never call them on the loop.
/// Errors: see README.md, "What an answer means".
/// Limits: LimitOptions.
///
/// Of a flow it reads FlowVersion::settings_json: `pipeline` (name or id, required; else
/// FlowVersion::pipeline if that is one line), `version` (name, id or "latest", the default), `experiment`,
/// `display_name`. The run's id is the server's `run_id`. The description ends with the line `weir:
/// decision=ID flow=TEAM/FLOW version=HASH`, which look() reads back.
class KubeflowBackend : public Launcher, public RunWatcher, public TaskReader {
  public:
    [[nodiscard]] bool absence_is_final() const override { return false; }
    [[nodiscard]] virtual KubeflowStatus status() const = 0;
    /// Hears of a watched place: all that ended there before `until` was told and is recorded, as watch(),
    /// settled() or forget() said. Never goes back. Comes on any thread; set before the first report.
    using PlaceDone = std::function<void(const WatchedPlace& place, Instant until)>;
    virtual void on_place(PlaceDone done) = 0;
    /// A run whose attempts up to `attempt` have settled, the last one at `ended`, as an earlier process
    /// recorded: as settled() for a run that was watched.
    virtual void follow_settled(RunId run, int attempt, Instant ended) = 0;
    /// Asks the server once who it is (healthz) and, for every binding, whether its identity may list runs.
    /// Waits; for `weir doctor`. A sentence for each fault; empty: all is well.
    [[nodiscard]] virtual std::vector<std::string> probe() = 0;
};

/// Checks `options` without asking the server. `invalid` names the option and what is wrong with it; a file
/// that is not there is `not_found`.
Status check_options(const KubeflowOptions& options);

/// Does not wait for the server: what cannot be reached is tried again. `invalid` as check_options().
/// `clock` has to outlive the backend.
Result<std::unique_ptr<KubeflowBackend>> open_kubeflow_backend(const Clock& clock, KubeflowOptions options);

} // namespace weir::flows::kubeflow
