#include "landed_file.hpp"

#include <array>

#include <weir/base/digest.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

namespace weir::events::folder {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool temporary(std::string_view name) {
    static constexpr std::array<std::string_view, 9> endings{
        "~", ".tmp", ".part", ".partial", ".crdownload", ".swp", ".swx", ".filepart", ".download"};
    if (name.front() == '#' && name.back() == '#') return true;
    for (const auto ending : endings)
        if (ends_with(name, ending)) return true;
    return false;
}

/// Length of the valid UTF-8 character at the front, 0 if there is none.
std::size_t character(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return text.size() >= length && valid_utf8(text.substr(0, length)) ? length : 0;
}

/// As as_utf8(), and without what a String attribute may not hold.
std::string as_attribute(std::string_view bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size();) {
        const auto length = character(bytes.substr(i));
        const auto piece = bytes.substr(i, length == 0 ? 1 : length);
        i += piece.size();
        const auto first = static_cast<unsigned char>(piece.front());
        const bool control = length == 1 ? first < 0x20 || first == 0x7f
                                         : first == 0xc2 && static_cast<unsigned char>(piece[1]) < 0xa0;
        // Noncharacters: U+FDD0 to U+FDEF, and the last two of every plane.
        const bool last_two = (length == 3 && piece >= "\xef\xbf\xbe") ||
                              (length == 4 && (static_cast<unsigned char>(piece[1]) & 0x0f) == 0x0f &&
                               piece.substr(2) >= "\xbf\xbe");
        const bool none = last_two || (length == 3 && piece >= "\xef\xb7\x90" && piece <= "\xef\xb7\xaf");
        out += length == 0 || control || none ? replacement : piece;
    }
    return out;
}

std::string file_uri(std::string_view path) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out = "file://";
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view("-._~/").find(c) != std::string_view::npos;
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

} // namespace

bool wanted(std::string_view name, const FolderOptions& options) {
    if (name.empty() || name == "." || name == "..") return false;
    if (!options.hidden && name.front() == '.') return false;
    if (!options.temporary && temporary(name)) return false;
    return glob_match(options.pattern, name);
}

std::string as_utf8(std::string_view bytes) {
    if (valid_utf8(bytes)) return std::string(bytes);
    std::string out;
    for (std::size_t i = 0; i < bytes.size();) {
        const auto length = character(bytes.substr(i));
        out += length == 0 ? replacement : bytes.substr(i, length);
        i += length == 0 ? 1 : length;
    }
    return out;
}

Event event_of(std::string_view name, const Fingerprint& file, const FolderOptions& options) {
    const std::string path = (options.folder == "/" ? "/" : options.folder + "/") + std::string(name);
    const auto modified = format_rfc3339(from_ns(file.modified_ns));
    std::string identity;
    append_field(identity, std::string_view(options.name));
    append_field(identity, std::string_view(path));
    append_field(identity, file.inode);
    append_field(identity, file.size);
    append_field(identity, file.modified_ns);
    Event event;
    event.id = to_hex(sha256(identity)).substr(0, 32);
    event.source = "/folder/" + options.name;
    event.type = options.event_type;
    event.subject = as_attribute(name);
    event.time = modified;
    event.datacontenttype = "application/json";
    event.data_kind = DataKind::Json;
    event.data = "{\"path\":" + json_string(as_utf8(path)) + ",\"name\":" + json_string(as_utf8(name)) +
                 ",\"size\":" + std::to_string(file.size) + ",\"modified\":" + json_string(modified) +
                 ",\"folder\":" + json_string(as_utf8(options.folder)) +
                 ",\"uri\":" + json_string(file_uri(path)) +
                 (valid_utf8(path) ? "}" : ",\"name_exact\":false}");
    return event;
}

} // namespace weir::events::folder
