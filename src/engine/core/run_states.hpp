#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <weir/ledger/records.hpp>

namespace weir::engine {

/// What can happen to a run.
enum class RunStep : std::uint8_t {
    Release,  ///< what held it back is over
    Send,     ///< a place is free: a request is about to leave
    Lose,     ///< the reply to the request is lost (or we restarted while it was open)
    Miss,     ///< looks found nothing for as long as it takes: it never started
    Accept,   ///< the backend has it
    Start,    ///< the backend reports that an attempt began
    Settle,   ///< an attempt ended, or the run will never start
    Postpone, ///< the backend has let nothing leave: it is asked again later
    End,      ///< the backend reports that an attempt ended; what the flow itself says of it is awaited
    Leave,    ///< the request that creates it is about to leave the backend's hands
};
inline constexpr int run_step_count = 10;
inline constexpr int run_state_count = 8;
std::string_view to_string(RunStep step) noexcept;

/// What a step means in a state.
struct RunMove {
    enum class Kind : std::uint8_t {
        To,     ///< go to `next`
        Stay,   ///< known already: nothing changes, nothing is recorded
        Record, ///< a contradiction: recorded as an input, changes nothing, fires nothing
        Never,  ///< cannot happen: whoever asks has a bug
    } kind = Kind::Never;
    ledger::RunState next = ledger::RunState::Ready;
};

/// The life of a run, as a table; every cell is walked by a test.
RunMove move(ledger::RunState state, RunStep step) noexcept;

/// Counts for overlap: decided, not held back, not ended.
bool unfinished(ledger::RunState state) noexcept;
/// Takes a launch place: a request is or may be open. One that was sent twice is only looked for, for a day
/// maybe: it holds nobody up.
bool takes_place(ledger::RunState state, int sends) noexcept;

} // namespace weir::engine
