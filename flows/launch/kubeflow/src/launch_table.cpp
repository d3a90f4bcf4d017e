#include "launch_table.hpp"

#include <array>

namespace weir::flows::kubeflow {

namespace {

constexpr Move to(Stage stage) {
    return {Move::Kind::To, stage, LaunchAnswer::Unknown};
}
constexpr Move end(LaunchAnswer answer) {
    return {Move::Kind::To, Stage::End, answer};
}
constexpr Move never{};
constexpr Move accepted = end(LaunchAnswer::Accepted);
constexpr Move refused = end(LaunchAnswer::Refused);
constexpr Move unknown = end(LaunchAnswer::Unknown);
constexpr Move postponed = end(LaunchAnswer::Postponed);

using Row = std::array<Move, step_count>;
// Wait: the same stage again after a while, or Postponed where the deadline comes first. CreateRun ends the
// launch, whatever comes of it: it is on record that this one request leaves (ADR 13).
// Go, Have, Wait, Refuse, Lost, Stale, Held, Other
constexpr std::array<Row, stage_count> table{{
    /* Look       */
    {{to(Stage::Pipeline), accepted, to(Stage::Look), refused, unknown, never, never, never}},
    /* Pipeline   */
    {{to(Stage::Version), never, to(Stage::Pipeline), refused, never, never, never, never}},
    /* Version    */
    {{to(Stage::Check), never, to(Stage::Version), refused, never, never, never, never}},
    /* Check      */
    {{to(Stage::Experiment), never, never, refused, never, never, never, never}},
    /* Experiment */
    {{to(Stage::Create), never, to(Stage::Experiment), refused, never, never, never, never}},
    /* Create     */
    {{never, accepted, postponed, refused, unknown, postponed, postponed, to(Stage::Stray)}},
    /* Stray      */
    {{refused, never, never, refused, never, never, never, never}},
    /* End        */
    {{never, never, never, never, never, never, never, never}},
}};

} // namespace

Move move(Stage stage, Step step) noexcept {
    return table[static_cast<std::size_t>(stage)][static_cast<std::size_t>(step)];
}

std::string_view to_string(Stage stage) noexcept {
    constexpr std::array<std::string_view, stage_count> names{"look",       "pipeline", "version", "check",
                                                              "experiment", "create",   "stray",   "end"};
    return names[static_cast<std::size_t>(stage)];
}

std::string_view to_string(Step step) noexcept {
    constexpr std::array<std::string_view, step_count> names{"go",   "have",  "wait", "refuse",
                                                             "lost", "stale", "held", "other"};
    return names[static_cast<std::size_t>(step)];
}

} // namespace weir::flows::kubeflow
