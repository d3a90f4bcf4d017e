// How runs end: what their backend tells, what the flow itself reports (design, section 4, Settlement).

#include <algorithm>

#include "patient_rig.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using flows::Outcome;
using ledger::RunState;

namespace {

const std::string on_train = "trigger: chain\nteam: ads\nwhen: {finish: train}\nlaunch: {flow: next}\n";
const std::string with_outputs =
    "trigger: chain\nteam: ads\nwhen: {finish: train}\n"
    "launch: {flow: next, parameters: {x: 'int(run.outputs.rows)'}}\n";

const ledger::RunRow* launched_by_trigger(const std::vector<ledger::RunRow>& runs) {
    for (const auto& run : runs)
        if (run.trigger_name == "chain") return &run;
    return nullptr;
}

} // namespace

TEST_CASE("a flow that does not report settles as soon as its backend says so") {
    PatientRig rig;
    rig.apply({on_train});
    const auto run = rig.run();
    rig.report(rig.ended(run, Outcome::Succeeded));
    CHECK(rig.row(run).outcome == Outcome::Succeeded);
    CHECK(launched_by_trigger(rig.runs()) != nullptr);
}

TEST_CASE("the end of a flow that reports waits for its report, half a minute") {
    PatientRig rig;
    rig.apply({on_train}, true);
    const auto run = rig.run();
    SECTION("it came before") {
        CHECK_FALSE(rig.own_report(run, "{\"rows\":7}").error);
        rig.report(rig.ended(run, Outcome::Succeeded));
        CHECK(rig.row(run).outputs_json == "{\"rows\":7}");
        CHECK(rig.row(run).outcome == Outcome::Succeeded);
    }
    SECTION("it came before the run was seen to start") {
        CHECK_FALSE(rig.own_report(run, "{\"rows\":7}").error);
        auto running = rig.ended(run, Outcome::Succeeded);
        running.settled = false;
        rig.report(running);
        CHECK(rig.row(run).state == RunState::Running);
        rig.report(rig.ended(run, Outcome::Succeeded));
        CHECK(rig.row(run).outputs_json == "{\"rows\":7}");
    }
    SECTION("it comes meanwhile, and weir started anew between") {
        rig.report(rig.ended(run, Outcome::Succeeded));
        CHECK(rig.row(run).state == RunState::Ended);
        CHECK(rig.why(run).find("awaited") != std::string::npos);
        CHECK(launched_by_trigger(rig.runs()) == nullptr);
        rig.start();
        CHECK_FALSE(rig.own_report(run, "{\"rows\":7}").error);
        CHECK(rig.row(run).outputs_json == "{\"rows\":7}");
        CHECK(launched_by_trigger(rig.runs()) != nullptr);
    }
    SECTION("it does not come") {
        rig.report(rig.ended(run, Outcome::Failed));
        rig.pass(29s);
        CHECK(rig.row(run).state == RunState::Ended);
        rig.pass(2s);
        CHECK(rig.row(run).outcome == Outcome::Failed);
        // Later it changes nothing, and is recorded.
        const auto before = rig.runs().size();
        const auto late = rig.own_report(run, "{\"rows\":8}");
        CHECK(late.recorded);
        CHECK(rig.row(run).outputs_json == "{}");
        CHECK(rig.runs().size() == before);
    }
    SECTION("a flap: it had ended and runs again") {
        rig.report(rig.ended(run, Outcome::Succeeded));
        auto running = rig.ended(run, Outcome::Succeeded);
        running.settled = false;
        running.note = "it had ended and runs again";
        rig.report(running);
        CHECK(rig.row(run).state == RunState::Running);
        rig.pass(60s);
        CHECK(rig.row(run).state == RunState::Running);
        rig.report(rig.ended(run, Outcome::Succeeded));
        rig.pass(31s);
        CHECK(rig.row(run).outcome == Outcome::Succeeded);
        CHECK(rig.row(run).attempt == 1);
    }
    SECTION("two reports are one: outputs first, the outcome from the exit task") {
        rig.own_report(run, "{\"rows\":7,\"day\":\"mon\"}");
        rig.own_report(run, "{\"rows\":8}");
        rig.report(rig.ended(run, Outcome::Succeeded));
        CHECK(rig.row(run).outputs_json == "{\"rows\":8,\"day\":\"mon\"}");
    }
    SECTION("the same report twice is one") {
        rig.own_report(run, "{\"rows\":7}");
        CHECK_FALSE(rig.own_report(run, "{\"rows\":7}").recorded);
    }
}

