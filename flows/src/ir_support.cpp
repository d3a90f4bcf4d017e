#include <set>

#include <sys/stat.h>
#include <unistd.h>

#include <weir/base/text.hpp>
#include <weir/flows/ir.hpp>

namespace weir::flows::ir {

namespace {

ParameterType plain_type(Type type) {
    switch (type) {
        case Type::Integer: return ParameterType::Integer;
        case Type::Double: return ParameterType::Double;
        case Type::Boolean: return ParameterType::Boolean;
        case Type::List: return ParameterType::List;
        case Type::Struct:
        case Type::TaskFinalStatus:
        case Type::TaskConfig: return ParameterType::Struct;
        case Type::String: break;
    }
    return ParameterType::String;
}

bool executable(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string text_of(const cel::Value& value) {
    const auto text = cel::to_json(value);
    return text.ok() ? *text : "null";
}

/// Placeholders in a command that nobody would fill.
void check_placeholders(const Executor& executor, std::vector<std::string>& reasons) {
    const auto check = [&](const std::string& text) {
        for (std::size_t at = text.find("{{$."); at != std::string::npos; at = text.find("{{$.", at + 4)) {
            const std::size_t end = text.find("}}", at);
            if (end == std::string::npos) return;
            const std::string name = text.substr(at + 4, end - at - 4);
            if (name.starts_with("inputs.") || name.starts_with("outputs.") || name == "outputMetadataUri")
                continue;
            bool known = false;
            for (const std::string_view context : context_placeholders())
                known = known || context == name;
            if (!known)
                reasons.push_back(executor.name + ": there is no placeholder {{$." + printable(name) + "}}");
        }
    };
    for (const std::string& text : executor.command)
        check(text);
    for (const std::string& text : executor.args)
        check(text);
}

void check_container(const Executor& executor, std::string_view path, std::set<std::string>& missing,
                     std::vector<std::string>& reasons) {
    if (python_step(executor)) {
        if (!find_command("python3", path)) missing.insert("python3");
        return;
    }
    check_placeholders(executor, reasons);
    if (executor.command.empty()) {
        reasons.push_back(executor.name + ": it has no command of its own but runs what the image " +
                          printable(executor.image) + " says; the local backend runs commands, not images");
        return;
    }
    const std::string& word = executor.command.front();
    if (is_structure_placeholder(word) || word.find("{{$") != std::string::npos) return; // known when it runs
    if (!find_command(word, path))
        missing.insert(word + "\" of " + executor.name + " (image " + executor.image + ")");
}

void reach(const Pipeline& pipeline, const Component& component, std::set<const Component*>& reached) {
    if (!reached.insert(&component).second || !component.dag) return;
    for (const auto& [name, task] : component.dag->tasks)
        if (const auto it = pipeline.components.find(task.component); it != pipeline.components.end())
            reach(pipeline, it->second, reached);
}

} // namespace

std::vector<Parameter> declared_parameters(const Pipeline& pipeline) {
    std::vector<Parameter> list;
    for (const auto& [name, input] : pipeline.root.parameters) {
        if (input.type == Type::TaskFinalStatus || input.type == Type::TaskConfig) continue;
        Parameter parameter;
        parameter.name = name;
        parameter.type = plain_type(input.type);
        parameter.optional = input.optional || input.default_value.has_value();
        if (input.default_value) parameter.default_json = text_of(*input.default_value);
        parameter.description = input.description;
        for (const cel::Value& literal : input.literals)
            parameter.literals_json.push_back(text_of(literal));
        list.push_back(std::move(parameter));
    }
    return list;
}

std::optional<std::string> find_command(std::string_view word, std::string_view path) {
    if (word.empty()) return {};
    if (word.find('/') != std::string_view::npos) {
        const std::string file(word);
        return executable(file) ? std::optional(file) : std::nullopt;
    }
    while (!path.empty()) {
        const std::size_t colon = path.find(':');
        const std::string folder(path.substr(0, colon));
        const std::string file = (folder.empty() ? "." : folder) + "/" + std::string(word);
        if (executable(file)) return file;
        path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
    }
    return {};
}

bool is_structure_placeholder(std::string_view argument) {
    return argument.starts_with("{\"Concat\":") || argument.starts_with("{\"IfPresent\":");
}

const std::vector<std::string_view>& context_placeholders() {
    static const std::vector<std::string_view> names = {
        "pipeline_job_name",  "pipeline_job_resource_name",   "pipeline_job_uuid",
        "pipeline_task_name", "pipeline_task_uuid",           "pipeline_root",
        "workspace_path",     "pipeline_job_create_time_utc", "pipeline_job_schedule_time_utc"};
    return names;
}

std::vector<std::string> not_runnable(const Pipeline& pipeline, std::string_view path) {
    std::vector<std::string> reasons;
    for (const auto& [name, artifact] : pipeline.root.artifacts)
        if (!artifact.optional)
            reasons.push_back("the pipeline takes the artifact \"" + name +
                              "\" as an input, and a launch has parameters only; use an importer for it");
    std::set<const Component*> reached;
    reach(pipeline, pipeline.root, reached);
    std::set<std::string> used;
    for (const Component* component : reached)
        if (!component->dag) used.insert(component->executor);
    std::set<std::string> missing;
    for (const std::string& name : used) {
        const Executor& executor = pipeline.executors.at(name);
        switch (executor.kind) {
            case Executor::Kind::Container: check_container(executor, path, missing, reasons); break;
            case Executor::Kind::Importer: break;
            case Executor::Kind::Resolver:
                reasons.push_back(name + ": resolver executors are not supported by the local backend");
                break;
            case Executor::Kind::CustomJob:
                reasons.push_back(name + ": customJob executors run on Vertex AI only");
                break;
        }
    }
    for (const std::string& word : missing)
        reasons.push_back("the command \"" + word + (word.find('"') == std::string::npos ? "\"" : "") +
                          " is not found here; install it or put it on PATH");
    return reasons;
}

} // namespace weir::flows::ir
