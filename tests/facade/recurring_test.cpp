#include "rig.hpp"

using namespace weir;
using namespace weir::facade;
using namespace weir::facade::test;

namespace {

std::string id_of(const json& recurring) {
    return recurring["recurring_run_id"];
}

std::string trigger_of(const json& recurring, const std::string& team = "default") {
    return team + "/kfp-" + id_of(recurring);
}

} // namespace

TEST_CASE("a recurring run is a trigger and a flow of the façade's own") {
    Rig rig;
    const auto pipeline = rig.pipeline("etl");
    const auto made = rig.post("recurringruns", Rig::schedule(pipeline));
    CHECK(made["status"] == "ENABLED");
    CHECK(rig.engine.triggers.at(trigger_of(made))["launch"]["flow"] == "etl");
    CHECK(rig.engine.flows.at("default/etl")["backend"] == "local");
    rig.post("recurringruns/" + id_of(made) + ":disable");
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "DISABLED");
    rig.post("recurringruns/" + id_of(made) + ":enable");
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "ENABLED");
}

TEST_CASE("a flow that somebody else registered is never replaced") {
    Rig rig;
    SECTION("one that names the pipeline is what the schedule launches") {
        rig.user_flow("default", "mine", "etl");
        const auto made = rig.post("recurringruns", Rig::schedule(rig.pipeline("etl")));
        CHECK(rig.engine.triggers.at(trigger_of(made))["launch"]["flow"] == "mine");
        CHECK(rig.engine.flows.empty());
    }
    SECTION("one of that name that has nothing to do with it is left alone") {
        rig.user_flow("default", "etl", "another");
        const auto made = rig.post("recurringruns", Rig::schedule(rig.pipeline("etl")));
        CHECK(rig.engine.triggers.at(trigger_of(made))["launch"]["flow"] == "etl.kfp");
        CHECK(rig.engine.flows.size() == 1);
        CHECK(rig.engine.flows.count("default/etl.kfp") == 1);
    }
}

TEST_CASE("a flow that a user registers in the place of a schedule's is the user's") {
    Rig rig;
    const auto pipeline = rig.pipeline("etl");
    auto body = Rig::schedule(pipeline);
    SECTION("before the schedule is enabled") {
        body["mode"] = "DISABLE";
        const auto made = rig.post("recurringruns", body);
        rig.user_flow("default", "etl", "another");
        rig.post("recurringruns/" + id_of(made) + ":enable");
        CHECK(rig.engine.flows.count("default/etl") == 0);
        CHECK(rig.engine.triggers.at(trigger_of(made))["launch"]["flow"] == "etl.kfp");
    }
    SECTION("before a new version comes") {
        rig.post("recurringruns", body);
        rig.user_flow("default", "etl", "another");
        rig.upload("upload_version?name=v2&pipelineid=" + pipeline, Rig::spec("other"));
        CHECK(rig.engine.texts.at("default/etl") == Rig::spec());
    }
}

TEST_CASE("a token of one team does not reach another team's flows") {
    Rig rig;
    rig.user_flow("bob", "etl", "etl");
    rig.teams = {"alice"};
    const auto pipeline = rig.pipeline("etl");
    const auto made = rig.post("recurringruns", Rig::schedule(pipeline));
    CHECK(rig.engine.triggers.count(trigger_of(made, "alice")) == 1);
    CHECK(rig.engine.flows.count("bob/etl") == 0);
    CHECK(rig.engine.flows.count("alice/etl") == 1);
    rig.post("runs", {{"display_name", "x"}, {"pipeline_version_reference", {{"pipeline_id", pipeline}}}});
    CHECK(rig.engine.started == std::vector<std::string>{"alice/etl"});
    rig.upload("upload_version?name=v2&pipelineid=" + pipeline);
    CHECK(rig.engine.flows.count("bob/etl") == 0);
}

