#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/cel/value.hpp>
#include <weir/flows/ir.hpp>
#include <weir/flows/launcher.hpp>

namespace weir::flows::local {

struct Artifact {
    std::string name;
    ir::ArtifactType type;
    std::string uri; ///< a bare absolute path for what was made here
    std::string custom_path;
    cel::Value metadata; ///< null or a map
};

/// What goes into a task or comes out of it.
struct Values {
    std::map<std::string, cel::Value> parameters;
    std::map<std::string, std::vector<Artifact>> artifacts;
};

/// A task to be run: one attempt of one executor.
struct Work {
    std::string path; ///< "for-loop-2.0/train"
    int attempt = 1;  ///< counts failures; attempts that weir's death interrupted are the runner's to number
    const ir::Task* task = nullptr;
    const ir::Component* component = nullptr;
    const ir::Executor* executor = nullptr;
    Values inputs;
    /// The newest attempt of the run in which something was made that this task waits for, 1 and up. What the
    /// task itself made before that attempt was made from other inputs and does not count.
    int inputs_made = 1;
};

struct WorkResult {
    bool succeeded = false;
    Values outputs;
    std::string error; ///< one line
    int made = 1;      ///< in which attempt of the run
};

/// A change of a task's state, in order.
struct TaskChange {
    std::string path;
    TaskState state = TaskState::Pending;
    int attempt = 1;
    std::string error;
};

/// What placeholders of the context stand for.
struct Context {
    std::string run;
    std::string pipeline_root;
    std::string workspace;
    Instant created{};
};

/// One run of a pipeline as a pure state machine: which tasks are ready with which inputs, what is skipped,
/// what failed, when all is done. No processes, no clock, no files: the same calls give the same answers,
/// which is how a run is resumed (the results recorded are fed in again).
///
/// | upstream (all ended)      | default strategy      | ALL_UPSTREAM_TASKS_COMPLETED |
/// |---------------------------|-----------------------|------------------------------|
/// | all succeeded             | runs                  | runs                         |
/// | one failed, or not begun  | does not begin        | runs                         |
/// | none failed, one skipped  | skipped               | runs                         |
///
/// A condition that is false skips a task; one that errs fails it. A DAG fails if one of its tasks failed;
/// the others go on (exit handlers too). Tasks that never began because of a failure count as skipped. Owner:
/// loop-confined. Limits: `instances_max` tasks over all loops; past it the run fails.
class Interpreter {
  public:
    static constexpr std::size_t instances_max = 20'000;

    /// `arguments`: an object as bind_arguments() gives it. The pipeline is kept.
    Interpreter(std::shared_ptr<const ir::Pipeline> pipeline, const cel::Value& arguments, Context context);
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    /// What has become ready since the last call. Each is answered by exactly one report().
    std::vector<Work> take_ready();
    /// The end of an attempt. `now` is when it ended: retries wait from then on.
    void report(const std::string& path, WorkResult result, Instant now);
    /// Retries whose time has come become ready.
    void wake(Instant now);
    /// When wake() is due, if it is.
    [[nodiscard]] std::optional<Instant> next_wake() const;
    /// Ends the run with `outcome` (Cancelled, Failed): nothing begins any more; what runs is to be stopped
    /// by the caller and reported as it ends.
    void abort(Outcome outcome, std::string reason);

    [[nodiscard]] bool aborted() const;
    [[nodiscard]] bool finished() const;
    /// Of a finished run.
    [[nodiscard]] Outcome outcome() const;
    [[nodiscard]] const std::string& error() const;
    [[nodiscard]] const std::map<std::string, cel::Value>& outputs() const;
    /// Changes since the last call.
    std::vector<TaskChange> take_changes();

  private:
    struct Instance;
    struct Node;

    void fill(Instance& instance);
    void open(Node& owner, std::string path, Values inputs);
    void begin(Node& node);
    bool gate(Node& node);
    void begin_loop(Node& node);
    void next_iterations(Node& node);
    void hand_out(Node& node);
    void end(Node& node, TaskState state, std::string error = {});
    void settle();
    void draw_consequences(Node& node);
    void close(Instance& instance);
    Result<Values> resolve(const Node& node) const;
    Result<cel::Value> resolve_parameter(const Node& node, const ir::ParameterSource& source,
                                         bool& absent) const;
    std::vector<Artifact> resolve_artifact(const Node& node, const ir::ArtifactSource& source) const;
    cel::Value final_status(const Node& producer) const;
    cel::Value expand(const cel::Value& value, const Node* node, const Values& inputs) const;
    void change(const Node& node);

    std::shared_ptr<const ir::Pipeline> pipeline_;
    Context context_;
    std::unique_ptr<Instance> root_;
    std::map<std::string, Node*> running_; ///< handed out or waiting for a retry, by path
    std::deque<Node*> ended_;              ///< their consequences are still to be drawn
    std::vector<Work> ready_;
    std::vector<TaskChange> changes_;
    std::map<std::string, cel::Value> outputs_;
    std::size_t instances_ = 0;
    bool aborted_ = false;
    bool finished_ = false;
    bool settling_ = false;
    Outcome outcome_ = Outcome::Succeeded;
    std::string error_;
};

/// Replaces `{{$...}}` in a text in one pass (what is put in is never looked at again). Nullopt from `find`
/// leaves the placeholder as it stands.
template <class Find>
std::string replace_placeholders(std::string_view text, Find&& find) {
    std::string out;
    std::size_t at = 0;
    for (;;) {
        const std::size_t start = text.find("{{$", at);
        const std::size_t end = start == std::string_view::npos ? start : text.find("}}", start);
        if (end == std::string_view::npos) break;
        out.append(text.substr(at, start - at));
        const std::string_view whole = text.substr(start, end + 2 - start);
        std::optional<std::string> value = find(whole.substr(2, whole.size() - 4));
        out += value ? *value : std::string(whole);
        at = end + 2;
    }
    return out.append(text.substr(at));
}

/// What a placeholder of the context ("$.pipeline_job_uuid"...) stands for in the task at `path`.
std::optional<std::string> context_value(std::string_view name, const Context& context,
                                         const ir::Pipeline& pipeline, std::string_view path,
                                         std::string_view task);

/// The name between the quotes of `$.inputs.parameters['name']`, and what follows the bracket; empty if the
/// text does not begin with `prefix`. Doubled quotes, as some YAML has them, are taken too.
struct Selected {
    std::string name;
    std::string rest;
};
std::optional<Selected> select_placeholder(std::string_view text, std::string_view prefix);

/// A parameter as text: strings as they are, all else compact JSON.
std::string plain_text(const cel::Value& value);

} // namespace weir::flows::local
