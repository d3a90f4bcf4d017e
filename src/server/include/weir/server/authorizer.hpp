#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/base/sync.hpp>
#include <weir/config/tokens.hpp>
#include <weir/server/http.hpp>

namespace weir::server {

/// What a route asks of its caller. Named per route in the one route table.
enum class Role : std::uint8_t {
    Open,    ///< nothing: is the process alive
    Watch,   ///< nothing on loopback, else Read: readiness and metrics
    Publish, ///< hand in events
    Read,    ///< look at anything
    Operate, ///< run, cancel, retry, pause, resume
    Admin,   ///< apply, delete
    Whole,   ///< Admin of every team: what concerns the whole instance
};
std::string_view to_string(Role role) noexcept;

/// Who asks, and how far that reaches.
struct Caller {
    std::string principal; ///< under which acts are recorded: "local:alice", "ci"
    config::Scopes scopes;
    std::vector<std::string> teams; ///< acts on and sees these alone; empty: every team

    /// True if the scopes allow it. Whole also needs every team.
    [[nodiscard]] bool may(Role role) const noexcept;
    [[nodiscard]] bool reaches(std::string_view team) const noexcept;
    /// `denied` with a sentence if the team is out of reach.
    [[nodiscard]] Status check_team(std::string_view team) const;
};

/// Tells who a caller is.
/// Owner:  the application.
/// Thread: any; called for each request before its handler. Never blocks.
/// Errors: `denied`: no proof, or an unknown one (401); `invalid`: a header that cannot be read (400).
class Authorizer {
  public:
    virtual ~Authorizer() = default;
    [[nodiscard]] virtual Result<Caller> identify(const Request& request) const = 0;
};

/// For loopback without tokens: everybody may do everything. The principal is what the caller says in the
/// header `Weir-Principal` (1 to 128 printable ASCII characters, always under the prefix `local:`), else
/// `local:unknown`: on loopback it is a note, not a proof.
class AllowAll final : public Authorizer {
  public:
    [[nodiscard]] Result<Caller> identify(const Request& request) const override;
};

/// Bearer tokens (RFC 6750): `Authorization: Bearer TOKEN`. Weir-Principal counts for nothing here. A token's
/// digest is compared with that of every record, all of them to their end, so that the time taken tells
/// nothing.
class TokenAuthorizer final : public Authorizer {
  public:
    explicit TokenAuthorizer(std::vector<config::Token> tokens) { replace(std::move(tokens)); }
    [[nodiscard]] Result<Caller> identify(const Request& request) const override;
    /// From now on these are known; requests that were let in before run on.
    void replace(std::vector<config::Token> tokens);

  private:
    Sync<std::shared_ptr<const std::vector<config::Token>>> tokens_;
};

} // namespace weir::server
