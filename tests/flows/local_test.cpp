#include <weir/flows/local/local_backend.hpp>

#include <csignal>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/base/crash_point.hpp>
#include <weir/cel/value.hpp>

#include "local_rig.hpp"

using namespace weir;
using namespace weir::flows;
using namespace weir::test;

TEST_CASE("payload text reaches a command as one argument, whatever it holds", "[local]") {
    const std::string pipeline = R"(
schemaVersion: 2.1.0
pipelineInfo: {name: hostile}
deploymentSpec:
  executors:
    exec:
      container:
        image: none
        command: [sh, -c, 'printf %s "$0" > "$1"', '{{$.inputs.parameters[''text'']}}', '{{$.outputs.parameters[''out''].output_file}}']
components:
  comp:
    executorLabel: exec
    inputDefinitions: {parameters: {text: {parameterType: STRING}}}
    outputDefinitions: {parameters: {out: {parameterType: STRING}}}
root:
  inputDefinitions: {parameters: {text: {parameterType: STRING}}}
  outputDefinitions: {parameters: {out: {parameterType: STRING}}}
  dag:
    outputs: {parameters: {out: {valueFromParameter: {producerSubtask: task, outputParameterKey: out}}}}
    tasks:
      task:
        componentRef: {name: comp}
        inputs: {parameters: {text: {componentInputParameter: text}}}
)";
    Fixture fixture;
    const std::vector<std::string> hostile = {"",
                                              " ",
                                              "$(touch owned)",
                                              "`id`; rm -rf / | cat && exit",
                                              "a\nb\n\n",
                                              "'\"\\ \t *?[]{}",
                                              "--help",
                                              "{{$.inputs.parameters['text']}} {{$}} {{$.pipeline_root}}",
                                              "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
                                              std::string(131'071, 'x')};
    for (std::size_t i = 0; i < hostile.size(); ++i) {
        INFO(i);
        const std::string arguments = "{\"text\":" + *cel::to_json(cel::Value::string(hostile[i])) + "}";
        const RunReport report = fixture.run(flow_of(pipeline), arguments, std::to_string(i));
        INFO(report.error);
        REQUIRE(report.outcome == Outcome::Succeeded);
        CHECK((cel::from_json(report.outputs_json)->find("out")->as_string() == hostile[i]));
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(fixture.folder.path()))
        CHECK(entry.path().filename() != "owned");
    const RunReport large =
        fixture.run(flow_of(pipeline), "{\"text\":\"" + std::string(200'000, 'x') + "\"}", "large");
    CHECK(large.outcome == Outcome::Failed);
    CHECK(large.error.find("200000 bytes") != std::string::npos);
    const RunReport zero = fixture.run(flow_of(pipeline), R"({"text":"a\u0000b"})", "zero");
    CHECK(zero.outcome == Outcome::Failed);
    CHECK(zero.error.find("zero byte") != std::string::npos);
}

TEST_CASE("a task's last words need not be UTF-8", "[local]") {
    Fixture fixture;
    const auto latin = fixture.run(flow_of(chain({{"a", "printf \"caf\\351 crashed\\n\" >&2; exit 1"}})));
    CHECK(latin.error == "a: exit status 1: caf\\xe9 crashed");
    // What is read of a long line begins inside of a character, and ends at one.
    const auto cut =
        fixture.run(flow_of(chain({{"a", "printf \"\xC3\xA9%.0s\" $(seq 3000) >&2; printf x >&2; exit 1"}})),
                    "{}", "cut");
    INFO(cut.error);
    CHECK(cut.error.starts_with("a: exit status 1: \xC3\xA9\xC3\xA9"));
    CHECK(cut.error.ends_with("\xC3\xA9..."));
}

TEST_CASE("a killed weir is gone on with: what had ended is kept, what ran runs again", "[local]") {
    test::Folder folder;
    const std::string there = folder.path().string();
    const std::string pipeline =
        chain({{"a", "echo a >> " + there + "/ran"},
               {"b", "echo b >> " + there + "/ran; [ -e " + there + "/go ] || sleep 1000"},
               {"c", "echo c >> " + there + "/ran"}});
    const std::string on_restart = GENERATE("resume", "fail");
    const FlowVersion flow = flow_of(pipeline, "{\"on_restart\":\"" + on_restart + "\"}");
    const auto request = request_of(flow, "run");
    const pid_t weir = ::fork();
    REQUIRE(weir >= 0);
    if (weir == 0) {
        auto supervisor = local::Supervisor::start();
        const SystemClock clock;
        local::LocalSettings settings;
        settings.folder = folder.path() / "backend";
        auto backend = local::LocalBackend::open(settings, *supervisor, clock);
        if (!backend.ok()) ::_exit(1);
        (*backend)->launch(request, [](LaunchReply) {});
        for (;;)
            ::pause();
    }
    wait_for_text(folder, "ran", "a\nb\n");
    ::kill(weir, SIGKILL);
    ::waitpid(weir, nullptr, 0);
    std::ofstream(folder.path() / "go") << "go";
    auto supervisor = local::Supervisor::start();
    const SystemClock clock;
    Caller caller(ports(open(folder.path() / "backend", *supervisor, clock)));
    CHECK(caller.launch(request).answer == LaunchAnswer::Accepted);
    caller.watch(request.run);
    const RunReport report = caller.settled(request.run);
    if (on_restart == "resume") {
        CHECK(report.outcome == Outcome::Succeeded);
        CHECK(folder.read("ran") == "a\nb\nb\nc\n");
        const auto tasks = caller.backend().reader->tasks(request.run);
        REQUIRE(tasks.ok());
        REQUIRE(tasks->size() == 3);
        CHECK((*tasks)[0].attempt == 1);
        CHECK((*tasks)[1].attempt == 2);
    } else {
        CHECK(report.outcome == Outcome::Failed);
        CHECK(report.error.find("interrupted") != std::string::npos);
        CHECK(folder.read("ran") == "a\nb\n");
    }
}

TEST_CASE("a cancel given before a crash holds after it", "[local]") {
    test::Folder folder;
    const FlowVersion flow = flow_of(chain({{"a", "sleep 1000"}}));
    const auto request = request_of(flow, "run");
    auto supervisor = local::Supervisor::start();
    const SystemClock clock;
    {
        Caller caller(ports(open(folder.path(), *supervisor, clock)));
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
    }
    Caller caller(ports(open(folder.path(), *supervisor, clock)));
    REQUIRE(caller.cancel(request.run, "no more").ok()); // not watched yet: nothing runs
    caller.watch(request.run);
    const RunReport report = caller.settled(request.run);
    CHECK(report.outcome == Outcome::Cancelled);
    CHECK(report.error == "no more");
}

TEST_CASE("time limits end a task and a run", "[local]") {
    Fixture fixture;
    const std::string pipeline =
        chain({{"a", "trap \"\" TERM; while :; do sleep 1000; done"}, {"b", "true"}});
    const RunReport task = fixture.run(flow_of(pipeline, R"({"task_timeout":"100ms"})"), "{}", "task");
    CHECK(task.outcome == Outcome::Failed);
    CHECK(task.error == "a: took longer than 100ms (task_timeout)");
    const RunReport run = fixture.run(flow_of(pipeline, R"({"timeout":"100ms"})"), "{}", "run");
    CHECK(run.outcome == Outcome::Failed);
    CHECK(run.error == "took longer than 100ms (timeout)");
}

TEST_CASE("retries run in fresh folders, and each attempt has its log", "[local]") {
    Fixture fixture;
    const RunReport report =
        fixture.run(flow_of(chain({{"a",
                                    "ls -A | wc -l; touch mine; echo try $WEIR_ATTEMPT of "
                                    "$WEIR_TEAM/$WEIR_FLOW; [ $WEIR_ATTEMPT = 3 ]"}},
                                  ", retryPolicy: {maxRetryCount: 2, backoffDuration: 0.01s}")));
    CHECK(report.outcome == Outcome::Succeeded);
    const auto log = fixture.caller.backend().reader->log(report.run, "a", 10'000);
    REQUIRE(log.ok());
    CHECK(*log == "0\ntry 3 of ads/train\n");
    CHECK(fixture.caller.backend().reader->log(report.run, "b", 10'000).error().kind == ErrorKind::NotFound);
    CHECK(fixture.caller.backend().reader->log(report.run, "../../../etc/passwd", 10).error().kind ==
          ErrorKind::NotFound);
}

TEST_CASE("tasks see an environment by allow-list", "[local]") {
    ::setenv("WEIR_TEST_SECRET", "secret", 1);
    ::setenv("PASSED_ON", "passed", 1);
    Fixture fixture;
    const RunReport report = fixture.run(flow_of(
        chain({{"a", "echo ${WEIR_TEST_SECRET-none} ${PASSED_ON-none} $SET $WEIR_RUN_ID $WEIR_TASK"}}),
        R"({"env":{"SET":"to this"},"env_pass":["PASSED_*"]})"));
    const auto log = fixture.caller.backend().reader->log(report.run, "a", 10'000);
    REQUIRE(log.ok());
    CHECK(*log == "none passed to this " + report.run.to_string() + " a\n");
}

TEST_CASE("a launch that cannot run here is refused and leaves nothing", "[local]") {
    Fixture fixture;
    const auto refused = [&](const std::string& pipeline) {
        const auto request = request_of(flow_of(pipeline), "run");
        const auto reply = fixture.caller.launch(request);
        CHECK(reply.answer == LaunchAnswer::Refused);
        CHECK(fixture.caller.look(request.run).answer == LookAnswer::Absent);
        return reply.reason;
    };
    CHECK(refused("not: a pipeline").find("pipeline") != std::string::npos);
    std::string missing = chain({{"a", "true"}});
    missing.replace(missing.find("[sh"), 3, "[no-such-tool");
    CHECK(refused(missing).find("no-such-tool") != std::string::npos);
}

TEST_CASE("runs take turns, and no more tasks run than allowed", "[local]") {
    test::Folder folder;
    const std::string there = folder.path().string();
    auto supervisor = local::Supervisor::start();
    const SystemClock clock;
    Caller caller(ports(open(folder.path() / "backend", *supervisor, clock, 1)));
    const std::string script = "[ ! -e " + there + "/busy ] && touch " + there +
                               "/busy && echo $WEIR_RUN_ID >> " + there + "/order && rm " + there + "/busy";
    const FlowVersion flow = flow_of(chain({{"a", script}, {"b", script}, {"c", script}}));
    const auto first = request_of(flow, "first");
    const auto second = request_of(flow, "second");
    REQUIRE(caller.launch(first).answer == LaunchAnswer::Accepted);
    REQUIRE(caller.launch(second).answer == LaunchAnswer::Accepted);
    caller.watch(first.run);
    caller.watch(second.run);
    CHECK(caller.settled(first.run).outcome == Outcome::Succeeded);
    CHECK(caller.settled(second.run).outcome == Outcome::Succeeded);
}

TEST_CASE("a supervisor that was killed: no new work, runs wait for the next weir", "[local]") {
    test::Folder folder;
    const std::string there = folder.path().string();
    const FlowVersion flow =
        flow_of(chain({{"a", "echo up >> " + there + "/up; [ -e " + there + "/go ] || sleep 1000"}}));
    const auto request = request_of(flow, "run");
    const SystemClock clock;
    {
        auto supervisor = local::Supervisor::start();
        Caller caller(ports(open(folder.path() / "backend", *supervisor, clock)));
        REQUIRE(caller.launch(request).answer == LaunchAnswer::Accepted);
        caller.watch(request.run);
        wait_for_text(folder, "up", "up\n");
        ::kill(supervisor->pid(), SIGKILL);
        for (int i = 0; i < 6'000 && caller.launch(request_of(flow, "other" + std::to_string(i))).answer !=
                                         LaunchAnswer::Refused;
             ++i)
            ::poll(nullptr, 0, 10);
        const auto reply = caller.launch(request_of(flow, "another"));
        CHECK(reply.answer == LaunchAnswer::Refused);
        CHECK(reply.reason.find("supervisor") != std::string::npos);
    }
    std::ofstream(folder.path() / "go") << "go";
    auto supervisor = local::Supervisor::start();
    Caller caller(ports(open(folder.path() / "backend", *supervisor, clock)));
    caller.watch(request.run);
    CHECK(caller.settled(request.run).outcome == Outcome::Succeeded);
}

TEST_CASE("settled runs are removed after their retention, others never", "[local]") {
    test::Folder folder;
    const SystemClock real;
    ManualClock clock(real.now());
    auto supervisor = local::Supervisor::start();
    const auto old = request_of(flow_of(chain({{"a", "true"}})), "old");
    const auto slow = request_of(flow_of(chain({{"a", "sleep 1000"}})), "slow");
    {
        Caller caller(ports(open(folder.path(), *supervisor, clock)));
        REQUIRE(caller.launch(old).answer == LaunchAnswer::Accepted);
        REQUIRE(caller.launch(slow).answer == LaunchAnswer::Accepted);
        caller.watch(old.run);
        CHECK(caller.settled(old.run).outcome == Outcome::Succeeded);
    }
    clock.advance(std::chrono::hours(24 * 15));
    Caller caller(ports(open(folder.path(), *supervisor, clock)));
    // The first pass comes right after opening, on the backend's thread.
    for (int i = 0; i < 6'000 && caller.look(old.run).answer != LookAnswer::Absent; ++i)
        ::poll(nullptr, 0, 10);
    CHECK(caller.look(old.run).answer == LookAnswer::Absent);
    CHECK(caller.look(slow.run).answer == LookAnswer::Found);
}

TEST_CASE("one folder serves one weir", "[local]") {
    test::Folder folder;
    auto supervisor = local::Supervisor::start();
    const SystemClock clock;
    const auto first = open(folder.path(), *supervisor, clock);
    local::LocalSettings settings;
    settings.folder = folder.path();
    settings.lock_wait = Duration(0);
    const auto second = local::LocalBackend::open(settings, *supervisor, clock);
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().kind == ErrorKind::Conflict);
    first->close();
}

TEST_CASE("death at any named point loses nothing and repeats nothing that was recorded", "[local]") {
    const std::string point = GENERATE(
        "local_before_accept:1", "local_after_accept:1", "local_before_spawn:1", "local_before_spawn:2",
        "local_before_task_record:1", "local_after_task_record:1", "local_before_task_record:2",
        "local_after_task_record:2", "local_before_settle:1", "local_after_settle:1");
    INFO(point);
    test::Folder folder;
    const std::string there = folder.path().string();
    const FlowVersion flow =
        flow_of(chain({{"a", "echo a >> " + there + "/ran"}, {"b", "echo b >> " + there + "/ran"}}));
    const auto request = request_of(flow, "run");
    const pid_t weir = ::fork();
    REQUIRE(weir >= 0);
    if (weir == 0) {
        auto supervisor = local::Supervisor::start();
        const SystemClock clock;
        local::LocalSettings settings;
        settings.folder = folder.path() / "backend";
        auto backend = local::LocalBackend::open(settings, *supervisor, clock);
        if (!backend.ok()) ::_exit(1);
        crash_at(point.c_str());
        (*backend)->launch(request, [](LaunchReply) {});
        for (;;)
            ::pause();
    }
    int status = 0;
    ::waitpid(weir, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    auto supervisor = local::Supervisor::start();
    const SystemClock clock;
    Caller caller(ports(open(folder.path() / "backend", *supervisor, clock)));
    const bool known = caller.look(request.run).answer == LookAnswer::Found;
    CHECK(known == (point != "local_before_accept:1"));
    CHECK(caller.launch(request).answer == LaunchAnswer::Accepted);
    caller.watch(request.run);
    const RunReport report = caller.settled(request.run);
    INFO(report.error);
    CHECK(report.outcome == Outcome::Succeeded);
    // Only the task whose end was not recorded may have run twice.
    const std::string ran = folder.read("ran");
    const bool once = ran == "a\nb\n";
    const bool first_again = ran == "a\na\nb\n" && point == "local_before_task_record:1";
    const bool second_again = ran == "a\nb\nb\n" && point == "local_before_task_record:2";
    INFO(ran);
    CHECK((once || first_again || second_again));
}
