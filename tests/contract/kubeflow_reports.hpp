#pragma once

#include <algorithm>
#include <chrono>

#include "kubeflow_fixture.hpp"

namespace weir::contract {

/// Reports of the backend, in order.
class Reports {
  public:
    explicit Reports(flows::kubeflow::KubeflowBackend& backend) : backend_(backend) {
        backend.on_report([this](flows::RunReport report) {
            std::lock_guard lock(mutex_);
            reports_.push_back(std::move(report));
            changed_.notify_all();
        });
    }
    ~Reports() { backend_.close(); }
    Reports(const Reports&) = delete;
    Reports& operator=(const Reports&) = delete;
    /// The next one that fits; those before it are passed by. A minute without it is a failure and no hang.
    flows::RunReport next(const std::function<bool(const flows::RunReport&)>& fits) {
        std::unique_lock lock(mutex_);
        for (;;) {
            for (; at_ < reports_.size();)
                if (const auto& report = reports_[at_++]; fits(report)) return report;
            const auto passed_by = reports_.size();
            if (!changed_.wait_for(lock, std::chrono::minutes(1),
                                   [&] { return reports_.size() > passed_by; }))
                FAIL("no such report came, of " << passed_by);
        }
    }
    flows::RunReport next(RunId run, bool ended) {
        return next([&](const auto& one) { return one.run == run && one.settled == ended; });
    }
    std::size_t count(const std::function<bool(const flows::RunReport&)>& fits) {
        std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(reports_.begin(), reports_.end(), fits));
    }

  private:
    flows::kubeflow::KubeflowBackend& backend_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<flows::RunReport> reports_;
    std::size_t at_ = 0;
};

inline bool settled(const flows::RunReport& report) {
    return report.settled;
}

inline void report(KubeflowRig& rig, RunId run, const std::string& phase) {
    rig.post("report", {{"run_id", run.to_string()}, {"phase", phase}});
}

} // namespace weir::contract
