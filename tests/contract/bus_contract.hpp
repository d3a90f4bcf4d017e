#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>

#include "bus_follower.hpp"

// What every bus adapter promises, as checks. A test case per adapter calls check_bus_contract() with how to
// open it; what needs a broker to be hurt is in bus_broker_contract.hpp.
namespace weir::contract {

/// A message to be put on a bus past the adapter.
struct RawMessage {
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// How one bus is set up for the suite. Called anew for every section: each gets an empty bus.
struct BusSetup {
    ManualClock clock{from_ns(1'700'000'000'000'000'000)};
    std::string stream = "events";
    bool survives_close = true;      ///< a bus opened again has what the last one had
    bool own_clock = true;           ///< arrival times are those of `clock`; else the broker's
    bool all_or_none = true;         ///< the events of one publish() stand together, or none of them does
    bool keeps_until_release = true; ///< retention follows release(); else the broker's own
    bool knows_ids = false;          ///< the same source and id again have the same position
    bool contiguous = true;          ///< positions have no holes between them
    bool reconnects_by_itself =
        false; ///< its library opens connections when it likes: readings say `interrupted`
    bool tells_incarnation = true; ///< a stream made anew has another incarnation
    /// Opens the bus: released events older than this may be dropped (0: never).
    std::function<std::unique_ptr<Bus>(BusSetup&, Duration keep_age)> open;

    // What is done to the broker behind the adapter's back; empty: there is no broker.
    std::function<void()> kill;  ///< SIGKILL
    std::function<void()> start; ///< on the same data; returns when ready
    std::function<void()> freeze, thaw;
    std::function<void()> snapshot; ///< of its data
    std::function<void()>
        rollback; ///< to the snapshot, as a loss of power would; it is ready again on return
    std::function<void()> recreate;                      ///< deletes the stream and makes it anew
    std::function<void(std::int64_t first)> drop_before; ///< retention: `first` is then the oldest position
    std::function<void(const RawMessage&)> publish_raw;
    Duration outage = std::chrono::seconds(60);
};

inline void order_and_reading(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    auto info = bus->look(setup.stream);
    REQUIRE(info.ok());
    CHECK(info->head == Position(0));
    CHECK(info->first == Position(1));
    CHECK_FALSE(info->incarnation.empty());
    CHECK(read(*bus, setup.stream, 0, 0).empty());
    std::vector<Event> events;
    for (int i = 1; i <= 20; ++i)
        events.push_back(event("e" + std::to_string(i)));
    const auto positions = bus->publish("", events);
    INFO((positions.ok() ? "" : positions.error().message));
    REQUIRE(positions.ok());
    for (std::size_t i = 0; i < 20; ++i)
        CHECK((*positions)[i] == Position(static_cast<std::int64_t>(i) + 1));
    REQUIRE(bus->publish(setup.stream, std::vector<Event>{event("e21")}).ok());
    CHECK(bus->publish("", {})->empty());
    CHECK(look_at(*bus, setup.stream).head == Position(21));
    const auto all = read(*bus, setup.stream, 0, 21);
    REQUIRE(all.size() == 21);
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(all[i].position == Position(static_cast<std::int64_t>(i) + 1));
        CHECK(same(all[i], event("e" + std::to_string(i + 1))));
    }
    // Resuming anywhere, in pieces of any size.
    for (std::size_t step : {1, 2, 7, 100}) {
        std::int64_t after = 3;
        while (after < 21) {
            const auto some = read(*bus, setup.stream, after, 1, step);
            REQUIRE_FALSE(some.empty());
            CHECK(some.size() <= step);
            CHECK(some.front().position == Position(after + 1));
            after = some.back().position.value;
        }
        CHECK(read(*bus, setup.stream, after, 0, step).empty());
    }
    // A limit in bytes never holds the reader up: there is one event at least.
    CHECK(read(*bus, setup.stream, 0, 1, 100, 1).size() == 1);
    CHECK(read(*bus, setup.stream, 0, 1, 100, 1000).size() < 21);
    // Reading again gives the very same, byte for byte.
    const auto again = read(*bus, setup.stream, 0, 21);
    REQUIRE(again.size() == 21);
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(again[i].event == all[i].event);
        CHECK(again[i].time == all[i].time);
        CHECK(again[i].position == all[i].position);
    }
    bus->close();
}

