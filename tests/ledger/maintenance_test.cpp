#include <weir/ledger/maintenance.hpp>

#include <atomic>
#include <thread>

#include <support/catch.hpp>

#include <weir/ledger/sqlite_ledger.hpp>

#include "sqlite/connection.hpp"
#include "temporary_folder.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::test;

namespace {

constexpr std::int64_t first = (std::int64_t{1} << 48) | 1;

std::unique_ptr<SqliteLedger> open_at(const std::string& path) {
    SqliteLedgerOptions options;
    options.path = path;
    return open_sqlite_ledger(options).value();
}

/// Input n (from 0) fires trigger 1, whose run settles at once, and is held.
Batch batch_of(std::int64_t n) {
    Batch batch;
    InputRow row;
    row.seq = Seq(first + 2 * n);
    row.time = from_ns(1000 + n);
    row.stream = StreamNo(1);
    row.position = Position(n + 1);
    row.type = "t";
    row.source = "/s";
    row.id = std::to_string(n);
    row.body = std::string(500, 'b');
    auto end = row;
    end.seq = Seq(first + 2 * n + 1);
    end.kind = InputKind::Settlement;
    end.id = "run" + row.id;
    end.stream = StreamNo(2);
    batch.inputs = {row, end};
    batch.next_seq = Seq(first + 2 * n + 2);
    batch.log_time = row.time;
    batch.positions = {{row.stream, row.position, row.time, row.position, {}}};
    DecisionRow decision;
    decision.no = DecisionNo(n + 1);
    decision.id = DecisionId{Uuid::time_led(row.time, sha256("d" + row.id))};
    decision.seq = row.seq;
    decision.trigger = TriggerNo(1);
    batch.decisions = {decision};
    RunRow run;
    run.no = RunNo(n + 1);
    run.id = RunId{Uuid::time_led(row.time, sha256("r" + row.id))};
    run.decision = decision.no;
    run.created_seq = row.seq;
    batch.runs = {run};
    RunUpdateRow update;
    update.no = run.no;
    update.seq = end.seq;
    update.state = RunState::Settled;
    update.outcome = flows::Outcome::Succeeded;
    batch.run_updates = {update};
    AttemptRow attempt;
    attempt.run = run.no;
    attempt.opened = row.seq;
    batch.attempts_opened = {attempt};
    attempt.settled = end.seq;
    attempt.outcome = flows::Outcome::Succeeded;
    batch.attempts_settled = {attempt};
    batch.held_entered = {{TriggerNo(1), 0, "leaf", "", row.seq, row.seq, row.time}};
    if (n > 0)
        batch.held_left = {{TriggerNo(1), 0, Seq(first + 2 * n - 2), row.seq, "superseded", std::nullopt}};
    if (n == 0) {
        TriggerVersionRow trigger;
        trigger.no = TriggerNo(1);
        trigger.team = "ads";
        trigger.name = "x";
        trigger.from = row.seq;
        batch.trigger_versions = {trigger};
    }
    return batch;
}

void fill(Ledger& ledger, std::int64_t batches, std::int64_t from = 0) {
    REQUIRE(ledger.register_stream({.name = "embedded", .kind = "bus", .incarnation = "i"}).ok());
    REQUIRE(ledger.register_stream({.name = "internal", .kind = "internal"}).ok());
    const auto epoch = ledger.take_epoch().value();
    for (std::int64_t n = from; n < from + batches; ++n)
        REQUIRE(ledger.commit(batch_of(n), epoch).ok());
}

void spoil(const std::string& path, const std::string& sql) {
    auto connection = sqlite::Connection::open({path, {}, false, false, 1000});
    REQUIRE(connection.ok());
    const auto done = (*connection)->run(sql);
    INFO(sql << (done.ok() ? std::string() : done.error().message));
    REQUIRE(done.ok());
}

} // namespace

TEST_CASE("a sound ledger has no findings, beside a running weir too") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    auto ledger = open_at(path);
    fill(*ledger, 20);
    std::vector<std::string> heard;
    const auto report =
        verify_ledger(path, {}, [&](const std::string& check) { heard.push_back(check); }).value();
    CHECK(report.findings.empty());
    CHECK(report.inputs == 40);
    CHECK(report.decisions == 20);
    CHECK(report.runs == 20);
    CHECK(heard == report.checks);
    CHECK(heard.size() > 25);
    CHECK(verify_ledger(folder.path("none.db")).error().kind == ErrorKind::NotFound);
}

