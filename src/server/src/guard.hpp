#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/server/http.hpp>

namespace weir::server {

/// Keeps web pages away: loopback is no wall against a browser. Checked on every route before anything else.
///  - Host must be there once and name this server: 127.0.0.1, localhost or [::1], or an allowed name, with
///  this
///    server's port. So a foreign name that resolves to loopback (DNS rebinding) reaches nothing.
///  - Origin, if sent, must be http:// and such a host.
///  - Sec-Fetch-Site, if sent, must be same-origin or none.
class Guard {
  public:
    /// "*" among them: any name (a server that asks for tokens); an Origin must then be the very Host asked.
    explicit Guard(std::vector<std::string> allowed_hosts)
        : allowed_hosts_(std::move(allowed_hosts)),
          any_host_(std::find(allowed_hosts_.begin(), allowed_hosts_.end(), "*") != allowed_hosts_.end()) {}

    /// The refusal (400 or 403), or nothing. `port` 0: any port.
    [[nodiscard]] std::optional<Response> check(const Request& request, std::uint16_t port) const;

  private:
    [[nodiscard]] bool ours(std::string_view host, std::uint16_t port) const;

    std::vector<std::string> allowed_hosts_;
    bool any_host_ = false;
};

} // namespace weir::server
