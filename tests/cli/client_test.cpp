#include <nlohmann/json.hpp>
#include <support/catch.hpp>

#include <weir/base/ids.hpp>

#include "rig.hpp"

using namespace weir::cli;
using weir::Error;
using weir::ErrorKind;
using weir::Seq;
using weir::Uuid;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;
using weir::cli::test::Served;
namespace engine = weir::engine;
namespace flows = weir::flows;

namespace {

std::string fire(Served& served, const std::string& id = "e0") {
    auto& story = served.rig.story;
    const auto trigger = story.trigger(
        "retrain",
        R"({"trigger":"retrain","team":"ads","when":{"event":"data.ready"},"launch":{"flow":"train"}})");
    const auto event = story.event("data.ready", id);
    const auto decision = story.decision(trigger, event, {{event, "orders"}});
    const auto run = story.run(decision, "train", {{event, "/lake", id, "orders"}});
    story.commit();
    served.rig.engine.run = story.id_of(run);
    return served.rig.engine.run.to_string();
}

} // namespace

TEST_CASE("no server: the error says what to do") {
    const auto outcome = invoke({"runs", "--server", "http://127.0.0.1:1"});
    CHECK(outcome.code == 1);
    CHECK(holds(outcome.err, "no weir server answers at http://127.0.0.1:1; is `weir dev` running?"));
    CHECK(outcome.out.empty());
    CHECK(holds(invoke({"runs", "--server", "ftp://x"}).err, "expected http://HOST:PORT"));
}

TEST_CASE("a server that is not weir is named as such") {
    auto other = weir::server::HttpServer::start("127.0.0.1", 0,
                                                 {[](const auto&) {
                                                      return weir::server::Admission{0, {}};
                                                  },
                                                  [](const auto&) {
                                                      return weir::server::Response{200, {}, "<html>"};
                                                  }});
    REQUIRE(other.ok());
    const auto outcome = invoke({"runs", "--server", "http://127.0.0.1:" + std::to_string((*other)->port())});
    CHECK(outcome.code == 1);
    CHECK(holds(outcome.err, "not that of a weir server"));
}

TEST_CASE("listings are tables for people and lines for programs") {
    Served served;
    const auto run = fire(served);
    const auto table = invoke({"runs"});
    CHECK(table.code == 0);
    CHECK(table.out.starts_with("RUN"));
    CHECK(holds(table.out, run + "  ads/train  running"));
    const auto lines = invoke({"runs", "--json"});
    CHECK(nlohmann::json::parse(lines.out)["run"] == run);
    CHECK(std::count(lines.out.begin(), lines.out.end(), '\n') == 1);
    CHECK(holds(invoke({"triggers"}).out, "ads/retrain"));
    CHECK(holds(invoke({"decisions", "--verdict", "fired"}).out, "ads/retrain"));
    CHECK(holds(invoke({"events", "--type", "data.*"}).out, "data.ready"));
    CHECK(invoke({"events", "--type", "none"}).out.empty());
    CHECK(invoke({"events", "--type", "none"}).err == "no events match\n");
    CHECK(invoke({"events", "--type", "none", "--json"}).err.empty());
    CHECK(invoke({"flows"}).code == 0);
    CHECK(invoke({"audit"}).code == 0);
    const auto wrong = invoke({"runs", "--state", "runing"});
    CHECK(wrong.code == 1);
    CHECK(holds(wrong.err, "did you mean \"running\"?"));
}

TEST_CASE("a listing goes over pages until its limit") {
    Served served;
    for (int i = 0; i < 2500; ++i)
        served.rig.story.event("data.ready", "e" + std::to_string(i));
    served.rig.story.commit();
    const auto count = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
    CHECK(count(invoke({"events", "--json", "-n", "10000"}).out) == 2500);
    CHECK(count(invoke({"events", "--json", "-n", "1500"}).out) == 1500);
    CHECK(count(invoke({"events", "--json"}).out) == 50);
}

TEST_CASE("text from payloads cannot command the terminal") {
    Served served;
    fire(served, "\x1b]0;evil\x07");
    for (const auto& words : std::vector<std::vector<std::string>>{{"events"}, {"lineage", "ads/train"}}) {
        const auto outcome = invoke(words);
        INFO(outcome.out + outcome.err);
        CHECK(outcome.code == 0);
        CHECK(!holds(outcome.out, "\x1b"));
        CHECK(!holds(outcome.out, "\x07"));
        CHECK(holds(outcome.out, "\\x1b]0;evil"));
    }
    // Logs may hold anything; tabs and line breaks stay.
    served.rig.tasks.records = {{"train", flows::TaskState::Succeeded}};
    served.rig.tasks.logs["train"] = "a\tb\n\x1b[2J\n";
    CHECK(invoke({"logs", served.rig.engine.run.to_string()}).out == "==> train <==\na\tb\n\\x1b[2J\n");
}

TEST_CASE("manual acts carry who and why") {
    Served served;
    const auto run = fire(served);
    const auto& acts = served.rig.engine.acts;
    CHECK(invoke({"pause", "ads/retrain"}).out == "paused trigger ads/retrain; its firings wait\n");
    CHECK(acts.back() == "pause ads/retrain by local:alice: by hand");
    CHECK(invoke({"resume", "ads/retrain", "--replay", "--reason", "done \"now\""}).code == 0);
    CHECK(acts.back() == "resume ads/retrain replay by local:alice: done \"now\"");
    CHECK(invoke({"resume", "ads/retrain", "--drop"}).code == 0);
    CHECK(holds(acts.back(), "drop"));
    CHECK(invoke({"cancel", run}).code == 0);
    CHECK(acts.back() == "cancel " + run + " by local:alice: by hand");
    CHECK(invoke({"retry", run, "--json"}).code == 0);
    CHECK(holds(invoke({"retry", run}).out, "run " + run + " is tried again: attempt "));
    CHECK(invoke({"delete", "retrain", "--reason", "a & b + c"}).code == 0);
    CHECK(acts.back() == "delete default/retrain by local:alice: a & b + c");
    served.rig.engine.failure = Error(ErrorKind::NotFound, "there is no trigger ads/none");
    const auto failed = invoke({"pause", "ads/none"});
    CHECK(failed.code == 1);
    CHECK(failed.err == "weir: there is no trigger ads/none\n");
}

