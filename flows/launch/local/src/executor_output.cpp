#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

#include "executor.hpp"
#include "values.hpp"

namespace weir::flows::local {

namespace {

/// Documented limit of what a task says about its outputs; larger things are artifacts.
constexpr std::size_t output_bytes_max = 1024 * 1024;

/// A parameter that was written to its file: strings as they stand, all else as JSON (Python's True and False
/// too).
Result<cel::Value> read_parameter(ir::Type type, std::string text) {
    if (type == ir::Type::String) {
        if (!valid_utf8(text)) return invalid("it is not UTF-8 text");
        return cel::Value::string(std::move(text));
    }
    if (type == ir::Type::Boolean)
        std::transform(text.begin(), text.end(), text.begin(),
                       [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return cel::from_json(text);
}

Status read_parameter_files(const Attempt& attempt, Values& values) {
    for (const auto& [name, type] : attempt.work->component->output_parameters) {
        if (values.parameters.contains(name)) continue;
        auto text = read_file(attempt.folder / "parameters" / name, output_bytes_max);
        if (!text.ok() && text.error().kind == ErrorKind::NotFound) continue;
        if (!text.ok()) return text.error().in("its output \"" + name + "\"");
        auto value = read_parameter(type, std::move(*text));
        if (!value.ok()) return value.error().in("its output \"" + name + "\"");
        values.parameters.emplace(name, *value);
    }
    return {};
}

/// What executor_output.json says of an artifact, on top of what was declared.
void merge(Artifact& artifact, const cel::Value& json) {
    const Artifact said = read_artifact(json);
    if (!said.name.empty()) artifact.name = said.name;
    if (!said.uri.empty()) artifact.uri = said.uri;
    if (!said.metadata.is_null()) artifact.metadata = said.metadata;
    artifact.custom_path = said.custom_path;
}

} // namespace

Result<Values> collect(const Attempt& attempt) {
    const ir::Component& component = *attempt.work->component;
    Values values;
    cel::Value output;
    auto text = read_file(attempt.folder / "executor_output.json", output_bytes_max);
    if (text.ok()) {
        WEIR_ASSIGN(json, cel::from_json(*text));
        output = json;
    } else if (text.error().kind != ErrorKind::NotFound) {
        return text.error();
    }
    const bool said = output.kind() == cel::Kind::Map;
    if (const cel::Value* parameters = said ? output.find("parameterValues") : nullptr;
        parameters != nullptr && parameters->kind() == cel::Kind::Map)
        for (const auto& [name, value] : parameters->as_map())
            if (component.output_parameters.contains(std::string(name.as_string())))
                values.parameters.emplace(std::string(name.as_string()), value);
    WEIR_TRY(read_parameter_files(attempt, values));
    const cel::Value* artifacts = said ? output.find("artifacts") : nullptr;
    for (const auto& [name, declared] : component.output_artifacts) {
        Artifact artifact;
        artifact.name = name;
        artifact.type = declared.type;
        artifact.uri = (attempt.folder / "outputs" / name).string();
        artifact.metadata = declared.metadata;
        std::vector<Artifact>& list = values.artifacts[name];
        const cel::Value* entry =
            artifacts != nullptr && artifacts->kind() == cel::Kind::Map ? artifacts->find(name) : nullptr;
        const cel::Value* items =
            entry != nullptr && entry->kind() == cel::Kind::Map ? entry->find("artifacts") : nullptr;
        if (items != nullptr && items->kind() == cel::Kind::List) {
            for (const cel::Value& item : items->as_list()) {
                list.push_back(artifact);
                merge(list.back(), item);
            }
        }
        if (list.empty()) list.push_back(std::move(artifact));
    }
    return values;
}

} // namespace weir::flows::local
