#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include <weir/base/crash_point.hpp>

#include "local_rig.hpp"

using namespace weir;
using namespace weir::flows;
using namespace weir::test;

namespace {

struct Step {
    std::string name;
    std::string script;
    std::string after; ///< tasks before it, "a, b"
    bool at_any_end = false;
};

/// A pipeline of shell scripts with edges of one's own choice.
FlowVersion graph(const std::vector<Step>& steps, const std::string& settings = "{}") {
    std::string executors, components, tasks;
    for (const auto& step : steps) {
        executors += "    exec-" + step.name + ": {container: {image: none, command: [sh, -c, '" +
                     step.script + "']}}\n";
        components += "  comp-" + step.name + ": {executorLabel: exec-" + step.name + "}\n";
        tasks += "      " + step.name + ": {componentRef: {name: comp-" + step.name + "}";
        if (!step.after.empty()) tasks += ", dependentTasks: [" + step.after + "]";
        if (step.at_any_end) tasks += ", triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}";
        tasks += "}\n";
    }
    return flow_of("schemaVersion: 2.1.0\npipelineInfo: {name: graph}\ndeploymentSpec:\n  executors:\n" +
                       executors + "components:\n" + components + "root:\n  dag:\n    tasks:\n" + tasks,
                   settings);
}

/// Says that it ran; the rest of the script decides how it ends.
std::string ran(const Folder& folder, const std::string& name, const std::string& rest = "true") {
    return "echo " + name + " >> " + folder.path().string() + "/ran; " + rest;
}
/// Succeeds once the file is there.
std::string needs(const Folder& folder, const std::string& file) {
    return "[ -e " + folder.path().string() + "/" + file + " ]";
}
void put(const Folder& folder, const std::string& file) {
    std::ofstream(folder.path() / file) << file;
}

RunReport again(Caller& caller, RunId run, int attempt) {
    const auto status = caller.retry(run, attempt);
    INFO((status.ok() ? "" : status.error().message));
    REQUIRE(status.ok());
    caller.watch(run);
    const auto report = caller.settled(run);
    CHECK(report.attempt == attempt);
    return report;
}

} // namespace

TEST_CASE("a retry keeps what succeeded and runs what failed or never began", "[local][retry]") {
    Fixture fixture;
    const auto& folder = fixture.folder;
    const auto flow = graph({{"a", ran(folder, "a"), "", false},
                             {"b", ran(folder, "b", needs(folder, "go")), "a", false},
                             {"c", ran(folder, "c"), "b", false},
                             {"aside", ran(folder, "aside"), "a", false}});
    const auto first = fixture.run(flow);
    CHECK(first.outcome == Outcome::Failed);
    CHECK(first.attempt == 1);
    put(folder, "go");
    std::filesystem::remove(folder.path() / "ran");
    const auto second = again(fixture.caller, first.run, 2);
    INFO(second.error);
    CHECK(second.outcome == Outcome::Succeeded);
    CHECK(second.error.empty());
    CHECK(second.started_at >= first.finished_at);
    CHECK(folder.read("ran") == "b\nc\n");
    const auto tasks = fixture.caller.backend().reader->tasks(first.run);
    REQUIRE(tasks.ok());
    for (const auto& task : *tasks) {
        INFO(task.name);
        CHECK(task.state == TaskState::Succeeded);
        CHECK(task.attempt == (task.name == "b" ? 2 : 1));
    }
    CHECK(fixture.caller.retry(first.run, 3).error().kind == ErrorKind::Conflict);
    // How the first attempt ended stays on record.
    const auto run_folder = "backend/runs/" + first.run.to_string();
    CHECK(folder.read(run_folder + "/settled@1.json").find("\"attempt\":1") != std::string::npos);
    CHECK(folder.read(run_folder + "/settled.json").find("\"attempt\":2") != std::string::npos);
}

TEST_CASE("an exit handler runs again at the end of what ran again, and not otherwise", "[local][retry]") {
    Fixture fixture;
    const auto& folder = fixture.folder;
    const auto flow = graph({{"work", ran(folder, "work", needs(folder, "go")), "", false},
                             {"cleanup", ran(folder, "cleanup"), "work", true},
                             {"other", ran(folder, "other"), "", false},
                             {"report", ran(folder, "report"), "other", true}});
    const auto first = fixture.run(flow);
    CHECK(first.outcome == Outcome::Failed);
    std::filesystem::remove(folder.path() / "ran");
    CHECK(again(fixture.caller, first.run, 2).outcome == Outcome::Failed);
    CHECK(folder.read("ran") == "work\ncleanup\n");
    put(folder, "go");
    CHECK(again(fixture.caller, first.run, 3).outcome == Outcome::Succeeded);
    CHECK(folder.read("ran") == "work\ncleanup\nwork\ncleanup\n");
}

