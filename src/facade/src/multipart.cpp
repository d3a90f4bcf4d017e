#include "multipart.hpp"

#include <algorithm>
#include <optional>

#include <weir/base/text.hpp>

namespace weir::facade {
namespace {

constexpr std::size_t fields_max = 64;
constexpr std::size_t header_bytes_max = 8 * 1024;
constexpr std::size_t boundary_bytes_max = 70; // RFC 2046

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

/// The value of a parameter of a header field, its quotes taken off.
std::optional<std::string> parameter_of(std::string_view field, std::string_view name) {
    const auto wanted = std::string(name) + "=";
    std::size_t at = field.find(';');
    while (at < field.size()) {
        ++at;
        while (at < field.size() && (field[at] == ' ' || field[at] == '\t'))
            ++at;
        const bool found = lower(field.substr(at, wanted.size())) == wanted;
        const auto equals = std::min(field.find('=', at), field.size());
        std::string value;
        at = std::min(equals + 1, field.size());
        if (at < field.size() && field[at] == '"') {
            for (++at; at < field.size() && field[at] != '"'; ++at) {
                if (field[at] == '\\' && at + 1 < field.size()) ++at;
                value += field[at];
            }
            at = std::min(field.find(';', at), field.size());
        } else {
            const auto end = std::min(field.find(';', at), field.size());
            value = field.substr(at, end - at);
            at = end;
        }
        if (found) return value;
    }
    return std::nullopt;
}

/// The line of a part's header that begins with this name, without the name.
std::string_view header_of(std::string_view header, std::string_view name) {
    while (!header.empty()) {
        const auto end = std::min(header.find("\r\n"), header.size());
        const auto line = header.substr(0, end);
        if (lower(line.substr(0, name.size())) == name) return line.substr(name.size());
        header.remove_prefix(std::min(end + 2, header.size()));
    }
    return {};
}

/// Some clients send the whole path.
std::string base_name(const std::string& path) {
    const auto slash = path.find_last_of("/\\");
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

} // namespace

Result<FormFile> read_form(std::string_view content_type, std::string_view body) {
    constexpr std::string_view form = "multipart/form-data";
    if (lower(content_type.substr(0, form.size())) != form)
        return invalid("an upload is multipart/form-data, not \"" + printable(content_type, 80) + "\"");
    const auto boundary = parameter_of(content_type, "boundary");
    if (!boundary || boundary->empty() || boundary->size() > boundary_bytes_max)
        return invalid("the Content-Type of the upload has no boundary");
    const auto cut_off = [] { return invalid("the upload is cut off: a part of the form has no end"); };
    const auto mark = "--" + *boundary;
    if (!body.starts_with(mark)) return invalid("the upload does not begin with its boundary");
    body.remove_prefix(mark.size());
    const auto between = "\r\n" + mark;
    for (std::size_t field = 0; field < fields_max; ++field) {
        if (body.starts_with("--")) return invalid("the form has no file in the field \"uploadfile\"");
        if (!body.starts_with("\r\n")) return cut_off();
        const auto header_end = body.substr(0, header_bytes_max).find("\r\n\r\n");
        if (header_end == std::string_view::npos) return cut_off();
        const auto header = body.substr(2, header_end > 2 ? header_end - 2 : 0);
        body.remove_prefix(header_end + 4);
        const auto end = body.find(between);
        if (end == std::string_view::npos) return cut_off();
        const auto disposition = header_of(header, "content-disposition:");
        if (parameter_of(disposition, "name") == "uploadfile")
            return FormFile{base_name(parameter_of(disposition, "filename").value_or("")),
                            std::string(body.substr(0, end))};
        body.remove_prefix(end + between.size());
    }
    return invalid("the form has over " + std::to_string(fields_max) + " fields");
}

} // namespace weir::facade