inline void times_never_fall(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    const auto start = setup.own_clock ? setup.clock.now() : SystemClock().now() - std::chrono::seconds(1);
    publish(*bus, "a");
    setup.clock.advance(std::chrono::seconds(5));
    publish(*bus, "b");
    setup.clock.jump_wall(start - std::chrono::hours(1));
    publish(*bus, "c");
    if (setup.survives_close) {
        bus->close();
        bus = setup.open(setup, {});
    }
    publish(*bus, "d");
    setup.clock.jump_wall(start + std::chrono::seconds(60));
    publish(*bus, "e");
    const auto all = read(*bus, setup.stream, 0, 5);
    REQUIRE(all.size() == 5);
    if (setup.own_clock) {
        CHECK(all[0].time == start);
        CHECK(all[1].time == start + std::chrono::seconds(5));
        CHECK(all[2].time == all[1].time);
        CHECK(all[3].time == all[1].time);
        CHECK(all[4].time == start + std::chrono::seconds(60));
    } else {
        CHECK(all[0].time >= start);
        CHECK(all[4].time <= SystemClock().now() + std::chrono::seconds(1));
        for (std::size_t i = 1; i < all.size(); ++i)
            CHECK(all[i].time >= all[i - 1].time);
    }
    // What was there at an instant.
    CHECK(*bus->last_before(setup.stream, all[0].time - std::chrono::milliseconds(1)) == Position(0));
    for (const auto& arrival : all) {
        const auto place = bus->last_before(setup.stream, arrival.time);
        REQUIRE(place.ok());
        CHECK(*place >= arrival.position);
        CHECK(all[static_cast<std::size_t>(place->value) - 1].time == arrival.time);
    }
    CHECK(*bus->last_before(setup.stream, all[4].time + std::chrono::hours(1)) == Position(5));
    bus->close();
}

/// A place can be looked at again, and says whether it is still what it was.
inline void places(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    for (int i = 1; i <= 5; ++i)
        publish(*bus, "e" + std::to_string(i));
    const auto all = read(*bus, setup.stream, 0, 5);
    REQUIRE(all.size() == 5);
    for (const auto& arrival : all) {
        const auto at = bus->at(setup.stream, arrival.position);
        INFO((at.ok() ? "" : at.error().message));
        REQUIRE(at.ok());
        CHECK(at->position == arrival.position);
        CHECK(at->time == arrival.time);
        CHECK(at->event == arrival.event);
        CHECK(place_digest(*at) == place_digest(arrival));
    }
    CHECK(place_digest(all[0]) != place_digest(all[1]));
    CHECK(bus->at(setup.stream, Position(0)).error().kind == ErrorKind::NotFound);
    CHECK(bus->at(setup.stream, Position(6)).error().kind == ErrorKind::NotFound);
    CHECK(bus->at("nowhere", Position(1)).error().kind == ErrorKind::NotFound);
    CHECK(bus->last_before("nowhere", setup.clock.now()).error().kind == ErrorKind::NotFound);
    bus->close();
}

/// The same event twice: known by the broker, or two arrivals of one identity. Never none, never two
/// identities.
inline void duplicates(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    const auto first = bus->publish("", std::vector<Event>{event("twice")});
    REQUIRE(first.ok());
    publish(*bus, "between");
    const auto second = bus->publish("", std::vector<Event>{event("twice")});
    REQUIRE(second.ok());
    publish(*bus, "last");
    const auto all = read(*bus, setup.stream, 0, setup.knows_ids ? 3 : 4);
    if (setup.knows_ids) {
        CHECK(*first == *second);
        REQUIRE(all.size() == 3);
        CHECK(same(all[2], event("last")));
    } else {
        CHECK(first->front() < second->front());
        REQUIRE(all.size() == 4);
        CHECK(all[2].event == all[0].event);
        CHECK(place_digest(all[2]) == place_digest(all[0]));
    }
    bus->close();
}

