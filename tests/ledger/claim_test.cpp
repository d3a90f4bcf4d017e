// A copied ledger that is claimed as new leaves to the original what only one may do.
#include <support/catch.hpp>
#include <weir/ledger/maintenance.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "temporary_folder.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::test;

namespace {

constexpr std::int64_t first = (std::int64_t{1} << 48) | 1;

Seq seq(std::int64_t n) {
    return Seq(first + n - 1);
}

std::unique_ptr<SqliteLedger> open_at(const std::string& path, const std::string& place) {
    SqliteLedgerOptions options;
    options.path = path;
    options.place = place;
    return open_sqlite_ledger(options).value();
}

InputRow input(std::int64_t n, InputKind kind) {
    InputRow row;
    row.seq = seq(n);
    row.kind = kind;
    row.time = from_ns(1000 * n);
    if (kind != InputKind::Arrival && kind != InputKind::Settlement) return row;
    row.stream = StreamNo(kind == InputKind::Arrival ? 1 : 2);
    row.position = Position(900 + n);
    row.id = std::to_string(n);
    row.body = "body";
    return row;
}

DecisionRow decision(std::int64_t no, std::int64_t n) {
    DecisionRow row;
    row.no = DecisionNo(no);
    row.id = DecisionId{Uuid::time_led(from_ns(no), sha256("d" + std::to_string(no)))};
    row.seq = seq(n);
    row.trigger = TriggerNo(1);
    return row;
}

RunRow run(std::int64_t no, std::int64_t n, RunState state) {
    RunRow row;
    row.no = RunNo(no);
    row.id = RunId{Uuid::time_led(from_ns(no), sha256("r" + std::to_string(no)))};
    row.decision = DecisionNo(no);
    row.trigger = TriggerNo(1);
    row.created_seq = seq(n);
    row.state = state;
    return row;
}

/// Run 1 has ended, run 2 is in its second attempt, run 3 was sent, run 4 waits and may so until a timer.
Batch story() {
    Batch batch;
    batch.inputs = {input(1, InputKind::Arrival), input(2, InputKind::Arrival),
                    input(3, InputKind::Settlement), input(4, InputKind::Settlement),
                    input(5, InputKind::Change)};
    batch.next_seq = seq(6);
    batch.log_time = batch.inputs.back().time;
    batch.watched = {{"kf", "ads/", from_ns(1000)}};
    batch.positions = {{StreamNo(1), Position(902), from_ns(2000), Position(902), sha256("b")}};
    TriggerVersionRow trigger;
    trigger.no = TriggerNo(1);
    trigger.team = "ads";
    trigger.name = "train";
    trigger.from = seq(1);
    batch.trigger_versions = {trigger};
    batch.decisions = {decision(1, 1), decision(2, 1), decision(3, 2), decision(4, 2)};
    batch.runs = {run(1, 1, RunState::Running), run(2, 1, RunState::Running), run(3, 2, RunState::Sent),
                  run(4, 2, RunState::Waiting)};
    batch.runs[3].hold = "overlap";
    RunUpdateRow settled;
    settled.no = RunNo(1);
    settled.seq = seq(3);
    settled.state = RunState::Settled;
    settled.outcome = flows::Outcome::Succeeded;
    settled.reason = "done";
    batch.run_updates = {settled};
    AttemptRow attempt;
    attempt.run = RunNo(1);
    attempt.opened = seq(1);
    auto again = attempt;
    again.run = RunNo(2);
    auto third = again;
    third.attempt = 2;
    third.opened = seq(4);
    batch.attempts_opened = {attempt, again, third};
    attempt.settled = seq(3);
    attempt.outcome = flows::Outcome::Succeeded;
    again.settled = seq(4);
    again.outcome = flows::Outcome::Failed;
    again.error = "disk full";
    batch.attempts_settled = {attempt, again};
    batch.held_entered = {{TriggerNo(1), 0, "leaf", "", seq(2), seq(2), from_ns(2000)}};
    batch.timers_set = {
        {TriggerNo(1), TimerKind::Slot, "nightly", from_ns(9000), seq(1), "2025b", {}},
        {TriggerNo(1), TimerKind::MaxAge, batch.runs[3].id.to_string(), from_ns(8000), seq(2), "", {}}};
    batch.outgoing = {{OutgoingNo(1), "one"}, {OutgoingNo(2), "two"}};
    GapRow gap;
    gap.no = GapNo(1);
    gap.stream = StreamNo(1);
    gap.kind = "retention";
    batch.gaps = {gap};
    return batch;
}

void check_sound(const std::string& path) {
    const auto report = verify_ledger(path).value();
    for (const auto& finding : report.findings)
        CHECK(finding == "");
}

/// The copy of a ledger with a story, at another place.
std::string copied(const TemporaryFolder& folder) {
    auto original = open_at(folder.path("ledger.db"), "original");
    REQUIRE(original->register_stream({.name = "events", .kind = "bus", .incarnation = "i"}).ok());
    REQUIRE(original->register_stream({.name = "internal", .kind = "internal"}).ok());
    const auto epoch = original->take_epoch().value();
    REQUIRE(original->commit(story(), epoch).ok());
    std::filesystem::create_directory(folder.path("copy"));
    REQUIRE(backup_ledger(folder.path("ledger.db"), folder.path("copy/ledger.db")).ok());
    return folder.path("copy/ledger.db");
}

} // namespace

