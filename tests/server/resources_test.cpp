#include "rig.hpp"

using namespace weir;
using namespace weir::server;
using weir::server::test::holds;
using weir::server::test::Json;
using weir::server::test::Rig;

namespace {

/// A trigger that fired once, with its run.
struct Fired {
    ledger::TriggerNo trigger;
    Seq event;
    ledger::RunNo run;
    std::string run_id;
};
Fired fire(Rig& rig) {
    Fired fired;
    fired.trigger = rig.story.trigger(
        "retrain",
        R"({"trigger":"retrain","team":"ads","when":{"event":"data.ready"},"launch":{"flow":"train"}})");
    fired.event = rig.story.event("data.ready", "e0");
    const auto decision = rig.story.decision(fired.trigger, fired.event, {{fired.event, "orders"}});
    fired.run = rig.story.run(decision, "train", {{fired.event, "/lake", "e0", "orders"}});
    rig.story.commit();
    fired.run_id = rig.story.id_of(fired.run).to_string();
    return fired;
}

} // namespace

TEST_CASE("runs are listed, shown and filtered") {
    Rig rig;
    const auto fired = fire(rig);
    const auto list = Rig::json(rig.get("/v1/runs"));
    REQUIRE(list["items"].size() == 1);
    for (const auto* key :
         {"run", "flow", "team", "backend", "state", "outcome", "attempt", "trigger", "trigger_version",
          "decision", "events", "parameters", "outputs", "created_at", "started_at", "finished_at"}) {
        INFO(key);
        CHECK(list["items"][0].contains(key));
    }
    CHECK(Rig::json(rig.get("/v1/runs/" + fired.run_id))["flow"] == "train");
    CHECK(Rig::json(rig.get("/v1/runs?state=running&flow=ads/train"))["items"].size() == 1);
    CHECK(Rig::json(rig.get("/v1/runs?state=settled"))["items"].empty());
    CHECK(holds(Rig::problem(rig.get("/v1/runs?state=runing"), 400), "did you mean \"running\"?"));
    CHECK(holds(Rig::problem(rig.get("/v1/runs?outcome=good"), 400), "expected one of succeeded"));
    CHECK(holds(Rig::problem(rig.get("/v1/runs?team=ads&flow=other/train"), 400), "`team` says"));
    CHECK(rig.get("/v1/runs/0190b3a2-0000-8000-8000-000000000000").status == 404);
    CHECK(rig.get("/v1/runs/nonsense").status == 400);
}

