#include <core/run_states.hpp>

#include <support/catch.hpp>

using namespace weir;
using engine::RunMove;
using engine::RunStep;
using ledger::RunState;

namespace {

const std::vector<RunState> states{RunState::Waiting, RunState::Ready,    RunState::Sent,
                                   RunState::Unknown, RunState::Accepted, RunState::Running,
                                   RunState::Settled, RunState::Ended};
const std::vector<RunStep> steps{RunStep::Release, RunStep::Send,  RunStep::Lose,   RunStep::Miss,
                                 RunStep::Accept,  RunStep::Start, RunStep::Settle, RunStep::Postpone,
                                 RunStep::End,     RunStep::Leave};

RunMove move_of(RunState state, RunStep step) {
    return engine::move(state, step);
}

} // namespace

TEST_CASE("every cell of the run table: what a backend may say is never a bug") {
    for (const auto state : states)
        for (const auto step : {RunStep::Accept, RunStep::Start, RunStep::Settle, RunStep::Miss,
                                RunStep::Postpone, RunStep::End}) {
            INFO(to_string(state) << " + " << to_string(step));
            // Whatever a backend reports, in any state, must be takeable: only our own steps can be bugs.
            if (state == RunState::Ready && step == RunStep::Miss) continue;
            CHECK(move_of(state, step).kind != RunMove::Kind::Never);
        }
}

TEST_CASE("a request leaves only from ready, and an open request is resolved only by looking or an answer") {
    for (const auto state : states) {
        INFO(to_string(state));
        const bool to_sent = move_of(state, RunStep::Send).kind == RunMove::Kind::To;
        CHECK(to_sent == (state == RunState::Ready));
        if (to_sent) CHECK(move_of(state, RunStep::Send).next == RunState::Sent);
    }
    for (const auto state : states)
        CHECK((move_of(state, RunStep::Leave).kind == RunMove::Kind::To) == (state == RunState::Sent));
    CHECK(move_of(RunState::Sent, RunStep::Leave).next == RunState::Sent);
    CHECK(move_of(RunState::Sent, RunStep::Lose).next == RunState::Unknown);
    CHECK(move_of(RunState::Unknown, RunStep::Miss).next == RunState::Ready);
    CHECK(move_of(RunState::Unknown, RunStep::Accept).next == RunState::Accepted);
    // A run that the backend has can never become one that may be requested again.
    for (const auto state : {RunState::Accepted, RunState::Running, RunState::Ended, RunState::Settled})
        for (const auto step : steps) {
            const auto moved = move_of(state, step);
            if (moved.kind == RunMove::Kind::To)
                CHECK((moved.next == RunState::Running || moved.next == RunState::Settled ||
                       moved.next == RunState::Ended));
        }
}

TEST_CASE("what ends stays ended but for a new attempt") {
    CHECK(move_of(RunState::Settled, RunStep::Settle).kind == RunMove::Kind::Record);
    CHECK(move_of(RunState::Settled, RunStep::Start).next == RunState::Running);
    CHECK(move_of(RunState::Settled, RunStep::End).kind == RunMove::Kind::Record);
    CHECK(move_of(RunState::Ended, RunStep::Start).next == RunState::Running);
    for (const auto state : states)
        if (state != RunState::Settled) CHECK(move_of(state, RunStep::Settle).next == RunState::Settled);
}

TEST_CASE("places and overlap count the right states") {
    for (const auto state : states) {
        INFO(to_string(state));
        CHECK(engine::takes_place(state, 1) == (state == RunState::Sent || state == RunState::Unknown));
        CHECK(engine::takes_place(state, 2) == (state == RunState::Sent));
        CHECK(engine::unfinished(state) == (state != RunState::Waiting && state != RunState::Settled));
    }
}
