// What is on record of a CreateRun, and when it is put there (ADR 13).
#include <algorithm>
#include <optional>

#include "kubeflow_fixture.hpp"

using namespace weir;
using namespace weir::contract;
using flows::LaunchAnswer;
using flows::LaunchReply;
using flows::LaunchRequest;

namespace {

using std::chrono::milliseconds;

const flows::FlowVersion train = kubeflow_flow("train");
const Json create_runs = {{"method", "POST"}, {"path", "/runs$"}};

Json on_create(Json fault) {
    fault.update(create_runs);
    return fault;
}

/// What is on record, as the engine has it: asked for each request, answered when the test says so.
class Record {
  public:
    LaunchRequest with(LaunchRequest request) {
        request.leave = [this](const std::function<void(bool)>& go) {
            const std::lock_guard lock(mutex_);
            ++asked_;
            most_ = std::max(most_, ++open_);
            changed_.notify_all();
            if (says_)
                go(*says_);
            else
                kept_.push_back(go);
        };
        return request;
    }
    /// Nothing: it does not answer.
    void says(std::optional<bool> go) {
        const std::lock_guard lock(mutex_);
        says_ = go;
    }
    /// The launch has ended, and with it what is on record of it.
    void ended() {
        const std::lock_guard lock(mutex_);
        --open_;
    }
    void await(int asked) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return asked_ >= asked; });
    }
    std::function<void(bool)> kept(std::size_t at) {
        const std::lock_guard lock(mutex_);
        return kept_.at(at);
    }
    int asked() {
        const std::lock_guard lock(mutex_);
        return asked_;
    }
    int most() {
        const std::lock_guard lock(mutex_);
        return most_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::function<void(bool)>> kept_;
    std::optional<bool> says_ = true;
    int asked_ = 0, open_ = 0, most_ = 0;
};

/// Launches under way at the same time.
class Open {
  public:
    Open(KubeflowRig& rig, Record& record) : rig_(rig), record_(record) {}
    void launch(const LaunchRequest& request) {
        ++begun_;
        rig_.backend->launch(record_.with(request), [this](const LaunchReply& reply) {
            record_.ended();
            const std::lock_guard lock(mutex_);
            replies_.push_back(reply);
            changed_.notify_all();
        });
    }
    std::vector<LaunchReply> replies() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return replies_.size() == begun_; });
        return replies_;
    }

  private:
    KubeflowRig& rig_;
    Record& record_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<LaunchReply> replies_;
    std::size_t begun_ = 0;
};

} // namespace

TEST_CASE("kubeflow: what waits for its turn has not left", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.limits.in_flight = 2;
    auto& caller = rig.open();
    rig.fault(on_create({{"do", "delay"}, {"delay", 0.1}, {"times", nullptr}}));
    Record record;
    Open open(rig, record);
    for (int n = 0; n < 8; ++n)
        open.launch(request_of(train, "turn " + std::to_string(n)));
    for (const auto& reply : open.replies())
        CHECK(reply.answer == LaunchAnswer::Accepted);
    CHECK(record.asked() == 8);
    // Two on their way, two whose answers are being told.
    CHECK(record.most() <= 4);
    (void)caller;
}

TEST_CASE("kubeflow: a CreateRun that made nothing is not on record any more", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.timeouts.retry_max = std::chrono::seconds(60);
    const std::vector<std::pair<std::string, Json>> answers = {
        {"not accepted", {{"status", 401}, {"body", "{}"}}},
        {"not let through", {{"status", 403}, {"body", "RBAC: access denied"}}},
        {"of nobody", {{"status", 404}, {"body", "no route"}}},
        {"of things that went",
         {{"status", 404},
          {"body", {{"code", 5}, {"message", "gone"}, {"details", {{{"code", 5}, {"message", "gone"}}}}}}}}};
    const auto& [name, fault] = answers.at(GENERATE(0U, 1U, 2U, 3U));
    INFO(name);
    auto& caller = rig.open();
    auto always = fault;
    always["times"] = nullptr;
    rig.fault(on_create(always));
    Record record;
    const auto request = record.with(request_of(train, name));
    Duration least = rig.options.timeouts.retry_min / 2;
    for (int round = 1; round <= 5; ++round) {
        const auto before = rig.clock.now();
        const auto reply = caller.launch(soon(request, std::chrono::seconds(5)));
        INFO(round << " " << reply.reason);
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "CreateRun: answered"));
        // One request on record at a time, and each wait is twice the last.
        CHECK(record.asked() == round);
        CHECK(reply.next >= before + least);
        least *= 2;
    }
    rig.clear();
    CHECK(caller.launch(request).answer == LaunchAnswer::Accepted);
    CHECK(record.asked() == 6);
    CHECK(rig.created(request.run) == 1);
    CHECK(rig.strays() == 0);
}

