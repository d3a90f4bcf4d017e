// Every way in which a launch on Kubeflow goes wrong, and what it leaves behind.
#include "kubeflow_fixture.hpp"

using namespace weir;
using namespace weir::contract;
using flows::LaunchAnswer;
using flows::LookAnswer;

namespace {

const Json create_runs = {{"method", "POST"}, {"path", "/runs$"}};

Json on_create(Json fault) {
    fault.update(create_runs);
    return fault;
}

} // namespace

TEST_CASE("kubeflow: a lost reply is unknown, and a look finds the run", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train", {{"n", "NUMBER_INTEGER?"}}));
    auto& caller = rig.open();
    const auto flow = kubeflow_flow("train");
    for (const char* deed : {"close", "reset", "partial"})
        for (const char* when : {"before", "after"}) {
            INFO(deed << " " << when);
            auto request = request_of(flow, std::string(deed) + when);
            request.arguments_json = R"({"n":3})";
            rig.fault(on_create({{"do", deed}, {"when", when}}));
            const auto reply = caller.launch(request);
            INFO(reply.reason);
            CHECK(reply.answer == LaunchAnswer::Unknown);
            const auto look = caller.look(request.run);
            const bool made = std::string(when) == "after" || rig.created(request.run) == 1;
            CHECK(look.answer == (made ? LookAnswer::Found : LookAnswer::Absent));
            if (made) {
                CHECK(look.decision == request.decision.to_string());
                CHECK(look.flow_version == flow.version);
                CHECK(look.arguments_json == R"({"n":3})");
            }
            // Asked for again, after a look that found nothing: one run, whatever happened before.
            rig.clear();
            CHECK(caller.launch(request).answer == LaunchAnswer::Accepted);
            CHECK(rig.created(request.run) == 1);
        }
    CHECK(rig.strays() == 0);
}

TEST_CASE("kubeflow: answers after the effect are unknown, those before any are not",
          "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const auto flow = kubeflow_flow("train");
    for (const int status : {429, 500, 502, 503, 504}) {
        INFO(status);
        const auto request = request_of(flow, "after " + std::to_string(status));
        rig.fault(on_create({{"do", "answer"}, {"status", status}, {"when", "after"}, {"body", "x"}}));
        CHECK(caller.launch(request).answer == LaunchAnswer::Unknown);
        CHECK(caller.look(request.run).answer == LookAnswer::Found);
        CHECK(rig.created(request.run) == 1);
    }
    // The server's own faults: one leaves a stray, and weir makes no second one of it.
    const auto request = request_of(flow, "insert");
    rig.fault(on_create({{"do", "insert_fails"}}));
    CHECK(caller.launch(request).answer == LaunchAnswer::Unknown);
    CHECK(rig.backend->status().stray_suspected >= 1);
    CHECK(rig.created(request.run) == 1);
    CHECK(caller.look(request.run).answer == LookAnswer::Absent);
    CHECK(caller.backend().launcher->absence_wait() == std::chrono::seconds(180));
}

TEST_CASE("kubeflow: a server that chooses run ids itself gets no second request", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const auto flow = kubeflow_flow("train");
    const auto request = request_of(flow, "a");
    rig.fault(on_create({{"do", "ignore_run_id"}, {"times", nullptr}}));
    const auto reply = caller.launch(request);
    CHECK(reply.answer == LaunchAnswer::Refused);
    CHECK(holds(reply.reason, "run id not honoured: the server made the run "));
    CHECK(holds(reply.reason, "which was ended"));
    // What it made was ended, and nothing more is asked of it for now.
    const auto made = rig.get("log?method=POST").at("requests");
    CHECK(caller.launch(request_of(flow, "b")).answer == LaunchAnswer::Refused);
    CHECK(rig.get("log?method=POST").at("requests").size() == made.size());
    CHECK(holds(made.back().at("path").get<std::string>(), ":terminate"));
    // That says nothing of an earlier request: its run may be hidden just now.
    auto before = request_of(flow, "c");
    before.again = true;
    CHECK(caller.launch(before).answer == LaunchAnswer::Postponed);
}

