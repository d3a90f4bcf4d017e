#pragma once

#include <map>
#include <memory>
#include <string>

#include <support/catch.hpp>

#include <weir/flows/ir.hpp>
#include <weir/flows/local/interpreter.hpp>

namespace weir::test {

/// Reads a pipeline that must be good.
inline std::shared_ptr<const flows::ir::Pipeline> good_pipeline(const std::string& text) {
    Problems problems;
    auto pipeline = flows::ir::read_pipeline(text, "test.yaml", problems);
    for (const Problem& problem : problems)
        UNSCOPED_INFO(problem.to_string());
    REQUIRE(pipeline);
    return std::make_shared<const flows::ir::Pipeline>(std::move(*pipeline));
}

/// A pipeline of `components` (YAML under "components:") and `tasks` (YAML under root's "dag: {tasks: ...}"),
/// beside one executor `exec` that all leaf components may use.
inline std::string pipeline_text(const std::string& components, const std::string& tasks,
                                 const std::string& inputs = "{}", const std::string& rest = "") {
    return "schemaVersion: 2.1.0\npipelineInfo: {name: test}\n"
           "deploymentSpec: {executors: {exec: {container: {image: none, command: [echo]}}}}\n"
           "components:\n" +
           components + "\nroot:\n  inputDefinitions: " + inputs + "\n" + rest + "  dag:\n    tasks:\n" +
           tasks + "\n";
}

/// Runs a pipeline by hand: each task succeeds with no outputs unless `results` says otherwise.
class Player {
  public:
    explicit Player(std::shared_ptr<const flows::ir::Pipeline> pipeline, const std::string& arguments = "{}")
        : machine(std::move(pipeline), *cel::from_json(arguments), {"run-1", "/root", "/work", from_ns(0)}) {}

    /// Plays until nothing is left to do; returns the order in which tasks ran, "a b c".
    std::string play() {
        std::string order;
        for (;;) {
            const auto ready = machine.take_ready();
            if (ready.empty()) {
                const auto wake = machine.next_wake();
                if (!wake) break;
                now = *wake;
                machine.wake(now);
                continue;
            }
            for (const auto& work : ready) {
                order += (order.empty() ? "" : " ") + work.path;
                inputs[work.path] = work.inputs;
                flows::local::WorkResult result;
                result.succeeded = true;
                if (const auto it = results.find(work.path); it != results.end()) result = it->second;
                if (auto it = failures.find(work.path); it != failures.end() && it->second-- > 0) {
                    result.succeeded = false;
                    result.error = "broken";
                }
                machine.report(work.path, result, now);
            }
        }
        for (const auto& change : machine.take_changes())
            states[change.path] = std::string(flows::to_string(change.state));
        return order;
    }
    void gives(const std::string& path, const std::string& outputs) {
        flows::local::WorkResult& result = results[path];
        result.succeeded = true;
        const auto values = cel::from_json(outputs);
        for (const auto& [key, value] : values->as_map())
            result.outputs.parameters.emplace(std::string(key.as_string()), value);
    }
    [[nodiscard]] std::string input(const std::string& path, const std::string& name) const {
        const auto& parameters = inputs.at(path).parameters;
        const auto it = parameters.find(name);
        return it == parameters.end() ? "absent" : *cel::to_json(it->second);
    }

    flows::local::Interpreter machine;
    Instant now{};
    std::map<std::string, int> failures;
    std::map<std::string, flows::local::WorkResult> results;
    std::map<std::string, flows::local::Values> inputs;
    std::map<std::string, std::string> states;
};

} // namespace weir::test
