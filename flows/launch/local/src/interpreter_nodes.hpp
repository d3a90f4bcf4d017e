#pragma once

#include <weir/flows/local/interpreter.hpp>

namespace weir::flows::local {

/// One DAG being run.
struct Interpreter::Instance {
    const ir::Component* component = nullptr;
    std::string path; ///< prefix of its tasks' paths, with the closing slash
    Values inputs;
    Node* owner = nullptr; ///< the task it implements; none for the root
    std::map<std::string, std::unique_ptr<Node>> nodes;
    std::size_t left = 0; ///< tasks not ended
    bool failed = false;
    bool cancelled = false;
    std::string error; ///< of the first task that failed
    Values outputs;
};

/// One task of a DAG being run.
struct Interpreter::Node {
    const ir::Task* task = nullptr;
    const ir::Component* component = nullptr;
    Instance* parent = nullptr;
    std::string path;
    std::size_t waiting = 0; ///< upstream tasks not ended
    TaskState state = TaskState::Pending;
    bool ended = false;
    bool not_begun = false; ///< skipped because something upstream failed
    std::string error;
    Values inputs;
    Values outputs;
    int failures = 0;
    std::optional<Instant> retry_at;
    int inputs_made = 1; ///< Work::inputs_made
    int made = 1;        ///< attempt of the run in which it became what it is: never before its inputs
    // A DAG has one child, a loop one an iteration.
    std::vector<std::unique_ptr<Instance>> children;
    std::vector<cel::Value> items;
    std::vector<Artifact> artifact_items;
    std::size_t item_count = 0;
    std::size_t next_item = 0;
    std::size_t open_items = 0;
};

} // namespace weir::flows::local
