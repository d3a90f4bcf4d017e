#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <weir/base/loop.hpp>
#include <weir/engine/engine.hpp>
#include <weir/engine/shell.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::engine {

struct ServicePorts {
    Loop& loop;
    Shell& shell;
    events::Bus& bus; ///< where published events go: a remote one by way of the ledger's inbox
    ledger::LedgerReader& reader;
    /// Sources, backends and whatever else the application knows to be ready or not. Any thread.
    std::function<std::vector<ReadyItem>()> more_readiness;
    /// Numbers of backends, for metrics(). Any thread.
    std::function<std::vector<MetricValue>()> more_metrics;
    /// Whether there is a flow's backend, its team may use it and the flow's settings are ones that the team
    /// may choose; asked when the flow is applied. Any thread. Empty: all is allowed.
    std::function<Status(const flows::FlowVersion& flow)> check_flow;
    std::string path; ///< PATH in which commands of pipelines are looked for
};

/// The engine for callers on other threads: each call is carried to the loop and waits until it is durable.
class EngineService final : public Engine {
  public:
    explicit EngineService(ServicePorts ports);
    ~EngineService() override;

    Result<ApplyReport> apply(const ApplyRequest& request) override;
    Status delete_trigger(const std::string& team, const std::string& name, const Actor& actor) override;
    Status pause(const std::string& team, const std::string& name, const Actor& actor) override;
    Status resume(const std::string& team, const std::string& name, bool replay, const Actor& actor) override;
    Result<RunId> run_flow(const std::string& team, const std::string& flow,
                           const std::string& arguments_json, const std::string& request_id,
                           const Actor& actor) override;
    Result<RunId> start_run(const StartRun& run, const Actor& actor) override;
    Result<bool> report_run(const RunSaid& said, const Actor& actor) override;
    Status cancel_run(const RunId& run, const Actor& actor) override;
    Status retry_run(const RunId& run, const Actor& actor) override;
    Status publish(std::span<const events::Event> events) override;
    Result<std::vector<StreamReport>> streams() override;
    Status accept_gap(const std::string& stream, const Actor& actor) override;
    Status replay(ledger::DeadLetterNo letter, const Actor& actor) override;
    std::vector<JoinWaiting> waiting(const std::string& team, const std::string& trigger) override;
    std::vector<ReadyItem> readiness() override;
    std::vector<MetricValue> metrics() override;

    /// No further call is taken; those that wait get `cancelled`. Before the loop ends.
    void close();

  private:
    struct Call;
    /// Runs `work` on the loop; it must end by calling the Done it is given. Waits for that.
    Result<Shell::Outcome> carry(std::function<void(Shell::Done)> work);
    Status change(decltype(Input::what) what);
    Status read(std::function<void()> work);
    void add_readiness(std::vector<ReadyItem>& items) const;

    ServicePorts ports_;
    std::set<RunId> retried_; ///< asked to be tried again, not durable yet; the loop thread's
    std::atomic<int> waiting_{0};
    std::atomic<bool> closed_{false};
};

} // namespace weir::engine
