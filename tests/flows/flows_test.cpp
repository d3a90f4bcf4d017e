#include <weir/flows/arguments.hpp>
#include <weir/flows/document.hpp>
#include <weir/flows/registry.hpp>

#include <fstream>
#include <sstream>

#include "pipelines.hpp"

using namespace weir;
using namespace weir::flows;

namespace {

Parameter parameter(const std::string& name, ParameterType type, bool optional = false) {
    Parameter made;
    made.name = name;
    made.type = type;
    made.optional = optional;
    return made;
}

const std::vector<Parameter>& all_types() {
    static const std::vector<Parameter> list = {
        parameter("i", ParameterType::Integer, true), parameter("d", ParameterType::Double, true),
        parameter("s", ParameterType::String, true),  parameter("b", ParameterType::Boolean, true),
        parameter("l", ParameterType::List, true),    parameter("m", ParameterType::Struct, true)};
    return list;
}

std::string bound(const std::string& arguments) {
    const auto result = bind_arguments(all_types(), arguments);
    return result.ok() ? *result : "error: " + result.error().message;
}

const std::string good_text = test::pipeline_text(
    "  c: {executorLabel: exec, inputDefinitions: {parameters: {rows: {parameterType: NUMBER_INTEGER}}}}\n",
    "      a: {componentRef: {name: c}, inputs: {parameters: {rows: {componentInputParameter: rows}}}}\n",
    "{parameters: {rows: {parameterType: NUMBER_INTEGER, defaultValue: 3.0}, day: {parameterType: STRING}}}");

PipelineLoader loader() {
    return [](const std::string& path) -> Result<std::string> {
        if (path == "train.yaml") return good_text;
        return not_found("there is no file " + path);
    };
}

std::string first_problem(const std::string& text) {
    Problems problems;
    const auto flows = read_flows(text, "flow.yaml", loader(), problems);
    CHECK(flows.empty());
    return problems.empty() ? "none" : problems.front().to_string();
}

/// What is wrong with a pipeline, all of it in one line.
std::string faults(const std::string& text) {
    Problems problems;
    const auto pipeline = ir::read_pipeline(text, "p.yaml", problems);
    CHECK(pipeline.has_value() == problems.empty());
    std::string all;
    for (const Problem& problem : problems)
        all += (all.empty() ? "" : " | ") + problem.to_string();
    return all;
}

bool has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return true;
    UNSCOPED_INFO(text);
    return false;
}

} // namespace

TEST_CASE("arguments keep their kind; only numbers convert, by value", "[arguments]") {
    CHECK(bound(R"({"i":1,"d":1.5,"s":"x","b":true,"l":[1],"m":{"k":1}})") ==
          R"({"b":true,"d":1.5,"i":1,"l":[1],"m":{"k":1},"s":"x"})");
    CHECK(bound(R"({"i":3.0})") == R"({"i":3})");
    CHECK(bound(R"({"i":3e2,"d":3})") == R"({"d":3,"i":300})");
    CHECK(bound(R"({"i":null,"s":null})") == "{}");
    CHECK(has(bound(R"({"i":3.5})"), "\"i\" must be a whole number"));
    CHECK(has(bound(R"({"i":"3"})"), "not the string \"3\""));
    CHECK(has(bound(R"({"i":true})"), "not true"));
    CHECK(has(bound(R"({"i":9007199254740992})"), "2^53"));
    CHECK(has(bound(R"({"s":3})"), "must be a string"));
    CHECK(has(bound(R"({"b":1})"), "true or false"));
    CHECK(has(bound(R"({"b":"true"})"), "true or false"));
    CHECK(has(bound(R"({"l":{}})"), "must be a list"));
    CHECK(has(bound(R"({"m":[]})"), "must be an object"));
    CHECK(has(bound(R"({"j":1})"), "there is no parameter \"j\""));
    CHECK(has(bound("[]"), "JSON object"));
    CHECK(has(bound("{"), "error"));
}

