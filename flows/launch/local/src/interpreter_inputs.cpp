#include <weir/base/digest.hpp>
#include <weir/base/ids.hpp>
#include <weir/base/text.hpp>

#include "interpreter_nodes.hpp"

namespace weir::flows::local {

namespace {

/// `parseJson(string_value)["a"]["b"]`. A value that is no string is taken as parsed already.
Result<cel::Value> select(cel::Value value, const std::vector<std::string>& keys) {
    if (value.is_string()) {
        WEIR_ASSIGN(parsed, cel::from_json(value.as_string()));
        value = parsed;
    }
    for (const std::string& key : keys) {
        const cel::Value* member = value.kind() == cel::Kind::Map ? value.find(key) : nullptr;
        if (member == nullptr) return invalid("there is no \"" + printable(key) + "\" in the value");
        value = cel::Value(*member);
    }
    return value;
}

} // namespace

std::string plain_text(const cel::Value& value) {
    if (value.is_string()) return std::string(value.as_string());
    const auto text = cel::to_json(value);
    return text.ok() ? *text : "null";
}

std::optional<Selected> select_placeholder(std::string_view text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return {};
    text.remove_prefix(prefix.size());
    if (!text.starts_with("['") && !text.starts_with("[\"")) return {};
    const char quote = text[1];
    text.remove_prefix(2);
    const bool doubled = text.starts_with(quote);
    if (doubled) text.remove_prefix(1);
    const std::string closing = std::string(doubled ? 2 : 1, quote) + "]";
    const std::size_t end = text.find(closing);
    if (end == std::string_view::npos) return {};
    return Selected{std::string(text.substr(0, end)), std::string(text.substr(end + closing.size()))};
}

std::optional<std::string> context_value(std::string_view name, const Context& context,
                                         const ir::Pipeline& pipeline, std::string_view path,
                                         std::string_view task) {
    if (!name.starts_with("$.")) return {};
    name.remove_prefix(2);
    if (name == "pipeline_job_name") return pipeline.name;
    if (name == "pipeline_job_resource_name") return pipeline.name + "-" + context.run;
    if (name == "pipeline_job_uuid") return context.run;
    if (name == "pipeline_root") return context.pipeline_root;
    if (name == "workspace_path") return context.workspace;
    if (name == "pipeline_job_create_time_utc" || name == "pipeline_job_schedule_time_utc")
        return format_rfc3339(context.created);
    if (path.empty()) return {};
    if (name == "pipeline_task_name") return std::string(task);
    if (name == "pipeline_task_uuid") {
        std::string identity;
        append_field(identity, context.run);
        append_field(identity, path);
        return Uuid::time_led(context.created, sha256(identity)).to_string();
    }
    return {};
}

cel::Value Interpreter::expand(const cel::Value& value, const Node* node, const Values& inputs) const {
    if (value.kind() == cel::Kind::List) {
        std::vector<cel::Value> list;
        for (const cel::Value& item : value.as_list())
            list.push_back(expand(item, node, inputs));
        return cel::Value::list(std::move(list));
    }
    if (value.kind() == cel::Kind::Map) {
        std::vector<cel::Value::Entry> entries;
        for (const auto& [key, item] : value.as_map())
            entries.emplace_back(key, expand(item, node, inputs));
        return cel::Value::map(std::move(entries));
    }
    if (!value.is_string() || value.as_string().find("{{$") == std::string_view::npos) return value;
    return cel::Value::string(
        replace_placeholders(value.as_string(), [&](std::string_view name) -> std::optional<std::string> {
            if (const auto input = select_placeholder(name, "$.inputs.parameters");
                input && input->rest.empty())
                if (const auto it = inputs.parameters.find(input->name); it != inputs.parameters.end())
                    return plain_text(it->second);
            return context_value(name, context_, *pipeline_, node ? node->path : std::string_view(),
                                 node ? node->task->name : std::string_view());
        }));
}

cel::Value Interpreter::final_status(const Node& producer) const {
    std::string state = "SUCCEEDED";
    if (producer.state == TaskState::Failed) state = "FAILED";
    if (producer.state == TaskState::Skipped) state = producer.not_begun ? "NOT_TRIGGERED" : "SKIPPED";
    if (producer.state == TaskState::Cancelled) state = "CANCELLED";
    std::vector<std::pair<std::string, cel::Value>> error;
    if (producer.state == TaskState::Failed)
        error = {
            {"code", cel::Value::integer(1)},
            {"message", cel::Value::string("Task " + producer.task->name + " failed: " + producer.error)}};
    return cel::Value::object(
        {{"state", cel::Value::string(std::move(state))},
         {"error", cel::Value::object(std::move(error))},
         {"pipelineJobResourceName", cel::Value::string(pipeline_->name + "-" + context_.run)},
         {"pipelineJobUuid", cel::Value::string(context_.run)},
         {"pipelineJobName", cel::Value::string(pipeline_->name)},
         {"pipelineTaskName", cel::Value::string(producer.task->name)}});
}

Result<cel::Value> Interpreter::resolve_parameter(const Node& node, const ir::ParameterSource& source,
                                                  bool& absent) const {
    cel::Value value;
    switch (source.kind) {
        case ir::ParameterSource::Kind::Constant: value = source.constant; break;
        case ir::ParameterSource::Kind::FinalStatus:
            value = final_status(*node.parent->nodes.at(source.task));
            break;
        case ir::ParameterSource::Kind::TaskOutput: {
            const auto& made = node.parent->nodes.at(source.task)->outputs.parameters;
            const auto it = made.find(source.key);
            absent = it == made.end();
            if (!absent) value = it->second;
            break;
        }
        case ir::ParameterSource::Kind::ComponentInput: {
            const auto& given = node.parent->inputs.parameters;
            const auto it = given.find(source.key);
            absent = it == given.end();
            if (!absent) value = it->second;
            break;
        }
    }
    if (absent || !source.selector) return value;
    return select(value, *source.selector);
}

std::vector<Artifact> Interpreter::resolve_artifact(const Node& node,
                                                    const ir::ArtifactSource& source) const {
    const auto& given = source.from_task ? node.parent->nodes.at(source.task)->outputs.artifacts
                                         : node.parent->inputs.artifacts;
    const auto it = given.find(source.key);
    return it == given.end() ? std::vector<Artifact>() : it->second;
}

Result<Values> Interpreter::resolve(const Node& node) const {
    Values values;
    std::vector<const std::pair<const std::string, ir::ParameterSource>*> constants;
    for (const auto& entry : node.task->parameters) {
        const auto& [name, source] = entry;
        if (source.kind == ir::ParameterSource::Kind::Constant) {
            constants.push_back(&entry);
            continue;
        }
        bool absent = false;
        auto value = resolve_parameter(node, source, absent);
        if (!value.ok()) return value.error().in("its input \"" + name + "\"");
        if (!absent) values.parameters.emplace(name, *value);
    }
    // Only the pipeline's own texts may name other inputs; what came from outside is never looked into.
    const Values given = values;
    for (const auto* entry : constants) {
        bool absent = false;
        auto value = resolve_parameter(node, entry->second, absent);
        if (!value.ok()) return value.error().in("its input \"" + entry->first + "\"");
        values.parameters.emplace(entry->first, expand(*value, &node, given));
    }
    const ir::Task& task = *node.task;
    for (const auto& [name, input] : node.component->parameters) {
        if (values.parameters.contains(name)) continue;
        if (task.iterator && !task.iterator->artifacts && task.iterator->item_input == name) continue;
        if (input.default_value)
            values.parameters.emplace(name, expand(*input.default_value, &node, given));
        else if (!input.optional && input.type != ir::Type::TaskConfig)
            return invalid("its input \"" + name + "\" has no value: what should have made it did not");
    }
    for (const auto& [name, source] : task.artifacts) {
        std::vector<Artifact> found = resolve_artifact(node, source);
        const auto input = node.component->artifacts.find(name);
        const bool list = input != node.component->artifacts.end() && input->second.list;
        const bool optional = input == node.component->artifacts.end() || input->second.optional;
        const bool iterated = task.iterator && task.iterator->artifacts && task.iterator->input == name;
        if (found.empty() && !optional && !list && !iterated)
            return invalid("its input artifact \"" + name +
                           "\" is not there: what should have made it did not");
        if (!found.empty() || list || iterated) values.artifacts.emplace(name, std::move(found));
    }
    return values;
}

} // namespace weir::flows::local
