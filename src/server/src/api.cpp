#include <weir/server/api.hpp>

#include <algorithm>
#include <utility>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>
#include <weir/events/http_codec.hpp>
#include <weir/events/media_type.hpp>

#include "api_impl.hpp"

namespace weir::server {
namespace {

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = text.find(at);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

/// One segment against its pattern. `value` gets what a placeholder stands for, still encoded.
bool segment_fits(std::string_view pattern, std::string_view segment,
                  std::optional<std::string_view>& value) {
    value.reset();
    if (!pattern.starts_with('{')) return pattern == segment;
    if (segment.empty()) return false;
    if (pattern == "{*}") {
        value = segment;
        return true;
    }
    const auto verb = pattern.substr(2);
    const auto colon = std::min(segment.find(':'), segment.size());
    if (segment.substr(colon) != verb || colon == 0) return false;
    value = segment.substr(0, colon);
    return true;
}

bool path_fits(std::string_view pattern, const Target& target, std::vector<std::string_view>& values) {
    values.clear();
    const auto parts = split(pattern.substr(1), '/');
    if (parts.size() != target.segments.size()) return false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        std::optional<std::string_view> value;
        if (!segment_fits(parts[i], target.segments[i], value)) return false;
        if (value) values.push_back(*value);
    }
    return true;
}

Response no_such_path(const Target& target) {
    std::string path;
    for (const auto& segment : target.segments)
        path += "/" + segment;
    std::vector<std::string_view> known;
    for (const auto& route : routes())
        known.push_back(route.pattern);
    return problem(404, "no-such-route",
                   "there is nothing at " + printable(path, 200) + did_you_mean(path, known));
}

/// A JSON body must say that it is one: a page's form cannot, so it gets nowhere even without Origin.
std::optional<Response> check_media_type(const Request& request, BodyKind kind) {
    if (kind == BodyKind::None || kind == BodyKind::Event || request.body.empty()) return std::nullopt;
    const auto* type = request.header("Content-Type");
    const std::string_view given = type == nullptr ? std::string_view() : std::string_view(*type);
    if (events::media_type_of(given) == "application/json") return std::nullopt;
    return problem(415, "unsupported-media-type",
                   "this route takes Content-Type: application/json, not " +
                       (given.empty() ? "a body without one" : "\"" + printable(given, 80) + "\""));
}

Response unbuilt(const Route& route) {
    return problem(501, "not-built-yet",
                   std::string(route.method) + " " + std::string(route.pattern) + " is not built yet");
}

} // namespace

/// What the checks found out about a request.
struct Api::Impl::Checked {
    const Route* route = nullptr;
    const Mount* mount = nullptr; ///< then there is neither a route nor a target
    Target target;
    std::vector<std::string> values;
    Caller caller;
    std::size_t body_bytes_max = 0;
};

Api::Impl::Impl(ApiPorts given, ApiConfig given_config)
    : ports(given), config(std::move(given_config)), guard(config.allowed_hosts) {}

std::size_t Api::Impl::body_bytes_max(const Request& request, BodyKind kind) const {
    switch (kind) {
        case BodyKind::None: return 0;
        case BodyKind::Command: return config.command_bytes_max;
        case BodyKind::Apply: return config.batch_bytes_max;
        case BodyKind::Report: return config.report_bytes_max;
        case BodyKind::Event: break;
    }
    const auto* type = request.header("Content-Type");
    const auto mode = events::http_mode_of(type == nullptr ? std::string_view() : std::string_view(*type));
    return mode == events::HttpMode::Batch ? config.batch_bytes_max : config.event_bytes_max;
}

std::optional<Response> Api::Impl::check(const Request& request, Checked& checked) {
    if (auto refusal = guard.check(request, port)) {
        request_metrics.refused(refusal->status == 400 ? "malformed" : "host_or_origin");
        return refusal;
    }
    for (const auto& mount : mounts) {
        if (request.target.starts_with(mount.prefix)) checked.mount = &mount;
    }
    if (checked.mount != nullptr) return check_mount(request, checked);
    if (request.target.size() > config.target_bytes_max) {
        return problem(414, "target-too-long",
                       "the request target is over " + std::to_string(config.target_bytes_max) + " bytes");
    }
    auto target = parse_target(request.target);
    if (!target.ok()) return problem(target.error());
    checked.target = std::move(*target);
    if (auto refusal = find_route(request, checked)) return refusal;
    if (auto refusal = check_caller(request, checked.route->role, checked)) return refusal;
    if (checked.route->answer == nullptr) return unbuilt(*checked.route);
    checked.body_bytes_max = body_bytes_max(request, checked.route->body);
    return std::nullopt;
}

std::optional<Response> Api::Impl::check_mount(const Request& request, Checked& checked) {
    const auto& mount = *checked.mount;
    const auto refuse = [&](int status, std::string_view detail, std::vector<Header> headers) {
        auto response = mount.refusal(status, detail);
        for (auto& header : headers)
            response.headers.push_back(std::move(header));
        return response;
    };
    if (request.target.size() > mount.target_bytes_max)
        return refuse(414, "the request target is over " + std::to_string(mount.target_bytes_max) + " bytes",
                      {});
    const auto needs = mount.needs(request);
    if (auto refusal = check_caller(request, needs.role, checked)) {
        std::vector<Header> kept;
        if (const auto* challenge = refusal->header("WWW-Authenticate"))
            kept.push_back({"WWW-Authenticate", *challenge});
        return refuse(refusal->status,
                      refusal->status == 401 ? "this server asks for a token: Authorization: Bearer TOKEN"
                                             : "the caller may not do this: it needs the scope `" +
                                                   std::string(to_string(needs.role)) + "`",
                      std::move(kept));
    }
    checked.body_bytes_max = needs.body_bytes_max;
    return std::nullopt;
}

