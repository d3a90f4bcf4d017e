#pragma once

#include <deque>
#include <optional>
#include <string>

#include <weir/engine/shell.hpp>

namespace weir::engine {

/// One stream of a bus, read ahead of the core.
struct Shell::Stream {
    ledger::StreamNo no;
    std::string name;
    std::string incarnation;
    events::Bus* bus = nullptr;
    Position read; ///< newest position taken into the buffer
    std::deque<events::Arrival> buffer;
    Instant empty_at{};  ///< asked at this instant, it had nothing unread
    std::string stopped; ///< a gap: not read until somebody accepts it
    std::optional<SteadyInstant> unreachable_since;
    // What the batch under way took from it.
    bool moved = false;
    Position position;
    Instant time{};
    Digest digest{};

    [[nodiscard]] bool live() const { return stopped.empty(); }
};

struct Shell::Choice {
    enum class What { Arrival, Timer, Fact, Change } what = What::Arrival;
    Instant time;
    Stream* stream = nullptr;
};

} // namespace weir::engine
