#include <weir/server/http.hpp>

#include <algorithm>

namespace weir::server {
namespace {

const std::string* find(const std::vector<Header>& headers, std::string_view name) {
    for (const auto& header : headers) {
        if (same_ignoring_case(header.name, name)) return &header.value;
    }
    return nullptr;
}

} // namespace

bool same_ignoring_case(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

const std::string* Request::header(std::string_view name) const {
    return find(headers, name);
}

std::size_t Request::header_count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        headers.begin(), headers.end(), [&](const Header& h) { return same_ignoring_case(h.name, name); }));
}

const std::string* Response::header(std::string_view name) const {
    return find(headers, name);
}

} // namespace weir::server
