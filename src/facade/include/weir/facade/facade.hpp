#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/engine/engine.hpp>
#include <weir/facade/pipeline_store.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::facade {

/// Every path the façade answers begins with it.
inline constexpr std::string_view prefix = "/apis/v2beta1/";

/// Documented limits.
inline constexpr std::size_t target_bytes_max = 96 * 1024;        ///< filters of 200 ids, encoded twice
inline constexpr std::size_t upload_bytes_max = 33 * 1024 * 1024; ///< a file of 32 MiB in its form
inline constexpr std::size_t message_bytes_max = 8 * 1024 * 1024; ///< a message in JSON

/// What a call asks of its caller, in words of weir's scopes.
enum class Scope : std::uint8_t {
    Open,    ///< nothing: is the server alive
    Read,    ///< every GET
    Operate, ///< runs of what is registered, experiments, pausing schedules
    Admin,   ///< code and schedules come in or go: uploads, deletes; runs that bring their own spec
};

struct Need {
    Scope scope = Scope::Admin;
    std::size_t body_bytes_max = 0;
};

/// A request that was let in.
struct Call {
    std::string method;
    std::string target; ///< path and query as they came, percent-encoded
    std::string content_type;
    std::string body;
    std::string principal;
    std::vector<std::string> teams;         ///< the caller acts on and sees these alone; empty: every team
    bool admin = false;                     ///< the caller has the scope Admin
    ledger::LedgerReader* reader = nullptr; ///< shows what the caller may see
};

struct Answer {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
};

/// Where the answers come from. All of it outlives the façade.
struct FacadePorts {
    engine::Engine& engine;
    ledger::LedgerReader& reader;
    const flows::TaskReader* tasks = nullptr; ///< nullptr: no backend here keeps tasks
    PipelineStore& store;
    const Clock& clock;
};

struct FacadeConfig {
    std::string version; ///< of weir, shown on healthz
    std::string path;    ///< PATH in which commands of pipelines are looked for
};

/// Answers the REST calls of Kubeflow Pipelines v2beta1, without a network. Pipelines, experiments and what
/// clients say of runs live in the PipelineStore; runs are weir's, made by Engine::start_run; recurring runs
/// are triggers with a schedule.
/// Thread: any, several calls at once. Errors: none leave; a failure is an answer in KFP's notation.
/// Limits: 100,000 newest runs in lists; older ones are found by their id.
class Facade {
  public:
    /// Makes the experiment "Default" if it is not there.
    static Result<std::unique_ptr<Facade>> open(FacadePorts ports, FacadeConfig config);
    ~Facade();
    Facade(const Facade&) = delete;
    Facade& operator=(const Facade&) = delete;

    /// Never blocks.
    [[nodiscard]] static Need need(std::string_view method, std::string_view target);
    [[nodiscard]] Answer answer(const Call& call);
    /// For a request that was turned away before it came here.
    [[nodiscard]] static Answer refusal(int status, std::string_view detail);

    struct Impl;

  private:
    explicit Facade(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::facade
