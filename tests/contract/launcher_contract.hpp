#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/digest.hpp>
#include <weir/flows/launcher.hpp>

// What every backend promises, as checks. A test case per adapter calls check_launcher_contract().
namespace weir::contract {

/// One opened backend behind its ports.
struct Backend {
    std::shared_ptr<void> owner;
    flows::Launcher* launcher = nullptr;
    flows::RunWatcher* watcher = nullptr;
    flows::TaskReader* reader = nullptr;
};

struct LauncherSetup {
    /// Opens the backend on its record; called again after close() it finds what the last one had.
    std::function<Backend()> open;
    flows::FlowVersion quick;  ///< succeeds soon, with the output {"said":"hello"}
    flows::FlowVersion slow;   ///< runs until it is cancelled
    flows::FlowVersion broken; ///< fails
    bool absence_is_final = true;
};

/// Calls a backend and waits for its answers.
class Caller {
  public:
    explicit Caller(Backend backend) : backend_(std::move(backend)) {
        backend_.watcher->on_report([this](flows::RunReport report) {
            std::lock_guard lock(mutex_);
            reports_.push_back(std::move(report));
            changed_.notify_all();
        });
    }
    ~Caller() { backend_.launcher->close(); }

    flows::LaunchReply launch(const flows::LaunchRequest& request) {
        return wait<flows::LaunchReply>([&](auto done) { backend_.launcher->launch(request, done); });
    }
    flows::LookReply look(RunId run) {
        return wait<flows::LookReply>([&](auto done) { backend_.launcher->look(run, done); });
    }
    Status cancel(RunId run, const std::string& reason) {
        return wait<Status>([&](auto done) { backend_.launcher->cancel(run, reason, done); });
    }
    Status retry(RunId run, int attempt) {
        return wait<Status>([&](auto done) { backend_.launcher->retry(run, attempt, "once more", done); });
    }
    void watch(RunId run) { backend_.watcher->watch(run); }
    /// The next report of this run that says it has settled.
    flows::RunReport settled(RunId run) {
        std::unique_lock lock(mutex_);
        for (;;) {
            for (auto it = reports_.begin(); it != reports_.end(); ++it) {
                if (it->run != run || !it->settled) continue;
                flows::RunReport report = *it;
                reports_.erase(it);
                return report;
            }
            changed_.wait(lock);
        }
    }
    void running(RunId run) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] {
            for (const auto& report : reports_)
                if (report.run == run && !report.settled) return true;
            return false;
        });
    }
    std::size_t reports_of(RunId run) {
        std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (const auto& report : reports_)
            count += report.run == run ? 1 : 0;
        return count;
    }
    Backend& backend() { return backend_; }

  private:
    template <class Reply>
    Reply wait(const std::function<void(std::function<void(Reply)>)>& call) {
        std::optional<Reply> reply;
        call([&](Reply given) {
            std::lock_guard lock(mutex_);
            REQUIRE_FALSE(reply.has_value());
            reply.emplace(std::move(given));
            changed_.notify_all();
        });
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return reply.has_value(); });
        return *reply;
    }

    Backend backend_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<flows::RunReport> reports_;
};

/// IR of a pipeline of one shell command; what it writes to "$0" is the pipeline's output `said`.
inline std::string command_ir(const std::string& name, const std::string& command) {
    return "schemaVersion: 2.1.0\nsdkVersion: kfp-2.17.0\npipelineInfo: {name: " + name +
           "}\n"
           "deploymentSpec: {executors: {exec: {container: {image: none, command: [sh, -c, '" +
           command +
           "', '{{$.outputs.parameters[\"said\"].output_file}}']}}}}\n"
           "components: {comp: {executorLabel: exec, outputDefinitions: {parameters: {said: "
           "{parameterType: STRING}}}}}\n"
           "root:\n  outputDefinitions: {parameters: {said: {parameterType: STRING}}}\n  dag:\n"
           "    outputs: {parameters: {said: {valueFromParameter: {producerSubtask: task, "
           "outputParameterKey: said}}}}\n"
           "    tasks: {task: {taskInfo: {name: task}, componentRef: {name: comp}}}\n";
}

inline flows::LaunchRequest request_of(const flows::FlowVersion& flow, const std::string& name) {
    const SystemClock clock;
    flows::LaunchRequest request;
    request.run = RunId{Uuid::time_led(from_ns(1'700'000'000'000'000'000), sha256("run " + name))};
    request.decision =
        DecisionId{Uuid::time_led(from_ns(1'700'000'000'000'000'000), sha256("decision " + name))};
    request.flow = std::make_shared<const flows::FlowVersion>(flow);
    request.arguments_json = "{}";
    request.created = from_ns(1'700'000'000'000'000'000);
    request.deadline = clock.now() + std::chrono::hours(1);
    return request;
}

