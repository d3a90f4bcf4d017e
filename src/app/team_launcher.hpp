#pragma once

#include <functional>
#include <string>
#include <vector>

#include <weir/flows/launcher.hpp>

namespace weir::app {

/// A backend as teams may use it: a launch of a flow whose team may not use it is refused, saying so. What
/// runs already goes on.
class TeamLauncher final : public flows::Launcher {
  public:
    using Allowed = std::function<Status(const std::string& team, const std::string& backend)>;
    /// `backend` outlives the object; `allowed` may be asked from any thread.
    TeamLauncher(std::string name, flows::Launcher& backend, Allowed allowed)
        : name_(std::move(name)), backend_(backend), allowed_(std::move(allowed)) {}

    [[nodiscard]] bool absence_is_final() const override { return backend_.absence_is_final(); }
    [[nodiscard]] Duration absence_wait() const override { return backend_.absence_wait(); }
    [[nodiscard]] std::vector<flows::WaitingLaunch> waiting() const override { return backend_.waiting(); }
    void launch(flows::LaunchRequest request, std::function<void(flows::LaunchReply)> done) override {
        if (const auto allowed = allowed_(request.flow->team, name_); !allowed.ok())
            return done({flows::LaunchAnswer::Refused, allowed.error().message});
        backend_.launch(std::move(request), std::move(done));
    }
    void look(RunId run, std::function<void(flows::LookReply)> done) override {
        backend_.look(run, std::move(done));
    }
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override {
        backend_.cancel(run, std::move(reason), std::move(done));
    }
    void retry(RunId run, int attempt, std::string reason, std::function<void(Status)> done) override {
        backend_.retry(run, attempt, std::move(reason), std::move(done));
    }
    void close() override {}

  private:
    std::string name_;
    flows::Launcher& backend_;
    Allowed allowed_;
};

} // namespace weir::app
