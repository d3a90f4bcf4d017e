#include <support/fault_vfs.hpp>

#include <sqlite3.h>

#include <support/catch.hpp>

#include "sqlite/connection.hpp"

using namespace weir;
using namespace weir::support;
using weir::ledger::sqlite::Connection;

namespace {

std::unique_ptr<Connection> open(const FaultDisk& disk, const char* file = "/t.db") {
    auto made = Connection::open({file, disk.name(), true, false, 0});
    REQUIRE(made.ok());
    return std::move(made).value();
}

std::int64_t rows(Connection& connection) {
    return connection.number("SELECT count(*) FROM t").value();
}

} // namespace

TEST_CASE("a disk keeps what was committed, with and without a write-ahead log") {
    for (const auto* mode : {"WAL", "DELETE"}) {
        INFO(mode);
        FaultDisk disk("fault-test");
        {
            auto a = open(disk);
            REQUIRE(a->run(std::string("PRAGMA synchronous = EXTRA; PRAGMA journal_mode = ") + mode).ok());
            REQUIRE(a->run("CREATE TABLE t(x); INSERT INTO t VALUES(1)").ok());
            auto b = open(disk);
            CHECK(rows(*b) == 1);
            REQUIRE(b->run("INSERT INTO t VALUES(2)").ok());
            CHECK(rows(*a) == 2);
            REQUIRE(a->run("BEGIN IMMEDIATE").ok());
            CHECK(b->run("BEGIN IMMEDIATE").error().kind == ErrorKind::Unavailable);
            REQUIRE(a->run("INSERT INTO t VALUES(3); COMMIT").ok());
            CHECK(rows(*b) == 3);
            disk.power_loss(PowerLoss::DropAll, 1);
            CHECK_FALSE(a->run("INSERT INTO t VALUES(4)").ok());
        }
        auto c = open(disk);
        CHECK(rows(*c) == 3);
    }
}

TEST_CASE("what was not synced is lost with the power") {
    FaultDisk disk("fault-test");
    {
        auto a = open(disk);
        REQUIRE(a->run("PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                       "CREATE TABLE t(x)")
                    .ok());
        REQUIRE(a->run("PRAGMA wal_checkpoint(TRUNCATE)").ok());
        REQUIRE(a->run("INSERT INTO t VALUES(1)").ok()); // NORMAL: in the log, not synced
        CHECK(rows(*a) == 1);
        disk.power_loss(PowerLoss::DropAll, 1);
    }
    CHECK(rows(*open(disk)) == 0);
}

TEST_CASE("operations fail when ordered, and only then") {
    FaultDisk disk("fault-test");
    auto a = open(disk);
    REQUIRE(a->run("PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; CREATE TABLE t(x)").ok());
    disk.fail(DiskOp::Write, 1, DiskFault::Full);
    CHECK(a->run("INSERT INTO t VALUES(1)").error().kind == ErrorKind::Unavailable);
    CHECK(a->run("INSERT INTO t VALUES(1)").ok());
    disk.fail(DiskOp::Sync, 1, DiskFault::Error, 2);
    CHECK_FALSE(a->run("INSERT INTO t VALUES(1)").ok());
    CHECK_FALSE(a->run("INSERT INTO t VALUES(1)").ok());
    CHECK(a->run("INSERT INTO t VALUES(1)").ok());
    disk.fail(DiskOp::Sync, 1, DiskFault::Error, 0);
    for (int i = 0; i < 3; ++i)
        CHECK_FALSE(a->run("INSERT INTO t VALUES(1)").ok());
    disk.heal();
    CHECK(a->run("INSERT INTO t VALUES(1)").ok());
    CHECK(rows(*a) == 3);
    disk.set_capacity(disk.size());
    CHECK_FALSE(a->run("INSERT INTO t VALUES(zeroblob(100000))").ok());
    disk.heal();
    CHECK(a->run("INSERT INTO t VALUES(zeroblob(100000))").ok());
    disk.fail(DiskOp::Write, 1, DiskFault::Power);
    CHECK_FALSE(a->run("INSERT INTO t VALUES(1)").ok());
    CHECK(disk.power_is_off());
    CHECK_FALSE(Connection::open({"/t.db", disk.name(), true, false, 0}).ok());
    a.reset();
    disk.power_loss(PowerLoss::DropAll, 1);
    CHECK(rows(*open(disk)) == 4);
}

TEST_CASE("disks are apart, and can be copied") {
    FaultDisk one("fault-one"), two("fault-two");
    REQUIRE(open(one)->run("CREATE TABLE t(x); INSERT INTO t VALUES(1)").ok());
    CHECK(two.files().empty());
    two.copy_from(one);
    CHECK(rows(*open(two)) == 1);
    REQUIRE(open(two)->run("INSERT INTO t VALUES(1)").ok());
    CHECK(rows(*open(one)) == 1);
    CHECK(rows(*open(two)) == 2);
    one.write_file("/t.db", two.read_file("/t.db"));
    CHECK(rows(*open(one)) == 2);
    one.remove_file("/t.db");
    CHECK(one.files().empty());
}

TEST_CASE("torn writes are seen by nobody who synced") {
    // Each commit that returned is there after the power went at any write or sync, torn in any way.
    for (std::uint64_t seed = 1; seed <= 120; ++seed) {
        FaultDisk disk("fault-test", seed);
        std::int64_t acknowledged = 0;
        const auto how = seed % 2 == 0 ? PowerLoss::Torn : PowerLoss::KeepSome;
        {
            auto a = open(disk);
            REQUIRE(a->run("PRAGMA synchronous = EXTRA").ok());
            REQUIRE(
                a->run(seed % 3 == 0 ? "PRAGMA journal_mode = DELETE" : "PRAGMA journal_mode = WAL").ok());
            REQUIRE(a->run("PRAGMA wal_autocheckpoint = 3; CREATE TABLE t(x)").ok());
            disk.fail(seed % 5 == 0 ? DiskOp::Sync : DiskOp::Write, 1 + seed % 40, DiskFault::Power);
            while (a->run("INSERT INTO t VALUES(randomblob(3000))").ok())
                ++acknowledged;
            REQUIRE(disk.power_is_off());
        }
        disk.power_loss(how, seed);
        auto b = open(disk);
        INFO("seed " << seed);
        const auto there = rows(*b);
        CHECK(there >= acknowledged);
        CHECK(there <= acknowledged + 1);
        CHECK(b->number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'").value() ==
              1);
    }
}
