#include "executor.hpp"

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

#include "values.hpp"

namespace weir::flows::local {

namespace {

/// Beyond this an argument list goes by a file where it can: the kernel takes 131,071 bytes an argument and
/// some megabytes in all.
constexpr std::size_t argument_list_bytes_max = 1024 * 1024;

std::string parameter_json(const ir::Component& component, const std::string& name, const cel::Value& value) {
    auto text = cel::to_json(value);
    if (!text.ok()) return "null";
    // Python tells 1 from 1.0, and a float parameter is to arrive as a float.
    const auto declared = component.parameters.find(name);
    const bool is_double =
        declared != component.parameters.end() && declared->second.type == ir::Type::Double;
    if (is_double && text->find_first_not_of("-0123456789") == std::string::npos) *text += ".0";
    return *text;
}

Artifact output_artifact(const Attempt& attempt, const std::string& name, const ir::ArtifactOutput& output) {
    Artifact artifact;
    artifact.name = name;
    artifact.type = output.type;
    artifact.uri = (attempt.folder / "outputs" / name).string();
    artifact.metadata = output.metadata;
    return artifact;
}

void append_member(std::string& out, std::string_view name, std::string_view json) {
    if (out.back() != '{') out += ',';
    append_json_string(out, name);
    out += ':';
    out += json;
}

std::string artifact_list(const std::vector<Artifact>& artifacts) {
    std::string out = R"({"artifacts":[)";
    for (std::size_t i = 0; i < artifacts.size(); ++i)
        out += (i > 0 ? "," : "") + write_artifact(artifacts[i]);
    return out + "]}";
}

std::string output_file(const Attempt& attempt) {
    return (attempt.folder / "executor_output.json").string();
}
std::string parameter_file(const Attempt& attempt, const std::string& name) {
    return (attempt.folder / "parameters" / name).string();
}

std::optional<std::string> artifact_property(const Artifact& artifact, std::string_view rest) {
    if (rest == ".uri") return artifact.uri;
    if (rest == ".path") return artifact.custom_path.empty() ? artifact.uri : artifact.custom_path;
    if (rest == ".metadata") return artifact.metadata.is_null() ? "{}" : plain_text(artifact.metadata);
    if (const auto key = select_placeholder(rest, ".metadata"); key && key->rest.empty()) {
        const cel::Value* member =
            artifact.metadata.kind() == cel::Kind::Map ? artifact.metadata.find(key->name) : nullptr;
        return member == nullptr ? std::string() : plain_text(*member);
    }
    return {};
}

/// The text a placeholder ("$.inputs.parameters['x']") stands for. `missing` is set where it stands for
/// nothing.
class Expander {
  public:
    explicit Expander(const Attempt& attempt) : attempt_(attempt) {}

    std::string expand(std::string_view text) {
        return replace_placeholders(text, [this](std::string_view name) { return find(name); });
    }
    [[nodiscard]] const std::string& missing() const { return missing_; }

  private:
    std::optional<std::string> find(std::string_view name) {
        std::optional<std::string> value = known(name);
        if (!value && missing_.empty()) missing_ = "there is nothing for {{" + printable(name) + "}}";
        return value;
    }

    std::optional<std::string> known(std::string_view name) {
        const Values& inputs = attempt_.work->inputs;
        const ir::Component& component = *attempt_.work->component;
        if (name == "$") return executor_input(attempt_);
        if (name == "$.outputs.output_file" || name == "$.outputMetadataUri") return output_file(attempt_);
        if (const auto input = select_placeholder(name, "$.inputs.parameters");
            input && input->rest.empty()) {
            const auto it = inputs.parameters.find(input->name);
            if (it != inputs.parameters.end()) return plain_text(it->second);
            // An optional parameter without a value, as kfp.local has it.
            if (component.parameters.contains(input->name)) return "null";
            return {};
        }
        if (const auto input = select_placeholder(name, "$.inputs.artifacts")) {
            const auto it = inputs.artifacts.find(input->name);
            if (it == inputs.artifacts.end() || it->second.empty())
                return component.artifacts.contains(input->name) ? std::optional<std::string>("")
                                                                 : std::nullopt;
            if (!input->rest.empty()) return artifact_property(it->second.front(), input->rest);
            std::string list = "[";
            for (const Artifact& artifact : it->second)
                list += (list.size() > 1 ? "," : "") + write_artifact(artifact);
            return list + "]";
        }
        if (const auto output = select_placeholder(name, "$.outputs.parameters");
            output && output->rest == ".output_file" && component.output_parameters.contains(output->name))
            return parameter_file(attempt_, output->name);
        if (const auto output = select_placeholder(name, "$.outputs.artifacts")) {
            const auto it = component.output_artifacts.find(output->name);
            if (it == component.output_artifacts.end()) return {};
            const Artifact artifact = output_artifact(attempt_, output->name, it->second);
            return output->rest.empty() ? "[" + write_artifact(artifact) + "]"
                                        : artifact_property(artifact, output->rest);
        }
        return context_value(name, *attempt_.context, *attempt_.pipeline, attempt_.work->path,
                             attempt_.work->task->name);
    }

