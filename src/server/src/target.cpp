#include "target.hpp"

#include <algorithm>

#include <weir/base/text.hpp>

namespace weir::server {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Status read_query(std::string_view text, Target& target) {
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        const auto equals = std::min(pair.find('='), pair.size());
        WEIR_ASSIGN(name, percent_decode(pair.substr(0, equals), "a query parameter's name"));
        WEIR_ASSIGN(value, percent_decode(pair.substr(std::min(equals + 1, pair.size())),
                                          "the query parameter \"" + printable(name, 64) + "\""));
        if (name.empty()) return invalid("a query parameter has no name; expected name=value");
        if (target.find(name) != nullptr)
            return invalid("the query parameter \"" + printable(name, 64) + "\" comes twice; give it once");
        target.query.emplace_back(std::move(name), std::move(value));
    }
    return {};
}

} // namespace

const std::string* Target::find(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return &value;
    }
    return nullptr;
}

Result<std::string> percent_decode(std::string_view text, std::string_view what) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return invalid(std::string(what) + " has a % without two hexadecimal digits after it");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    if (!valid_utf8(out)) return invalid(std::string(what) + " is not UTF-8");
    if (std::any_of(out.begin(), out.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return invalid(std::string(what) + " has a control character");
    return out;
}

Result<Target> parse_target(std::string_view text) {
    Target target;
    if (text.empty() || text[0] != '/')
        return invalid("the request target must be a path that begins with /, not \"" + printable(text, 80) +
                       "\"");
    const auto question = std::min(text.find('?'), text.size());
    auto path = text.substr(1, question - 1);
    while (true) {
        const auto slash = path.find('/');
        target.segments.emplace_back(path.substr(0, slash));
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    WEIR_TRY(read_query(text.substr(std::min(question + 1, text.size())), target));
    return target;
}

} // namespace weir::server
