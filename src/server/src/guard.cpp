#include "guard.hpp"

#include <algorithm>

#include <weir/base/text.hpp>

#include "problem.hpp"

namespace weir::server {
namespace {

struct HostPort {
    std::string_view name;
    std::string_view port;
};

/// "[::1]:80" -> "[::1]", "80".
HostPort split(std::string_view host) {
    const auto bracket = host.rfind(']');
    const auto colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon == std::string_view::npos) return {host, {}};
    return {host.substr(0, colon), host.substr(colon + 1)};
}

bool is_loopback_name(std::string_view name) {
    return name == "127.0.0.1" || name == "[::1]" || same_ignoring_case(name, "localhost");
}

} // namespace

bool Guard::ours(std::string_view host, std::uint16_t port) const {
    const auto asked = split(host);
    const auto asked_port = asked.port.empty() ? std::string_view("80") : asked.port;
    const bool port_fits = port == 0 || asked_port == std::to_string(port);
    if (is_loopback_name(asked.name)) return port_fits;
    if (any_host_ && !asked.name.empty()) return true;
    return std::any_of(allowed_hosts_.begin(), allowed_hosts_.end(), [&](const std::string& allowed) {
        const auto known = split(allowed);
        if (!same_ignoring_case(known.name, asked.name)) return false;
        return known.port.empty() ? port_fits : known.port == asked_port;
    });
}

std::optional<Response> Guard::check(const Request& request, std::uint16_t port) const {
    const auto* host = request.header("Host");
    if (host == nullptr || request.header_count("Host") > 1)
        return problem(400, "bad-host", "a request needs exactly one Host header");
    if (!ours(*host, port)) {
        return problem(
            403, "host-not-allowed",
            "the Host \"" + printable(*host, 120) +
                "\" is not a name of this server; use 127.0.0.1 or localhost with its port, or name it by " +
                "--allow-host NAME (in a configuration file: listen.allowed_hosts)");
    }
    if (const auto* origin = request.header("Origin")) {
        constexpr std::string_view scheme = "http://";
        const bool is_http = request.header_count("Origin") == 1 && origin->starts_with(scheme);
        const auto from = is_http ? std::string_view(*origin).substr(scheme.size()) : std::string_view();
        // Where any Host will do, a page's own host is the one it asks.
        const bool known = is_http && (any_host_ ? same_ignoring_case(from, *host) : ours(from, port));
        if (!known) {
            return problem(403, "origin-not-allowed",
                           "requests from web pages of another origin are refused (Origin: " +
                               printable(*origin, 120) + ")");
        }
    }
    if (const auto* site = request.header("Sec-Fetch-Site")) {
        if (request.header_count("Sec-Fetch-Site") > 1 || (*site != "same-origin" && *site != "none")) {
            return problem(403, "origin-not-allowed",
                           "requests from web pages of another site are refused (Sec-Fetch-Site: " +
                               printable(*site, 40) + ")");
        }
    }
    return std::nullopt;
}

} // namespace weir::server
