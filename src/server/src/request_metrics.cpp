#include "request_metrics.hpp"

#include <algorithm>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace weir::server {
namespace {

const prometheus::Histogram::BucketBoundaries seconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                      0.1,    0.25,  0.5,    1.0,   2.5,  10.0};

prometheus::ClientMetric client_metric(const engine::MetricValue& value) {
    prometheus::ClientMetric metric;
    for (const auto& [name, label] : value.labels)
        metric.label.push_back({name, label});
    if (value.counter) {
        metric.counter.value = value.value;
    } else {
        metric.gauge.value = value.value;
    }
    return metric;
}

/// Values of one name belong into one family, whatever order they came in.
std::vector<prometheus::MetricFamily> families(const std::vector<engine::MetricValue>& values) {
    std::vector<prometheus::MetricFamily> out;
    for (const auto& value : values) {
        const auto name = "weir_" + value.name;
        auto family = std::find_if(out.begin(), out.end(), [&](const auto& f) { return f.name == name; });
        if (family == out.end()) {
            const auto type = value.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
            out.push_back({name, value.help, type, {}});
            family = std::prev(out.end());
        }
        family->metric.push_back(client_metric(value));
    }
    return out;
}

} // namespace

struct RequestMetrics::Impl {
    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                            .Name("weir_http_requests_total")
                                                            .Help("Requests answered, by route and status.")
                                                            .Register(registry);
    prometheus::Family<prometheus::Counter>& refusals =
        prometheus::BuildCounter()
            .Name("weir_http_refused_total")
            .Help("Requests refused before their route was looked at, by the check that refused.")
            .Register(registry);
    prometheus::Family<prometheus::Histogram>& durations = prometheus::BuildHistogram()
                                                               .Name("weir_http_request_seconds")
                                                               .Help("Time to answer a request, by route.")
                                                               .Register(registry);
};

RequestMetrics::RequestMetrics() : impl_(std::make_unique<Impl>()) {}

RequestMetrics::~RequestMetrics() = default;

void RequestMetrics::answered(std::string_view method, std::string_view route, int status, Duration took) {
    const std::string path(route);
    impl_->requests
        .Add({{"method", std::string(method)}, {"route", path}, {"status", std::to_string(status)}})
        .Increment();
    impl_->durations.Add({{"route", path}}, seconds).Observe(std::chrono::duration<double>(took).count());
}

void RequestMetrics::refused(std::string_view check) {
    impl_->refusals.Add({{"check", std::string(check)}}).Increment();
}

std::string RequestMetrics::text(const std::vector<engine::MetricValue>& engine) const {
    auto all = families(engine);
    auto own = impl_->registry.Collect();
    all.insert(all.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
    return prometheus::TextSerializer().Serialize(all);
}

} // namespace weir::server
