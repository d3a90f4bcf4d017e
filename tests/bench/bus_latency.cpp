#include "bus.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>

#include "bus_engine.hpp"

namespace weir::bench {
namespace {

constexpr int idle_samples = 2000, idle_warm_up = 50;
constexpr auto load_for = std::chrono::seconds(12), load_warm_up = std::chrono::seconds(2);
constexpr auto probe_every = std::chrono::milliseconds(5), pace = std::chrono::milliseconds(4);
constexpr auto within = std::chrono::minutes(5);

const std::string probe_trigger =
    "trigger: probe\nteam: bench\nwhen:\n  event: probe.sent\nlaunch:\n"
    "  flow: sink\n  parameters:\n    n: 'int(event.data.n)'\n"
    "limits: {firings_per_minute: 1000000}\n";
const std::string load_trigger =
    "trigger: load\nteam: bench\nwhen:\n  event: load.sent\nlaunch:\n"
    "  flow: busy\n  overlap: skip\nlimits: {firings_per_minute: 1000000}\n";

/// Which probe was sent when, and when the launcher was asked for it.
class Probes {
  public:
    void sent(std::int64_t n) {
        std::lock_guard lock(mutex_);
        sent_[n] = clock_.steady_now();
    }
    /// Called on the loop's thread.
    void launched(const flows::LaunchRequest& request) {
        const auto now = clock_.steady_now();
        const auto arguments = nlohmann::json::parse(request.arguments_json, nullptr, false);
        if (!arguments.is_object() || !arguments.contains("n")) return;
        std::lock_guard lock(mutex_);
        const auto found = sent_.find(arguments["n"].get<std::int64_t>());
        if (found == sent_.end()) return;
        micros_.push_back(std::chrono::duration<double, std::micro>(now - found->second).count());
        heard_.wake();
    }
    [[nodiscard]] std::size_t heard() const {
        std::lock_guard lock(mutex_);
        return micros_.size();
    }
    /// Waits until so many were launched.
    Status wait(std::size_t count) {
        const auto until = clock_.steady_now() + std::chrono::seconds(30);
        while (heard() < count) {
            if (clock_.steady_now() > until) return unavailable("a probe was not launched within 30 s");
            (void)heard_.run_until(clock_.steady_now() + std::chrono::milliseconds(100));
        }
        return {};
    }
    std::vector<double> take() {
        std::lock_guard lock(mutex_);
        sent_.clear();
        return std::exchange(micros_, {});
    }

  private:
    SystemClock clock_;
    Loop heard_;
    mutable std::mutex mutex_;
    std::map<std::int64_t, SteadyInstant> sent_;
    std::vector<double> micros_;
};

/// The engine on a thread of its own, reading a stream that others publish to.
class LiveEngine {
  public:
    static Result<std::unique_ptr<LiveEngine>> open(BusSide& side, const std::string& folder,
                                                    const std::string& stream) {
        std::unique_ptr<LiveEngine> live(new LiveEngine());
        WEIR_ASSIGN(bus, side.open(stream));
        live->bus_ = std::move(bus);
        WEIR_ASSIGN(engine, BusEngine::open(folder, {probe_trigger, load_trigger}));
        live->engine_ = std::move(engine);
        live->engine_->launcher->heard = [at = live.get()](const auto& request) {
            at->probes.launched(request);
        };
        WEIR_TRY(live->engine_->start(*live->bus_));
        live->thread_ = std::thread([at = live.get()] {
            at->ended_ = at->engine_->run(
                [at] {
                    at->arrivals = at->engine_->counters().arrivals;
                    return at->stop_.load();
                },
                within);
        });
        return live;
    }
    ~LiveEngine() {
        if (thread_.joinable()) (void)stop();
        engine_.reset();
        if (bus_) bus_->close();
    }
    Status stop() {
        stop_ = true;
        engine_->wake();
        thread_.join();
        return ended_;
    }
    events::Bus& bus() { return *bus_; }

    Probes probes;
    std::atomic<std::int64_t> arrivals{0};

