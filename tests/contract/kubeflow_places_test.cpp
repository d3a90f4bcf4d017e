// Watched places: what ends there is told until it is recorded, from where an earlier process left off.
#include <set>

#include "kubeflow_reports.hpp"

using namespace weir;
using namespace weir::contract;
using flows::kubeflow::Circuit;
using flows::kubeflow::WatchedPlace;

namespace {

/// What the backend says of places, in order of time.
class Places {
  public:
    explicit Places(flows::kubeflow::KubeflowBackend& backend) {
        backend.on_place([this](const WatchedPlace& place, Instant until) {
            std::lock_guard lock(mutex_);
            done_[place.experiment] = until;
        });
    }
    std::optional<Instant> of(const std::string& experiment) {
        std::lock_guard lock(mutex_);
        const auto found = done_.find(experiment);
        if (found == done_.end()) return {};
        return found->second;
    }

  private:
    std::mutex mutex_;
    std::map<std::string, Instant> done_;
};

std::string experiment(KubeflowRig& rig, const std::string& name) {
    return Json::parse(rig.kfp.call("POST", "/apis/v2beta1/experiments", Json{{"display_name", name}}.dump()))
        .at("experiment_id");
}

void insert(KubeflowRig& rig, const std::string& experiment_id, const std::string& name, Instant finished,
            int count = 1) {
    rig.post("runs/insert", {{"count", count},
                             {"state", "SUCCEEDED"},
                             {"finished_at", format_rfc3339(finished)},
                             {"name", name},
                             {"experiment_id", experiment_id}});
}

bool foreign(const flows::RunReport& one) {
    return one.seen.has_value();
}

/// Everything the watcher does has been done `times` times.
void some_rounds(KubeflowRig& rig, std::uint64_t requests = 8) {
    const auto before = rig.backend->status().watch_requests;
    until([&] { return rig.backend->status().watch_requests >= before + requests; });
}

} // namespace

TEST_CASE("kubeflow places: what is not recorded is told again, now and by the next process",
          "[kubeflow][contract]") {
    KubeflowRig rig;
    const auto a = experiment(rig, "a"), b = experiment(rig, "b");
    const auto start = std::chrono::floor<std::chrono::seconds>(rig.clock.now());
    rig.options.watch.overlap = std::chrono::seconds(0);
    rig.options.watch.since = start - std::chrono::seconds(100);
    rig.options.watch.places = {{"ads", "a"}, {"ads", "b"}};
    rig.options.timeouts.resolve_cache = std::chrono::seconds(1);
    std::optional<Instant> done_a, done_b;
    RunId late;
    {
        (void)rig.open();
        Places places(*rig.backend);
        Reports reports(*rig.backend);
        insert(rig, a, "first", start - std::chrono::seconds(50));
        const auto first = reports.next(foreign);
        (void)reports.next(foreign); // not recorded: once more
        CHECK(places.of("a").value_or(Instant{}) <= start - std::chrono::seconds(50));
        rig.backend->settled(first.run, 1);
        insert(rig, b, "late", start - std::chrono::seconds(40));
        insert(rig, a, "second", start - std::chrono::seconds(30));
        const auto of = [&](const std::string& name) {
            return reports.next(
                [&](const auto& one) { return one.seen && one.seen->display_name.starts_with(name); });
        };
        late = of("late").run;
        // Recorded elsewhere in the meantime: whoever follows it now knows it.
        rig.backend->watch(of("second").run);
        until([&] { return places.of("a") >= start - std::chrono::seconds(30); });
        done_a = places.of("a");
        done_b = places.of("b");
        CHECK(done_b.value_or(Instant{}) <= start - std::chrono::seconds(40));
    }
    // Each place from where it was left: one that lags loses nothing by the other.
    rig.options.watch.since.reset();
    rig.options.watch.places[0].since = done_a;
    rig.options.watch.places[1].since = done_b;
    (void)rig.open();
    Reports reports(*rig.backend);
    CHECK(reports.next([&](const auto& one) { return one.seen && one.run == late; }).outcome ==
          flows::Outcome::Succeeded);
    CHECK(reports.count(
              [](const auto& one) { return one.seen && one.seen->display_name.starts_with("first"); }) == 0);
}

TEST_CASE("kubeflow places: a run that says it is weir's, and is not this weir's, is told with all there is",
          "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.watch.places = {{"ads", ""}};
    // Another weir, with another record.
    const auto request = request_of(kubeflow_flow("train"), "other");
    REQUIRE(rig.open().launch(request).answer == flows::LaunchAnswer::Accepted);
    (void)rig.open();
    Reports reports(*rig.backend);
    report(rig, request.run, "Succeeded");
    const auto seen = reports.next(request.run, true);
    REQUIRE(seen.seen.has_value());
    CHECK(seen.seen->pipeline == "train");
    rig.backend->settled(seen.run, 1); // it is on record now
    some_rounds(rig);
    const auto before = reports.count(foreign);
    // A late report after its end is told as well.
    report(rig, request.run, "Running");
    report(rig, request.run, "Succeeded");
    CHECK(holds(reports.next(request.run, true).note, "late report"));
    CHECK(reports.count(foreign) > before);
}

TEST_CASE("kubeflow places: an experiment that cannot be read is said", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.options.watch.places = {{"ads", "nowhere"}};
    (void)rig.open();
    Reports reports(*rig.backend);
    until([&] { return !rig.backend->status().watch_faults.empty(); });
    CHECK(holds(rig.backend->status().watch_faults.at(0), "ads/nowhere: there is no experiment"));
    insert(rig, experiment(rig, "nowhere"), "now there", rig.clock.now());
    CHECK(reports.next(foreign).seen->experiment == "nowhere");
    until([&] { return rig.backend->status().watch_faults.empty(); });
}

TEST_CASE("kubeflow places: pages that are too large are asked for in parts", "[kubeflow][contract]") {
    KubeflowRig rig;
    const auto a = experiment(rig, "a");
    rig.options.watch.places = {{"ads", "a"}};
    rig.options.limits.answer_bytes = 64 * 1024;
    insert(rig, a, std::string(200, 'n'), rig.clock.now(), 400);
    (void)rig.open();
    Reports reports(*rig.backend);
    std::set<RunId> told;
    while (told.size() < 400)
        told.insert(reports.next(foreign).run);
    CHECK(rig.backend->status().circuit == Circuit::Closed);
    CHECK(rig.backend->status().reachable);
    CHECK(rig.backend->status().watch_faults.empty());
}
