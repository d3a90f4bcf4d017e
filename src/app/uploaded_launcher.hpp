#pragma once

#include <functional>
#include <memory>
#include <string>

#include <weir/facade/resolve.hpp>
#include <weir/flows/local/local_backend.hpp>

namespace weir::app {

/// Flows of `backend: kubeflow` where no Kubeflow is: their pipelines are those that were uploaded here, and
/// the local backend runs them, under the same run id. So the files of the cluster work on a laptop.
class UploadedLauncher final : public flows::Launcher, public flows::RunWatcher {
  public:
    /// Both outlive the object.
    UploadedLauncher(facade::PipelineStore& store, flows::local::LocalBackend& local)
        : store_(store), local_(local) {}

    [[nodiscard]] bool absence_is_final() const override { return true; }
    void launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) override {
        using flows::LaunchAnswer;
        auto resolved = facade::resolve(store_, *request.flow, request.arguments_json);
        if (!resolved.ok() && retryable(resolved.error().kind))
            return done({LaunchAnswer::Postponed, resolved.error().message, {}, {}});
        if (!resolved.ok()) return done({LaunchAnswer::Refused, resolved.error().message, {}, {}});
        request.flow = std::make_shared<const flows::FlowVersion>(std::move(resolved->flow));
        local_.launch(std::move(request), [done = std::move(done),
                                           version = resolved->backend_version](flows::LaunchReply reply) {
            reply.version = version;
            done(std::move(reply));
        });
    }
    void look(RunId run, std::function<void(flows::LookReply)> done) override {
        local_.look(run, std::move(done));
    }
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override {
        local_.cancel(run, std::move(reason), std::move(done));
    }
    void retry(RunId run, int attempt, std::string reason, std::function<void(Status)> done) override {
        local_.retry(run, attempt, std::move(reason), std::move(done));
    }
    void close() override {}
    /// The local backend reports of all its runs to one place.
    void on_report(std::function<void(flows::RunReport)>) override {}
    void watch(RunId run) override { local_.watch(run); }
    void forget(RunId run) override { local_.forget(run); }

  private:
    facade::PipelineStore& store_;
    flows::local::LocalBackend& local_;
};

} // namespace weir::app