TEST_CASE("kubeflow: what the server would refuse or change is refused before", "[kubeflow][contract]") {
    KubeflowRig rig;
    const auto id = rig.upload(
        "train", pipeline_ir("train", {{"n", "NUMBER_INTEGER"}, {"s", "STRING?"}, {"d", "NUMBER_DOUBLE?"}}));
    auto& caller = rig.open();
    const auto refused = [&](const std::string& name, const flows::FlowVersion& flow,
                             const std::string& arguments) {
        auto request = request_of(flow, name);
        request.arguments_json = arguments;
        const auto reply = caller.launch(request);
        INFO(reply.reason);
        CHECK(reply.answer == LaunchAnswer::Refused);
        CHECK(rig.created(request.run) == 0);
        return reply.reason;
    };
    const auto flow = kubeflow_flow("train");
    CHECK(holds(refused("a", flow, R"({"n":1.5})"), "\"n\" must be a whole number"));
    CHECK(holds(refused("b", flow, R"({"n":9007199254740993})"), "2^53"));
    CHECK(holds(refused("c", flow, R"({"n":1,"s":null})"), "null"));
    CHECK(holds(refused("d", flow, "{\"n\":1,\"s\":\"\xf0\x9f\x98\x80\"}"), "U+1F600"));
    CHECK(holds(refused("e", flow, R"({"n":1,"s":"[[RunUUID]]"})"), "[[RunUUID"));
    CHECK(holds(refused("f", flow, "{}"), "demands the parameter \"n\""));
    CHECK(holds(refused("g", flow, R"({"n":1,"old":1})"), "has no parameter \"old\""));
    CHECK(holds(refused("h", kubeflow_flow("gone"), "{}"), "no pipeline \"gone\""));
    CHECK(holds(refused("i", kubeflow_flow("x", R"({"pipeline":"train","version":"v9"})"), R"({"n":1})"),
                "no version \"v9\""));
    CHECK(holds(refused("j", kubeflow_flow("x", "{}"), "{}"), "names no pipeline"));

    // A version uploaded between apply and launch drops one parameter and retypes another.
    auto declared = flow;
    declared.parameters.resize(2);
    declared.parameters[0].name = "n";
    declared.parameters[0].type = flows::ParameterType::Integer;
    declared.parameters[1].name = "s";
    declared.parameters[1].type = flows::ParameterType::String;
    auto request = request_of(declared, "now");
    request.arguments_json = R"({"n":1,"s":"x"})";
    const auto now = caller.launch(request);
    INFO(now.reason);
    REQUIRE(now.answer == LaunchAnswer::Accepted);
    CHECK(holds(now.version, id + "/"));
    rig.kfp.post("clock", R"({"advance":2})");
    rig.kfp.upload_version(id, "v2", pipeline_ir("train", {{"n", "STRING"}}));
    const auto reason = refused("later", declared, R"({"n":1,"s":"x"})");
    CHECK(holds(reason, "\"v2\""));
    CHECK(holds(reason, "\"n\" is STRING"));
    CHECK(holds(reason, "no parameter \"s\""));
    // The version of before, by name, still goes.
    const auto log = rig.run(request.run);
    const std::string version = log.at("pipeline_version_reference").at("pipeline_version_id");
    auto pinned = kubeflow_flow("train", Json{{"pipeline", id}, {"version", version}}.dump());
    auto again = request_of(pinned, "pinned");
    again.arguments_json = R"({"n":1})";
    CHECK(caller.launch(again).version == id + "/" + version);
    // Deleted between apply and launch.
    rig.kfp.call("DELETE", "/apis/v2beta1/pipelines/" + id + "?cascade=true");
    CHECK(holds(refused("deleted", flow, R"({"n":"1"})"), "has it been deleted?"));
    CHECK(rig.strays() == 0);
}

