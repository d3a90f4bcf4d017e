#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/flows/records.hpp>

#include "json.hpp"

namespace weir::facade {

/// A pipeline as a client uploaded it.
struct Spec {
    std::string text; ///< IR of one document or two
    std::string name; ///< pipelineInfo.name
    Json shown;       ///< as the field `pipeline_spec` has it: the spec, or {pipeline_spec, platform_spec}
    std::vector<flows::Parameter> parameters;
};

/// Reads an uploaded file whole, and checks everything that weir would at a launch: `invalid` with every
/// fault and its line. Archives are refused by name.
Result<Spec> read_spec(std::string text);
/// The text of a spec that came as JSON inside of a request: either shape.
std::string text_of_spec(const Json& spec);
/// Only Spec::shown, of a text that was checked when it came.
Json shown_spec(const std::string& text);

/// A version of the flow `team`/`flow` on the local backend that runs this IR. `owner`: its label, if any.
Result<flows::FlowVersion> flow_version_of(const std::string& team, const std::string& flow,
                                           const std::string& text, const std::string& owner = {});
/// The flow document behind it.
std::string flow_document(const std::string& team, const std::string& flow, const std::string& file,
                          const std::string& owner = {});

} // namespace weir::facade
