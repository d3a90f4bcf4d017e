#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/document.hpp>
#include <weir/cel/value.hpp>
#include <weir/flows/records.hpp>

/// KFP pipeline IR (schema 2.1.0) as plain structs. Source of the rules: kubeflow/pipelines
/// api/v2alpha1/pipeline_spec.proto and the IR that kfp 2.9 to 2.17 compile.
namespace weir::flows::ir {

/// ParameterTypeEnum; the last two are injected by the runner and never given by a user.
enum class Type : std::uint8_t {
    Integer,
    Double,
    String,
    Boolean,
    List,
    Struct,
    TaskFinalStatus,
    TaskConfig
};

struct ArtifactType {
    std::string title; ///< schemaTitle, "system.Model"
    std::string version;
    std::string instance_schema;
    bool operator==(const ArtifactType&) const = default;
};

struct ParameterInput {
    Type type = Type::String;
    bool optional = false;
    std::optional<cel::Value> default_value;
    std::string description;
    std::vector<cel::Value> literals;
};
struct ArtifactInput {
    ArtifactType type;
    bool list = false;
    bool optional = false;
};
struct ArtifactOutput {
    ArtifactType type;
    bool list = false;
    cel::Value metadata; ///< null or a map
};

/// Where a task's parameter comes from.
struct ParameterSource {
    enum class Kind : std::uint8_t { Constant, TaskOutput, ComponentInput, FinalStatus };
    Kind kind = Kind::Constant;
    cel::Value constant;
    std::string task; ///< TaskOutput, FinalStatus
    std::string key;  ///< the output of the task, or the input of the enclosing component
    /// Keys picked out of the value after parsing it as JSON: `parseJson(string_value)["a"]["b"]`.
    std::optional<std::vector<std::string>> selector;
};
struct ArtifactSource {
    bool from_task = false; ///< else the enclosing component's input
    std::string task;
    std::string key;
};

/// A loop (dsl.ParallelFor): one child DAG per item.
struct Iterator {
    bool artifacts = false;
    std::optional<cel::Value> raw; ///< the items themselves; else `input` names a task input that has them
    std::string input;
    std::string item_input;
    std::size_t parallel = 0; ///< iterations at a time; 0: no limit
};

struct Retry {
    int count = 0; ///< attempts after the first
    Duration delay{0};
    double factor = 2.0;
    Duration delay_max = std::chrono::hours(1);
};

struct Task {
    std::string name;
    std::string display_name;
    std::string component;
    std::map<std::string, ParameterSource> parameters;
    std::map<std::string, ArtifactSource> artifacts;
    std::vector<std::string> upstream;   ///< every task it waits for
    std::vector<std::string> downstream; ///< the same arrows, turned round
    std::string condition;               ///< CEL; empty: none
    bool on_completion = false;          ///< ALL_UPSTREAM_TASKS_COMPLETED: runs whatever became of the others
    std::optional<Iterator> iterator;
    Retry retry;
    Place place;
};

/// Which task's output becomes an output of the DAG. Several: the one that was made (dsl.OneOf).
struct Selector {
    std::string task;
    std::string key;
};

struct Dag {
    std::map<std::string, Task> tasks;
    std::map<std::string, std::vector<Selector>> parameters;
    std::map<std::string, std::vector<Selector>> artifacts;
};

struct Component {
    std::string name;
    std::map<std::string, ParameterInput> parameters;
    std::map<std::string, ArtifactInput> artifacts;
    std::map<std::string, Type> output_parameters;
    std::map<std::string, ArtifactOutput> output_artifacts;
    std::optional<Dag> dag;
    std::string executor; ///< if there is no DAG
    Place place;
};

struct Executor {
    enum class Kind : std::uint8_t { Container, Importer, Resolver, CustomJob };
    std::string name;
    Kind kind = Kind::Container;
    std::string image;
    std::vector<std::string> command;
    std::vector<std::string> args;
    std::vector<std::pair<std::string, std::string>> env;
    // Importer
    std::string uri;       ///< a constant, or
    std::string uri_input; ///< the name of the input that has it
    ArtifactType type;
    cel::Value metadata;
    bool download_to_workspace = false;
    Place place;
};

struct Pipeline {
    std::string name;
    std::string description;
    std::string sdk_version;
    std::map<std::string, Component> components;
    std::map<std::string, Executor> executors;
    Component root;
    std::vector<std::string> notes; ///< what is known and has no effect here: caching, resources, platform
};

/// Documented limits, beside those of the text (DocumentLimits).
inline constexpr std::size_t tasks_max = 10'000; ///< in one DAG
inline constexpr std::size_t components_max = 10'000;
inline constexpr std::size_t nesting_max = 32;   ///< DAGs within DAGs
inline constexpr std::size_t inputs_max = 1'000; ///< of one component

/// Reads one pipeline: YAML of one document (the pipeline) or two (the platform's), or JSON. Everything is
/// checked: fields and their types, references between tasks, components, executors, inputs and outputs,
/// cycles, conditions (compiled), selectors, limits. All faults found are added with file:line:column; then
/// there is no pipeline. Thread-safe.
std::optional<Pipeline> read_pipeline(std::string_view text, std::string_view file, Problems& problems);

/// The parameters a user may give: those of the root.
std::vector<Parameter> declared_parameters(const Pipeline& pipeline);

/// What this machine cannot run: missing commands (looked up in `path`, a PATH value), executors and features
/// that are not built. Each a sentence; empty: nothing stands in the way.
std::vector<std::string> not_runnable(const Pipeline& pipeline, std::string_view path);

/// A lightweight Python component, taken apart: what its command line would do with `sh` and `pip`.
struct PythonStep {
    std::vector<std::vector<std::string>> installs; ///< arguments of each `pip install`, in order
    std::string source;                             ///< the component's module
    std::vector<std::string> arguments;             ///< of kfp.dsl.executor_main: command's rest, then args
};
/// Nothing if the executor is not of that form; then it is a command like any other.
std::optional<PythonStep> python_step(const Executor& executor);

/// The program a command's first word stands for: absolute if it has a slash, else looked up in `path`.
std::optional<std::string> find_command(std::string_view word, std::string_view path);

/// True for a whole-argument `{"Concat": ...}` or `{"IfPresent": ...}`.
bool is_structure_placeholder(std::string_view argument);

/// Names of the inputs of `{{$.name}}` placeholders that stand for something outside of inputs and outputs:
/// pipeline_job_name, pipeline_root...
const std::vector<std::string_view>& context_placeholders();

} // namespace weir::flows::ir
