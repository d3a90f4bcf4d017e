// A ledger that an older weir made opens and goes on.
#include <support/catch.hpp>
#include <support/fault_vfs.hpp>
#include <weir/ledger/maintenance.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "schema/schema.hpp"
#include "schema/version_1.hpp"
#include "sqlite/connection.hpp"
#include "temporary_folder.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::test;

namespace {

constexpr std::int64_t first = (std::int64_t{1} << 48) | 1;

// What a weir of version 1 left: three inputs (an event that fired, its settlement, a command), a run that
// ended and one that is open, a held event; and rows that it never wrote but could have: gaps, outgoing ones.
const char* const rows = R"sql(
INSERT INTO meta VALUES('instance', CAST('old' AS BLOB)), ('secret', zeroblob(32)),
  ('seen_key', zeroblob(16)), ('place', CAST('here' AS BLOB));
INSERT INTO log VALUES(1, 7, (1 << 48) + 4, 3000, 2, 2, 1);
INSERT INTO stream VALUES(1, 'events', 'bus', 'i1'), (2, 'internal', 'internal', '');
INSERT INTO position VALUES(1, 1, 900, 1000, randomblob(32));
INSERT INTO name VALUES(1, 'data.ready'), (2, '/s'), (3, 'ads'), (4, 'train'), (5, 'leaf');
INSERT INTO input VALUES((1 << 48) + 1, 0, 0, 1000, 0, 1, 900, 1, 2, 0, NULL, 'a', NULL, randomblob(32)),
  ((1 << 48) + 2, 1, 0, 2000, 0, 2, 2, 1, 2, 3, NULL, 'b', NULL, NULL),
  ((1 << 48) + 3, 5, 0, 3000, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL);
INSERT INTO payload VALUES((1 << 48) + 1, 0, x'6161'), ((1 << 48) + 2, 0, x'6262');
INSERT INTO seen VALUES(1, (1 << 48) + 1), (2, (1 << 48) + 2);
INSERT INTO trigger VALUES(1, zeroblob(16), 3, 4, 0, 0, '', (1 << 48) + 1);
INSERT INTO trigger_version VALUES(1, 1, 'h', '{}', 'trigger: train', (1 << 48) + 1, NULL, 0);
INSERT INTO trigger_count VALUES(0, 1), (1, 1);
INSERT INTO decision VALUES(1, 1, 1, (1 << 48) + 1, 0, 1, 1, 1, 0, 0, 5, 3, 1000, NULL, NULL, NULL, NULL, NULL),
  (2, 2, 2, (1 << 48) + 3, 0, 0, 0, 1, 0, 0, 0, 3, 3000, NULL, 'manual:x', NULL, NULL, NULL);
INSERT INTO held VALUES(1, (1 << 48) + 1, 0, 5, (1 << 48) + 1, 1000, '');
INSERT INTO run VALUES(1, 1, 1, 1, 1, 1, 1, 4, 1, 3, 3, 4, 0, 1, 0, 0, 1000, (1 << 48) + 1, '{}', '[]', 6,
  (1 << 48) + 2, 0, '', 7, 0, 0, 1, 0, '', '{}', 0, 0, 0);
INSERT INTO run VALUES(2, 2, 2, 2, 2, 2, 0, 0, 0, 3, 3, 4, 0, 1, 0, 0, 3000, (1 << 48) + 3, '{}', '[]', 2,
  (1 << 48) + 3, 0, '', 7, 0, 0, 0, NULL, '', '{}', 0, 0, 0);
INSERT INTO attempt VALUES(1, 1, (1 << 48) + 1, (1 << 48) + 2, 0, NULL, 0, 0);
INSERT INTO gap VALUES(3, (1 << 48) + 3, 1, 5, 8, 'retention');
INSERT INTO outgoing VALUES((1 << 48) + 3, 1, 'x', x'32', NULL), ((1 << 48) + 3, 0, 'x', x'31', NULL),
  ((1 << 48) + 2, 0, 'x', x'30', 5);
)sql";

void make_version_1(const std::string& path, const std::string& vfs) {
    auto made = sqlite::Connection::open({path, vfs, true, false, 0});
    REQUIRE(made.ok());
    auto& connection = **made;
    for (const auto* sql :
         {"PRAGMA synchronous = EXTRA", "PRAGMA journal_mode = WAL", "BEGIN", schema::version_1, rows,
          "PRAGMA user_version = 1; PRAGMA application_id = 2003134834", "COMMIT"}) {
        const auto done = connection.run(sql);
        INFO((done.ok() ? std::string() : done.error().message));
        REQUIRE(done.ok());
    }
}

Result<std::unique_ptr<SqliteLedger>> open_at(const std::string& path, const std::string& vfs = {}) {
    SqliteLedgerOptions options;
    options.path = path;
    options.vfs = vfs;
    options.place = "here";
    return open_sqlite_ledger(options);
}