TEST_CASE("arguments: all faults at once, suggestions, literals", "[arguments]") {
    auto region = parameter("region", ParameterType::String);
    region.literals_json = {"\"eu\"", "\"us\""};
    const std::vector<Parameter> declared = {parameter("rows", ParameterType::Integer), region};
    const auto result = bind_arguments(declared, R"({"row":1,"region":"moon"})");
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().kind == ErrorKind::Invalid);
    CHECK(has(result.error().message, "there is no parameter \"row\"; did you mean \"rows\"?"));
    CHECK(has(result.error().message, "\"rows\" (integer) is missing"));
    CHECK(has(result.error().message, "must be one of \"eu\", \"us\""));
    CHECK(*bind_arguments(declared, R"({"rows":1,"region":"us"})") == R"({"region":"us","rows":1})");
    CHECK(bind_arguments(declared, std::string(argument_bytes_max + 1, ' ')).error().kind ==
          ErrorKind::Exhausted);
}

TEST_CASE("a flow document gives a version made of its content", "[document]") {
    const std::string text =
        "flow: train\nteam: ads\nbackend: local\npipeline: train.yaml\ntimeout: 6h\ntask_timeout: 90m\n"
        "on_restart: fail\nlabels: {project: x}\nenv: {A: '1'}\nenv_pass: [AWS_*]\nparallel: 2\n";
    Problems problems;
    const auto flows = read_flows(text, "flow.yaml", loader(), problems);
    for (const Problem& problem : problems)
        UNSCOPED_INFO(problem.to_string());
    REQUIRE(flows.size() == 1);
    const FlowVersion& flow = flows[0];
    CHECK(flow.flow == "train");
    CHECK(flow.version.size() == 12);
    REQUIRE(flow.parameters.size() == 2);
    CHECK(flow.parameters[0].name == "day");
    CHECK_FALSE(flow.parameters[0].optional);
    CHECK(flow.parameters[1].default_json == "3");
    const auto settings = read_settings(flow.settings_json);
    REQUIRE(settings.ok());
    CHECK(settings->timeout == std::chrono::hours(6));
    CHECK(settings->task_timeout == std::chrono::minutes(90));
    CHECK(settings->on_restart == FlowSettings::OnRestart::Fail);
    CHECK(settings->parallel == 2);
    CHECK(settings->env_pass == std::vector<std::string>{"AWS_*"});
    CHECK(check_runnable(flow, "/usr/bin:/bin").empty());
    CHECK(has(check_runnable(flow, "/nowhere").at(0), "echo"));
    Problems none;
    CHECK(read_flows("# a comment\n" + text, "other.yaml", loader(), none)[0].version == flow.version);
    CHECK(read_flows(text + "description: more\n", "flow.yaml", loader(), none)[0].version != flow.version);
}

TEST_CASE("flow documents: what is wrong is said with its place", "[document]") {
    CHECK(has(first_problem("flow: a\nbackend: local\npipelin: x\n"), "flow.yaml:3:1"));
    CHECK(has(first_problem("flow: a\nbackend: local\npipelin: x\n"), "did you mean \"pipeline\"?"));
    CHECK(has(first_problem("flow: a\nbackend: local\n"), "needs the field \"pipeline\""));
    CHECK(has(first_problem("flow: a\nbackend: process\n"), "not built yet"));
    CHECK(has(first_problem("flow: a\nbackend: local\npipeline: nope.yaml\n"), "there is no file nope.yaml"));
    CHECK(has(first_problem("flow: a\nbackend: 'null'\npipeline: train.yaml\n"), "for backend local"));
    CHECK(has(first_problem("flow: a\nbackend: local\npipeline: train.yaml\noutcome: failed\n"),
              "for backend null"));
    CHECK(has(first_problem("flow: a b\nbackend: 'null'\n"), "flow.yaml:1:"));
    CHECK(has(first_problem("flow: a\nbackend: 'null'\nsettle_after: 5 bananas\n"), "flow.yaml:3:"));
    CHECK(has(first_problem("flow: a\nbackend: local\npipeline: train.yaml\nenv: {WEIR_X: y}\n"), "WEIR_X"));
    CHECK(has(first_problem("flow: a\nbackend: 'null'\nparameters: {x: {type: integer, default: y}}\n"),
              "the default of x must be a whole number"));
    CHECK(has(first_problem("flow: a\nbackend: 'null'\n---\nflow: a\nbackend: 'null'\n"), "second time"));
}

