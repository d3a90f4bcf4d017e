#include <weir/events/embedded_bus.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <stdlib.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::events;

namespace {

struct Folder {
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-bus-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    [[nodiscard]] std::string file(const std::string& name = "bus.db") const {
        return (path / name).string();
    }
    std::filesystem::path path;
};

Event event(const std::string& id, std::size_t bytes = 0) {
    Event e;
    e.id = id;
    e.source = "/test";
    e.type = "test";
    if (bytes > 0) {
        e.data_kind = DataKind::Binary;
        e.data = std::string(bytes, 'x');
    }
    return e;
}

Status publish(Bus& bus, const std::string& id, std::size_t bytes = 0) {
    const std::vector<Event> one{event(id, bytes)};
    const auto positions = bus.publish("", one);
    return positions.ok() ? Status() : Status(positions.error());
}

std::vector<std::string> ids(Bus& bus, std::int64_t after = 0) {
    std::vector<std::string> out;
    const auto arrivals = bus.read("events", Position(after), 1'000'000, 1'000'000'000);
    INFO((arrivals.ok() ? "" : arrivals.error().message));
    REQUIRE(arrivals.ok());
    for (const auto& arrival : arrivals->arrivals)
        out.push_back(arrival.event.id);
    return out;
}

std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

void sql(const std::string& path, const std::string& statements) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, statements.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

std::unique_ptr<Bus> open(const Folder& folder, const Clock& clock, EmbeddedBusOptions options = {}) {
    auto bus = open_embedded_bus(folder.file(), clock, std::move(options));
    INFO((bus.ok() ? "" : bus.error().message));
    REQUIRE(bus.ok());
    return std::move(bus).value();
}

Error refusal(const std::string& path, const Clock& clock, EmbeddedBusOptions options = {}) {
    const auto bus = open_embedded_bus(path, clock, std::move(options));
    REQUIRE_FALSE(bus.ok());
    CHECK(bus.error().message.find(path) != std::string::npos);
    return bus.error();
}

} // namespace

TEST_CASE("the bus's file is its owner's alone, and durable over power loss by name") {
    const Folder folder;
    const ManualClock clock;
    const auto bus = open(folder, clock);
    REQUIRE(publish(*bus, "a").ok());
    for (const auto* suffix : {"", "-wal", "-shm", ".lock"}) {
        struct stat found {};
        INFO(suffix);
        REQUIRE(::stat((folder.file() + suffix).c_str(), &found) == 0);
        CHECK((found.st_mode & 0777) == 0600);
    }
    CHECK(bus->look("events")->durability == Durability::PowerSafe);
    CHECK(bus->streams()->size() == 1);
}

TEST_CASE("a file that is not ours, or newer, or in use, is refused and stays as it is") {
    const Folder folder;
    const ManualClock clock;
    const auto path = folder.file();
    SECTION("text") {
        std::ofstream(path) << std::string(5000, 'x');
        const auto before = content(path);
        CHECK(refusal(path, clock).kind == ErrorKind::Invalid);
        CHECK(content(path) == before);
    }
    SECTION("another database") {
        sql(path, "CREATE TABLE ours(x); INSERT INTO ours VALUES(1)");
        const auto before = content(path);
        CHECK(refusal(path, clock).kind == ErrorKind::Invalid);
        CHECK(content(path) == before);
    }
    SECTION("newer") {
        open(folder, clock)->close();
        sql(path, "PRAGMA user_version=2");
        const auto error = refusal(path, clock);
        CHECK(error.kind == ErrorKind::Unsupported);
        CHECK(error.message.find("newer weir") != std::string::npos);
    }
    SECTION("in use") {
        const auto bus = open(folder, clock);
        const auto error = refusal(path, clock);
        CHECK(error.kind == ErrorKind::Conflict);
        CHECK(error.message.find("in use by another weir (process " + std::to_string(::getpid())) !=
              std::string::npos);
        REQUIRE(publish(*bus, "a").ok());
        bus->close();
        CHECK(ids(*open(folder, clock)).size() == 1);
    }
    SECTION("another stream") {
        open(folder, clock)->close();
        CHECK(refusal(path, clock, {.stream = "other"}).kind == ErrorKind::Conflict);
    }
    SECTION("a folder") {
        CHECK(refusal(folder.path.string(), clock).kind == ErrorKind::Invalid);
    }
    SECTION("no such folder") {
        CHECK(refusal(folder.file("no/bus.db"), clock).kind == ErrorKind::NotFound);
    }
    SECTION("an empty file is taken") {
        std::ofstream(path).flush();
        CHECK(publish(*open(folder, clock), "a").ok());
    }
}

TEST_CASE("a stream made anew has another incarnation") {
    const Folder folder;
    const ManualClock clock;
    const auto first = open(folder, clock)->look("events")->incarnation;
    CHECK(open(folder, clock)->look("events")->incarnation == first);
    std::filesystem::remove(folder.file());
    CHECK(open(folder, clock)->look("events")->incarnation != first);
    std::filesystem::remove(folder.file());
    CHECK(open(folder, clock, {.incarnation = "given"})->look("events")->incarnation == "given");
}

TEST_CASE("everything published is in the file before publish() returns") {
    const Folder folder, copy;
    const ManualClock clock;
    const auto bus = open(folder, clock);
    for (int i = 0; i < 50; ++i) {
        REQUIRE(publish(*bus, std::to_string(i), 100).ok());
        if (i % 10 != 9) continue;
        // As a crash would leave it: neither closed nor checkpointed.
        for (const auto* suffix : {"", "-wal"})
            std::filesystem::copy_file(folder.file() + suffix, copy.file() + suffix,
                                       std::filesystem::copy_options::overwrite_existing);
        std::filesystem::remove(copy.file() + "-shm");
        const auto again = open(copy, clock);
        CHECK(ids(*again).size() == static_cast<std::size_t>(i) + 1);
        CHECK(again->look("events")->incarnation == bus->look("events")->incarnation);
    }
}

TEST_CASE("a missing or damaged event stops the reader by name") {
    const Folder folder;
    const ManualClock clock;
    auto bus = open(folder, clock);
    for (int i = 1; i <= 5; ++i)
        REQUIRE(publish(*bus, std::to_string(i)).ok());
    bus->close();
    SECTION("missing") {
        sql(folder.file(), "DELETE FROM event WHERE pos=3");
        bus = open(folder, clock);
        CHECK(bus->read("events", Position(0), 2, 1000)->arrivals.size() == 2);
        const auto gap = bus->read("events", Position(0), 5, 1000);
        REQUIRE_FALSE(gap.ok());
        CHECK(gap.error().kind == ErrorKind::Corrupt);
        CHECK(gap.error().message.find("position 3 is missing") != std::string::npos);
        CHECK(bus->read("events", Position(3), 5, 1000)->arrivals.size() == 2);
    }
    SECTION("damaged") {
        sql(folder.file(), "UPDATE event SET bytes=x'ffff' WHERE pos=3");
        bus = open(folder, clock);
        const auto bad = bus->read("events", Position(2), 5, 1000);
        REQUIRE_FALSE(bad.ok());
        CHECK(bad.error().kind == ErrorKind::Corrupt);
        CHECK(bad.error().message.find("position 3") != std::string::npos);
    }
    SECTION("the newest lost behind our back") {
        bus = open(folder, clock);
        sql(folder.file(), "DELETE FROM event WHERE pos=5");
        CHECK(bus->read("events", Position(4), 5, 1000).error().kind == ErrorKind::Corrupt);
    }
}

TEST_CASE("a full file refuses, keeps what it has, and goes on when there is room") {
    const Folder folder;
    ManualClock clock;
    const auto bus = open(folder, clock, {.keep_bytes = 200'000, .file_bytes_max = 400'000});
    std::int64_t taken = 0;
    Status status;
    while (taken < 1000 && (status = publish(*bus, std::to_string(taken), 3000)).ok())
        ++taken;
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().kind == ErrorKind::Unavailable);
    CHECK(retryable(status.error().kind));
    CHECK(taken > 50);
    CHECK(ids(*bus).size() == static_cast<std::size_t>(taken));
    CHECK(bus->look("events")->head == Position(taken));
    // All or none, when the first events of a call would still fit.
    std::vector<Event> many(200, event("many", 3000));
    CHECK_FALSE(bus->publish("", many).ok());
    CHECK(bus->look("events")->head == Position(taken));
    REQUIRE(bus->release("events", Position(taken)).ok());
    CHECK(bus->look("events")->first > Position(1));
    CHECK(publish(*bus, "room", 3000).ok());
    CHECK(ids(*bus, taken) == std::vector<std::string>{"room"});
}

