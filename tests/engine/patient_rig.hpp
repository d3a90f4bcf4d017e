#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/digest.hpp>
#include <weir/engine/shell.hpp>
#include <weir/engine/why.hpp>
#include <weir/events/memory_bus.hpp>
#include <weir/ledger/memory_ledger.hpp>
#include <weir/triggers/compiled.hpp>

// The shell and a backend like Kubeflow Pipelines: that it does not have a run proves nothing for minutes.
namespace weir::engine::test {

using namespace std::chrono_literals;

/// Does what the test says, and keeps what it was asked.
class ScriptedLauncher final : public flows::Launcher, public flows::RunWatcher {
  public:
    [[nodiscard]] bool absence_is_final() const override { return false; }
    [[nodiscard]] Duration absence_wait() const override { return 180s; }
    void launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) override {
        launched.push_back(request);
        if (holds_back) return;
        if (reply.answer == flows::LaunchAnswer::Postponed || reply.answer == flows::LaunchAnswer::Late)
            return done(reply);
        request.leave([this, request, done](bool go) {
            may_leave.push_back(go);
            if (on_leaving) on_leaving(request.run);
            if (has_after_launch) has[request.run] = request;
            done(reply);
        });
    }
    void look(RunId run, std::function<void(flows::LookReply)> done) override {
        ++looks;
        flows::LookReply answer;
        answer.answer = flows::LookAnswer::Absent;
        if (const auto found = has.find(run); found != has.end()) {
            answer.answer = flows::LookAnswer::Found;
            answer.flow_version = found->second.flow->version;
            answer.arguments_json =
                arguments_as_found.empty() ? found->second.arguments_json : arguments_as_found;
            answer.decision = found->second.decision.to_string();
        }
        done(answer);
    }
    void cancel(RunId run, std::string, std::function<void(Status)> done) override {
        cancelled.push_back(run);
        done(cancel_answer);
    }
    void retry(RunId, int, std::string, std::function<void(Status)> done) override { done({}); }
    void close() override {}
    void on_report(std::function<void(flows::RunReport)>) override {}
    void watch(RunId run) override { watched.push_back(run); }
    void forget(RunId) override { ++forgotten; }
    void settled(RunId, int attempt) override {
        ++forgotten;
        settled_attempts.push_back(attempt);
    }

    flows::LaunchReply reply{flows::LaunchAnswer::Accepted, {}, {}, "pipe/v1"};
    bool has_after_launch = true;
    bool holds_back = false;     ///< launches wait here: nothing leaves, nothing is answered
    std::vector<bool> may_leave; ///< what was answered when a request was about to leave
    std::function<void(RunId)> on_leaving;
    std::string arguments_as_found;
    std::vector<flows::LaunchRequest> launched;
    std::map<RunId, flows::LaunchRequest> has;
    std::vector<RunId> watched, cancelled;
    Status cancel_answer;
    std::vector<int> settled_attempts;
    int looks = 0, forgotten = 0;
};

class PatientRig {
  public:
    PatientRig() {
        ledger_ = ledger::make_memory_ledger("weir", std::string(32, 's'));
        bus_ = events::make_memory_bus(clock, {.stream = "events"});
        start();
    }

