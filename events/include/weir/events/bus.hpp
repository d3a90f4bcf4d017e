#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

namespace weir::events {

/// What survives: the end of a process, or a loss of power as well.
enum class Durability : std::uint8_t { ProcessSafe, PowerSafe };

struct StreamInfo {
    std::string name;
    std::string
        incarnation; ///< changes when the stream was deleted and made anew; positions mean nothing across
    Position first;  ///< oldest position still readable; head + 1 if none is
    Position head;   ///< newest position; 0 if nothing was ever appended
    Durability durability = Durability::ProcessSafe;
};

/// A message bus: streams of events, each with one order.
/// Owner:  the application owns it; it calls no handler once close() has returned.
/// Thread: every method from any thread; they may block on the disk or the network, so not on the loop thread
///         unless the adapter is the embedded one.
/// Errors: returned, never thrown; `unavailable` is worth a retry. read() of a position that is gone gives
///         `corrupt`, naming what was lost: the stream has a gap and must be stopped, not skipped.
/// Time:   Arrival::time is the broker's append time and never falls within a stream.
/// Limits: at most `events_max` events and about `bytes_max` bytes a read; publish() refuses events over
///         EventLimits::bytes_max.
class Bus {
  public:
    virtual ~Bus() = default;

    /// Every stream there is now.
    virtual Result<std::vector<StreamInfo>> streams() = 0;
    /// One stream as it is now: everything whose publish() returned before this call is at or before head.
    virtual Result<StreamInfo> look(std::string_view stream) = 0;
    /// Events after `after`, in order, without gaps, without waiting: what is there now, possibly nothing.
    virtual Result<std::vector<Arrival>> read(std::string_view stream, Position after, std::size_t events_max,
                                              std::size_t bytes_max) = 0;
    /// Appends all, in this order, to `stream` ("" = the bus's default one) and returns their positions once
    /// they are durable in the bus's class. All or none.
    virtual Result<std::vector<Position>> publish(std::string_view stream, std::span<const Event> events) = 0;
    /// `called` runs on any thread whenever something may have become readable. One handler; empty: none.
    virtual void on_append(std::function<void()> called) = 0;
    /// Events up to and including `position` are no longer needed by the engine; older ones may be dropped by
    /// the bus's own retention. A bus with retention of its own ignores this.
    virtual Status release(std::string_view stream, Position position) = 0;
    /// Ends threads and connections. No handler runs afterwards.
    virtual void close() = 0;
};

} // namespace weir::events
