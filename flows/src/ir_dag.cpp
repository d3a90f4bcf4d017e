#include <weir/base/text.hpp>

#include "ir_read.hpp"

namespace weir::flows::ir {

namespace {

/// `parseJson(string_value)["a"]["b"]`, the only form that kfp compiles.
std::optional<std::vector<std::string>> parse_selector(std::string_view text) {
    constexpr std::string_view start = "parseJson(string_value)";
    if (!text.starts_with(start)) return {};
    text.remove_prefix(start.size());
    std::vector<std::string> keys;
    while (!text.empty()) {
        if (text.size() < 4 || text[0] != '[' || (text[1] != '"' && text[1] != '\'')) return {};
        const std::string closing = {text[1], ']'};
        const std::size_t end = text.find(closing, 2);
        if (end == std::string_view::npos) return {};
        const std::string_view key = text.substr(2, end - 2);
        if (key.find('\\') != std::string_view::npos) return {};
        keys.emplace_back(key);
        text.remove_prefix(end + 2);
    }
    return keys;
}

void read_parameter_source(Reader& reader, const Node& node, ParameterSource& source) {
    if (!reader.map(node, "an input parameter",
                    {"taskOutputParameter", "runtimeValue", "componentInputParameter", "taskFinalStatus",
                     "parameterExpressionSelector"}))
        return;
    using Kind = ParameterSource::Kind;
    int kinds = 0;
    if (const Node* output = node.find("taskOutputParameter");
        output != nullptr && ++kinds &&
        reader.map(*output, "taskOutputParameter", {"producerTask", "outputParameterKey"})) {
        source.kind = Kind::TaskOutput;
        source.task = reader.required_text(*output, "producerTask", "taskOutputParameter");
        source.key = reader.required_text(*output, "outputParameterKey", "taskOutputParameter");
    }
    if (const Node* constant = node.find("runtimeValue");
        constant != nullptr && ++kinds &&
        reader.map(*constant, "runtimeValue", {"constant", "constantValue"})) {
        source.kind = Kind::Constant;
        if (const Node* value = constant->find("constant"))
            source.constant = reader.value(*value);
        else
            reader.fault(constant->place, "runtimeValue needs the field \"constant\"");
    }
    if (node.find("componentInputParameter") != nullptr) {
        ++kinds;
        source.kind = Kind::ComponentInput;
        source.key = reader.required_text(node, "componentInputParameter", "an input parameter");
    }
    if (const Node* status = node.find("taskFinalStatus");
        status != nullptr && ++kinds && reader.map(*status, "taskFinalStatus", {"producerTask"})) {
        source.kind = Kind::FinalStatus;
        source.task = reader.required_text(*status, "producerTask", "taskFinalStatus");
    }
    if (kinds != 1)
        reader.fault(node.place,
                     "an input parameter has exactly one source: taskOutputParameter, runtimeValue, "
                     "componentInputParameter or taskFinalStatus");
    if (const std::string selector = reader.text(node, "parameterExpressionSelector"); !selector.empty()) {
        source.selector = parse_selector(selector);
        if (!source.selector)
            reader.fault(node.find("parameterExpressionSelector")->place,
                         "the selector " + printable(selector) +
                             " is not supported; parseJson(string_value)[\"key\"] is");
    }
}

void read_artifact_source(Reader& reader, const Node& node, ArtifactSource& source) {
    if (!reader.map(node, "an input artifact", {"taskOutputArtifact", "componentInputArtifact"})) return;
    if (node.members.size() != 1)
        return reader.fault(
            node.place,
            "an input artifact has exactly one source: taskOutputArtifact or componentInputArtifact");
    if (const Node* output = node.find("taskOutputArtifact")) {
        if (!reader.map(*output, "taskOutputArtifact", {"producerTask", "outputArtifactKey"})) return;
        source.from_task = true;
        source.task = reader.required_text(*output, "producerTask", "taskOutputArtifact");
        source.key = reader.required_text(*output, "outputArtifactKey", "taskOutputArtifact");
    } else {
        source.key = reader.required_text(node, "componentInputArtifact", "an input artifact");
    }
}

void read_parameter_iterator(Reader& reader, const Node& node, Task& task) {
    if (!reader.map(node, "parameterIterator", {"items", "itemInput"})) return;
    Iterator& iterator = task.iterator.emplace();
    iterator.item_input = reader.required_text(node, "itemInput", "parameterIterator");
    const Node* items = node.find("items");
    if (items == nullptr) return reader.fault(node.place, "parameterIterator needs the field \"items\"");
    if (!reader.map(*items, "items", {"raw", "inputParameter"})) return;
    iterator.input = reader.text(*items, "inputParameter");
    const Node* raw = items->find("raw");
    if ((raw != nullptr) == !iterator.input.empty())
        return reader.fault(items->place, "items are given by one of \"raw\" and \"inputParameter\"");
    if (raw == nullptr) return;
    const std::string text = reader.text(*items, "raw");
    auto value = cel::from_json(text);
    if (!value.ok() || value->kind() != cel::Kind::List)
        return reader.fault(raw->place,
                            "the items of a loop must be a JSON list as text, not " + printable(text));
    iterator.raw = *value;
}

void read_iterators(Reader& reader, const Node& node, Task& task) {
    if (const Node* parameters = node.find("parameterIterator"))
        read_parameter_iterator(reader, *parameters, task);
    if (const Node* artifacts = node.find("artifactIterator");
        artifacts != nullptr && reader.map(*artifacts, "artifactIterator", {"items", "itemInput"})) {
        if (task.iterator) reader.fault(artifacts->place, "a task has one iterator at most");
        Iterator& iterator = task.iterator.emplace();
        iterator.artifacts = true;
        iterator.item_input = reader.required_text(*artifacts, "itemInput", "artifactIterator");
        const Node* items = artifacts->find("items");
        if (items == nullptr)
            reader.fault(artifacts->place, "artifactIterator needs the field \"items\"");
        else if (reader.map(*items, "items", {"inputArtifact"}))
            iterator.input = reader.required_text(*items, "inputArtifact", "items");
    }
    const Node* policy = node.find("iteratorPolicy");
    if (policy == nullptr || !reader.map(*policy, "iteratorPolicy", {"parallelismLimit"})) return;
    const std::int64_t limit = reader.whole(*policy, "parallelismLimit", 0);
    if (limit < 0) reader.fault(policy->place, "parallelismLimit must not be negative");
    if (task.iterator) task.iterator->parallel = static_cast<std::size_t>(std::max<std::int64_t>(limit, 0));
}

void read_policies(Reader& reader, const Node& node, Task& task) {
    if (const Node* policy = node.find("triggerPolicy");
        policy != nullptr && reader.map(*policy, "triggerPolicy", {"condition", "strategy"})) {
        task.condition = reader.text(*policy, "condition");
        const std::string strategy = reader.text(*policy, "strategy");
        task.on_completion = strategy == "ALL_UPSTREAM_TASKS_COMPLETED";
        if (!task.on_completion && !strategy.empty() && strategy != "ALL_UPSTREAM_TASKS_SUCCEEDED" &&
            strategy != "TRIGGER_STRATEGY_UNSPECIFIED")
            reader.fault(policy->find("strategy")->place,
                         "there is no trigger strategy \"" + printable(strategy) + "\"");
    }
    const Node* retry = node.find("retryPolicy");
    if (retry == nullptr ||
        !reader.map(*retry, "retryPolicy",
                    {"maxRetryCount", "backoffDuration", "backoffFactor", "backoffMaxDuration"}))
        return;
    const std::int64_t count = reader.whole(*retry, "maxRetryCount", 0);
    if (count < 0 || count > 1'000) reader.fault(retry->place, "maxRetryCount must be from 0 to 1000");
    task.retry.count = static_cast<int>(count);
    task.retry.delay = reader.duration(*retry, "backoffDuration", Duration(0));
    task.retry.delay_max = reader.duration(*retry, "backoffMaxDuration", task.retry.delay_max);
    if (const Node* factor = retry->find("backoffFactor")) {
        const double number =
            factor->kind == Node::Kind::Int ? static_cast<double>(factor->int_value) : factor->double_value;
        const bool is_number = factor->kind == Node::Kind::Int || factor->kind == Node::Kind::Double;
        if (!is_number || !(number >= 0) || number > 1e6)
            reader.fault(factor->place,
                         "backoffFactor must be a number from 0 on, not " + factor->describe());
        else if (number > 0)
            task.retry.factor = number;
    }
}

void read_task(Reader& reader, const Node& node, Task& task) {
    if (!reader.map(
            node, "a task",
            {"taskInfo", "inputs", "dependentTasks", "cachingOptions", "componentRef", "triggerPolicy",
             "artifactIterator", "parameterIterator", "retryPolicy", "iteratorPolicy"}))
        return;
    if (const Node* info = node.find("taskInfo"); info != nullptr && reader.map(*info, "taskInfo", {"name"}))
        task.display_name = reader.text(*info, "name");
    if (task.display_name.empty()) task.display_name = task.name;
    if (const Node* ref = node.find("componentRef"); ref == nullptr)
        reader.fault(node.place, "a task needs the field \"componentRef\"");
    else if (reader.map(*ref, "componentRef", {"name"}))
        task.component = reader.required_text(*ref, "name", "componentRef");
    if (const Node* upstream = node.find("dependentTasks"))
        task.upstream = reader.texts(*upstream, "dependentTasks");
    if (const Node* inputs = node.find("inputs");
        inputs != nullptr && reader.map(*inputs, "inputs", {"parameters", "artifacts"})) {
        if (const Node* parameters = inputs->find("parameters");
            parameters != nullptr && reader.map(*parameters, "parameters"))
            for (const auto& [name, source] : parameters->members)
                read_parameter_source(reader, source, task.parameters[name.text]);
        if (const Node* artifacts = inputs->find("artifacts");
            artifacts != nullptr && reader.map(*artifacts, "artifacts"))
            for (const auto& [name, source] : artifacts->members)
                read_artifact_source(reader, source, task.artifacts[name.text]);
    }
    read_policies(reader, node, task);
    read_iterators(reader, node, task);
}

void read_selectors(Reader& reader, const Node& list, std::string_view key,
                    std::vector<Selector>& selectors) {
    if (!reader.list(list, "selectors")) return;
    if (list.items.empty()) reader.fault(list.place, "an output needs at least one selector");
    for (const Node& item : list.items)
        if (reader.map(item, "a selector", {"producerSubtask", key}))
            selectors.push_back({reader.required_text(item, "producerSubtask", "a selector"),
                                 reader.required_text(item, key, "a selector")});
}

void read_dag_outputs(Reader& reader, const Node& node, Dag& dag) {
    if (!reader.map(node, "outputs", {"parameters", "artifacts"})) return;
    if (const Node* artifacts = node.find("artifacts");
        artifacts != nullptr && reader.map(*artifacts, "artifacts"))
        for (const auto& [name, output] : artifacts->members) {
            if (!reader.map(output, "an output artifact", {"artifactSelectors"})) continue;
            if (const Node* list = output.find("artifactSelectors"))
                read_selectors(reader, *list, "outputArtifactKey", dag.artifacts[name.text]);
        }
    const Node* parameters = node.find("parameters");
    if (parameters == nullptr || !reader.map(*parameters, "parameters")) return;
    for (const auto& [name, output] : parameters->members) {
        if (!reader.map(output, "an output parameter", {"valueFromParameter", "valueFromOneof"})) continue;
        std::vector<Selector>& selectors = dag.parameters[name.text];
        if (const Node* one = output.find("valueFromParameter");
            one != nullptr &&
            reader.map(*one, "valueFromParameter", {"producerSubtask", "outputParameterKey"}))
            selectors.push_back({reader.required_text(*one, "producerSubtask", "valueFromParameter"),
                                 reader.required_text(*one, "outputParameterKey", "valueFromParameter")});
        if (const Node* several = output.find("valueFromOneof");
            several != nullptr && reader.map(*several, "valueFromOneof", {"parameterSelectors"}))
            if (const Node* list = several->find("parameterSelectors"))
                read_selectors(reader, *list, "outputParameterKey", selectors);
        if (selectors.empty())
            reader.fault(output.place,
                         "an output parameter needs one of \"valueFromParameter\" and \"valueFromOneof\"");
    }
}

} // namespace

void read_dag(Reader& reader, const Node& node, Dag& dag, std::string_view what) {
    if (!reader.map(node, "dag", {"tasks", "outputs"})) return;
    const Node* tasks = node.find("tasks");
    if (tasks == nullptr || tasks->members.empty())
        return reader.fault(node.place, "the DAG of " + std::string(what) + " has no tasks");
    if (!reader.map(*tasks, "tasks")) return;
    if (tasks->members.size() > tasks_max)
        return reader.fault(tasks->place, "more than " + std::to_string(tasks_max) + " tasks in one DAG");
    for (const auto& [name, task] : tasks->members) {
        Task& made = dag.tasks[name.text];
        made.name = name.text;
        made.place = name.place;
        read_task(reader, task, made);
    }
    if (const Node* outputs = node.find("outputs")) read_dag_outputs(reader, *outputs, dag);
}

} // namespace weir::flows::ir