TEST_CASE("kubeflow: nothing is put on record for a server that is left alone", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.circuit_failures = 1;
    rig.options.timeouts.resolve_cache = std::chrono::hours(1);
    auto& caller = rig.open();
    REQUIRE(caller.launch(request_of(train, "first")).answer == LaunchAnswer::Accepted);
    rig.post("maintenance", {{"seconds", 3600}});
    until([&] {
        (void)caller.look(request_of(train, "first").run);
        return rig.backend->status().circuit != flows::kubeflow::Circuit::Closed;
    });
    Record record;
    const auto reply = caller.launch(soon(record.with(request_of(train, "second")), std::chrono::seconds(1)));
    INFO(reply.reason);
    CHECK(reply.answer == LaunchAnswer::Postponed);
    CHECK(holds(reply.reason, "left alone"));
    CHECK(record.asked() == 0);
}

TEST_CASE("kubeflow: a request that may not be put on record gives its place back", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.limits.in_flight = 1;
    auto& caller = rig.open();
    Record record;
    const auto first = request_of(train, "first"), second = request_of(train, "second");
    SECTION("it was given up") {
        record.says(false);
        const auto reply = caller.launch(record.with(first));
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "given up"));
    }
    SECTION("nothing can be recorded") {
        record.says(std::nullopt);
        const auto reply = caller.launch(record.with(soon(first, milliseconds(300))));
        CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(holds(reply.reason, "on record"));
        // An answer that comes now changes nothing.
        record.kept(0)(true);
    }
    SECTION("the deadline had passed while it waited for its turn") {
        record.says(std::nullopt);
        Open open(rig, record);
        open.launch(first);
        record.await(1);
        const auto late = soon(second, milliseconds(20));
        open.launch(late);
        until([&] { return rig.clock.now() > late.deadline; });
        record.says(true);
        record.kept(0)(false);
        for (const auto& reply : open.replies())
            CHECK(reply.answer == LaunchAnswer::Postponed);
        CHECK(record.asked() == 1);
    }
    CHECK(rig.created(first.run) == 0);
    record.says(true);
    CHECK(caller.launch(record.with(second)).answer == LaunchAnswer::Accepted);
    CHECK(caller.launch(record.with(first)).answer == LaunchAnswer::Accepted);
    CHECK(rig.created(first.run) == 1);
}

TEST_CASE("kubeflow: no answer to CreateRun is awaited for longer than the engine counts on",
          "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    rig.options.timeouts.create = std::chrono::hours(1);
    rig.options.timeouts.server_timeout = milliseconds(200);
    auto& caller = rig.open();
    rig.fault(on_create({{"do", "hang"}, {"seconds", 3}}));
    const auto reply = caller.launch(soon(request_of(train, "a"), milliseconds(400)));
    CHECK(reply.answer == LaunchAnswer::Unknown);
    CHECK(holds(reply.reason, "no answer in time"));
}

TEST_CASE("kubeflow: a server that does not take plugins_input is asked without", "[kubeflow][contract]") {
    KubeflowRig rig;
    rig.upload("train", pipeline_ir("train"));
    auto& caller = rig.open();
    until([&] { return !rig.backend->status().server_version.empty(); });
    rig.fault(
        on_create({{"content", "plugins_input"},
                   {"do", "answer"},
                   {"status", 400},
                   {"body", {{"code", 3}, {"message", "proto: (line 1:9): unknown field \"plugins_input\""}}},
                   {"times", nullptr}}));
    const auto request = request_of(train, "a");
    const auto first = caller.launch(request);
    INFO(first.reason);
    CHECK(first.answer == LaunchAnswer::Postponed);
    CHECK(holds(first.reason, "plugins_input"));
    CHECK(caller.launch(request).answer == LaunchAnswer::Accepted);
    CHECK(caller.launch(request_of(train, "b")).answer == LaunchAnswer::Accepted);
    CHECK(rig.created(request.run) == 1);
}
