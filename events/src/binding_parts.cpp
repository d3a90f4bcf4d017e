#include "binding_parts.hpp"

#include <algorithm>

#include <simdjson.h>

#include <weir/base/text.hpp>
#include <weir/events/json_codec.hpp>
#include <weir/events/media_type.hpp>

#include "rules.hpp"

namespace weir::events {
namespace {

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

constexpr unsigned specversion_bit = 1U << 7;

} // namespace

MessageView view_of(const Message& message, std::vector<HeaderView>& headers) {
    headers.clear();
    headers.reserve(message.headers.size());
    for (const auto& [name, value] : message.headers)
        headers.push_back({name, value});
    return {headers, message.subject, message.key, message.has_key, message.body, message.has_body};
}

Message message_of(const MessageView& view) {
    Message message;
    message.headers.reserve(view.headers.size());
    for (const auto& [name, value] : view.headers)
        message.headers.emplace_back(name, value);
    message.subject = view.subject;
    message.key = view.key;
    message.has_key = view.has_key;
    message.body = view.body;
    message.has_body = view.has_body;
    return message;
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

bool equal_names(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) noexcept {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Result<std::string> percent_decode(std::string_view text) {
    // Hardly any value is encoded: then there is nothing to do but to copy it.
    if (std::all_of(text.begin(), text.end(),
                    [](char c) { return c != '%' && static_cast<signed char>(c) >= 0; }))
        return std::string(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return invalid(
                "a % is not followed by two hexadecimal digits; a percent sign itself is written %25");
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    if (!valid_utf8(out)) return invalid("invalid UTF-8");
    return out;
}

bool says_cloudevents(std::string_view content_type) noexcept {
    constexpr std::string_view begin = "application/cloudevents";
    return equal_names(trim(content_type).substr(0, begin.size()), begin);
}

Status check_format(std::string_view content_type, std::string_view expected, std::string_view header) {
    if (media_type_of(content_type) != expected)
        return unsupported(std::string(header) + " " + found(content_type) +
                           ": of CloudEvents formats only " + std::string(expected) + " is known");
    const auto charset = charset_of(content_type);
    if (!charset.empty() && charset != "utf-8" && charset != "utf8" && charset != "us-ascii")
        return unsupported(std::string(header) + " " + found(content_type) +
                           ": JSON is UTF-8; send charset=utf-8 or none");
    return {};
}

bool bare_event(std::string_view body) {
    const auto first = body.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || body[first] != '{') return false;
    if (body.find("\"specversion\"") == std::string_view::npos) return false;
    const simdjson::padded_string padded(body);
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS)
        return false;
    return object.find_field_unordered("specversion").error() == simdjson::SUCCESS;
}

Result<Decoded> decode_structured(std::string_view content_type, std::string_view header,
                                  std::string_view body, const EventLimits& limits) {
    if (!content_type.empty()) WEIR_TRY(check_format(content_type, "application/cloudevents+json", header));
    WEIR_ASSIGN(event, decode_json(body, limits));
    return Decoded{std::move(event), true};
}

Result<Decoded> decode_by_mapping(const MessageView& message, const DecodeContext& context,
                                  std::string_view otherwise) {
    if (context.mapping == nullptr) return invalid(std::string(otherwise));
    WEIR_ASSIGN(event, context.mapping->map(message_of(message), context.place, context.limits));
    return Decoded{std::move(event), true};
}

Status AttributeReader::known(unsigned bit, std::string_view name, std::string& member, std::string value) {
    if ((seen_ & bit) != 0) return attribute_error(name, "its header is there twice");
    seen_ |= bit;
    if (value.empty()) return attribute_error(name, "it must not be empty");
    member = std::move(value);
    return {};
}

Status AttributeReader::attribute(std::string_view name, std::string value) {
    if (name == "id") return known(1U << 0, name, event_.id, std::move(value));
    if (name == "source") return known(1U << 1, name, event_.source, std::move(value));
    if (name == "type") return known(1U << 2, name, event_.type, std::move(value));
    if (name == "subject") return known(1U << 3, name, event_.subject, std::move(value));
    if (name == "time") return known(1U << 4, name, event_.time, std::move(value));
    if (name == "dataschema") return known(1U << 5, name, event_.dataschema, std::move(value));
    if (name == "datacontenttype") return known(1U << 6, name, event_.datacontenttype, std::move(value));
    if (name == "specversion") {
        if ((seen_ & specversion_bit) != 0) return attribute_error(name, "its header is there twice");
        seen_ |= specversion_bit;
        if (value != "1.0")
            return unsupported("attribute \"specversion\": expected \"1.0\", found " + found(value));
        return {};
    }
    if (!valid_attribute_name(name))
        return attribute_error(
            printable(name, 64),
            "the name of an attribute (header " + std::string(prefix_) + "NAME) is made of a-z and 0-9 only");
    if (event_.extension(name) != nullptr) return attribute_error(name, "its header is there twice");
    if (event_.extensions.size() >= limits_.extensions_max)
        return exhausted("more than " + std::to_string(limits_.extensions_max) + " extension attributes");
    event_.set_extension(std::string(name), std::move(value));
    return {};
}

void AttributeReader::other(std::string_view name, std::string_view value) {
    // A transport's own headers have dashes or underscores in their names: most end here.
    if (name.size() > limits_.name_bytes_max || value.size() > limits_.attribute_bytes_max) return;
    auto as_attribute = lower(name);
    if (!valid_attribute_name(as_attribute) || reserved_name(as_attribute)) return;
    if (others_.size() < limits_.extensions_max) others_.emplace_back(std::move(as_attribute), value);
}

void AttributeReader::add_others() {
    for (auto& [name, value] : others_) {
        if (event_.extensions.size() >= limits_.extensions_max) return;
        if (event_.extension(name) != nullptr || !text_fault(value).empty()) continue;
        event_.set_extension(std::move(name), std::string(value));
    }
}

Status AttributeReader::finish_there(std::string_view body) {
    if ((seen_ & specversion_bit) == 0)
        return attribute_error(
            "specversion", "it is required; send the header " + std::string(prefix_) + "specversion: 1.0");
    if (event_.datacontenttype.empty()) event_.datacontenttype = trim(content_type_);
    add_others();
    event_.data = body;
    event_.data_kind = body.empty() ? DataKind::None : DataKind::Binary;
    return check_attributes(event_, limits_);
}

Result<Event> AttributeReader::finish(std::string_view body) {
    WEIR_TRY(finish_there(body));
    return std::move(event_);
}

} // namespace weir::events
