#pragma once

#include <cstdio>

#include "bus_contract.hpp"

// What a bus on a real broker promises when the broker, the network and its data are hurt.
namespace weir::contract {

/// Kept in order until it is acknowledged: one producer that never gives up.
class Producer {
  public:
    Producer(Bus& bus, std::string prefix)
        : bus_(bus), prefix_(std::move(prefix)), thread_([this] { run(); }) {}
    ~Producer() { stop(); }
    int stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
        return sent_;
    }
    [[nodiscard]] int sent() const { return sent_; }

  private:
    void run() {
        Signal pause;
        while (!stop_.load()) {
            const std::vector<Event> one{event(prefix_ + std::to_string(sent_.load()))};
            const auto positions = bus_.publish("", one);
            if (positions.ok())
                ++sent_;
            else if (positions.error().kind != ErrorKind::Unavailable)
                return;
            pause.wait(std::chrono::milliseconds(positions.ok() ? 1 : 50));
        }
        // The last one may be there without having been acknowledged.
        for (const Deadline deadline; !deadline.passed();) {
            if (bus_.publish("", std::vector<Event>{event(prefix_ + std::to_string(sent_.load()))}).ok())
                break;
            pause.wait(std::chrono::milliseconds(50));
        }
        ++sent_;
    }

    Bus& bus_;
    const std::string prefix_;
    std::atomic<bool> stop_{false};
    std::atomic<int> sent_{0};
    std::thread thread_;
};

/// Everything that was sent came, in order; more than once only where the broker does not know ids.
inline void check_complete(const BusSetup& setup, const std::vector<Arrival>& got, const std::string& prefix,
                           int sent) {
    int next = 0;
    for (const auto& arrival : got) {
        if (arrival.event.id.compare(0, prefix.size(), prefix) != 0) continue;
        const int number = std::stoi(arrival.event.id.substr(prefix.size()));
        INFO(arrival.event.id << " where " << next << " was expected");
        if (!setup.knows_ids && number < next) continue;
        REQUIRE(number == next);
        ++next;
    }
    CHECK(next == sent);
}

/// Reads until the last event of a producer came.
inline void until_last(Follower& follower, const std::string& id) {
    for (const Deadline deadline(2 * patience); !deadline.passed();) {
        for (auto i = follower.got.size(); i-- > 0 && i + 50 > follower.got.size();)
            if (follower.got[i].event.id == id) return;
        follower.until(follower.got.size() + 1);
    }
    FAIL("the last event did not come");
}

/// The broker dies and comes back, several times, while there is reading and publishing.
inline void reconnects(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    Follower follower(*bus, setup.stream);
    Producer producer(*bus, "p");
    for (int round = 0; round < 3; ++round) {
        follower.until(follower.got.size() + 20);
        setup.kill();
        setup.start();
        follower.until(follower.got.size() + 20);
    }
    const int sent = producer.stop();
    until_last(follower, "p" + std::to_string(sent - 1));
    check_complete(setup, follower.got, "p", sent);
    CHECK(follower.interruptions >= 3);
    CHECK(bus->state().reconnects >= 1);
    // The state is what the last look at the broker saw.
    Signal pause;
    for (const Deadline deadline; !bus->state().connected && !deadline.passed();)
        pause.wait(std::chrono::milliseconds(100));
    CHECK(bus->state().connected);
    bus->close();
}

