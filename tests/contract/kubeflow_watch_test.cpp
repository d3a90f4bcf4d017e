// What the watcher learns of runs: the promises of RunWatcher on a server that says odd things.
#include <set>

#include "kubeflow_reports.hpp"

using namespace weir;
using namespace weir::contract;
using flows::LaunchAnswer;
using flows::Outcome;

TEST_CASE("kubeflow watcher: flaps, retries by hand and vanished runs", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const auto launch = [&](const std::string& name) {
        const auto request = request_of(kubeflow_flow("train"), name);
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
        return request.run;
    };
    const RunId flapping = launch("flapping"), retried = launch("retried"), gone = launch("gone");
    Reports reports(*rig.backend);
    for (const RunId run : {flapping, retried, gone})
        rig.backend->watch(run);
    const auto of = [](RunId run, bool ended) {
        return [run, ended](const flows::RunReport& report) {
            return report.run == run && report.settled == ended;
        };
    };

    report(rig, flapping, "Running");
    CHECK(reports.next(of(flapping, false)).attempt == 1);
    report(rig, flapping, "Succeeded");
    const auto first = reports.next(of(flapping, true));
    CHECK(first.outcome == Outcome::Succeeded);
    CHECK(first.note.empty());

    // Seen by the watcher or not: an attempt that failed is told before the one that follows it.
    report(rig, retried, "Failed");
    CHECK(reports.next(of(retried, true)).attempt == 1);
    rig.kfp.call("POST", "/apis/v2beta1/runs/" + retried.to_string() + ":retry");
    rig.backend->watch(retried);
    CHECK(reports.next(of(retried, false)).attempt == 2);
    report(rig, retried, "Succeeded");
    const auto second = reports.next(of(retried, true));
    CHECK(second.attempt == 2);
    CHECK(second.outcome == Outcome::Succeeded);

    // A late report moves it back: the same attempt, no second settlement, a note.
    report(rig, flapping, "Running");
    report(rig, flapping, "Succeeded");
    rig.backend->watch(flapping);
    const auto noted = reports.next(of(flapping, true));
    CHECK(noted.attempt == 1);
    CHECK(noted.outcome == Outcome::Succeeded);
    CHECK(noted.note.find("late report") != std::string::npos);

    // Not found for a moment is not lost; deleted is.
    rig.fault({{"method", "GET"}, {"path", "/runs/[^/:]+$"}, {"do", "not_found"}, {"times", 1}});
    rig.post("runs/delete", {{"run_ids", {gone.to_string()}}});
    const auto lost = reports.next(of(gone, true));
    CHECK(lost.outcome == Outcome::Lost);
    CHECK(lost.error.find("deleted") != std::string::npos);
    rig.backend->forget(gone);
    rig.backend->forget(flapping);
    CHECK(reports.count(of(gone, true)) == 1);
}

TEST_CASE("kubeflow watcher: an outage loses nothing", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const auto request = request_of(kubeflow_flow("train"), "a");
    REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
    Reports reports(*rig.backend);
    rig.backend->watch(request.run);
    report(rig, request.run, "Running");
    (void)reports.next([](const auto& one) { return !one.settled; });
    rig.post("maintenance", {{"seconds", 3600}});
    until([&] { return !rig.backend->status().reachable; });
    report(rig, request.run, "Succeeded");
    rig.clear();
    CHECK(reports.next(settled).outcome == Outcome::Succeeded);
    CHECK(reports.count(settled) == 1);
}

TEST_CASE("kubeflow watcher: runs that weir did not start, page by page", "[kubeflow][contract]") {
    KubeflowRig rig;
    const auto pipeline = rig.upload("train", pipeline_ir("train", {{"n", "NUMBER_INTEGER?"}}));
    rig.options.watch.places = {{"ads", ""}};
    auto& caller = rig.open();
    Reports reports(*rig.backend);
    const auto made =
        Json::parse(rig.kfp.call("POST", "/apis/v2beta1/runs",
                                 Json{{"display_name", "by hand"},
                                      {"pipeline_version_reference", {{"pipeline_id", pipeline}}},
                                      {"runtime_config", {{"parameters", {{"n", 5}}}}}}
                                     .dump()));
    const std::string id = made.at("run_id");
    rig.post("report", {{"run_id", id}, {"phase", "Succeeded"}});
    const auto seen = reports.next([](const auto& one) { return one.seen.has_value(); });
    CHECK(seen.run.to_string() == id);
    CHECK(seen.outcome == Outcome::Succeeded);
    CHECK(seen.seen->pipeline == "train");
    CHECK(seen.seen->pipeline_id == pipeline);
    CHECK(seen.seen->team == "ads");
    CHECK(seen.seen->arguments_json == R"({"n":5})");
    CHECK(seen.seen->display_name == "by hand");

    // Weir's own run is told as its own, once.
    const auto request = request_of(kubeflow_flow("train"), "own");
    REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
    rig.backend->watch(request.run);
    report(rig, request.run, "Succeeded");
    const auto own = reports.next([&](const auto& one) { return one.run == request.run && one.settled; });
    CHECK_FALSE(own.seen.has_value());

    // More than a page, all of the same second: each once.
    const auto finished = format_rfc3339(std::chrono::floor<std::chrono::seconds>(rig.clock.now()));
    rig.post("runs/insert", {{"count", 450}, {"state", "SUCCEEDED"}, {"finished_at", finished}});
    const auto foreign = [](const flows::RunReport& one) { return one.seen.has_value(); };
    std::set<RunId> told{seen.run};
    rig.backend->settled(seen.run, 1);
    while (told.size() < 451) {
        const auto one = reports.next(foreign);
        told.insert(one.run);
        rig.backend->settled(one.run, 1); // recorded: not told again
    }
    rig.backend->settled(request.run, 1); // behind all of these: once it shows, they were heard
    until([&] { return rig.backend->status().settled == 1; });
    const auto count = reports.count(foreign);
    const auto before = rig.backend->status().watch_requests;
    until([&] { return rig.backend->status().watch_requests >= before + 12; });
    CHECK(reports.count(foreign) == count);
}

TEST_CASE("kubeflow watcher: many runs in few requests, with their outputs", "[kubeflow][contract]") {
    KubeflowRig rig({"--tasks"});
    rig.upload("train", pipeline_ir("train"));
    rig.options.watch.interval = std::chrono::milliseconds(200);
    auto& caller = rig.open();
    std::vector<RunId> runs;
    for (int n = 0; n < 30; ++n) {
        const auto request = request_of(kubeflow_flow("train"), std::to_string(n));
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
        runs.push_back(request.run);
    }
    Reports reports(*rig.backend);
    for (const RunId run : runs)
        rig.backend->watch(run);
    const auto before = rig.backend->status().watch_requests;
    for (const RunId run : runs)
        rig.post("report",
                 {{"run_id", run.to_string()},
                  {"phase", "Succeeded"},
                  {"outputs", {{"score", 0.5}}},
                  {"artifacts", {{{"name", "model"}, {"uri", "s3://b/m"}, {"type", "system.Model"}}}}});
    for (std::size_t n = 0; n < runs.size(); ++n) {
        const auto one = reports.next(settled);
        CHECK(one.outputs_json == R"({"score":0.5})");
        REQUIRE(one.outputs.size() == 1);
        CHECK(one.outputs[0].uri == "s3://b/m");
        rig.backend->forget(one.run);
    }
    CHECK(rig.backend->status().full_view == true);
    INFO(rig.backend->status().watch_requests - before);
    CHECK(rig.get("counters").at("crashes") == 0);
    CHECK(rig.strays() == 0);
}
