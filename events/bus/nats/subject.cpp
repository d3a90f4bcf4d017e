#include "subject.hpp"

#include <array>
#include <charconv>

#include <weir/base/digest.hpp>
#include <weir/base/text.hpp>
#include <weir/events/http_codec.hpp>

namespace weir::events::nats {
namespace {

/// Cuts the first token off.
std::string_view take_token(std::string_view& rest) noexcept {
    const auto dot = rest.find('.');
    const auto token = rest.substr(0, dot);
    rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
    return token;
}

bool plain(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool read_number(std::string_view text, std::int64_t& number) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

constexpr std::size_t id_bytes_max = 512;

} // namespace

bool subject_matches(std::string_view filter, std::string_view subject) noexcept {
    while (!filter.empty()) {
        if (subject.empty()) return false;
        if (filter == ">") return true;
        const bool last_of_filter = filter.find('.') == std::string_view::npos;
        const bool last_of_subject = subject.find('.') == std::string_view::npos;
        const auto wanted = take_token(filter);
        const auto token = take_token(subject);
        if (wanted != "*" && wanted != token) return false;
        if (last_of_filter || last_of_subject) return last_of_filter && last_of_subject;
    }
    return false;
}

std::string subject_fault(std::string_view subject, bool wildcards) {
    if (subject.empty()) return "it is empty";
    if (subject.size() > 1024) return "it is longer than 1,024 bytes";
    for (const char c : subject)
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
            return "it holds a space or control character";
    std::string_view rest = subject;
    for (bool more = true; more;) {
        more = rest.find('.') != std::string_view::npos;
        const auto token = take_token(rest);
        if (token.empty()) return "a token between its dots is empty";
        if (token != "*" && token != ">") continue;
        if (!wildcards) return "`*` and `>` have no place in it";
        if (token == ">" && more) return "`>` stands at the end only";
    }
    return {};
}

std::string stream_name_fault(std::string_view name) {
    if (name.empty()) return "it is empty";
    if (name.size() > 255) return "it is longer than 255 bytes";
    for (const char c : name)
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
            std::string_view(".*>/\\").find(c) != std::string_view::npos)
            return "NATS allows no spaces and none of . * > / \\ in it";
    return {};
}

std::string subject_of(std::string_view prefix, std::string_view type) {
    std::string out(prefix);
    out += '.';
    for (const char c : type) {
        if (c == '.') {
            if (out.back() == '.') out += '_';
            out += '.';
        } else {
            out += plain(c) ? c : '_';
        }
    }
    if (out.back() == '.') out += '_';
    return out;
}

std::string message_id(const Event& event) {
    // Encoded values hold no space, so that the one between them parts them in one way only.
    auto id = encode_header_value(event.source) + ' ' + encode_header_value(event.id);
    if (id.size() <= id_bytes_max) return id;
    return "sha256:" + to_hex(sha256(id));
}

std::optional<AckPlace> parse_ack(std::string_view reply) noexcept {
    constexpr std::string_view begin = "$JS.ACK.";
    if (reply.substr(0, begin.size()) != begin) return std::nullopt;
    reply.remove_prefix(begin.size());
    std::array<std::string_view, 10> tokens;
    std::size_t count = 0;
    while (!reply.empty() && count < tokens.size())
        tokens[count++] = take_token(reply);
    if (count < 7) return std::nullopt;
    const std::size_t at = count >= 9 ? 2 : 0; // behind domain and account
    AckPlace place;
    place.stream = tokens[at];
    place.consumer = tokens[at + 1];
    if (!read_number(tokens[at + 3], place.stream_sequence) ||
        !read_number(tokens[at + 4], place.consumer_sequence) ||
        !read_number(tokens[at + 5], place.time_ns) || !read_number(tokens[at + 6], place.pending))
        return std::nullopt;
    return place;
}

std::string bare_url(std::string_view url) {
    const auto scheme = url.find("://");
    const auto begin = scheme == std::string_view::npos ? 0 : scheme + 3;
    const auto at = url.rfind('@');
    if (at == std::string_view::npos || at < begin) return printable(url);
    return printable(std::string(url.substr(0, begin)) + std::string(url.substr(at + 1)));
}

} // namespace weir::events::nats
