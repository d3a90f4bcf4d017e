#include "rig.hpp"

using namespace weir;
using namespace weir::server;
using weir::server::test::holds;
using weir::server::test::Rig;

namespace {

const std::string run = "0190b3a2-0000-8000-8000-000000000001";
const std::string route = "/v1/runs/" + run + "/report";

config::Token token(const std::string& text, const std::vector<std::string>& scopes,
                    std::vector<std::string> teams = {}) {
    return {text + "-bearer", *config::scopes_from(scopes), std::move(teams), sha256(text)};
}

} // namespace

TEST_CASE("a run's own report reaches the engine as it was said") {
    Rig rig;
    const auto answer =
        Rig::json(rig.post(route, R"({"attempt": 2, "outcome": "failed", "error": "out of memory",
                            "outputs": {"rows": 12345678901234567, "list": [1, null, {"a": 1.5}]},
                            "artifacts": [{"name": "model", "uri": "s3://m/7", "type": "system.Model",
                                           "metadata": {"auc": 0.9}}, {"name": "x", "uri": "y"}],
                            "flow": "ads/train", "labels": {"project": "p"}})"),
                  202);
    CHECK(answer["run"] == run);
    CHECK(answer["recorded"] == true);
    REQUIRE(rig.engine.said.size() == 1);
    const auto& said = rig.engine.said[0];
    CHECK(said.run.to_string() == run);
    CHECK(said.attempt == 2);
    CHECK(said.outcome == flows::Outcome::Failed);
    CHECK(said.error == "out of memory");
    CHECK(test::Json::parse(said.outputs_json) ==
          test::Json::parse(R"({"rows": 12345678901234567, "list": [1, null, {"a": 1.5}]})"));
    REQUIRE(said.artifacts.size() == 2);
    CHECK(said.artifacts[0] == flows::ArtifactRecord{"model", "s3://m/7", "system.Model", R"({"auc":0.9})"});
    CHECK(said.artifacts[1] == flows::ArtifactRecord{"x", "y", "", "{}"});

    rig.engine.report_is_news = false;
    CHECK(Rig::json(rig.post(route, R"({"outcome": "succeeded"})"), 202)["recorded"] == false);
    CHECK(rig.engine.said[1].attempt == 0);
    CHECK(rig.engine.said[1].outputs_json == "{}");
    CHECK(Rig::json(rig.post(route, R"({"outputs": {}})"), 202)["run"] == run);
    rig.engine.failure = unavailable("too many reports of runs that are not known");
    CHECK(rig.post(route, R"({"outcome": "succeeded"})").status == 503);
}

TEST_CASE("what is wrong with a report is told, and nothing reaches the engine") {
    Rig rig;
    const auto wrong = [&](const std::string& body, int status = 400) {
        INFO(body);
        return Rig::problem(rig.post(route, body), status);
    };
    CHECK(holds(wrong("{}"), "the report says nothing"));
    CHECK(holds(wrong(R"({"error": "x"})"), "goes with \"outcome\": \"failed\""));
    CHECK(holds(wrong(R"({"outcome": "succeeded", "error": "x"})"), "goes with \"outcome\": \"failed\""));
    CHECK(holds(wrong(R"({"outcome": "suceeded"})"), "did you mean \"succeeded\"?"));
    CHECK(holds(wrong(R"({"outcome": "lost"})"), "is \"succeeded\" or \"failed\""));
    CHECK(holds(wrong(R"({"outcome": 1})"), "must be a string"));
    CHECK(holds(wrong(R"({"outcome": "failed", "attempt": 0})"), "counts from 1"));
    CHECK(holds(wrong(R"({"outcome": "failed", "attempt": "1"})"), "must be a whole number"));
    CHECK(holds(wrong(R"({"outputs": [1]})"), "must be an object"));
    CHECK(holds(wrong(R"({"artifacts": {}})"), "must be a list"));
    CHECK(holds(wrong(R"({"artifacts": [1]})"), "artifacts[0]: expected an object"));
    CHECK(holds(wrong(R"({"artifacts": [{"name": "a"}]})"), "has a name and a uri"));
    CHECK(holds(wrong(R"({"artifacts": [{"name": "a", "url": "b"}]})"), "did you mean \"uri\"?"));
    CHECK(holds(wrong(R"({"artifacts": [{"name": "a", "uri": 1}]})"), "artifacts[0].uri: expected a string"));
    CHECK(
        holds(wrong(R"({"artifacts": [{"name": "a", "uri": "b", "metadata": []}]})"), "expected an object"));
    CHECK(holds(wrong(R"({"outcome": "failed", "labels": {"a": 1}})"), "labels.a: expected a string"));
    CHECK(holds(wrong(R"({"outcome": "failed", "flow": "a b"})"), "is TEAM/FLOW"));
    CHECK(holds(wrong(R"({"outcom": "failed"})"), "did you mean \"outcome\"?"));
    CHECK(holds(wrong(R"({"outcome": "failed", "outcome": "failed"})"), "outcome"));
    CHECK(holds(wrong("[]"), "expected a JSON object"));
    CHECK(holds(wrong("{"), "body"));
    CHECK(rig.post("/v1/runs/x/report", R"({"outcome": "failed"})").status == 400);
    CHECK(rig.post(route, R"({"outcome": "failed"})", "text/plain").status == 415);
    const auto big = R"({"outputs": {"a": ")" + std::string(1024 * 1024, 'x') + "\"}}";
    CHECK(holds(wrong(big, 413), "1048576 bytes"));
    CHECK(wrong(R"({"outcome": "failed", "error": ")" + std::string(5000, 'x') + "\"}", 422).find("4096") !=
          std::string::npos);
    CHECK(rig.engine.said.empty());
    CHECK(rig.api.handle(Rig::request("GET", route)).status == 405);
}

