// Launching where absence proves nothing (design, section 4, Launching).

#include <algorithm>

#include "patient_rig.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using flows::LaunchAnswer;
using ledger::RunState;

TEST_CASE("a lost request is sent once more, when it cannot appear any more, and then only looked for") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply = {LaunchAnswer::Unknown, "the connection was closed", {}, {}};
    rig.launcher.has_after_launch = false;
    const auto run = rig.run();
    REQUIRE(rig.launcher.launched.size() == 1);
    CHECK(rig.row(run).state == RunState::Unknown);
    // Deadline 60 s and absence 180 s behind it.
    rig.pass(239s);
    CHECK(rig.launcher.launched.size() == 1);
    CHECK(rig.launcher.looks > 5);
    rig.pass(15s);
    REQUIRE(rig.launcher.launched.size() == 2);
    CHECK(rig.launcher.launched[1].run == run);
    CHECK(rig.row(run).sends == 2);
    CHECK(rig.why(run).find("2 times") != std::string::npos);
    SECTION("it is found after all") {
        rig.launcher.has[run] = rig.launcher.launched[1];
        rig.pass(15s);
        CHECK(rig.row(run).state == RunState::Accepted);
        CHECK(rig.why(run).find("sent once more") != std::string::npos);
    }
    SECTION("found with numbers written otherwise, it is ours all the same") {
        rig.launcher.has[run] = rig.launcher.launched[1];
        rig.launcher.arguments_as_found = "{\"x\": 1.0}";
        rig.pass(15s);
        CHECK(rig.row(run).state == RunState::Accepted);
    }
    SECTION("with other arguments it is somebody else's") {
        rig.launcher.has[run] = rig.launcher.launched[1];
        rig.launcher.arguments_as_found = "{\"x\": 2}";
        rig.pass(15s);
        CHECK(rig.row(run).outcome == flows::Outcome::Refused);
        CHECK(rig.row(run).reason.find("conflict") != std::string::npos);
    }
    SECTION("never seen, it is given up after a day") {
        rig.pass(23h);
        CHECK(rig.row(run).state == RunState::Unknown);
        rig.pass(2h);
        CHECK(rig.launcher.launched.size() == 2);
        CHECK(rig.row(run).outcome == flows::Outcome::Lost);
        CHECK(rig.row(run).reason.find("never seen") != std::string::npos);
    }
}

TEST_CASE("what was sent when weir died is sent again only when it cannot appear any more") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply.answer = LaunchAnswer::Unknown;
    rig.launcher.has_after_launch = false;
    const auto run = rig.run();
    rig.start();
    rig.launcher.reply.answer = LaunchAnswer::Accepted;
    rig.pass(230s);
    CHECK(rig.launcher.launched.size() == 1);
    rig.pass(30s);
    CHECK(rig.launcher.launched.size() == 2);
    CHECK(rig.row(run).state == RunState::Accepted);
    CHECK(rig.row(run).backend_version == "pipe/v1");
}

TEST_CASE("a postponed launch holds no place, says why, and is asked again at its time") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply = {
        LaunchAnswer::Postponed, "the server is in maintenance", rig.clock.now() + 100s, {}};
    rig.launcher.has_after_launch = false;
    const auto run = rig.run();
    CHECK(rig.row(run).state == RunState::Ready);
    CHECK(rig.row(run).hold == "postponed");
    CHECK(rig.row(run).sends == 0);
    CHECK(rig.why(run).find("in maintenance") != std::string::npos);
    rig.pass(99s);
    CHECK(rig.launcher.launched.size() == 1);
    SECTION("an hour of it, then it is launched: once, and never looked for") {
        for (int i = 0; i < 36; ++i) {
            rig.launcher.reply.next = rig.clock.now() + 100s;
            rig.pass(100s);
        }
        CHECK(rig.launcher.launched.size() >= 36);
        CHECK(rig.launcher.looks == 0);
        rig.launcher.reply = {LaunchAnswer::Accepted, {}, {}, {}};
        rig.launcher.has_after_launch = true;
        rig.pass(110s);
        CHECK(rig.row(run).state == RunState::Accepted);
        CHECK(rig.row(run).sends == 1);
        CHECK(rig.launcher.has.size() == 1);
    }
    SECTION("weir starts anew meanwhile: it waits on, and looks first") {
        rig.start();
        CHECK(rig.row(run).hold == "postponed");
        rig.launcher.reply = {LaunchAnswer::Accepted, {}, {}, {}};
        rig.pass(60s);
        CHECK(rig.launcher.launched.size() == 1);
        CHECK(rig.launcher.looks > 0);
        // An earlier process may have sent it until it ended.
        rig.pass(200s);
        CHECK(rig.launcher.launched.size() == 2);
        CHECK(rig.row(run).state == RunState::Accepted);
        CHECK(rig.row(run).sends == 1);
    }
    SECTION("cancelled meanwhile, it never leaves") {
        rig.submit(CancelInput{rig.row(run).no, "ada", "not needed"});
        rig.pass(200s);
        CHECK(rig.launcher.launched.size() == 1);
        CHECK(rig.row(run).outcome == flows::Outcome::Cancelled);
    }
}

