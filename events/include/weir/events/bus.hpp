#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/events/message.hpp>

namespace weir::events {

/// What survives: the end of a process, or a loss of power as well.
enum class Durability : std::uint8_t { ProcessSafe, PowerSafe };
/// "process-safe", "power-safe".
std::string_view to_string(Durability durability) noexcept;

/// A message at its place in a stream: an event, or what could not be read as one.
struct Arrival {
    Position position;
    Instant time; ///< the broker's append time; never falls within what one reader reads
    Event event;
    std::shared_ptr<const Poison> poison; ///< set: no event, and `event` is empty
    /// False: `event.data` is as it came, neither validated nor made compact. Whoever records or uses it
    /// calls read_data() first; what nobody listens to is never looked at.
    bool data_checked = true;
};

/// What a place holds, short enough to keep: says at a later reading whether it is still the same stream.
/// Over the event's source and id, or the poison's bytes.
Digest place_digest(const Arrival& arrival);
Digest place_digest(const Event& event);

struct StreamInfo {
    std::string name;        ///< unique among all buses: "events"; "BUS/STREAM"; "BUS/TOPIC/PARTITION"
    std::string family;      ///< streams that belong together (partitions of a topic); empty: on its own
    std::string incarnation; ///< changes when the stream was deleted and made anew, where the broker tells
    Position first;          ///< oldest position still readable; head + 1 if none is
    Position head;           ///< newest position that reading can reach; 0 if nothing was ever appended
    Position start; ///< behind which a reader begins that never read it (configuration: new, earliest)
    Durability durability = Durability::ProcessSafe;
    bool removes = false; ///< single events may vanish from the middle (compaction, limits per subject)
    /// Newest position given out, wanted by us or not; a position behind it was never read. 0: as `head`.
    Position last{};
    /// What is missing before `first` was overtaken by newer events of its subject: it is not lost.
    bool overtaken = false;
};

/// What one read gave.
struct Reading {
    std::vector<Arrival> arrivals; ///< in order
    /// Read up to here, at least the newest arrival: positions before it that gave none hold nothing for us
    /// (filtered, removed, the broker's own marks).
    Position upto;
    /// Since the read before, the connection was lost or the broker's reader made anew: positions may have
    /// been given out again meanwhile. What was read must not be used before the place it follows was
    /// checked.
    bool interrupted = false;
};

struct BusState {
    std::string name; ///< as configured; "embedded"
    std::string kind; ///< "embedded", "nats", "kafka", "memory"
    bool connected = true;
    std::string detail; ///< why not connected; else what it is connected to
    Durability durability = Durability::ProcessSafe;
    std::string durability_note; ///< what the class rests on: one sentence
    std::int64_t reconnects = 0;
};

/// A message bus: streams of events, each with one order.
/// Owner:  the application owns it; it calls no handler once close() has returned.
/// Thread: every method from any thread. All but state() and on_append() may block on the disk or, if
/// remote(), on the
///         network (each bounded by the adapter's timeout): a remote bus is never called on the loop thread.
///         read() of one stream is called by one thread at a time.
/// Errors: returned, never thrown; `unavailable` is worth a retry; `not_found`: there is no such stream now.
/// read() of
///         a position that is gone, or from behind the head, gives `corrupt`, naming what was lost: the
///         stream has a gap and must be stopped, not skipped.
/// Time:   Arrival::time is the broker's append time.
/// Limits: at most `events_max` events and about `bytes_max` bytes a read (one event at least, if there is
/// one);
///         publish() refuses events over EventLimits::bytes_max. What an adapter reads ahead is bounded in
///         its header.
class Bus {
  public:
    virtual ~Bus() = default;

    [[nodiscard]] virtual BusState state() const = 0;
    /// Its methods may wait for a network.
    [[nodiscard]] virtual bool remote() const = 0;

    /// Every stream there is now.
    virtual Result<std::vector<StreamInfo>> streams() = 0;
    /// One stream as it is now: everything whose publish() returned before this call is at or before head.
    virtual Result<StreamInfo> look(std::string_view stream) = 0;
    /// Events after `after`, in order: what has come, possibly nothing. A remote bus may still be fetching
    /// what stands at or before head (then on_append tells). Reading goes on fastest where the last reading
    /// ended; any other `after` begins anew there.
    virtual Result<Reading> read(std::string_view stream, Position after, std::size_t events_max,
                                 std::size_t bytes_max) = 0;
    /// Reads a message again as if it had just come from `stream` (a dead letter after a change of
    /// configuration).
    virtual Result<Arrival> decode(std::string_view stream, const Message& message, Position position,
                                   Instant time);
    /// What stands at exactly `position`, data unchecked; `not_found`: nothing does (any more).
    virtual Result<Arrival> at(std::string_view stream, Position position) = 0;
    /// The newest position that came at or before `time`; the one before `first` if none did.
    virtual Result<Position> last_before(std::string_view stream, Instant time) = 0;
    /// Appends all, in this order, to `stream` ("" = the bus's default one) and returns their positions once
    /// they are durable in the bus's class. A bus that is not remote: all or none. A remote one: none if one
    /// of them is refused
    /// (`invalid`, `exhausted`); after `unavailable` some may be there, and the same call is made again:
    /// source and id are the same, and so are the positions of those that the broker itself recognizes.
    virtual Result<std::vector<Position>> publish(std::string_view stream, std::span<const Event> events) = 0;
    /// `called` runs on any thread whenever something may have become readable. One handler; empty: none.
    virtual void on_append(std::function<void()> called) = 0;
    /// Events up to and including `position` are no longer needed by the engine; older ones may be dropped by
    /// the bus's own retention. A bus with retention of its own takes it as a hint for its lag tools, or
    /// ignores it.
    virtual Status release(std::string_view stream, Position position) = 0;
    /// Ends threads and connections. No handler runs afterwards.
    virtual void close() = 0;
};

} // namespace weir::events
