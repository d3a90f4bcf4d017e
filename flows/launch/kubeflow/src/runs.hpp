#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client.hpp"
#include "lookups.hpp"
#include "run_view.hpp"

// One run at a time: reading it, and the verbs on it.
namespace weir::flows::kubeflow {

/// What GetRun said, as the identity that may see the run.
struct GotRun {
    std::optional<RunView> run;
    bool missing = false;  ///< the server says that there is none
    bool oversize = false; ///< its answer is larger than LimitOptions::answer_bytes
    std::string reason;    ///< neither: why not
    ErrorKind kind = ErrorKind::Unavailable;
};

/// The distinct identities and namespaces of all bindings, and which run is in which.
class Views {
  public:
    explicit Views(const KubeflowOptions& options);
    [[nodiscard]] const std::vector<View>& all() const { return views_; }
    [[nodiscard]] std::size_t index_of(const View& view) const;
    void learn(RunId run, std::size_t view);
    void forget(RunId run) { of_.erase(run); }
    [[nodiscard]] std::optional<std::size_t> find(RunId run) const;

  private:
    std::vector<View> views_;
    std::unordered_map<RunId, std::size_t> of_;
};

class Runs {
  public:
    Runs(Client& client, Views& views) : client_(client), views_(views) {}

    void get(RunId run, Call::Use use, std::function<void(GotRun)> done);
    /// ":terminate", ":retry": the answer as it came. The run must have been got before.
    void verb(RunId run, const std::string& verb, std::function<void(Answer)> done);
    /// As Launcher::cancel: terminates; a 400 is decided by looking. `asked` comes before `done` if the
    /// server has taken the request (true), or may have, its answer being lost or an error (false).
    void cancel(RunId run, const std::function<void(bool sure)>& asked, std::function<void(Status)> done);
    /// As Launcher::retry.
    void retry(RunId run, int attempt, std::function<void(Status)> done);

  private:
    void get_as(RunId run, Call::Use use, std::size_t view, bool only, std::string denied,
                std::function<void(GotRun)> done);
    void ask_retry(RunId run, int attempt, bool again, std::function<void(Status)> done);

    Client& client_;
    Views& views_;
};

} // namespace weir::flows::kubeflow
