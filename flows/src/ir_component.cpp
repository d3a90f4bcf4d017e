#include <set>

#include <weir/base/text.hpp>

#include "ir_read.hpp"

namespace weir::flows::ir {

namespace {

/// Names become folders and keys of JSON objects.
bool good_name(std::string_view name) {
    if (name.empty() || name.size() > 200) return false;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || c == '/' || c == '@' || c == '\\' || byte == 0x7f) return false;
    }
    return name.front() != '.';
}

std::optional<Type> parse_type(std::string_view text) {
    if (text == "NUMBER_INTEGER") return Type::Integer;
    if (text == "NUMBER_DOUBLE") return Type::Double;
    if (text == "STRING") return Type::String;
    if (text == "BOOLEAN") return Type::Boolean;
    if (text == "LIST") return Type::List;
    if (text == "STRUCT") return Type::Struct;
    if (text == "TASK_FINAL_STATUS") return Type::TaskFinalStatus;
    if (text == "TASK_CONFIG") return Type::TaskConfig;
    return {};
}

Type read_type(Reader& reader, const Node& node, std::string_view what) {
    const std::string text = reader.required_text(node, "parameterType", what);
    if (text.empty()) return Type::String;
    if (const auto type = parse_type(text)) return *type;
    reader.fault(
        node.find("parameterType")->place,
        "there is no parameter type \"" + printable(text) +
            "\"; there are NUMBER_INTEGER, NUMBER_DOUBLE, STRING, BOOLEAN, LIST, STRUCT" +
            did_you_mean(text, {"NUMBER_INTEGER", "NUMBER_DOUBLE", "STRING", "BOOLEAN", "LIST", "STRUCT"}));
    return Type::String;
}

bool kind_fits(const cel::Value& value, Type type) {
    using cel::Kind;
    switch (type) {
        case Type::Integer: return value.kind() == Kind::Int;
        case Type::Double: return value.kind() == Kind::Int || value.kind() == Kind::Double;
        case Type::String: return value.kind() == Kind::String;
        case Type::Boolean: return value.kind() == Kind::Bool;
        case Type::List: return value.kind() == Kind::List;
        case Type::Struct:
        case Type::TaskFinalStatus:
        case Type::TaskConfig: return value.kind() == Kind::Map;
    }
    return false;
}

void read_parameter_input(Reader& reader, const Node& node, ParameterInput& input) {
    if (!reader.map(node, "a parameter",
                    {"parameterType", "defaultValue", "isOptional", "description", "literals", "type"}))
        return;
    input.type = read_type(reader, node, "a parameter");
    input.optional = reader.flag(node, "isOptional");
    input.description = reader.text(node, "description");
    if (const Node* value = node.find("defaultValue"); value != nullptr && value->kind != Node::Kind::Null) {
        input.default_value = reader.value(*value);
        if (!kind_fits(*input.default_value, input.type))
            reader.fault(value->place, "the default, " + value->describe() + ", is not of the declared type");
    }
    if (const Node* literals = node.find("literals");
        literals != nullptr && reader.list(*literals, "literals"))
        for (const Node& item : literals->items)
            input.literals.push_back(reader.value(item));
}

void read_inputs(Reader& reader, const Node& node, Component& component) {
    if (!reader.map(node, "inputDefinitions", {"parameters", "artifacts"})) return;
    if (const Node* parameters = node.find("parameters");
        parameters != nullptr && reader.map(*parameters, "parameters")) {
        if (parameters->members.size() > inputs_max)
            reader.fault(parameters->place, "more than " + std::to_string(inputs_max) + " parameters");
        for (const auto& [name, parameter] : parameters->members)
            read_parameter_input(reader, parameter, component.parameters[name.text]);
    }
    if (const Node* artifacts = node.find("artifacts");
        artifacts != nullptr && reader.map(*artifacts, "artifacts"))
        for (const auto& [name, artifact] : artifacts->members) {
            ArtifactInput& input = component.artifacts[name.text];
            if (!reader.map(artifact, "an artifact",
                            {"artifactType", "isArtifactList", "isOptional", "description"}))
                continue;
            if (const Node* type = artifact.find("artifactType"))
                read_artifact_type(reader, *type, input.type);
            input.list = reader.flag(artifact, "isArtifactList");
            input.optional = reader.flag(artifact, "isOptional");
        }
}

