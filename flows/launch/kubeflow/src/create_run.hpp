#pragma once

#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/flows/kubeflow/options.hpp>
#include <weir/flows/launcher.hpp>

#include "lookups.hpp"
#include "run_view.hpp"

// What CreateRun says. Pure.
namespace weir::flows::kubeflow {

/// What a flow document says of its pipeline (FlowVersion::settings_json).
struct Target {
    std::string pipeline;
    std::string version; ///< empty or "latest": the newest
    std::string experiment;
    std::string display_name;
};
/// `invalid` where there is no pipeline, or a text that is too long or holds what the server cannot store.
Result<Target> read_target(const FlowVersion& flow);

/// The binding of a team; nullptr: none.
const Binding* find_binding(const KubeflowOptions& options, std::string_view team);
/// The experiment a run goes to: the flow's if the binding lets it choose, else the binding's; empty: the
/// server's default. `denied` if it may not.
Result<std::string> experiment_of(const Binding& binding, const Target& target);

/// Fills in {flow}, {time}...; cut to what the server stores.
std::string display_name_of(const std::string& pattern, const LaunchRequest& request);
/// For a person, then the machine-read line.
std::string description_of(const LaunchRequest& request);

struct RunBody {
    const LaunchRequest& request;
    const Binding& binding;
    const Target& target;
    std::string pipeline_id, version_id, experiment_id;
    bool plugins = false; ///< the server takes `plugins_input` (2.17 and newer)
};
std::string run_body(const RunBody& run);

/// True for "2.17.0" and newer.
bool takes_plugins(std::string_view server_version);

/// Ours: the same decision, flow version and arguments (by JSON value). Else why not.
std::string difference(const RunView& found, const LaunchRequest& request);

/// True if two JSON texts are equal by value: 1 and 1.0 are, the order of members does not count.
bool equal_json(std::string_view one, std::string_view other);

} // namespace weir::flows::kubeflow
