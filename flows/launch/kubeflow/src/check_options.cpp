#include <algorithm>
#include <filesystem>

#include <weir/base/text.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>

#include "create_run.hpp"
#include "parameters.hpp"

namespace weir::flows::kubeflow {

namespace {

bool is_http_url(const std::string& url) {
    const std::string_view rest = std::string_view(url).substr(std::min(url.find("://") + 3, url.size()));
    return (url.starts_with("http://") || url.starts_with("https://")) && !rest.empty() &&
           rest.front() != '/' && std::none_of(url.begin(), url.end(), [](char c) {
               return static_cast<unsigned char>(c) <= ' ' || c == '#' || c == '?';
           });
}

/// A header's value; a line break in it would begin another header.
bool is_value(const std::string& text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
}

bool is_header(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
}

Status check_file(const std::string& path, const char* what) {
    std::error_code error;
    if (path.empty() || std::filesystem::exists(path, error)) return {};
    return not_found(std::string(what) + ": there is no file " + path);
}

Status check_identity(const KubeflowOptions& options) {
    const int ways =
        (options.token.empty() ? 0 : 1) + (options.token_file.empty() ? 0 : 1) + (options.oauth2 ? 1 : 0);
    if (ways > 1) return invalid("token, token_file and oauth2 are three ways to one thing; give one");
    if (!is_value(options.token)) return invalid("token: holds a control character");
    if (options.oauth2 && !is_http_url(options.oauth2->token_url))
        return invalid("oauth2.token_url: expected http(s)://HOST/PATH, not \"" +
                       printable(options.oauth2->token_url) + "\"");
    if (options.oauth2 && options.oauth2->client_id.empty()) return invalid("oauth2.client_id is missing");
    if (!is_header(options.user_header))
        return invalid("user_header: \"" + printable(options.user_header) + "\" is no name of a header");
    for (const auto& [name, value] : options.headers) {
        if (!is_header(name)) return invalid("headers: \"" + printable(name) + "\" is no name of a header");
        if (!is_value(value)) return invalid("headers: the value of " + name + " holds a control character");
        std::string lower = name;
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (value.empty())
            return invalid("headers: " + name + " is empty; the server may not survive an empty one");
        if (lower == options.user_header)
            return invalid("headers: " + name + " comes from the team's binding (`user`), not from here");
    }
    for (const auto& [name, value] : options.cookies)
        if (!is_header(name) || !is_value(value) || value.find(';') != std::string::npos)
            return invalid("cookies: \"" + printable(name) + "\" or its value cannot be sent");
    return {};
}

Status check_binding(const std::string& team, const Binding& binding) {
    const std::string of = "bindings." + team + ".";
    const std::pair<const char*, const std::string*> texts[] = {{"namespace", &binding.namespace_},
                                                                {"experiment", &binding.experiment},
                                                                {"service_account", &binding.service_account},
                                                                {"user", &binding.user},
                                                                {"pipeline_root", &binding.pipeline_root},
                                                                {"display_name", &binding.display_name}};
    for (const auto& [name, text] : texts) {
        if (!is_value(*text)) return invalid(of + name + ": holds a control character");
        if (const auto point = beyond_plane(*text); !point.empty())
            return invalid(of + name + ": holds the character " + point + ", which the server may not store");
    }
    if (cut_text(binding.experiment, 128).size() != binding.experiment.size())
        return invalid(of + "experiment: longer than 128 characters");
    if (binding.display_name.empty())
        return invalid(of + "display_name is empty; the server takes no run without a name");
    return {};
}

Status check_numbers(const KubeflowOptions& options) {
    const LimitOptions& limits = options.limits;
    if (limits.in_flight < 1 || limits.in_flight > 1000) return invalid("limits.in_flight: 1 to 1000");
    if (!(limits.requests_per_second >= 0 && limits.requests_per_second <= 1e6))
        return invalid("limits.requests_per_second: 0 (no limit) to 1000000");
    if (limits.answer_bytes < 64 * 1024) return invalid("limits.answer_bytes: at least 65536");
    if (limits.parameter_bytes < 2) return invalid("limits.parameter_bytes: at least 2");
    if (limits.launches < 1 || limits.tracked < 1)
        return invalid("limits.launches and limits.tracked: at least 1");
    if (options.circuit_failures < 1) return invalid("circuit_failures: at least 1");
    const TimeoutOptions& timeouts = options.timeouts;
    for (const auto& [name, time] : {std::pair{"connect", timeouts.connect},
                                     {"request", timeouts.request},
                                     {"create", timeouts.create},
                                     {"retry_min", timeouts.retry_min},
                                     {"retry_max", timeouts.retry_max}})
        if (time <= Duration(0)) return invalid(std::string("timeouts.") + name + ": more than 0");
    if (timeouts.retry_max < timeouts.retry_min)
        return invalid("timeouts.retry_max: not less than retry_min");
    if (timeouts.server_timeout < Duration(0) || timeouts.orphan_grace < Duration(0) ||
        timeouts.resolve_cache < Duration(0))
        return invalid("timeouts: none is negative");
    const WatchOptions& watch = options.watch;
    if (watch.batch < 1 || watch.batch > 200)
        return invalid("watch.batch: 1 to 200, the server's own limit of a page");
    if (!(watch.requests_per_second > 0 && watch.requests_per_second <= 1000))
        return invalid("watch.requests_per_second: more than 0, at most 1000");
    if (watch.interval < std::chrono::milliseconds(10) ||
        watch.places_interval < std::chrono::milliseconds(10))
        return invalid("watch.interval and watch.places_interval: at least 10ms");
    if (watch.settled_interval < std::chrono::milliseconds(10) || watch.settled_for < Duration(0))
        return invalid("watch.settled_interval: at least 10ms; watch.settled_for: not negative");
    if (watch.overlap < Duration(0) || watch.lost_after < Duration(0))
        return invalid("watch.overlap and watch.lost_after: not negative");
    return {};
}

} // namespace

std::string_view to_string(Circuit circuit) noexcept {
    switch (circuit) {
        case Circuit::Closed: return "closed";
        case Circuit::Open: return "open";
        case Circuit::Probing: return "probing";
    }
    return "closed";
}

Status check_options(const KubeflowOptions& options) {
    if (!is_http_url(options.url))
        return invalid("url: expected http(s)://HOST[:PORT][/PATH], not \"" + printable(options.url) + "\"");
    if (!options.base_path.starts_with('/') || options.base_path.ends_with('/'))
        return invalid("base_path: begins with / and does not end with it");
    if (!options.proxy.empty() && options.proxy.find("://") == std::string::npos)
        return invalid("proxy: expected http://HOST:PORT, not \"" + printable(options.proxy) + "\"");
    WEIR_TRY(check_file(options.tls.ca_file, "tls.ca_file"));
    WEIR_TRY(check_file(options.tls.certificate_file, "tls.certificate_file"));
    WEIR_TRY(check_file(options.tls.key_file, "tls.key_file"));
    if (options.tls.certificate_file.empty() != options.tls.key_file.empty())
        return invalid("tls.certificate_file and tls.key_file go together");
    WEIR_TRY(check_identity(options));
    if (options.bindings.empty())
        return invalid("bindings: no team may launch anything here; name one, or \"*\"");
    for (const auto& [team, binding] : options.bindings)
        WEIR_TRY(check_binding(team, binding));
    for (const WatchedPlace& place : options.watch.places)
        if (find_binding(options, place.team) == nullptr)
            return invalid("watch.places: the team \"" + printable(place.team) + "\" has no binding");
    return check_numbers(options);
}

} // namespace weir::flows::kubeflow
