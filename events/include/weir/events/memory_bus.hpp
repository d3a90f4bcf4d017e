#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>

namespace weir::events {

struct MemoryBusOptions {
    std::string stream = "events";
    std::string incarnation = "memory";
    Duration keep_age{};                ///< released events older than this are dropped; 0: kept
    std::size_t keep_events = 0;        ///< released events over this many are dropped; 0: no limit
    std::size_t events_max = 1'000'000; ///< held at once; then publish() is `unavailable`
    EventLimits limits;
};

/// A bus in memory, for tests: same promises as the embedded one but for what the end of the process takes
/// away. Owner:  the application; `clock` outlives the bus. Thread: every method from any thread; none of its
/// own. The on_append handler runs on publishing threads, one at
///         a time, and may call any method but close().
/// Errors: as the embedded bus.
/// Time:   from `clock` only.
/// Limits: options above; the newest event is never dropped.
std::unique_ptr<Bus> make_memory_bus(const Clock& clock, MemoryBusOptions options = {});

} // namespace weir::events