TEST_CASE("schedules follow the latest version of their pipeline") {
    Rig rig;
    const auto pipeline = rig.pipeline("etl");
    rig.post("recurringruns", Rig::schedule(pipeline));
    // A second one, with a flow of another name.
    auto other = engine::test::Story::ok(rig.store->recurring_runs()).at(0);
    other.id = "0199c5a0-0000-4000-8000-0000000000bb";
    other.flow = "etl.kfp";
    other.trigger_name = "kfp-" + other.id;
    REQUIRE(rig.store->add_recurring(other).ok());
    rig.story.trigger(other.trigger_name, "{}", "default");
    const auto v2 = rig.upload("upload_version?name=v2&pipelineid=" + pipeline, Rig::spec("other"));
    CHECK(rig.engine.texts.at("default/etl") == Rig::spec("other"));
    CHECK(rig.engine.texts.at("default/etl.kfp") == Rig::spec("other"));
    SECTION("also when it is deleted") {
        rig.remove("pipelines/" + pipeline + "/versions/" + v2["pipeline_version_id"].get<std::string>());
        CHECK(rig.engine.texts.at("default/etl") == Rig::spec());
        CHECK(rig.engine.texts.at("default/etl.kfp") == Rig::spec());
    }
    SECTION("one that cannot be followed is not stored") {
        rig.engine.problem = "it does not fit";
        rig.upload("upload_version?name=v3&pipelineid=" + pipeline, Rig::spec("third"), 400);
        CHECK(rig.get("pipelines/" + pipeline + "/versions")["total_size"] == 2);
        rig.remove("pipelines/" + pipeline + "/versions/" + v2["pipeline_version_id"].get<std::string>(),
                   400);
        CHECK(rig.get("pipelines/" + pipeline + "/versions")["total_size"] == 2);
    }
}

TEST_CASE("a version that does not fit a schedule's parameters is refused and not stored") {
    Rig rig;
    const auto pipeline = rig.pipeline("etl");
    auto body = Rig::schedule(pipeline);
    body["runtime_config"]["parameters"]["msg"] = "tick";
    const auto made = rig.post("recurringruns", body);
    const auto refused = rig.upload("upload_version?name=v2&pipelineid=" + pipeline, Rig::spec("other"), 400);
    CHECK(refused["error_details"].get<std::string>().find(id_of(made)) != std::string::npos);
    CHECK(rig.get("pipelines/" + pipeline + "/versions")["total_size"] == 1);
}

TEST_CASE("a schedule that is made disabled has no trigger until it is enabled") {
    Rig rig;
    auto body = Rig::schedule(rig.pipeline("etl"));
    body["mode"] = "DISABLE";
    const auto made = rig.post("recurringruns", body);
    CHECK(rig.engine.triggers.empty());
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "DISABLED");
    rig.post("recurringruns/" + id_of(made) + ":enable");
    CHECK(rig.engine.triggers.count(trigger_of(made)) == 1);
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "ENABLED");
}

TEST_CASE("a schedule whose trigger is gone is disabled, and may be enabled again") {
    Rig rig;
    const auto made = rig.post("recurringruns", Rig::schedule(rig.pipeline("etl")));
    REQUIRE(rig.engine.delete_trigger("default", "kfp-" + id_of(made), {}).ok());
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "DISABLED");
    CHECK(rig.get("recurringruns")["recurringRuns"][0]["status"] == "DISABLED");
    rig.post("recurringruns/" + id_of(made) + ":enable");
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "ENABLED");
}

TEST_CASE("one of which a crash left only the record is disabled") {
    Rig rig;
    RecurringRecord record;
    record.id = "0199c5a0-0000-4000-8000-0000000000aa";
    record.name = "cut short";
    record.pipeline = rig.pipeline("etl");
    record.trigger_json = R"({"cron_schedule":{"cron":"0 0 0 * * *"}})";
    record.team = "default";
    record.flow = "etl";
    record.trigger_name = "kfp-" + record.id;
    record.enabled = true;
    REQUIRE(rig.store->add_recurring(record).ok());
    CHECK(rig.get("recurringruns/" + record.id)["status"] == "DISABLED");
    rig.post("recurringruns/" + record.id + ":enable");
    CHECK(rig.engine.triggers.count("default/kfp-" + record.id) == 1);
}

