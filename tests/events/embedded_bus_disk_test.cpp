#include <map>

#include <support/catch.hpp>
#include <support/fault_vfs.hpp>

#include <weir/events/embedded_bus.hpp>

using namespace weir;
using namespace weir::events;
using support::DiskFault;
using support::DiskOp;
using support::FaultDisk;
using support::PowerLoss;

// The embedded bus on a disk that fills up, fails and loses power.

namespace {

const std::string path = "/bus.db";

Event event(const std::string& id, std::size_t bytes) {
    Event e;
    e.id = id;
    e.source = "/test";
    e.type = "test";
    e.data_kind = DataKind::Binary;
    e.data = std::string(bytes, 'x');
    return e;
}

Result<std::unique_ptr<Bus>> open(const FaultDisk& disk, const Clock& clock,
                                  EmbeddedBusOptions options = {}) {
    options.vfs = disk.name();
    options.incarnation = "x";
    return open_embedded_bus(path, clock, std::move(options));
}

std::map<std::int64_t, std::string> content(Bus& bus) {
    std::map<std::int64_t, std::string> out;
    const auto first = bus.look("events")->first.value;
    const auto arrivals = bus.read("events", Position(first - 1), 1'000'000, 1'000'000'000);
    INFO((arrivals.ok() ? "" : arrivals.error().message));
    REQUIRE(arrivals.ok());
    Instant before{};
    for (const auto& arrival : arrivals->arrivals) {
        REQUIRE(arrival.time >= before);
        before = arrival.time;
        out[arrival.position.value] = arrival.event.id;
    }
    return out;
}

/// Publishes calls of one to three events until one fails or `calls` are done; what succeeded goes into
/// `durable`.
Status publish_some(Bus& bus, int calls, int& serial, std::map<std::int64_t, std::string>& durable) {
    for (int call = 0; call < calls; ++call) {
        std::vector<Event> events;
        for (int i = 0; i <= call % 3; ++i) {
            ++serial;
            events.push_back(event(std::to_string(serial), static_cast<std::size_t>(serial % 7) * 1000));
        }
        const auto positions = bus.publish("", events);
        if (!positions.ok()) {
            CHECK(positions.error().kind == ErrorKind::Unavailable);
            return positions.error();
        }
        for (std::size_t i = 0; i < events.size(); ++i)
            durable[(*positions)[i].value] = events[i].id;
    }
    return {};
}

} // namespace

TEST_CASE("a disk fault leaves nothing half-written, and the bus goes on when it ends") {
    int number = 0;
    for (const auto op : {DiskOp::Write, DiskOp::Sync})
        for (const auto fault : {DiskFault::Full, DiskFault::Error})
            for (std::uint64_t n = 1; n <= 20; ++n) {
                FaultDisk disk("bus-fault-" + std::to_string(++number), n);
                const ManualClock clock;
                auto bus = open(disk, clock);
                REQUIRE(bus.ok());
                std::map<std::int64_t, std::string> durable;
                int serial = 0;
                disk.fail(op, n, fault, n % 3);
                int failed = 0;
                for (int turn = 0; turn < 6; ++turn) {
                    if (!publish_some(**bus, 3, serial, durable).ok()) ++failed;
                    INFO("operation " << static_cast<int>(op) << " number " << n << " turn " << turn);
                    REQUIRE(content(**bus) == durable);
                }
                if (n < 15) CHECK(failed > 0);
                disk.heal();
                REQUIRE(publish_some(**bus, 3, serial, durable).ok());
                REQUIRE(content(**bus) == durable);
                (*bus)->close();
                bus = open(disk, clock);
                REQUIRE(bus.ok());
                REQUIRE(content(**bus) == durable);
            }
}

TEST_CASE("a full disk refuses until there is room") {
    FaultDisk disk("bus-full");
    const ManualClock clock;
    auto bus = open(disk, clock);
    REQUIRE(bus.ok());
    std::map<std::int64_t, std::string> durable;
    int serial = 0;
    disk.set_capacity(disk.size() + 200'000);
    const auto status = publish_some(**bus, 10'000, serial, durable);
    REQUIRE_FALSE(status.ok());
    CHECK(durable.size() > 10);
    CHECK_FALSE(publish_some(**bus, 3, serial, durable).ok());
    CHECK(content(**bus) == durable);
    disk.set_capacity(UINT64_MAX);
    REQUIRE(publish_some(**bus, 30, serial, durable).ok());
    CHECK(content(**bus) == durable);
}

TEST_CASE("a loss of power takes nothing that publish() gave a position to") {
    int number = 0;
    for (const auto how : {PowerLoss::DropAll, PowerLoss::KeepSome, PowerLoss::Torn})
        for (const auto op : {DiskOp::Write, DiskOp::Sync})
            for (std::uint64_t seed = 1; seed <= 25; ++seed) {
                FaultDisk disk("bus-power-" + std::to_string(++number), seed);
                ManualClock clock;
                std::map<std::int64_t, std::string> durable;
                int serial = 0;
                for (int life = 0; life < 4; ++life) {
                    auto bus = open(disk, clock);
                    INFO("seed " << seed << " life " << life << (bus.ok() ? "" : bus.error().message));
                    REQUIRE(bus.ok());
                    // Events of calls that failed may have survived, behind all others; then they are in the
                    // stream.
                    auto found = content(**bus);
                    REQUIRE(found.size() >= durable.size());
                    for (const auto& [position, id] : durable)
                        REQUIRE(found[position] == id);
                    std::int64_t expected = 0;
                    for (const auto& [position, id] : found)
                        REQUIRE(position == ++expected);
                    REQUIRE(found.size() <= durable.size() + 3);
                    durable = std::move(found);
                    disk.fail(op, 1 + (seed * 7 + static_cast<std::uint64_t>(life) * 13) % 40,
                              DiskFault::Power);
                    clock.advance(std::chrono::seconds(1));
                    CHECK_FALSE(publish_some(**bus, 1000, serial, durable).ok());
                    (*bus)->close();
                    disk.power_loss(how, seed + static_cast<std::uint64_t>(life));
                }
            }
}

TEST_CASE("a loss of power while old events are dropped leaves whole steps") {
    for (std::uint64_t n = 1; n <= 30; ++n) {
        FaultDisk disk("bus-drop-" + std::to_string(n), n);
        ManualClock clock;
        const EmbeddedBusOptions options{.keep_age = std::chrono::hours(1)};
        auto bus = open(disk, clock, options);
        REQUIRE(bus.ok());
        std::map<std::int64_t, std::string> durable;
        int serial = 0;
        REQUIRE(publish_some(**bus, 100, serial, durable).ok());
        clock.advance(std::chrono::hours(2));
        REQUIRE(publish_some(**bus, 10, serial, durable).ok());
        disk.fail(DiskOp::Write, n, DiskFault::Power);
        const auto released = (*bus)->release("events", Position(150));
        (*bus)->close();
        disk.power_loss(PowerLoss::Torn, n);
        bus = open(disk, clock, options);
        REQUIRE(bus.ok());
        const auto first = (*bus)->look("events")->first.value;
        CHECK((first == 1 || first == 151));
        if (released.ok()) CHECK(first == 151);
        durable.erase(durable.begin(), durable.lower_bound(first));
        CHECK(content(**bus) == durable);
    }
}

TEST_CASE("a disk that fails at opening is unavailable, and opening again works") {
    int number = 0;
    for (const auto op : {DiskOp::Write, DiskOp::Sync, DiskOp::Read})
        for (std::uint64_t n = 1; n <= 12; ++n) {
            FaultDisk disk("bus-open-" + std::to_string(++number), n);
            const ManualClock clock;
            disk.fail(op, n, DiskFault::Error, 0);
            auto bus = open(disk, clock);
            if (!bus.ok()) CHECK(bus.error().kind == ErrorKind::Unavailable);
            if (bus.ok()) (*bus)->close();
            disk.heal();
            bus = open(disk, clock);
            INFO("operation " << static_cast<int>(op) << " number " << n
                              << (bus.ok() ? "" : bus.error().message));
            REQUIRE(bus.ok());
            CHECK((*bus)->publish("", std::vector<Event>{event("a", 10)}).ok());
        }
}

TEST_CASE("a file that cannot be written is denied") {
    FaultDisk disk("bus-read-only");
    const ManualClock clock;
    REQUIRE(open(disk, clock).ok());
    disk.set_read_only(true);
    const auto bus = open(disk, clock);
    REQUIRE_FALSE(bus.ok());
    CHECK(bus.error().kind == ErrorKind::Denied);
}
