#include "ir_read.hpp"

#include <charconv>
#include <cmath>

#include <weir/base/text.hpp>

namespace weir::flows::ir {

bool Reader::map(const Node& node, std::string_view what) {
    if (node.kind == Node::Kind::Map) return true;
    fault(node.place, std::string(what) + " must be a map, not " + node.describe());
    return false;
}

bool Reader::map(const Node& node, std::string_view what, std::initializer_list<std::string_view> known) {
    if (!map(node, what)) return false;
    bool fine = true;
    for (const auto& [key, value] : node.members) {
        if (std::find(known.begin(), known.end(), key.text) != known.end()) continue;
        fault(key.place, std::string(what) + " has no field \"" + printable(key.text) + "\"" +
                             did_you_mean(key.text, std::vector<std::string_view>(known)));
        fine = false;
    }
    return fine;
}

bool Reader::list(const Node& node, std::string_view what) {
    if (node.kind == Node::Kind::List) return true;
    fault(node.place, std::string(what) + " must be a list, not " + node.describe());
    return false;
}

std::string Reader::text(const Node& node, std::string_view key) {
    const Node* field = node.find(key);
    if (field == nullptr || field->kind == Node::Kind::Null) return {};
    if (field->kind == Node::Kind::String) return field->text;
    fault(field->place, std::string(key) + " must be a string, not " + field->describe());
    return {};
}

std::string Reader::required_text(const Node& node, std::string_view key, std::string_view what) {
    const std::size_t before = faults();
    std::string found = text(node, key);
    if (found.empty() && faults() == before)
        fault(node.place, std::string(what) + " needs the field \"" + std::string(key) + "\"");
    return found;
}

bool Reader::flag(const Node& node, std::string_view key) {
    const Node* field = node.find(key);
    if (field == nullptr) return false;
    if (field->kind == Node::Kind::Bool) return field->bool_value;
    fault(field->place, std::string(key) + " must be true or false, not " + field->describe());
    return false;
}

std::int64_t Reader::whole(const Node& node, std::string_view key, std::int64_t otherwise) {
    const Node* field = node.find(key);
    if (field == nullptr) return otherwise;
    if (field->kind == Node::Kind::Int) return field->int_value;
    // protojson writes 64-bit numbers as strings.
    if (field->kind == Node::Kind::String) {
        std::int64_t number = 0;
        const char* end = field->text.data() + field->text.size();
        const auto [rest, error] = std::from_chars(field->text.data(), end, number);
        if (error == std::errc() && rest == end) return number;
    }
    if (field->kind == Node::Kind::Double && std::floor(field->double_value) == field->double_value &&
        std::abs(field->double_value) < 1e15)
        return static_cast<std::int64_t>(field->double_value);
    fault(field->place, std::string(key) + " must be a whole number, not " + field->describe());
    return otherwise;
}

Duration Reader::duration(const Node& node, std::string_view key, Duration otherwise) {
    const Node* field = node.find(key);
    if (field == nullptr) return otherwise;
    // google.protobuf.Duration in JSON: seconds with up to nine decimals and an "s".
    if (field->kind == Node::Kind::String && field->text.size() > 1 && field->text.back() == 's') {
        double seconds = 0;
        const char* end = field->text.data() + field->text.size() - 1;
        const auto [rest, error] = std::from_chars(field->text.data(), end, seconds);
        if (error == std::errc() && rest == end && seconds >= 0 && seconds < 1e8)
            return Duration(static_cast<std::int64_t>(seconds * 1e9));
    }
    fault(field->place,
          std::string(key) + " must be a duration in seconds such as \"30s\", not " + field->describe());
    return otherwise;
}

cel::Value Reader::value(const Node& node) {
    auto read = cel::from_json(to_json(node));
    if (read.ok()) return *read;
    fault(node.place, read.error().message);
    return {};
}

std::vector<std::string> Reader::texts(const Node& node, std::string_view what) {
    std::vector<std::string> found;
    if (!list(node, what)) return found;
    for (const Node& item : node.items) {
        if (item.kind != Node::Kind::String)
            fault(item.place, std::string(what) + " holds strings, not " + item.describe());
        else
            found.push_back(item.text);
    }
    return found;
}

namespace {

/// The document of a platform (`platforms: {kubernetes: ...}`): resources, secrets and the like of a cluster.
void read_platform(Reader& reader, const Node& node, Pipeline& pipeline) {
    const Node* platforms = node.find("platforms");
    if (!reader.map(*platforms, "platforms")) return;
    for (const auto& [name, platform] : platforms->members)
        pipeline.notes.push_back("the settings for the platform \"" + printable(name.text) +
                                 "\" have no effect here");
}

void read_spec(Reader& reader, const Node& node, Pipeline& pipeline) {
    reader.map(node, "a pipeline",
               {"pipelineInfo", "deploymentSpec", "sdkVersion", "schemaVersion", "components", "root",
                "defaultPipelineRoot"});
    const std::string schema = reader.required_text(node, "schemaVersion", "a pipeline");
    if (!schema.empty() && schema != "2.1.0")
        reader.fault(node.find("schemaVersion")->place,
                     "schemaVersion " + printable(schema) + " is not supported; 2.1.0 is (kfp 2.x)");
    pipeline.sdk_version = reader.text(node, "sdkVersion");
    if (const Node* info = node.find("pipelineInfo");
        info != nullptr && reader.map(*info, "pipelineInfo", {"name", "displayName", "description"})) {
        pipeline.name = reader.required_text(*info, "name", "pipelineInfo");
        pipeline.description = reader.text(*info, "description");
    } else if (info == nullptr) {
        reader.fault(node.place, "a pipeline needs the field \"pipelineInfo\" with a name");
    }
    if (const Node* deployment = node.find("deploymentSpec");
        deployment != nullptr && reader.map(*deployment, "deploymentSpec", {"executors"})) {
        const Node* executors = deployment->find("executors");
        if (executors != nullptr && reader.map(*executors, "executors"))
            for (const auto& [name, executor] : executors->members) {
                Executor& made = pipeline.executors[name.text];
                made.name = name.text;
                made.place = name.place;
                read_executor(reader, executor, made, pipeline);
            }
    }
    if (const Node* components = node.find("components");
        components != nullptr && reader.map(*components, "components")) {
        if (components->members.size() > components_max)
            reader.fault(components->place, "more than " + std::to_string(components_max) + " components");
        for (const auto& [name, component] : components->members) {
            Component& made = pipeline.components[name.text];
            made.name = name.text;
            made.place = name.place;
            read_component(reader, component, made);
        }
    }
    const Node* root = node.find("root");
    if (root == nullptr) return reader.fault(node.place, "a pipeline needs the field \"root\"");
    pipeline.root.name = "root";
    pipeline.root.place = root->place;
    read_component(reader, *root, pipeline.root);
}

} // namespace

std::optional<Pipeline> read_pipeline(std::string_view text, std::string_view file, Problems& problems) {
    const std::size_t before = problems.size();
    const std::vector<Node> documents = read_documents(text, file, problems);
    if (problems.size() != before) return {};
    Reader reader(problems);
    Pipeline pipeline;
    const Node* spec = nullptr;
    for (const Node& document : documents) {
        if (document.kind == Node::Kind::Map && document.find("platforms") != nullptr) {
            read_platform(reader, document, pipeline);
        } else if (document.kind == Node::Kind::Map && document.find("apiVersion") != nullptr) {
            reader.fault(document.place,
                         "this is a Kubernetes object (a v1 pipeline?), not pipeline IR of kfp 2.x");
        } else if (spec != nullptr) {
            reader.fault(document.place,
                         "a second pipeline in one file; one pipeline and one platform "
                         "document may stand in it");
        } else {
            spec = &document;
        }
    }
    if (spec == nullptr) {
        if (problems.size() == before)
            reader.fault({std::string(file), 1, 1}, "there is no pipeline in this file");
        return {};
    }
    if (!reader.map(*spec, "a pipeline")) return {};
    read_spec(reader, *spec, pipeline);
    if (problems.size() == before) check_pipeline(reader, pipeline);
    if (problems.size() != before) return {};
    return pipeline;
}

} // namespace weir::flows::ir