TEST_CASE("every broken invariant is found") {
    struct Damage {
        const char* sql;
        const char* finding;
    };
    const Damage all[] = {
        {"DELETE FROM input WHERE seq = ((1 << 48) | 5)", "numbered without a gap"},
        {"DELETE FROM input WHERE seq = ((1 << 48) | 1)", "the first input"},
        {"UPDATE log SET next_seq = next_seq + 1", "the log's next number"},
        {"UPDATE log SET next_seq = next_seq - 1", "newer than the log"},
        {"UPDATE input SET time = 1 WHERE seq = ((1 << 48) | 5)", "time never falls"},
        {"UPDATE input SET dup_of = seq + 1 WHERE seq = ((1 << 48) | 5)", "a duplicate came after"},
        {"INSERT INTO payload VALUES(5, 0, x'00')", "every payload has its input"},
        {"DELETE FROM seen WHERE seq = ((1 << 48) | 5)", "found by its identity"},
        {"UPDATE position SET pos = 3", "beyond its position"},
        {"UPDATE position SET event = pos + 1", "its newest arrival"},
        {"INSERT INTO position VALUES(1, 9, 1, 1, NULL, 1)", "every position has its stream"},
        {"INSERT INTO gap VALUES(1, 9, 'k', 1, 1, '', 1, NULL)", "every gap has its stream"},
        {"INSERT INTO gap VALUES(1, 1, 'k', 1, 1, '', 1, 1 << 60)", "accepted by an input"},
        {"UPDATE log SET gap = 0; INSERT INTO gap VALUES(1, 1, 'k', 1, 1, '', 1, NULL)", "no number"},
        {"INSERT INTO outgoing VALUES(1, x'00')", "no number was given out"},
        {"INSERT INTO dead_letter VALUES(1, 1, 1, 1, 1, 0, NULL, 0, '')", "dead letters are counted"},
        {"INSERT INTO dead_letter VALUES(1, 1, 1, 1, 1, 0, 1, 1 << 60, '')", "was replayed"},
        {"INSERT INTO dead_message VALUES(1, x'00')", "every message has its dead letter"},
        {"UPDATE decision SET seq = ((1 << 48) | 1) WHERE dec = 4", "numbered upwards"},
        {"UPDATE decision SET seq = 7 WHERE dec = 1", "every decision has its input"},
        {"UPDATE decision SET id_hi = 1, id_lo = 1 WHERE dec IN (2, 3)", "no decision id"},
        {"INSERT INTO included VALUES(2, 0, ((1 << 48) | 9), 0)", "every included event"},
        {"DELETE FROM run WHERE run = 3", "exactly one run"},
        {"UPDATE decision SET verdict = 1 WHERE dec = 3", "no other decision has a run"},
        {"UPDATE run SET id_hi = 1, id_lo = 1 WHERE run IN (2, 3)", "no run id"},
        {"UPDATE run SET outcome = NULL WHERE run = 2", "if and only if"},
        {"UPDATE run SET changed = 0 WHERE run = 2", "no run changed after"},
        {"UPDATE run SET sent_epoch = 9 WHERE run = 2", "an epoch that is yet to come"},
        {"UPDATE attempt SET settled_seq = opened_seq WHERE run = 2", "has its settlement"},
        {"DELETE FROM attempt WHERE run = 2", "every settlement settles one"},
        {"UPDATE attempt SET run = 99 WHERE run = 2", "every attempt has its run"},
        {"UPDATE held SET event = 5", "what is held has its input"},
        {"UPDATE held_past SET out_seq = 5 WHERE event = ((1 << 48) | 1)", "left after it came"},
        {"INSERT INTO timer(trig, kind, key, due, set_seq, tzdata, previous, end_seq) VALUES(1, 0, 'k', 1, "
         "9, '', 0, 8)",
         "timers end after"},
        {"UPDATE trigger_version SET to_seq = 9", "one version in force"},
        {"INSERT INTO flow_version(flow, version, backend, parameters, settings, ir, from_seq, deleted, "
         "principal) "
         "VALUES(1, 'a', 0, '[]', '', 0, 1, 0, 0), (1, 'b', 0, '[]', '', 0, 1, 0, 0)",
         "a flow has one version"},
        {"UPDATE log SET runs = runs + 1", "the counters count"},
        {"UPDATE trigger_count SET fired = 1", "firings are counted"},
    };
    const TemporaryFolder folder;
    const auto sound = folder.path("sound.db");
    fill(*open_at(sound), 6);
    for (const auto& damage : all) {
        const auto path = folder.path("spoilt.db");
        std::filesystem::copy_file(sound, path, std::filesystem::copy_options::overwrite_existing);
        REQUIRE(verify_ledger(path).value().findings.empty());
        spoil(path, damage.sql);
        const auto findings = verify_ledger(path).value().findings;
        INFO(damage.sql);
        const bool found = std::any_of(findings.begin(), findings.end(), [&](const auto& finding) {
            return finding.find(damage.finding) != std::string::npos;
        });
        CHECK(found);
        CHECK(findings.size() <= 30);
        std::filesystem::remove(path);
    }
}