TEST_CASE("what a run says of itself") {
    Served served;
    const Folder folder;
    const std::string run = "0190b3a2-0000-8000-8000-000000000001";
    const auto& said = served.rig.engine.said;
    auto outcome =
        invoke({"report", run, "--outcome", "succeeded", "--outputs", R"({"rows": 10})", "--artifact",
                "model=s3://m/7?v=1", "--artifact", "log=file:///l", "--attempt", "3"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out == "run " + run + ": recorded\n");
    REQUIRE(said.size() == 1);
    CHECK(said[0].run.to_string() == run);
    CHECK(said[0].outcome == flows::Outcome::Succeeded);
    CHECK(said[0].attempt == 3);
    CHECK(said[0].outputs_json == R"({"rows":10})");
    REQUIRE(said[0].artifacts.size() == 2);
    CHECK(said[0].artifacts[0].name == "model");
    CHECK(said[0].artifacts[0].uri == "s3://m/7?v=1");
    CHECK(invoke({"report", run, "--outputs", "@" + folder.write("o.json", " {\"a\": [1]}\n")}).code == 0);
    CHECK(said.back().outputs_json == R"({"a":[1]})");
    CHECK(!said.back().outcome);
    CHECK(invoke({"report", run, "--outcome", "failed", "--error", "no \"memory\""}).code == 0);
    CHECK(said.back().error == "no \"memory\"");
    served.rig.engine.report_is_news = false;
    CHECK(invoke({"report", run, "--outcome", "failed"}).out == "run " + run + ": this was known already\n");
    CHECK(nlohmann::json::parse(invoke({"report", run, "--outcome", "failed", "--json"}).out)["recorded"] ==
          false);

    const auto sent = said.size();
    CHECK(invoke({"report", run}).code == 2);
    CHECK(invoke({"report", "--outcome", "failed"}).code == 2);
    CHECK(invoke({"report", run, "--outcome", "lost"}).code == 2);
    CHECK(invoke({"report", run, "--outcome", "succeeded", "--error", "x"}).code == 2);
    CHECK(invoke({"report", run, "--artifact", "model"}).code == 2);
    CHECK(invoke({"report", run, "--outcome", "failed", "--attempt", "0"}).code == 2);
    CHECK(holds(invoke({"report", run, "--outputs", "[1]"}).err, "expected a JSON object"));
    CHECK(holds(invoke({"report", run, "--outputs", "{"}).err, "--outputs"));
    CHECK(invoke({"report", run, "--outputs", "@" + folder.path() + "/none"}).code == 1);
    CHECK(invoke({"report", "no-id", "--outcome", "failed"}).code == 1);
    CHECK(said.size() == sent);
}

TEST_CASE("a flow is run with parameters of its declared types") {
    Served served;
    fire(served);
    const auto plain = invoke({"run", "ads/train"});
    CHECK(plain.code == 0);
    CHECK(plain.out == served.rig.engine.run.to_string() + "\n");
    CHECK(holds(served.rig.engine.acts.back(), "run ads/train {}"));
    // A time-led id, so that the run made of it says when it was asked for.
    REQUIRE(Uuid::parse(served.rig.engine.request_ids.back()).ok());
    CHECK(Uuid::parse(served.rig.engine.request_ids.back())->bytes[6] >> 4 == 8);
    CHECK(invoke({"run", "ads/train", "--request-id", "nightly"}).code == 0);
    CHECK(served.rig.engine.request_ids.back() == "nightly");
    const auto unknown = invoke({"run", "ads/none", "a=1"});
    CHECK(unknown.code == 1);
    CHECK(holds(unknown.err, "no flow ads/none"));
}

TEST_CASE("why and lineage are printed") {
    Served served;
    const auto run = fire(served);
    CHECK(holds(invoke({"why", run}).out, "e0"));
    CHECK(nlohmann::json::parse(invoke({"why", run, "--json"}).out).is_object());
    CHECK(holds(invoke({"why", "--trigger", "ads/retrain", "--event", "e0"}).out, "e0"));
    const auto tree = invoke({"lineage", run});
    CHECK(tree.code == 0);
    CHECK(holds(tree.out, "e0"));
    CHECK(
        nlohmann::json::parse(invoke({"lineage", "e0", "--down", "--format", "json"}).out)["nodes"].size() ==
        3);
    CHECK(invoke({"why", "0190b3a2-0000-8000-8000-000000000000"}).code == 1);
}

TEST_CASE("logs of one task, of all, of none") {
    Served served;
    const auto run = fire(served);
    served.rig.tasks.records = {{"load", flows::TaskState::Succeeded}, {"train", flows::TaskState::Running}};
    served.rig.tasks.logs = {{"load", "one\n"}, {"train", "two"}};
    CHECK(invoke({"logs", run}).out == "==> load <==\none\n==> train <==\ntwo\n");
    CHECK(invoke({"logs", run, "load"}).out == "one\n");
    const auto none = invoke({"logs", run, "lode"});
    CHECK(none.code == 1);
    CHECK(holds(none.err, "it has load, train"));
}