/// A reader that stays away for long finds everything, once and in order.
inline void pause(BusSetup& setup) {
    constexpr int count = 20'000;
    auto bus = setup.open(setup, {});
    Follower follower(*bus, setup.stream);
    publish(*bus, "0");
    follower.until(1);
    std::vector<Event> events;
    for (int i = 1; i <= count; ++i) {
        events.push_back(event(std::to_string(i)));
        if (events.size() < 1000 && i < count) continue;
        REQUIRE(bus->publish("", events).ok());
        events.clear();
    }
    follower.until(count + 1);
    REQUIRE(follower.got.size() == count + 1);
    for (std::size_t i = 0; i < follower.got.size(); ++i) {
        REQUIRE(follower.got[i].event.id == std::to_string(i));
        if (i > 0) REQUIRE(follower.got[i].position > follower.got[i - 1].position);
    }
    if (!setup.reconnects_by_itself) CHECK(follower.interruptions == 0);
    bus->close();
}

inline void refusals(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    publish(*bus, "a");
    // All or none: a bad event among good ones leaves nothing behind.
    auto bad = event("");
    const auto mixed = bus->publish("", std::vector<Event>{event("b"), bad, event("c")});
    REQUIRE_FALSE(mixed.ok());
    CHECK(mixed.error().kind == ErrorKind::Invalid);
    CHECK(mixed.error().message.find("event 2") != std::string::npos);
    auto large = event("large");
    large.data_kind = events::DataKind::Binary;
    large.data = std::string(2 * 1024 * 1024, 'x');
    CHECK(bus->publish("", std::vector<Event>{large}).error().kind == ErrorKind::Exhausted);
    CHECK(bus->publish("nowhere", std::vector<Event>{event("b")}).error().kind == ErrorKind::NotFound);
    CHECK(bus->read("nowhere", Position(0), 1, 1).error().kind == ErrorKind::NotFound);
    CHECK(bus->look("nowhere").error().kind == ErrorKind::NotFound);
    CHECK(bus->release("nowhere", Position(1)).error().kind == ErrorKind::NotFound);
    CHECK(bus->read(setup.stream, Position(-1), 1, 1).error().kind == ErrorKind::Invalid);
    CHECK(look_at(*bus, setup.stream).head == Position(1));
    // A reader behind the end has positions of another stream: never silence.
    const auto beyond = bus->read(setup.stream, Position(2), 1, 1);
    REQUIRE_FALSE(beyond.ok());
    CHECK(beyond.error().kind == ErrorKind::Corrupt);
    bus->close();
    CHECK(bus->publish("", std::vector<Event>{event("b")}).error().kind == ErrorKind::Unavailable);
    CHECK(bus->read(setup.stream, Position(0), 1, 1).error().kind == ErrorKind::Unavailable);
    CHECK(bus->look(setup.stream).error().kind == ErrorKind::Unavailable);
    CHECK(bus->release(setup.stream, Position(1)).error().kind == ErrorKind::Unavailable);
    bus->close();
}