TEST_CASE("outputs that a trigger hands on are awaited longer, and without them its decision fails") {
    PatientRig rig;
    rig.apply({with_outputs}, true);
    const auto run = rig.run();
    rig.report(rig.ended(run, Outcome::Succeeded));
    rig.pass(9min);
    CHECK(rig.row(run).state == RunState::Ended);
    SECTION("they come") {
        rig.own_report(run, "{\"rows\":7}");
        const auto runs = rig.runs();
        REQUIRE(launched_by_trigger(runs) != nullptr);
        CHECK(launched_by_trigger(runs)->arguments_json == "{\"x\":7}");
    }
    SECTION("they do not") {
        rig.pass(2min);
        CHECK(rig.row(run).outcome == Outcome::Succeeded);
        CHECK(launched_by_trigger(rig.runs()) == nullptr);
    }
}

TEST_CASE("a run that weir did not start is recorded, settles, and fires what waits for its flow") {
    PatientRig rig;
    rig.apply({on_train});
    const RunId foreign{Uuid::time_led(rig.clock.now(), sha256("foreign"))};
    auto report = rig.ended(foreign, Outcome::Succeeded);
    flows::SeenRun seen;
    seen.backend = "kf";
    seen.team = "ads";
    seen.pipeline = "pipe-train";
    seen.display_name = "by hand";
    seen.arguments_json = "{\"x\":3}";
    seen.created = rig.clock.now() - 60s;
    report.seen = seen;
    CHECK_FALSE(rig.own_report(foreign, "{\"rows\":9}").error); // before anybody has seen it
    rig.report(report);
    const auto row = rig.row(foreign);
    CHECK(row.flow == "train");
    CHECK(row.origin == "observed");
    CHECK(row.outcome == Outcome::Succeeded);
    CHECK(row.outputs_json == "{\"rows\":9}");
    CHECK(rig.why(foreign).find("started outside weir") != std::string::npos);
    const auto runs = rig.runs();
    CHECK(launched_by_trigger(runs) != nullptr);
    // Seen again, also by another process, it is nothing new.
    rig.report(report);
    rig.start();
    rig.report(report);
    CHECK(rig.runs().size() == runs.size());
    SECTION("of a pipeline that no flow is registered for it is a run of that name") {
        const RunId other{Uuid::time_led(rig.clock.now(), sha256("other"))};
        auto unknown = rig.ended(other, Outcome::Failed);
        seen.pipeline = "Nightly report!";
        unknown.seen = seen;
        rig.report(unknown);
        CHECK(rig.row(other).flow == "Nightly-report-");
    }
}

TEST_CASE(
    "a failed run that its backend tries again opens an attempt; other contradictions are only recorded") {
    PatientRig rig;
    rig.apply({on_train});
    const auto run = rig.run();
    SECTION("failed, tried again elsewhere, succeeded") {
        rig.report(rig.ended(run, Outcome::Failed));
        auto running = rig.ended(run, Outcome::Succeeded, 2);
        running.settled = false;
        rig.report(running);
        rig.report(running);
        CHECK(rig.row(run).state == RunState::Running);
        CHECK(rig.row(run).attempt == 2);
        rig.report(rig.ended(run, Outcome::Succeeded, 2));
        CHECK(rig.row(run).outcome == Outcome::Succeeded);
        CHECK(launched_by_trigger(rig.runs()) != nullptr);
    }
    SECTION("the same, and only its end is seen") {
        rig.report(rig.ended(run, Outcome::Failed));
        rig.report(rig.ended(run, Outcome::Succeeded, 2));
        CHECK(rig.row(run).outcome == Outcome::Succeeded);
        CHECK(rig.row(run).attempt == 2);
    }
    SECTION("succeeded, then told to run and to fail") {
        rig.report(rig.ended(run, Outcome::Succeeded));
        const auto runs = rig.runs().size();
        auto running = rig.ended(run, Outcome::Succeeded);
        running.settled = false;
        rig.report(running);
        rig.report(rig.ended(run, Outcome::Failed));
        CHECK(rig.row(run).outcome == Outcome::Succeeded);
        CHECK(rig.runs().size() == runs);
    }
}