void check_upgraded(SqliteLedger& ledger) {
    const auto snapshot = ledger.snapshot().value();
    CHECK(snapshot.instance == "old");
    CHECK(snapshot.epoch == Epoch(7));
    CHECK(snapshot.next_seq == Seq(first + 3));
    CHECK(snapshot.next_run == RunNo(3));
    REQUIRE(snapshot.streams.size() == 2);
    CHECK(snapshot.streams[0].name == "events");
    CHECK(snapshot.streams[0].family == "");
    CHECK(snapshot.streams[0].incarnation == "i1");
    CHECK(snapshot.streams[0].position == Position(900));
    CHECK(snapshot.streams[0].event == Position(0)); // nothing to compare a place with
    CHECK(snapshot.streams[0].digest == Digest{});
    REQUIRE(snapshot.gaps.size() == 1);
    CHECK(snapshot.gaps[0].no == GapNo(3));
    CHECK(snapshot.gaps[0].kind == "retention");
    CHECK(snapshot.gaps[0].from == Position(5));
    CHECK(snapshot.gaps[0].to == Position(8));
    CHECK(snapshot.gaps[0].found == from_ns(3000));
    CHECK(snapshot.next_gap == GapNo(4));
    REQUIRE(snapshot.outgoing.size() == 2);
    CHECK(snapshot.outgoing[0].body == "1");
    CHECK(snapshot.outgoing[1].body == "2");
    CHECK(snapshot.next_outgoing == OutgoingNo(3));
    CHECK(snapshot.next_dead_letter == DeadLetterNo(1));
    CHECK(snapshot.runs.size() == 1);
    CHECK(snapshot.held.size() == 1);
    CHECK(ledger.reader().input(Seq(first)).value().body == "aa");
}

void check_sound(const std::string& path, const std::string& vfs = {}) {
    const auto report = verify_ledger(path, vfs);
    REQUIRE(report.ok());
    for (const auto& finding : report->findings)
        CHECK(finding == "");
}

void go_on(SqliteLedger& ledger) {
    const auto epoch = ledger.take_epoch().value();
    CHECK(epoch == Epoch(8));
    Batch batch;
    InputRow input;
    input.seq = Seq(first + 3);
    input.time = from_ns(4000);
    input.kind = InputKind::Command;
    batch.inputs = {input};
    batch.next_seq = Seq(first + 4);
    batch.log_time = input.time;
    batch.outgoing = {{OutgoingNo(3), "3"}};
    batch.outgoing_done = {OutgoingNo(1)};
    batch.gaps_accepted = {{GapNo(3), input.seq}};
    DeadLetterRow letter;
    letter.no = DeadLetterNo(1);
    letter.stream = StreamNo(1);
    letter.message = "no event";
    batch.dead_letters = {letter};
    const auto done = ledger.commit(batch, epoch);
    INFO((done.ok() ? std::string() : done.error().message));
    REQUIRE(done.ok());
    CHECK(ledger.snapshot().value().gaps.empty());
}

} // namespace

TEST_CASE("a ledger of version 1 opens with everything in it, and goes on") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    make_version_1(path, {});
    CHECK(verify_ledger(path).error().kind == ErrorKind::Unsupported); // only weir itself upgrades
    {
        auto ledger = open_at(path);
        INFO((ledger.ok() ? std::string() : ledger.error().message));
        REQUIRE(ledger.ok());
        CHECK_FALSE((*ledger)->moved());
        check_upgraded(**ledger);
    }
    check_sound(path);
    {
        auto ledger = open_at(path);
        check_upgraded(**ledger);
        go_on(**ledger);
    }
    check_sound(path);
}

TEST_CASE("a ledger is brought up to date whole or not at all, whenever the power goes") {
    int opened_at_once = 0;
    for (std::uint64_t n = 1; n <= 60; ++n) {
        INFO("operation " << n);
        support::FaultDisk disk("ledger-upgrade", n);
        make_version_1("/ledger.db", disk.name());
        disk.fail(n % 2 == 0 ? support::DiskOp::Write : support::DiskOp::Sync, (n + 1) / 2,
                  support::DiskFault::Power);
        opened_at_once += open_at("/ledger.db", disk.name()).ok() ? 1 : 0;
        disk.heal();
        disk.power_loss(support::PowerLoss::Torn, n);
        auto ledger = open_at("/ledger.db", disk.name());
        INFO((ledger.ok() ? std::string() : ledger.error().message));
        REQUIRE(ledger.ok());
        check_upgraded(**ledger);
        go_on(**ledger);
        ledger->reset();
        check_sound("/ledger.db", disk.name());
    }
    CHECK(opened_at_once < 60);
}
