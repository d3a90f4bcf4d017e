// Runs after their settlement, too many runs, runs that are too large, and what ends a run.
#include "kubeflow_reports.hpp"

using namespace weir;
using namespace weir::contract;
using flows::LaunchAnswer;
using flows::Outcome;
using flows::kubeflow::Circuit;
using std::chrono::milliseconds;

namespace {

RunId launched(Caller& caller, const std::string& name, const std::string& arguments = "{}") {
    auto request = request_of(kubeflow_flow("train"), name);
    request.arguments_json = arguments;
    const auto reply = caller.launch(request);
    INFO(reply.reason);
    REQUIRE(reply.answer == LaunchAnswer::Accepted);
    return request.run;
}

void retry_by_hand(KubeflowRig& rig, RunId run) {
    rig.kfp.call("POST", "/apis/v2beta1/runs/" + run.to_string() + ":retry");
    report(rig, run, "Running");
}

} // namespace

TEST_CASE("kubeflow watcher: what becomes of a run after its settlement is told", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.watch.settled_interval = milliseconds(50);
    auto& caller = rig.open();
    const RunId retried = launched(caller, "retried"), odd = launched(caller, "odd");
    {
        Reports reports(*rig.backend);
        for (const RunId run : {retried, odd})
            rig.backend->watch(run);
        report(rig, retried, "Failed");
        CHECK(reports.next(retried, true).outcome == Outcome::Failed);
        rig.backend->settled(retried, 1);
        report(rig, odd, "Succeeded");
        CHECK(reports.next([&](const auto& one) { return one.run == odd && one.settled; }).attempt == 1);
        rig.backend->settled(odd, 1);
        until([&] { return rig.backend->status().settled == 2; });
        CHECK(rig.backend->status().tracked == 0);
        report(rig, odd, "Running");
        report(rig, odd, "Succeeded");
        CHECK(holds(reports.next(odd, true).note, "late report"));
        retry_by_hand(rig, retried);
        CHECK(reports.next(retried, false).attempt == 2);
        rig.backend->watch(retried); // as the engine does
        report(rig, retried, "Failed");
        until([&] { return rig.backend->status().settled == 1; });
        CHECK(
            reports
                .next([&](const auto& one) { return one.run == retried && one.attempt == 2 && one.settled; })
                .outcome == Outcome::Failed);
    }
    // A process that knows of it from the records alone.
    (void)rig.open();
    Reports reports(*rig.backend);
    rig.backend->follow_settled(retried, 2, rig.clock.now());
    retry_by_hand(rig, retried);
    CHECK(reports.next(retried, false).attempt == 3);
    CHECK(reports.count(settled) == 0);
    // No more than so many, and none that is gone.
    rig.post("runs/delete", {{"run_ids", {retried.to_string()}}});
    until([&] { return rig.backend->status().settled == 0; });
    CHECK(reports.count([](const auto& one) { return one.outcome == Outcome::Lost; }) == 0);
}

TEST_CASE("kubeflow watcher: of the settled runs the newest are looked at, for a while",
          "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.watch.settled_interval = milliseconds(20);
    rig.options.watch.settled_for = milliseconds(300);
    rig.options.limits.settled = 2;
    auto& caller = rig.open();
    std::vector<RunId> runs;
    for (const char* name : {"a", "b", "c"})
        runs.push_back(launched(caller, name));
    Reports reports(*rig.backend);
    for (const RunId run : runs) {
        rig.backend->watch(run);
        report(rig, run, "Succeeded");
        (void)reports.next(run, true);
        rig.backend->settled(run, 1);
    }
    until([&] { return rig.backend->status().tracked == 0; });
    CHECK(rig.backend->status().settled <= 2);
    until([&] { return rig.backend->status().settled == 0; });
    CHECK(reports.count(settled) == 3);
}

TEST_CASE("kubeflow watcher: runs beyond the limit wait for room", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.limits.tracked = 1;
    auto& caller = rig.open();
    const RunId first = launched(caller, "a"), second = launched(caller, "b"), third = launched(caller, "c");
    Reports reports(*rig.backend);
    for (const RunId run : {first, second, third}) {
        rig.backend->watch(run);
        report(rig, run, "Succeeded");
    }
    (void)reports.next(first, true);
    until([&] { return rig.backend->status().put_off == 2; });
    rig.backend->forget(second);
    rig.backend->settled(first, 1);
    CHECK(reports.next(third, true).outcome == Outcome::Succeeded);
    CHECK(rig.backend->status().put_off == 0);
    CHECK(reports.count([&](const auto& one) { return one.run == second; }) == 0);
}

