#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>

namespace weir::flows::kubeflow {

/// What is to be done later, on the backend's thread.
class Timers {
  public:
    void at(SteadyInstant when, std::function<void()> work) { due_.emplace(when, std::move(work)); }
    /// Runs what is due; what that adds for now waits for the next call.
    void run(SteadyInstant now) {
        std::vector<std::function<void()>> ready;
        const auto end = due_.upper_bound(now);
        for (auto it = due_.begin(); it != end; ++it)
            ready.push_back(std::move(it->second));
        due_.erase(due_.begin(), end);
        for (auto& work : ready)
            work();
    }
    [[nodiscard]] std::optional<SteadyInstant> next() const {
        if (due_.empty()) return {};
        return due_.begin()->first;
    }

  private:
    std::multimap<SteadyInstant, std::function<void()>> due_;
};

} // namespace weir::flows::kubeflow