/// The broker is away for long; the program just goes on afterwards. Opening does not need it either.
inline void outage(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    Follower follower(*bus, setup.stream);
    publish(*bus, "before");
    follower.until(1);
    setup.kill();
    Signal pause;
    auto reading = bus->read(setup.stream, follower.place(), 100, 100'000);
    const Deadline end(setup.outage);
    bool noticed = false;
    std::unique_ptr<Bus> late;
    while (!end.passed()) {
        noticed = noticed || !bus->state().connected;
        reading = bus->read(setup.stream, follower.place(), 100, 100'000);
        if (!reading.ok()) CHECK(reading.error().kind == ErrorKind::Unavailable);
        pause.wait(std::chrono::milliseconds(500));
        if (!late && noticed) {
            late = setup.open(setup, {});
            CHECK(late->streams().error().kind == ErrorKind::Unavailable);
            CHECK_FALSE(late->state().connected);
            CHECK(bus->publish("", std::vector<Event>{event("lost?")}).error().kind ==
                  ErrorKind::Unavailable);
        }
    }
    CHECK(noticed);
    CHECK_FALSE(reading.ok());
    setup.start();
    publish_all(*bus, {event("lost?")});
    publish_all(*bus, {event("after")});
    until_last(follower, "after");
    CHECK(follower.interruptions >= 1);
    std::vector<std::string> ids;
    for (const auto& arrival : follower.got)
        if (ids.empty() || ids.back() != arrival.event.id) ids.push_back(arrival.event.id);
    CHECK(ids == std::vector<std::string>{"before", "lost?", "after"});
    REQUIRE(late);
    const auto seen = read(*late, setup.stream, 0, follower.got.size());
    CHECK(seen.size() == follower.got.size());
    late->close();
    bus->close();
}

/// A broker that answers nothing but holds its connections is noticed, and is used again when it wakes.
inline void frozen(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    Follower follower(*bus, setup.stream);
    publish(*bus, "before");
    follower.until(1);
    setup.freeze();
    const Deadline limit;
    Signal pause;
    while (bus->state().connected && !limit.passed())
        pause.wait(std::chrono::milliseconds(200));
    CHECK_FALSE(bus->state().connected);
    CHECK(bus->publish("", std::vector<Event>{event("after")}).error().kind == ErrorKind::Unavailable);
    setup.thaw();
    publish_all(*bus, {event("after")});
    until_last(follower, "after");
    bus->close();
}

/// Whatever a reader learns of a stream that is another one now: an error, or an interruption after which the
/// place holds something else. Never silence.
inline void recreated(BusSetup& setup) {
    if (!setup.recreate) return;
    auto bus = setup.open(setup, {});
    Follower follower(*bus, setup.stream);
    for (int i = 1; i <= 10; ++i)
        publish(*bus, "old" + std::to_string(i));
    follower.until(10);
    const auto incarnation = look_at(*bus, setup.stream).incarnation;
    SECTION("and shorter now") {
        setup.recreate();
        publish_all(*bus, {event("new1"), event("new2")});
        CHECK(follower.until_error().kind == ErrorKind::Corrupt);
    }
    SECTION("and longer now") {
        setup.recreate();
        std::vector<Event> events;
        for (int i = 1; i <= 15; ++i)
            events.push_back(event("new" + std::to_string(i)));
        publish_all(*bus, events);
        CHECK(follower.until_error().kind == ErrorKind::Corrupt);
    }
    CHECK(follower.got.size() == 10);
    const auto now = bus->look(setup.stream);
    REQUIRE(now.ok());
    if (setup.tells_incarnation) CHECK(now->incarnation != incarnation);
    // Whoever accepts the gap goes on from the beginning of what there is.
    CHECK(read(*bus, setup.stream, now->first.value - 1, 1).front().event.id == "new1");
    bus->close();
}

/// Retention takes away what nobody had read.
inline void passed_by_retention(BusSetup& setup) {
    if (!setup.drop_before) return;
    auto bus = setup.open(setup, {});
    std::vector<Event> events;
    for (int i = 1; i <= 30; ++i)
        events.push_back(event("e" + std::to_string(i)));
    REQUIRE(bus->publish("", events).ok());
    SECTION("while nobody read") {
        setup.drop_before(21);
        const auto info = bus->look(setup.stream);
        REQUIRE(info.ok());
        CHECK(info->first == Position(21));
        CHECK(info->head == Position(30));
        Follower follower(*bus, setup.stream, 10);
        const auto gone = follower.until_error();
        CHECK(gone.kind == ErrorKind::Corrupt);
        INFO(gone.message);
        CHECK(gone.message.find("11 to 20") != std::string::npos);
        CHECK(read(*bus, setup.stream, 20, 10).size() == 10);
    }
    SECTION("all of it") {
        setup.drop_before(31);
        const auto info = bus->look(setup.stream);
        REQUIRE(info.ok());
        CHECK(info->first == Position(31));
        CHECK(info->head == Position(30));
        Follower follower(*bus, setup.stream, 10);
        CHECK(follower.until_error().kind == ErrorKind::Corrupt);
        CHECK(read(*bus, setup.stream, 30, 0).empty());
    }
    bus->close();
}

/// Power fails: the newest events are gone, and their positions are given out again, while weir stays.
inline void rolled_back(BusSetup& setup) {
    if (!setup.rollback) return;
    auto bus = setup.open(setup, {});
    Follower follower(*bus, setup.stream);
    for (int i = 1; i <= 5; ++i)
        publish(*bus, "kept" + std::to_string(i));
    follower.until(5);
    setup.snapshot();
    std::vector<Event> events;
    for (int i = 6; i <= 10; ++i)
        events.push_back(event("lost" + std::to_string(i)));
    publish_all(*bus, events);
    follower.until(10);
    setup.rollback();
    SECTION("and nothing came since") {
        CHECK(follower.until_error().kind == ErrorKind::Corrupt);
    }
    SECTION("and others stand there now") {
        events.clear();
        for (int i = 1; i <= 12; ++i)
            events.push_back(event("other" + std::to_string(i)));
        publish_all(*bus, events);
        CHECK(follower.until_error().kind == ErrorKind::Corrupt);
    }
    CHECK(follower.got.size() == 10);
    bus->close();
}

/// What is no event is an arrival like others, with its bytes and the reason; nothing stops.
inline void poison(BusSetup& setup) {
    if (!setup.publish_raw) return;
    auto bus = setup.open(setup, {});
    publish(*bus, "first");
    setup.publish_raw({{{"X-Note", "kept"}}, "neither JSON nor anything"});
    setup.publish_raw({{}, std::string("\0\xff\xfe", 3)});
    setup.publish_raw({{}, R"({"specversion":"1.0","id":"x","source":"/s","type":""})"});
    setup.publish_raw({{}, std::string(3 * 1024 * 1024 / 2, 'x')});
    publish(*bus, "last");
    const auto all = read(*bus, setup.stream, 0, 6);
    REQUIRE(all.size() == 6);
    CHECK(same(all[0], event("first")));
    CHECK(same(all[5], event("last")));
    for (std::size_t i = 1; i < 5; ++i) {
        REQUIRE(all[i].poison);
        CHECK_FALSE(all[i].poison->reason.empty());
        CHECK(all[i].event == Event());
        const auto at = bus->at(setup.stream, all[i].position);
        REQUIRE(at.ok());
        CHECK(place_digest(*at) == place_digest(all[i]));
    }
    CHECK(all[1].poison->message.body == "neither JSON nor anything");
    bool kept = false;
    for (const auto& [name, value] : all[1].poison->message.headers)
        kept = kept || (name == "X-Note" && value == "kept");
    CHECK(kept);
    CHECK(all[2].poison->message.body == std::string("\0\xff\xfe", 3));
    CHECK(all[4].poison->cut);
    CHECK(all[4].poison->bytes >= 3 * 1024 * 1024 / 2);
    bus->close();
}

inline std::size_t resident_bytes() {
    std::size_t pages = 0, resident = 0;
    if (auto* file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
        std::fclose(file);
    }
    return resident * 4096;
}

/// Events as large as any may be; and a reader that stays away while they come takes no more memory than its
/// bound.
inline void largest(BusSetup& setup) {
    constexpr int count = 100;
    auto bus = setup.open(setup, {});
    auto large = event("large");
    large.data_kind = events::DataKind::Binary;
    large.datacontenttype = "application/octet-stream";
    large.data.assign(events::EventLimits().bytes_max - weight(large) + large.data.size(), 'x');
    REQUIRE(weight(large) == events::EventLimits().bytes_max);
    Follower follower(*bus, setup.stream);
    publish_all(*bus, {large});
    follower.until(1);
    CHECK(same(follower.got[0], large));
    large.data.resize(large.data.size() - 100); // room for longer ids
    const auto before = resident_bytes();
    for (int i = 0; i < count; ++i) {
        large.id = "large" + std::to_string(10 + i % 90);
        large.id[0] = static_cast<char>('a' + i / 90);
        publish_all(*bus, {large});
    }
    const auto grown = resident_bytes() - before;
    INFO(grown / 1024 / 1024 << " MiB more");
    CHECK(static_cast<std::ptrdiff_t>(grown) < 64 * 1024 * 1024);
    follower.got.clear();
    for (int seen = 0; seen < count;) {
        follower.until(1);
        seen += static_cast<int>(follower.got.size());
        for (const auto& arrival : follower.got)
            REQUIRE(arrival.event.data.size() == large.data.size());
        follower.got.clear();
    }
    bus->close();
}

/// Closing in the midst of traffic, many times.
inline void closed_under_traffic(BusSetup& setup) {
    for (int round = 0; round < 10; ++round) {
        auto bus = setup.open(setup, {});
        const auto after = publish_all(*bus, {event("round" + std::to_string(round))}).front().value;
        std::thread writer([&] {
            std::vector<Event> events;
            for (int i = 0; i < 200; ++i)
                events.push_back(event(std::to_string(round) + "/" + std::to_string(i)));
            while (bus->publish("", events).ok())
                for (auto& one : events)
                    one.id += "+";
        });
        Follower follower(*bus, setup.stream, after);
        follower.until(200);
        std::thread reader([&] {
            Position place = follower.place();
            for (;;) {
                const auto reading = bus->read(setup.stream, place, 1000, 1'000'000);
                if (!reading.ok()) return;
                place = reading->upto;
            }
        });
        bus->close();
        writer.join();
        reader.join();
    }
}

inline void check_bus_on_broker(const std::function<std::unique_ptr<BusSetup>()>& make) {
    const auto with = [&](void (*check)(BusSetup&)) {
        auto setup = make();
        check(*setup);
    };
    SECTION("the broker dies while there is traffic") {
        with(reconnects);
    }
    SECTION("an outage") {
        with(outage);
    }
    SECTION("a frozen broker") {
        with(frozen);
    }
    SECTION("a stream made anew") {
        with(recreated);
    }
    SECTION("retention") {
        with(passed_by_retention);
    }
    SECTION("a loss of power") {
        with(rolled_back);
    }
    SECTION("poison") {
        with(poison);
    }
    SECTION("events of the largest size") {
        with(largest);
    }
    SECTION("closed under traffic") {
        with(closed_under_traffic);
    }
}

} // namespace weir::contract
