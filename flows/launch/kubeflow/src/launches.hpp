#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include <weir/base/sync.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>

#include "create_run.hpp"
#include "launch_table.hpp"
#include "lookups.hpp"

namespace weir::flows::kubeflow {

/// Moves launches through launch_table. Thread: the backend's, but waiting() and size().
class Launches {
  public:
    /// Told of every run that was accepted: where it is.
    using Learn = std::function<void(RunId, const View&)>;
    Launches(const Clock& clock, const KubeflowOptions& options, Client& client, Lookups& lookups,
             Timers& timers, Sync<KubeflowStatus>& status, Learn learn);

    void begin(LaunchRequest request, std::function<void(LaunchReply)> done);
    /// This run has been asked for before: a launch of it looks first.
    void remember(RunId run);
    [[nodiscard]] std::vector<WaitingLaunch> waiting() const;
    [[nodiscard]] std::size_t size() const;

  private:
    struct Launch;
    using Ptr = std::shared_ptr<Launch>;
    static Status read_settings(Launch& launch);
    void enter(const Ptr& launch, Stage stage);
    void step(const Ptr& launch, Step step, std::string reason, Duration retry_after = {});
    void wait(const Ptr& launch, Stage stage, const std::string& reason, Duration retry_after);
    Duration pause(const Ptr& launch, Duration retry_after);
    void end(const Ptr& launch, LaunchAnswer answer, std::string reason, Instant next = {});
    void look(const Ptr& launch);
    void pipeline(const Ptr& launch);
    void version(const Ptr& launch);
    void check(const Ptr& launch);
    void experiment(const Ptr& launch);
    void create(const Ptr& launch);
    void created(const Ptr& launch, const Answer& answer);
    void stray(const Ptr& launch);
    template <class T>
    bool usable(const Ptr& launch, const Found<T>& found);

    const Clock& clock_;
    const KubeflowOptions& options_;
    Client& client_;
    Lookups& lookups_;
    Timers& timers_;
    Sync<KubeflowStatus>& status_;
    Learn learn_;
    std::map<RunId, Ptr> open_;
    std::unordered_map<RunId, bool> known_;
    std::deque<RunId> known_order_;
    std::unordered_map<RunId, int>
        tries_;                        ///< of launches that were postponed: the next one goes on from there
    SteadyInstant no_plugins_until_{}; ///< the server took no `plugins_input`, whatever its version says
    std::string not_honoured_;         ///< why no run may be created here just now
    SteadyInstant not_honoured_until_{};

    struct Shown {
        WaitingLaunch launch;
        SteadyInstant since{};
    };
    Sync<std::map<RunId, Shown>> shown_;
};

} // namespace weir::flows::kubeflow