TEST_CASE("a run is started, cancelled, tried again") {
    Rig rig;
    const auto fired = fire(rig);
    rig.engine.run = rig.story.id_of(fired.run);
    const auto body =
        R"({"flow":"ads/train","parameters":{"rows":3,"name":"it's; $(x)\n"},"request_id":"r1","reason":"test"})";
    const auto response = rig.post("/v1/runs", body);
    CHECK(Rig::json(response, 201)["run"] == fired.run_id);
    CHECK(*response.header("Location") == "/v1/runs/" + fired.run_id);
    CHECK(rig.engine.acts.back() ==
          R"(run ads/train {"rows":3,"name":"it's; $(x)\n"} by local:unknown: test)");
    CHECK(rig.engine.request_ids.back() == "r1");
    rig.post("/v1/runs", R"({"flow":"train","team":"ads"})");
    CHECK(holds(rig.engine.acts.back(), "run ads/train {} by"));
    const auto made = rig.engine.request_ids.back();
    CHECK(made.size() == 32);
    rig.post("/v1/runs", R"({"flow":"train"})");
    CHECK(holds(rig.engine.acts.back(), "run default/train"));
    CHECK(rig.engine.request_ids.back() != made);

    CHECK(rig.post("/v1/runs/" + fired.run_id + ":cancel").status == 202);
    CHECK(rig.engine.acts.back() == "cancel " + fired.run_id + " by local:unknown: no reason given");
    CHECK(rig.post("/v1/runs/" + fired.run_id + ":retry", R"({"reason":"again"})").status == 202);
    CHECK(holds(rig.engine.acts.back(), "again"));
    CHECK(rig.post("/v1/runs/nonsense:cancel").status == 400);
}

TEST_CASE("tasks and their logs") {
    Rig rig;
    const auto run = "/v1/runs/" + fire(rig).run_id;
    flows::TaskRecord task;
    task.name = "for-loop-1.0/train";
    task.state = flows::TaskState::Failed;
    task.error = "exit code 1: \x1b[31m \xff";
    rig.tasks.records = {task};
    rig.tasks.logs["for-loop-1.0/train"] = "one\ntwo\n";
    const auto list = Rig::json(rig.get(run + "/tasks"));
    CHECK(list["items"][0]["task"] == "for-loop-1.0/train");
    CHECK(list["items"][0]["state"] == "failed");
    CHECK(list["items"][0]["error"] == "exit code 1: \x1b[31m \\xff");
    CHECK(rig.get(run + "/logs?task=for-loop-1.0%2Ftrain").body == "one\ntwo\n");
    CHECK(rig.get(run + "/logs?task=for-loop-1.0%2Ftrain&bytes=4").body == "two\n");
    CHECK(rig.get(run + "/logs?task=for-loop-1.0%2Ftrain&bytes=0").status == 400);
    CHECK(holds(Rig::problem(rig.get(run + "/logs"), 400), "for-loop-1.0/train"));
    CHECK(rig.get(run + "/logs?task=none").status == 404);
    rig.tasks.missing = true;
    CHECK(Rig::json(rig.get(run + "/tasks"))["items"].empty());
    CHECK(rig.get("/v1/runs/0190b3a2-0000-8000-8000-000000000000/tasks").status == 404);
}

TEST_CASE("triggers: listed, shown with what they wait for, paused, resumed, deleted") {
    Rig rig;
    fire(rig);
    rig.engine.joins = {{"\"2026-05-01\"", {"orders"}, {"users"}, from_ns(1'790'000'000'000'000'000)}};
    const auto item = Rig::json(rig.get("/v1/triggers"))["items"][0];
    CHECK(item["trigger"] == "retrain");
    CHECK(item["fired"] == 1);
    CHECK(item["state"] == "active");
    CHECK(item["applied_at"].is_string());
    const auto one = Rig::json(rig.get("/v1/triggers/ads/retrain"));
    CHECK(one["document"]["trigger"] == "retrain");
    CHECK(one["versions"].size() == 1);
    CHECK(one["states"][0]["state"] == "active");
    CHECK(one["waiting"][0]["missing"][0] == "users");
    CHECK(one["waiting"][0]["key"] == "2026-05-01");
    CHECK(rig.get("/v1/triggers/ads/none").status == 404);

    CHECK(Rig::json(rig.post("/v1/triggers/ads/retrain:pause"))["trigger"] == "retrain");
    CHECK(rig.post("/v1/triggers/ads/retrain:resume", R"({"waiting":"replay"})").status == 200);
    CHECK(holds(rig.engine.acts.back(), "resume ads/retrain replay"));
    CHECK(rig.post("/v1/triggers/ads/retrain:resume", R"({"waiting":"drop"})").status == 200);
    CHECK(holds(rig.engine.acts.back(), "resume ads/retrain drop"));
    CHECK(holds(Rig::problem(rig.post("/v1/triggers/ads/retrain:resume"), 400), "replay"));

    auto remove = Rig::request("DELETE", "/v1/triggers/ads/retrain?reason=by%20hand");
    CHECK(Rig::json(rig.api.handle(remove))["deleted"] == true);
    CHECK(rig.engine.acts.back() == "delete ads/retrain by local:unknown: by hand");
}

TEST_CASE("decisions name their events and their run") {
    Rig rig;
    const auto fired = fire(rig);
    const auto list = Rig::json(rig.get("/v1/decisions?verdict=fired&trigger=ads/retrain"));
    REQUIRE(list["items"].size() == 1);
    const auto& line = list["items"][0];
    for (const auto* key :
         {"decision", "trigger", "trigger_version", "verdict", "reason", "events", "run", "at"}) {
        INFO(key);
        CHECK(line.contains(key));
    }
    CHECK(line["trigger"] == "retrain");
    CHECK(line["run"] == fired.run_id);
    CHECK(line["events"] == Json::parse(R"([{"source":"/lake","id":"e0","role":"orders"}])"));
    CHECK(Rig::json(rig.get("/v1/decisions/" + line["decision"].get<std::string>()))["reason"] == "match");
    CHECK(rig.get("/v1/decisions?verdict=held").status == 400);
    CHECK(rig.get("/v1/decisions/x").status == 400);
}

TEST_CASE("why and lineage answer as JSON and as text") {
    Rig rig;
    const auto fired = fire(rig);
    CHECK(Rig::json(rig.get("/v1/why?run=" + fired.run_id)).is_object());
    CHECK(!rig.get("/v1/why?format=text&run=" + fired.run_id).body.empty());
    const auto verdict = Rig::json(rig.get("/v1/why?trigger=ads/retrain&event=e0"));
    CHECK(verdict["verdict"] == "fired");
    CHECK(verdict["run"] == fired.run_id);
    CHECK(rig.get("/v1/why").status == 400);
    CHECK(rig.get("/v1/why?event=e0").status == 400);
    CHECK(rig.get("/v1/why?trigger=ads/retrain").status == 400);
    CHECK(rig.get("/v1/why?run=" + fired.run_id + "&trigger=ads/retrain&event=e0").status == 400);
    CHECK(rig.get("/v1/why?trigger=ads/retrain&event=none").status == 404);

    const auto up = Rig::json(rig.get("/v1/lineage?start=" + fired.run_id));
    CHECK(up["nodes"].size() == 3);
    CHECK(up["truncated"] == false);
    CHECK(holds(rig.get("/v1/lineage?format=tree&direction=down&start=e0").body, fired.run_id.substr(0, 8)));
    CHECK(rig.get("/v1/lineage").status == 400);
    CHECK(rig.get("/v1/lineage?start=e0&depth=-1").status == 400);
    CHECK(rig.get("/v1/lineage?start=e0&direction=left").status == 400);
    CHECK(rig.get("/v1/lineage?start=none").status == 404);
}

TEST_CASE("apply hands the files over and shows what changes") {
    Rig rig;
    using Action = engine::ApplyChange::Action;
    rig.engine.report.changes = {{Action::Created, "flow", "ads", "train", "0123456789ab", {}},
                                 {Action::Updated, "trigger", "ads", "retrain", "2", {"where differs"}},
                                 {Action::Deleted, "trigger", "ads", "old", "", {}}};
    const auto body = R"({"files":[{"name":"a.yaml","text":"trigger: a\n"}],"extra":{"ir.yaml":"x: 1\n"},
                          "default_team":"ads","dry_run":true,"owner":"me","prune":true,"reason":"release"})";
    const auto answer = Rig::json(rig.post("/v1/apply", body));
    CHECK(answer["dry_run"] == true);
    REQUIRE(answer["changes"].size() == 3);
    CHECK(answer["changes"][0]["action"] == "created");
    CHECK(answer["changes"][1]["notes"][0] == "where differs");
    REQUIRE(rig.engine.applied.size() == 1);
    const auto& asked = rig.engine.applied[0];
    CHECK(asked.files[0].text == "trigger: a\n");
    CHECK(asked.extra.at("ir.yaml") == "x: 1\n");
    CHECK(asked.default_team == "ads");
    CHECK(asked.owner == "me");
    CHECK((asked.dry_run && asked.prune));
    CHECK(asked.actor.reason == "release");
}

