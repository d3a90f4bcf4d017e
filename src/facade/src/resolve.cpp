#include <weir/facade/resolve.hpp>

#include <weir/base/text.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/flows/document.hpp>

#include "spec.hpp"

namespace weir::facade {
namespace {

Result<PipelineRecord> find_pipeline(PipelineStore& store, const std::string& team,
                                     const std::string& named) {
    auto found = store.pipeline_by_name(named);
    if (!found.ok() && found.error().kind == ErrorKind::NotFound) found = store.pipeline(named);
    if (!found.ok() && found.error().kind != ErrorKind::NotFound) return found;
    // What another team uploaded is not this team's code, whatever its name.
    if (found.ok() && (found->shared || found->team == team)) return found;
    return not_found("there is no pipeline \"" + printable(named, 200) + "\" of the team " +
                     printable(team, 100) +
                     " here; upload it with the kfp SDK: "
                     "kfp.Client(host=...).upload_pipeline(FILE, pipeline_name=...)");
}

Result<VersionRecord> find_version(PipelineStore& store, const PipelineRecord& pipeline,
                                   const std::string& named) {
    if (named.empty() || named == "latest") {
        auto latest = store.latest_version(pipeline.id);
        if (latest.ok() || latest.error().kind != ErrorKind::NotFound) return latest;
        return not_found("the pipeline " + pipeline.name + " has no version; upload one");
    }
    auto by_name = store.version_by_name(pipeline.id, named);
    if (by_name.ok() || by_name.error().kind != ErrorKind::NotFound) return by_name;
    auto by_id = store.version(named);
    if (!by_id.ok() && by_id.error().kind != ErrorKind::NotFound) return by_id;
    if (by_id.ok() && by_id->pipeline == pipeline.id) return by_id;
    return not_found("the pipeline " + pipeline.name + " has no version \"" + printable(named, 200) + "\"");
}

} // namespace

Result<Resolved> resolve(PipelineStore& store, const flows::FlowVersion& flow,
                         const std::string& arguments_json) {
    WEIR_ASSIGN(settings, flows::read_settings(flow.settings_json));
    WEIR_ASSIGN(pipeline, find_pipeline(store, flow.team, settings.pipeline));
    WEIR_ASSIGN(version, find_version(store, pipeline, settings.version));
    WEIR_ASSIGN(local, flow_version_of(flow.team, flow.flow, version.text));
    if (const auto fits = flows::bind_arguments(local.parameters, arguments_json); !fits.ok())
        return invalid("the parameters do not fit version " + version.name + " of pipeline " + pipeline.name +
                       ": " + fits.error().message);
    local.version = flow.version;
    return Resolved{std::move(local), pipeline.id + "/" + version.id};
}

} // namespace weir::facade