void read_outputs(Reader& reader, const Node& node, Component& component) {
    if (!reader.map(node, "outputDefinitions", {"parameters", "artifacts"})) return;
    if (const Node* parameters = node.find("parameters");
        parameters != nullptr && reader.map(*parameters, "parameters"))
        for (const auto& [name, parameter] : parameters->members) {
            if (!good_name(name.text))
                reader.fault(name.place, "not a name for an output: " + printable(name.text));
            if (reader.map(parameter, "a parameter", {"parameterType", "description", "type"}))
                component.output_parameters[name.text] = read_type(reader, parameter, "a parameter");
        }
    if (const Node* artifacts = node.find("artifacts");
        artifacts != nullptr && reader.map(*artifacts, "artifacts"))
        for (const auto& [name, artifact] : artifacts->members) {
            if (!good_name(name.text))
                reader.fault(name.place, "not a name for an output: " + printable(name.text));
            ArtifactOutput& output = component.output_artifacts[name.text];
            if (!reader.map(artifact, "an artifact",
                            {"artifactType", "properties", "customProperties", "metadata", "isArtifactList",
                             "description"}))
                continue;
            if (const Node* type = artifact.find("artifactType"))
                read_artifact_type(reader, *type, output.type);
            output.list = reader.flag(artifact, "isArtifactList");
            if (const Node* metadata = artifact.find("metadata")) output.metadata = reader.value(*metadata);
        }
}

std::string read_value_or_parameter(Reader& reader, const Node& node, std::string& input) {
    if (!reader.map(node, "artifactUri", {"constant", "constantValue", "runtimeParameter"})) return {};
    input = reader.text(node, "runtimeParameter");
    if (const Node* old = node.find("constantValue")) return reader.text(*old, "stringValue");
    return reader.text(node, "constant");
}

void read_container(Reader& reader, const Node& node, Executor& executor, Pipeline& pipeline) {
    if (!reader.map(node, "container", {"image", "command", "args", "lifecycle", "resources", "env"})) return;
    executor.image = reader.text(node, "image");
    if (const Node* command = node.find("command")) executor.command = reader.texts(*command, "command");
    if (const Node* args = node.find("args")) executor.args = reader.texts(*args, "args");
    if (const Node* env = node.find("env"); env != nullptr && reader.list(*env, "env"))
        for (const Node& item : env->items)
            if (reader.map(item, "an env entry", {"name", "value"}))
                executor.env.emplace_back(reader.required_text(item, "name", "an env entry"),
                                          reader.text(item, "value"));
    for (const std::string_view ignored : {"resources", "lifecycle"})
        if (node.find(ignored) != nullptr)
            pipeline.notes.push_back(std::string(ignored) + " of " + executor.name + " has no effect here");
}

} // namespace

void read_artifact_type(Reader& reader, const Node& node, ArtifactType& type) {
    if (!reader.map(node, "an artifact type",
                    {"schemaTitle", "schemaVersion", "schemaUri", "instanceSchema"}))
        return;
    type.title = reader.text(node, "schemaTitle");
    type.version = reader.text(node, "schemaVersion");
    type.instance_schema = reader.text(node, "instanceSchema");
}

void read_executor(Reader& reader, const Node& node, Executor& executor, Pipeline& pipeline) {
    if (!reader.map(node, "an executor", {"container", "importer", "resolver", "customJob"})) return;
    if (node.members.size() != 1)
        return reader.fault(node.place, "an executor is one of container, importer, resolver, customJob");
    const auto& [kind, spec] = node.members.front();
    if (kind.text == "container") return read_container(reader, spec, executor, pipeline);
    if (kind.text == "resolver") {
        executor.kind = Executor::Kind::Resolver;
        return;
    }
    if (kind.text == "customJob") {
        executor.kind = Executor::Kind::CustomJob;
        return;
    }
    executor.kind = Executor::Kind::Importer;
    if (!reader.map(spec, "importer",
                    {"artifactUri", "typeSchema", "properties", "customProperties", "reimport", "metadata",
                     "downloadToWorkspace"}))
        return;
    if (const Node* uri = spec.find("artifactUri"))
        executor.uri = read_value_or_parameter(reader, *uri, executor.uri_input);
    else
        reader.fault(spec.place, "an importer needs the field \"artifactUri\"");
    if (const Node* type = spec.find("typeSchema")) read_artifact_type(reader, *type, executor.type);
    if (const Node* metadata = spec.find("metadata")) executor.metadata = reader.value(*metadata);
    executor.download_to_workspace = reader.flag(spec, "downloadToWorkspace");
}

void read_component(Reader& reader, const Node& node, Component& component) {
    const std::string what = component.name == "root" ? "root" : "a component";
    if (!reader.map(node, what,
                    {"inputDefinitions", "outputDefinitions", "dag", "executorLabel", "singlePlatformSpecs",
                     "taskConfigPassthroughs"}))
        return;
    if (const Node* inputs = node.find("inputDefinitions")) read_inputs(reader, *inputs, component);
    if (const Node* outputs = node.find("outputDefinitions")) read_outputs(reader, *outputs, component);
    component.executor = reader.text(node, "executorLabel");
    const Node* dag = node.find("dag");
    if ((dag != nullptr) == !component.executor.empty())
        return reader.fault(node.place, what + " needs one of \"dag\" and \"executorLabel\"");
    if (dag != nullptr) read_dag(reader, *dag, component.dag.emplace(), what);
    if (!dag) return;
    for (const auto& [name, task] : component.dag->tasks)
        if (!good_name(name))
            reader.fault(task.place, "not a name for a task: " + printable(name) +
                                         "; no '/', '@', '\\' or control characters, at most 200 bytes");
}

} // namespace weir::flows::ir
