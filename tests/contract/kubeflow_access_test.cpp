// Who we are to the server and to what stands before it: headers, tokens, certificates, proxies.
#include <algorithm>

#include "kubeflow_fixture.hpp"

using namespace weir;
using namespace weir::contract;
using flows::LaunchAnswer;
using flows::LookAnswer;

namespace {

const flows::FlowVersion train = kubeflow_flow("train");

flows::LaunchReply brief(Caller& caller, const std::string& name) {
    return caller.launch(soon(request_of(train, name), std::chrono::milliseconds(500)));
}

std::size_t count_of(KubeflowRig& rig, const std::string& name) {
    return rig.get("counters").value(name, std::size_t(0));
}

} // namespace

TEST_CASE("kubeflow: who we are", "[kubeflow][contract]") {
    Folder folder;
    KubeflowRig rig({"--multi-user"});
    rig.post("identity",
             {{"grants", {{"alice", {"ns1"}}, {"bob", {"ns2"}}}}, {"tokens", {{"good", "alice"}}}});
    rig.upload("train", pipeline_ir("train"));
    const auto& flow = train;
    auto& options = rig.options;
    options.bindings.clear();
    options.bindings["ads"].namespace_ = "ns1";

    SECTION("the user's header, from the team's binding") {
        options.bindings["ads"].user = "alice";
        options.bindings["ops"].namespace_ = "ns2";
        options.bindings["ops"].user = "bob";
        options.bindings["bad"].namespace_ = "ns1";
        options.bindings["bad"].user = "bob";
        auto& caller = rig.open();
        const auto request = request_of(flow, "a");
        const auto reply = caller.launch(request);
        INFO(reply.reason);
        REQUIRE(reply.answer == LaunchAnswer::Accepted);
        CHECK(rig.backend->probe().size() == 1); // bob may not look into ns1
        auto other = flow;
        other.team = "ops";
        const auto second = request_of(other, "b");
        CHECK(caller.launch(second).answer == LaunchAnswer::Accepted);
        other.team = "bad";
        const auto forbidden = caller.launch(request_of(other, "c"));
        CHECK(forbidden.answer == LaunchAnswer::Refused);
        CHECK(holds(forbidden.reason, "403"));
        other.team = "nobody";
        CHECK(holds(caller.launch(request_of(other, "d")).reason, "no binding for the team \"nobody\""));
        // A process that knows nothing of them finds each where it is.
        auto& again = rig.open();
        CHECK(again.look(request.run).answer == LookAnswer::Found);
        CHECK(again.look(second.run).answer == LookAnswer::Found);
        rig.open();
        auto& watcher = rig.open();
        watcher.watch(second.run);
        watcher.watch(request.run);
        rig.post("report", {{"run_id", second.run.to_string()}, {"phase", "Succeeded"}});
        rig.post("report", {{"run_id", request.run.to_string()}, {"phase", "Failed"}});
        CHECK(watcher.settled(second.run).outcome == flows::Outcome::Succeeded);
        CHECK(watcher.settled(request.run).outcome == flows::Outcome::Failed);
    }
    SECTION("a token file, read again when it has changed") {
        options.token_file = folder.file("token", "stale\n");
        auto& caller = rig.open();
        const auto late = caller.launch(soon(request_of(flow, "a"), std::chrono::milliseconds(400)));
        CHECK(late.answer == LaunchAnswer::Postponed);
        CHECK(holds(late.reason, "has it expired?"));
        (void)folder.file("token", "good\n");
        const auto reply = caller.launch(request_of(flow, "b"));
        INFO(reply.reason);
        CHECK(reply.answer == LaunchAnswer::Accepted);
    }
    SECTION("nothing at all") {
        auto& caller = rig.open();
        const auto reply = caller.launch(soon(request_of(flow, "a"), std::chrono::milliseconds(400)));
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "401"));
    }
    CHECK(rig.get("counters").at("crashes") == 0);
}

TEST_CASE("kubeflow: OAuth 2.0 client credentials", "[kubeflow][contract]") {
    KubeflowRig rig({"--multi-user"});
    rig.post("identity", {{"grants", {{"alice", {"ns1"}}}},
                          {"clients", {{"weir & co", {{"secret", "s=1"}, {"user", "alice"}}}}}});
    rig.upload("train", pipeline_ir("train"));
    rig.options.bindings.clear();
    rig.options.bindings["ads"].namespace_ = "ns1";
    auto& oauth = rig.options.oauth2.emplace();
    oauth.token_url = rig.kfp.url() + "/oauth2/token";
    oauth.client_id = "weir & co";
    oauth.client_secret = "s=1";
    oauth.audience = "pipelines.kubeflow.org";

    SECTION("one token serves until it expires or is refused") {
        auto& caller = rig.open();
        REQUIRE(caller.launch(request_of(train, "a")).answer == LaunchAnswer::Accepted);
        REQUIRE(caller.launch(request_of(train, "b")).answer == LaunchAnswer::Accepted);
        CHECK(count_of(rig, "tokens") == 1);
        rig.post("identity", {{"tokens", Json::object()}}); // revoked
        const auto reply = caller.launch(request_of(train, "c"));
        INFO(reply.reason);
        CHECK(reply.answer == LaunchAnswer::Accepted);
        CHECK(count_of(rig, "tokens") == 2);
    }
    SECTION("a wrong secret is said and nothing is sent") {
        oauth.client_secret = "wrong";
        auto& caller = rig.open();
        const auto reply = brief(caller, "a");
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "no token from " + oauth.token_url));
        CHECK(holds(reply.reason, "invalid_client"));
        CHECK_FALSE(holds(reply.reason, "wrong"));
        CHECK(rig.created(request_of(train, "a").run) == 0);
    }
}

