#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>
#include <weir/flows/records.hpp>
#include <weir/triggers/compiled.hpp>

/// The one place where triggers meet flows.
namespace weir::engine {

/// One event that a firing uses, under the name of its leaf.
struct LeafEvent {
    int leaf = 0;
    std::string name;
    Seq seq;
    triggers::EventView* view = nullptr; ///< outlives the binding
};

/// Computes the launch parameters of a firing and brings them to the flow's declared types.
/// `completing`: the event that completed the firing (the variable `event`).
/// Errors: `invalid`: the parameter, its expression and what was wrong with it.
Result<std::string> bind_parameters(const triggers::CompiledTrigger& trigger,
                                    const std::vector<LeafEvent>& events, triggers::EventView& completing,
                                    const flows::FlowVersion& flow);

/// What can be known before anything fires: the flow exists, every parameter is declared, none is missing,
/// constants fit their types. `flow` null: unknown flow. Problems carry the places of the trigger document.
void check_binding(const triggers::CompiledTrigger& trigger, const flows::FlowVersion* flow,
                   const std::string& flow_suggestion, Problems& problems);

} // namespace weir::engine
