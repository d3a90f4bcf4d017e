#include <weir/ledger/sqlite_ledger.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <support/catch.hpp>
#include <support/fault_vfs.hpp>

#include "schema/schema.hpp"
#include "sqlite/connection.hpp"
#include "sqlite/file.hpp"
#include "temporary_folder.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::test;

namespace {

Result<std::unique_ptr<SqliteLedger>> open_at(const std::string& path, bool create = true,
                                              std::string place = {}) {
    SqliteLedgerOptions options;
    options.path = path;
    options.create = create;
    options.place = std::move(place);
    return open_sqlite_ledger(options);
}

struct Refusal {
    ErrorKind kind;
    std::string message;
};
Refusal refusal(const Result<std::unique_ptr<SqliteLedger>>& result) {
    REQUIRE_FALSE(result.ok());
    return {result.error().kind, result.error().message};
}
bool says(const Refusal& refusal, const std::string& text) {
    return refusal.message.find(text) != std::string::npos;
}

/// An SQLite file made by these statements.
void make_database(const std::string& path, const char* sql) {
    const auto made = sqlite::Connection::open({path, {}, true, false, 0});
    REQUIRE(made.ok());
    REQUIRE((*made)->run(sql).ok());
}

} // namespace

TEST_CASE("a PostgreSQL address is refused by name") {
    for (const auto* address : {"postgres://db/weir", "postgresql://db/weir"}) {
        const auto no = refusal(open_at(address));
        CHECK(no.kind == ErrorKind::Unsupported);
        CHECK(says(no, "the PostgreSQL ledger is not built yet"));
    }
    CHECK(refusal(open_at("mysql://db/weir")).kind == ErrorKind::Unsupported);
}

TEST_CASE("a ledger that is not there is made only on demand, with private files") {
    const TemporaryFolder folder;
    CHECK(refusal(open_at(folder.path("ledger.db"), false)).kind == ErrorKind::NotFound);
    CHECK(refusal(open_at(folder.path("none/ledger.db"))).kind == ErrorKind::NotFound);
    const auto before = ::umask(0);
    const auto ledger = open_at(folder.path("ledger.db"));
    ::umask(before);
    REQUIRE(ledger.ok());
    REQUIRE((*ledger)->take_epoch().ok());
    for (const auto* file : {"ledger.db", "ledger.db-wal", "ledger.db-shm", "lock"}) {
        struct stat status {};
        INFO(file);
        REQUIRE(::stat(folder.path(file).c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
    }
    CHECK_FALSE((*ledger)->moved());
}

TEST_CASE("a file that is no ledger is refused and stays as it was") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    SECTION("text") {
        write_all(path, std::string(5000, 'x'));
    }
    SECTION("a short text") {
        write_all(path, "hello\n");
    }
    SECTION("another program's SQLite file") {
        make_database(path, "CREATE TABLE t(x)");
    }
    SECTION("another program's application id") {
        make_database(path, "PRAGMA application_id = 77; CREATE TABLE t(x)");
    }
    const auto bytes = read_all(path);
    const auto no = refusal(open_at(path));
    CHECK(no.kind == ErrorKind::Invalid);
    CHECK(says(no, "is not a ledger of weir"));
    CHECK(read_all(path) == bytes);
}

TEST_CASE("a ledger of a newer weir is refused and stays as it was") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    REQUIRE(open_at(path).ok());
    make_database(path, "PRAGMA user_version = 99; PRAGMA journal_mode = DELETE");
    const auto bytes = read_all(path);
    const auto no = refusal(open_at(path));
    CHECK(no.kind == ErrorKind::Unsupported);
    CHECK(says(no, "newer weir (schema 99"));
    CHECK(read_all(path) == bytes);
}

TEST_CASE("a ledger that cannot be written is refused") {
    support::FaultDisk disk("ledger-open-test");
    SqliteLedgerOptions options;
    options.path = "/ledger.db";
    options.vfs = disk.name();
    REQUIRE(open_sqlite_ledger(options).ok());
    disk.set_read_only(true);
    const auto no = refusal(open_sqlite_ledger(options));
    CHECK(no.kind == ErrorKind::Denied);
    CHECK(says(no, "cannot be written"));
    disk.set_read_only(false);
    CHECK(open_sqlite_ledger(options).ok());
}

TEST_CASE("a damaged ledger is named as such, whatever part is damaged") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    REQUIRE(open_at(path).ok());
    const auto sound = read_all(path);
    REQUIRE(sound.size() > 40 * 4096);
    // Cut short, and with each of its pages overwritten: opened, or refused as damaged; never anything else.
    write_all(path, sound.substr(0, sound.size() / 2));
    CHECK(refusal(open_at(path)).kind == ErrorKind::Corrupt);
    int refused = 0;
    for (std::size_t page = 0; page < sound.size() / 4096; ++page) {
        auto bytes = sound;
        bytes.replace(page * 4096, 4096, std::string(4096, '\x5a'));
        write_all(path, bytes);
        const auto opened = open_at(path);
        if (opened.ok()) continue;
        ++refused;
        INFO(page << ": " << opened.error().message);
        const auto kind = opened.error().kind;
        CHECK((kind == ErrorKind::Corrupt || kind == ErrorKind::Invalid));
    }
    CHECK(refused >= 3);
}

TEST_CASE("a data folder in use by another weir is refused, naming the process") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    auto first = open_at(path);
    REQUIRE(first.ok());
    const auto no = refusal(open_at(path));
    CHECK(no.kind == ErrorKind::Conflict);
    CHECK(says(no, "in use by another weir (process " + std::to_string(::getpid()) + ")"));
    (*first)->close();
    CHECK(open_at(path).ok());
}

