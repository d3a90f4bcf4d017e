#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/base/sync.hpp>

#include "runs.hpp"

// Learning what became of runs: those that are tracked, and those of watched places.
namespace weir::flows::kubeflow {

/// A run of our own that is followed.
struct Tracked {
    std::optional<std::size_t> view; ///< unknown after a restart until it is found
    std::size_t trying = 0;          ///< the view it is looked for in, while that is unknown
    SteadyInstant due{};
    bool asked = false; ///< a request about it is under way
    int floor = 1;      ///< attempts before this one are of no interest any more
    int seen = 1;       ///< newest attempt the server told of
    int told = 0;       ///< newest attempt whose settlement was reported
    int told_running = 0;
    std::string told_note;
    int cancelling = 0; ///< attempt that was seen CANCELING
    SteadyInstant absent_since{};
    int absences = 0;
    bool lost = false;
};

/// What a person asked to end here.
struct Cancelled {
    int attempt = 1;
    std::string reason;
};

/// Pure: the reports that an attempt gives.
RunReport report_of(RunId run, const RunView& view, const AttemptView& attempt,
                    const std::string* cancel_reason);

/// Thread: the backend's. Reports come from its turns.
class Watch {
  public:
    Watch(const Clock& clock, const KubeflowOptions& options, Client& client, Lookups& lookups, Runs& runs,
          Views& views, Timers& timers, Sync<KubeflowStatus>& status);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    void on_report(std::function<void(RunReport)> report) { report_ = std::move(report); }
    void begin(); ///< watched places, if there are any
    void watch(RunId run);
    void forget(RunId run);
    void cancelled(RunId run, std::string reason);
    void not_cancelled(RunId run) { cancels_.erase(run); }
    /// Attempt `attempt` has been opened here.
    void retried(RunId run, int attempt);

  private:
    struct Place;
    using Wanted = std::pair<SteadyInstant, RunId>;
    void wake(SteadyInstant when);
    void turn();
    bool one_request();
    bool batch_due(SteadyInstant now);
    bool fulls_due();
    [[nodiscard]] bool fulls_waiting() const;
    bool places_due(SteadyInstant now);
    [[nodiscard]] std::optional<SteadyInstant> next_due() const;
    void request(Call call, std::function<void(Answer)> done);

    void set_due(RunId run, Tracked& tracked, SteadyInstant due);
    std::set<Wanted>& queue_of(const Tracked& tracked);
    void ask_batch(std::size_t view, std::vector<RunId> runs);
    void batch_answered(std::size_t view, const std::vector<RunId>& asked, const Answer& answer);
    void absent(RunId run);
    void confirm(RunId run);
    void confirmed(RunId run, const GotRun& got);
    void observe(RunId run, const RunView& view, bool complete);
    void settle(RunId run, const RunView& view);
    void tell(RunReport report);
    [[nodiscard]] const std::string* cancel_reason(RunId run, const Tracked& tracked,
                                                   const AttemptView& attempt) const;

    // view=FULL: outputs and artifacts, where the server has it.
    struct Wait {
        std::size_t view = 0;
        RunView run;
        std::function<void(const RunView&)> done;
        int tries = 0;
        bool asked = false;
    };
    void complete(std::size_t view, RunView run, std::function<void(const RunView&)> done);
    void full_answered(const std::vector<std::string>& asked, const Answer& answer);
    [[nodiscard]] bool full_worth_trying() const;

    void ask_place(Place& place);
    void list_place(Place& place);
    void place_answered(Place& place, const Answer& answer);
    void foreign(Place& place, const RunView& run);
    void tell_foreign(Place& place, const RunView& run, const std::string& pipeline);

    const Clock& clock_;
    const KubeflowOptions& options_;
    Client& client_;
    Lookups& lookups_;
    Runs& runs_;
    Views& views_;
    Timers& timers_;
    Sync<KubeflowStatus>& status_;
    std::function<void(RunReport)> report_;
    Pace pace_;
    std::size_t batch_;
    std::size_t open_ = 0;
    std::optional<SteadyInstant> woken_for_;
    unsigned round_ = 0;
    std::unordered_map<RunId, Tracked> tracked_;
    std::vector<std::set<Wanted>> due_; ///< by view
    std::deque<RunId> confirm_;
    std::unordered_map<RunId, Cancelled> cancels_;
    std::map<std::string, Wait> full_; ///< by run id
    std::optional<bool> full_view_;
    SteadyInstant full_until_{};
    std::vector<std::unique_ptr<Place>> places_;
};

} // namespace weir::flows::kubeflow