TEST_CASE("kubeflow watcher: lists that are too large are asked for in parts", "[kubeflow][contract]") {
    KubeflowRig rig({"--tasks"});
    rig.upload("train", pipeline_ir("train", {{"s", "STRING"}}));
    rig.options.limits.answer_bytes = 64 * 1024;
    rig.options.limits.settled = 0;
    auto& caller = rig.open();
    const auto text = [](std::size_t size) { return Json{{"s", std::string(size, 'x')}}.dump(); };
    std::vector<RunId> runs;
    for (int n = 0; n < 40; ++n)
        runs.push_back(launched(caller, std::to_string(n), text(5000)));
    const RunId giant =
        request_of(kubeflow_flow("train"), "giant").run; // its own answer to CreateRun is too large
    auto request = request_of(kubeflow_flow("train"), "giant");
    request.arguments_json = text(70'000);
    request.deadline = rig.clock.now() + std::chrono::seconds(1);
    (void)caller.launch(request);
    REQUIRE(rig.created(giant) == 1);
    Reports reports(*rig.backend);
    rig.backend->watch(giant);
    for (const RunId run : runs) {
        rig.backend->watch(run);
        report(rig, run, "Succeeded");
    }
    for (std::size_t n = 0; n < runs.size(); ++n) {
        const auto one = reports.next([&](const auto& any) { return any.settled && any.run != giant; });
        CHECK(one.outcome == Outcome::Succeeded);
        rig.backend->forget(one.run);
    }
    until([&] { return !rig.backend->status().watch_faults.empty(); });
    const auto status = rig.backend->status();
    CHECK(holds(status.watch_faults.at(0), giant.to_string()));
    CHECK(holds(status.watch_faults.at(0), "answer_bytes"));
    CHECK(status.circuit == Circuit::Closed);
    CHECK(status.reachable);
}

TEST_CASE("kubeflow: a cancel that is not let through is asked for again, one whose reply is lost counts",
          "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const RunId run = launched(caller, "a");
    const auto refuse = [&](int status, const std::string& body) {
        rig.fault(
            {{"path", ":terminate$"}, {"do", "answer"}, {"status", status}, {"body", body}, {"times", 2}});
    };
    refuse(401, R"({"code":16,"message":"Request not authenticated","details":[]})");
    CHECK(caller.cancel(run, "x").error().kind == ErrorKind::Unavailable);
    rig.clear();
    refuse(403, "RBAC: access denied");
    CHECK(caller.cancel(run, "x").error().kind == ErrorKind::Unavailable);
    rig.clear();
    refuse(403, R"({"code":7,"message":"no","details":[]})");
    CHECK(caller.cancel(run, "x").error().kind == ErrorKind::Denied);
    rig.clear();
    rig.fault(
        {{"path", ":terminate$"}, {"do", "answer"}, {"status", 503}, {"body", "gone"}, {"when", "after"}});
    CHECK(retryable(caller.cancel(run, "enough").error().kind));
    report(rig, run, "Failed");
    CHECK(caller.cancel(run, "enough").error().kind == ErrorKind::Conflict);
    caller.watch(run);
    const auto ended = caller.settled(run);
    CHECK(ended.outcome == Outcome::Cancelled);
    CHECK(ended.error == "enough");
}

TEST_CASE("kubeflow watcher: a run that is tried again and forgotten before it was found",
          "[kubeflow][contract]") {
    KubeflowRig rig({"--multi-user"});
    rig.post("identity", {{"grants", {{"alice", {"ns1"}}, {"bob", {"ns2"}}}}});
    rig.upload("train", pipeline_ir("train"));
    rig.options.bindings.clear();
    rig.options.bindings["ads"].namespace_ = "ns1";
    rig.options.bindings["ads"].user = "alice";
    rig.options.bindings["ops"].namespace_ = "ns2";
    rig.options.bindings["ops"].user = "bob";
    auto flow = kubeflow_flow("train");
    flow.team = "ops";
    const auto request = request_of(flow, "a");
    REQUIRE(rig.open().launch(request).answer == LaunchAnswer::Accepted);
    report(rig, request.run, "Failed");
    auto& caller = rig.open();
    rig.fault({{"method", "GET"}, {"path", "/runs$"}, {"do", "answer"}, {"status", 500}, {"times", nullptr}});
    caller.watch(request.run);
    until([&] { return rig.backend->status().watch_requests >= 2; });
    CHECK(caller.retry(request.run, 2).ok());
    rig.backend->forget(request.run);
    rig.clear();
    // Whoever comes next is watched as ever.
    const auto second = request_of(flow, "b");
    REQUIRE(caller.launch(second).answer == LaunchAnswer::Accepted);
    caller.watch(second.run);
    report(rig, second.run, "Succeeded");
    CHECK(caller.settled(second.run).outcome == Outcome::Succeeded);
}
