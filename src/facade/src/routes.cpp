#include "facade_impl.hpp"

#include <algorithm>

namespace weir::facade {
namespace {

bool segment_fits(std::string_view pattern, std::string_view segment,
                  std::optional<std::string_view>& value) {
    value.reset();
    if (!pattern.starts_with("{}")) return pattern == segment;
    const auto verb = pattern.substr(2);
    if (segment.size() <= verb.size() || !segment.ends_with(verb)) return false;
    value = segment.substr(0, segment.size() - verb.size());
    return true;
}

bool path_fits(std::string_view pattern, std::string_view path, std::vector<std::string>& values) {
    values.clear();
    for (;;) {
        const auto pattern_end = std::min(pattern.find('/'), pattern.size());
        const auto path_end = std::min(path.find('/'), path.size());
        std::optional<std::string_view> value;
        if (!segment_fits(pattern.substr(0, pattern_end), path.substr(0, path_end), value)) return false;
        if (value) values.emplace_back(*value);
        const bool last = pattern_end == pattern.size();
        if (last != (path_end == path.size())) return false;
        if (last) return true;
        pattern.remove_prefix(pattern_end + 1);
        path.remove_prefix(path_end + 1);
    }
}

} // namespace

Found find_route(std::string_view method, std::string_view path) {
    Found found;
    for (const auto& route : routes()) {
        std::vector<std::string> values;
        if (!path_fits(route.pattern, path, values)) continue;
        found.any = true;
        if (found.right != nullptr || route.method != method) continue;
        found.right = &route;
        found.values = std::move(values);
    }
    return found;
}

std::span<const Route> routes() {
    using Impl = Facade::Impl;
    constexpr auto none = std::size_t{64 * 1024}; // a verb's body is read and left alone
    constexpr auto read = Scope::Read, operate = Scope::Operate, admin = Scope::Admin;
    // The first route that fits counts: exact segments stand before {}.
    static const std::vector<Route> table{
        {"GET", "healthz", Scope::Open, none, &Impl::healthz},

        {"POST", "pipelines/upload", admin, upload_bytes_max, &Impl::upload_pipeline, Style::Upload},
        {"POST", "pipelines/upload_version", admin, upload_bytes_max, &Impl::upload_version, Style::Upload},
        {"POST", "pipelines/create", admin, message_bytes_max, &Impl::create_by_url},
        {"POST", "pipelines", admin, message_bytes_max, &Impl::create_pipeline},
        {"GET", "pipelines", read, none, &Impl::list_pipelines},
        {"GET", "pipelines/names/{}", read, none, &Impl::get_pipeline_by_name},
        {"GET", "pipelines/{}", read, none, &Impl::get_pipeline},
        {"PATCH", "pipelines/{}", admin, message_bytes_max, &Impl::change_pipeline},
        {"DELETE", "pipelines/{}", admin, none, &Impl::delete_pipeline},
        {"POST", "pipelines/{}/versions", admin, message_bytes_max, &Impl::create_by_url},
        {"GET", "pipelines/{}/versions", read, none, &Impl::list_versions},
        {"GET", "pipelines/{}/versions/{}", read, none, &Impl::get_version},
        {"PATCH", "pipelines/{}/versions/{}", admin, message_bytes_max, &Impl::change_version},
        {"DELETE", "pipelines/{}/versions/{}", admin, none, &Impl::delete_version},

        {"POST", "experiments", operate, message_bytes_max, &Impl::create_experiment},
        {"GET", "experiments", read, none, &Impl::list_experiments},
        {"POST", "experiments/{}:archive", operate, none, &Impl::archive_experiment},
        {"POST", "experiments/{}:unarchive", operate, none, &Impl::unarchive_experiment},
        {"GET", "experiments/{}", read, none, &Impl::get_experiment},
        {"DELETE", "experiments/{}", operate, none, &Impl::delete_experiment},

        {"POST", "runs", operate, message_bytes_max, &Impl::create_run},
        {"GET", "runs", read, none, &Impl::list_runs},
        {"POST", "runs/{}:terminate", operate, none, &Impl::terminate_run},
        {"POST", "runs/{}:retry", operate, none, &Impl::retry_run},
        {"POST", "runs/{}:archive", operate, none, &Impl::archive_run},
        {"POST", "runs/{}:unarchive", operate, none, &Impl::unarchive_run},
        {"GET", "runs/{}", read, none, &Impl::get_run},
        {"DELETE", "runs/{}", operate, none, &Impl::delete_run},

        {"POST", "recurringruns", admin, message_bytes_max, &Impl::create_recurring},
        {"GET", "recurringruns", read, none, &Impl::list_recurring},
        {"POST", "recurringruns/{}:enable", operate, none, &Impl::enable_recurring},
        {"POST", "recurringruns/{}:disable", operate, none, &Impl::disable_recurring},
        {"GET", "recurringruns/{}", read, none, &Impl::get_recurring},
        {"DELETE", "recurringruns/{}", admin, none, &Impl::delete_recurring},

        // Known by name: there are no Workflows here.
        {"POST", "workflows", admin, message_bytes_max, &Impl::not_here},
        {"POST", "scheduledworkflows", admin, message_bytes_max, &Impl::not_here},
        {"GET", "runs/{}/nodes/{}/artifacts/{}:read", read, none, &Impl::not_here},
    };
    return table;
}

} // namespace weir::facade
