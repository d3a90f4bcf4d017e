#include <weir/flows/document.hpp>

#include <algorithm>

#include <weir/base/digest.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/flows/ir.hpp>

#include "backend_fields.hpp"
#include "settings.hpp"

namespace weir::flows {

namespace {

const DocumentTable& parameter_table() {
    static const DocumentTable table{
        "parameter",
        "A declared parameter.",
        {
            {"type",
             FieldType::Word,
             "Kind of its value.",
             true,
             {"integer", "double", "string", "boolean", "list", "struct"}},
            {"default", FieldType::Any, "Value when a launch gives none; makes it optional."},
            {"optional", FieldType::Flag, "May be left out without a default."},
            {"description", FieldType::Text, "For people."},
            {"literals", FieldType::Any, "A list of values; no other is allowed."},
        }};
    return table;
}

constexpr std::int64_t bytes_max = std::int64_t{1} << 50;

Field whole(std::string_view name, std::string_view doc, std::int64_t minimum, std::int64_t maximum) {
    Field field{name, FieldType::Whole, doc};
    field.minimum = minimum;
    field.maximum = maximum;
    return field;
}

Field word(std::string_view name, std::vector<std::string_view> words, std::string_view doc) {
    Field field{name, FieldType::Word, doc};
    field.words = std::move(words);
    return field;
}

} // namespace

const DocumentTable& flow_document_table() {
    static const DocumentTable table{
        "flow document",
        "A flow: what can be launched, on which backend, with which parameters.",
        {
            {"flow", FieldType::Name, "Its name, unique within the team.", true},
            {"team", FieldType::Name, "Whose it is."},
            {"backend", FieldType::Name,
             "What runs it: `local`, `null`, or the name of a Kubeflow backend of the configuration.", true},
            {"pipeline", FieldType::Text,
             "local: pipeline IR (kfp 2.x), relative to this document; Kubeflow: name or id of a pipeline "
             "on the server."},
            {"version", FieldType::Text,
             "Kubeflow: name or id of the pipeline's version, or `latest`, which is the default."},
            {"spec", FieldType::Text,
             "Kubeflow: the compiled pipeline IR, relative to this document; the parameters are read from "
             "it."},
            {"experiment", FieldType::Text,
             "Kubeflow: of the runs, where the team's binding lets its flows choose; else the binding's."},
            {"display_name", FieldType::Text,
             "Kubeflow: of the runs; `{team}`, `{flow}`, `{version}`, `{run}`, `{decision}`, `{time}` and "
             "`{date}` are replaced. The binding's if left out."},
            {"reports", FieldType::Flag,
             "Kubeflow: the flow reports its own end (POST /v1/runs/RUN/report), and weir waits for that."},
            {"description", FieldType::Text, "For people."},
            {"labels", FieldType::TextMap,
             "Free labels; `project` and `branch` have a meaning for Metaflow."},
            word("on_restart", {"resume", "fail"}, "What becomes of tasks that weir's own end interrupted."),
            {"timeout", FieldType::Period, "How long a run may take."},
            {"task_timeout", FieldType::Period, "How long each attempt of a task may take."},
            {"env", FieldType::TextMap, "Environment variables of every task."},
            {"env_pass", FieldType::Texts,
             "Variables of weir's own environment that tasks see; `*` at an end."},
            whole("log_bytes_max", "Size of one task's log; the rest is dropped with a notice.", 1024,
                  bytes_max),
            whole("memory_bytes_max", "Address space of one process; 0 is no limit.", 0, bytes_max),
            whole("parallel", "Tasks of one run at a time.", 1, 4096),
            {"parameters",
             FieldType::SectionMap,
             "Declared parameters; for null and for Kubeflow without `spec`.",
             false,
             {},
             &parameter_table()},
            {"settle_after", FieldType::Period, "How long a run of backend null takes."},
            word("outcome", {"succeeded", "failed"}, "How runs of backend null end."),
            {"outputs", FieldType::ValueMap, "Outputs of runs of backend null."},
        }};
    return table;
}

namespace {

bool variable_name(std::string_view name, bool pattern) {
    if (pattern && name.ends_with('*')) name.remove_suffix(1);
    if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

std::vector<std::pair<std::string, std::string>> text_map(const Fields& fields, std::string_view name) {
    std::vector<std::pair<std::string, std::string>> list;
    if (const Node* node = fields.find(name))
        for (const auto& [key, value] : node->members)
            list.emplace_back(key.text, value.text);
    return list;
}

void read_environment(const Fields& fields, FlowSettings& settings, Problems& problems) {
    settings.env = text_map(fields, "env");
    settings.env_pass = fields.texts("env_pass");
    for (const auto& [name, value] : settings.env)
        if (!variable_name(name, false) || name.starts_with("WEIR_"))
            problems.push_back(
                {fields.place("env"), "not a name for a variable: " + printable(name) +
                                          "; letters, digits and _, not beginning with WEIR_"});
    for (const std::string& name : settings.env_pass)
        if (!variable_name(name, true))
            problems.push_back({fields.place("env_pass"), "not a name of a variable: " + printable(name)});
}

void read_literals(const Fields& fields, Parameter& parameter, Problems& problems) {
    const Node* node = fields.find("literals");
    if (node == nullptr) return;
    const std::string what = "the literals of " + parameter.name;
    if (node->kind != Node::Kind::List || node->items.empty()) {
        problems.push_back({node->place, what + ": expected a list of values, found " + node->describe()});
        return;
    }
    for (const Node& item : node->items) {
        auto checked = check_value(parameter.type, to_json(item), what);
        if (checked.ok())
            parameter.literals_json.push_back(std::move(*checked));
        else
            problems.push_back({item.place, checked.error().message});
    }
}

void read_parameters(const Fields& fields, FlowVersion& flow, Problems& problems) {
    const Node* node = fields.find("parameters");
    if (node == nullptr || node->kind != Node::Kind::Map) return;
    if (node->members.size() > ir::inputs_max)
        problems.push_back({node->place, "more than " + std::to_string(ir::inputs_max) + " parameters"});
    for (const auto& [name, value] : node->members) {
        const Fields of(value, parameter_table());
        Parameter parameter;
        parameter.name = name.text;
        const auto type = parse_parameter_type(of.text("type"));
        if (!type.ok()) continue; // said by the table already
        parameter.type = *type;
        parameter.description = of.text("description");
        parameter.optional = of.flag("optional", false);
        read_literals(of, parameter, problems);
        if (const Node* given = of.find("default")) {
            parameter.optional = true;
            const std::string what = "the default of " + name.text;
            auto checked = check_value(parameter.type, to_json(*given), what);
            const auto& literals = parameter.literals_json;
            if (!checked.ok())
                problems.push_back({given->place, checked.error().message});
            else if (!literals.empty() &&
                     std::find(literals.begin(), literals.end(), *checked) == literals.end())
                problems.push_back({given->place, what + " is not among its literals"});
            else
                parameter.default_json = *checked;
        }
        flow.parameters.push_back(std::move(parameter));
    }
    std::sort(flow.parameters.begin(), flow.parameters.end(),
              [](const Parameter& a, const Parameter& b) { return a.name < b.name; });
}

/// Pipeline IR that the field `name` says the file of.
void read_ir(const Fields& fields, std::string_view name, const PipelineLoader& loader, FlowVersion& flow,
             Problems& problems) {
    const std::string file = fields.text(name);
    auto text = loader(file);
    if (!text.ok()) {
        problems.push_back({fields.place(name), text.error().message});
        return;
    }
    flow.pipeline = std::move(*text);
    const auto pipeline = ir::read_pipeline(flow.pipeline, file, problems);
    if (!pipeline) return;
    flow.parameters = ir::declared_parameters(*pipeline);
}

void read_local(const Fields& fields, const PipelineLoader& loader, FlowVersion& flow, Problems& problems) {
    if (fields.has("pipeline")) return read_ir(fields, "pipeline", loader, flow, problems);
    problems.push_back({fields.place("backend"),
                        "backend local needs the field \"pipeline\": the file of the "
                        "compiled pipeline, relative to this document"});
}

void read_kubeflow(const Fields& fields, const PipelineLoader& loader, FlowVersion& flow,
                   FlowSettings& settings, Problems& problems) {
    if (!fields.has("pipeline"))
        problems.push_back({fields.place("backend"),
                            "a flow of a Kubeflow backend needs the field \"pipeline\": the name or id "
                            "of a pipeline on the server"});
    const auto text = [&](std::string_view name, std::size_t characters_max) {
        std::string value = fields.text(name);
        if (const Node* node = fields.find(name); node != nullptr && node->kind == Node::Kind::String)
            if (const auto fault = fault_of_server_text(value, characters_max); !fault.empty())
                problems.push_back({node->place, std::string(name) + ": " + fault});
        return value;
    };
    settings.pipeline = text("pipeline", server_name_characters_max);
    settings.version = text("version", server_text_characters_max);
    settings.experiment = text("experiment", server_name_characters_max);
    settings.display_name = text("display_name", server_text_characters_max);
    settings.reports = fields.flag("reports", false);
    if (const auto checked = check_display_name(settings.display_name); !checked.ok())
        problems.push_back({fields.place("display_name"), "display_name: " + checked.error().message});
    if (fields.has("spec") && fields.has("parameters"))
        problems.push_back({fields.key_place("parameters"),
                            "`spec` and `parameters` both say which parameters there are: leave one out"});
    else if (fields.has("spec"))
        read_ir(fields, "spec", loader, flow, problems);
    else
        read_parameters(fields, flow, problems);
}

} // namespace

bool is_flow_document(const Node& document) {
    return document.kind == Node::Kind::Map && document.find("flow") != nullptr &&
           document.find("trigger") == nullptr;
}

std::optional<FlowVersion> read_flow(const Node& document, const PipelineLoader& loader, Problems& problems,
                                     std::string_view default_team) {
    const std::size_t before = problems.size();
    check_fields(document, flow_document_table(), problems);
    if (document.kind != Node::Kind::Map) return {};
    const Fields fields(document, flow_document_table());
    FlowVersion flow;
    flow.flow = fields.text("flow");
    flow.team = fields.text("team", default_team);
    flow.backend = fields.text("backend");
    FlowSettings settings;
    settings.description = fields.text("description");
    settings.labels = text_map(fields, "labels");
    if (fields.text("on_restart") == "fail") settings.on_restart = FlowSettings::OnRestart::Fail;
    settings.timeout = fields.duration("timeout").value_or(Duration(0));
    settings.task_timeout = fields.duration("task_timeout").value_or(Duration(0));
    settings.log_bytes_max = static_cast<std::uint64_t>(
        fields.whole("log_bytes_max", static_cast<std::int64_t>(settings.log_bytes_max)));
    settings.memory_bytes_max = static_cast<std::uint64_t>(fields.whole("memory_bytes_max", 0));
    settings.parallel = static_cast<std::size_t>(fields.whole("parallel", 0));
    settings.settle_after = fields.duration("settle_after").value_or(Duration(0));
    if (fields.text("outcome") == "failed") settings.outcome = Outcome::Failed;
    if (const Node* outputs = fields.find("outputs"); outputs != nullptr && outputs->kind == Node::Kind::Map)
        settings.outputs_json = to_json(*outputs);
    read_environment(fields, settings, problems);
    if (!flow.backend.empty()) {
        const auto kind = kind_of_backend(flow.backend);
        check_backend_fields(fields, flow.backend, problems);
        if (kind == BackendKind::Local) read_local(fields, loader, flow, problems);
        if (kind == BackendKind::Null) read_parameters(fields, flow, problems);
        if (kind == BackendKind::Kubeflow) read_kubeflow(fields, loader, flow, settings, problems);
    }
    if (problems.size() != before) return {};
    flow.settings_json = write_settings(settings);
    std::string content;
    append_field(content, flow.team); // may come from outside of the document
    append_field(content, to_json(document));
    append_field(content, flow.pipeline);
    flow.version = to_hex(sha256(content)).substr(0, 12);
    return flow;
}

std::vector<FlowVersion> read_flows(std::string_view text, std::string_view file,
                                    const PipelineLoader& loader, Problems& problems,
                                    std::string_view default_team) {
    const std::size_t before = problems.size();
    std::vector<FlowVersion> flows;
    for (const Node& document : read_documents(text, file, problems)) {
        if (document.find("trigger") != nullptr) continue;
        auto flow = read_flow(document, loader, problems, default_team);
        if (!flow) continue;
        for (const FlowVersion& other : flows)
            if (other.team == flow->team && other.flow == flow->flow)
                problems.push_back({document.place, "the flow " + flow->team + "/" + flow->flow +
                                                        " stands here for the second time"});
        flows.push_back(std::move(*flow));
    }
    if (problems.size() != before) flows.clear();
    return flows;
}

std::vector<std::string> check_runnable(const FlowVersion& flow, std::string_view path) {
    if (kind_of_backend(flow.backend) != BackendKind::Local) return {};
    Problems problems;
    const auto pipeline = ir::read_pipeline(flow.pipeline, flow.flow, problems);
    if (pipeline) return ir::not_runnable(*pipeline, path);
    std::vector<std::string> reasons;
    for (const Problem& problem : problems)
        reasons.push_back(problem.to_string());
    return reasons;
}

} // namespace weir::flows
