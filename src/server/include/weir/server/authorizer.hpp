#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/server/http.hpp>

namespace weir::server {

/// What a route asks of its caller. Named per route in the one route table.
enum class Role : std::uint8_t {
    Open,    ///< nothing: health and metrics
    Publish, ///< hand in events
    Read,    ///< look at anything
    Operate, ///< run, cancel, retry, pause, resume
    Admin,   ///< apply, delete
};
std::string_view to_string(Role role) noexcept;

/// Decides who a caller is and whether it may do this.
/// Owner:  the application.
/// Thread: any; called for each request before its handler.
/// Errors: `denied`, with a sentence for the caller.
class Authorizer {
  public:
    virtual ~Authorizer() = default;
    /// The principal under which the act is recorded: "local:alice".
    [[nodiscard]] virtual Result<std::string> authorize(const Request& request, Role role) const = 0;
};

/// For loopback without tokens: everybody may do everything. The principal is what the caller says in the
/// header `Weir-Principal` (1 to 128 printable ASCII characters, always under the prefix `local:`), else
/// `local:unknown`: on loopback it is a note, not a proof.
class AllowAll final : public Authorizer {
  public:
    [[nodiscard]] Result<std::string> authorize(const Request& request, Role role) const override;
};

} // namespace weir::server