TEST_CASE("a flow of a Kubeflow backend names its pipeline and declares its parameters", "[document]") {
    Problems problems;
    const auto flows = read_flows(
        "flow: train\nteam: ads\nbackend: kubeflow\npipeline: training\nversion: v7\nexperiment: nightly\n"
        "display_name: '{flow} of {date} {}'\nreports: true\nlabels: {project: x}\n"
        "parameters:\n  day: {type: string, description: Of the data.}\n"
        "  rows: {type: integer, default: 3.0, literals: [3, 5]}\n  note: {type: string, optional: "
        "true}\n---\n"
        "flow: plain\nbackend: kfp-eu\npipeline: 0b6a2a3e-0000-4000-8000-000000000001\n---\n"
        "flow: spec\nbackend: kubeflow\npipeline: training\nspec: train.yaml\n",
        "f.yaml", loader(), problems);
    for (const auto& problem : problems)
        FAIL(problem.to_string());
    REQUIRE(flows.size() == 3);
    const auto& train = flows[0];
    CHECK(train.backend == "kubeflow");
    CHECK(train.pipeline.empty());
    REQUIRE(train.parameters.size() == 3);
    CHECK(train.parameters[0].name == "day");
    CHECK(!train.parameters[0].optional);
    CHECK(train.parameters[0].description == "Of the data.");
    CHECK(train.parameters[1].optional);
    CHECK(train.parameters[1].default_json.empty());
    CHECK(train.parameters[2].default_json == "3");
    CHECK(train.parameters[2].literals_json == std::vector<std::string>{"3", "5"});
    const auto settings = read_settings(train.settings_json);
    REQUIRE(settings.ok());
    CHECK(settings->pipeline == "training");
    CHECK(settings->version == "v7");
    CHECK(settings->experiment == "nightly");
    CHECK(settings->display_name == "{flow} of {date} {}");
    CHECK(settings->reports);
    CHECK(read_settings(flows[1].settings_json)->version.empty());
    CHECK(!read_settings(flows[1].settings_json)->reports);
    CHECK(flows[1].backend == "kfp-eu");
    // Read from the compiled pipeline beside the document.
    REQUIRE(flows[2].parameters.size() == 2);
    CHECK(flows[2].parameters[1].name == "rows");
    CHECK(flows[2].pipeline == good_text);
    CHECK(check_runnable(flows[2], "/nowhere").empty());
    CHECK(kind_of_backend("local") == BackendKind::Local);
    CHECK(kind_of_backend("null") == BackendKind::Null);
    CHECK(kind_of_backend("Local") == BackendKind::Kubeflow);
}

TEST_CASE("what is wrong with a flow of a Kubeflow backend is told with its place", "[document]") {
    const auto with = [](const std::string& lines) {
        return first_problem("flow: a\nbackend: kubeflow\npipeline: p\n" + lines + "\n");
    };
    CHECK(first_problem("flow: a\nbackend: kubeflow\n") ==
          "flow.yaml:2:10: a flow of a Kubeflow backend needs the field \"pipeline\": the name or id of a "
          "pipeline on the server");
    CHECK(with("spec: train.yaml\nparameters: {}") ==
          "flow.yaml:5:1: `spec` and `parameters` both say which parameters there are: leave one out");
    CHECK(has(with("spec: nope.yaml"), "flow.yaml:4:7: there is no file nope.yaml"));
    CHECK(with("timeout: 6h") ==
          "flow.yaml:4:10: timeout is for backend local, not for the Kubeflow backend \"kubeflow\"");
    CHECK(has(with("outcome: failed"), "outcome is for backend null, not for"));
    CHECK(has(with("env: {A: b}"), "env is for backend local"));
    CHECK(
        first_problem("flow: a\nbackend: locl\npipeline: p\nparallel: 3\n") ==
        "flow.yaml:4:11: parallel is for backend local, not for the Kubeflow backend \"locl\"; did you mean "
        "\"local\"?");
    CHECK(has(with("version: 3"), "flow.yaml:4:10: version: expected text"));
    CHECK(with("version: ''") == "flow.yaml:4:10: version: it is empty");
    CHECK(has(with("experiment: \"a\\nb\""), "a control character or a line break"));
    CHECK(has(with("experiment: \xf0\x9f\x98\x80"), "above U+FFFF"));
    CHECK(has(with("experiment: " + std::string(129, 'e')), "more than 128 characters"));
    CHECK(with("experiment: " + std::string(128, 'e')) == "none");
    std::string umlauts;
    for (int i = 0; i < 128; ++i)
        umlauts += "\xc3\xa4";
    CHECK(with("experiment: " + umlauts) == "none");
    CHECK(has(with("display_name: '{flwo} x'"), "there is no {flwo}; did you mean \"flow\"?"));
    CHECK(has(with("reports: 'yes'"), "reports: expected true or false"));
    CHECK(has(with("parameters: {x: {type: int}}"), "expected integer, double"));
    CHECK(has(with("parameters: {x: {type: integer, literals: 3}}"), "expected a list of values"));
    CHECK(has(with("parameters: {x: {type: integer, literals: [a]}}"), "flow.yaml:4:44: the literals of x"));
    CHECK(has(with("parameters: {x: {type: integer, literals: [1], default: 2}}"), "not among its literals"));
    for (const auto* field : {"version: v", "experiment: e", "display_name: d", "reports: true", "spec: s"}) {
        INFO(field);
        CHECK(
            has(first_problem("flow: a\nbackend: local\npipeline: train.yaml\n" + std::string(field) + "\n"),
                "is for Kubeflow backends, not for local"));
        CHECK(has(first_problem("flow: a\nbackend: 'null'\n" + std::string(field) + "\n"),
                  "is for Kubeflow backends, not for null"));
    }
    CHECK(has(first_problem("flow: a\nbackend: a b\npipeline: p\n"), "is not a name"));
}

