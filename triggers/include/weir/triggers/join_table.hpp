#pragma once

#include <array>
#include <cstdint>

#include <weir/triggers/join.hpp>

namespace weir::triggers {

/// The place that a leaf has for the events of one key (a shared leaf: for all of them).
enum class SlotState : std::uint8_t { Empty, Held };

/// What can happen to it.
enum class SlotInput : std::uint8_t {
    Waits,     ///< an event for it arrives, and the key goes on waiting for others
    Completes, ///< an event for it arrives, and the key fires with it
    Fires,     ///< the key fires by the event of another leaf
    Ages,      ///< its event is older than `within`
    Drops,     ///< a limit is passed, and its key is the oldest
    Clears,    ///< the trigger no longer has this leaf
};

/// What the event that was held does.
enum class SlotOld : std::uint8_t { Stays, Superseded, Consumed, Expired, Dropped, Cleared };

/// One row of the `all` operator's states: everything it does is in these rows.
struct SlotRow {
    bool keep; ///< whether the leaf is `keep`
    SlotState state;
    SlotInput input;
    bool possible; ///< false: the machine never gets here
    SlotState next;
    bool enters; ///< the arriving event begins to be held
    SlotOld old; ///< Stays also where nothing was held
};

inline constexpr std::array<SlotRow, 24> slot_table{{
    {false, SlotState::Empty, SlotInput::Waits, true, SlotState::Held, true, SlotOld::Stays},
    {false, SlotState::Empty, SlotInput::Completes, true, SlotState::Empty, false, SlotOld::Stays},
    {false, SlotState::Empty, SlotInput::Fires, false, SlotState::Empty, false, SlotOld::Stays},
    {false, SlotState::Empty, SlotInput::Ages, false, SlotState::Empty, false, SlotOld::Stays},
    {false, SlotState::Empty, SlotInput::Drops, false, SlotState::Empty, false, SlotOld::Stays},
    {false, SlotState::Empty, SlotInput::Clears, false, SlotState::Empty, false, SlotOld::Stays},
    {false, SlotState::Held, SlotInput::Waits, true, SlotState::Held, true, SlotOld::Superseded},
    {false, SlotState::Held, SlotInput::Completes, true, SlotState::Empty, false, SlotOld::Superseded},
    {false, SlotState::Held, SlotInput::Fires, true, SlotState::Empty, false, SlotOld::Consumed},
    {false, SlotState::Held, SlotInput::Ages, true, SlotState::Empty, false, SlotOld::Expired},
    {false, SlotState::Held, SlotInput::Drops, true, SlotState::Empty, false, SlotOld::Dropped},
    {false, SlotState::Held, SlotInput::Clears, true, SlotState::Empty, false, SlotOld::Cleared},
    {true, SlotState::Empty, SlotInput::Waits, true, SlotState::Held, true, SlotOld::Stays},
    {true, SlotState::Empty, SlotInput::Completes, true, SlotState::Held, true, SlotOld::Stays},
    {true, SlotState::Empty, SlotInput::Fires, false, SlotState::Empty, false, SlotOld::Stays},
    {true, SlotState::Empty, SlotInput::Ages, false, SlotState::Empty, false, SlotOld::Stays},
    {true, SlotState::Empty, SlotInput::Drops, false, SlotState::Empty, false, SlotOld::Stays},
    {true, SlotState::Empty, SlotInput::Clears, false, SlotState::Empty, false, SlotOld::Stays},
    {true, SlotState::Held, SlotInput::Waits, true, SlotState::Held, true, SlotOld::Superseded},
    {true, SlotState::Held, SlotInput::Completes, true, SlotState::Held, true, SlotOld::Superseded},
    {true, SlotState::Held, SlotInput::Fires, true, SlotState::Held, false, SlotOld::Stays},
    {true, SlotState::Held, SlotInput::Ages, false, SlotState::Held, false, SlotOld::Stays},
    {true, SlotState::Held, SlotInput::Drops, true, SlotState::Empty, false, SlotOld::Dropped},
    {true, SlotState::Held, SlotInput::Clears, true, SlotState::Empty, false, SlotOld::Cleared},
}};

constexpr const SlotRow& slot_row(bool keep, SlotState state, SlotInput input) {
    return slot_table[(keep ? 12U : 0U) + (state == SlotState::Held ? 6U : 0U) +
                      static_cast<std::size_t>(input)];
}

} // namespace weir::triggers
