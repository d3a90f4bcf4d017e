#include <weir/facade/resolve.hpp>

#include "rig.hpp"

using namespace weir;
using namespace weir::facade;
using namespace weir::facade::test;

namespace {

json run_of(const std::string& pipeline) {
    return {{"display_name", "r"}, {"pipeline_version_reference", {{"pipeline_id", pipeline}}}};
}

} // namespace

TEST_CASE("a flow launches no pipeline that another team uploaded") {
    Rig rig;
    flows::FlowVersion flow;
    flow.team = "bob";
    flow.flow = "train";
    flow.backend = "kubeflow";
    flow.settings_json = R"({"pipeline":"etl"})";
    SECTION("of another team") {
        rig.teams = {"alice"};
        rig.pipeline("etl");
        CHECK(resolve(*rig.store, flow, "{}").error().kind == ErrorKind::NotFound);
        flow.team = "alice";
        CHECK(resolve(*rig.store, flow, "{}").ok());
    }
    SECTION("uploaded by who acts for every team") {
        rig.pipeline("etl");
        CHECK(resolve(*rig.store, flow, "{}").ok());
    }
}

TEST_CASE("names are unique without regard to case") {
    Rig rig;
    const auto pipeline = rig.pipeline("Etl");
    rig.upload("upload?name=eTL", Rig::spec(), 409);
    CHECK(rig.get("pipelines/names/etl")["name"] == "Etl");
    rig.upload("upload_version?name=V2&pipelineid=" + pipeline);
    rig.upload("upload_version?name=v2&pipelineid=" + pipeline, Rig::spec(), 409);
    rig.post("experiments", {{"display_name", "Mine"}});
    rig.post("experiments", {{"display_name", "mine"}}, 409);
    CHECK(rig.get("experiments?page_size=50")["experiments"][0]["display_name"] != "mine");
}

TEST_CASE("the default experiment stays") {
    Rig rig;
    const std::string id = rig.get("experiments")["experiments"][0]["experiment_id"];
    CHECK(rig.remove("experiments/" + id, 409)["code"] == 10);
    CHECK(rig.get("experiments/" + id)["display_name"] == "Default");
}

TEST_CASE("a message is application/json") {
    Rig rig;
    for (const auto* type : {"application/json", "Application/JSON; charset=utf-8", "application/json;x=y"})
        CHECK(
            rig.ask("POST", "experiments", R"({"display_name":")" + std::string(type) + "\"}", type).status ==
            200);
    for (const auto* type : {"", "text/plain", "TEXT/plain", "application/jsonp", "application/x-protobuf",
                             "multipart/form-data; boundary=x", "Application/X-WWW-form-urlencoded"})
        CHECK(rig.ask("POST", "experiments", R"({"display_name":"x"})", type).status == 400);
}

TEST_CASE("a run is known by its client's id and by weir's") {
    Rig rig;
    auto body = run_of(rig.pipeline("etl"));
    body["run_id"] = "My-Run_1";
    rig.post("runs", body);
    const auto found = rig.story.reader().runs({});
    REQUIRE(found.ok());
    const auto uuid = found->rows.at(0).id.to_string();
    CHECK(rig.get("runs/" + uuid)["run_id"] == "My-Run_1");
    rig.post("runs/" + uuid + ":archive");
    CHECK(rig.get("runs/My-Run_1")["display_name"] == "r");
    CHECK(rig.get("runs/My-Run_1")["storage_state"] == "ARCHIVED");
    rig.remove("runs/My-Run_1");
    rig.get("runs/" + uuid, 404);
    rig.post("runs/" + uuid + ":archive", json::object(), 404);
    CHECK(!rig.get("runs").contains("runs"));
}

TEST_CASE("lengths of names are counted in characters") {
    Rig rig;
    auto body = run_of(rig.pipeline("etl"));
    std::string name;
    for (int i = 0; i < 255; ++i)
        name += "ü";
    body["display_name"] = name;
    rig.post("runs", body);
    body["display_name"] = name + "x";
    rig.post("runs", body, 500);
}

TEST_CASE("an upload keeps its tags") {
    Rig rig;
    const auto made = rig.upload("upload?name=etl&tags=%7B%22k%22%3A%22v%22%7D");
    CHECK(made["tags"]["k"] == "v");
    const std::string pipeline = made["pipeline_id"];
    CHECK(rig.get("pipelines/" + pipeline)["tags"]["k"] == "v");
    CHECK(rig.upload("upload_version?name=v2&pipelineid=" + pipeline +
                     "&tags=%7B%22a%22%3A%22b%22%7D")["tags"]["a"] == "b");
    rig.upload("upload?name=other&tags=%7B%22k%22%3A1%7D", Rig::spec(), 400);
    rig.upload("upload?name=other&tags=nope", Rig::spec(), 400);
}
