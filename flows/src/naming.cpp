#include <weir/flows/naming.hpp>

namespace weir::flows {

namespace {

constexpr std::size_t flow_name_max = 100; // names of triggers are made of it

bool may_begin(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

} // namespace

std::string flow_name_of(std::string_view pipeline) {
    std::string name;
    for (const char c : pipeline) {
        const bool fits = may_begin(c) || c == '.' || c == '_' || c == '-';
        const char kept = fits ? c : '-';
        if (name.empty() && !may_begin(kept)) continue;
        name += kept;
        if (name.size() == flow_name_max) break;
    }
    return name.empty() ? "pipeline" : name;
}

} // namespace weir::flows