    const Attempt& attempt_;
    std::string missing_;
};

/// Concat and IfPresent, which stand as JSON in a whole argument and become none, one or several arguments.
class Structure {
  public:
    explicit Structure(const Attempt& attempt) : inputs_(attempt.work->inputs) {}

    Status flatten(const cel::Value& value, std::vector<std::string>& out) {
        if (value.is_string()) {
            out.emplace_back(value.as_string());
            return {};
        }
        if (value.kind() == cel::Kind::List) {
            for (const cel::Value& item : value.as_list())
                WEIR_TRY(flatten(item, out));
            return {};
        }
        if (value.kind() != cel::Kind::Map) return invalid("a placeholder of this form is not known");
        if (const cel::Value* parts = value.find("Concat"); parts != nullptr) {
            std::vector<std::string> pieces;
            WEIR_TRY(flatten(*parts, pieces));
            std::string joined;
            for (const std::string& piece : pieces)
                joined += piece;
            out.push_back(std::move(joined));
            return {};
        }
        const cel::Value* choice = value.find("IfPresent");
        if (choice == nullptr || choice->kind() != cel::Kind::Map)
            return invalid("a placeholder of this form is not known");
        const std::string name = text_member(*choice, "InputName");
        const auto parameter = inputs_.parameters.find(name);
        const auto artifact = inputs_.artifacts.find(name);
        const bool present = (parameter != inputs_.parameters.end() && !parameter->second.is_null()) ||
                             (artifact != inputs_.artifacts.end() && !artifact->second.empty());
        const cel::Value* branch = choice->find(present ? "Then" : "Else");
        if (branch == nullptr || branch->is_null()) return {};
        return flatten(*branch, out);
    }

