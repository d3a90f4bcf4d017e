#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <weir/flows/launcher.hpp>

#include "chance.hpp"

namespace weir::sim {

/// How a simulated backend misbehaves, in thousandths.
struct LauncherFaults {
    std::uint64_t lost_reply = 0;    ///< the run is created, the reply is lost
    std::uint64_t lost_request = 0;  ///< nothing is created, the reply is lost
    std::uint64_t late = 0;          ///< "the deadline had passed": nothing is created
    std::uint64_t unreachable = 0;   ///< a look is not answered
    std::uint64_t slow = 0;          ///< the reply takes up to 20 s
    std::uint64_t repeat_report = 0; ///< a report comes twice
    // A backend like Kubeflow Pipelines: that it does not have a run proves nothing for three minutes.
    bool remote = false;
    std::uint64_t late_effect = 0; ///< the reply is lost, the run is created up to 170 s later
    std::uint64_t postponed = 0;   ///< nothing leaves; asked again up to two minutes later
    std::uint64_t flap = 0;        ///< what ended runs again for a moment
};

/// A backend outside of weir's process: it outlives every crash. What becomes of a run depends on its
/// arguments alone, so that two simulations of one trace see the same outcomes.
class SimLauncher final : public flows::Launcher, public flows::RunWatcher {
  public:
    struct Record {
        flows::LaunchRequest request;
        int creates = 0; ///< times a request created it: more than one is the failure looked for
        Instant settles_at;
        flows::Outcome outcome = flows::Outcome::Succeeded;
        bool cancelled = false;
        int attempt = 1;
    };

    SimLauncher(SimClock& clock, std::uint64_t seed, LauncherFaults faults)
        : clock_(clock), chance_(seed), faults_(faults) {}

    bool absence_is_final() const override { return !faults_.remote; }
    Duration absence_wait() const override {
        return faults_.remote ? std::chrono::seconds(180) : Duration(0);
    }
    void launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) override;
    void look(RunId run, std::function<void(flows::LookReply)> done) override;
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override;
    void retry(RunId run, int attempt, std::string reason, std::function<void(Status)> done) override;
    void close() override {}
    void on_report(std::function<void(flows::RunReport)> report) override { report_ = std::move(report); }
    void watch(RunId run) override;
    void forget(RunId run) override;

    /// Does what is due. Returns when the next thing is due.
    std::optional<Instant> work();
    /// Weir died: nobody waits for replies, nobody follows runs.
    void weir_died();
    /// Checked before a run is created: the ledger on disk must say `sent`.
    std::function<void(const flows::LaunchRequest&)> on_create;
    using Attempt = std::pair<RunId, int>;
    /// The flow's own report of an attempt. It is sent again until it is taken.
    std::function<void(const Attempt&)> on_own_report;
    void own_report_taken(const Attempt& attempt) { own_reports_.erase(attempt); }

    [[nodiscard]] const std::map<RunId, Record>& records() const { return records_; }
    std::vector<std::string> faults_seen; ///< what must never happen and did

  private:
    void leave(const flows::LaunchRequest& request,
               const std::function<void(flows::LaunchAnswer, std::string)>& reply);
    void create(const flows::LaunchRequest& request);
    void answer(Instant at, std::function<void()> task) { later_.emplace(at, std::move(task)); }
    void report(const RunId& run, bool running = false);
    void flap(const RunId& run);
    std::optional<Instant> work_inside();
    void report_itself(const Record& record, std::uint64_t fate);

    SimClock& clock_;
    Chance chance_;
    LauncherFaults faults_;
    std::map<RunId, Record> records_;
    std::map<RunId, bool> watched_; ///< value: its settlement was reported
    std::map<RunId, int> open_;     ///< requests to create that are not answered
    std::multimap<Instant, std::function<void()>> later_;
    std::multimap<Instant, std::function<void()>>
        effects_;                            ///< in the backend: weir's death does not end them
    std::map<Attempt, Instant> own_reports_; ///< to be sent, and when
    std::set<RunId> lost_once_;
    std::map<RunId, int> left_; ///< requests that may have had an effect
    std::function<void(flows::RunReport)> report_;
};

/// A stable number from a text: decides outcomes and durations.
std::uint64_t number_of(const std::string& text);

} // namespace weir::sim
