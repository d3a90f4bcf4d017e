#pragma once

#include <cstdint>
#include <string_view>

#include <weir/flows/launcher.hpp>

// The life of one launch inside the backend. One table; README.md and ARCHITECTURE.md show it.
namespace weir::flows::kubeflow {

enum class Stage : std::uint8_t {
    Look,       ///< it was sent or looked for before: is it there?
    Pipeline,   ///< the flow's pipeline, by name or id
    Version,    ///< its version: latest, by name or id
    Check,      ///< the arguments against what this version declares
    Experiment, ///< the experiment, made where there is none
    Create,     ///< CreateRun, once
    Stray,      ///< the server made a run of another id: it is ended
    End,
};
enum class Step : std::uint8_t {
    Go,     ///< it went well (Look: it is not there)
    Have,   ///< the run is there and ours
    Wait,   ///< it may go better later; CreateRun made nothing
    Refuse, ///< it never will
    Lost,   ///< CreateRun may have had its effect, this launch's or one before
    Stale,  ///< what was read before is not true any more; nothing was created
    Held,   ///< CreateRun did not leave: the deadline had passed, or it must not
    Other,  ///< the server made a run of another id
};
constexpr std::size_t stage_count = 8;
constexpr std::size_t step_count = 8;

struct Move {
    enum class Kind : std::uint8_t { To, Never } kind = Kind::Never;
    Stage stage = Stage::End;
    LaunchAnswer answer = LaunchAnswer::Unknown; ///< of End
};
Move move(Stage stage, Step step) noexcept;

std::string_view to_string(Stage stage) noexcept;
std::string_view to_string(Step step) noexcept;

} // namespace weir::flows::kubeflow
