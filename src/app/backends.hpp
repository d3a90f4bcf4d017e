#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/config/config.hpp>
#include <weir/engine/engine.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::app {

/// A Kubeflow server under the name that the configuration gives it.
struct NamedKubeflow {
    std::string name;
    std::unique_ptr<flows::kubeflow::KubeflowBackend> backend;
};

/// Refuses by name the backends that this build lacks (meson feature `kubeflow`).
Status check_backend_kinds(const config::Config& config);

/// Opens every Kubeflow backend of the configuration; secrets are read here. Waits for no server.
/// Each watched place goes on where `reader` says it was left, however long weir or its view of the server
/// was gone. Errors: of the adapter, the ledger and read_secret(), with the backend's name before them.
Result<std::vector<NamedKubeflow>> open_kubeflow_backends(const config::Config& config, const Clock& clock,
                                                          ledger::LedgerReader& reader);

/// A watched place as the ledger names it.
std::string name_of(const flows::kubeflow::WatchedPlace& place);

/// Runs that settled a short while ago are looked at again: they may have been tried again meanwhile. Call
/// once reports are heard. The newest ones of the ledger, a bounded number.
Status follow_settled(const std::vector<NamedKubeflow>& backends, const config::Config& config,
                      const Clock& clock, ledger::LedgerReader& reader);

/// How a Kubeflow backend fares, in one line.
engine::ReadyItem readiness_of(const std::string& name, const flows::kubeflow::KubeflowStatus& status);
void add_metrics(const std::string& name, const flows::kubeflow::KubeflowStatus& status,
                 std::vector<engine::MetricValue>& values);

/// Tasks and logs of every run, from the backend that it runs on.
/// Thread: any, once all are added. Errors: `not_found` for a run that no ledger row tells of, and for tasks
/// of a backend that keeps none; `unsupported` for its logs.
class TasksByBackend final : public flows::TaskReader {
  public:
    /// Both outlive the object.
    explicit TasksByBackend(ledger::LedgerReader& reader) : reader_(reader) {}
    void add(const std::string& backend, const flows::TaskReader& tasks) { by_backend_[backend] = &tasks; }

    [[nodiscard]] Result<std::vector<flows::TaskRecord>> tasks(RunId run) const override;
    [[nodiscard]] Result<std::string> log(RunId run, std::string_view task,
                                          std::size_t bytes_max) const override;

  private:
    ledger::LedgerReader& reader_;
    std::map<std::string, const flows::TaskReader*> by_backend_;
};

} // namespace weir::app
