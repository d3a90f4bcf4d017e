#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/flows/launcher.hpp>

// A run as the server tells of it, and what its history says of attempts.
namespace weir::flows::kubeflow {

struct StateChange {
    std::string state;
    Instant at{};
};

struct RunView {
    std::string id;
    std::string experiment_id;
    std::string display_name;
    std::string description;
    std::string pipeline_id; ///< empty: an inline pipeline
    std::string version_id;
    std::string state; ///< empty: the server does not say (a report without a phase)
    std::string arguments_json = "{}";
    std::string error;
    Instant created{};
    Instant finished{}; ///< 1970: it has not, or the server does not say
    std::vector<StateChange> history;
    std::vector<TaskRecord> tasks;
    // With view=FULL, from servers that have it.
    bool full = false;
    std::string outputs_json = "{}";
    std::vector<ArtifactRecord> artifacts;
};

/// A run from GetRun's or CreateRun's answer. `invalid` if it is none: no object, no run_id.
Result<RunView> read_run(std::string_view json);

struct RunPage {
    std::vector<RunView> runs;
    std::string next_token;
    std::size_t unreadable = 0; ///< items the server could not convert, or that are no runs
};
/// ListRuns' answer.
Result<RunPage> read_run_page(std::string_view json);

/// SUCCEEDED, FAILED, SKIPPED, CANCELED.
bool is_terminal(std::string_view state);
const std::vector<std::string>& terminal_states();

/// One attempt as the history tells it.
struct AttemptView {
    int number = 1;
    bool settled = false;
    std::string state;       ///< the first final one; else the newest
    bool cancelling = false; ///< somebody asked for its end
    Instant started{};
    Instant finished{};
    std::string note; ///< a flap or a contradiction, in words
};

/// At least one, in order. Only FAILED -> running opens an attempt, as the server retries nothing else.
/// What follows another final state is a late report: the attempt stays settled as it was first told, and
/// `note` says what came.
std::vector<AttemptView> attempts_of(const RunView& run);

/// The machine-read line at the end of the description of every run that weir creates.
struct MachineLine {
    std::string decision, flow, version;
};
/// "weir: decision=ID flow=TEAM/FLOW version=HASH"
std::string machine_line(const MachineLine& line);
/// Empty fields where there is no such line.
MachineLine read_machine_line(std::string_view description);

/// Why it failed, in one line for a person: the error, or the tasks that failed.
std::string failure_of(const RunView& run);

} // namespace weir::flows::kubeflow
