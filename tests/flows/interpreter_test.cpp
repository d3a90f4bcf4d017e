#include <weir/flows/local/interpreter.hpp>

#include "pipelines.hpp"

using namespace weir;
using namespace weir::flows;
using weir::test::good_pipeline;
using weir::test::pipeline_text;
using weir::test::Player;

namespace {

const std::string plain = "  c: {executorLabel: exec}\n";

std::string task(const std::string& name, const std::string& rest = "") {
    return "      " + name + ": {componentRef: {name: c}" + (rest.empty() ? "" : ", " + rest) + "}\n";
}

} // namespace

TEST_CASE("tasks run in the order of their dependencies, independent ones at once", "[interpreter]") {
    Player run(good_pipeline(pipeline_text(plain, task("a") + task("b", "dependentTasks: [a]") +
                                                      task("c", "dependentTasks: [a]") +
                                                      task("d", "dependentTasks: [b, c]"))));
    auto ready = run.machine.take_ready();
    REQUIRE(ready.size() == 1);
    CHECK(ready[0].path == "a");
    run.machine.report("a", {true, {}, ""}, {});
    ready = run.machine.take_ready();
    REQUIRE(ready.size() == 2);
    run.machine.report("b", {true, {}, ""}, {});
    CHECK(run.machine.take_ready().empty());
    run.machine.report("c", {true, {}, ""}, {});
    REQUIRE(run.machine.take_ready().size() == 1);
    CHECK_FALSE(run.machine.finished());
    run.machine.report("d", {true, {}, ""}, {});
    CHECK(run.machine.finished());
    CHECK(run.machine.outcome() == Outcome::Succeeded);
}

TEST_CASE("a failure stops what depends on it and nothing else", "[interpreter]") {
    Player run(good_pipeline(pipeline_text(
        plain,
        task("a") + task("after-a", "dependentTasks: [a]") +
            task("after-after", "dependentTasks: [after-a]") + task("b") +
            task("after-b", "dependentTasks: [b]") +
            task("always",
                 "dependentTasks: [after-a], triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}"))));
    run.failures["a"] = 1;
    CHECK(run.play() == "a b always after-b");
    CHECK(run.machine.finished());
    CHECK(run.machine.outcome() == Outcome::Failed);
    CHECK(run.machine.error() == "a: broken");
    CHECK(run.states["after-a"] == "skipped");
    CHECK(run.states["after-after"] == "skipped");
    CHECK(run.states["always"] == "succeeded");
}

TEST_CASE("retries wait longer each time, up to the limit", "[interpreter]") {
    Player run(good_pipeline(
        pipeline_text(plain, task("a",
                                  "retryPolicy: {maxRetryCount: 3, backoffDuration: 10s, backoffFactor: 2.0, "
                                  "backoffMaxDuration: 15s}"))));
    SECTION("it comes right in the end") {
        run.failures["a"] = 3;
        CHECK(run.play() == "a a a a");
        CHECK(run.now == from_ns(0) + std::chrono::seconds(10 + 15 + 15));
        CHECK(run.machine.outcome() == Outcome::Succeeded);
    }
    SECTION("it does not") {
        run.failures["a"] = 9;
        CHECK(run.play() == "a a a a");
        CHECK(run.machine.outcome() == Outcome::Failed);
    }
    SECTION("nothing is ready before its time") {
        run.machine.take_ready();
        run.machine.report("a", {false, {}, "x"}, from_ns(5));
        run.machine.wake(from_ns(5) + std::chrono::seconds(10) - Duration(1));
        CHECK(run.machine.take_ready().empty());
        run.machine.wake(from_ns(5) + std::chrono::seconds(10));
        const auto ready = run.machine.take_ready();
        REQUIRE(ready.size() == 1);
        CHECK(ready[0].attempt == 2);
    }
}

