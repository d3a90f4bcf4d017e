#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <weir/base/loop.hpp>
#include <weir/base/pool.hpp>
#include <weir/cli/cli.hpp>
#include <weir/engine/service.hpp>
#include <weir/engine/shell.hpp>
#include <weir/events/bus.hpp>
#include <weir/events/source.hpp>
#include <weir/flows/local/local_backend.hpp>
#include <weir/flows/null/null_launcher.hpp>
#include <weir/ledger/sqlite_ledger.hpp>
#include <weir/server/api.hpp>
#include <weir/server/http_server.hpp>

namespace weir::app {

/// Everything of one weir process, put together and taken apart in the right order.
/// Thread: open(), start(), run() on the main thread, which is the engine's; stop() on any other.
class Node {
  public:
    static Result<std::unique_ptr<Node>> open(const cli::DevOptions& options,
                                              flows::local::Supervisor& supervisor);
    ~Node();

    /// Serves the API, applies the documents given on the command line, starts the sources.
    Status start();
    /// Runs the engine until stop(). An error: the engine had to give up.
    Status run();
    /// Ends serving and sources, then the engine. Once.
    void stop();
    [[nodiscard]] std::string url() const;

  private:
    Node(const cli::DevOptions& options, flows::local::Supervisor& supervisor);
    Status open_storage();
    Status open_engine();
    Status apply_documents();
    Status start_sources();
    void keep_house();
    [[nodiscard]] std::vector<engine::ReadyItem> readiness() const;

    cli::DevOptions options_;
    flows::local::Supervisor& supervisor_;
    SystemClock clock_;
    Loop loop_;
    std::unique_ptr<Pool> commits_;
    std::unique_ptr<ledger::SqliteLedger> ledger_;
    std::unique_ptr<events::Bus> bus_;
    std::unique_ptr<flows::local::LocalBackend> local_;
    std::unique_ptr<flows::null::NullLauncher> null_;
    std::unique_ptr<engine::Shell> shell_;
    std::unique_ptr<engine::EngineService> service_;
    server::AllowAll authorizer_;
    std::unique_ptr<server::Api> api_;
    std::unique_ptr<server::HttpServer> http_;
    std::vector<std::unique_ptr<events::Source>> sources_;
    bool giving_up_ = false;
    std::int64_t commits_at_checkpoint_ = 0;
    SteadyInstant next_checkpoint_{};
    SteadyInstant next_retention_{};
};

} // namespace weir::app