TEST_CASE("backend null declares its parameters in the document", "[document]") {
    Problems problems;
    const auto flows = read_flows(
        "flow: t\nbackend: 'null'\nparameters: {n: {type: integer, default: 2}, s: {type: string}}\n"
        "settle_after: 5s\noutcome: failed\noutputs: {x: 1}\n",
        "flow.yaml", loader(), problems, "ads");
    for (const Problem& problem : problems)
        UNSCOPED_INFO(problem.to_string());
    REQUIRE(flows.size() == 1);
    CHECK(flows[0].team == "ads");
    REQUIRE(flows[0].parameters.size() == 2);
    CHECK(flows[0].parameters[0].default_json == "2");
    CHECK_FALSE(flows[0].parameters[1].optional);
    const auto settings = read_settings(flows[0].settings_json);
    CHECK(settings->settle_after == std::chrono::seconds(5));
    CHECK(settings->outcome == Outcome::Failed);
    CHECK(settings->outputs_json == R"({"x":1})");
}

TEST_CASE("the registry keeps old versions and knows the current one", "[registry]") {
    MemoryFlowRegistry registry;
    const auto version = [](const std::string& flow, const std::string& hash) {
        auto made = std::make_shared<FlowVersion>();
        made->team = "ads";
        made->flow = flow;
        made->version = hash;
        return made;
    };
    using Change = MemoryFlowRegistry::Change;
    CHECK(*registry.put(version("train", "1")) == Change::Created);
    CHECK(*registry.put(version("train", "2")) == Change::Updated);
    CHECK(*registry.put(version("train", "2")) == Change::Unchanged);
    CHECK(registry.put_old(version("train", "0")).ok());
    CHECK(registry.find("ads", "train")->version == "2");
    CHECK(registry.find("ads", "train", "0") != nullptr);
    CHECK(registry.find("ads", "train", "9") == nullptr);
    CHECK(registry.find("other", "train") == nullptr);
    CHECK(registry.suggestion("ads", "trai") == "; did you mean \"train\"?");
    CHECK(registry.list().size() == 1);
    CHECK(registry.remove("ads", "train").ok());
    CHECK(registry.find("ads", "train") == nullptr);
    CHECK(registry.find("ads", "train", "1") != nullptr);
    CHECK(registry.remove("ads", "train").error().kind == ErrorKind::NotFound);
}