TEST_CASE("conditions choose a branch, and OneOf takes its output", "[interpreter]") {
    const std::string components =
        "  c: {executorLabel: exec, outputDefinitions: {parameters: {out: {parameterType: STRING}}}}\n"
        "  branch:\n"
        "    inputDefinitions: {parameters: {flip: {parameterType: STRING}}}\n"
        "    outputDefinitions: {parameters: {made: {parameterType: STRING}}}\n"
        "    dag:\n"
        "      outputs: {parameters: {made: {valueFromParameter: {producerSubtask: leaf, outputParameterKey: "
        "out}}}}\n"
        "      tasks: {leaf: {componentRef: {name: c}}}\n"
        "  branches:\n"
        "    inputDefinitions: {parameters: {flip: {parameterType: STRING}}}\n"
        "    outputDefinitions: {parameters: {one: {parameterType: STRING}}}\n"
        "    dag:\n"
        "      outputs:\n"
        "        parameters:\n"
        "          one: {valueFromOneof: {parameterSelectors: [{producerSubtask: heads, outputParameterKey: "
        "made}, "
        "{producerSubtask: tails, outputParameterKey: made}]}}\n"
        "      tasks:\n"
        "        heads:\n"
        "          componentRef: {name: branch}\n"
        "          inputs: {parameters: {flip: {componentInputParameter: flip}}}\n"
        "          triggerPolicy: {condition: 'inputs.parameter_values[''flip''] == ''heads'''}\n"
        "        tails:\n"
        "          componentRef: {name: branch}\n"
        "          inputs: {parameters: {flip: {componentInputParameter: flip}}}\n"
        "          triggerPolicy: {condition: '!(inputs.parameter_values[''flip''] == ''heads'')'}\n";
    const std::string tasks =
        "      choose:\n        componentRef: {name: branches}\n"
        "        inputs: {parameters: {flip: {componentInputParameter: flip}}}\n";
    Player run(good_pipeline(
                   pipeline_text(components, tasks, "{parameters: {flip: {parameterType: STRING}}}",
                                 "  outputDefinitions: {parameters: {result: {parameterType: STRING}}}\n") +
                   "    outputs: {parameters: {result: {valueFromParameter: {producerSubtask: choose, "
                   "outputParameterKey: one}}}}\n"),
               R"({"flip":"tails"})");
    run.gives("choose/tails/leaf", R"({"out":"T"})");
    CHECK(run.play() == "choose/tails/leaf");
    CHECK(run.states["choose/heads"] == "skipped");
    REQUIRE(run.machine.outputs().contains("result"));
    CHECK(*cel::to_json(run.machine.outputs().at("result")) == "\"T\"");
}

TEST_CASE("what comes after a skipped task is skipped, and that is no failure", "[interpreter]") {
    Player run(good_pipeline(pipeline_text(
        plain,
        task("a", "triggerPolicy: {condition: 'false'}") + task("b", "dependentTasks: [a]") +
            task("c", "dependentTasks: [b], triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}"))));
    CHECK(run.play() == "c");
    CHECK(run.states["b"] == "skipped");
    CHECK(run.machine.outcome() == Outcome::Succeeded);
}

TEST_CASE("a condition that errs fails its task", "[interpreter]") {
    Player run(good_pipeline(pipeline_text(
        plain,
        task("a", "triggerPolicy: {condition: 'int(inputs.parameter_values[''x'']) > 1'}") + task("b"))));
    CHECK(run.play() == "b");
    CHECK(run.machine.outcome() == Outcome::Failed);
    CHECK(run.machine.error().starts_with("a: its condition"));
}

TEST_CASE("an exit handler learns the final status", "[interpreter]") {
    const std::string components =
        "  c: {executorLabel: exec}\n"
        "  notify: {executorLabel: exec, inputDefinitions: {parameters: {status: {parameterType: "
        "TASK_FINAL_STATUS, "
        "isOptional: true}}}}\n"
        "  body: {dag: {tasks: {work: {componentRef: {name: c}}}}}\n";
    const std::string tasks =
        "      exit-handler-1: {componentRef: {name: body}}\n"
        "      tell:\n        componentRef: {name: notify}\n        dependentTasks: [exit-handler-1]\n"
        "        inputs: {parameters: {status: {taskFinalStatus: {producerTask: exit-handler-1}}}}\n"
        "        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}\n";
    Player run(good_pipeline(pipeline_text(components, tasks)));
    const auto status = [&] { return *cel::from_json(run.input("tell", "status")); };
    SECTION("of a success") {
        CHECK(run.play() == "exit-handler-1/work tell");
        CHECK(status().find("state")->as_string() == "SUCCEEDED");
        CHECK(status().find("error")->as_map().empty());
        CHECK(run.machine.outcome() == Outcome::Succeeded);
    }
    SECTION("of a failure, which stays one") {
        run.failures["exit-handler-1/work"] = 1;
        CHECK(run.play() == "exit-handler-1/work tell");
        CHECK(status().find("state")->as_string() == "FAILED");
        CHECK(status().find("error")->find("message")->as_string() ==
              "Task exit-handler-1 failed: exit-handler-1/work: broken");
        CHECK(status().find("pipelineTaskName")->as_string() == "exit-handler-1");
        CHECK(run.machine.outcome() == Outcome::Failed);
        CHECK(run.machine.error() == "exit-handler-1/work: broken");
    }
}