TEST_CASE("what was made from inputs that were made again does not count, however long ago",
          "[local][retry]") {
    Fixture fixture;
    const auto& folder = fixture.folder;
    // Attempt 1: `work` fails, `cleanup` succeeds. Attempt 2: `work` succeeds, and the run is cancelled
    // before `cleanup` begins. Attempt 3: `work` is kept, so the `cleanup` of attempt 1 is older than what it
    // waits for.
    const auto flow =
        graph({{"work", ran(folder, "work", needs(folder, "go")), "", false},
               {"wait", ran(folder, "wait", needs(folder, "on") + " || sleep 1000"), "work", true},
               {"cleanup", ran(folder, "cleanup"), "work, wait", true}});
    put(folder, "on");
    const auto first = fixture.run(flow);
    CHECK(first.outcome == Outcome::Failed);
    CHECK(folder.read("ran") == "work\nwait\ncleanup\n");
    std::filesystem::remove(folder.path() / "ran");
    std::filesystem::remove(folder.path() / "on");
    put(folder, "go");
    REQUIRE(fixture.caller.retry(first.run, 2).ok());
    fixture.caller.watch(first.run);
    wait_for_text(folder, "ran", "work\nwait\n");
    REQUIRE(fixture.caller.cancel(first.run, "not now").ok());
    CHECK(fixture.caller.settled(first.run).outcome == Outcome::Cancelled);
    put(folder, "on");
    const auto third = again(fixture.caller, first.run, 3);
    INFO(third.error);
    CHECK(third.outcome == Outcome::Succeeded);
    CHECK(folder.read("ran") == "work\nwait\nwait\ncleanup\n");
}

TEST_CASE("outputs and artifacts of kept tasks belong to the new attempt too", "[local][retry]") {
    Fixture fixture;
    const std::string go = (fixture.folder.path() / "go").string();
    const std::string pipeline = R"yaml(
schemaVersion: 2.1.0
pipelineInfo: {name: made}
deploymentSpec:
  executors:
    exec-make:
      container:
        image: none
        command: [sh, -c, 'printf 7 > "$0"; echo m > "$1"']
        args: ['{{$.outputs.parameters[''n''].output_file}}', '{{$.outputs.artifacts[''model''].path}}']
    exec-use:
      container:
        image: none
        command: [sh, -c, '[ -e GO ] && printf "$0" > "$1"']
        args: ['{{$.inputs.parameters[''n'']}}', '{{$.outputs.parameters[''n''].output_file}}']
components:
  comp-make:
    executorLabel: exec-make
    outputDefinitions:
      parameters: {n: {parameterType: STRING}}
      artifacts: {model: {artifactType: {schemaTitle: system.Model, schemaVersion: 0.0.1}}}
  comp-use:
    executorLabel: exec-use
    inputDefinitions: {parameters: {n: {parameterType: STRING}}}
    outputDefinitions: {parameters: {n: {parameterType: STRING}}}
root:
  outputDefinitions: {parameters: {n: {parameterType: STRING}}}
  dag:
    outputs: {parameters: {n: {valueFromParameter: {producerSubtask: use, outputParameterKey: n}}}}
    tasks:
      make: {componentRef: {name: comp-make}}
      use:
        componentRef: {name: comp-use}
        dependentTasks: [make]
        inputs: {parameters: {n: {taskOutputParameter: {producerTask: make, outputParameterKey: n}}}}
)yaml";
    auto flow = flow_of(pipeline);
    flow.pipeline.replace(flow.pipeline.find("GO"), 2, go);
    const auto first = fixture.run(flow);
    INFO(first.error);
    REQUIRE(first.outcome == Outcome::Failed);
    REQUIRE(first.outputs.size() == 1);
    put(fixture.folder, "go");
    const auto second = again(fixture.caller, first.run, 2);
    INFO(second.error);
    CHECK(second.outcome == Outcome::Succeeded);
    CHECK(second.outputs_json == R"({"n":"7"})");
    REQUIRE(second.outputs.size() == 1);
    CHECK(second.outputs.front().name == "make.model");
    CHECK(second.outputs.front().uri == first.outputs.front().uri);
}

