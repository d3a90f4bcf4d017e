#include <weir/events/media_type.hpp>

#include <algorithm>

#include <weir/base/text.hpp>

namespace weir::events {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

} // namespace

std::string media_type_of(std::string_view content_type) {
    return lower(trim(content_type.substr(0, content_type.find(';'))));
}

std::string charset_of(std::string_view content_type) {
    auto semicolon = content_type.find(';');
    while (semicolon != std::string_view::npos) {
        content_type.remove_prefix(semicolon + 1);
        // A semicolon inside of a quoted value ends no parameter.
        bool quoted = false;
        semicolon = std::string_view::npos;
        for (std::size_t i = 0; i < content_type.size() && semicolon == std::string_view::npos; ++i) {
            if (content_type[i] == '"') quoted = !quoted;
            if (content_type[i] == ';' && !quoted) semicolon = i;
        }
        const auto parameter = trim(content_type.substr(0, semicolon));
        const auto equals = parameter.find('=');
        if (equals == std::string_view::npos || lower(trim(parameter.substr(0, equals))) != "charset")
            continue;
        auto value = trim(parameter.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        return lower(value);
    }
    return {};
}

bool declares_json(std::string_view content_type) {
    const auto type = media_type_of(content_type);
    return ends_with(type, "/json") || (ends_with(type, "+json") && type.find('/') != std::string::npos);
}

DataKind data_kind_of(std::string_view content_type, std::string_view bytes) {
    if (bytes.empty()) return DataKind::None;
    if (content_type.empty()) return DataKind::Binary;
    if (declares_json(content_type)) return DataKind::Json;
    const auto charset = charset_of(content_type);
    if (charset == "us-ascii" || charset == "ascii") {
        const bool ascii = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= 0; });
        return ascii ? DataKind::Text : DataKind::Binary;
    }
    const auto type = media_type_of(content_type);
    const bool textual = type.substr(0, 5) == "text/" || ends_with(type, "/xml") || ends_with(type, "+xml") ||
                         ends_with(type, "/yaml") || ends_with(type, "+yaml");
    const bool utf8 = charset == "utf-8" || charset == "utf8" || (charset.empty() && textual);
    return utf8 && valid_utf8(bytes) ? DataKind::Text : DataKind::Binary;
}

} // namespace weir::events