TEST_CASE("parameters: defaults, optionals, constants with placeholders", "[interpreter]") {
    const std::string components =
        "  c:\n    executorLabel: exec\n    inputDefinitions:\n      parameters:\n"
        "        text: {parameterType: STRING}\n"
        "        with_default: {parameterType: NUMBER_INTEGER, defaultValue: 5.0, isOptional: true}\n"
        "        without: {parameterType: STRING, isOptional: true}\n"
        "        list: {parameterType: LIST}\n";
    const std::string tasks =
        "      a:\n        componentRef: {name: c}\n        inputs:\n          parameters:\n"
        "            text: {runtimeValue: {constant: 'got {{$.inputs.parameters[''chan'']}} of "
        "{{$.pipeline_job_uuid}}'}}\n"
        "            chan: {componentInputParameter: name}\n"
        "            list: {runtimeValue: {constant: [1.0, 'x', {y: 2}]}}\n";
    Player run(
        good_pipeline(pipeline_text(components, tasks, "{parameters: {name: {parameterType: STRING}}}")),
        R"({"name":"{{$.pipeline_root}} {{$.inputs.parameters['chan']}}"})");
    CHECK(run.play() == "a");
    CHECK(run.input("a", "with_default") == "5");
    CHECK(run.input("a", "without") == "absent");
    CHECK(run.input("a", "list") == R"([1,"x",{"y":2}])");
    // Text from outside is never looked into, whatever it looks like.
    CHECK(run.input("a", "text") == R"("got {{$.pipeline_root}} {{$.inputs.parameters['chan']}} of run-1")");
    CHECK(run.input("a", "chan") == R"("{{$.pipeline_root}} {{$.inputs.parameters['chan']}}")");
}

TEST_CASE("loops run each item, collect outputs in order and keep their limit", "[interpreter]") {
    const std::string components =
        "  c: {executorLabel: exec, inputDefinitions: {parameters: {n: {parameterType: NUMBER_INTEGER}}}, "
        "outputDefinitions: {parameters: {out: {parameterType: NUMBER_INTEGER}}}}\n"
        "  sum: {executorLabel: exec, inputDefinitions: {parameters: {all: {parameterType: LIST}}}}\n"
        "  body:\n    inputDefinitions: {parameters: {item: {parameterType: STRUCT}}}\n"
        "    outputDefinitions: {parameters: {outs: {parameterType: LIST}}}\n"
        "    dag:\n"
        "      outputs: {parameters: {outs: {valueFromParameter: {producerSubtask: leaf, outputParameterKey: "
        "out}}}}\n"
        "      tasks:\n        leaf:\n          componentRef: {name: c}\n"
        "          inputs: {parameters: {n: {componentInputParameter: item, parameterExpressionSelector: "
        "'parseJson(string_value)[\"a\"]'}}}\n";
    const std::string tasks =
        "      loop:\n        componentRef: {name: body}\n"
        "        iteratorPolicy: {parallelismLimit: 2}\n"
        "        parameterIterator: {itemInput: item, items: {raw: '[{\"a\": 1}, {\"a\": 2}, {\"a\": 3}]'}}\n"
        "      total:\n        componentRef: {name: sum}\n        dependentTasks: [loop]\n"
        "        inputs: {parameters: {all: {taskOutputParameter: {producerTask: loop, outputParameterKey: "
        "outs}}}}\n";
    Player run(good_pipeline(pipeline_text(components, tasks)));
    SECTION("all succeed") {
        for (int i = 0; i < 3; ++i)
            run.gives("loop." + std::to_string(i) + "/leaf", "{\"out\":" + std::to_string(10 * i) + "}");
        CHECK(run.play() == "loop.0/leaf loop.1/leaf loop.2/leaf total");
        CHECK(run.input("loop.2/leaf", "n") == "3");
        CHECK(run.input("total", "all") == "[0,10,20]");
    }
    SECTION("two at a time") {
        CHECK(run.machine.take_ready().size() == 2);
        run.machine.report("loop.1/leaf", {true, {}, ""}, {});
        const auto ready = run.machine.take_ready();
        REQUIRE(ready.size() == 1);
        CHECK(ready[0].path == "loop.2/leaf");
    }
    SECTION("one fails") {
        run.failures["loop.1/leaf"] = 1;
        CHECK(run.play() == "loop.0/leaf loop.1/leaf loop.2/leaf");
        CHECK(run.machine.outcome() == Outcome::Failed);
        CHECK(run.machine.error() == "loop.1/leaf: broken");
    }
}

