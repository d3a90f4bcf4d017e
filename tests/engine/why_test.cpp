#include <nlohmann/json.hpp>

#include <weir/engine/why.hpp>
#include <weir/triggers/document.hpp>

#include "story.hpp"

using namespace weir;
using namespace weir::engine;
using test::Story;
using Json = nlohmann::json;

namespace {

std::string document(const std::string& text) {
    Problems problems;
    const auto read = triggers::read_triggers(text, "t.yaml", problems);
    for (const auto& problem : problems)
        FAIL(problem.to_string());
    REQUIRE(read.size() == 1);
    return read.front().canonical_json;
}

const std::string single = R"(
trigger: t1
team: ads
when:
  event: data.ready
  where: 'event.data.table == "orders"'
launch:
  flow: train
  parameters: {date: 'event.data.date'}
)";
const std::string join = R"(
trigger: t1
team: ads
when:
  all:
    orders: {event: data.ready, where: 'event.data.table == "orders"'}
    users: {event: data.ready, where: 'event.data.table == "users"'}
  key: 'event.data.date'
  within: 6h
launch: {flow: train}
)";

struct Fixture {
    Story story;
    ledger::TriggerNo no;
    explicit Fixture(const std::string& text) : no(story.trigger("t1", document(text))) {}
    WhyVerdict ask(const std::string& event) {
        return Story::ok(why_event(story.reader(), event, "ads", "t1"));
    }
    bool says(const WhyVerdict& verdict, const std::string& words) {
        INFO(verdict.text);
        const bool found = verdict.text.find(words) != std::string::npos;
        CHECK(found);
        return found;
    }
};

} // namespace

TEST_CASE("why: an event that fired names its run and the run's state") {
    Fixture f(single);
    const auto seq = f.story.event("data.ready", "o-1", R"({"table":"orders","date":"d1"})");
    const auto decision = f.story.decision(f.no, seq, {{seq, "event"}});
    const auto run = f.story.run(decision, "train", {{seq, "/lake", "o-1", "event"}});
    f.story.commit();
    const auto verdict = f.ask("o-1");
    CHECK(verdict.verdict == "fired");
    CHECK(verdict.reason == "match");
    CHECK(verdict.trigger_version == 1);
    CHECK_FALSE(verdict.recomputed);
    REQUIRE(verdict.run);
    CHECK(*verdict.run == f.story.id_of(run));
    f.says(verdict, "has been running since");
    f.story.settle(run, flows::Outcome::Failed);
    f.story.commit();
    f.says(f.ask("o-1"), "failed at");
    f.says(f.ask("o-1"), "weir retry ");
    const auto json = Json::parse(why_json(f.ask("o-1")));
    CHECK(json["verdict"] == "fired");
    CHECK(json["clause"].is_null());
    CHECK(json["run"] == f.story.id_of(run).to_string());
}

TEST_CASE("why: a filtered event names the clause and the values, from the payload") {
    Fixture f(single);
    f.story.event("data.ready", "u-1", R"({"table":"users"})");
    f.story.event("data.gone", "g-1");
    f.story.event("data.ready", "n-1", R"({"other":1})");
    f.story.commit();
    const auto where = f.ask("u-1");
    CHECK(where.verdict == "filtered");
    CHECK(where.reason == "where");
    CHECK(where.recomputed);
    CHECK(where.clause == R"(event.data.table == "orders")");
    CHECK(where.values == R"(event.data.table = "users")");
    f.says(where, "turned it away");
    const auto pattern = f.ask("g-1");
    CHECK(pattern.verdict == "filtered");
    CHECK(pattern.reason == "pattern");
    CHECK(pattern.clause == "event: data.ready");
    f.says(pattern, "type is \"data.gone\", expected data.ready");
    const auto missing = f.ask("n-1");
    CHECK(missing.reason == "where");
    INFO(missing.values);
    CHECK(missing.values.find("event.data.table is missing") != std::string::npos);
}

