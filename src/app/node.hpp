#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/loop.hpp>
#include <weir/base/pool.hpp>
#include <weir/base/sync.hpp>
#include <weir/config/config.hpp>
#include <weir/engine/service.hpp>
#include <weir/engine/shell.hpp>
#include <weir/events/bus.hpp>
#include <weir/events/source.hpp>
#include <weir/facade/facade.hpp>
#include <weir/flows/local/local_backend.hpp>
#include <weir/flows/null/null_launcher.hpp>
#include <weir/ledger/sqlite_ledger.hpp>
#include <weir/server/api.hpp>
#include <weir/server/http_server.hpp>

#include "backends.hpp"
#include "buses.hpp"
#include "team_launcher.hpp"
#include "tokens.hpp"
#include "uploaded_launcher.hpp"

namespace weir::app {

/// What a weir process is made of.
struct NodeOptions {
    config::Config config;
    bool makes_token = false; ///< with auth.required: DATA/token is made (weir dev)
    bool take_over = false;   ///< from an engine that still has the data folder
    bool facade = false;      ///< answers the calls of Kubeflow Pipelines, unless the configuration says
};

/// Everything of one weir process, put together and taken apart in the right order.
/// Thread: open(), start(), run() on the main thread, which is the engine's; stop() on any other.
class Node {
  public:
    static Result<std::unique_ptr<Node>> open(const NodeOptions& options,
                                              flows::local::Supervisor& supervisor);
    ~Node();

    /// Serves the API, applies the documents given on the command line, starts the sources.
    Status start();
    /// Runs the engine until stop(). An error: the engine had to give up.
    Status run();
    /// Ends serving and sources, then the engine. Once.
    void stop();
    [[nodiscard]] std::string url() const;

    /// The configuration as it is in force now. Any thread.
    [[nodiscard]] config::Config running() const;
    /// Takes over what of a configuration can change while weir runs: log level, teams, tokens, the retention
    /// of payloads. Everything else of it is left out. Any thread.
    void take_live(const config::Config& fresh, std::vector<config::Token> tokens);

  private:
    Node(const NodeOptions& options, flows::local::Supervisor& supervisor);
    Status open_storage();
    Status open_backends();
    Status open_engine();
    Status open_pipelines();
    Status open_facade();
    Status apply_documents();
    Status start_sources();
    void keep_house();
    void watch_tokens();
    [[nodiscard]] engine::ShellConfig shell_config() const;
    [[nodiscard]] Status check_backend(const std::string& team, const std::string& backend) const;
    [[nodiscard]] Status check_flow(const flows::FlowVersion& flow) const;
    [[nodiscard]] std::vector<engine::ReadyItem> readiness() const;
    [[nodiscard]] std::vector<engine::MetricValue> metrics() const;
    [[nodiscard]] std::vector<flows::WaitingLaunch> waiting() const;
    void open_api();

    NodeOptions options_;
    Sync<std::shared_ptr<const config::Config>> running_;
    flows::local::Supervisor& supervisor_;
    SystemClock clock_;
    Loop loop_;
    std::unique_ptr<Pool> commits_;
    std::unique_ptr<ledger::SqliteLedger> ledger_;
    std::vector<NamedBus> buses_;
    events::Bus* publish_ = nullptr; ///< of buses_: takes what is published here
    std::unique_ptr<flows::local::LocalBackend> local_;
    std::unique_ptr<flows::null::NullLauncher> null_;
    std::vector<NamedKubeflow> kubeflow_;
    std::unique_ptr<facade::PipelineStore> pipelines_;     ///< what was uploaded to the façade
    std::unique_ptr<UploadedLauncher> uploaded_;           ///< the backend "kubeflow" where there is none
    std::vector<std::unique_ptr<TeamLauncher>> launchers_; ///< what teams are let use of them
    std::unique_ptr<engine::Shell> shell_;
    std::unique_ptr<engine::EngineService> service_;
    server::AllowAll everybody_;
    server::TokenAuthorizer bearers_{{}};
    Sync<FileWatch> tokens_file_;
    std::unique_ptr<TasksByBackend> tasks_;
    std::unique_ptr<server::Api> api_;
    std::unique_ptr<facade::Facade> facade_;
    std::unique_ptr<server::HttpServer> http_;
    std::vector<std::unique_ptr<events::Source>> sources_;
    bool giving_up_ = false;
    std::int64_t commits_at_checkpoint_ = 0;
    SteadyInstant next_checkpoint_{};
    SteadyInstant next_retention_{};
    SteadyInstant next_tokens_{};
};

} // namespace weir::app