TEST_CASE("damage to the file's structure is found, not fallen over") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    fill(*open_at(path), 200);
    auto bytes = read_all(path);
    REQUIRE(bytes.size() > 60 * 4096);
    for (std::size_t page = 45; page < 60; ++page)
        bytes.replace(page * 4096 + 100, 3000, std::string(3000, '\x33'));
    write_all(path, bytes);
    const auto report = verify_ledger(path);
    REQUIRE(report.ok());
    CHECK_FALSE(report->findings.empty());
}

TEST_CASE("a backup of a quiet ledger restores to the same ledger") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db"), copy = folder.path("copy.db");
    std::string secret;
    {
        auto ledger = open_at(path);
        fill(*ledger, 50);
        secret = ledger->snapshot().value().secret;
        std::int64_t last = 0, total = 0;
        const auto progress = [&](std::int64_t done, std::int64_t of) {
            CHECK(done >= last);
            last = done;
            total = of;
        };
        REQUIRE(backup_ledger(path, copy, progress).ok());
        CHECK(last == total);
        CHECK(total > 0);
        const auto again = backup_ledger(path, copy);
        REQUIRE_FALSE(again.ok());
        CHECK(again.error().kind == ErrorKind::Conflict);
        // Restoring over what runs is refused.
        const auto over = restore_ledger(copy, path);
        REQUIRE_FALSE(over.ok());
        CHECK(over.error().kind == ErrorKind::Conflict);
    }
    CHECK(verify_ledger(copy).value().findings.empty());
    const auto there = restore_ledger(copy, path);
    REQUIRE_FALSE(there.ok());
    CHECK(there.error().message.find("overwrites nothing") != std::string::npos);
    std::filesystem::create_directory(folder.path("other"));
    const auto restored = folder.path("other/ledger.db");
    REQUIRE(restore_ledger(copy, restored).ok());
    auto ledger = open_at(restored);
    CHECK(ledger->moved());
    CHECK(ledger->snapshot().value().secret == secret);
    CHECK(ledger->reader().counts().value().runs == 50);
    CHECK(ledger->find_seen("/s", "7", from_ns(2000)).value()->seq == Seq(first + 14));
    fill(*ledger, 1, 50);
}

TEST_CASE("a backup under traffic is consistent") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    auto ledger = open_at(path);
    fill(*ledger, 300);
    std::atomic<bool> stop = false;
    std::atomic<std::int64_t> committed = 300;
    const auto epoch = ledger->take_epoch().value();
    std::thread writer([&] {
        for (std::int64_t n = 300; !stop && n < 20'000; ++n) {
            if (!ledger->commit(batch_of(n), epoch).ok()) return;
            committed = n + 1;
        }
    });
    for (int i = 0; i < 5; ++i) {
        const auto copy = folder.path("copy" + std::to_string(i));
        const auto before = committed.load();
        const auto done = backup_ledger(path, copy, [](auto, auto) { std::this_thread::yield(); });
        CHECK(done.ok());
        const auto report = verify_ledger(copy);
        REQUIRE(report.ok());
        CHECK(report->findings.empty());
        CHECK(report->runs >= before);
        CHECK(ledger->checkpoint().ok());
    }
    stop = true;
    writer.join();
    CHECK(committed > 300);
    CHECK(ledger->reader().counts().value().runs == committed);
}

TEST_CASE("what is no sound backup is not restored") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db"), to = folder.path("new.db");
    CHECK(restore_ledger(folder.path("none"), to).error().kind == ErrorKind::NotFound);
    write_all(path, "no ledger");
    CHECK(restore_ledger(path, to).error().kind == ErrorKind::Invalid);
    std::filesystem::remove(path);
    fill(*open_at(path), 5);
    spoil(path, "DELETE FROM run WHERE run = 3");
    const auto refused = restore_ledger(path, to);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == ErrorKind::Corrupt);
    CHECK(refused.error().message.find("exactly one run") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(to));
    CHECK(backup_ledger(path, folder.path("none/copy")).error().kind == ErrorKind::Unavailable);
    CHECK(backup_ledger(path, "postgres://x/y").error().kind == ErrorKind::Unsupported);
}
