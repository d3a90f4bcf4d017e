#include <weir/flows/local/interpreter.hpp>

#include <algorithm>
#include <cmath>

#include <weir/flows/condition.hpp>

#include "interpreter_nodes.hpp"

namespace weir::flows::local {

Interpreter::Interpreter(std::shared_ptr<const ir::Pipeline> pipeline, const cel::Value& arguments,
                         Context context)
    : pipeline_(std::move(pipeline)), context_(std::move(context)) {
    Values inputs;
    for (const auto& [name, input] : pipeline_->root.parameters) {
        const cel::Value* given = arguments.kind() == cel::Kind::Map ? arguments.find(name) : nullptr;
        if (given != nullptr && !given->is_null())
            inputs.parameters.emplace(name, *given);
        else if (input.default_value)
            inputs.parameters.emplace(name, expand(*input.default_value, nullptr, inputs));
    }
    settling_ = true;
    root_ = std::make_unique<Instance>();
    Instance* root = root_.get();
    root->component = &pipeline_->root;
    root->inputs = std::move(inputs);
    fill(*root);
    settling_ = false;
    settle();
}

Interpreter::~Interpreter() = default;

void Interpreter::fill(Instance& instance) {
    const ir::Dag& dag = *instance.component->dag;
    instance.left = dag.tasks.size();
    instances_ += dag.tasks.size();
    std::vector<Node*> first;
    for (const auto& [name, task] : dag.tasks) {
        auto node = std::make_unique<Node>();
        node->task = &task;
        node->component = &pipeline_->components.at(task.component);
        node->parent = &instance;
        node->path = instance.path + name;
        node->waiting = task.upstream.size();
        if (node->waiting == 0) first.push_back(node.get());
        change(*node);
        instance.nodes.emplace(name, std::move(node));
    }
    for (Node* node : first)
        begin(*node);
}

void Interpreter::open(Node& owner, std::string path, Values inputs) {
    auto instance = std::make_unique<Instance>();
    instance->component = owner.component;
    instance->path = std::move(path);
    instance->inputs = std::move(inputs);
    instance->owner = &owner;
    Instance& opened = *instance;
    owner.children.push_back(std::move(instance));
    fill(opened);
}

/// Decides by what became of the upstream tasks. False: the task has been ended as not to be run.
bool Interpreter::gate(Node& node) {
    if (node.task->on_completion) return true;
    bool skipped = false;
    for (const std::string& name : node.task->upstream) {
        const Node& upstream = *node.parent->nodes.at(name);
        if (upstream.state == TaskState::Failed || upstream.not_begun) {
            node.not_begun = true;
            end(node, TaskState::Skipped, "not begun: \"" + name + "\" did not succeed");
            return false;
        }
        skipped = skipped || upstream.state == TaskState::Skipped;
    }
    if (skipped) end(node, TaskState::Skipped, "skipped as a task before it was");
    return !skipped;
}

void Interpreter::begin(Node& node) {
    if (node.parent->owner != nullptr) node.inputs_made = node.parent->owner->inputs_made;
    for (const std::string& name : node.task->upstream)
        node.inputs_made = std::max(node.inputs_made, node.parent->nodes.at(name)->made);
    node.made = node.inputs_made;
    if (aborted_) return end(node, TaskState::Cancelled);
    if (!gate(node)) return;
    auto inputs = resolve(node);
    if (!inputs.ok()) return end(node, TaskState::Failed, inputs.error().message);
    node.inputs = std::move(*inputs);
    if (!node.task->condition.empty()) {
        std::map<std::string, cel::Value> values = node.inputs.parameters;
        for (const auto& [name, input] : node.component->parameters)
            values.try_emplace(name, cel::Value::null());
        const auto wanted = ir::test_condition(node.task->condition, values);
        if (!wanted.ok())
            return end(node, TaskState::Failed,
                       "its condition " + node.task->condition + ": " + wanted.error().message);
        if (!*wanted) return end(node, TaskState::Skipped, "its condition is false: " + node.task->condition);
    }
    if (node.task->iterator) return begin_loop(node);
    if (node.component->dag) {
        if (instances_ + node.component->dag->tasks.size() > instances_max)
            return end(node, TaskState::Failed,
                       "more than " + std::to_string(instances_max) + " tasks in one run");
        node.state = TaskState::Running;
        change(node);
        return open(node, node.path + "/", node.inputs);
    }
    hand_out(node);
}

void Interpreter::hand_out(Node& node) {
    node.retry_at.reset();
    running_[node.path] = &node;
    Work work;
    work.path = node.path;
    work.attempt = node.failures + 1;
    work.task = node.task;
    work.component = node.component;
    work.executor = &pipeline_->executors.at(node.component->executor);
    work.inputs = node.inputs;
    work.inputs_made = node.inputs_made;
    ready_.push_back(std::move(work));
}

void Interpreter::begin_loop(Node& node) {
    const ir::Iterator& iterator = *node.task->iterator;
    if (iterator.artifacts) {
        if (const auto it = node.inputs.artifacts.find(iterator.input); it != node.inputs.artifacts.end())
            node.artifact_items = it->second;
        node.item_count = node.artifact_items.size();
    } else {
        cel::Value items = iterator.raw.value_or(cel::Value::null());
        if (!iterator.raw)
            if (const auto it = node.inputs.parameters.find(iterator.input);
                it != node.inputs.parameters.end())
                items = it->second;
        if (items.is_string())
            if (auto parsed = cel::from_json(items.as_string()); parsed.ok()) items = *parsed;
        if (items.kind() != cel::Kind::List)
            return end(node, TaskState::Failed, "the items of its loop are not a list");
        node.items.assign(items.as_list().begin(), items.as_list().end());
        node.item_count = node.items.size();
    }
    if (instances_ + node.item_count * node.component->dag->tasks.size() > instances_max)
        return end(node, TaskState::Failed,
                   "a loop over " + std::to_string(node.item_count) + " items makes more than " +
                       std::to_string(instances_max) + " tasks in one run");
    node.state = TaskState::Running;
    change(node);
    next_iterations(node);
}

void Interpreter::next_iterations(Node& node) {
    const ir::Iterator& iterator = *node.task->iterator;
    while (!aborted_ && node.next_item < node.item_count &&
           (iterator.parallel == 0 || node.open_items < iterator.parallel)) {
        const std::size_t index = node.next_item++;
        Values inputs = node.inputs;
        if (iterator.artifacts)
            inputs.artifacts[iterator.item_input] = {node.artifact_items[index]};
        else
            inputs.parameters.insert_or_assign(iterator.item_input, node.items[index]);
        ++node.open_items;
        open(node, node.path + "." + std::to_string(index) + "/", std::move(inputs));
    }
    if (node.open_items > 0) return;
    // A DAG's end is drawn from the queue, so nothing is open here only if there is no iteration left.
    for (const auto& [name, type] : node.component->output_parameters) {
        std::vector<cel::Value> list;
        for (const auto& child : node.children)
            if (const auto it = child->outputs.parameters.find(name); it != child->outputs.parameters.end())
                list.push_back(it->second);
        node.outputs.parameters.emplace(name, cel::Value::list(std::move(list)));
    }
    for (const auto& [name, output] : node.component->output_artifacts) {
        std::vector<Artifact>& list = node.outputs.artifacts[name];
        for (const auto& child : node.children)
            if (const auto it = child->outputs.artifacts.find(name); it != child->outputs.artifacts.end())
                list.insert(list.end(), it->second.begin(), it->second.end());
    }
    for (const auto& child : node.children)
        if (child->failed) return end(node, TaskState::Failed, child->error);
    const bool cut =
        node.next_item < node.item_count ||
        std::any_of(node.children.begin(), node.children.end(), [](const auto& c) { return c->cancelled; });
    end(node, cut ? TaskState::Cancelled : TaskState::Succeeded);
}

void Interpreter::end(Node& node, TaskState state, std::string error) {
    node.state = state;
    node.ended = true;
    node.error = std::move(error);
    change(node);
    ended_.push_back(&node);
}

void Interpreter::settle() {
    if (settling_) return;
    settling_ = true;
    while (!ended_.empty()) {
        Node& node = *ended_.front();
        ended_.pop_front();
        draw_consequences(node);
    }
    settling_ = false;
}

void Interpreter::draw_consequences(Node& node) {
    Instance& instance = *node.parent;
    if (node.state == TaskState::Failed) {
        instance.failed = true;
        const bool leaf = !node.component->dag || node.children.empty();
        if (instance.error.empty()) instance.error = leaf ? node.path + ": " + node.error : node.error;
    }
    instance.cancelled = instance.cancelled || node.state == TaskState::Cancelled;
    if (instance.owner != nullptr) instance.owner->made = std::max(instance.owner->made, node.made);
    for (const std::string& name : node.task->downstream) {
        Node& next = *instance.nodes.at(name);
        if (--next.waiting == 0) begin(next);
    }
    if (--instance.left == 0) close(instance);
}

void Interpreter::close(Instance& instance) {
    const ir::Dag& dag = *instance.component->dag;
    for (const auto& [name, selectors] : dag.parameters)
        for (const ir::Selector& selector : selectors) {
            const Values& made = instance.nodes.at(selector.task)->outputs;
            const auto it = made.parameters.find(selector.key);
            if (it == made.parameters.end()) continue;
            instance.outputs.parameters.emplace(name, it->second);
            break;
        }
    for (const auto& [name, selectors] : dag.artifacts)
        for (const ir::Selector& selector : selectors) {
            const Values& made = instance.nodes.at(selector.task)->outputs;
            const auto it = made.artifacts.find(selector.key);
            if (it == made.artifacts.end()) continue;
            instance.outputs.artifacts.emplace(name, it->second);
            break;
        }
    Node* owner = instance.owner;
    if (owner == nullptr) {
        finished_ = true;
        if (!aborted_) {
            outcome_ = instance.failed ? Outcome::Failed : Outcome::Succeeded;
            error_ = instance.error;
        }
        if (outcome_ == Outcome::Succeeded) outputs_ = instance.outputs.parameters;
        return;
    }
    if (owner->task->iterator) {
        --owner->open_items;
        return next_iterations(*owner);
    }
    owner->outputs = instance.outputs;
    if (instance.failed) return end(*owner, TaskState::Failed, instance.error);
    end(*owner, instance.cancelled ? TaskState::Cancelled : TaskState::Succeeded);
}

std::vector<Work> Interpreter::take_ready() {
    return std::exchange(ready_, {});
}
std::vector<TaskChange> Interpreter::take_changes() {
    return std::exchange(changes_, {});
}

void Interpreter::report(const std::string& path, WorkResult result, Instant now) {
    const auto it = running_.find(path);
    expects(it != running_.end() && !it->second->retry_at, "a result for a task that does not run: " + path);
    Node& node = *it->second;
    node.made = std::max(node.made, result.made);
    if (result.succeeded) {
        running_.erase(it);
        node.outputs = std::move(result.outputs);
        end(node, TaskState::Succeeded);
    } else if (aborted_) {
        running_.erase(it);
        end(node, TaskState::Cancelled, std::move(result.error));
    } else if (++node.failures <= node.task->retry.count) {
        const ir::Retry& retry = node.task->retry;
        const double wait =
            static_cast<double>(retry.delay.count()) * std::pow(retry.factor, node.failures - 1);
        const double most = static_cast<double>(retry.delay_max.count());
        node.error = std::move(result.error);
        node.retry_at = now + Duration(static_cast<std::int64_t>(std::min(wait, most)));
        change(node);
    } else {
        running_.erase(it);
        end(node, TaskState::Failed, std::move(result.error));
    }
    settle();
}

void Interpreter::wake(Instant now) {
    for (const auto& [path, node] : running_)
        if (node->retry_at && *node->retry_at <= now) hand_out(*node);
}

std::optional<Instant> Interpreter::next_wake() const {
    std::optional<Instant> next;
    for (const auto& [path, node] : running_)
        if (node->retry_at && (!next || *node->retry_at < *next)) next = node->retry_at;
    return next;
}

void Interpreter::abort(Outcome outcome, std::string reason) {
    if (aborted_ || finished_) return;
    aborted_ = true;
    outcome_ = outcome;
    error_ = std::move(reason);
    std::vector<Node*> idle;
    for (const Work& work : ready_)
        idle.push_back(running_.at(work.path));
    for (const auto& [path, node] : running_)
        if (node->retry_at) idle.push_back(node);
    ready_.clear();
    for (Node* node : idle) {
        running_.erase(node->path);
        end(*node, TaskState::Cancelled, error_);
    }
    settle();
}

bool Interpreter::aborted() const {
    return aborted_;
}
bool Interpreter::finished() const {
    return finished_;
}
Outcome Interpreter::outcome() const {
    return outcome_;
}
const std::string& Interpreter::error() const {
    return error_;
}
const std::map<std::string, cel::Value>& Interpreter::outputs() const {
    return outputs_;
}

void Interpreter::change(const Node& node) {
    changes_.push_back({node.path, node.state, node.failures + (node.ended ? 0 : 1), node.error});
    if (node.ended && node.failures == 0) changes_.back().attempt = 1;
    changes_.back().attempt = std::max(changes_.back().attempt, 1);
}

} // namespace weir::flows::local