TEST_CASE("kubeflow: pipelines whose names do not fit a path", "[kubeflow][contract]") {
    KubeflowRig rig;
    auto& caller = rig.open();
    // As the url of the upload has it, and the name.
    const std::vector<std::pair<std::string, std::string>> names = {{"team%2Ftraining", "team/training"},
                                                                    {"half%3Adone", "half:done"},
                                                                    {"50%25", "50%"},
                                                                    {"a%252Fb", "a%2Fb"},
                                                                    {"..", ".."}};
    for (const auto& [encoded, name] : names) {
        INFO(name);
        const auto id = rig.upload(encoded, pipeline_ir("train"));
        REQUIRE_FALSE(id.empty());
        const auto flow = kubeflow_flow("x", Json{{"pipeline", name}}.dump());
        const auto reply = caller.launch(soon(request_of(flow, name)));
        INFO(reply.reason);
        CHECK(reply.answer == LaunchAnswer::Accepted);
        CHECK(holds(reply.version, id + "/"));
    }
    const auto flow = kubeflow_flow("x", R"({"pipeline":"Team/Training"})");
    const auto other = caller.launch(soon(request_of(flow, "other")));
    CHECK(other.answer == LaunchAnswer::Refused);
    CHECK(holds(other.reason, "no pipeline \"Team/Training\""));
}

TEST_CASE("kubeflow: a look that is refused does not say that there is no run", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const auto request = request_of(kubeflow_flow("train"), "a");
    REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
    for (const int status : {400, 403}) {
        rig.fault({{"method", "GET"},
                   {"path", "/runs/[^/:]+$"},
                   {"do", "answer"},
                   {"status", status},
                   {"body", {{"code", 7}, {"message", "not for you"}, {"details", Json::array()}}}});
        const auto reply = caller.launch(request);
        CHECK(reply.answer == LaunchAnswer::Unknown);
        CHECK(holds(reply.reason, "not for you"));
    }
    // A run that is there and not ours is none that may appear.
    auto other = request;
    other.arguments_json = R"({"n":1})";
    const auto conflict = caller.launch(other);
    CHECK(conflict.answer == LaunchAnswer::Refused);
    CHECK(holds(conflict.reason, "conflict"));
    CHECK(rig.created(request.run) == 1);
}

TEST_CASE("kubeflow: what another process may have asked for is looked for first", "[kubeflow][contract]") {
    KubeflowRig rig;
    const auto pipeline = rig.upload("train", pipeline_ir("train"));
    auto request = request_of(kubeflow_flow("train"), "a");
    REQUIRE(rig.open().launch(request).answer == LaunchAnswer::Accepted);
    // What is wrong by now does not tell what became of it.
    request.again = true;
    rig.kfp.call("DELETE", "/apis/v2beta1/pipelines/" + pipeline + "?cascade=true");
    CHECK(rig.open().launch(request).answer == LaunchAnswer::Accepted);
    auto spoilt = request_of(kubeflow_flow("train", "{}"), "a");
    CHECK(rig.open().launch(spoilt).answer == LaunchAnswer::Refused);
    spoilt.again = true;
    CHECK(rig.open().launch(spoilt).answer == LaunchAnswer::Accepted);
    rig.options.bindings = {{"others", {}}};
    CHECK(rig.open().launch(request).answer == LaunchAnswer::Unknown);
    request.again = false;
    CHECK(rig.open().launch(request).answer == LaunchAnswer::Refused);
    CHECK(rig.created(request.run) == 1);
    // One that is not there is as if it had never been asked for.
    auto never = request_of(kubeflow_flow("train", "{}"), "never");
    never.again = true;
    rig.options.bindings = {{"ads", {}}};
    CHECK(rig.open().launch(never).answer == LaunchAnswer::Refused);
}

