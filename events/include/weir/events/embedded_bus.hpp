#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/events/bus.hpp>

namespace weir::events {

struct EmbeddedBusOptions {
    std::string stream = "events";                  ///< the name of its one stream
    Duration keep_age = std::chrono::hours(7 * 24); ///< released events older than this are dropped; 0: kept
    /// Released events are dropped, oldest first, while the file's used pages exceed about this; 0: no limit.
    std::int64_t keep_bytes = std::int64_t{1} << 30;
    /// The file never grows over this (whole pages); publish() is then `unavailable` until release() made
    /// room. 0: no limit but the disk's.
    std::int64_t file_bytes_max = 0;
    EventLimits limits;
    std::size_t publish_events_max = 10'000;          ///< one publish()
    std::size_t publish_bytes_max = 32 * 1024 * 1024; ///< one publish(), by weight()
    /// A lock that another process holds is passed by: it is frozen or hangs, and the ledger was taken over
    /// from it.
    bool take_over = false;
    std::string vfs;         ///< a registered SQLite VFS (simulation); then no lock file is made
    std::string incarnation; ///< for a file made anew; empty: minted from the operating system's randomness
};

/// A bus in one SQLite file (0600, made if there is none): one stream, positions from 1 without gaps, durable
/// over a loss of power (WAL, synchronous=FULL). A position's time is `clock`'s at its commit, or its
/// predecessor's if that was later. Owner:  the application; `clock` outlives the bus. Thread: no thread of
/// its own. publish() calls that come while a commit runs go into the next one together, on
///         the thread of one of them; a single-threaded caller therefore runs without any other thread.
///         The on_append handler runs on publishing threads, one at a time, and may call any method but
///         close().
/// Errors: opening: `conflict`: in use by another process (a lock on PATH.lock); `invalid`: not ours;
///         `unsupported`: written by a newer weir; `denied`, `not_found`, `corrupt`, `unavailable`.
///         publish(): a full disk or an I/O error is `unavailable`: nothing of the call is in the stream, and
///         it goes on when there is room. (After a crash right then, or an I/O error whose outcome SQLite
///         itself cannot tell, the events may be there: publish again, the source and id are the same.)
///         read(): `corrupt` names what is gone.
/// Time:   from `clock` only. Retention looks at most once a second, from release(), in small steps.
/// Limits: options above. The newest event is never dropped, so the head survives.
Result<std::unique_ptr<Bus>> open_embedded_bus(const std::string& path, const Clock& clock,
                                               EmbeddedBusOptions options = {});

} // namespace weir::events
