// Backends that are gone, dead, or wrong about the time; requests that they do not take.

#include "patient_rig.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using flows::LaunchAnswer;
using ledger::RunState;

namespace {

void start_without_backend(PatientRig& rig) {
    rig.configured = false;
    rig.start();
}

void start_with_backend(PatientRig& rig) {
    rig.configured = true;
    rig.start();
}

flows::RunReport started(PatientRig& rig, const RunId& run) {
    flows::RunReport report;
    report.run = run;
    report.started_at = rig.clock.now();
    return report;
}

} // namespace

TEST_CASE("what is open on a backend that is not configured stays open until it is again") {
    PatientRig rig;
    rig.apply({});
    const auto running = rig.run();
    rig.report(started(rig, running));
    rig.launcher.reply.answer = LaunchAnswer::Unknown;
    rig.launcher.has_after_launch = false;
    const auto unknown = rig.run();
    rig.launcher.holds_back = true;
    const auto queued = rig.run();
    rig.launcher.holds_back = false;

    start_without_backend(rig);
    rig.pass(400s);
    CHECK(rig.row(running).state == RunState::Running);
    CHECK(rig.row(unknown).state == RunState::Unknown);
    CHECK(rig.row(queued).state == RunState::Sent);
    CHECK(rig.shell().missing_backends().at("kf") == 3);
    const auto troubles = rig.shell().troubles();
    REQUIRE(troubles.size() == 3);
    CHECK(troubles[0].reason.find("\"kf\" is not part of this weir") != std::string::npos);

    rig.launcher.reply = {LaunchAnswer::Accepted, {}, {}, {}};
    rig.launcher.has_after_launch = true;
    start_with_backend(rig);
    CHECK(rig.shell().troubles().empty());
    rig.report(rig.ended(running, flows::Outcome::Succeeded));
    CHECK(rig.row(running).outcome == flows::Outcome::Succeeded);
    rig.pass(300s);
    CHECK(rig.row(unknown).state == RunState::Accepted);
    CHECK(rig.row(unknown).sends == 2);
    CHECK(rig.row(queued).state == RunState::Accepted);
    CHECK(rig.row(queued).sends == 1);
}

TEST_CASE("a launch for a backend that is not configured waits") {
    PatientRig rig;
    rig.apply({});
    start_without_backend(rig);
    const auto run = rig.run();
    CHECK(rig.row(run).hold == "postponed");
    CHECK(rig.why(run).find("not part of this weir") != std::string::npos);
    rig.pass(700s);
    CHECK(rig.row(run).state == RunState::Ready);
    start_with_backend(rig);
    rig.pass(700s);
    CHECK(rig.row(run).state == RunState::Accepted);
    CHECK(rig.launcher.has.size() == 1);
}

TEST_CASE("a run on a backend that is not configured can be given up by hand") {
    PatientRig rig;
    rig.apply({});
    const auto run = rig.run();
    rig.report(started(rig, run));
    start_without_backend(rig);
    rig.submit(CancelInput{rig.row(run).no, "ada", "that server is gone"});
    CHECK(rig.row(run).outcome == flows::Outcome::Lost);
    CHECK(rig.row(run).reason.find("that server is gone; nobody could be asked") != std::string::npos);
    CHECK(rig.shell().troubles().empty());
}

TEST_CASE("so can one whose request was lost, or is on record as gone") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply.answer = LaunchAnswer::Unknown;
    rig.launcher.has_after_launch = false;
    const auto unknown = rig.run();
    rig.launcher.holds_back = true;
    const auto gone = rig.run();
    rig.launcher.launched.back().leave([](bool) {});
    rig.settle();
    REQUIRE(rig.row(gone).state == RunState::Sent);
    REQUIRE(rig.row(gone).hold.empty());
    // Where the backend is there, looking goes on: what became of them is not known.
    rig.submit(CancelInput{rig.row(unknown).no, "ada", "enough"});
    CHECK(rig.row(unknown).state == RunState::Unknown);
    CHECK(rig.launcher.cancelled.empty());
    start_without_backend(rig);
    for (const auto& run : {unknown, gone}) {
        rig.submit(CancelInput{rig.row(run).no, "ada", "that server is gone"});
        CHECK(rig.row(run).outcome == flows::Outcome::Lost);
    }
}

