#pragma once

#include <deque>
#include <optional>
#include <string>

#include <weir/engine/shell.hpp>

#include "feed.hpp"
#include "gap.hpp"
#include "relay.hpp"

namespace weir::engine {

/// One stream of a bus, read ahead of the core.
struct Shell::Stream {
    ledger::StreamNo no;
    std::string name;
    std::string family;
    std::string incarnation;
    events::Bus* bus = nullptr;
    Feed* feed = nullptr; ///< reads a remote bus; nullptr: it is read on the loop
    std::uint64_t generation = 0;
    Position read;    ///< read into the buffer up to here
    ReadPlace known;  ///< as the ledger has it, or will with the batch under way
    Instant newest{}; ///< arrival time of the newest one read: times never fall
    std::deque<events::Arrival> buffer;
    Instant empty_at{}; ///< asked at this instant, it had nothing unread
    /// A look found more than was read; once it is read, the stream was empty at `asked`.
    struct {
        Position head;
        Instant asked;
    } behind;
    bool followed = false; ///< it is on the bus and its place is being read on
    std::string stopped;   ///< a gap: not read until somebody accepts it
    std::optional<ledger::GapRow> gap;
    std::optional<StreamGap> lost_besides; ///< since it was found, as far as who accepts it saw
    std::optional<SteadyInstant> unreachable_since;
    std::string unreachable_why;
    bool read_failed = false; ///< it was reading that failed: a look does not end that
    bool vanished = false;    ///< absent, though this process has read it
    bool absent = false; ///< in the ledger, but its bus does not have it (any more), or it is not configured
    // What the batch under way took from it.
    bool moved = false;
    std::shared_ptr<const events::Event> last; ///< the newest event taken since the digest was computed
    std::optional<events::Event> passed;       ///< the same, if nobody listens to it
    std::size_t untold = 0;                    ///< taken out of the buffer, and the feed does not know yet
    SteadyInstant note_at{};                   ///< when a place without arrivals is written down
    SteadyInstant release_at{};                ///< when the bus is told next

    [[nodiscard]] bool live() const { return stopped.empty() && !absent; }
};

/// A bus as the shell uses it.
struct Shell::BusHandle {
    events::Bus* bus = nullptr;
    std::string name;
    std::unique_ptr<Feed> feed;
    std::string trouble;      ///< what it said last; empty: it answers
    bool registering = false; ///< streams of it are being registered
};

struct Shell::Choice {
    enum class What { Arrival, Timer, Fact, Change } what = What::Arrival;
    Instant time;
    Stream* stream = nullptr;
    bool overdue =
        false; ///< taken although some stream does not answer: it takes the log's time, not its own
};

} // namespace weir::engine