TEST_CASE("why: not recorded, not registered yet, deleted, another version") {
    Fixture f(single);
    CHECK(why_event(f.story.reader(), "nothing", "ads", "t1").error().kind == ErrorKind::NotFound);
    CHECK(why_event(f.story.reader(), "nothing", "ads", "t1").error().message.find("only counted") !=
          std::string::npos);
    CHECK(why_event(f.story.reader(), "nothing", "ads", "t9").error().message.find("weir triggers") !=
          std::string::npos);

    f.story.event("data.ready", "early", R"({"table":"orders"})");
    f.story.commit();
    f.story.trigger("t2", document(single));
    const auto early = Story::ok(why_event(f.story.reader(), "early", "ads", "t2"));
    CHECK(early.verdict == "filtered");
    CHECK(early.reason == "not_registered");
    f.says(early, "before trigger ads/t2 was registered at");

    // A later version would take it; the one in force did not.
    f.story.event("data.ready", "u-1", R"({"table":"users"})");
    f.story.commit();
    auto changed = single;
    changed.replace(changed.find("orders"), 6, "users");
    f.story.version(f.no, "t1", 2, document(changed));
    const auto before = f.ask("u-1");
    CHECK(before.reason == "where");
    CHECK(before.trigger_version == 1);

    f.story.remove(f.no);
    f.story.event("data.ready", "late", R"({"table":"users"})");
    f.story.commit();
    const auto late = f.ask("late");
    CHECK(late.reason == "not_registered");
    f.says(late, "deleted at");
}

TEST_CASE("why: duplicates tell of the first one, conflicts are named") {
    Fixture f(single);
    const auto event = f.story.make_event("data.ready", "o-1", R"({"table":"users"})");
    const auto first = f.story.event(event);
    f.story.commit();
    auto other = event;
    other.data = R"({"table":"orders"})";
    const auto second = f.story.duplicate(other, first, true);
    f.story.commit();
    const auto row = Story::ok(f.story.reader().input(second));
    const auto verdict = Story::ok(why_event(f.story.reader(), row, f.no));
    CHECK(verdict.verdict == "suppressed");
    CHECK(verdict.reason == "duplicate");
    f.says(verdict, "its content differs");
    f.says(verdict, "Of the first one: ");
    f.says(verdict, "turned it away");
    // By name the original is meant.
    CHECK(f.ask("o-1").reason == "where");
}

TEST_CASE("why: suppressed and failed decisions say why and what to do") {
    Fixture f(single);
    const auto a = f.story.event("data.ready", "a", R"({"table":"orders"})");
    f.story.decision(f.no, a, {{a, "event"}}, ledger::Verdict::Suppressed, "overlap_skip");
    f.story.commit();
    CHECK(f.ask("a").verdict == "suppressed");
    CHECK(f.ask("a").reason == "overlap_skip");
    f.says(f.ask("a"), "overlap: queue");
    const auto b = f.story.event("data.ready", "b", R"({"table":"orders"})");
    f.story.decision(f.no, b, {{b, "event"}}, ledger::Verdict::Failed, "parameters_failed");
    f.story.commit();
    CHECK(f.ask("b").verdict == "failed");
    f.says(f.ask("b"), "what went wrong");
    // Failures past the first hundred of an hour are not stored, and computed again.
    f.story.event("data.ready", "c", R"({"table":"orders"})");
    f.story.commit();
    const auto again = f.ask("c");
    CHECK(again.verdict == "failed");
    CHECK(again.reason == "parameters_failed");
    CHECK(again.recomputed);
    f.says(again, "first 100");
}

TEST_CASE("why: a held event says what it waits for and until when") {
    Fixture f(join);
    const auto a = f.story.event("data.ready", "a", R"({"table":"orders","date":"d1"})");
    f.story.hold(f.no, 0, "orders", "s2:d1", a);
    f.story.commit();
    const auto held = f.ask("a");
    CHECK(held.verdict == "held");
    CHECK(held.reason == "waiting");
    CHECK(held.waits_for == std::vector<std::string>{"users"});
    REQUIRE(held.until);
    CHECK(*held.until == f.story.time_of(a) + std::chrono::hours(6));
    f.says(held, "It waits for `users` with the same key, until ");
    CHECK(Json::parse(why_json(held))["waits_for"] == Json::array({"users"}));

    SECTION("an hour too many later it has died") {
        f.story.idle(std::chrono::hours(7));
        f.story.commit();
        CHECK(f.ask("a").verdict == "expired");
        f.says(f.ask("a"), "nothing completed it within 6h");
    }
    SECTION("the other half comes: both fired, each says so in its way") {
        const auto b = f.story.event("data.ready", "b", R"({"table":"users","date":"d1"})");
        const auto decision = f.story.decision(f.no, b, {{a, "orders"}, {b, "users"}}, ledger::Verdict::Fired,
                                               "joined", "s2:d1");
        f.story.run(decision, "train", {{a, "/lake", "a", "orders"}, {b, "/lake", "b", "users"}},
                    ledger::RunState::Waiting);
        f.story.leave(f.no, 0, a, b, "consumed", decision);
        f.story.commit();
        CHECK(f.ask("a").verdict == "fired");
        CHECK(f.ask("a").reason == "joined");
        CHECK(f.ask("b").verdict == "fired");
        f.says(f.ask("a"), "was used by trigger ads/t1");
        f.says(f.ask("b"), "completed trigger ads/t1");
        f.says(f.ask("b"), "`orders` a on key \"d1\"");
    }
    SECTION("a newer one takes its place") {
        const auto b = f.story.event("data.ready", "b", R"({"table":"orders","date":"d1"})");
        f.story.hold(f.no, 0, "orders", "s2:d1", b);
        f.story.leave(f.no, 0, a, b, "superseded");
        f.story.commit();
        CHECK(f.ask("a").verdict == "suppressed");
        CHECK(f.ask("a").reason == "superseded");
        f.says(f.ask("a"), "b from /lake");
        CHECK(f.ask("b").verdict == "held");
    }
    SECTION("a firing that failed used it up") {
        const auto b = f.story.event("data.ready", "b", R"({"table":"users","date":"d1"})");
        const auto decision = f.story.decision(f.no, b, {}, ledger::Verdict::Failed, "parameters_failed");
        f.story.leave(f.no, 0, a, b, "consumed", decision);
        f.story.commit();
        CHECK(f.ask("a").verdict == "failed");
        CHECK(f.ask("a").reason == "parameters_failed");
    }
}