TEST_CASE("claimed as new, runs that have not ended are lost to the copy, and nothing goes out of it") {
    const TemporaryFolder folder;
    const auto path = copied(folder);
    for (int round = 0; round < 2; ++round) {
        auto ledger = open_at(path, "copy");
        if (round == 0) {
            CHECK(ledger->moved());
            // The heads may lie before what the original had read: another bus.
            const PositionRow head{StreamNo(1), Position(7), from_ns(7), Position(7), sha256("head")};
            REQUIRE(ledger->claim(Claim::New, {&head, 1}).ok());
        }
        CHECK_FALSE(ledger->moved());
        auto& reader = ledger->reader();
        CHECK(reader.run(RunNo(1)).value().reason == "done");
        CHECK(reader.run(RunNo(1)).value().outcome == flows::Outcome::Succeeded);
        CHECK(reader.run(RunNo(1)).value().changed == seq(3));
        for (std::int64_t no = 2; no <= 4; ++no) {
            const auto lost = reader.run(RunNo(no)).value();
            CHECK(lost.state == RunState::Settled);
            CHECK(lost.outcome == flows::Outcome::Lost);
            CHECK(lost.reason.find("claimed as new") != std::string::npos);
            CHECK(lost.hold.empty());
            CHECK(lost.changed == seq(5));
        }
        const auto attempts = reader.attempts(RunNo(2)).value();
        REQUIRE(attempts.size() == 2);
        CHECK(attempts[0].outcome == flows::Outcome::Failed);
        CHECK(attempts[0].error == "disk full");
        CHECK(attempts[1].outcome == flows::Outcome::Lost);
        CHECK_FALSE(attempts[1].settled.has_value()); // nothing arrived that says so
        CHECK(attempts[1].error.find("claimed as new") != std::string::npos);
        const auto snapshot = ledger->snapshot().value();
        CHECK(snapshot.runs.empty());
        CHECK(reader.watched().value().empty());
        CHECK(snapshot.outgoing.empty());
        CHECK(snapshot.next_outgoing == OutgoingNo(3));
        REQUIRE(snapshot.timers.size() == 1); // the schedule goes on
        CHECK(snapshot.timers[0].key == "nightly");
        CHECK(snapshot.held.size() == 1);
        CHECK(snapshot.gaps.size() == 1);
        CHECK(snapshot.streams[0].position == Position(7));
        CHECK(snapshot.streams[0].event == Position(7));
        CHECK(reader.counts().value().runs_unsettled == 0);
        ledger->close();
        check_sound(path);
    }
    // The original has lost nothing.
    const auto original = open_at(folder.path("ledger.db"), "original");
    CHECK(original->snapshot().value().runs.size() == 3);
    CHECK(original->snapshot().value().outgoing.size() == 2);
    // And the copy goes on.
    const auto copy = open_at(path, "copy");
    const auto epoch = copy->take_epoch().value();
    Batch batch;
    batch.inputs = {input(6, InputKind::Arrival)};
    batch.inputs[0].position = Position(8);
    batch.next_seq = seq(7);
    batch.log_time = batch.inputs[0].time;
    batch.positions = {{StreamNo(1), Position(8), batch.log_time, Position(8), {}}};
    REQUIRE(copy->commit(batch, epoch).ok());
    check_sound(path);
}

TEST_CASE("claimed as moved, everything goes on") {
    const TemporaryFolder folder;
    const auto path = copied(folder);
    const auto ledger = open_at(path, "copy");
    REQUIRE(ledger->moved());
    REQUIRE(ledger->claim(Claim::Moved).ok());
    const auto snapshot = ledger->snapshot().value();
    CHECK(snapshot.runs.size() == 3);
    CHECK(snapshot.outgoing.size() == 2);
    CHECK(snapshot.timers.size() == 2);
    CHECK(snapshot.streams[0].position == Position(902));
}
