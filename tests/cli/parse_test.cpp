#include <support/catch.hpp>

#include "rig.hpp"

using namespace weir::cli;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;

TEST_CASE("help and version are results, wrong use is told apart") {
    CHECK(invoke({"version"}).out == "weir 1.2.3\n");
    CHECK(invoke({"--version"}).out == "weir 1.2.3\n");
    CHECK(invoke({"--version"}).code == 0);
    const auto help = invoke({"--help"});
    CHECK(help.code == 0);
    for (const auto* command :
         {"dev", "apply", "check", "publish", "runs", "why", "lineage", "ledger", "simulate"}) {
        INFO(command);
        CHECK(holds(help.out, command));
    }
    CHECK(invoke({}).code == 2);
    CHECK(holds(invoke({}).err, "apply"));
    const auto unknown = invoke({"aply", "x.yaml"});
    CHECK(unknown.code == 2);
    CHECK(holds(unknown.err, "no command \"aply\"; did you mean \"apply\"?"));
    CHECK(invoke({"runs", "--nonsense"}).code == 2);
    CHECK(invoke({"runs", "--limit", "0"}).code == 2);
    CHECK(holds(invoke({"runs", "--limit", "x"}).err, "weir help runs"));
}

TEST_CASE("every command has help with examples") {
    for (const auto* name :
         {"dev",     "apply",    "check",  "delete",  "pause",    "resume",    "cancel", "retry", "run",
          "publish", "triggers", "flows",  "runs",    "events",   "decisions", "audit",  "why",   "lineage",
          "eval",    "logs",     "ledger", "version", "schedule", "serve",     "token"}) {
        INFO(name);
        const auto asked = invoke({"help", name});
        CHECK(asked.code == 0);
        CHECK(holds(asked.out, "Examples:\n  weir " + std::string(name)));
        CHECK(invoke({name, "--help"}).out == asked.out);
    }
    CHECK(holds(invoke({"help", "ledger", "claim"}).out, "weir ledger claim --moved"));
    CHECK(holds(invoke({"help", "schedule", "next"}).out, "weir schedule next"));
    CHECK(invoke({"help", "nonsense"}).code == 2);
}

TEST_CASE("what is not built yet is refused by name") {
    for (const auto* name : {"simulate", "test", "fire", "backfill", "slots", "sources", "doctor"}) {
        const auto outcome = invoke({name, "--with", "anything"});
        CHECK(outcome.code == 2);
        CHECK(outcome.err == "weir: `weir " + std::string(name) + "` is not built yet\n");
    }
    CHECK(holds(invoke({"lineage", "x", "--format", "svg"}).err, "not built yet"));
    const auto postgres = invoke({"dev", "--data", "postgresql://weir@db/weir"});
    CHECK(postgres.code == 2);
    CHECK(holds(postgres.err, "a ledger in PostgreSQL is not built yet"));
    CHECK(holds(invoke({"ledger", "verify", "--data", "postgres://db"}).err, "not built yet"));
    CHECK(holds(invoke({"dev", "--data", "s3://bucket"}).err, "expected a folder"));
    CHECK(invoke({"lineage", "x", "--format", "dot"}).code == 2);
    CHECK(invoke({"lineage", "x", "--format", "png"}).code == 2);
}

TEST_CASE("dev hands its options over") {
    ServeOptions got;
    Commands hooks;
    hooks.dev = [&](const ServeOptions& options) {
        got = options;
        return 7;
    };
    CHECK(invoke({"dev"}, hooks).code == 7);
    // What is not given is the file's affair.
    CHECK((!got.data && !got.port && !got.address && !got.instance && !got.log_level));
    CHECK((got.config.empty() && got.folders.empty() && !got.take_over));
    CHECK(invoke({"dev",
                  "--data",
                  "d",
                  "--port",
                  "0",
                  "--folder",
                  "inbox=./in",
                  "--folder",
                  "old=/a:b/c:publish",
                  "--apply",
                  "x",
                  "--apply",
                  "y",
                  "--instance",
                  "lab",
                  "--log-level",
                  "debug",
                  "--on-ready",
                  "r",
                  "--allow-host",
                  "weir.test",
                  "--config",
                  "c.yaml"},
                 hooks)
              .code == 7);
    CHECK(got.port == 0);
    REQUIRE(got.folders.size() == 2);
    CHECK(got.folders[0].name == "inbox");
    CHECK(got.folders[0].directory == "./in");
    CHECK(!got.folders[0].publish_existing);
    CHECK(got.folders[1].directory == "/a:b/c");
    CHECK(got.folders[1].publish_existing);
    CHECK(got.apply == std::vector<std::string>{"x", "y"});
    CHECK(got.instance == "lab");
    CHECK(got.data == "d");
    CHECK(got.log_level == "debug");
    CHECK(got.config == "c.yaml");
    CHECK(got.on_ready == "r");
    CHECK(got.allowed_hosts == std::vector<std::string>{"weir.test"});
    for (const auto& wrong : std::vector<std::vector<std::string>>{{"--port", "65536"},
                                                                   {"--port", "x"},
                                                                   {"--folder", "inbox"},
                                                                   {"--folder", "in box=./in"},
                                                                   {"--folder", "inbox=./in:pubish"},
                                                                   {"--folder", "inbox="},
                                                                   {"--instance", "a/b"},
                                                                   {"--log-level", "loud"}}) {
        INFO(wrong[0] + " " + wrong[1]);
        auto words = wrong;
        words.insert(words.begin(), "dev");
        CHECK(invoke(words, hooks).code == 2);
    }
    CHECK(invoke({"dev"}).code == 2);
}

