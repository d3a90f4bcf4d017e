#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <weir/base/sync.hpp>
#include <weir/flows/local/local_backend.hpp>

#include "environments.hpp"
#include "run.hpp"

namespace weir::flows::local {

/// The local backend: one thread owns all runs, others post to it.
class Backend final : public LocalBackend {
  public:
    Backend(LocalSettings settings, Supervisor& supervisor, const Clock& clock);
    ~Backend() override;
    Status begin();

    void launch(LaunchRequest request, std::function<void(LaunchReply)> done) override;
    void look(RunId run, std::function<void(LookReply)> done) override;
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override;
    void retry(RunId run, int attempt, std::string reason, std::function<void(Status)> done) override;
    void close() override;
    void serve_at(std::string url) override {
        server_.with([&](std::string& server) { server = std::move(url); });
    }
    void on_report(std::function<void(RunReport)> report) override;
    void watch(RunId run) override;
    void forget(RunId run) override;
    [[nodiscard]] Result<std::vector<TaskRecord>> tasks(RunId run) const override;
    [[nodiscard]] Result<std::string> log(RunId run, std::string_view task,
                                          std::size_t bytes_max) const override;

  private:
    using PipelinePointer = std::shared_ptr<const ir::Pipeline>;

    bool post(std::function<void()> work);
    void run_thread();
    void wait();
    [[nodiscard]] int timeout_ms() const;
    void receive();
    void schedule();
    void resolve_environments();
    bool start_one();
    void settle_finished();
    void stop_processes();
    void clean();

    LaunchReply do_launch(const LaunchRequest& request);
    LaunchReply accept(const LaunchRequest& request, const PipelinePointer& pipeline, FlowSettings settings);
    [[nodiscard]] LookReply do_look(RunId run) const;
    Status do_cancel(RunId run, const std::string& reason);
    Status do_retry(RunId run, int attempt, const std::string& reason);
    [[nodiscard]] Result<bool> retried(RunId run, int attempt) const;
    void do_watch(RunId run);
    Status resume(RunId run);
    Result<PipelinePointer> pipeline_of(const std::string& text);
    [[nodiscard]] std::filesystem::path folder_of(RunId run) const;
    Status take_folder();
    void report(const RunReport& report);

    LocalSettings settings_;
    Supervisor& supervisor_;
    const Clock& clock_;
    std::filesystem::path runs_folder_;
    Sync<std::string> server_; ///< weir's API, for tasks
    std::string mark_;         ///< in the environment of every process started from this folder
    int lock_ = -1;
    int wake_ = -1;
    std::thread thread_;
    std::mutex mutex_; ///< of posted_ and closed_
    std::vector<std::function<void()>> posted_;
    bool closed_ = false;
    mutable Sync<std::map<RunId, std::shared_ptr<TaskBoard>>> boards_;

    // The thread's own.
    bool stopping_ = false;
    bool supervisor_lost_ = false;
    std::function<void(RunReport)> report_;
    std::map<RunId, std::unique_ptr<Run>> runs_;
    std::deque<RunId> rotation_;
    std::map<std::uint64_t, RunId> processes_;
    std::map<std::string, PipelinePointer> pipelines_; ///< by digest of the text
    std::unique_ptr<Environments> environments_;
    SteadyInstant next_clean_{};
};

} // namespace weir::flows::local