TEST_CASE("nothing leaves once another process has the ledger") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.holds_back = true;
    (void)rig.run();
    REQUIRE(rig.launcher.launched.size() == 1);
    rig.take_over();
    std::vector<bool> answers;
    rig.launcher.launched[0].leave([&](bool go) { answers.push_back(go); });
    rig.settle();
    REQUIRE(rig.shell().fatal().has_value());
    CHECK(answers == std::vector<bool>{false});
    rig.launcher.launched[0].leave([&](bool go) { answers.push_back(go); });
    rig.settle();
    CHECK(answers == std::vector<bool>{false, false});
}

TEST_CASE("a dead backend fills its own places alone") {
    PatientRig rig;
    rig.config.limits.places = 2;
    rig.start();
    rig.apply({});
    rig.launcher.holds_back = true;
    for (int i = 0; i < 3; ++i)
        (void)rig.run();
    CHECK(rig.launcher.launched.size() == 2);
    const auto side = rig.run("side");
    CHECK(rig.row(side).state == RunState::Accepted);
}

TEST_CASE("what was sent twice and is only looked for holds no place") {
    PatientRig rig;
    rig.config.limits.places = 2;
    rig.start();
    rig.apply({});
    rig.launcher.reply.answer = LaunchAnswer::Unknown;
    rig.launcher.has_after_launch = false;
    (void)rig.run();
    (void)rig.run();
    const auto third = rig.run();
    rig.pass(200s);
    CHECK(rig.row(third).state == RunState::Ready);
    rig.pass(100s);
    CHECK(rig.row(third).sends == 1);
    CHECK(rig.launcher.launched.size() == 5);
}

TEST_CASE("a backend whose clock is ahead settles runs at once") {
    PatientRig rig;
    rig.apply({});
    const auto run = rig.run();
    auto report = rig.ended(run, flows::Outcome::Succeeded);
    report.finished_at = rig.clock.now() + 10min;
    rig.report(report);
    CHECK(rig.row(run).state == RunState::Settled);
    CHECK(rig.row(run).finished_at == report.finished_at);
}

TEST_CASE("a cancel that is refused is asked again, and told") {
    PatientRig rig;
    rig.apply({});
    const auto run = rig.run();
    rig.report(started(rig, run));
    rig.launcher.cancel_answer = Error(ErrorKind::Denied, "answered 403: not your namespace");
    rig.submit(CancelInput{rig.row(run).no, "ada", "enough"});
    rig.pass(60s);
    CHECK(rig.launcher.cancelled.size() > 2);
    const auto troubles = rig.shell().troubles();
    REQUIRE(troubles.size() == 1);
    CHECK(troubles[0].run == run);
    CHECK(troubles[0].reason.find("cannot be cancelled: answered 403") != std::string::npos);
    CHECK(troubles[0].tries > 1);
    rig.launcher.cancel_answer = {};
    rig.pass(60s);
    CHECK(rig.shell().troubles().empty());
    const auto asked = rig.launcher.cancelled.size();
    rig.pass(60s);
    CHECK(rig.launcher.cancelled.size() == asked);
}

TEST_CASE("what was cancelled is cancelled, also where its backend says failed to a later process") {
    PatientRig rig;
    rig.apply({});
    const auto run = rig.run();
    rig.report(started(rig, run));
    auto report = rig.ended(run, flows::Outcome::Failed);
    report.cancel_ends_failed = true;
    SECTION("it failed before anybody asked") {
        rig.pass(10s);
        rig.submit(CancelInput{rig.row(run).no, "ada", "enough"});
        rig.report(report);
        CHECK(rig.row(run).outcome == flows::Outcome::Failed);
    }
    SECTION("it was asked to end, then weir died") {
        rig.submit(CancelInput{rig.row(run).no, "ada", "enough"});
        rig.start();
        rig.pass(3s);
        report.finished_at = rig.clock.now();
        rig.report(report);
        CHECK(rig.row(run).outcome == flows::Outcome::Cancelled);
    }
    SECTION("a backend that says cancelled itself is believed") {
        rig.submit(CancelInput{rig.row(run).no, "ada", "enough"});
        rig.pass(3s);
        report = rig.ended(run, flows::Outcome::Failed);
        rig.report(report);
        CHECK(rig.row(run).outcome == flows::Outcome::Failed);
    }
}