TEST_CASE("pipelines: what is wrong is said with its place", "[ir]") {
    const std::string c = "  c: {executorLabel: exec}\n";
    const auto with_task = [&](const std::string& rest) {
        return faults(test::pipeline_text(c, "      a: {componentRef: {name: c}" + rest + "}\n"));
    };
    CHECK(with_task("").empty());
    CHECK(has(faults("schemaVersion: 2.0.0\npipelineInfo: {name: x}\nroot: {dag: {tasks: {}}}\n"),
              "p.yaml:1:16: schemaVersion"));
    CHECK(has(faults("a: [1\n"), "p.yaml:"));
    CHECK(has(faults("[1, 2]"), "must be a map"));
    CHECK(has(faults(""), "no pipeline"));
    CHECK(has(faults("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"), "v1 pipeline"));
    CHECK(has(with_task(", dependentTask: [b]"), "did you mean \"dependentTasks\"?"));
    CHECK(has(with_task(", dependentTasks: [b]"), "it depends on \"b\", which is not here"));
    CHECK(has(with_task(", dependentTasks: [a]"), "in a circle"));
    CHECK(has(with_task(", inputs: {parameters: {x: {componentInputParameter: y}}}"), "does not have"));
    CHECK(has(
        with_task(
            ", inputs: {parameters: {x: {taskOutputParameter: {producerTask: a, outputParameterKey: o}}}}"),
        "has no output parameter \"o\""));
    CHECK(has(with_task(", triggerPolicy: {condition: '1 +'}"), "its condition"));
    CHECK(has(with_task(", triggerPolicy: {strategy: SOMETIMES}"), "no trigger strategy"));
    CHECK(has(with_task(", retryPolicy: {maxRetryCount: many}"), "whole number"));
    CHECK(has(faults(test::pipeline_text(c, "      a: {componentRef: {name: d}}\n")),
              "there is no component \"d\""));
    CHECK(has(
        faults(test::pipeline_text("  c: {executorLabel: exek}\n", "      a: {componentRef: {name: c}}\n")),
        "did you mean \"exec\"?"));
    CHECK(has(faults(test::pipeline_text(c, "      ../a: {componentRef: {name: c}}\n")),
              "not a name for a task"));
    CHECK(has(faults(test::pipeline_text("  c: {dag: {tasks: {again: {componentRef: {name: c}}}}}\n",
                                         "      a: {componentRef: {name: c}}\n")),
              "contains itself"));
    CHECK(
        has(faults(test::pipeline_text(
                "  c: {executorLabel: exec, inputDefinitions: {parameters: {n: {parameterType: STRING}}}}\n",
                "      a: {componentRef: {name: c}}\n")),
            "\"n\" is given no value"));
    CHECK(has(faults(test::pipeline_text(
                  "  c: {executorLabel: exec, inputDefinitions: {parameters: {n: {parameterType: TEXT}}}}\n",
                  "      a: {componentRef: {name: c}}\n")),
              "no parameter type \"TEXT\""));
}

TEST_CASE("pipelines: deep and long ones are refused, not run into", "[ir]") {
    std::string components = "  c0: {executorLabel: exec}\n";
    for (int i = 1; i <= 40; ++i)
        components += "  c" + std::to_string(i) + ": {dag: {tasks: {t: {componentRef: {name: c" +
                      std::to_string(i - 1) + "}}}}}\n";
    CHECK(has(faults(test::pipeline_text(components, "      a: {componentRef: {name: c40}}\n")),
              "nest more than"));
    std::string deep = "{\"root\":";
    for (int i = 0; i < 10'000; ++i)
        deep += "{\"a\":";
    CHECK_FALSE(faults(deep).empty());
}

TEST_CASE("lightweight Python components are taken apart", "[ir]") {
    ir::Executor executor;
    executor.command = {
        "sh",
        "-c",
        "\nif ! [ -x \"$(command -v pip)\" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user "
        "|| apt-get "
        "install python3-pip\nfi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet "
        "--no-warn-script-location 'pandas==2.2.0' 'a b'  &&  python3 -m pip install --quiet 'kfp==2.17.0' "
        "'--no-deps' "
        "'typing-extensions>=3.7.4,<5; python_version<\"3.9\"' && \"$0\" \"$@\"\n",
        "sh",
        "-ec",
        "program_path=$(mktemp -d)\n\nprintf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\"\n"
        "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path  "
        "      "
        "                 \"$program_path/ephemeral_component.py\"                         \"$@\"\n",
        "def f(): pass"};
    executor.args = {"--executor_input", "{{$}}", "--function_to_execute", "f"};
    const auto step = ir::python_step(executor);
    REQUIRE(step);
    REQUIRE(step->installs.size() == 2);
    CHECK(step->installs[0] ==
          std::vector<std::string>{"--quiet", "--no-warn-script-location", "pandas==2.2.0", "a b"});
    CHECK(step->installs[1].back() == "typing-extensions>=3.7.4,<5; python_version<\"3.9\"");
    CHECK(step->source == "def f(): pass");
    CHECK(step->arguments.size() == 4);
    // A script that does anything else is run as it stands, not guessed at.
    executor.command[2] = "rm -rf x && " + executor.command[2];
    CHECK_FALSE(ir::python_step(executor));
    executor.command = {"python3", "main.py"};
    CHECK_FALSE(ir::python_step(executor));
}
