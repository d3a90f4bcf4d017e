#include <algorithm>
#include <set>

#include <weir/base/text.hpp>
#include <weir/cel/program.hpp>

#include <weir/flows/condition.hpp>
#include "ir_read.hpp"

namespace weir::flows::ir {

namespace {

template <class Map>
std::vector<std::string_view> names_of(const Map& map) {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : map)
        names.push_back(name);
    return names;
}

/// Checks one DAG; `owner` is the component around it.
class DagCheck {
  public:
    DagCheck(Reader& reader, const Pipeline& pipeline, Component& owner)
        : reader_(reader), pipeline_(pipeline), owner_(owner), dag_(*owner.dag) {}

    void run() {
        for (auto& [name, task] : dag_.tasks)
            check_task(task);
        for (const auto& [name, selectors] : dag_.parameters)
            for (const Selector& selector : selectors)
                check_output(owner_.place, selector.task, selector.key, false);
        for (const auto& [name, selectors] : dag_.artifacts)
            for (const Selector& selector : selectors)
                check_output(owner_.place, selector.task, selector.key, true);
        for (auto& [name, task] : dag_.tasks) {
            std::sort(task.upstream.begin(), task.upstream.end());
            task.upstream.erase(std::unique(task.upstream.begin(), task.upstream.end()), task.upstream.end());
            for (const std::string& upstream : task.upstream)
                if (const auto it = dag_.tasks.find(upstream); it != dag_.tasks.end())
                    it->second.downstream.push_back(name);
        }
        check_cycles();
    }

  private:
    void fault(const Task& task, std::string message) {
        reader_.fault(task.place, "task " + task.name + ": " + std::move(message));
    }

    /// A task of this DAG and an output of it.
    void check_output(const Place& place, const std::string& task, const std::string& key, bool artifact) {
        const auto producer = dag_.tasks.find(task);
        if (producer == dag_.tasks.end())
            return reader_.fault(place, "there is no task \"" + printable(task) + "\" here" +
                                            did_you_mean(task, names_of(dag_.tasks)));
        const auto component = pipeline_.components.find(producer->second.component);
        if (component == pipeline_.components.end()) return;
        const Component& made = component->second;
        const bool found =
            artifact ? made.output_artifacts.contains(key) : made.output_parameters.contains(key);
        // A list of artifacts collected by a loop is asked for under the same name.
        if (!found)
            reader_.fault(place, "the task \"" + task + "\" has no output " +
                                     (artifact ? "artifact" : "parameter") + " \"" + printable(key) + "\"" +
                                     (artifact ? did_you_mean(key, names_of(made.output_artifacts))
                                               : did_you_mean(key, names_of(made.output_parameters))));
    }

    void check_task(Task& task) {
        const auto component = pipeline_.components.find(task.component);
        if (component == pipeline_.components.end())
            return fault(task, "there is no component \"" + printable(task.component) + "\"" +
                                   did_you_mean(task.component, names_of(pipeline_.components)));
        check_sources(task);
        for (const std::string& upstream : task.upstream) {
            if (!dag_.tasks.contains(upstream))
                fault(task, "it depends on \"" + printable(upstream) + "\", which is not here" +
                                did_you_mean(upstream, names_of(dag_.tasks)));
        }
        check_inputs(task, component->second);
        if (task.iterator) check_iterator(task, component->second);
        if (task.retry.count > 0 && component->second.dag)
            fault(task, "retries of a nested pipeline are not supported; set them on its tasks");
        if (!task.condition.empty())
            if (const auto program = compile_condition(task.condition); !program.ok())
                fault(task, "its condition " + printable(task.condition) + ": " + program.error().message);
    }

    void check_sources(Task& task) {
        for (const auto& [name, source] : task.parameters) {
            switch (source.kind) {
                case ParameterSource::Kind::Constant: break;
                case ParameterSource::Kind::TaskOutput:
                    check_output(task.place, source.task, source.key, false);
                    task.upstream.push_back(source.task);
                    break;
                case ParameterSource::Kind::FinalStatus:
                    if (!dag_.tasks.contains(source.task))
                        fault(task, "it asks for the final status of \"" + printable(source.task) +
                                        "\", which is not here");
                    task.upstream.push_back(source.task);
                    break;
                case ParameterSource::Kind::ComponentInput:
                    if (!owner_.parameters.contains(source.key))
                        fault(task, "its input " + name + " is to come from the parameter \"" +
                                        printable(source.key) +
                                        "\", which the enclosing component does not have" +
                                        did_you_mean(source.key, names_of(owner_.parameters)));
                    break;
            }
        }
        for (const auto& [name, source] : task.artifacts) {
            if (source.from_task) {
                check_output(task.place, source.task, source.key, true);
                task.upstream.push_back(source.task);
            } else if (!owner_.artifacts.contains(source.key)) {
                fault(task, "its input " + name + " is to come from the artifact \"" + printable(source.key) +
                                "\", which the enclosing component does not have" +
                                did_you_mean(source.key, names_of(owner_.artifacts)));
            }
        }
    }

