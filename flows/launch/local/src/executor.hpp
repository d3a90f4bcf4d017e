#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <weir/flows/local/interpreter.hpp>
#include <weir/flows/local/supervisor.hpp>

namespace weir::flows::local {

/// One attempt of a task as it is turned into a process and back.
struct Attempt {
    const ir::Pipeline* pipeline = nullptr;
    const Work* work = nullptr;
    const Context* context = nullptr;
    std::filesystem::path folder; ///< tasks/<path>/@N; made by prepare()
    std::filesystem::path python; ///< of the environment; for Python components
};

/// ExecutorInput as JSON: inputs, and where outputs go (below the attempt's folder).
std::string executor_input(const Attempt& attempt);

/// Fills in the placeholders of a command (KFP: container command and args, Concat, IfPresent). One pass:
/// text that came in by a parameter is never looked into. `invalid` for a placeholder that stands for
/// nothing.
Result<std::vector<std::string>> expand_command(const Attempt& attempt,
                                                const std::vector<std::string>& command);

/// The same for every string of a value (an importer's metadata).
Result<cel::Value> expand_value(const Attempt& attempt, const cel::Value& value);

/// Makes the attempt's folders and files, and fills argv, file and cwd of `request`. Commands are looked up
/// in `path`. Long arguments of Python components go by a file; those of other commands are an error.
Status prepare(const Attempt& attempt, const std::string& path, SpawnRequest& request);

/// The environment entries a container's executor names, expanded.
Result<std::vector<std::pair<std::string, std::string>>> executor_environment(const Attempt& attempt);

/// Reads what a task that ended well has made: executor_output.json, then files of output parameters.
Result<Values> collect(const Attempt& attempt);

/// Runs an importer: no process, one artifact (copied into the workspace if asked for).
Result<Values> run_importer(const Attempt& attempt);

} // namespace weir::flows::local
