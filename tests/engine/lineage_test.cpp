#include <algorithm>

#include <nlohmann/json.hpp>

#include <weir/engine/find.hpp>
#include <weir/engine/lineage.hpp>

#include "story.hpp"

using namespace weir;
using namespace weir::engine;
using test::Story;
using Json = nlohmann::json;

namespace {

/// orders and users -> features; features' end -> train; train makes a model that serve uses; serve was set
/// off by another event.
struct Chain {
    Story story;
    ledger::TriggerNo join, after, other;
    Seq orders, users, kick, features_end, train_end;
    ledger::RunNo features, train, serve;

    Chain() {
        join = story.trigger("t1");
        after = story.trigger("t2");
        other = story.trigger("t3");
        orders = story.event("data.ready", "o-1");
        story.commit();
        users = story.event("data.ready", "u-1");
        auto fired = story.decision(join, users, {{orders, "orders"}, {users, "users"}},
                                    ledger::Verdict::Fired, "joined", "s10:2026-11-21");
        features = story.run(fired, "features",
                             {{orders, "/lake", "o-1", "orders"}, {users, "/lake", "u-1", "users"}});
        story.commit();
        features_end = story.settle(features);
        fired = story.decision(after, features_end, {{features_end, "finish"}});
        train = story.run(fired, "train", {{features_end, "/weir/weir/ads/features", "x", "finish"}});
        story.commit();
        kick = story.event("serve.now", "k-1");
        fired = story.decision(other, kick, {{kick, "event"}});
        serve = story.run(fired, "serve", {{kick, "/lake", "k-1", "event"}});
        story.commit();
        const flows::ArtifactRecord model{"train.model", "s3://models/1", "system.Model", "{}"};
        train_end = story.settle(train, flows::Outcome::Succeeded, 1, {model});
        story.commit();
        story.settle(serve, flows::Outcome::Failed, 1, {}, {model});
        story.commit();
    }

    Lineage trace(const std::string& start, bool up, int depth = 10, std::size_t nodes = 10'000) {
        LineageQuery query{start, up, depth, nodes};
        return Story::ok(trace_lineage(story.reader(), query));
    }
};

std::size_t count(const Lineage& lineage, LineageNode::Kind kind) {
    return static_cast<std::size_t>(
        std::count_if(lineage.nodes.begin(), lineage.nodes.end(),
                      [&](const LineageNode& node) { return node.kind == kind; }));
}
bool has(const Lineage& lineage, const std::string& id) {
    return std::any_of(lineage.nodes.begin(), lineage.nodes.end(),
                       [&](const LineageNode& node) { return node.id == id; });
}
bool linked(const Lineage& lineage, const std::string& from, const std::string& to, const std::string& role) {
    return std::any_of(lineage.edges.begin(), lineage.edges.end(), [&](const LineageEdge& edge) {
        return lineage.nodes[edge.from].id == from && lineage.nodes[edge.to].id == to && edge.role == role;
    });
}

} // namespace

TEST_CASE("lineage walks up from a run to every event, artifact and run behind it") {
    Chain chain;
    auto& story = chain.story;
    const auto train = story.id_of(chain.train).to_string();
    const auto features = story.id_of(chain.features).to_string();
    const auto lineage = chain.trace(train, true);
    CHECK(lineage.nodes.front().id == train);
    CHECK(has(lineage, features));
    CHECK(has(lineage, "/lake o-1"));
    CHECK(has(lineage, "/lake u-1"));
    CHECK_FALSE(has(lineage, "/lake k-1"));
    CHECK(count(lineage, LineageNode::Kind::Decision) == 2);
    CHECK_FALSE(lineage.truncated);
    CHECK(linked(lineage, features, "/weir/weir/ads/features " + features + "/1", "settled"));

    SECTION("an artifact leads to the run that made it") {
        const auto serve = chain.trace(story.id_of(chain.serve).to_string(), true);
        CHECK(has(serve, "s3://models/1"));
        CHECK(has(serve, train));
        CHECK(has(serve, "/lake o-1"));
        CHECK(linked(serve, train, "s3://models/1", "made"));
        CHECK(linked(serve, "s3://models/1", story.id_of(chain.serve).to_string(), "used"));
    }
    SECTION("depth counts runs and says when more lies beyond") {
        const auto one = chain.trace(train, true, 1);
        CHECK(has(one, features));
        CHECK_FALSE(has(one, "/lake o-1"));
        CHECK(one.truncated);
        const auto none = chain.trace(train, true, 0);
        CHECK(none.nodes.size() == 1);
        CHECK(none.truncated);
    }
    SECTION("a limit on nodes is kept and said") {
        const auto few = chain.trace(train, true, 10, 3);
        CHECK(few.nodes.size() == 3);
        CHECK(few.truncated);
    }
}