TEST_CASE("a launch that is only looked for first has not left, however often weir dies meanwhile") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply = {LaunchAnswer::Postponed, "busy", rig.clock.now() + 5s, {}};
    rig.launcher.has_after_launch = false;
    const auto run = rig.run();
    rig.launcher.reply = {LaunchAnswer::Accepted, {}, {}, {}};
    for (int i = 0; i < 3; ++i) {
        rig.start();
        rig.pass(100s);
        CHECK(rig.row(run).state == RunState::Unknown);
        CHECK(rig.row(run).sends == 0);
    }
    rig.pass(200s);
    CHECK(rig.launcher.launched.size() == 2);
    CHECK(rig.row(run).state == RunState::Accepted);
    CHECK(rig.row(run).sends == 1);
}

TEST_CASE("what waits in its backend's hands when weir dies has not left, however often that is") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.holds_back = true;
    const auto run = rig.run();
    REQUIRE(rig.launcher.launched.size() == 1);
    CHECK(rig.row(run).state == RunState::Sent);
    CHECK(rig.row(run).hold == "queued");
    for (int i = 0; i < 3; ++i) {
        rig.start();
        CHECK(rig.row(run).state == RunState::Unknown);
        CHECK(rig.row(run).sends == 0);
        CHECK(rig.why(run).find("has not been sent") != std::string::npos);
        rig.pass(300s); // an earlier process's requests would have appeared; it waits in its hands again
        CHECK(rig.row(run).state == RunState::Sent);
    }
    rig.launcher.holds_back = false;
    rig.start();
    rig.pass(300s);
    CHECK(rig.row(run).state == RunState::Accepted);
    CHECK(rig.row(run).sends == 1);
    CHECK(rig.launcher.may_leave == std::vector<bool>{true});
}

TEST_CASE("what waits in its backend's hands ends when it is cancelled") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.holds_back = true;
    const auto run = rig.run();
    const auto no = rig.row(run).no;
    SECTION("at once, and it may not leave any more") {
        rig.submit(CancelInput{no, "ada", "not needed"});
        CHECK(rig.row(run).outcome == flows::Outcome::Cancelled);
        CHECK(rig.row(run).reason == "not needed");
        rig.launcher.launched.at(0).leave([](bool go) { CHECK_FALSE(go); });
        rig.settle();
    }
    SECTION("not if the request leaves first: then it is cancelled on the backend") {
        bool may = false;
        rig.launcher.launched.at(0).leave([&](bool go) { may = go; });
        rig.settle();
        REQUIRE(may);
        rig.submit(CancelInput{no, "ada", "not needed"});
        CHECK(rig.row(run).state == RunState::Sent);
        CHECK(rig.launcher.cancelled.empty());
    }
    SECTION("both at once: one of them counts") {
        bool may = false;
        rig.launcher.launched.at(0).leave([&](bool go) { may = go; });
        rig.submit(CancelInput{no, "ada", "not needed"});
        rig.pass(2s);
        CHECK((rig.row(run).state == RunState::Settled) == !may);
    }
    SECTION("after a restart, as soon as nothing can appear any more") {
        rig.start();
        rig.submit(CancelInput{no, "ada", "not needed"});
        CHECK(rig.row(run).state == RunState::Unknown);
        rig.pass(300s);
        CHECK(rig.launcher.launched.size() == 1);
        CHECK(rig.row(run).outcome == flows::Outcome::Cancelled);
    }
}

TEST_CASE("that a request leaves is on record before it does") {
    PatientRig rig;
    rig.apply({});
    std::string hold = "not asked";
    rig.launcher.on_leaving = [&](RunId run) { hold = rig.row(run).hold; };
    rig.launcher.reply.answer = LaunchAnswer::Unknown;
    rig.launcher.has_after_launch = false;
    const auto run = rig.run();
    CHECK(hold.empty());
    CHECK(rig.launcher.may_leave == std::vector<bool>{true});
    CHECK(rig.row(run).state == RunState::Unknown);
    CHECK(rig.row(run).sends == 1);
    SECTION("nobody else's, and not when it is over") {
        rig.launcher.launched.at(0).leave([&](bool go) { CHECK_FALSE(go); });
        rig.settle();
        CHECK(rig.row(run).sends == 1);
    }
    SECTION("a second one is counted as well") {
        rig.pass(260s);
        CHECK(rig.launcher.may_leave == std::vector<bool>{true, true});
        CHECK(rig.row(run).sends == 2);
    }
}

