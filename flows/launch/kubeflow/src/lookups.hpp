#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client.hpp"
#include "parameters.hpp"

// What is read before a run can be created: pipelines, versions, experiments.
namespace weir::flows::kubeflow {

/// What a lookup found, or why it did not.
template <class T>
struct Found {
    std::optional<T> value;
    bool refused = false; ///< it will not be found by asking again: `reason` says what to do
    std::string reason;
    Duration retry_after{0};
};

struct Pipeline {
    std::string id, name, namespace_;
};
struct Version {
    std::string id, name;
    std::shared_ptr<const SpecView> spec;
};
struct Experiment {
    std::string id, name;
    bool archived = false;
};

/// A namespace as one user sees it.
struct View {
    std::string user, namespace_;
    auto operator<=>(const View&) const = default;
};

/// Reads, remembers for TimeoutOptions::resolve_cache, and asks once for all who want the same.
/// Thread: the backend's. Callbacks never come from inside a call.
class Lookups {
  public:
    Lookups(const Clock& clock, const KubeflowOptions& options, Client& client, Timers& timers);

    /// By name or id. A pipeline of another namespace is refused; shared ones (of none) are taken.
    void pipeline(const View& view, const std::string& name_or_id, std::function<void(Found<Pipeline>)> done);
    /// The name of a pipeline by its id; empty if there is none (any more).
    void pipeline_name(const View& view, const std::string& id, std::function<void(Found<std::string>)> done);
    /// "latest" or "", a name, or an id. `unsupported` specs are refused.
    void version(const View& view, const Pipeline& pipeline, const std::string& wanted,
                 std::function<void(Found<Version>)> done);
    /// By name; made where there is none, if `make`.
    void experiment(const View& view, const std::string& name, bool make,
                    std::function<void(Found<Experiment>)> done);
    /// Nothing read before is taken for true any more.
    void forget();

  private:
    template <class T>
    struct Entry {
        Found<T> found;
        SteadyInstant until{};
        bool asking = false;
        std::vector<std::function<void(Found<T>)>> waiting;
    };
    template <class T>
    using Cache = std::map<std::string, Entry<T>>;
    template <class T>
    void cached(Cache<T>& cache, const std::string& key, Duration keep, std::function<void(Found<T>)> done,
                const std::function<void(std::function<void(Found<T>)>)>& ask);

    void pipeline_by_name(const View& view, const std::string& name, const std::string& in,
                          std::function<void(Found<Pipeline>)> done);
    void pipelines_by(const View& view, const std::string& name, const std::string& in,
                      const std::string& key, std::function<void(Found<Pipeline>)> done);
    void versions_by(const View& view, const Pipeline& pipeline, const std::string& wanted,
                     const std::string& key, std::function<void(Found<Version>)> done);
    void make_experiment(const View& view, const std::string& name,
                         std::function<void(Found<Experiment>)> done);
    Found<Version> version_of(simdjson::dom::element version);
    void read(const View& view, std::string what, std::string path, std::function<void(Answer)> done);

    const Clock& clock_;
    const KubeflowOptions& options_;
    Client& client_;
    Timers& timers_;
    Cache<Pipeline> pipelines_;
    Cache<std::string> names_;
    Cache<Version> versions_;
    Cache<Experiment> experiments_;
    std::map<std::string, std::shared_ptr<const SpecView>> specs_; ///< by version id; versions never change
};

} // namespace weir::flows::kubeflow
