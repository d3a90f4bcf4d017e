#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/engine/engine.hpp>
#include <weir/engine/shell.hpp>

namespace weir::engine {

/// An apply request on its way: read and compiled first (any thread), then held against what is deployed
/// (loop).
struct ApplyPlan {
    ApplyInput input;
    ApplyReport report;
    Problems problems;
    bool prune = false;
    std::string owner;
    std::vector<std::string> teams; ///< ApplyRequest::teams
    [[nodiscard]] bool empty() const {
        return input.flows.empty() && input.triggers.empty() && input.delete_triggers.empty() &&
               input.delete_flows.empty();
    }
};

/// Reads all documents, compiles every expression, checks that pipelines can run here. Problems end up in the
/// report.
ApplyPlan read_apply(const ApplyRequest& request, const std::string& path);

/// Adds a problem for each flow that is not allowed.
void check_flows(ApplyPlan& plan, const std::function<Status(const flows::FlowVersion&)>& allowed);

/// `denied` if a document of the plan, or the flow that one of its triggers launches, belongs to a team that
/// the caller does not reach.
Status check_teams(const ApplyPlan& plan);

/// Compares with what the core has: what is created, updated, unchanged, deleted; checks triggers against the
/// declared parameters of their flows. Leaves only what changes in the input. On the loop.
void finish_plan(ApplyPlan& plan, const Shell& shell);

} // namespace weir::engine