inline void accepting_and_looking(LauncherSetup& setup) {
    const auto request = request_of(setup.quick, "a");
    {
        Caller caller(setup.open());
        CHECK(caller.backend().launcher->absence_is_final() == setup.absence_is_final);
        CHECK((caller.backend().launcher->absence_wait() == Duration(0)) == setup.absence_is_final);
        CHECK(caller.look(request.run).answer == flows::LookAnswer::Absent);
        CHECK(caller.backend().reader->tasks(request.run).error().kind == ErrorKind::NotFound);
        const auto reply = caller.launch(request);
        INFO(reply.reason);
        REQUIRE(reply.answer == flows::LaunchAnswer::Accepted);
        // The same once more is no second run, another request under its id is a conflict.
        CHECK(caller.launch(request).answer == flows::LaunchAnswer::Accepted);
        auto other = request;
        other.arguments_json = R"({"x":1})";
        CHECK(caller.launch(other).answer == flows::LaunchAnswer::Refused);
        CHECK(caller.launch(other).reason.find("conflict") != std::string::npos);
        other = request;
        other.decision = request_of(setup.quick, "b").decision;
        CHECK(caller.launch(other).answer == flows::LaunchAnswer::Refused);
        const auto found = caller.look(request.run);
        CHECK(found.answer == flows::LookAnswer::Found);
        CHECK(found.flow_version == setup.quick.version);
        CHECK(found.arguments_json == "{}");
        CHECK(found.decision == request.decision.to_string());
    }
    Caller again(setup.open());
    CHECK(again.look(request.run).answer == flows::LookAnswer::Found);
    CHECK(again.launch(request).answer == flows::LaunchAnswer::Accepted);
}

inline void settling(LauncherSetup& setup) {
    const auto request = request_of(setup.quick, "a");
    const auto bad = request_of(setup.broken, "b");
    flows::RunReport first;
    {
        Caller caller(setup.open());
        REQUIRE(caller.launch(request).answer == flows::LaunchAnswer::Accepted);
        REQUIRE(caller.launch(bad).answer == flows::LaunchAnswer::Accepted);
        caller.watch(request.run);
        caller.watch(bad.run);
        first = caller.settled(request.run);
        CHECK(first.outcome == flows::Outcome::Succeeded);
        CHECK(first.outputs_json == R"({"said":"hello"})");
        CHECK(first.attempt == 1);
        CHECK(first.error.empty());
        CHECK(first.finished_at >= first.started_at);
        const auto failed = caller.settled(bad.run);
        CHECK(failed.outcome == flows::Outcome::Failed);
        CHECK_FALSE(failed.error.empty());
        CHECK(failed.outputs_json == "{}");
        // A settlement is said again to whoever watches again, word for word.
        caller.watch(request.run);
        const auto second = caller.settled(request.run);
        CHECK(second.finished_at == first.finished_at);
        CHECK(second.outputs_json == first.outputs_json);
        CHECK(caller.cancel(request.run, "too late").error().kind == ErrorKind::Conflict);
    }
    Caller again(setup.open());
    again.watch(request.run);
    const auto later = again.settled(request.run);
    CHECK(later.outcome == first.outcome);
    CHECK(later.finished_at == first.finished_at);
    CHECK(later.outputs_json == first.outputs_json);
    again.backend().watcher->forget(request.run);
}

inline void cancelling(LauncherSetup& setup) {
    const auto request = request_of(setup.slow, "a");
    Caller caller(setup.open());
    CHECK(caller.cancel(request.run, "nobody").error().kind == ErrorKind::NotFound);
    REQUIRE(caller.launch(request).answer == flows::LaunchAnswer::Accepted);
    caller.watch(request.run);
    caller.running(request.run);
    REQUIRE(caller.cancel(request.run, "changed our mind").ok());
    const auto report = caller.settled(request.run);
    CHECK(report.outcome == flows::Outcome::Cancelled);
    CHECK(report.error == "changed our mind");
    CHECK(report.outputs_json == "{}");
    CHECK(caller.reports_of(request.run) >= 1);
}

inline void going_on_after_reopening(LauncherSetup& setup) {
    const auto request = request_of(setup.slow, "a");
    {
        Caller caller(setup.open());
        REQUIRE(caller.launch(request).answer == flows::LaunchAnswer::Accepted);
        caller.watch(request.run);
        caller.running(request.run);
    }
    Caller again(setup.open());
    again.watch(request.run);
    again.running(request.run);
    REQUIRE(again.cancel(request.run, "enough").ok());
    CHECK(again.settled(request.run).outcome == flows::Outcome::Cancelled);
}

