#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
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
    std::optional<std::size_t> queue; ///< the one in which it stands with `due`
    bool asked = false;               ///< a request about it is under way
    bool alone = false;               ///< a list of it alone is too large: asked for by GetRun
    int floor = 1;                    ///< attempts before this one are of no interest any more
    int seen = 1;                     ///< newest attempt the server told of
    int told = 0;                     ///< newest attempt whose settlement was reported
    int told_running = 0;
    std::string told_note;
    int cancelling = 0; ///< attempt that was seen CANCELING
    SteadyInstant absent_since{};
    int absences = 0;
    bool lost = false;
    // Its settlement is recorded: looked at now and then, in case somebody opens an attempt.
    bool settled = false;
    SteadyInstant until{}; ///< for so long
};

/// What a person asked to end here.
struct Cancelled {
    int attempt = 1;
    std::string reason;
    std::optional<Instant> at; ///< the server may not have heard: what had failed before, failed by itself
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
    void on_place(KubeflowBackend::PlaceDone done) { place_done_ = std::move(done); }
    void begin(); ///< watched places, if there are any
    void watch(RunId run);
    void forget(RunId run);
    void settled(RunId run, int attempt);
    void follow_settled(RunId run, int attempt, Instant ended);
    /// `sure`: the server has taken it.
    void cancelled(RunId run, std::string reason, bool sure);
    /// Attempt `attempt` has been opened here.
    void retried(RunId run, int attempt);

  private:
    struct Place;
    using Wanted = std::pair<SteadyInstant, RunId>;
    void wake(SteadyInstant when);
    void turn();
    bool one_request();
    bool batch_due(SteadyInstant now, bool settled);
    void take_from(std::size_t queue, SteadyInstant now, std::vector<RunId>& runs);
    bool fulls_due();
    [[nodiscard]] bool fulls_waiting() const;
    bool places_due(SteadyInstant now);
    [[nodiscard]] std::optional<SteadyInstant> next_due() const;
    void request(Call call, std::function<void(Answer)> done);

    void set_due(RunId run, Tracked& tracked, SteadyInstant due);
    void take_out(RunId run, Tracked& tracked);
    void put_off(RunId run);
    void admit();
    void keep_settled(RunId run, Tracked& tracked, Duration for_how_long);
    void go_on(RunId run, Tracked& tracked);
    [[nodiscard]] bool room() const { return tracked_.size() - settled_count_ < options_.limits.tracked; }
    void show_counts();
    /// What cannot be watched, told once and shown until it is well().
    void fault(const std::string& what, const std::string& why);
    void well(const std::string& what);
    void show_faults();
    void ask_batch(std::size_t view, std::vector<RunId> runs);
    void batch_answered(std::size_t view, const std::vector<RunId>& asked, const Answer& answer);
    void batch_failed(const std::vector<RunId>& asked, const Answer& answer);
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
    void place_failed(Place& place, const Answer& answer);
    void place_listed(Place& place);
    void recorded(RunId run, int attempt);
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
    KubeflowBackend::PlaceDone place_done_;
    Pace pace_;
    Pace settled_pace_; ///< of runs whose settlement is recorded, within the other
    ListSize batch_;
    ListSize full_batch_;
    std::size_t open_ = 0;
    std::optional<SteadyInstant> woken_for_;
    unsigned round_ = 0;
    std::unordered_map<RunId, Tracked> tracked_;
    std::vector<std::set<Wanted>> due_; ///< by view; then, by view, those whose settlement is recorded
    std::size_t settled_count_ = 0;
    std::deque<std::pair<RunId, SteadyInstant>> settled_; ///< with their `until`; some are so no more
    std::deque<RunId> later_;                             ///< wait for room, in order; some do no more
    std::unordered_set<RunId> later_ids_;
    std::map<std::string, std::string> faults_;
    std::deque<RunId> confirm_;
    std::unordered_map<RunId, Cancelled> cancels_;
    std::map<std::string, Wait> full_; ///< by run id
    std::optional<bool> full_view_;
    SteadyInstant full_until_{};
    std::vector<std::unique_ptr<Place>> places_;
};

} // namespace weir::flows::kubeflow