TEST_CASE("serve takes a configuration file, and what wins over it") {
    ServeOptions got;
    Commands hooks;
    hooks.serve = [&](const ServeOptions& options) {
        got = options;
        return 7;
    };
    CHECK(invoke({"serve", "--config", "c.yaml"}, hooks).code == 7);
    CHECK(got.config == "c.yaml");
    CHECK((!got.data && !got.port && !got.take_over));
    CHECK(invoke({"serve", "--config", "c", "--take-over", "--port", "0", "--data", "d", "--log-level",
                  "warn", "--on-ready", "r"},
                 hooks)
              .code == 7);
    CHECK((got.take_over && got.port == 0 && got.data == "d" && got.log_level == "warn" &&
           got.on_ready == "r"));
    CHECK(invoke({"serve"}, hooks).code == 2);
    CHECK(invoke({"serve", "--config", "c", "--address", "0.0.0.0"}, hooks).code == 2);
    CHECK(invoke({"dev", "--take-over"}, hooks).code == 2);
    CHECK(invoke({"serve", "--config", "c"}).code == 2);
}

TEST_CASE("ledger commands hand their options over") {
    LedgerOptions got;
    Commands hooks;
    const auto take = [&](const LedgerOptions& options) {
        got = options;
        return 0;
    };
    hooks.ledger_backup = hooks.ledger_restore = hooks.ledger_verify = hooks.ledger_claim = take;
    CHECK(invoke({"ledger", "backup", "--data", "d", "f.db"}, hooks).code == 0);
    CHECK(got.file == "f.db");
    CHECK(got.data == "d");
    CHECK(invoke({"ledger", "restore", "f.db", "--force"}, hooks).code == 0);
    CHECK(got.force);
    CHECK(invoke({"ledger", "verify", "--json"}, hooks).code == 0);
    CHECK(got.json);
    CHECK(invoke({"ledger", "claim", "--moved"}, hooks).code == 0);
    CHECK((got.moved && !got.as_new));
    CHECK(invoke({"ledger", "claim"}, hooks).code == 2);
    CHECK(invoke({"ledger", "claim", "--moved", "--new"}, hooks).code == 2);
    CHECK(invoke({"ledger", "backup"}, hooks).code == 2);
    CHECK(invoke({"ledger"}, hooks).code == 2);
}

TEST_CASE("options that belong together are asked for together") {
    CHECK(invoke({"apply", "x", "--prune"}).code == 2);
    CHECK(invoke({"apply"}).code == 2);
    CHECK(invoke({"resume", "ads/retrain"}).code == 2);
    CHECK(invoke({"resume", "ads/retrain", "--replay", "--drop"}).code == 2);
    CHECK(invoke({"why"}).code == 2);
    CHECK(invoke({"why", "--trigger", "ads/retrain"}).code == 2);
    CHECK(invoke({"why", "x", "--trigger", "ads/retrain", "--event", "e"}).code == 2);
    CHECK(invoke({"publish"}).code == 2);
    CHECK(invoke({"publish", "x", "--file", "f", "--data", "{}"}).code == 2);
    CHECK(invoke({"run", "ads/train", "novalue"}).code == 2);
    CHECK(invoke({"pause", "ads/retrain", "--reason", ""}).code == 2);
    CHECK(invoke({"lineage", "x", "--up", "--down"}).code == 2);
}
