#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/engine/engine.hpp>

namespace weir::server {

/// The server's own counters, and the text of /metrics (Prometheus exposition format 0.0.4).
/// Thread: any.
class RequestMetrics {
  public:
    RequestMetrics();
    ~RequestMetrics();

    /// A request was answered. `route` is the pattern, so that ids in paths make no new series.
    void answered(std::string_view method, std::string_view route, int status, Duration took);
    /// A request was refused by a check before its route was looked at: "host", "origin"...
    void refused(std::string_view check);

    /// All of it together with the engine's values.
    [[nodiscard]] std::string text(const std::vector<engine::MetricValue>& engine) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::server
