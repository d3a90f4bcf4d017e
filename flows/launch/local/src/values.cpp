#include "values.hpp"

#include <weir/base/json.hpp>

namespace weir::flows::local {

namespace {

std::string json_of(const cel::Value& value) {
    auto text = cel::to_json(value);
    return text.ok() ? std::move(*text) : "null";
}

void append_member(std::string& out, std::string_view name, std::string_view json) {
    if (out.back() != '{') out += ',';
    append_json_string(out, name);
    out += ':';
    out += json;
}

} // namespace

std::string text_member(const cel::Value& object, std::string_view name) {
    if (object.kind() != cel::Kind::Map) return {};
    const cel::Value* member = object.find(name);
    return member != nullptr && member->is_string() ? std::string(member->as_string()) : std::string();
}

std::string write_parameters(const std::map<std::string, cel::Value>& parameters) {
    std::string out = "{";
    for (const auto& [name, value] : parameters)
        append_member(out, name, json_of(value));
    return out + "}";
}

std::string write_artifact(const Artifact& artifact) {
    std::string type = "{";
    if (!artifact.type.title.empty()) append_member(type, "schemaTitle", json_string(artifact.type.title));
    if (!artifact.type.version.empty())
        append_member(type, "schemaVersion", json_string(artifact.type.version));
    if (!artifact.type.instance_schema.empty())
        append_member(type, "instanceSchema", json_string(artifact.type.instance_schema));
    std::string out = "{";
    append_member(out, "name", json_string(artifact.name));
    append_member(out, "type", type + "}");
    append_member(out, "uri", json_string(artifact.uri));
    append_member(out, "metadata", artifact.metadata.is_null() ? "{}" : json_of(artifact.metadata));
    if (!artifact.custom_path.empty()) append_member(out, "customPath", json_string(artifact.custom_path));
    return out + "}";
}

Artifact read_artifact(const cel::Value& json) {
    Artifact artifact;
    artifact.name = text_member(json, "name");
    artifact.uri = text_member(json, "uri");
    artifact.custom_path = text_member(json, "customPath");
    if (artifact.custom_path.empty()) artifact.custom_path = text_member(json, "custom_path");
    if (json.kind() != cel::Kind::Map) return artifact;
    if (const cel::Value* type = json.find("type")) {
        artifact.type.title = text_member(*type, "schemaTitle");
        artifact.type.version = text_member(*type, "schemaVersion");
        artifact.type.instance_schema = text_member(*type, "instanceSchema");
    }
    if (const cel::Value* metadata = json.find("metadata");
        metadata != nullptr && metadata->kind() == cel::Kind::Map)
        artifact.metadata = *metadata;
    return artifact;
}

std::string write_values(const Values& values) {
    std::string artifacts = "{";
    for (const auto& [name, list] : values.artifacts) {
        std::string items = "[";
        for (const Artifact& artifact : list)
            items += (items.size() > 1 ? "," : "") + write_artifact(artifact);
        append_member(artifacts, name, items + "]");
    }
    return R"({"parameters":)" + write_parameters(values.parameters) + R"(,"artifacts":)" + artifacts + "}}";
}

Result<Values> read_values(const cel::Value& json) {
    const cel::Value* parameters = json.kind() == cel::Kind::Map ? json.find("parameters") : nullptr;
    const cel::Value* artifacts = json.kind() == cel::Kind::Map ? json.find("artifacts") : nullptr;
    if (parameters == nullptr || parameters->kind() != cel::Kind::Map || artifacts == nullptr ||
        artifacts->kind() != cel::Kind::Map)
        return corrupt("the values recorded have no parameters or artifacts");
    Values values;
    for (const auto& [name, value] : parameters->as_map())
        values.parameters.emplace(std::string(name.as_string()), value);
    for (const auto& [name, list] : artifacts->as_map()) {
        std::vector<Artifact>& made = values.artifacts[std::string(name.as_string())];
        if (list.kind() != cel::Kind::List) return corrupt("the artifacts recorded are no list");
        for (const cel::Value& item : list.as_list())
            made.push_back(read_artifact(item));
    }
    return values;
}

ArtifactRecord record_of(const std::string& name, const Artifact& artifact) {
    ArtifactRecord record;
    record.name = name;
    record.uri = artifact.uri;
    record.type = artifact.type.title;
    record.metadata_json = artifact.metadata.is_null() ? "{}" : json_of(artifact.metadata);
    return record;
}

} // namespace weir::flows::local
