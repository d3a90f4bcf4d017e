#include <weir/server/authorizer.hpp>

#include <algorithm>

namespace weir::server {

std::string_view to_string(Role role) noexcept {
    switch (role) {
        case Role::Open: return "open";
        case Role::Publish: return "publish";
        case Role::Read: return "read";
        case Role::Operate: return "operate";
        case Role::Admin: return "admin";
    }
    return "open";
}

Result<std::string> AllowAll::authorize(const Request& request, Role) const {
    constexpr std::string_view prefix = "local:";
    const auto* said = request.header("Weir-Principal");
    if (said == nullptr) return std::string("local:unknown");
    const auto name = said->starts_with(prefix) ? said->substr(prefix.size()) : *said;
    const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (name.empty() || name.size() > 128 || !printable)
        return Error(ErrorKind::Invalid,
                     "the header Weir-Principal must be 1 to 128 printable ASCII characters");
    return std::string(prefix) + name;
}

} // namespace weir::server