TEST_CASE("lineage walks down from an event to everything it set off") {
    Chain chain;
    auto& story = chain.story;
    const auto lineage = chain.trace("o-1", false);
    CHECK(lineage.nodes.front().id == "/lake o-1");
    CHECK(count(lineage, LineageNode::Kind::Run) == 3);
    CHECK(has(lineage, "s3://models/1"));
    CHECK(has(lineage, story.id_of(chain.serve).to_string()));
    // The other half of the join is a cause, not an effect.
    CHECK_FALSE(has(lineage, "/lake u-1"));
    CHECK_FALSE(lineage.truncated);

    const auto artifact = chain.trace("s3://models/1", false);
    CHECK(count(artifact, LineageNode::Kind::Run) == 1);
    const auto flow = chain.trace("ads/train", true);
    CHECK(flow.nodes.front().id == story.id_of(chain.train).to_string());
    const auto decision = Story::ok(story.reader().run(chain.train)).decision_id.to_string();
    CHECK(chain.trace(decision, false).nodes.front().kind == LineageNode::Kind::Decision);
}

TEST_CASE("a decision that launched nothing is shown with the events it used") {
    Story story;
    const auto trigger = story.trigger("t1");
    const auto a = story.event("data.ready", "a");
    story.commit();
    const auto b = story.event("data.ready", "b");
    story.decision(trigger, b, {{a, "x"}, {b, "y"}}, ledger::Verdict::Suppressed, "overlap_skip");
    story.commit();
    LineageQuery query;
    query.start = "a";
    const auto lineage = Story::ok(trace_lineage(story.reader(), query));
    REQUIRE(lineage.nodes.size() == 2);
    const auto row = Json::parse(lineage.nodes[1].json);
    CHECK(row["verdict"] == "suppressed");
    CHECK(row["trigger"] == "t1");
    CHECK(row["run"].is_null());
    REQUIRE(row["events"].size() == 2);
    CHECK(row["events"][1]["id"] == "b");
    CHECK(row["events"][1]["role"] == "y");
}

TEST_CASE("the tree tells the story line by line and repeats nothing") {
    Chain chain;
    const auto lineage = chain.trace("o-1", false);
    const auto tree = lineage_tree(lineage, false);
    INFO(tree);
    CHECK(tree.rfind("event data.ready  id o-1", 0) == 0);
    CHECK(
        tree.find("└─ orders: trigger ads/t1 v1 fired (joined)  key \"2026-11-21\"  ->  run ads/features ") !=
        std::string::npos);
    CHECK(tree.find("made: artifact s3://models/1") != std::string::npos);
    CHECK(tree.find("used: run ads/serve") != std::string::npos);
    const auto up = lineage_tree(chain.trace(chain.story.id_of(chain.serve).to_string(), true), true);
    INFO(up);
    CHECK(up.find("finish: run ads/features") != std::string::npos);
    CHECK(up.find("used: artifact s3://models/1") != std::string::npos);

    SECTION("a node reached twice is drawn once and referred to") {
        Lineage diamond;
        for (const char* name : {"a", "b", "c", "d", "e"})
            diamond.nodes.push_back({LineageNode::Kind::Run, name, std::string("run ") + name, "{}"});
        diamond.edges = {{0, 1, "x"}, {0, 2, "x"}, {1, 3, "x"}, {2, 3, "x"}, {3, 4, "x"}};
        const auto drawn = lineage_tree(diamond, false);
        INFO(drawn);
        CHECK(drawn ==
              "run a\n"
              "├─ x: run b\n"
              "│  └─ x: [1] run d\n"
              "│     └─ x: run e\n"
              "└─ x: run c\n"
              "   └─ x: see [1]: run d\n");
    }
    SECTION("which attempt set something off is said where there were several") {
        auto& story = chain.story;
        const auto seq = story.event("data.ready", "o-2");
        auto fired = story.decision(chain.other, seq, {{seq, "event"}});
        const auto run = story.run(fired, "flaky", {{seq, "/lake", "o-2", "event"}});
        story.commit();
        const auto failed = story.settle(run, flows::Outcome::Failed, 1);
        fired = story.decision(chain.after, failed, {{failed, "finish"}});
        const auto alert = story.run(fired, "alert", {{failed, "/weir/weir/ads/flaky", "x", "finish"}});
        story.commit();
        story.settle(run, flows::Outcome::Succeeded, 2);
        story.commit();
        const auto below = lineage_tree(chain.trace("o-2", false), false);
        INFO(below);
        CHECK(below.find("attempt 2") != std::string::npos);
        CHECK(below.find("finish: trigger ads/t2 v1 fired (match)  (attempt 1 ended ") != std::string::npos);
        const auto above = lineage_tree(chain.trace(story.id_of(alert).to_string(), true), true);
        INFO(above);
        CHECK(above.find("  (attempt 1 ended ") != std::string::npos);
    }
    SECTION("a cycle ends") {
        Lineage ring;
        ring.nodes = {{LineageNode::Kind::Run, "a", "run a", "{}"},
                      {LineageNode::Kind::Run, "b", "run b", "{}"}};
        ring.edges = {{0, 1, "x"}, {1, 0, "x"}};
        CHECK(lineage_tree(ring, false).size() < 200);
    }
}