  private:
    const Values& inputs_;
};

Status prepare_python(const Attempt& attempt, const ir::PythonStep& step, SpawnRequest& request) {
    const std::filesystem::path module = attempt.folder / "ephemeral_component.py";
    WEIR_TRY(write_plain(module, step.source));
    WEIR_ASSIGN(arguments, expand_command(attempt, step.arguments));
    request.file = attempt.python.string();
    std::vector<std::string> argv = {"kfp.dsl.executor_main", "--component_module_path", module.string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    std::size_t total = 0;
    bool fits = true;
    for (const std::string& argument : argv) {
        total += argument.size() + 1;
        fits =
            fits && argument.size() <= process_argument_bytes_max && argument.find('\0') == std::string::npos;
    }
    if (fits && total <= argument_list_bytes_max) {
        argv.insert(argv.begin(), {request.file, "-m"});
        request.argv = std::move(argv);
        return {};
    }
    std::string list = "[";
    for (const std::string& argument : argv) {
        if (list.size() > 1) list += ',';
        append_json_string(list, argument);
    }
    const std::filesystem::path file = attempt.folder / "arguments.json";
    WEIR_TRY(write_plain(file, list + "]"));
    request.argv = {request.file, "-c",
                    "import json, runpy, sys\n"
                    "with open(sys.argv[1]) as f: sys.argv = json.load(f)\n"
                    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n",
                    file.string()};
    return {};
}

} // namespace

std::string executor_input(const Attempt& attempt) {
    const ir::Component& component = *attempt.work->component;
    const Values& inputs = attempt.work->inputs;
    std::string parameters = "{";
    for (const auto& [name, value] : inputs.parameters)
        append_member(parameters, name, parameter_json(component, name, value));
    std::string artifacts = "{";
    for (const auto& [name, list] : inputs.artifacts)
        append_member(artifacts, name, artifact_list(list));
    std::string files = "{";
    for (const auto& [name, type] : component.output_parameters)
        append_member(files, name, R"({"outputFile":)" + json_string(parameter_file(attempt, name)) + "}");
    std::string made = "{";
    for (const auto& [name, output] : component.output_artifacts)
        append_member(made, name, artifact_list({output_artifact(attempt, name, output)}));
    return R"({"inputs":{"parameterValues":)" + parameters + R"(},"artifacts":)" + artifacts +
           R"(}},"outputs":{"parameters":)" + files + R"(},"artifacts":)" + made + R"(},"outputFile":)" +
           json_string(output_file(attempt)) + "}}";
}

Result<std::vector<std::string>> expand_command(const Attempt& attempt,
                                                const std::vector<std::string>& command) {
    std::vector<std::string> plain;
    for (const std::string& argument : command) {
        if (!ir::is_structure_placeholder(argument)) {
            plain.push_back(argument);
            continue;
        }
        WEIR_ASSIGN(structure, cel::from_json(argument));
        WEIR_TRY(Structure(attempt).flatten(structure, plain));
    }
    Expander expander(attempt);
    for (std::string& argument : plain)
        argument = expander.expand(argument);
    if (!expander.missing().empty()) return invalid(expander.missing());
    return plain;
}

Result<std::vector<std::pair<std::string, std::string>>> executor_environment(const Attempt& attempt) {
    std::vector<std::pair<std::string, std::string>> entries = attempt.work->executor->env;
    Expander expander(attempt);
    for (auto& [name, value] : entries)
        value = expander.expand(value);
    if (!expander.missing().empty()) return invalid(expander.missing());
    return entries;
}

Status prepare(const Attempt& attempt, const std::string& path, SpawnRequest& request) {
    for (const char* name : {"work", "outputs", "parameters"})
        WEIR_TRY(make_folders(attempt.folder / name));
    request.cwd = (attempt.folder / "work").string();
    request.log_path = (attempt.folder / "log").string();
    const ir::Executor& executor = *attempt.work->executor;
    if (const auto step = ir::python_step(executor)) return prepare_python(attempt, *step, request);
    std::vector<std::string> command = executor.command;
    command.insert(command.end(), executor.args.begin(), executor.args.end());
    WEIR_ASSIGN(argv, expand_command(attempt, command));
    if (argv.empty()) return invalid("its command is empty");
    const auto file = ir::find_command(argv.front(), path);
    if (!file)
        return not_found("the command \"" + printable(argv.front()) +
                         "\" is not found here; install it or put it on PATH");
    request.file = *file;
    request.argv = std::move(argv);
    return {};
}

Result<Values> run_importer(const Attempt& attempt) {
    const ir::Executor& executor = *attempt.work->executor;
    const ir::Component& component = *attempt.work->component;
    Artifact artifact;
    artifact.name = component.output_artifacts.begin()->first;
    artifact.type = executor.type;
    artifact.uri = executor.uri;
    if (!executor.uri_input.empty()) {
        const auto it = attempt.work->inputs.parameters.find(executor.uri_input);
        if (it == attempt.work->inputs.parameters.end() || !it->second.is_string())
            return invalid("its importer's \"" + executor.uri_input + "\" is no text");
        artifact.uri = std::string(it->second.as_string());
    }
    if (!executor.metadata.is_null()) {
        // Only the pipeline's own texts hold placeholders: its strings are expanded before they are read as
        // JSON.
        WEIR_ASSIGN(metadata, expand_value(attempt, executor.metadata));
        artifact.metadata = metadata;
    }
    if (executor.download_to_workspace) {
        std::string_view source = artifact.uri;
        if (source.starts_with("file://")) source.remove_prefix(7);
        if (source.find("://") != std::string_view::npos)
            return Error{ErrorKind::Unsupported, "its importer is to download " + printable(artifact.uri) +
                                                     " to the workspace; only local files are built"};
        const std::filesystem::path from(source);
        const std::filesystem::path to = std::filesystem::path(attempt.context->workspace) / ".artifacts" /
                                         attempt.work->path / from.filename();
        WEIR_TRY(make_folders(to.parent_path()));
        std::error_code error;
        std::filesystem::copy(
            from, to,
            std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing,
            error);
        if (error)
            return unavailable("cannot copy " + from.string() + " to the workspace: " + error.message());
        artifact.custom_path = to.string();
    }
    Values values;
    values.artifacts[artifact.name] = {artifact};
    return values;
}

Result<cel::Value> expand_value(const Attempt& attempt, const cel::Value& value) {
    if (value.kind() == cel::Kind::List) {
        std::vector<cel::Value> items;
        for (const cel::Value& item : value.as_list()) {
            WEIR_ASSIGN(expanded, expand_value(attempt, item));
            items.push_back(expanded);
        }
        return cel::Value::list(std::move(items));
    }
    if (value.kind() == cel::Kind::Map) {
        std::vector<cel::Value::Entry> entries;
        for (const auto& [key, item] : value.as_map()) {
            WEIR_ASSIGN(name, expand_value(attempt, key));
            WEIR_ASSIGN(expanded, expand_value(attempt, item));
            entries.emplace_back(name, expanded);
        }
        return cel::Value::map(std::move(entries));
    }
    if (!value.is_string()) return value;
    Expander expander(attempt);
    std::string text = expander.expand(value.as_string());
    if (!expander.missing().empty()) return invalid(expander.missing());
    return cel::Value::string(std::move(text));
}

} // namespace weir::flows::local