inline void deadlines(LauncherSetup& setup) {
    auto request = request_of(setup.quick, "a");
    request.deadline = request.created;
    Caller caller(setup.open());
    const auto reply = caller.launch(request);
    // Refused where that is final, else late: nothing was sent.
    CHECK(reply.answer ==
          (setup.absence_is_final ? flows::LaunchAnswer::Refused : flows::LaunchAnswer::Late));
    CHECK(reply.reason.find("deadline") != std::string::npos);
    CHECK(caller.look(request.run).answer == flows::LookAnswer::Absent);
    // Nothing of it is left in the way.
    request.deadline = request_of(setup.quick, "a").deadline;
    CHECK(caller.launch(request).answer == flows::LaunchAnswer::Accepted);
}

inline void trying_again(LauncherSetup& setup) {
    const auto bad = request_of(setup.broken, "a");
    const auto good = request_of(setup.quick, "b");
    flows::RunReport second;
    {
        Caller caller(setup.open());
        CHECK(caller.retry(bad.run, 2).error().kind == ErrorKind::NotFound);
        REQUIRE(caller.launch(bad).answer == flows::LaunchAnswer::Accepted);
        REQUIRE(caller.launch(good).answer == flows::LaunchAnswer::Accepted);
        caller.watch(bad.run);
        caller.watch(good.run);
        const auto first = caller.settled(bad.run);
        CHECK(first.attempt == 1);
        REQUIRE(caller.settled(good.run).outcome == flows::Outcome::Succeeded);
        CHECK(caller.retry(good.run, 2).error().kind == ErrorKind::Conflict);
        CHECK(caller.retry(bad.run, 1).error().kind == ErrorKind::Invalid);
        REQUIRE(caller.retry(bad.run, 2).ok());
        CHECK(caller.retry(bad.run, 2).ok());
        caller.watch(bad.run);
        second = caller.settled(bad.run);
        CHECK(second.attempt == 2);
        CHECK(second.outcome == flows::Outcome::Failed);
        CHECK(second.started_at >= first.finished_at);
        // An attempt that has ended already is not opened once more either.
        CHECK(caller.retry(bad.run, 2).ok());
        // What was refused has changed nothing.
        caller.watch(good.run);
        CHECK(caller.settled(good.run).attempt == 1);
    }
    Caller again(setup.open());
    CHECK(again.retry(bad.run, 2).ok());
    again.watch(bad.run);
    const auto later = again.settled(bad.run);
    CHECK(later.attempt == 2);
    CHECK(later.finished_at == second.finished_at);
    REQUIRE(again.retry(bad.run, 3).ok());
    again.watch(bad.run);
    CHECK(again.settled(bad.run).attempt == 3);
}

inline void trying_again_after_a_cancel(LauncherSetup& setup) {
    const auto request = request_of(setup.slow, "a");
    {
        Caller caller(setup.open());
        REQUIRE(caller.launch(request).answer == flows::LaunchAnswer::Accepted);
        caller.watch(request.run);
        caller.running(request.run);
        CHECK(caller.retry(request.run, 2).error().kind == ErrorKind::Conflict);
        REQUIRE(caller.cancel(request.run, "wait").ok());
        CHECK(caller.settled(request.run).attempt == 1);
        REQUIRE(caller.retry(request.run, 2).ok());
    }
    // The attempt is under way, for whoever opens the record next as well: the old cancel is not its own.
    Caller again(setup.open());
    CHECK(again.retry(request.run, 2).ok());
    CHECK(again.retry(request.run, 3).error().kind == ErrorKind::Conflict);
    again.watch(request.run);
    again.running(request.run);
    REQUIRE(again.cancel(request.run, "enough").ok());
    const auto report = again.settled(request.run);
    CHECK(report.attempt == 2);
    CHECK(report.outcome == flows::Outcome::Cancelled);
    CHECK(report.error == "enough");
}

inline void check_launcher_contract(LauncherSetup& setup) {
    SECTION("accepts, knows again, looks") {
        accepting_and_looking(setup);
    }
    SECTION("settles once and says it again") {
        settling(setup);
    }
    SECTION("cancels") {
        cancelling(setup);
    }
    SECTION("goes on after it was opened again") {
        going_on_after_reopening(setup);
    }
    SECTION("tries again what failed, once for each attempt asked for") {
        trying_again(setup);
    }
    SECTION("tries again what was cancelled") {
        trying_again_after_a_cancel(setup);
    }
    SECTION("sends nothing after the deadline") {
        deadlines(setup);
    }
}

} // namespace weir::contract