TEST_CASE("why: what ends a held event without a firing, and what does not help it") {
    Fixture f(join);
    const auto a = f.story.event("data.ready", "a", R"({"table":"orders","date":"d1"})");
    f.story.hold(f.no, 0, "orders", "s2:d1", a);
    f.story.commit();

    SECTION("an update or a deletion ends it") {
        const auto out = f.story.idle();
        f.story.leave(f.no, 0, a, out, "updated");
        f.story.commit();
        CHECK(f.ask("a").reason == "updated");
    }
    SECTION("another key does not help it") {
        const auto b = f.story.event("data.ready", "b", R"({"table":"users","date":"d2"})");
        f.story.hold(f.no, 1, "users", "\"d2\"", b);
        f.story.commit();
        CHECK(f.ask("a").waits_for == std::vector<std::string>{"users"});
        CHECK(f.ask("b").waits_for == std::vector<std::string>{"orders"});
    }
    SECTION("a key that fails is a failure, stored or computed again") {
        f.story.event("data.ready", "nokey", R"({"table":"orders"})");
        f.story.commit();
        CHECK(f.ask("nokey").verdict == "failed");
        CHECK(f.ask("nokey").reason == "key_failed");
        CHECK(f.ask("nokey").recomputed);
    }
}

TEST_CASE("why: a payload that is gone is said to be gone") {
    // Story's ledger keeps payloads; a row of another reader without its body is what retention leaves.
    Fixture f(single);
    auto event = f.story.make_event("data.ready", "u-1", R"({"table":"users"})");
    f.story.event(event);
    f.story.commit();
    f.story.idle(std::chrono::hours(24 * 40));
    f.story.commit();
    f.story.retain();
    const auto verdict = f.ask("u-1");
    CHECK(verdict.verdict == "filtered");
    CHECK(verdict.reason == "payload_dropped");
    f.says(verdict, "no longer retained");
}

TEST_CASE("why of a run: trigger, events with the values used, parameters, state") {
    Fixture f(single);
    const auto seq = f.story.event("data.ready", "o-1", R"({"table":"orders","date":"d1"})");
    const auto decision = f.story.decision(f.no, seq, {{seq, "event"}});
    const auto run = f.story.run(decision, "train", {{seq, "/lake", "o-1", "event"}});
    f.story.commit();
    const auto why = Story::ok(why_run(f.story.reader(), f.story.id_of(run)));
    INFO(why.text);
    CHECK(why.text.find("Run " + f.story.id_of(run).to_string()) == 0);
    CHECK(why.text.find("trigger ads/t1 version 1 fired at") != std::string::npos);
    CHECK(why.text.find("event: data.ready o-1 from /lake") != std::string::npos);
    CHECK(why.text.find("data.table = \"orders\"") != std::string::npos);
    CHECK(why.text.find("data.date = \"d1\"") != std::string::npos);
    CHECK(why.text.find("parameters  {\"date\":\"2026-11-21\"}") != std::string::npos);
    const auto json = Json::parse(why.json);
    CHECK(json["run"]["flow"] == "train");
    CHECK(json["decision"]["verdict"] == "fired");
    CHECK(json["events"][0]["data"]["table"] == "orders");
    CHECK(why_run(f.story.reader(), RunId{}).error().kind == ErrorKind::NotFound);
}