TEST_CASE("kubeflow: an outage of server and token service ends with both of them", "[kubeflow][contract]") {
    KubeflowRig rig({"--multi-user"});
    rig.post("identity", {{"grants", {{"alice", {"ns1"}}}}});
    // Each token holds for a second; none is given out without the client.
    const auto tokens = [&](bool given) {
        Json clients = Json::object();
        if (given) clients["weir"] = {{"secret", "s"}, {"user", "alice"}, {"expires_in", 1}};
        rig.post("identity", {{"clients", clients}});
    };
    tokens(true);
    rig.upload("train", pipeline_ir("train"));
    rig.options.bindings.clear();
    rig.options.bindings["ads"].namespace_ = "ns1";
    rig.options.circuit_failures = 2;
    auto& oauth = rig.options.oauth2.emplace();
    oauth.token_url = rig.kfp.url() + "/oauth2/token";
    oauth.client_id = "weir";
    oauth.client_secret = "s";
    auto& caller = rig.open();
    REQUIRE(caller.launch(request_of(train, "a")).answer == LaunchAnswer::Accepted);
    rig.post("maintenance", {{"seconds", 3600}});
    tokens(false);
    // Asks for as long as the circuit is closed; then a probe gets no token, since the last one has expired.
    until([&] {
        if (rig.backend->status().circuit == flows::kubeflow::Circuit::Closed)
            (void)caller.look(request_of(train, "a").run);
        return holds(rig.backend->status().last_error, "healthz: no token from");
    });
    rig.clear();
    tokens(true);
    const auto reply = caller.launch(soon(request_of(train, "b"), std::chrono::seconds(20)));
    INFO(reply.reason);
    CHECK(reply.answer == LaunchAnswer::Accepted);
    CHECK(rig.backend->status().circuit == flows::kubeflow::Circuit::Closed);
}

TEST_CASE("kubeflow: certificates", "[kubeflow][contract]") {
    const Folder folder;
    const bool demanded = GENERATE(false, true);
    std::vector<std::string> arguments{"--certificates", folder / "made"};
    if (demanded) arguments.emplace_back("--demand-certificate");
    KubeflowRig rig(arguments);
    rig.upload("train", pipeline_ir("train"));
    const auto made = [&](const char* name) { return folder / (std::string("made/") + name); };

    SECTION("the server's is not of an authority that is known here") {
        auto& caller = rig.open();
        const auto reply = brief(caller, "a");
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "certificate"));
        CHECK(holds(reply.reason, "is tls.ca_file right?"));
    }
    SECTION("of the authority that was named") {
        rig.options.tls.ca_file = made("ca.pem");
        auto& caller = rig.open();
        if (!demanded) {
            CHECK(caller.launch(request_of(train, "a")).answer == LaunchAnswer::Accepted);
            return;
        }
        const auto without = brief(caller, "a");
        CHECK(without.answer == LaunchAnswer::Postponed);
        INFO(without.reason);
        CHECK(holds(without.reason, "tls.certificate_file"));
        rig.options.tls.certificate_file = made("client.pem");
        rig.options.tls.key_file = made("client.key");
        const auto with = rig.open().launch(request_of(train, "b"));
        INFO(with.reason);
        CHECK(with.answer == LaunchAnswer::Accepted);
    }
    SECTION("of another authority than the one that was named") {
        rig.options.tls.ca_file = made("other-ca.pem");
        auto& caller = rig.open();
        CHECK(holds(brief(caller, "a").reason, "certificate"));
    }
}

TEST_CASE("kubeflow: a proxy, headers and cookies", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    const std::string there = rig.kfp.url();
    SECTION("the name is the proxy's to find") {
        rig.options.proxy = there;
        rig.options.url = "http://kfp.invalid";
        auto& caller = rig.open();
        const auto request = request_of(train, "a");
        const auto reply = caller.launch(request);
        INFO(reply.reason);
        REQUIRE(reply.answer == LaunchAnswer::Accepted);
        CHECK(caller.look(request.run).answer == LookAnswer::Found);
    }
    SECTION("a proxy that is gone is said") {
        rig.options.proxy = there;
        rig.options.url = "http://kfp.invalid";
        rig.kfp.kill();
        auto& caller = rig.open();
        const auto reply = brief(caller, "a");
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "nothing listens at the proxy's address"));
    }
    SECTION("headers and cookies go with each request") {
        rig.options.headers = {{"X-Tenant", "ads"}};
        rig.options.cookies = {{"session", "one"}, {"shard", "two"}};
        auto& caller = rig.open();
        REQUIRE(caller.launch(request_of(train, "a")).answer == LaunchAnswer::Accepted);
        const auto log = rig.get("log?path=/v2beta1/runs&method=POST");
        INFO(log.dump());
        REQUIRE_FALSE(log.at("requests").empty());
        const auto& headers = log.at("requests").back().at("headers");
        const auto has = [&](const Json& wanted) {
            return std::find(headers.begin(), headers.end(), wanted) != headers.end();
        };
        CHECK(has({"X-Tenant", "ads"}));
        CHECK(has({"Cookie", "session=one; shard=two"}));
        CHECK(has({"x-envoy-max-retries", "0"}));
    }
}
