#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/events/binding.hpp>
#include <weir/events/bus.hpp>

// What every bus of weir's own says and checks alike. Private to the events library.
namespace weir::events {

/// Holds the on_append handler; after close() none runs any more.
class AppendHandler {
  public:
    void set(std::function<void()> called) {
        std::lock_guard lock(mutex_);
        called_ = std::move(called);
    }
    void call() {
        std::lock_guard lock(mutex_);
        // A copy: the handler may replace itself.
        if (const auto called = called_) called();
    }
    void close() { set({}); }

  private:
    std::recursive_mutex mutex_; // the handler may publish
    std::function<void()> called_;
};

Error no_such_stream(std::string_view asked, std::string_view known);
Error bus_closed();
/// Positions from `from` to `to` were asked for and are not there any more.
Error positions_gone(std::string_view stream, Position from, Position to);
/// A reader stands behind the stream's end.
Error beyond_head(std::string_view stream, Position after, Position head);
/// at() found nothing.
Error nothing_at(std::string_view stream, Position position);
/// A reading that follows `after`.
Reading reading_of(std::vector<Arrival> arrivals, Position after);
/// The arrival that a message is: an event, or poison with why.
Arrival decoded_arrival(Result<Decoded> decoded, const Message& message, Position position, Instant time);
/// check() for each, with the event's number if there are several.
Status check_all(std::span<const Event> events, const EventLimits& limits);

} // namespace weir::events
