#pragma once

#include <optional>
#include <string>

#include <weir/base/digest.hpp>
#include <weir/base/result.hpp>
#include <weir/events/bus.hpp>

// Whether a stream is still the one that was read so far (design, section 2, promise 2).
namespace weir::engine {

/// How far a stream was read, and what stood there.
struct ReadPlace {
    std::string incarnation;
    Position position; ///< read up to here
    Position event;    ///< place of the newest arrival read; 0: none
    Digest digest{};   ///< events::place_digest() of it; all zero: not known
    Instant time{};    ///< of it
};

/// What a broker lost, as exactly as can be known.
struct StreamGap {
    std::string kind; ///< "retention", "recreated", "truncated", "rewritten", "unreadable"
    Position from;    ///< first lost position
    Position to;      ///< last lost one; below `from`: unknown
    std::string detail;
};

/// Compares a stream with what was read of it: its incarnation, its ends, and the arrival at the place where
/// reading goes on. Nothing: it is the same, and nothing unread is gone. Errors: the bus's own, `unavailable`
/// above all: then nothing is known yet.
Result<std::optional<StreamGap>> find_gap(events::Bus& bus, const events::StreamInfo& now,
                                          const ReadPlace& read);

/// Behind which position reading goes on once the gap is accepted: before the first event that is there and
/// was not read. After numbers were given out again, that is the first one which came later than the newest
/// one read.
Result<Position> position_after(events::Bus& bus, const events::StreamInfo& now, std::string_view kind,
                                const ReadPlace& read);

} // namespace weir::engine