TEST_CASE("a loop without items ends at once with empty lists", "[interpreter]") {
    const std::string components =
        "  c: {executorLabel: exec, outputDefinitions: {parameters: {out: {parameterType: STRING}}}}\n"
        "  body:\n    inputDefinitions: {parameters: {item: {parameterType: STRING}}}\n"
        "    outputDefinitions: {parameters: {outs: {parameterType: LIST}}}\n    dag:\n"
        "      outputs: {parameters: {outs: {valueFromParameter: {producerSubtask: leaf, outputParameterKey: "
        "out}}}}\n"
        "      tasks: {leaf: {componentRef: {name: c}}}\n";
    const std::string tasks =
        "      loop:\n        componentRef: {name: body}\n        inputs: {parameters: {items: "
        "{componentInputParameter: items}}}\n"
        "        parameterIterator: {itemInput: item, items: {inputParameter: items}}\n";
    const std::string text =
        pipeline_text(components, tasks, "{parameters: {items: {parameterType: LIST, defaultValue: []}}}");
    Player empty(good_pipeline(text));
    CHECK(empty.play().empty());
    CHECK(empty.machine.finished());
    CHECK(empty.machine.outcome() == Outcome::Succeeded);
    std::string many = "[0";
    for (int i = 0; i < 30'000; ++i)
        many += ",0";
    Player endless(good_pipeline(text), "{\"items\":" + many + "]}");
    CHECK(endless.play().empty());
    CHECK(endless.machine.outcome() == Outcome::Failed);
    CHECK(endless.machine.error().find("20000") != std::string::npos);
}

TEST_CASE("an aborted run begins nothing and ends when its tasks have", "[interpreter]") {
    Player run(good_pipeline(
        pipeline_text(plain, task("a") + task("b", "retryPolicy: {maxRetryCount: 2, backoffDuration: 60s}") +
                                 task("c", "dependentTasks: [a]") + task("d", "dependentTasks: [c]"))));
    CHECK(run.machine.take_ready().size() == 2);
    run.machine.report("b", {false, {}, "x"}, from_ns(0));
    run.machine.abort(Outcome::Cancelled, "asked to");
    CHECK_FALSE(run.machine.finished());
    CHECK_FALSE(run.machine.next_wake());
    run.machine.report("a", {false, {}, "stopped"}, from_ns(0));
    CHECK(run.machine.take_ready().empty());
    CHECK(run.machine.finished());
    CHECK(run.machine.outcome() == Outcome::Cancelled);
    CHECK(run.machine.error() == "asked to");
    CHECK(run.play().empty());
    for (const char* name : {"a", "b", "c", "d"})
        CHECK(run.states[name] == "cancelled");
}

TEST_CASE("a long chain of skipped tasks is no deep recursion", "[interpreter]") {
    std::string tasks = task("t0", "triggerPolicy: {condition: 'false'}");
    for (int i = 1; i < 9'000; ++i)
        tasks += task("t" + std::to_string(i), "dependentTasks: [t" + std::to_string(i - 1) + "]");
    Player run(good_pipeline(pipeline_text(plain, tasks)));
    CHECK(run.play().empty());
    CHECK(run.machine.outcome() == Outcome::Succeeded);
}

TEST_CASE("work says in which attempt of the run its inputs were made, through DAGs and skipped tasks",
          "[interpreter]") {
    const std::string components = std::string(plain) +
                                   "  dag: {dag: {tasks: {x: {componentRef: {name: c}}, y: {componentRef: "
                                   "{name: c}, dependentTasks: [x]}}}}";
    Player run(good_pipeline(pipeline_text(
        components, task("a") + task("b") +
                        "      d: {componentRef: {name: dag}, dependentTasks: [a]}\n"
                        "      s: {componentRef: {name: c}, dependentTasks: [d], triggerPolicy: {condition: "
                        "\"false\"}}\n"
                        "      e: {componentRef: {name: c}, dependentTasks: [b, s], triggerPolicy: "
                        "{strategy: ALL_UPSTREAM_TASKS_COMPLETED}}\n"
                        "      f: {componentRef: {name: c}, dependentTasks: [b]}\n")));
    std::map<std::string, int> made;
    for (auto ready = run.machine.take_ready(); !ready.empty(); ready = run.machine.take_ready())
        for (const auto& work : ready) {
            made[work.path] = work.inputs_made;
            const int attempt = work.path == "a" ? 2 : work.path == "d/x" ? 3 : 1;
            run.machine.report(work.path, {true, {}, {}, attempt}, from_ns(0));
        }
    CHECK(made == std::map<std::string, int>{{"a", 1}, {"b", 1}, {"d/x", 2}, {"d/y", 3}, {"e", 3}, {"f", 1}});
}
