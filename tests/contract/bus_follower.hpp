#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>

// Events for the bus suite, and readers that wait: a bus over a network gives what has come, and the rest
// later.
namespace weir::contract {

using events::Arrival;
using events::Bus;
using events::Event;

/// How long anything may take before the test fails: far more than it does.
inline constexpr Duration patience = std::chrono::seconds(60);

inline Event event(const std::string& id) {
    Event e;
    e.id = id;
    e.source = "/contract";
    e.type = "contract.event";
    e.data_kind = events::DataKind::Json;
    e.data = "{\"id\":\"" + id + "\"}";
    e.set_extension("n", "7", events::AttributeType::Integer);
    return e;
}

/// True if the arrival is this event, as far as a binding keeps it.
inline bool same(const Arrival& arrival, const Event& expected) {
    if (arrival.poison) return false;
    auto copy = arrival.event;
    if (!arrival.data_checked && !events::read_data(copy).ok()) return false;
    return digest_of(copy) == digest_of(expected);
}

/// Something that a thread tells and another waits for.
class Signal {
  public:
    void give() {
        std::lock_guard lock(mutex_);
        ++count_;
        news_.notify_all();
    }
    /// Something came since the last wait(), or comes in time.
    bool wait(Duration limit = patience) {
        std::unique_lock lock(mutex_);
        const bool came = news_.wait_for(lock, limit, [this] { return count_ > seen_; });
        seen_ = count_;
        return came;
    }
    int count() {
        std::lock_guard lock(mutex_);
        return count_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable news_;
    int count_ = 0, seen_ = 0;
};

/// A deadline on the machine's own clock.
class Deadline {
  public:
    explicit Deadline(Duration limit = patience) : end_(clock_.steady_now() + limit) {}
    [[nodiscard]] bool passed() const { return clock_.steady_now() >= end_; }

  private:
    SystemClock clock_;
    SteadyInstant end_;
};

/// A stream as it is now: a broker that has just made a topic may not know its leader yet. Any thread.
inline events::StreamInfo look_at(Bus& bus, std::string_view stream) {
    const Deadline deadline;
    Signal pause;
    auto info = bus.look(stream);
    while (!info.ok() && retryable(info.error().kind) && !deadline.passed()) {
        pause.wait(std::chrono::milliseconds(20));
        info = bus.look(stream);
    }
    return std::move(info).value();
}

/// Publishes until it is done: a broker may be away for a while.
inline std::vector<Position> publish_all(Bus& bus, const std::vector<Event>& events,
                                         Duration limit = patience) {
    Signal pause;
    for (const Deadline deadline(limit);;) {
        auto positions = bus.publish("", events);
        if (positions.ok()) return std::move(positions).value();
        INFO(positions.error().message);
        REQUIRE(positions.error().kind == ErrorKind::Unavailable);
        REQUIRE_FALSE(deadline.passed());
        pause.wait(std::chrono::milliseconds(50));
    }
}

inline void publish(Bus& bus, const std::string& id) {
    const std::vector<Event> one{event(id)};
    const auto positions = bus.publish("", one);
    INFO((positions.ok() ? "" : positions.error().message));
    REQUIRE(positions.ok());
}

/// Reads on from a place, as an engine does: after an interruption the place is compared with what stood
/// there.
class Follower {
  public:
    Follower(Bus& bus, std::string stream, std::int64_t after = 0)
        : bus_(bus), stream_(std::move(stream)), place_(after) {}
    ~Follower() { bus_.on_append({}); }
    Follower(const Follower&) = delete;

    std::vector<Arrival> got;
    int interruptions = 0;
    std::size_t events_max = 10'000, bytes_max = 100'000'000;

    [[nodiscard]] Position place() const { return Position(place_); }

    /// One reading; `unavailable` is no news, any other error is returned.
    Status once() {
        auto reading = bus_.read(stream_, Position(place_), events_max, bytes_max);
        if (!reading.ok())
            return reading.error().kind == ErrorKind::Unavailable ? Status() : Status(reading.error());
        if (reading->interrupted) {
            ++interruptions;
            if (!got.empty()) {
                const auto at = bus_.at(stream_, got.back().position);
                if (!at.ok() && at.error().kind == ErrorKind::Unavailable) return {};
                if (!at.ok() || place_digest(*at) != place_digest(got.back()))
                    return corrupt("another event stands at position " +
                                   std::to_string(got.back().position.value) + " now");
            }
        }
        for (auto& arrival : reading->arrivals)
            got.push_back(std::move(arrival));
        place_ = reading->upto.value;
        return {};
    }

    /// Until `count` arrivals are there. Fails the test on an error, or when it takes too long.
    void until(std::size_t count, Duration limit = patience) {
        bus_.on_append([this] { news_.give(); });
        until_quietly(count, limit);
        bus_.on_append({});
    }
    /// Leaves the bus's handler alone.
    void until_quietly(std::size_t count, Duration limit = patience) {
        const Deadline deadline(limit);
        do {
            const auto status = once();
            INFO((status.ok() ? "" : status.error().message));
            REQUIRE(status.ok());
            if (got.size() >= count) return;
            if (bus_.remote()) news_.wait(std::chrono::milliseconds(20));
        } while (!deadline.passed());
        INFO(got.size() << " of " << count);
        REQUIRE(got.size() >= count);
    }
    /// Reads until an error comes that is no lack of a connection.
    Error until_error(Duration limit = patience) {
        for (const Deadline deadline(limit); !deadline.passed();) {
            const auto status = once();
            if (!status.ok()) return status.error();
            news_.wait(std::chrono::milliseconds(20));
        }
        FAIL("no error came");
        return {};
    }

  private:
    Bus& bus_;
    const std::string stream_;
    std::int64_t place_;
    Signal news_;
};

/// Events behind `after`: at least `least` of them, what one or more readings gave until then, the last one
/// whole.
inline std::vector<Arrival> read(Bus& bus, const std::string& stream, std::int64_t after, std::size_t least,
                                 std::size_t events_max = 10'000, std::size_t bytes_max = 100'000'000) {
    Follower follower(bus, stream, after);
    follower.events_max = events_max;
    follower.bytes_max = bytes_max;
    follower.until_quietly(least);
    return std::move(follower.got);
}

} // namespace weir::contract