TEST_CASE("apply tells every problem and says that nothing changed") {
    Rig rig;
    rig.engine.report.problems = {"a.yaml:1:1: unknown key \"trigr\"; did you mean \"trigger\"?",
                                  "a.yaml:2:1: more"};
    const auto response = rig.post("/v1/apply", R"({"files":[{"name":"a.yaml","text":"trigr: a"}]})");
    CHECK(Rig::problem(response, 422) == "2 problems were found; nothing was changed");
    CHECK(Json::parse(response.body)["problems"][0] == rig.engine.report.problems[0]);
    const auto refused = [&](const std::string& body) {
        return Rig::problem(rig.post("/v1/apply", body), 400);
    };
    CHECK(holds(refused("{}"), "nothing to apply"));
    CHECK(holds(refused(R"({"files":[{"name":"a"}]})"), "files[0]"));
    CHECK(holds(refused(R"({"files":[7]})"), "files[0]"));
    CHECK(holds(refused(R"({"files":[],"prune":true})"), "owner"));
    CHECK(holds(refused(R"({"files":[{"name":"a","text":"b"}],"extra":{"c":1}})"), "must be a string"));
    CHECK(rig.engine.applied.size() == 1);
}

TEST_CASE("an empty ledger gives empty listings") {
    Rig rig;
    for (const auto* what : {"runs", "events", "decisions", "triggers", "flows", "audit"}) {
        INFO(what);
        const auto list = Rig::json(rig.get("/v1/" + std::string(what)));
        CHECK(list["items"].empty());
        CHECK(list["next"].is_null());
    }
    CHECK(rig.get("/v1/flows/ads/none").status == 404);
}
