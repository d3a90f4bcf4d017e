#include "run_states.hpp"

#include <array>

namespace weir::engine {
namespace {

using ledger::RunState;
using Kind = RunMove::Kind;

constexpr RunMove to(RunState next) {
    return {Kind::To, next};
}
constexpr RunMove stay{Kind::Stay, RunState::Ready};
constexpr RunMove record{Kind::Record, RunState::Ready};
constexpr RunMove never{Kind::Never, RunState::Ready};

using Row = std::array<RunMove, run_step_count>;
// Settled + Start opens a new attempt; the caller checks that the attempt is new and the old one failed.
constexpr std::array<Row, run_state_count> table{{
    // Release, Send, Lose, Miss, Accept, Start, Settle, Postpone, End, Leave
    /* Waiting  */
    {{to(RunState::Ready), never, never, record, record, record, to(RunState::Settled), record, record,
      never}},
    /* Ready    */
    {{never, to(RunState::Sent), never, stay, record, record, to(RunState::Settled), stay,
      to(RunState::Ended), stay}},
    /* Sent     */
    {{never, never, to(RunState::Unknown), to(RunState::Ready), to(RunState::Accepted), to(RunState::Running),
      to(RunState::Settled), to(RunState::Ready), to(RunState::Ended), to(RunState::Sent)}},
    /* Unknown  */
    {{never, never, stay, to(RunState::Ready), to(RunState::Accepted), to(RunState::Running),
      to(RunState::Settled), stay, to(RunState::Ended), stay}},
    /* Accepted */
    {{never, never, stay, record, stay, to(RunState::Running), to(RunState::Settled), record,
      to(RunState::Ended), stay}},
    /* Running  */
    {{never, never, stay, record, stay, stay, to(RunState::Settled), record, to(RunState::Ended), stay}},
    /* Settled  */
    {{never, never, stay, record, stay, to(RunState::Running), record, record, record, stay}},
    /* Ended: what ended and runs again in the same attempt is a flap */
    {{never, never, stay, record, stay, to(RunState::Running), to(RunState::Settled), record, stay, stay}},
}};

} // namespace

std::string_view to_string(RunStep step) noexcept {
    constexpr std::array<std::string_view, run_step_count> names{
        "release", "send", "lose", "miss", "accept", "start", "settle", "postpone", "end", "leave"};
    return names[static_cast<std::size_t>(step)];
}

RunMove move(RunState state, RunStep step) noexcept {
    return table[static_cast<std::size_t>(state)][static_cast<std::size_t>(step)];
}

bool unfinished(RunState state) noexcept {
    return state != RunState::Waiting && state != RunState::Settled;
}

bool takes_place(RunState state, int sends) noexcept {
    return state == RunState::Sent || (state == RunState::Unknown && sends < 2);
}

} // namespace weir::engine