inline void publishers_at_once(BusSetup& setup) {
    constexpr int threads = 8, calls = 50;
    auto bus = setup.open(setup, {});
    std::atomic<int> told{0};
    bus->on_append([&] { ++told; });
    std::atomic<bool> stop{false};
    // A reader that follows meanwhile sees every position once, in order.
    std::vector<Arrival> seen;
    std::thread follower([&] {
        std::int64_t after = 0;
        while (true) {
            const bool last = stop.load();
            auto some = bus->read(setup.stream, Position(after), 37, 1'000'000);
            if (!some.ok()) return;
            for (auto& arrival : some->arrivals)
                seen.push_back(std::move(arrival));
            after = seen.empty() ? 0 : seen.back().position.value;
            if (last && some->arrivals.empty() && (!bus->remote() || seen.size() == threads * calls * 2))
                return;
        }
    });
    std::vector<std::vector<Position>> positions(threads);
    std::vector<std::thread> publishers;
    for (int t = 0; t < threads; ++t)
        publishers.emplace_back([&, t] {
            for (int i = 0; i < calls; ++i) {
                const auto id = std::to_string(t) + "/" + std::to_string(i);
                const auto got = bus->publish("", std::vector<Event>{event(id), event(id + "b")});
                if (!got.ok()) return;
                positions[static_cast<std::size_t>(t)].insert(positions[static_cast<std::size_t>(t)].end(),
                                                              got->begin(), got->end());
                // What publish() returned is at or before head.
                if (look_at(*bus, setup.stream).head < got->back()) return;
            }
        });
    for (auto& publisher : publishers)
        publisher.join();
    stop = true;
    follower.join();
    const auto all = read(*bus, setup.stream, 0, threads * calls * 2);
    REQUIRE(all.size() == threads * calls * 2);
    REQUIRE(seen.size() == all.size());
    CHECK(told.load() > 0);
    for (std::size_t i = 0; i < all.size(); ++i) {
        REQUIRE(all[i].position == Position(static_cast<std::int64_t>(i) + 1));
        REQUIRE(seen[i].event == all[i].event);
        REQUIRE((i == 0 || all[i].time >= all[i - 1].time));
    }
    for (int t = 0; t < threads; ++t) {
        const auto& mine = positions[static_cast<std::size_t>(t)];
        REQUIRE(mine.size() == calls * 2);
        for (std::size_t i = 0; i < mine.size(); ++i) {
            // One call's events stand together, and each caller's in its order.
            if (i % 2 == 1 && setup.all_or_none) REQUIRE(mine[i].value == mine[i - 1].value + 1);
            if (i > 0) REQUIRE(mine[i] > mine[i - 1]);
            REQUIRE(all[static_cast<std::size_t>(mine[i].value) - 1].event.id ==
                    std::to_string(t) + "/" + std::to_string(i / 2) + (i % 2 == 1 ? "b" : ""));
        }
    }
    bus->close();
}

inline void retention_and_release(BusSetup& setup) {
    if (!setup.keeps_until_release) return;
    const Duration keep = std::chrono::hours(1);
    auto bus = setup.open(setup, keep);
    for (int i = 1; i <= 10; ++i)
        publish(*bus, "old" + std::to_string(i));
    setup.clock.advance(std::chrono::hours(2));
    for (int i = 1; i <= 3; ++i)
        publish(*bus, "new" + std::to_string(i));
    // Old, but never released: kept.
    CHECK(read(*bus, setup.stream, 0, 13).size() == 13);
    REQUIRE(bus->release(setup.stream, Position(4)).ok());
    setup.clock.advance(std::chrono::seconds(10));
    REQUIRE(bus->release(setup.stream, Position(2)).ok());
    auto info = bus->look(setup.stream);
    CHECK(info->first == Position(5));
    CHECK(info->head == Position(13));
    CHECK(read(*bus, setup.stream, 4, 9).front().position == Position(5));
    const auto gone = bus->read(setup.stream, Position(2), 10, 1000);
    REQUIRE_FALSE(gone.ok());
    CHECK(gone.error().kind == ErrorKind::Corrupt);
    CHECK(gone.error().message.find("positions 3 to 4") != std::string::npos);
    // Released, but young: kept. A release behind the end frees no more than there is.
    setup.clock.advance(std::chrono::seconds(10));
    REQUIRE(bus->release(setup.stream, Position(1000)).ok());
    CHECK(look_at(*bus, setup.stream).first == Position(11));
    // The newest one stays however old it is: the head and its time must survive.
    setup.clock.advance(std::chrono::hours(48));
    REQUIRE(bus->release(setup.stream, Position(13)).ok());
    info = bus->look(setup.stream);
    CHECK(info->first == Position(13));
    CHECK(info->head == Position(13));
    if (setup.survives_close) {
        bus->close();
        bus = setup.open(setup, keep);
        CHECK(look_at(*bus, setup.stream).first == Position(13));
    }
    publish(*bus, "next");
    CHECK(look_at(*bus, setup.stream).head == Position(14));
    bus->close();
}