TEST_CASE("after close() every call says so") {
    const TemporaryFolder folder;
    auto ledger = open_at(folder.path("ledger.db"));
    REQUIRE(ledger.ok());
    (*ledger)->close();
    (*ledger)->close();
    CHECK((*ledger)->snapshot().error().kind == ErrorKind::Cancelled);
    CHECK((*ledger)->reader().head().error().kind == ErrorKind::Cancelled);
    CHECK((*ledger)->checkpoint().error().kind == ErrorKind::Cancelled);
}

TEST_CASE("a ledger found at another place says so until it is claimed") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    std::string secret;
    {
        auto ledger = open_at(path, true, "machine-a /data");
        REQUIRE(ledger.ok());
        CHECK_FALSE((*ledger)->moved());
        REQUIRE((*ledger)->register_stream({.name = "embedded", .kind = "bus", .incarnation = "i"}).ok());
        secret = (*ledger)->snapshot().value().secret;
    }
    SECTION("as moved") {
        auto ledger = open_at(path, true, "machine-b /data");
        REQUIRE(ledger.ok());
        CHECK((*ledger)->moved());
        REQUIRE((*ledger)->claim(Claim::Moved).ok());
        CHECK_FALSE((*ledger)->moved());
        CHECK((*ledger)->snapshot().value().secret == secret);
    }
    SECTION("as a new one") {
        auto ledger = open_at(path, true, "machine-b /data");
        REQUIRE(ledger.ok());
        const PositionRow head{StreamNo(1), Position(42), from_ns(7), Position(41), sha256("head")};
        REQUIRE((*ledger)->claim(Claim::New, {&head, 1}).ok());
        CHECK_FALSE((*ledger)->moved());
        const auto snapshot = (*ledger)->snapshot().value();
        CHECK(snapshot.secret != secret);
        CHECK(snapshot.secret.size() == 32);
        CHECK(snapshot.streams[0].position == Position(42));
    }
    auto again = open_at(path, true, "machine-b /data");
    REQUIRE(again.ok());
    CHECK_FALSE((*again)->moved());
    again->reset();
    CHECK((*open_at(path, true, "machine-a /data"))->moved());
}

TEST_CASE("the place of a ledger is its machine and folder") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder.path("a"));
    REQUIRE(open_at(folder.path("a/ledger.db")).ok());
    CHECK_FALSE((*open_at(folder.path("a/../a/ledger.db")))->moved());
    std::filesystem::rename(folder.path("a"), folder.path("b"));
    CHECK((*open_at(folder.path("b/ledger.db")))->moved());
}

TEST_CASE("the log that a killed weir left is taken over, whatever its length") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    {
        const auto ledger = open_at(path, true, "here");
        REQUIRE(ledger.ok());
        // As many commits as it takes: SQLite's own VFS writes at most 131,071 bytes at a time.
        const auto log = folder.path("ledger.db-wal");
        for (int i = 0; i < 10'000 && std::filesystem::file_size(log) < 600 * 1024; ++i)
            REQUIRE((*ledger)->take_epoch().ok());
        REQUIRE(std::filesystem::file_size(log) > 512 * 1024);
        // What SIGKILL leaves: the files as they are now.
        std::filesystem::create_directory(folder.path("left"));
        for (const auto* file : {"ledger.db", "ledger.db-wal"})
            std::filesystem::copy_file(folder.path(file), folder.path(std::string("left/") + file));
    }
    const auto after = open_at(folder.path("left/ledger.db"), false, "here");
    INFO((after.ok() ? "" : after.error().message));
    CHECK(after.ok());
}

namespace {

Status nothing_fresh(sqlite::Connection& connection, const void*) {
    return connection.run("INSERT INTO one VALUES(0)");
}

const schema::Migration version_two[] = {{1, "CREATE TABLE one(x)"},
                                         {2, "CREATE TABLE two(x); INSERT INTO two VALUES(2)"}};
const schema::Migration version_three[] = {{1, "CREATE TABLE one(x)"},
                                           {2, "CREATE TABLE two(x); INSERT INTO two VALUES(2)"},
                                           {3, "INSERT INTO two VALUES(3); CREATE TABLE two(x)"}};

} // namespace

TEST_CASE("migrations bring any older schema up to date, in one transaction or not at all") {
    auto made = sqlite::Connection::open({":memory:", {}, true, false, 0});
    REQUIRE(made.ok());
    auto& connection = **made;
    const auto version = [&] { return connection.number("PRAGMA user_version").value(); };
    REQUIRE(sqlite::migrate(connection, std::span(version_two, 1), nothing_fresh, nullptr).ok());
    CHECK(version() == 1);
    CHECK(connection.number("PRAGMA application_id").value() == schema::application_id);
    REQUIRE(sqlite::migrate(connection, version_two, nothing_fresh, nullptr).ok());
    CHECK(version() == 2);
    CHECK(connection.number("SELECT count(*) FROM one").value() == 1); // filled in once, when new
    CHECK(connection.number("SELECT count(*) FROM two").value() == 1);
    CHECK_FALSE(sqlite::migrate(connection, version_three, nothing_fresh, nullptr).ok());
    CHECK(version() == 2);
    CHECK(connection.number("SELECT count(*) FROM two").value() == 1);
    CHECK(sqlite::examine(connection, 2).value() == sqlite::FileState::Ours);
    CHECK(sqlite::examine(connection, 1).error().kind == ErrorKind::Unsupported);
}

TEST_CASE("the schema's versions have no gap") {
    int expected = 1;
    for (const auto& migration : schema::migrations())
        CHECK(migration.to == expected++);
}