  private:
    LiveEngine() = default;
    std::unique_ptr<events::Bus> bus_;
    std::unique_ptr<BusEngine> engine_;
    std::atomic<bool> stop_{false};
    Status ended_;
    std::thread thread_;
};

Report spread_beside(std::vector<double> micros, const std::vector<double>& beside) {
    Report out;
    out["total"] = spread(std::move(micros), "us");
    out["fsync_beside"] = spread(beside, "us");
    return out;
}

Result<Report> idle(LiveEngine& live, const std::string& folder, const MakeEvents& make) {
    progress("bus: latency, idle");
    std::vector<double> beside;
    for (int i = 0; i < idle_warm_up + idle_samples; ++i) {
        if (i == idle_warm_up) (void)live.probes.take(), beside.clear();
        // The disk's own cost, measured in turn with what is to be measured, so that both meet the same load.
        WEIR_ASSIGN(fsync, measure_fsync(folder, 2));
        beside.push_back(fsync["p50_us"].get<double>());
        const auto event = make("probe.sent", i, 1);
        live.probes.sent(i);
        WEIR_ASSIGN(positions, live.bus().publish("", event));
        (void)positions;
        WEIR_TRY(live.probes.wait(static_cast<std::size_t>(i < idle_warm_up ? i : i - idle_warm_up) + 1));
    }
    return spread_beside(live.probes.take(), beside);
}

/// Publishes `rate` events a second until told to stop.
class Load {
  public:
    Load(events::Bus& bus, double rate, const MakeEvents& make)
        : bus_(bus), rate_(rate), make_(make), thread_([this] { work(); }) {}
    ~Load() {
        if (thread_.joinable()) (void)stop();
    }
    Result<double> stop() {
        stop_ = true;
        thread_.join();
        if (!status_.ok()) return status_.error();
        return achieved_;
    }

  private:
    void work() {
        const auto start = clock_.steady_now();
        const Stopwatch watch;
        Loop pause;
        std::int64_t published = 0;
        for (int tick = 1; !stop_; ++tick) {
            const auto due = static_cast<std::int64_t>(rate_ * watch.seconds());
            const auto many = std::min<std::int64_t>(due - published, 5000);
            if (many > 0) {
                const auto events = make_("load.sent", published, static_cast<std::size_t>(many));
                if (const auto positions = bus_.publish("", events); !positions.ok()) {
                    status_ = positions.error();
                    return;
                }
                published += many;
            }
            (void)pause.run_until(std::max(start + tick * pace, clock_.steady_now()));
        }
        achieved_ = static_cast<double>(published) / watch.seconds();
    }

    SystemClock clock_;
    events::Bus& bus_;
    const double rate_;
    const MakeEvents& make_;
    std::atomic<bool> stop_{false};
    Status status_;
    double achieved_ = 0;
    std::thread thread_;
};

Result<Report> loaded(LiveEngine& live, events::Bus& load_bus, const std::string& folder, double rate,
                      const MakeEvents& make) {
    progress("bus: latency beside " + std::to_string(static_cast<std::int64_t>(rate)) + " events a second");
    SystemClock clock;
    Loop pause;
    const auto before = live.arrivals.load();
    const Stopwatch watch;
    Load load(load_bus, rate, make);
    std::vector<double> beside;
    std::int64_t n = 1'000'000;
    std::size_t sent = 0;
    bool warm = false;
    const auto start = clock.steady_now();
    for (int tick = 1; clock.steady_now() < start + load_for; ++tick) {
        if (!warm && clock.steady_now() > start + load_warm_up) {
            warm = true;
            WEIR_TRY(live.probes.wait(sent));
            (void)live.probes.take();
            beside.clear();
            sent = 0;
        }
        const auto event = make("probe.sent", n, 1);
        live.probes.sent(n++);
        WEIR_ASSIGN(positions, live.bus().publish("", event));
        (void)positions;
        ++sent;
        WEIR_ASSIGN(fsync, measure_fsync(folder, 1));
        beside.push_back(fsync["p50_us"].get<double>());
        (void)pause.run_until(std::max(start + tick * probe_every, clock.steady_now()));
    }
    WEIR_TRY(live.probes.wait(sent));
    const auto decided = static_cast<double>(live.arrivals.load() - before) / watch.seconds();
    WEIR_ASSIGN(achieved, load.stop());
    auto out = spread_beside(live.probes.take(), beside);
    out["events_per_second_asked"] = static_cast<std::int64_t>(rate);
    out["events_per_second_published"] = static_cast<std::int64_t>(achieved);
    out["events_per_second_decided"] = static_cast<std::int64_t>(decided);
    return out;
}

} // namespace

Result<Report> measure_bus_latency(BusSide& side, const std::string& folder, const std::string& mark,
                                   double rate, const MakeEvents& make) {
    const auto stream = mark + "-live";
    WEIR_ASSIGN(live, LiveEngine::open(side, folder + "/live", stream));
    Report out;
    out["what"] = "from just before publish() until the launcher is asked for the run";
    out["goal"] = "design 8: p50 under 1 ms plus the disk's fsyncs, p99 under 5 ms plus the same";
    WEIR_ASSIGN(at_idle, idle(*live, folder, make));
    out["idle"] = std::move(at_idle);
    // By a connection of its own, so that a probe does not wait for a batch of the load to be acknowledged.
    std::unique_ptr<events::Bus> own;
    if (side.several()) {
        WEIR_ASSIGN(opened, side.open(stream));
        own = std::move(opened);
    }
    WEIR_ASSIGN(at_load, loaded(*live, own ? *own : live->bus(), folder, rate, make));
    out["half_load"] = std::move(at_load);
    if (own) own->close();
    WEIR_TRY(live->stop());
    return out;
}

} // namespace weir::bench
