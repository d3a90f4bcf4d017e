#include <set>

#include <support/catch.hpp>

#include "rig.hpp"

using namespace weir::cli;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;
using weir::cli::test::Served;

namespace {

std::vector<std::string> ids(const Served& served) {
    std::vector<std::string> out;
    for (const auto& event : served.rig.engine.published)
        out.push_back(event.id);
    return out;
}

} // namespace

TEST_CASE("one event") {
    Served served;
    const auto outcome = invoke({"publish", "data.ready", "--data", R"({"table": "orders"})", "--subject",
                                 "orders", "--id", "load-17"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out == "published data.ready load-17\n");
    REQUIRE(served.rig.engine.published.size() == 1);
    const auto& event = served.rig.engine.published[0];
    CHECK(event.source == "/weir/cli");
    CHECK(event.subject == "orders");
    CHECK(event.data == R"({"table":"orders"})");
    CHECK(invoke({"publish", "data.ready"}).code == 0);
    CHECK(invoke({"publish", "data.ready"}).code == 0);
    CHECK(ids(served)[1] != ids(served)[2]);
    const Folder folder;
    const auto file = folder.write("data.json", "[1, 2]\n");
    CHECK(invoke({"publish", "data.ready", "--data", "@" + file, "--json"})
              .out.starts_with(R"({"accepted":1,)"));
    CHECK(served.rig.engine.published.back().data == "[1,2]");
}

TEST_CASE("an event that is wrong is not sent") {
    Served served;
    const auto bad = invoke({"publish", "data.ready", "--data", "{orders}"});
    CHECK(bad.code == 1);
    CHECK(holds(bad.err, "--data is not JSON"));
    CHECK(holds(invoke({"publish", "data.ready", "--data", "@/nowhere"}).err, "cannot read /nowhere"));
    CHECK(invoke({"publish", "data.ready", "--source", "not a uri"}).code == 1);
    CHECK(invoke({"publish", "data.ready", "--subject", "\xff"}).code == 1);
    CHECK(served.rig.engine.published.empty());
}

TEST_CASE("a file of events, twice: the same ids") {
    Served served;
    const Folder folder;
    std::string text;
    for (int i = 0; i < 2500; ++i)
        text += "{\"n\":" + std::to_string(i % 3) + "}\n";
    const auto file = folder.write("events.jsonl", text);
    const auto first = invoke({"publish", "data.ready", "--file", file});
    CHECK(first.out == "published 2500 events\n");
    CHECK(first.err.empty());
    auto all = ids(served);
    REQUIRE(all.size() == 2500);
    CHECK(std::set<std::string>(all.begin(), all.end()).size() == 2500);
    served.rig.engine.published.clear();
    CHECK(invoke({"publish", "data.ready", "--file", file}).code == 0);
    CHECK(ids(served) == all);
    // Another file is other events, though its lines are the same.
    served.rig.engine.published.clear();
    CHECK(invoke({"publish", "data.ready", "--file", folder.write("more.jsonl", text + "{}\n")}).code == 0);
    CHECK(ids(served)[0] != all[0]);
}

TEST_CASE("CloudEvents a line, with and without ids") {
    Served served;
    const Folder folder;
    const auto file = folder.write(
        "events.jsonl", R"({"specversion":"1.0","type":"a","source":"/x","id":"1","data":{"big":1e400}})"
                        "\n"
                        R"({"specversion":"1.0","type":"a","source":"/x","id":"1","data":1.50})"
                        "\n\n"
                        R"({"specversion":"1.0","type":"a","ext":"kept"})");
    const auto refused = invoke({"publish", "--file", file});
    CHECK(refused.code == 1);
    CHECK(holds(refused.err, "events.jsonl:1"));
    CHECK(served.rig.engine.published.empty());

    const auto good =
        folder.write("good.jsonl", R"({"specversion":"1.0","type":"a","source":"/x","id":"1","data":1.50})"
                                   "\n\n"
                                   R"(  {"specversion":"1.0","type":"a","ext":"kept"})");
    CHECK(invoke({"publish", "--file", good}).out == "published 2 events\n");
    REQUIRE(served.rig.engine.published.size() == 2);
    CHECK(served.rig.engine.published[0].data == "1.50");
    CHECK(served.rig.engine.published[1].source == "/weir/cli");
    CHECK(served.rig.engine.published[1].extension("ext")->value == "kept");
    CHECK(served.rig.engine.published[1].id.size() == 32);
}

TEST_CASE("a bad line anywhere stops all of a file before anything is sent") {
    Served served;
    const Folder folder;
    std::string text;
    for (int i = 0; i < 3000; ++i)
        text += "{}\n";
    const auto file = folder.write("events.jsonl", text + "{\n");
    const auto outcome = invoke({"publish", "data.ready", "--file", file});
    CHECK(outcome.code == 1);
    CHECK(holds(outcome.err, "events.jsonl:3001"));
    CHECK(served.rig.engine.published.empty());
    CHECK(holds(invoke({"publish", "--file", folder.write("plain.jsonl", "{}\n")}).err, "give its type"));
    CHECK(invoke({"publish", "x", "--file", folder.path() + "/none"}).code == 1);
    const auto deep = folder.write("deep.jsonl", std::string(10'000, '[') + std::string(10'000, ']'));
    CHECK(holds(invoke({"publish", "x", "--file", deep}).err, "deep.jsonl:1"));
    const auto large = folder.write("large.jsonl", "\"" + std::string(1'100'000, 'x') + "\"");
    CHECK(holds(invoke({"publish", "x", "--file", large}).err, "1 MiB"));
}

TEST_CASE("a refusal of the server ends a file with how far it came") {
    Served served;
    const Folder folder;
    served.rig.engine.failure = weir::Error(weir::ErrorKind::Conflict, "no");
    const auto outcome = invoke({"publish", "x", "--file", folder.write("events.jsonl", "{}\n")});
    CHECK(outcome.code == 1);
    CHECK(holds(outcome.err, "no; 0 events were accepted before that"));
}

TEST_CASE("without a server nothing is waited for") {
    const auto outcome = invoke({"publish", "x", "--server", "http://127.0.0.1:1"});
    CHECK(outcome.code == 1);
    CHECK(holds(outcome.err, "is `weir dev` running?"));
}
