#include "rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>

#include <simdjson.h>

#include <weir/base/clock.hpp>
#include <weir/base/text.hpp>

namespace weir::events {
namespace {

bool alpha(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
bool hex(char c) noexcept {
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool unreserved(char c) noexcept {
    return alpha(c) || digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
bool sub_delimiter(char c) noexcept {
    return std::string_view("!$&'()*+,;=").find(c) != std::string_view::npos;
}
bool token_char(char c) noexcept {
    return alpha(c) || digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// Characters of pchar (RFC 3986) and those of `also`; a `%` needs its two digits.
std::string part_fault(std::string_view part, std::string_view also, std::string_view name) {
    for (std::size_t i = 0; i < part.size(); ++i) {
        const char c = part[i];
        if (c == '%') {
            if (i + 2 >= part.size() || !hex(part[i + 1]) || !hex(part[i + 2]))
                return "a % in the " + std::string(name) + " is not followed by two hexadecimal digits";
            i += 2;
        } else if (!unreserved(c) && !sub_delimiter(c) && c != ':' && c != '@' &&
                   also.find(c) == std::string_view::npos) {
            const auto byte = static_cast<unsigned char>(c);
            return (byte >= 0x80 ? "a character outside ASCII" : found(std::string_view(&c, 1))) +
                   " is not allowed in the " + std::string(name) + "; percent-encode it";
        }
    }
    return {};
}

/// userinfo@host:port
std::string authority_fault(std::string_view authority) {
    if (const auto at = authority.find('@'); at != std::string_view::npos) {
        const auto user = authority.substr(0, at);
        if (auto fault = part_fault(user, "", "user name"); !fault.empty()) return fault;
        authority.remove_prefix(at + 1);
    }
    std::string_view port;
    if (!authority.empty() && authority.front() == '[') {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return "the address in brackets does not end";
        const auto address = authority.substr(1, end - 1);
        const bool plain = std::all_of(address.begin(), address.end(),
                                       [](char c) { return unreserved(c) || sub_delimiter(c) || c == ':'; });
        if (address.empty() || !plain) return "the address in brackets is not an IP address";
        port = authority.substr(end + 1);
        if (!port.empty() && port.front() != ':') return "only a port may follow the address in brackets";
        if (!port.empty()) port.remove_prefix(1);
    } else {
        const auto colon = authority.find(':');
        const auto host = authority.substr(0, colon);
        if (auto fault = part_fault(host, "", "host"); !fault.empty()) return fault;
        if (host.find('@') != std::string_view::npos) return "the host holds a second @";
        if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    }
    if (!std::all_of(port.begin(), port.end(), digit)) return "the port is not a number";
    return {};
}

/// The scheme's length if the text begins with one and a colon, else npos.
std::size_t scheme_length(std::string_view text) {
    if (text.empty() || !alpha(text.front())) return std::string_view::npos;
    for (std::size_t i = 1; i < text.size(); ++i) {
        const char c = text[i];
        if (c == ':') return i;
        if (!alpha(c) && !digit(c) && c != '+' && c != '-' && c != '.') break;
    }
    return std::string_view::npos;
}

} // namespace

std::string uri_fault(std::string_view text, bool absolute) {
    std::string_view rest = text;
    if (const auto length = scheme_length(rest); length != std::string_view::npos) {
        rest.remove_prefix(length + 1);
    } else if (absolute) {
        return "an absolute URI begins with its scheme, as https://";
    } else if (rest.substr(0, rest.find_first_of("/?#")).find(':') != std::string_view::npos) {
        return "what stands before the first colon is not a URI scheme";
    }
    if (const auto hash = rest.find('#'); hash != std::string_view::npos) {
        if (auto fault = part_fault(rest.substr(hash + 1), "/?", "fragment"); !fault.empty()) return fault;
        rest = rest.substr(0, hash);
    }
    if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
        if (auto fault = part_fault(rest.substr(mark + 1), "/?", "query"); !fault.empty()) return fault;
        rest = rest.substr(0, mark);
    }
    if (rest.substr(0, 2) == "//") {
        rest.remove_prefix(2);
        const auto slash = std::min(rest.find('/'), rest.size());
        if (auto fault = authority_fault(rest.substr(0, slash)); !fault.empty()) return fault;
        rest.remove_prefix(slash);
    }
    return part_fault(rest, "/", "path");
}

std::string text_fault(std::string_view text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (plain) return {};
    if (!valid_utf8(text)) return "invalid UTF-8";
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        std::uint32_t point = length == 1 ? lead : lead & (0xffU >> (length + 1));
        for (std::size_t k = 1; k < length; ++k)
            point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
        if (point < 0x20 || (point >= 0x7f && point < 0xa0))
            return "a control character, which is not allowed";
        if ((point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffe) == 0xfffe)
            return "a Unicode noncharacter, which is not allowed";
        i += length;
    }
    return {};
}

bool valid_media_type(std::string_view text) noexcept {
    const auto type = text.substr(0, text.find(';'));
    auto end = type.find_last_not_of(" \t");
    if (end == std::string_view::npos) return false;
    const auto bare = type.substr(0, end + 1);
    const auto slash = bare.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == bare.size()) return false;
    const auto sub = bare.substr(slash + 1);
    return std::all_of(bare.begin(), bare.begin() + static_cast<std::ptrdiff_t>(slash), token_char) &&
           std::all_of(sub.begin(), sub.end(), token_char);
}

bool valid_time(std::string_view text) {
    if (parse_rfc3339(text).ok()) return true;
    // An Instant reaches from 1678 to 2261 only; the calendar repeats every 400 years.
    if (text.size() < 5 || !std::all_of(text.begin(), text.begin() + 4, digit)) return false;
    int year = 0;
    std::from_chars(text.data(), text.data() + 4, year);
    std::string moved = std::to_string(1800 + year % 400);
    moved += text.substr(4);
    return parse_rfc3339(moved).ok();
}

bool valid_attribute_name(std::string_view name) noexcept {
    return !name.empty() &&
           std::all_of(name.begin(), name.end(), [](char c) { return digit(c) || (c >= 'a' && c <= 'z'); });
}

bool reserved_name(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 9> names{
        "data", "datacontenttype", "dataschema", "id", "source", "specversion", "subject", "time", "type"};
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool canonical_integer(std::string_view text) noexcept {
    std::int32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    const auto digits_only = text.substr(text.front() == '-' ? 1 : 0);
    return digits_only == "0" ? text.size() == 1 : digits_only.front() != '0';
}

Error attribute_error(std::string_view name, std::string_view what) {
    return invalid("attribute \"" + std::string(name) + "\": " + std::string(what));
}

std::string found(std::string_view text) {
    return "\"" + printable(text, 64) + "\"";
}

Status valid_json(std::string_view text, const JsonLimits& limits) try {
    return validate_json(text, limits);
} catch (const std::exception& problem) {
    return invalid(std::string("malformed JSON: ") + problem.what());
}

Status make_json_compact(std::string& data, const EventLimits& limits) {
    std::string_view text = data;
    if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
    WEIR_TRY(valid_json(text, {limits.bytes_max, limits.json_depth_max}));
    std::string compact(text.size(), '\0');
    std::size_t size = 0;
    if (simdjson::minify(text.data(), text.size(), compact.data(), size) != simdjson::SUCCESS)
        return internal("making validated JSON compact failed");
    compact.resize(size);
    data = std::move(compact);
    return {};
}

} // namespace weir::events
