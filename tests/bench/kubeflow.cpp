// The Kubeflow backend against the scripted server (tests/support/kfp), whose own speed is part of the
// figures.
#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>

#include <sys/resource.h>

#include <support/kfp.hpp>

#include <weir/base/digest.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>

#include "bench.hpp"

namespace weir::bench {
namespace {

using Json = nlohmann::json;

constexpr double latency_s = 0.02;
constexpr std::size_t in_flight = 32;
constexpr int settled_runs = 60;
constexpr const char* pipeline =
    "schemaVersion: 2.1.0\nsdkVersion: kfp-2.17.0\npipelineInfo: {name: train}\n"
    "deploymentSpec: {executors: {exec: {container: {image: none}}}}\n"
    "components: {comp: {executorLabel: exec}}\n"
    "root: {dag: {tasks: {task: {componentRef: {name: comp}}}}}\n";

double process_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

flows::LaunchRequest request_of(const std::string& name, const Clock& clock) {
    flows::FlowVersion flow;
    flow.team = "ads";
    flow.flow = "train";
    flow.version = "0123456789ab";
    flow.settings_json = R"({"pipeline":"train"})";
    flows::LaunchRequest request;
    request.created = clock.now();
    request.run = RunId{Uuid::time_led(request.created, sha256("run " + name))};
    request.decision = DecisionId{Uuid::time_led(request.created, sha256("decision " + name))};
    request.flow = std::make_shared<const flows::FlowVersion>(flow);
    request.arguments_json = "{}";
    request.deadline = request.created + std::chrono::hours(1);
    return request;
}

flows::kubeflow::KubeflowOptions options_of(const support::ScriptedKfp& kfp) {
    flows::kubeflow::KubeflowOptions options;
    options.url = kfp.url();
    options.bindings["*"].experiment = "bench";
    options.limits.in_flight = in_flight;
    return options;
}

/// Launches `count` runs, `at_once` of them at a time; milliseconds of each.
Result<std::vector<double>> launch_all(flows::kubeflow::KubeflowBackend& backend, const std::string& name,
                                       std::size_t count, std::size_t at_once, std::vector<RunId>* runs) {
    const SystemClock clock;
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t open = 0;
    std::string fault;
    std::vector<double> times;
    for (std::size_t n = 0; n < count; ++n) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return open < at_once; });
        ++open;
        lock.unlock();
        auto request = request_of(name + std::to_string(n), clock);
        if (runs != nullptr) runs->push_back(request.run);
        const Stopwatch watch;
        backend.launch(std::move(request), [&, watch](const flows::LaunchReply& reply) {
            std::lock_guard guard(mutex);
            --open;
            times.push_back(watch.seconds() * 1000);
            if (reply.answer != flows::LaunchAnswer::Accepted) fault = reply.reason;
            changed.notify_all();
        });
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open == 0; });
    if (!fault.empty()) return internal("a launch went wrong: " + fault);
    return times;
}

/// The first time each run was reported to have settled.
class Settlements {
  public:
    void take(const flows::RunReport& report) {
        std::lock_guard lock(mutex_);
        if (report.settled) at_.emplace(report.run, clock_.steady_now());
        changed_.notify_all();
    }
    SteadyInstant wait(RunId run) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return at_.contains(run); });
        return at_.at(run);
    }

  private:
    SystemClock clock_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<RunId, SteadyInstant> at_;
};

Result<Report> watch_round(std::size_t active) {
    const SystemClock clock;
    const support::ScriptedKfp kfp;
    kfp.post("log/clear", R"({"bodies":false})");
    kfp.upload("train", pipeline);
    WEIR_ASSIGN(backend, flows::kubeflow::open_kubeflow_backend(clock, options_of(kfp)));
    Settlements settlements;
    backend->on_report([&](const flows::RunReport& report) { settlements.take(report); });
    std::vector<RunId> own;
    WEIR_TRY(launch_all(*backend, "own", settled_runs, in_flight, &own));
    const auto inserted = Json::parse(
        kfp.post("runs/insert", Json{{"count", active - own.size()}, {"state", "RUNNING"}}.dump()));
    for (const RunId run : own)
        backend->watch(run);
    for (const std::string id : inserted.at("run_ids"))
        backend->watch(RunId{Uuid::parse(id).value()});
    // One whole round before anything is measured.
    const auto rounds = (active + 199) / 200;
    while (backend->status().watch_requests < 2 * rounds)
        kfp.get("counters");
    const auto before = backend->status().watch_requests;
    const double cpu = process_seconds();
    const Stopwatch all;
    std::vector<double> delays;
    for (const RunId run : own) {
        kfp.post("report", Json{{"run_id", run.to_string()}, {"phase", "Succeeded"}}.dump());
        const auto reported = clock.steady_now();
        const auto seen = settlements.wait(run);
        delays.push_back(std::chrono::duration<double>(seen - reported).count() * 1000);
        backend->forget(run);
    }
    Report out;
    out["active"] = active;
    out["requests_per_second"] =
        static_cast<double>(backend->status().watch_requests - before) / all.seconds();
    out["cpu_percent"] = 100 * (process_seconds() - cpu) / all.seconds();
    out["delay"] = spread(std::move(delays), "ms");
    backend->close();
    return out;
}

} // namespace

Result<Report> run_kubeflow_launch(const Options& options) {
    const SystemClock clock;
    const support::ScriptedKfp kfp;
    kfp.post("log/clear", R"({"bodies":false})");
    kfp.upload("train", pipeline);
    kfp.post("faults",
             Json{{"path", "/apis"}, {"do", "delay"}, {"delay", latency_s}, {"times", nullptr}}.dump());
    WEIR_ASSIGN(backend, flows::kubeflow::open_kubeflow_backend(clock, options_of(kfp)));
    WEIR_TRY(launch_all(*backend, "warm", in_flight, in_flight, nullptr));
    std::vector<double> rates;
    std::vector<double> cpus;
    std::vector<double> times;
    const auto count = static_cast<std::size_t>(options.events);
    for (int round = 0; round < options.rounds; ++round) {
        progress("round " + std::to_string(round + 1) + ": " + std::to_string(count) + " launches");
        const double cpu = process_seconds();
        const Stopwatch watch;
        WEIR_ASSIGN(taken, launch_all(*backend, std::to_string(round) + "/", count, in_flight, nullptr));
        rates.push_back(static_cast<double>(count) / watch.seconds());
        cpus.push_back(1e6 * (process_seconds() - cpu) / static_cast<double>(count));
        times.insert(times.end(), taken.begin(), taken.end());
    }
    WEIR_ASSIGN(idle, launch_all(*backend, "idle", 50, 1, nullptr));
    Report out;
    out["latency_ms"] = latency_s * 1000;
    out["in_flight"] = in_flight;
    out["launches_per_second"] = median(rates);
    out["cpu_us_a_launch"] = median(cpus);
    out["launch"] = spread(std::move(times), "ms");
    // Beside the server's latency: what weir, the network and the server's own work take.
    out["idle"] = spread(std::move(idle), "ms");
    backend->close();
    return out;
}

Result<Report> run_kubeflow_watch(const Options&) {
    Report out;
    for (const std::size_t active : {std::size_t{1000}, std::size_t{10'000}}) {
        progress(std::to_string(active) + " active runs");
        WEIR_ASSIGN(round, watch_round(active));
        out["rounds"].push_back(std::move(round));
    }
    return out;
}

} // namespace weir::bench