TEST_CASE("a run of a given version under a given id") {
    PatientRig rig;
    rig.apply({});
    auto flow = std::make_shared<flows::FlowVersion>();
    flow->team = "ads";
    flow->flow = "train";
    flow->version = "inline";
    flow->backend = "kf";
    StartRunInput start{
        RunId{Uuid::time_led(rig.clock.now(), sha256("mine"))}, flow, "{}", "from the SDK", "ada", "kfp"};
    rig.launcher.has_after_launch = false;
    rig.launcher.reply = {flows::LaunchAnswer::Postponed, "busy", rig.clock.now() + 10s, {}};
    CHECK_FALSE(rig.submit(start).error);
    CHECK(rig.submit(start).error->kind == ErrorKind::Conflict);
    CHECK(rig.shell().core().flow("ads", "train")->version == "version-train");
    rig.start(); // its version is read back
    rig.launcher.reply.answer = flows::LaunchAnswer::Accepted;
    rig.pass(5min);
    INFO(rig.why(start.id));
    REQUIRE(rig.launcher.launched.size() == 2);
    CHECK(rig.launcher.launched.back().flow->version == "inline");
    CHECK(rig.row(start.id).state == RunState::Accepted);
    CHECK(rig.row(start.id).origin == "api");
}

TEST_CASE("attempts that are told in one breath are all recorded") {
    PatientRig rig;
    const bool reports = GENERATE(false, true);
    rig.apply({"trigger: after\nteam: ads\nwhen: {finish: train, outcome: [failed]}\nlaunch: {flow: next}\n"},
              reports);
    const auto run = rig.run();
    rig.settle();
    REQUIRE(rig.row(run).state == RunState::Accepted);
    auto second = rig.ended(run, flows::Outcome::Succeeded, 2);
    second.settled = false;
    second.started_at = second.finished_at;
    second.finished_at = {};
    rig.shell().report(rig.ended(run, flows::Outcome::Failed, 1));
    rig.report(second);
    CHECK(rig.row(run).state == RunState::Running);
    CHECK(rig.row(run).attempt == 2);
    CHECK(std::count(rig.launcher.watched.begin(), rig.launcher.watched.end(), run) == 2);
    // The end of the first one fired what waits for it.
    CHECK(rig.runs().size() == 2);
    SECTION("and the end of the second one") {
        rig.report(rig.ended(run, flows::Outcome::Succeeded, 2));
        rig.pass(60s);
        CHECK(rig.row(run).state == RunState::Settled);
        CHECK(rig.row(run).outcome == flows::Outcome::Succeeded);
        CHECK(rig.runs().size() == 2);
    }
    SECTION("a third one, with its end at once") {
        rig.shell().report(rig.ended(run, flows::Outcome::Failed, 2));
        rig.shell().report(rig.ended(run, flows::Outcome::Failed, 3));
        rig.settle();
        rig.pass(60s);
        CHECK(rig.row(run).state == RunState::Settled);
        CHECK(rig.row(run).attempt == 3);
        CHECK(rig.runs().size() == 4);
    }
}

TEST_CASE("what a backend says need not be UTF-8") {
    PatientRig rig;
    rig.apply({"trigger: chain\nteam: ads\nwhen: {finish: train, outcome: [failed]}\n"
               "launch: {flow: next}\n"},
              true);
    const auto run = rig.run();
    auto failed = rig.ended(run, Outcome::Failed);
    failed.error = "exit status 1: caf\xe9 crashed";
    rig.report(failed);
    CHECK(rig.row(run).state == RunState::Ended); // its words are stored as JSON meanwhile
    rig.start();
    rig.pass(31s);
    CHECK(rig.row(run).reason == "exit status 1: caf\\xe9 crashed");
    CHECK(rig.runs().size() == 2);
}

TEST_CASE("an attempt that is told twice before the ledger has it is opened once") {
    PatientRig rig;
    rig.apply(
        {"trigger: after\nteam: ads\nwhen: {finish: train, outcome: [failed]}\nlaunch: {flow: next}\n"});
    const auto run = rig.run();
    rig.settle();
    rig.report(rig.ended(run, flows::Outcome::Failed, 1));
    REQUIRE(rig.row(run).state == RunState::Settled);
    // By the second telling the attempt has been opened and settled, all of it in the batch under way.
    rig.shell().report(rig.ended(run, flows::Outcome::Failed, 2));
    rig.shell().report(rig.ended(run, flows::Outcome::Failed, 2));
    rig.settle();
    CHECK(!rig.shell().fatal().has_value());
    CHECK(rig.row(run).attempt == 2);
    CHECK(rig.row(run).state == RunState::Settled);
    CHECK(rig.runs().size() == 3);
    SECTION("and the next one, told beside it") {
        rig.shell().report(rig.ended(run, flows::Outcome::Failed, 3));
        rig.shell().report(rig.ended(run, flows::Outcome::Failed, 3));
        rig.shell().report(rig.ended(run, flows::Outcome::Succeeded, 4));
        rig.settle();
        CHECK(!rig.shell().fatal().has_value());
        CHECK(rig.row(run).attempt == 4);
        CHECK(rig.row(run).outcome == flows::Outcome::Succeeded);
    }
}