TEST_CASE("text from payloads cannot speak to the terminal") {
    Story story;
    const auto trigger = story.trigger("t1");
    const auto seq = story.event("data.ready", "evil\x1b[2J\nid");
    story.decision(trigger, seq, {{seq, "event"}}, ledger::Verdict::Suppressed, "overlap_skip");
    story.commit();
    LineageQuery query;
    query.start = "evil\x1b[2J\nid";
    const auto lineage = Story::ok(trace_lineage(story.reader(), query));
    const auto tree = lineage_tree(lineage, false);
    CHECK(tree.find('\x1b') == std::string::npos);
    CHECK(std::count(tree.begin(), tree.end(), '\n') == 2);
    CHECK(Json::parse(lineage_json(lineage))["nodes"][0]["id"] == "/lake evil\x1b[2J\nid");
}

TEST_CASE("lineage as JSON holds rows, edges by index and whether it is all") {
    Chain chain;
    const auto json = Json::parse(lineage_json(chain.trace("u-1", false)));
    CHECK(json["truncated"] == false);
    CHECK(json["nodes"][0]["kind"] == "event");
    CHECK(json["nodes"][0]["row"]["id"] == "u-1");
    for (const auto& edge : json["edges"]) {
        CHECK(edge["from"].get<std::size_t>() < json["nodes"].size());
        CHECK(edge["to"].get<std::size_t>() < json["nodes"].size());
    }
}

TEST_CASE("a start that is nothing, or several things, is refused with what to do") {
    Chain chain;
    auto& reader = chain.story.reader();
    const auto error = [&](const std::string& start) {
        const auto result = trace_lineage(reader, LineageQuery{start, false, 10, 100});
        REQUIRE_FALSE(result.ok());
        return result.error();
    };
    CHECK(error("nothing").kind == ErrorKind::NotFound);
    CHECK(error("nothing").message.find("weir events") != std::string::npos);
    CHECK(error("ads/none").kind == ErrorKind::NotFound);
    CHECK(error("").kind == ErrorKind::Invalid);
    chain.story.event("data.ready", "o-1", "{}", "/other");
    chain.story.commit();
    CHECK(error("o-1").kind == ErrorKind::Invalid);
    CHECK(error("o-1").message.find("\"/other o-1\"") != std::string::npos);
    CHECK(chain.trace("/other o-1", false).nodes.size() == 1);
    CHECK_FALSE(trace_lineage(reader, LineageQuery{"u-1", false, 1001, 100}).ok());
    CHECK_FALSE(trace_lineage(reader, LineageQuery{"u-1", false, 1, 0}).ok());
}