std::optional<Response> Api::Impl::find_route(const Request& request, Checked& checked) const {
    const std::string_view method = request.method == "HEAD" ? std::string_view("GET") : request.method;
    std::vector<std::string_view> values;
    std::string allow;
    for (const auto& route : routes()) {
        std::vector<std::string_view> found;
        if (!path_fits(route.pattern, checked.target, found)) continue;
        allow += (allow.empty() ? "" : ", ") + std::string(route.method);
        if (route.method == "GET") allow += ", HEAD";
        if (route.method != method || checked.route != nullptr) continue;
        checked.route = &route;
        values = std::move(found);
    }
    if (allow.empty()) return no_such_path(checked.target);
    if (checked.route == nullptr) {
        auto response = problem(405, "method-not-allowed",
                                printable(request.method, 20) + " is not possible here; possible: " + allow);
        response.headers.push_back({"Allow", allow});
        return response;
    }
    for (const auto value : values) {
        auto decoded = percent_decode(value, "the path");
        if (!decoded.ok()) return problem(decoded.error());
        checked.values.push_back(std::move(*decoded));
    }
    const auto known = split(checked.route->query, ' ');
    for (const auto& [name, _] : checked.target.query) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        return problem(
            400, "unknown-parameter",
            "this route has no query parameter \"" + printable(name, 64) + "\"" + did_you_mean(name, known));
    }
    return std::nullopt;
}

std::optional<Response> Api::Impl::check_caller(const Request& request, Role role, Checked& checked) {
    if (role == Role::Open || (role == Role::Watch && config.watch_is_open)) return std::nullopt;
    auto caller = ports.authorizer.identify(request);
    if (!caller.ok() && caller.error().kind != ErrorKind::Denied) return problem(caller.error());
    if (!caller.ok()) {
        request_metrics.refused("token");
        auto response = problem(401, "token-needed", caller.error().message);
        response.headers.push_back(
            {"WWW-Authenticate", request.header("Authorization") == nullptr
                                     ? "Bearer realm=\"weir\""
                                     : "Bearer realm=\"weir\", error=\"invalid_token\""});
        return response;
    }
    checked.caller = std::move(*caller);
    if (checked.caller.may(role)) return std::nullopt;
    request_metrics.refused("scope");
    if (role == Role::Whole && checked.caller.may(Role::Admin))
        return problem(403, "denied",
                       "this concerns the whole instance; a token that is bound to teams does not reach it");
    auto response = problem(403, "denied",
                            "this needs the scope `" + std::string(to_string(role)) +
                                "`, which the token of " + checked.caller.principal + " does not have");
    response.headers.push_back(
        {"WWW-Authenticate", "Bearer realm=\"weir\", error=\"insufficient_scope\", scope=\"" +
                                 std::string(to_string(role)) + "\""});
    return response;
}

Admission Api::Impl::admit(const Request& head) {
    Checked checked;
    Admission admission;
    admission.refusal = check(head, checked);
    admission.body_bytes_max = checked.body_bytes_max;
    if (checked.mount != nullptr)
        admission.too_large = [mount = checked.mount](std::string_view detail) {
            return mount->refusal(413, detail);
        };
    return admission;
}

std::optional<Response> Api::Impl::check_size(const Request& request, const Checked& checked) const {
    if (request.body.size() <= checked.body_bytes_max) return std::nullopt;
    const auto detail =
        "the body is over the limit of this route: " + std::to_string(checked.body_bytes_max) + " bytes";
    return checked.mount != nullptr ? checked.mount->refusal(413, detail)
                                    : problem(413, "body-too-large", detail);
}

/// Of a request that passed every check.
Response Api::Impl::answer(const Request& request, Checked& checked) {
    VisibleReader reader(ports.reader, checked.caller);
    if (checked.mount != nullptr) return checked.mount->answer(request, checked.caller, reader);
    if (auto refusal = check_media_type(request, checked.route->body)) return std::move(*refusal);
    auto answer = (this->*checked.route->answer)(
        Call{request, checked.target, std::move(checked.values), checked.caller, reader});
    return answer.ok() ? std::move(*answer) : problem(answer.error());
}

Response Api::Impl::handle(const Request& request) {
    const auto began = ports.clock.steady_now();
    Checked checked;
    auto response = check(request, checked);
    if (!response) response = check_size(request, checked);
    if (!response) response = answer(request, checked);
    if (response->status == 500) {
        log::warn("a request failed", {{"method", request.method},
                                       {"target", printable(request.target, 200)},
                                       {"status", response->status},
                                       {"peer", request.peer}});
    }
    std::string_view pattern = "none", method = "other";
    if (checked.mount != nullptr) pattern = checked.mount->prefix;
    if (checked.route != nullptr) {
        pattern = checked.route->pattern;
        method = checked.route->method;
    }
    request_metrics.answered(method, pattern, response->status, ports.clock.steady_now() - began);
    return std::move(*response);
}

Api::Api(ApiPorts ports, ApiConfig config) : impl_(std::make_unique<Impl>(ports, std::move(config))) {}

Api::~Api() = default;

Response Api::handle(const Request& request) {
    return impl_->handle(request);
}

Admission Api::admit(const Request& head) {
    return impl_->admit(head);
}

Handler Api::handler() {
    return {[this](const Request& head) { return admit(head); },
            [this](const Request& request) { return handle(request); }};
}

void Api::mount(Mount mount) {
    impl_->mounts.push_back(std::move(mount));
}

void Api::bound_to(std::uint16_t port) {
    impl_->port = port;
}

} // namespace weir::server