inline void opened_again(BusSetup& setup) {
    if (!setup.survives_close) return;
    auto bus = setup.open(setup, {});
    const auto incarnation = look_at(*bus, setup.stream).incarnation;
    for (int i = 1; i <= 5; ++i)
        publish(*bus, "e" + std::to_string(i));
    bus->close();
    for (int i = 6; i <= 8; ++i) {
        bus = setup.open(setup, {});
        CHECK(look_at(*bus, setup.stream).incarnation == incarnation);
        CHECK(look_at(*bus, setup.stream).head == Position(i - 1));
        publish(*bus, "e" + std::to_string(i));
        bus->close();
    }
    bus = setup.open(setup, {});
    const auto all = read(*bus, setup.stream, 2, 6);
    REQUIRE(all.size() == 6);
    for (std::size_t i = 0; i < all.size(); ++i)
        CHECK(same(all[i], event("e" + std::to_string(i + 3))));
    bus->close();
}

/// A handler that is called from outside when something came.
inline void remote_handler(Bus& bus, const std::string& stream) {
    Follower follower(bus, stream);
    follower.until(0);
    Signal first, second;
    bus.on_append([&] { first.give(); });
    publish(bus, "a");
    CHECK(first.wait());
    bus.on_append([&] {
        // The handler may use the bus.
        static_cast<void>(bus.look(stream));
        second.give();
    });
    follower.until_quietly(1);
    publish(bus, "b");
    CHECK(second.wait());
    follower.until_quietly(2);
    const auto before = first.count();
    bus.on_append({});
    publish(bus, "c");
    follower.until_quietly(3);
    CHECK(first.count() == before);
    std::atomic<bool> closed{false}, late{false};
    bus.on_append([&] { late = late || closed; });
    bus.close();
    closed = true;
    CHECK_FALSE(bus.publish("", std::vector<Event>{event("d")}).ok());
    CHECK_FALSE(late.load());
}

inline void handler(BusSetup& setup) {
    auto bus = setup.open(setup, {});
    if (bus->remote()) return remote_handler(*bus, setup.stream);
    int first = 0, second = 0;
    bus->on_append([&] { ++first; });
    publish(*bus, "a");
    CHECK(first == 1);
    bus->on_append([&] {
        // What was appended is readable by the time of the call, and the handler may use the bus.
        if (++second == 1) publish(*bus, "from the handler");
        CHECK(look_at(*bus, setup.stream).head >= Position(2));
    });
    publish(*bus, "b");
    CHECK(first == 1);
    CHECK(second == 2);
    CHECK(look_at(*bus, setup.stream).head == Position(3));
    bus->on_append({});
    publish(*bus, "c");
    CHECK(second == 2);
    bus->on_append([&] { ++first; });
    bus->close();
    CHECK_FALSE(bus->publish("", std::vector<Event>{event("d")}).ok());
    CHECK(first == 1);
}

inline void check_bus_contract(const std::function<std::unique_ptr<BusSetup>()>& make) {
    const auto with = [&](void (*check)(BusSetup&)) {
        auto setup = make();
        check(*setup);
    };
    SECTION("order, resuming, pieces") {
        with(order_and_reading);
    }
    SECTION("times never fall") {
        with(times_never_fall);
    }
    SECTION("places and their digests") {
        with(places);
    }
    SECTION("duplicates") {
        with(duplicates);
    }
    SECTION("a reader that pauses") {
        with(pause);
    }
    SECTION("refusals change nothing") {
        with(refusals);
    }
    SECTION("many publishers at once") {
        with(publishers_at_once);
    }
    SECTION("retention never passes what was released") {
        with(retention_and_release);
    }
    SECTION("opened again") {
        with(opened_again);
    }
    SECTION("the handler") {
        with(handler);
    }
}

} // namespace weir::contract
