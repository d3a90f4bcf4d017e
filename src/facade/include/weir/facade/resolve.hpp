#pragma once

#include <string>

#include <weir/base/result.hpp>
#include <weir/facade/pipeline_store.hpp>
#include <weir/flows/records.hpp>

namespace weir::facade {

/// What a flow that names a pipeline of the store is launched as here.
struct Resolved {
    flows::FlowVersion flow; ///< on the local backend, with the pipeline's IR; its version is the flow's own
    std::string backend_version; ///< "PIPELINE_ID/VERSION_ID"
};

/// Looks up the pipeline (name or id; of the flow's team, or uploaded for every team) and version (name, id
/// or "latest") that the flow's settings name, and checks that the arguments fit it, as a launch on the
/// genuine server would. Thread: any. Errors: `not_found`: no such pipeline or version; `invalid`: the
/// arguments do not fit it; `unavailable`: the store cannot be read now.
Result<Resolved> resolve(PipelineStore& store, const flows::FlowVersion& flow,
                         const std::string& arguments_json);

} // namespace weir::facade
