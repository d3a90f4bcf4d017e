#include <weir/flows/document.hpp>

#include <algorithm>

#include <weir/base/digest.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/flows/ir.hpp>

#include "settings.hpp"

namespace weir::flows {

namespace {

const DocumentTable& parameter_table() {
    static const DocumentTable table{
        "parameter",
        "A parameter of a flow of backend null.",
        {
            {"type",
             FieldType::Word,
             "Kind of its value.",
             true,
             {"integer", "double", "string", "boolean", "list", "struct"}},
            {"default", FieldType::Any, "Value when a launch gives none; makes it optional."},
            {"optional", FieldType::Flag, "May be left out without a default."},
            {"description", FieldType::Text, "For people."},
        }};
    return table;
}

constexpr std::int64_t bytes_max = std::int64_t{1} << 50;

} // namespace

const DocumentTable& flow_document_table() {
    static const DocumentTable table{
        "flow document",
        "A flow: what can be launched, on which backend, with which parameters.",
        {
            {"flow", FieldType::Name, "Its name, unique within the team.", true},
            {"team", FieldType::Name, "Whose it is."},
            {"backend",
             FieldType::Word,
             "What runs it.",
             true,
             {"local", "null"},
             nullptr,
             0,
             0,
             true,
             {"kubeflow", "process"}},
            {"pipeline", FieldType::Text, "Pipeline IR (kfp 2.x), relative to this document; for local."},
            {"description", FieldType::Text, "For people."},
            {"labels", FieldType::TextMap,
             "Free labels; `project` and `branch` have a meaning for Metaflow."},
            {"on_restart",
             FieldType::Word,
             "What becomes of tasks that weir's own end interrupted.",
             false,
             {"resume", "fail"}},
            {"timeout", FieldType::Period, "How long a run may take."},
            {"task_timeout", FieldType::Period, "How long each attempt of a task may take."},
            {"env", FieldType::TextMap, "Environment variables of every task."},
            {"env_pass", FieldType::Texts,
             "Variables of weir's own environment that tasks see; `*` at an end."},
            {"log_bytes_max",
             FieldType::Whole,
             "Size of one task's log; the rest is dropped with a notice.",
             false,
             {},
             nullptr,
             1024,
             bytes_max},
            {"memory_bytes_max",
             FieldType::Whole,
             "Address space of one process; 0 is no limit.",
             false,
             {},
             nullptr,
             0,
             bytes_max},
            {"parallel", FieldType::Whole, "Tasks of one run at a time.", false, {}, nullptr, 1, 4096},
            {"parameters",
             FieldType::SectionMap,
             "Declared parameters; for null.",
             false,
             {},
             &parameter_table()},
            {"settle_after", FieldType::Period, "How long a run of backend null takes."},
            {"outcome", FieldType::Word, "How runs of backend null end.", false, {"succeeded", "failed"}},
            {"outputs", FieldType::ValueMap, "Outputs of runs of backend null."},
        }};
    return table;
}

namespace {

/// Fields that make sense for one backend only.
void check_backend_fields(const Fields& fields, bool local, Problems& problems) {
    constexpr std::string_view of_local[] = {"pipeline", "on_restart", "timeout",       "task_timeout",
                                             "env",      "env_pass",   "log_bytes_max", "memory_bytes_max",
                                             "parallel"};
    constexpr std::string_view of_null[] = {"parameters", "settle_after", "outcome", "outputs"};
    for (const std::string_view name : of_local)
        if (!local && fields.has(name))
            problems.push_back(
                {fields.place(name), std::string(name) + " is for backend local, not for null"});
    for (const std::string_view name : of_null)
        if (local && fields.has(name))
            problems.push_back(
                {fields.place(name), std::string(name) + " is for backend null" +
                                         (name == "parameters" ? "; local takes the pipeline's" : "")});
}

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

void read_parameters(const Fields& fields, FlowVersion& flow, Problems& problems) {
    const Node* node = fields.find("parameters");
    if (node == nullptr) return;
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
        if (const Node* given = of.find("default")) {
            parameter.optional = true;
            auto checked = check_value(parameter.type, to_json(*given), "the default of " + name.text);
            if (checked.ok())
                parameter.default_json = *checked;
            else
                problems.push_back({given->place, checked.error().message});
        }
        flow.parameters.push_back(std::move(parameter));
    }
    std::sort(flow.parameters.begin(), flow.parameters.end(),
              [](const Parameter& a, const Parameter& b) { return a.name < b.name; });
}

void read_pipeline_of(const Fields& fields, const PipelineLoader& loader, FlowVersion& flow,
                      Problems& problems) {
    if (!fields.has("pipeline")) {
        problems.push_back({fields.place("backend"),
                            "backend local needs the field \"pipeline\": the file of the "
                            "compiled pipeline, relative to this document"});
        return;
    }
    const std::string name = fields.text("pipeline");
    auto text = loader(name);
    if (!text.ok()) {
        problems.push_back({fields.place("pipeline"), text.error().message});
        return;
    }
    flow.pipeline = std::move(*text);
    const auto pipeline = ir::read_pipeline(flow.pipeline, name, problems);
    if (!pipeline) return;
    flow.parameters = ir::declared_parameters(*pipeline);
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
    const bool local = flow.backend == "local";
    if (local || flow.backend == "null") check_backend_fields(fields, local, problems);
    if (local) read_pipeline_of(fields, loader, flow, problems);
    if (flow.backend == "null") read_parameters(fields, flow, problems);
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
    if (flow.backend != "local") return {};
    Problems problems;
    const auto pipeline = ir::read_pipeline(flow.pipeline, flow.flow, problems);
    if (pipeline) return ir::not_runnable(*pipeline, path);
    std::vector<std::string> reasons;
    for (const Problem& problem : problems)
        reasons.push_back(problem.to_string());
    return reasons;
}

} // namespace weir::flows