    void check_inputs(const Task& task, const Component& component) {
        for (const auto& [name, input] : component.parameters) {
            const bool item = task.iterator && task.iterator->item_input == name;
            const bool injected = input.type == Type::TaskConfig;
            if (!item && !injected && !input.optional && !input.default_value &&
                !task.parameters.contains(name))
                fault(task, "its input parameter \"" + name + "\" is given no value");
        }
        for (const auto& [name, input] : component.artifacts) {
            const bool item = task.iterator && task.iterator->item_input == name;
            if (!item && !input.optional && !task.artifacts.contains(name))
                fault(task, "its input artifact \"" + name + "\" is given none");
        }
        for (const auto& [name, source] : task.artifacts)
            if (!component.artifacts.contains(name))
                fault(task, "its component has no input artifact \"" + printable(name) + "\"");
    }

    void check_iterator(const Task& task, const Component& component) {
        const Iterator& iterator = *task.iterator;
        if (!component.dag) return fault(task, "a loop over a component that is not a DAG is not supported");
        const bool has_item = iterator.artifacts ? component.artifacts.contains(iterator.item_input)
                                                 : component.parameters.contains(iterator.item_input);
        if (!has_item)
            fault(task, "its loop's item \"" + printable(iterator.item_input) + "\" is no input of it");
        const bool has_input =
            iterator.raw || (iterator.artifacts ? task.artifacts.contains(iterator.input)
                                                : task.parameters.contains(iterator.input));
        if (!has_input)
            fault(task, "its loop's items \"" + printable(iterator.input) + "\" are no input of it");
        for (const auto& [name, other] : dag_.tasks)
            if (name.size() > task.name.size() + 1 && name.starts_with(task.name + ".") &&
                name.find_first_not_of("0123456789", task.name.size() + 1) == std::string::npos)
                fault(task, "its iterations would have the name of the task \"" + name + "\"");
    }

    void check_cycles() {
        std::map<std::string_view, std::size_t> waiting;
        std::vector<const Task*> ready;
        for (const auto& [name, task] : dag_.tasks) {
            waiting[name] = task.upstream.size();
            if (task.upstream.empty()) ready.push_back(&task);
        }
        std::size_t done = 0;
        while (!ready.empty()) {
            const Task* task = ready.back();
            ready.pop_back();
            ++done;
            for (const std::string& next : task->downstream)
                if (--waiting[next] == 0) ready.push_back(&dag_.tasks.at(next));
        }
        if (done == dag_.tasks.size() || reader_.faults() != 0) return;
        std::string names;
        for (const auto& [name, left] : waiting)
            if (left > 0) names += (names.empty() ? "" : ", ") + std::string(name);
        reader_.fault(owner_.place, "these tasks wait for each other in a circle: " + printable(names));
    }

    Reader& reader_;
    const Pipeline& pipeline_;
    Component& owner_;
    Dag& dag_;
};

/// How deep DAGs nest from here on; an endless nesting is found by its depth.
class Nesting {
  public:
    explicit Nesting(const Pipeline& pipeline) : pipeline_(pipeline) {}
    std::size_t depth(const Component& component, std::size_t above) {
        if (!component.dag) return 0;
        if (above > nesting_max) return nesting_max + 1;
        if (const auto it = known_.find(&component); it != known_.end()) return it->second;
        std::size_t deepest = 0;
        for (const auto& [name, task] : component.dag->tasks)
            if (const auto it = pipeline_.components.find(task.component); it != pipeline_.components.end())
                deepest = std::max(deepest, depth(it->second, above + 1));
        const std::size_t mine = std::min(deepest + 1, nesting_max + 1);
        known_[&component] = mine;
        return mine;
    }

  private:
    const Pipeline& pipeline_;
    std::map<const Component*, std::size_t> known_;
};

void check_executor(Reader& reader, const Pipeline& pipeline, const Component& component) {
    if (component.dag || component.executor.empty()) return;
    const auto executor = pipeline.executors.find(component.executor);
    if (executor == pipeline.executors.end())
        return reader.fault(component.place,
                            "there is no executor \"" + printable(component.executor) + "\"" +
                                did_you_mean(component.executor, names_of(pipeline.executors)));
    if (executor->second.kind != Executor::Kind::Importer) return;
    if (!executor->second.uri_input.empty() && !component.parameters.contains(executor->second.uri_input))
        reader.fault(component.place, "its importer takes the parameter \"" +
                                          printable(executor->second.uri_input) +
                                          "\", which the component does not have");
    if (component.output_artifacts.size() != 1)
        reader.fault(component.place, "an importer has exactly one output artifact");
}

} // namespace

void check_pipeline(Reader& reader, Pipeline& pipeline) {
    if (!pipeline.root.dag) return reader.fault(pipeline.root.place, "root needs a DAG");
    for (const auto& [name, input] : pipeline.root.parameters)
        if (input.type == Type::TaskFinalStatus && !input.optional)
            reader.fault(pipeline.root.place,
                         "the parameter \"" + name + "\" is a task's final status, which no user can give");
    for (auto& [name, component] : pipeline.components) {
        check_executor(reader, pipeline, component);
        if (component.dag) DagCheck(reader, pipeline, component).run();
    }
    DagCheck(reader, pipeline, pipeline.root).run();
    if (reader.faults() == 0 && Nesting(pipeline).depth(pipeline.root, 0) > nesting_max)
        reader.fault(pipeline.root.place, "DAGs nest more than " + std::to_string(nesting_max) +
                                              " deep, or a component contains itself");
}

} // namespace weir::flows::ir
