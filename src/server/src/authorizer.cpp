#include <weir/server/authorizer.hpp>

#include <algorithm>

#include <weir/base/text.hpp>

namespace weir::server {
namespace {

constexpr std::size_t token_bytes_max = 1024;

/// How long it takes says nothing about where two digests differ.
bool same(const Digest& a, const Digest& b) noexcept {
    unsigned differs = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        differs |= static_cast<unsigned>(a[i] ^ b[i]);
    return differs == 0;
}

Error no_proof(std::string message) {
    return {ErrorKind::Denied, std::move(message)};
}

/// The token of "Bearer TOKEN".
Result<std::string_view> bearer_of(const Request& request) {
    constexpr std::string_view scheme = "bearer ";
    const auto* header = request.header("Authorization");
    if (header == nullptr)
        return no_proof(
            "this server asks for a token: send `Authorization: Bearer TOKEN` (for the weir "
            "command: WEIR_TOKEN or --token-file)");
    if (request.header_count("Authorization") > 1)
        return no_proof("a request has one Authorization header at most");
    const std::string_view text = *header;
    if (text.size() <= scheme.size() || !same_ignoring_case(text.substr(0, scheme.size()), scheme))
        return no_proof("the Authorization header must be `Bearer TOKEN`");
    auto token = text.substr(scheme.size());
    token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
    if (token.empty() || token.size() > token_bytes_max)
        return no_proof("the Authorization header must be `Bearer TOKEN`");
    return token;
}

} // namespace

std::string_view to_string(Role role) noexcept {
    switch (role) {
        case Role::Open: return "open";
        case Role::Publish: return "publish";
        case Role::Watch:
        case Role::Read: return "read";
        case Role::Operate: return "operate";
        case Role::Admin:
        case Role::Whole: return "admin";
    }
    return "open";
}

bool Caller::may(Role role) const noexcept {
    switch (role) {
        case Role::Open: return true;
        case Role::Publish: return scopes.publish;
        case Role::Watch:
        case Role::Read: return scopes.read;
        case Role::Operate: return scopes.operate;
        case Role::Admin: return scopes.admin;
        case Role::Whole: return scopes.admin && teams.empty();
    }
    return false;
}

bool Caller::reaches(std::string_view team) const noexcept {
    return teams.empty() || std::find(teams.begin(), teams.end(), team) != teams.end();
}

Status Caller::check_team(std::string_view team) const {
    if (reaches(team)) return {};
    std::string own;
    for (const auto& one : teams)
        own += (own.empty() ? "" : ", ") + one;
    return Error(ErrorKind::Denied,
                 "this token is for " + std::string(teams.size() == 1 ? "the team " : "the teams ") + own +
                     ", not for " +
                     (team.empty() ? "what belongs to no team" : "the team " + printable(team, 128)));
}

Result<Caller> AllowAll::identify(const Request& request) const {
    constexpr std::string_view prefix = "local:";
    Caller caller{std::string(prefix), {true, true, true, true}, {}};
    const auto* said = request.header("Weir-Principal");
    if (said == nullptr) {
        caller.principal += "unknown";
        return caller;
    }
    const auto name = said->starts_with(prefix) ? said->substr(prefix.size()) : *said;
    const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (name.empty() || name.size() > 128 || !printable)
        return Error(ErrorKind::Invalid,
                     "the header Weir-Principal must be 1 to 128 printable ASCII characters");
    caller.principal += name;
    return caller;
}

Result<Caller> TokenAuthorizer::identify(const Request& request) const {
    WEIR_ASSIGN(token, bearer_of(request));
    const auto digest = sha256(token);
    const auto tokens = tokens_.with([](const auto& held) { return held; });
    const config::Token* found = nullptr;
    for (const auto& known : *tokens)
        if (same(known.sha256, digest)) found = &known;
    if (found == nullptr) return no_proof("this token is not known here (any more)");
    return Caller{found->principal, found->scopes, found->teams};
}

void TokenAuthorizer::replace(std::vector<config::Token> tokens) {
    auto held = std::make_shared<const std::vector<config::Token>>(std::move(tokens));
    tokens_.with([&](auto& slot) { slot.swap(held); });
}

} // namespace weir::server
