#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>

#include <weir/base/clock.hpp>

namespace weir::flows::kubeflow {

/// What is to be done later, on the backend's thread.
class Timers {
  public:
    void at(SteadyInstant when, std::function<void()> work) { due_.emplace(when, std::move(work)); }
    /// Runs what is due; what that adds for now waits for the next call.
    void run(SteadyInstant now) {
        auto ready = std::exchange(due_, {});
        const auto end = ready.upper_bound(now);
        due_.insert(std::make_move_iterator(end), std::make_move_iterator(ready.end()));
        for (auto it = ready.begin(); it != end; ++it)
            if (it->second) it->second();
    }
    [[nodiscard]] std::optional<SteadyInstant> next() const {
        if (due_.empty()) return {};
        return due_.begin()->first;
    }

  private:
    std::multimap<SteadyInstant, std::function<void()>> due_;
};

} // namespace weir::flows::kubeflow