TEST_CASE("each attempt of a run has the retries and the time of its own", "[local][retry]") {
    Fixture fixture;
    const auto& folder = fixture.folder;
    const std::string pipeline = chain({{"a", ran(folder, "a", needs(folder, "go"))}},
                                       ", retryPolicy: {maxRetryCount: 1, backoffDuration: 0.01s}");
    const auto first = fixture.run(flow_of(pipeline));
    CHECK(first.outcome == Outcome::Failed);
    CHECK(folder.read("ran") == "a\na\n");
    CHECK(again(fixture.caller, first.run, 2).outcome == Outcome::Failed);
    CHECK(folder.read("ran") == "a\na\na\na\n");
    put(folder, "go");
    CHECK(again(fixture.caller, first.run, 3).outcome == Outcome::Succeeded);
    const auto slow = fixture.run(
        flow_of(chain({{"s", needs(folder, "fast") + " || sleep 1000"}}), R"({"timeout":"300ms"})"), "{}",
        "slow");
    CHECK(slow.outcome == Outcome::Failed);
    put(folder, "fast");
    CHECK(again(fixture.caller, slow.run, 2).outcome == Outcome::Succeeded);
}

TEST_CASE("a run whose record was removed cannot be tried again", "[local][retry]") {
    Folder folder;
    const SystemClock real;
    ManualClock clock(real.now());
    auto supervisor = local::Supervisor::start();
    const auto request = request_of(graph({{"a", "false", "", false}}), "old");
    {
        Caller caller(ports(open(folder.path(), *supervisor, clock)));
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
        caller.watch(request.run);
        CHECK(caller.settled(request.run).outcome == Outcome::Failed);
    }
    clock.advance(std::chrono::hours(24 * 15));
    Caller caller(ports(open(folder.path(), *supervisor, clock)));
    for (int i = 0; i < 6'000 && caller.look(request.run).answer != LookAnswer::Absent; ++i)
        ::poll(nullptr, 0, 10);
    const auto status = caller.retry(request.run, 2);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().kind == ErrorKind::NotFound);
    CHECK(status.error().message.find("removed") != std::string::npos);
}

TEST_CASE("death around a retry: it is opened once, and what it did is kept", "[local][retry]") {
    const std::string point =
        GENERATE("local_before_retry:1", "local_within_retry:1", "local_after_retry:1",
                 "local_before_spawn:1", "local_before_task_record:1", "local_after_task_record:1",
                 "local_after_task_record:2", "local_before_settle:1", "local_after_settle:1");
    INFO(point);
    Folder folder;
    const auto flow = graph({{"a", ran(folder, "a"), "", false},
                             {"b", ran(folder, "b", needs(folder, "go")), "a", false},
                             {"c", ran(folder, "c"), "b", false}});
    const auto request = request_of(flow, "run");
    const SystemClock clock;
    {
        auto supervisor = local::Supervisor::start();
        Caller caller(ports(open(folder.path() / "backend", *supervisor, clock)));
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
        caller.watch(request.run);
        REQUIRE(caller.settled(request.run).outcome == Outcome::Failed);
    }
    put(folder, "go");
    std::filesystem::remove(folder.path() / "ran");
    const pid_t weir = ::fork();
    REQUIRE(weir >= 0);
    if (weir == 0) {
        auto supervisor = local::Supervisor::start();
        local::LocalSettings settings;
        settings.folder = folder.path() / "backend";
        auto backend = local::LocalBackend::open(settings, *supervisor, clock);
        if (!backend.ok()) ::_exit(1);
        crash_at(point.c_str());
        (*backend)->retry(request.run, 2, "go on", [](const Status&) {});
        for (;;)
            ::pause();
    }
    int status = 0;
    ::waitpid(weir, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    auto supervisor = local::Supervisor::start();
    Caller caller(ports(open(folder.path() / "backend", *supervisor, clock)));
    const auto report = again(caller, request.run, 2);
    INFO(report.error);
    CHECK(report.outcome == Outcome::Succeeded);
    // Only the task whose end was not recorded may have run twice.
    const std::string all = folder.read("ran");
    INFO(all);
    const bool once = all == "b\nc\n";
    CHECK((once || (all == "b\nb\nc\n" && point == "local_before_task_record:1")));
}
