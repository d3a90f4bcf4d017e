// What flows report of runs and attempts that weir does not know yet.

#include <algorithm>

#include "patient_rig.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using flows::Outcome;
using ledger::RunState;

namespace {

const std::string with_outputs =
    "trigger: chain\nteam: ads\nwhen: {finish: train}\n"
    "launch: {flow: next, parameters: {x: 'int(run.outputs.rows)'}}\n";

flows::RunReport running(PatientRig& rig, const RunId& run, int attempt) {
    auto report = rig.ended(run, Outcome::Succeeded, attempt);
    report.settled = false;
    report.started_at = rig.clock.now();
    report.finished_at = {};
    return report;
}

/// The end of an attempt that has just begun.
flows::RunReport ended_now(PatientRig& rig, const RunId& run, Outcome outcome, int attempt) {
    auto report = rig.ended(run, outcome, attempt);
    report.started_at = rig.clock.now();
    return report;
}

std::size_t launched_with(PatientRig& rig, const std::string& arguments) {
    const auto runs = rig.runs();
    return static_cast<std::size_t>(std::count_if(runs.begin(), runs.end(), [&](const auto& run) {
        return run.trigger_name == "chain" && run.arguments_json == arguments;
    }));
}

std::string outputs_of(int n) {
    return "{\"out" + std::to_string(n) + "\":" + std::to_string(n) + "}";
}

} // namespace

TEST_CASE("a report of an attempt that weir has not seen yet is of that attempt") {
    PatientRig rig;
    rig.apply({with_outputs}, true);
    const auto run = rig.run();
    rig.report(running(rig, run, 1));
    CHECK_FALSE(rig.own_report(run, "{\"rows\":1}").error);
    CHECK(rig.own_report(run, "{\"rows\":2}", 2).recorded);
    CHECK_FALSE(rig.own_report(run, "{\"rows\":2}", 2).recorded);
    const bool restarted = GENERATE(false, true);
    if (restarted) rig.start();
    rig.report(rig.ended(run, Outcome::Failed, 1));
    CHECK(rig.row(run).outputs_json == "{\"rows\":1}");
    if (restarted) rig.start();
    SECTION("it is seen to start") {
        rig.report(running(rig, run, 2));
        rig.report(rig.ended(run, Outcome::Succeeded, 2));
    }
    SECTION("only its end is seen") {
        rig.report(ended_now(rig, run, Outcome::Succeeded, 2));
    }
    // Nothing more is awaited: it was in.
    CHECK(rig.row(run).outcome == Outcome::Succeeded);
    CHECK(rig.row(run).attempt == 2);
    CHECK(rig.row(run).outputs_json == "{\"rows\":2}");
    CHECK(launched_with(rig, "{\"x\":2}") == 1);
    CHECK(rig.replayed() == rig.decided());
}

TEST_CASE("the attempt before did not end where it was seen: what it reported is not of the next one") {
    PatientRig rig;
    rig.apply({with_outputs}, true);
    const auto run = rig.run();
    rig.report(running(rig, run, 1));
    rig.own_report(run, "{\"rows\":1}");
    rig.report(ended_now(rig, run, Outcome::Succeeded, 2));
    CHECK(rig.row(run).state == RunState::Ended);
    rig.own_report(run, "{\"rows\":2}");
    CHECK(rig.row(run).outputs_json == "{\"rows\":2}");
    CHECK(rig.replayed() == rig.decided());
}

TEST_CASE("a report about a run that failed is kept for the attempt that may follow") {
    PatientRig rig;
    rig.apply({with_outputs}, true);
    const auto run = rig.run();
    rig.report(running(rig, run, 1));
    rig.report(rig.ended(run, Outcome::Failed, 1));
    rig.pass(11min);
    REQUIRE(rig.row(run).state == RunState::Settled);
    const int attempt = GENERATE(0, 2);
    INFO(attempt);
    SECTION("tried again on the backend") {
        CHECK(rig.own_report(run, "{\"rows\":2}", attempt).recorded);
        SECTION("seen to run") {
            rig.report(running(rig, run, 2));
        }
        rig.report(ended_now(rig, run, Outcome::Succeeded, 2));
        CHECK(rig.row(run).outputs_json == "{\"rows\":2}");
        CHECK(launched_with(rig, "{\"x\":2}") == 1);
    }
    SECTION("tried again by weir") {
        rig.own_report(run, "{\"rows\":2}", attempt);
        rig.pass(10s);
        CHECK_FALSE(rig.submit(RetryInput{rig.row(run), "ada", "again"}).error);
        rig.report(running(rig, run, 2));
        rig.own_report(run, "{\"day\":\"mon\"}");
        rig.report(rig.ended(run, Outcome::Succeeded, 2));
        // Without a number it was of an attempt before this one.
        CHECK(rig.row(run).outputs_json ==
              (attempt == 2 ? "{\"rows\":2,\"day\":\"mon\"}" : "{\"day\":\"mon\"}"));
    }
    SECTION("of an attempt that has settled") {
        CHECK(rig.own_report(run, "{\"rows\":1}", 1).recorded);
        rig.report(running(rig, run, 2));
        rig.report(rig.ended(run, Outcome::Succeeded, 2));
        CHECK(rig.row(run).state == RunState::Ended);
    }
    CHECK(rig.replayed() == rig.decided());
}

