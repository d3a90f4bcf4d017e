#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/clock.hpp>

#include "broken_bus.hpp"
#include "shell/feed.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using namespace std::chrono_literals;

// A feed alone, on a clock that stands still but where a test moves it: what it does about its own freezes.

namespace {

events::Event event_of(std::string id) {
    events::Event event;
    event.id = std::move(id);
    event.source = "/test";
    event.type = "data.ready";
    return event;
}

/// Hears what the feed finds.
struct Heard {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<StreamGap> gap;
    std::vector<std::string> read;

    FeedSink sink() {
        FeedSink sink;
        sink.looked = [](Instant, std::vector<events::StreamInfo>) {};
        sink.unreachable = [](const std::string&, const Error&) {};
        sink.gap = [this](const Following&, StreamGap found) {
            std::lock_guard lock(mutex);
            gap = std::move(found);
            changed.notify_all();
        };
        sink.read = [this](const Following&, const events::Reading& reading) {
            std::lock_guard lock(mutex);
            for (const auto& arrival : reading.arrivals)
                read.push_back(arrival.event.id);
            changed.notify_all();
        };
        return sink;
    }
    /// Until something was read or a gap was found.
    bool anything() {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, 60s, [&] { return gap || !read.empty(); });
    }
};

/// A stream of which "a" was read, with "b" behind it.
struct Rig {
    ManualClock clock{from_ns(1'000'000'000)};
    BrokenBus bus{"broken"};
    std::string stream = bus.add_stream("s");
    Heard heard;
    Feed feed{bus, clock, heard.sink()};

    Rig() {
        clock.advance(1s);
        bus.append(stream, event_of("a"), clock.now());
        bus.append(stream, event_of("b"), clock.now());
    }
    ~Rig() { feed.stop(); }
    void follow() {
        const auto read = bus.at(stream, Position(1));
        REQUIRE(read.ok());
        Following what{stream, {"1", Position(1), Position(1), events::place_digest(*read), read->time}, 1};
        feed.follow(std::move(what));
    }
};

} // namespace

TEST_CASE("a place that was checked while the process was frozen is checked again") {
    Rig rig;
    rig.follow();
    // The answer is on its way; then the process stands still, and the server's numbers are given out again.
    rig.bus.during_at([&, once = false]() mutable {
        if (std::exchange(once, true)) return;
        rig.clock.advance(5s);
        rig.bus.roll_back(rig.stream, 0, {event_of("x"), event_of("y")}, rig.clock.now());
        rig.bus.hide_interruption(rig.stream);
    });
    rig.feed.start();
    REQUIRE(rig.heard.anything());
    rig.feed.stop();
    REQUIRE(rig.heard.gap.has_value());
    CHECK(rig.heard.gap->kind == "rewritten");
    CHECK(rig.heard.read.empty());
}

TEST_CASE("a broker whose every check is slow is read all the same") {
    Rig rig;
    rig.follow();
    int checks = 0;
    rig.bus.during_at([&] {
        ++checks;
        rig.clock.advance(5s);
    });
    rig.feed.start();
    REQUIRE(rig.heard.anything());
    rig.feed.stop();
    CHECK_FALSE(rig.heard.gap.has_value());
    CHECK(rig.heard.read == std::vector<std::string>{"b"});
    CHECK(checks >= FeedLimits{}.slow_checks_max);
}