TEST_CASE("keep_bytes drops the oldest released events, about as many as needed") {
    const Folder folder;
    ManualClock clock;
    const auto bus = open(folder, clock, {.keep_bytes = 100'000});
    for (int i = 0; i < 100; ++i)
        REQUIRE(publish(*bus, std::to_string(i), 3000).ok());
    CHECK(bus->look("events")->first == Position(1));
    REQUIRE(bus->release("events", Position(100)).ok());
    const auto first = bus->look("events")->first.value;
    CHECK(first > 50);
    CHECK(first < 90);
    CHECK(ids(*bus, first - 1).size() == static_cast<std::size_t>(101 - first));
    // Not more often than once a second.
    for (int i = 0; i < 50; ++i)
        REQUIRE(publish(*bus, std::to_string(i), 3000).ok());
    REQUIRE(bus->release("events", Position(150)).ok());
    CHECK(bus->look("events")->first.value == first);
    clock.advance(std::chrono::seconds(1));
    REQUIRE(bus->release("events", Position(150)).ok());
    CHECK(bus->look("events")->first.value > first + 20);
}

TEST_CASE("a call that is too large is refused whole") {
    const Folder folder;
    const ManualClock clock;
    const auto bus = open(folder, clock, {.publish_events_max = 3, .publish_bytes_max = 5000});
    CHECK(bus->publish("", std::vector<Event>(4, event("a"))).error().kind == ErrorKind::Exhausted);
    CHECK(bus->publish("", std::vector<Event>(3, event("a", 3000))).error().kind == ErrorKind::Exhausted);
    CHECK(bus->look("events")->head == Position(0));
    CHECK(bus->publish("", std::vector<Event>(3, event("a"))).ok());
}