TEST_CASE("a report needs the scope publish, and a token bound to teams reports for these alone") {
    Rig rig;
    TokenAuthorizer authorizer{{token("publisher", {"publish"}), token("reader", {"read"}),
                                token("ads", {"publish"}, {"ads"}), token("core", {"publish"}, {"core"})}};
    Api api{{rig.engine, rig.story.reader(), &rig.tasks, authorizer, rig.clock}, {}};
    const auto ask = [&](const std::string& bearer, const std::string& target, const std::string& body) {
        auto request = Rig::request("POST", target, body);
        if (!bearer.empty()) request.headers.push_back({"Authorization", "Bearer " + bearer});
        return api.handle(request).status;
    };
    auto& story = rig.story;
    const auto trigger = story.trigger(
        "retrain",
        R"({"trigger":"retrain","team":"ads","when":{"event":"data.ready"},"launch":{"flow":"train"}})");
    const auto event = story.event("data.ready", "e");
    const auto decision = story.decision(trigger, event, {{event, "event"}});
    const auto made = story.run(decision, "train", {{event, "/lake", "e", "event"}});
    story.commit();
    const auto known = "/v1/runs/" + story.id_of(made).to_string() + "/report";
    const std::string body = R"({"outcome": "succeeded"})";
    CHECK(ask("", known, body) == 401);
    CHECK(ask("reader", known, body) == 403);
    CHECK(ask("publisher", known, body) == 202);
    CHECK(ask("publisher", route, body) == 202);
    CHECK(ask("ads", known, body) == 202);
    CHECK(ask("core", known, body) == 404);
    // One that nobody knows yet.
    CHECK(ask("ads", route, body) == 400);
    CHECK(ask("ads", route, R"({"outcome": "succeeded", "flow": "ads/train"})") == 202);
    CHECK(ask("ads", route, R"({"outcome": "succeeded", "flow": "core/train"})") == 403);
    REQUIRE(!rig.engine.acts.empty());
    CHECK(holds(rig.engine.acts.back(), " by ads-bearer: report of the run"));
}

TEST_CASE("a launch that waits inside its backend says why") {
    Rig rig;
    auto& story = rig.story;
    const auto trigger = story.trigger(
        "retrain",
        R"({"trigger":"retrain","team":"ads","when":{"event":"data.ready"},"launch":{"flow":"train"}})");
    const auto event = story.event("data.ready", "e");
    const auto decision = story.decision(trigger, event, {{event, "event"}});
    const auto made = story.run(decision, "train", {{event, "/lake", "e", "event"}}, ledger::RunState::Sent);
    story.commit();
    const auto id = story.id_of(made);
    const auto next = rig.clock.now() + std::chrono::seconds(30);
    std::vector<flows::WaitingLaunch> waiting{{RunId{}, "another", next, 1}};
    Api api{{rig.engine, story.reader(), &rig.tasks, rig.authorizer, rig.clock, [&] { return waiting; }},
            Rig::config()};
    const auto get = [&](const std::string& target) { return api.handle(Rig::request("GET", target)); };
    CHECK(!Rig::json(get("/v1/runs/" + id.to_string())).contains("waiting"));
    waiting.push_back({id, "the server answers 503: no healthy upstream", next, 4});
    const auto line = Rig::json(get("/v1/runs/" + id.to_string()));
    CHECK(line["waiting"]["reason"] == "the server answers 503: no healthy upstream");
    CHECK(line["waiting"]["tries"] == 4);
    CHECK(line["waiting"]["next_at"] == format_rfc3339(next));
    CHECK(Rig::json(get("/v1/runs?state=sent"))["items"][0]["waiting"] == line["waiting"]);
    CHECK(holds(get("/v1/why?run=" + id.to_string() + "&format=text").body,
                "backend null: the server answers 503: no healthy upstream; tried 4 times, again at "));
}