TEST_CASE("kubeflow: experiments are made, and archived ones refused", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    const auto request = request_of(kubeflow_flow("train"), "a");
    REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
    const std::string experiment = rig.run(request.run).at("experiment_id");
    const auto shown = Json::parse(rig.kfp.call("GET", "/apis/v2beta1/experiments/" + experiment));
    CHECK(shown.at("display_name") == "weir");
    rig.kfp.call("POST", "/apis/v2beta1/experiments/" + experiment + ":archive");
    const auto reply = caller.launch(request_of(kubeflow_flow("train"), "b"));
    CHECK(reply.answer == LaunchAnswer::Refused);
    CHECK(holds(reply.reason, "\"weir\" is archived"));
}

TEST_CASE("kubeflow: an hour of maintenance postpones, and ends in a launch", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.circuit_failures = 3;
    auto& caller = rig.open();
    rig.post("maintenance", {{"seconds", 3600}});
    const auto flow = kubeflow_flow("train");
    const auto reply = caller.launch(soon(request_of(flow, "a"), std::chrono::milliseconds(700)));
    INFO(reply.reason);
    CHECK(reply.answer == LaunchAnswer::Postponed);
    CHECK(reply.next > SystemClock().now() - std::chrono::seconds(5));
    CHECK(holds(reply.reason, "503"));
    CHECK_FALSE(rig.backend->status().reachable);
    CHECK(rig.backend->status().circuit != flows::kubeflow::Circuit::Closed);
    CHECK(rig.created(request_of(flow, "a").run) == 0);

    // While one waits it is shown, with its reason and its next try.
    std::optional<flows::LaunchReply> late;
    std::mutex mutex;
    std::condition_variable changed;
    const auto request = request_of(flow, "b");
    rig.backend->launch(request, [&](flows::LaunchReply given) {
        std::lock_guard lock(mutex);
        late = std::move(given);
        changed.notify_all();
    });
    std::vector<flows::WaitingLaunch> waiting;
    until([&] {
        waiting = rig.backend->waiting();
        return !waiting.empty() && waiting.front().tries >= 2;
    });
    CHECK(waiting.front().run == request.run);
    CHECK_FALSE(waiting.front().reason.empty());
    CHECK(waiting.front().next != Instant{});
    rig.clear();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return late.has_value(); });
    CHECK(late->answer == LaunchAnswer::Accepted);
    CHECK(rig.created(request.run) == 1);
    CHECK(rig.backend->waiting().empty());
}

TEST_CASE("kubeflow: a wrong url and a server that is gone are said", "[kubeflow][contract]") {
    KubeflowRig rig;
    const auto flow = kubeflow_flow("train");
    const auto postponed = [&] {
        auto& caller = rig.open();
        const auto reply = caller.launch(soon(request_of(flow, "a"), std::chrono::milliseconds(500)));
        CHECK(reply.answer == LaunchAnswer::Postponed);
        return reply.reason;
    };
    rig.options.url = rig.kfp.url() + "/not/here";
    CHECK(holds(postponed(), "is the backend's url that of a KFP API server?"));
    rig.options.url = rig.kfp.url();
    rig.fault({{"do", "answer"},
               {"status", 200},
               {"body", "<html>log in</html>"},
               {"times", nullptr},
               {"headers", {{"Content-Type", "text/html"}}}});
    CHECK(holds(postponed(), "is it a log-in page, or the wrong url?"));
    rig.options.url = "https://127.0.0.1:" + std::to_string(rig.kfp.port());
    const auto no_tls = postponed();
    INFO(no_tls);
    CHECK((holds(no_tls, "TLS") || holds(no_tls, "SSL")));
    rig.kfp.kill();
    rig.options.url = rig.kfp.url();
    CHECK(holds(postponed(), "nothing listens there"));
    CHECK_FALSE(rig.backend->probe().empty());
}
