#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <support/catch.hpp>

#include "rig.hpp"

using namespace weir::cli;
using weir::Seq;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;
using weir::cli::test::Served;
namespace ledger = weir::ledger;

TEST_CASE("watching events shows each once, oldest first, until SIGINT") {
    Served served;
    auto& story = served.rig.story;
    story.event("data.ready", "e0");
    story.event("data.ready", "e1");
    story.commit();
    served.on_request = [&](int count) {
        if (count == 2) {
            story.event("data.ready", "e2");
            story.commit();
        }
        if (count == 4) ::kill(::getpid(), SIGINT);
    };
    const auto outcome = invoke({"events", "--watch", "--json", "--every", "1ms"});
    CHECK(outcome.code == 0);
    const auto at = [&](const std::string& id) { return outcome.out.find("\"" + id + "\""); };
    CHECK(at("e0") < at("e1"));
    CHECK(at("e1") < at("e2"));
    CHECK(at("e2") != std::string::npos);
    CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 3);
}

TEST_CASE("watching runs shows what changed") {
    Served served;
    auto& story = served.rig.story;
    const auto event = story.event("data.ready", "e0");
    const auto decision = story.decision(ledger::TriggerNo(0), event, {{event, "event"}});
    const auto run = story.run(decision, "train", {});
    story.commit();
    served.on_request = [&](int count) {
        if (count == 3) {
            story.settle(run);
            story.commit();
        }
        if (count == 5) ::kill(::getpid(), SIGTERM);
    };
    const auto outcome = invoke({"runs", "--watch", "--every", "1ms"});
    CHECK(outcome.code == 0);
    CHECK(std::count(outcome.out.begin(), outcome.out.end(), '\n') == 3);
    CHECK(outcome.out.find("running") < outcome.out.find("succeeded"));
    CHECK(holds(outcome.out, "succeeded"));
}

TEST_CASE("an interval without --watch, or none at all, is wrong use") {
    CHECK(invoke({"runs", "--every", "1s"}).code == 2);
    CHECK(invoke({"runs", "--watch", "--every", "0s"}).code == 2);
    CHECK(invoke({"runs", "--watch", "--every", "soon"}).code == 2);
}

TEST_CASE("events come in through a pipe; SIGINT says how far it came") {
    Served served;
    const Folder folder;
    std::string text;
    for (int i = 0; i < 2500; ++i)
        text += "{\"n\":" + std::to_string(i) + "}\n";
    const auto file = folder.write("in", text);
    const int kept = ::dup(STDIN_FILENO);
    const int in = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    ::dup2(in, STDIN_FILENO);
    ::close(in);
    const auto outcome = invoke({"publish", "data.ready", "--file", "-"});
    ::dup2(kept, STDIN_FILENO);
    ::close(kept);
    CHECK(outcome.out == "published 2500 events\n");
    CHECK(served.rig.engine.published.size() == 2500);
    CHECK(served.requests < 10);

    served.requests = 0;
    served.on_request = [&](int count) {
        if (count == 2) ::kill(::getpid(), SIGINT);
    };
    const auto stopped = invoke({"publish", "data.ready", "--file", folder.write("events.jsonl", text)});
    CHECK(stopped.code == 1);
    CHECK(holds(stopped.err, "stopped"));
    CHECK(holds(stopped.err, "events were accepted before that"));
}