TEST_CASE("a schedule's runs say what they ran, also when it is deleted") {
    Rig rig;
    const auto pipeline = rig.pipeline("etl");
    const std::string version =
        rig.get("pipelines/" + pipeline + "/versions")["pipeline_versions"][0]["pipeline_version_id"];
    const std::string experiment = rig.post("experiments", {{"display_name", "e"}})["experiment_id"];
    auto body = Rig::schedule(pipeline, version);
    body["experiment_id"] = experiment;
    const auto made = rig.post("recurringruns", body);
    const auto run = rig.scheduled_run(id_of(made));
    const auto check = [&] {
        const auto shown = rig.get("runs/" + run);
        CHECK(shown["display_name"].get<std::string>().starts_with("nightly-"));
        CHECK(shown["experiment_id"] == experiment);
        CHECK(shown["recurring_run_id"] == id_of(made));
        CHECK(shown["pipeline_version_reference"]["pipeline_id"] == pipeline);
        CHECK(shown["pipeline_version_reference"]["pipeline_version_id"] == version);
        CHECK(shown["runtime_config"]["parameters"]["msg"] == "tick");
        CHECK(rig.get("runs?experiment_id=" + experiment)["total_size"] == 1);
        CHECK(rig.get("experiments/" + experiment)["last_run_created_at"] != "1970-01-01T00:00:00Z");
    };
    check();
    rig.remove("recurringruns/" + id_of(made));
    rig.get("recurringruns/" + id_of(made), 404);
    CHECK(!rig.get("recurringruns").contains("recurringRuns"));
    check();
}

TEST_CASE("flows of deleted schedules go when nobody needs them") {
    Rig rig;
    const auto made = rig.post("recurringruns", Rig::schedule(rig.pipeline("etl")));
    const auto second = rig.post("recurringruns", Rig::schedule(rig.pipeline("other")));
    rig.remove("recurringruns/" + id_of(made));
    REQUIRE(rig.engine.pruned.size() == 1);
    CHECK(rig.engine.pruned[0] == rig.engine.flows.at("default/etl")["labels"]["owner"]);
    CHECK(rig.engine.pruned[0] != rig.engine.flows.at("default/other")["labels"]["owner"]);
}

TEST_CASE("archiving an experiment disables its recurring runs") {
    Rig rig;
    const std::string experiment = rig.post("experiments", {{"display_name", "e"}})["experiment_id"];
    auto body = Rig::schedule(rig.pipeline("etl"));
    const auto other = rig.post("recurringruns", body);
    body["experiment_id"] = experiment;
    const auto made = rig.post("recurringruns", body);
    rig.post("experiments/" + experiment + ":archive");
    CHECK(rig.get("recurringruns/" + id_of(made))["status"] == "DISABLED");
    CHECK(rig.get("recurringruns/" + id_of(other))["status"] == "ENABLED");
}

TEST_CASE("macros of a schedule's parameters: what a slot tells is filled in, the rest is refused by name") {
    Rig rig;
    auto body = Rig::schedule(rig.pipeline("etl"));
    auto& message = body["runtime_config"]["parameters"]["msg"];
    message = "day [[ScheduledTime.2006-01-02]] [[nothing]]";
    const auto made = rig.post("recurringruns", body);
    const std::string expression = rig.engine.triggers.at(trigger_of(made))["launch"]["parameters"]["msg"];
    CHECK(expression.starts_with(R"("day " + string(timestamp(event.data.slot).getFullYear()) + "-" + )"));
    CHECK(expression.ends_with(R"( + " [[nothing]]")"));
    message = "as it is [[x]]";
    const auto plain = rig.post("recurringruns", body);
    CHECK(rig.engine.triggers.at(trigger_of(plain))["launch"]["parameters"]["msg"]["value"] == message);
    for (const auto* macro : {"[[CurrentTime]]", "[[CurrentTime.2006]]", "[[RunUUID]]", "[[Index]]"}) {
        message = std::string("x ") + macro;
        const auto refused = rig.post("recurringruns", body, 400);
        CHECK(refused["details"][0]["message"].get<std::string>().find(macro) != std::string::npos);
    }
}
