#include "spec.hpp"

#include <algorithm>

#include <weir/base/document.hpp>
#include <weir/flows/document.hpp>
#include <weir/flows/ir.hpp>

namespace weir::facade {
namespace {

constexpr std::string_view file_name = "pipeline.yaml";
constexpr std::size_t problems_told = 10;

Error refused(const Problems& problems) {
    std::string all;
    for (std::size_t i = 0; i < std::min(problems.size(), problems_told); ++i)
        all += (all.empty() ? "" : "\n") + problems[i].to_string();
    if (problems.size() > problems_told)
        all += "\nand " + std::to_string(problems.size() - problems_told) + " more";
    return invalid(all);
}

/// Documents of other kinds are passed over, as KFP does.
Json shape(const std::vector<Node>& documents) {
    Json spec, platform;
    for (const auto& document : documents) {
        if (document.find("pipelineInfo") != nullptr || document.find("root") != nullptr)
            spec = as_struct(json_of(document));
        else if (document.find("platforms") != nullptr)
            platform = as_struct(json_of(document));
    }
    if (platform.is_null()) return spec;
    return Json{{"pipeline_spec", std::move(spec)}, {"platform_spec", std::move(platform)}};
}

} // namespace

Result<Spec> read_spec(std::string text) {
    if (text.starts_with("PK\x03\x04") || text.starts_with("\x1f\x8b"))
        return unsupported("zip and tar.gz packages are not read here: upload the YAML file inside");
    Problems problems;
    const auto documents = read_documents(text, file_name, problems);
    if (!problems.empty()) return refused(problems);
    const auto pipeline = flows::ir::read_pipeline(text, file_name, problems);
    if (!pipeline) return refused(problems);
    Spec spec;
    spec.name = pipeline->name;
    spec.shown = shape(documents);
    spec.parameters = flows::ir::declared_parameters(*pipeline);
    spec.text = std::move(text);
    return spec;
}

std::string text_of_spec(const Json& spec) {
    const auto inner = spec.find("pipeline_spec");
    if (inner == spec.end()) return to_text(spec);
    const auto platform = spec.find("platform_spec");
    if (platform == spec.end() || platform->empty()) return to_text(*inner);
    return "---\n" + to_text(*inner) + "\n---\n" + to_text(*platform) + "\n";
}

Json shown_spec(const std::string& text) {
    Problems problems;
    return shape(read_documents(text, file_name, problems));
}

std::string flow_document(const std::string& team, const std::string& flow, const std::string& file,
                          const std::string& owner) {
    Json document{{"flow", flow}, {"team", team}, {"backend", "local"}, {"pipeline", file}};
    if (!owner.empty()) document["labels"]["owner"] = owner;
    return to_text(document);
}

Result<flows::FlowVersion> flow_version_of(const std::string& team, const std::string& flow,
                                           const std::string& text, const std::string& owner) {
    Problems problems;
    const auto loader = [&](const std::string&) -> Result<std::string> { return text; };
    auto found =
        flows::read_flows(flow_document(team, flow, std::string(file_name), owner), "flow", loader, problems);
    if (!problems.empty()) return refused(problems);
    if (found.size() != 1) return internal("a pipeline gave no flow");
    return std::move(found[0]);
}

} // namespace weir::facade