    void start() {
        shell_.reset();
        posts_.clear();
        ShellPorts ports{clock, *ledger_, {bus_.get()}, {}, {}, {}, {}};
        if (configured) ports.backends["kf"] = {&launcher, &launcher};
        ports.backends["other"] = {&other, &other};
        ports.post = [this](std::function<void()> task) { posts_.push_back(std::move(task)); };
        ports.commit_on = [](const std::function<void()>& task) { task(); };
        ports.mint_uid = [] { return TriggerUid{}; };
        ports.find_run = [this](const RunId& run) { return ledger_->reader().run(run); };
        shell_ = std::make_unique<Shell>(std::move(ports), config);
        REQUIRE(shell_->open().ok());
        settle();
    }
    /// Until nothing more happens at this instant.
    void settle() {
        for (int i = 0; i < 1000; ++i) {
            bool more = shell_->turn();
            while (!posts_.empty()) {
                auto task = std::move(posts_.front());
                posts_.pop_front();
                task();
                more = true;
            }
            if (!more) return;
        }
        FAIL("the engine never comes to rest");
    }
    /// Lets time pass, second by second.
    void pass(Duration time) {
        for (Duration gone{0}; gone < time; gone += 1s) {
            clock.advance(1s);
            settle();
        }
    }
    Shell::Outcome submit(decltype(Input::what) what) {
        Shell::Outcome made;
        shell_->submit(std::move(what), [&made](const Shell::Outcome& outcome) { made = outcome; });
        settle();
        return made;
    }
    void apply(const std::vector<std::string>& documents, bool reports = false) {
        ApplyInput input;
        for (const auto* name : {"train", "next", "side"}) {
            auto flow = std::make_shared<flows::FlowVersion>();
            flow->team = "ads";
            flow->flow = name;
            flow->version = std::string("version-") + name;
            flow->backend = std::string(name) == "side" ? "other" : "kf";
            flow->parameters = {{"x", flows::ParameterType::Integer, true, "", "", {}}};
            flow->settings_json =
                std::string("{\"pipeline\":\"pipe-") + name + "\"" + (reports ? ",\"reports\":true}" : "}");
            input.flows.push_back(flow);
        }
        for (const auto& text : documents) {
            Problems problems;
            const auto read = triggers::read_triggers(text, "test", problems);
            REQUIRE(problems.empty());
            auto compiled = triggers::compile(read.at(0), problems);
            REQUIRE(problems.empty());
            input.triggers.push_back({compiled, TriggerUid{Uuid::time_led(Instant{}, sha256(text))}, text});
        }
        input.principal = "ada";
        submit(std::move(input));
    }
    /// A run by hand; its id.
    RunId run(const std::string& flow = "train") {
        return submit(RunFlowInput{"ads", flow, "{\"x\":1}", "r" + std::to_string(++asked_), "ada", "test"})
            .run.value();
    }
    /// Another process takes the ledger over.
    void take_over() { REQUIRE(ledger_->take_epoch().ok()); }
    ledger::RunRow row(const RunId& run) {
        auto row = ledger_->reader().run(run);
        REQUIRE(row.ok());
        return std::move(row).value();
    }
    /// Of the newest recorded input.
    Seq head() {
        const auto head = ledger_->reader().head();
        REQUIRE(head.ok());
        return *head;
    }
    std::string why(const RunId& run) {
        auto why = why_run(ledger_->reader(), run);
        REQUIRE(why.ok());
        return why->text;
    }
    flows::RunReport ended(const RunId& run, flows::Outcome outcome, int attempt = 1) {
        flows::RunReport report;
        report.run = run;
        report.attempt = attempt;
        report.settled = true;
        report.outcome = outcome;
        report.started_at = clock.now() - 5s;
        report.finished_at = clock.now();
        return report;
    }
    void report(const flows::RunReport& report) {
        shell_->report(report);
        settle();
    }
    Shell::Outcome own_report(const RunId& run, const std::string& outputs, int attempt = 0) {
        ReportInput input;
        input.run = run;
        input.attempt = attempt;
        input.outputs_json = outputs;
        const auto known = ledger_->reader().run(run);
        input.settled = known.ok() && known->state == ledger::RunState::Settled;
        if (input.settled) input.next_attempt = next_attempt_of(*known);
        return submit(std::move(input));
    }
    std::vector<ledger::RunRow> runs() {
        ledger::Query query;
        query.limit = 100;
        auto page = ledger_->reader().runs(query);
        REQUIRE(page.ok());
        return page->rows;
    }
    std::vector<ledger::WatchedRow> watched() { return ledger_->reader().watched().value(); }
    Shell& shell() { return *shell_; }
    ledger::Snapshot snapshot() {
        auto snapshot = ledger_->snapshot();
        REQUIRE(snapshot.ok());
        return std::move(snapshot).value();
    }
    /// The ids of all decisions made, in order; and those that the recorded inputs give when they are fed
    /// again.
    std::vector<std::string> decided() {
        ledger::Query query;
        query.limit = 100;
        auto page = ledger_->reader().decisions(query);
        REQUIRE(page.ok());
        std::vector<std::string> ids;
        for (const auto& row : page->rows)
            ids.insert(ids.begin(), row.id.to_string());
        return ids;
    }
    std::vector<std::string> replayed() {
        const auto now = snapshot();
        Core core(CoreConfig{now.instance, now.secret, {}});
        ledger::Snapshot empty;
        empty.instance = now.instance;
        empty.secret = now.secret;
        REQUIRE(core.restore(empty).ok());
        const auto inputs = ledger_->reader().inputs_from(Seq(0), 1000);
        REQUIRE(inputs.ok());
        std::vector<std::string> ids;
        for (const auto& row : *inputs) {
            auto input = decode_input(row);
            REQUIRE(input.ok());
            ledger::Batch batch;
            (void)core.step(std::move(input).value(), row.seq, {}, batch);
            for (const auto& decision : batch.decisions)
                ids.push_back(decision.id.to_string());
        }
        return ids;
    }

    ManualClock clock{from_ns(1'790'000'000'000'000'000)};
    ScriptedLauncher launcher, other; ///< backends "kf" and "other"
    bool configured = true;           ///< backend "kf" is part of this weir; seen by start()
    ShellConfig config;               ///< the same

  private:
    std::unique_ptr<ledger::MemoryLedger> ledger_;
    std::unique_ptr<events::Bus> bus_;
    std::deque<std::function<void()>> posts_;
    std::unique_ptr<Shell> shell_;
    int asked_ = 0;
};

} // namespace weir::engine::test