TEST_CASE("a report about a run that succeeded is recorded, no more") {
    PatientRig rig;
    rig.apply({with_outputs});
    const auto run = rig.run();
    rig.report(rig.ended(run, Outcome::Succeeded, 1));
    REQUIRE(rig.row(run).state == RunState::Settled);
    CHECK(rig.own_report(run, "{\"rows\":2}").recorded);
    CHECK(rig.own_report(run, "{\"rows\":2}", 2).recorded);
    CHECK(rig.snapshot().early_reports.empty());
}

TEST_CASE("a report about a run that weir launches itself only later is of that run") {
    // So it is when a ledger was restored: the backend and the flow know what weir does again.
    PatientRig rig;
    rig.apply({with_outputs}, true);
    const auto run = rig.shell().core().manual_run_id("r1");
    CHECK_FALSE(rig.own_report(run, "{\"rows\":7}").error);
    CHECK(rig.snapshot().early_reports.size() == 1);
    if (GENERATE(false, true)) rig.start();
    REQUIRE(rig.run() == run);
    CHECK(rig.snapshot().early_reports.empty());
    rig.report(rig.ended(run, Outcome::Succeeded));
    CHECK(rig.row(run).outputs_json == "{\"rows\":7}");
    CHECK(launched_with(rig, "{\"x\":7}") == 1);
    CHECK(rig.replayed() == rig.decided());
}

TEST_CASE("a report about a run that waits to be launched is of that run") {
    PatientRig rig;
    rig.apply({with_outputs}, true);
    rig.launcher.reply = {flows::LaunchAnswer::Postponed, "busy", rig.clock.now() + 60s, {}};
    const auto run = rig.run();
    REQUIRE(rig.row(run).state == RunState::Ready);
    rig.own_report(run, "{\"rows\":7}");
    rig.launcher.reply = {flows::LaunchAnswer::Accepted, {}, {}, {}};
    rig.pass(61s);
    rig.report(rig.ended(run, Outcome::Succeeded));
    CHECK(rig.row(run).outputs_json == "{\"rows\":7}");
}

TEST_CASE("reports about what is not known are limited in number and in bytes") {
    PatientRig rig;
    rig.apply({});
    const auto id = [](const std::string& name) { return RunId{Uuid::time_led(from_ns(9), sha256(name))}; };
    auto& limits = rig.config.limits;
    const bool by_number = GENERATE(true, false);
    if (by_number) limits.early_reports_max = 2;
    if (!by_number) limits.early_reports_bytes_max = 250;
    rig.start();
    CHECK_FALSE(rig.own_report(id("a"), "{\"rows\":1}").error);
    CHECK_FALSE(rig.own_report(id("b"), "{\"rows\":1}").error);
    const auto full = rig.own_report(id("c"), "{\"rows\":1,\"text\":\"" + std::string(100, 'x') + "\"}");
    REQUIRE(full.error);
    CHECK(full.error->kind == ErrorKind::Unavailable);
    CHECK(full.error->message.find("not known yet (2 reports") != std::string::npos);
    CHECK(rig.snapshot().early_reports.size() == 2);
    SECTION("and go after a day") {
        rig.clock.advance(25h);
        CHECK_FALSE(rig.own_report(id("c"), "{\"rows\":1}").error);
        const auto kept = rig.snapshot().early_reports;
        REQUIRE(kept.size() == 1);
        CHECK(kept.front().run == id("c"));
    }
}

TEST_CASE("all that is reported of one attempt has limits") {
    PatientRig rig;
    rig.config.limits.report_bytes_max = 100;
    rig.config.limits.report_outputs_max = rig.config.limits.report_artifacts_max = 3;
    rig.start();
    rig.apply({}, true);
    const auto known = rig.run();
    rig.report(running(rig, known, 1));
    const RunId early{Uuid::time_led(from_ns(9), sha256("unknown"))};
    const auto run = GENERATE(0, 1) == 0 ? known : early;
    Shell::Outcome last;
    SECTION("outputs") {
        for (int n = 0; n < 4 && !last.error; ++n)
            last = rig.own_report(run, outputs_of(n));
        REQUIRE(last.error);
        CHECK(last.error->message.find("more than 3 outputs") != std::string::npos);
        CHECK_FALSE(rig.own_report(run, "{\"out2\":5}").error); // no more of them
        if (run == known) {
            rig.report(rig.ended(run, Outcome::Succeeded));
            CHECK(rig.row(run).outputs_json == "{\"out0\":0,\"out1\":1,\"out2\":5}");
        }
    }
    SECTION("bytes") {
        CHECK_FALSE(rig.own_report(run, "{\"a\":\"" + std::string(60, 'x') + "\"}").error);
        last = rig.own_report(run, "{\"b\":\"" + std::string(60, 'x') + "\"}");
        REQUIRE(last.error);
        CHECK(last.error->message.find("more than 100 bytes") != std::string::npos);
        CHECK_FALSE(rig.own_report(run, "{\"a\":\"" + std::string(80, 'y') + "\"}").error);
    }
    SECTION("artifacts") {
        ReportInput input;
        input.run = run;
        input.artifacts = {{"a", "s3://a", "", ""}, {"b", "s3://b", "", ""}, {"c", "s3://c", "", ""}};
        CHECK_FALSE(rig.submit(input).error);
        input.artifacts = {{"d", "s3://d", "", ""}};
        last = rig.submit(input);
        REQUIRE(last.error);
        CHECK(last.error->message.find("more than 3 artifacts") != std::string::npos);
    }
    CHECK(last.error->kind == ErrorKind::Exhausted);
}