TEST_CASE("late is postponed where a look would take minutes") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply = {LaunchAnswer::Late, "the deadline had passed", {}, {}};
    const auto run = rig.run();
    CHECK(rig.row(run).hold == "postponed");
    rig.launcher.reply.answer = LaunchAnswer::Accepted;
    rig.pass(2s);
    CHECK(rig.row(run).state == RunState::Accepted);
    CHECK(rig.launcher.looks == 0);
}

TEST_CASE("overlap latest and cancel_running: one firing waits, a newer one takes its place") {
    const bool cancels = GENERATE(false, true);
    PatientRig rig;
    rig.apply({"trigger: chain\nteam: ads\nwhen: {finish: next}\nlaunch: {flow: train, overlap: " +
               std::string(cancels ? "cancel_running" : "latest") + "}\n"});
    std::vector<RunId> causes;
    for (int i = 0; i < 3; ++i) {
        const auto asked =
            rig.submit(RunFlowInput{"ads", "next", "{}", "n" + std::to_string(i), "ada", "test"});
        causes.push_back(asked.run.value());
        rig.report(rig.ended(causes.back(), flows::Outcome::Succeeded));
        rig.pass(1s);
    }
    std::vector<ledger::RunRow> chained;
    for (const auto& run : rig.runs())
        if (run.trigger_name == "chain") chained.push_back(run);
    REQUIRE(chained.size() == 3);
    std::sort(chained.begin(), chained.end(), [](const auto& a, const auto& b) { return a.no < b.no; });
    CHECK((chained[0].cancel_requested != Instant{}) == cancels);
    CHECK(rig.launcher.cancelled.size() == (cancels ? 1U : 0U));
    CHECK(chained[1].outcome == flows::Outcome::Skipped);
    CHECK(chained[1].reason.find("took its place") != std::string::npos);
    CHECK(chained[2].state == RunState::Waiting);
    CHECK(rig.why(chained[2].id).find("makes this one wait") != std::string::npos);
    rig.report(rig.ended(chained[0].id, cancels ? flows::Outcome::Cancelled : flows::Outcome::Succeeded));
    CHECK(rig.row(chained[2].id).state == RunState::Accepted);
}

TEST_CASE("a launch whose answer is open is not settled by what a watched place tells") {
    PatientRig rig;
    rig.apply({});
    rig.launcher.reply = {LaunchAnswer::Unknown, "the connection was closed", {}, {}};
    rig.launcher.has_after_launch = false;
    const auto run = rig.run();
    auto report = rig.ended(run, flows::Outcome::Succeeded);
    report.seen.emplace();
    report.seen->backend = "kf";
    report.seen->team = "ads";
    rig.report(report);
    CHECK(rig.row(run).state == RunState::Unknown);
    CHECK(rig.runs().size() == 1);
    CHECK(rig.launcher.forgotten == 0); // told again until then
    rig.launcher.has[run] = rig.launcher.launched[0];
    rig.pass(15s);
    CHECK(rig.row(run).state == RunState::Accepted);
    rig.report(report);
    CHECK(rig.row(run).outcome == flows::Outcome::Succeeded);
    CHECK(rig.row(run).origin == "manual");
    CHECK(rig.launcher.forgotten == 1);
}

TEST_CASE("how far a watched place is done with is kept") {
    PatientRig rig;
    rig.shell().watched("kf", "ads/", rig.clock.now());
    rig.shell().watched("kf", "ads/", rig.clock.now() + 1s);
    rig.settle();
    const auto kept = rig.watched();
    REQUIRE(kept.size() == 1);
    CHECK(kept[0].until == rig.clock.now() + 1s);
}

TEST_CASE("what is told of a run after its settlement: a further attempt opens, a contradiction is kept") {
    PatientRig rig;
    rig.apply({});
    const auto run = rig.run();
    rig.report(rig.ended(run, flows::Outcome::Failed));
    CHECK(rig.row(run).outcome == flows::Outcome::Failed);
    CHECK(rig.launcher.settled_attempts == std::vector<int>{1});
    // Somebody tries it again on the server.
    auto started = rig.ended(run, flows::Outcome::Failed, 2);
    started.settled = false;
    rig.report(started);
    CHECK(rig.row(run).state == RunState::Running);
    CHECK(rig.row(run).attempt == 2);
    CHECK(rig.launcher.watched.back() == run);
    rig.report(rig.ended(run, flows::Outcome::Succeeded, 2));
    CHECK(rig.row(run).outcome == flows::Outcome::Succeeded);
    CHECK(rig.launcher.settled_attempts == std::vector<int>{1, 2});
    auto noted = rig.ended(run, flows::Outcome::Succeeded, 2);
    noted.note = "a late report after SUCCEEDED: RUNNING";
    const auto before = rig.head();
    rig.report(noted);
    CHECK(rig.head().value == before.value + 1);
    rig.report(noted); // known: recorded once, and it need not be told again
    CHECK(rig.head().value == before.value + 1);
    CHECK(rig.launcher.settled_attempts == std::vector<int>{1, 2, 2});
    CHECK(rig.row(run).outcome == flows::Outcome::Succeeded);
}
