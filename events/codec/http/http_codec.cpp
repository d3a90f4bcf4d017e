#include <weir/events/http_codec.hpp>

#include <weir/base/text.hpp>
#include <weir/events/media_type.hpp>

#include "binding_parts.hpp"
#include "rules.hpp"

namespace weir::events {
namespace {

constexpr std::string_view structured_type = "application/cloudevents";
constexpr std::string_view batch_type = "application/cloudevents-batch";

/// A quoted-string (RFC 7230, section 3.2.6) without its quotes and backslashes; other values as they are.
Result<std::string> unquote(std::string_view value) {
    if (value.empty() || value.front() != '"') return std::string(value);
    std::string out;
    for (std::size_t i = 1; i < value.size(); ++i) {
        if (value[i] == '"') {
            if (i + 1 != value.size())
                return invalid("something stands behind the closing quote of the value");
            return out;
        }
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        out += value[i];
    }
    return invalid("the quoted value does not end");
}

/// The `ce-` headers of one message in binary mode.
class BinaryReader {
  public:
    explicit BinaryReader(const EventLimits& limits) : limits_(limits), attributes_(limits, "ce-") {}

    Result<Event> read(std::span<const HttpHeader> headers, std::string_view content_type,
                       std::string_view body) {
        bool any = false;
        for (const auto& [name, value] : headers) {
            if (name.size() < 3 || !equal_names(std::string_view(name).substr(0, 3), "ce-")) continue;
            any = true;
            WEIR_TRY(header(lower(std::string_view(name).substr(3)), value));
        }
        if (!any)
            return invalid(
                "not a CloudEvent: neither ce- headers (binary mode) nor Content-Type "
                "application/cloudevents+json (structured mode)");
        attributes_.content_type(content_type);
        WEIR_ASSIGN(event, attributes_.finish(body));
        event.data_kind = data_kind_of(event.datacontenttype, body);
        if (event.data_kind == DataKind::Json)
            if (const auto valid = make_json_compact(event.data, limits_); !valid.ok())
                return valid.error().in("the body, which Content-Type says is JSON");
        return event;
    }

  private:
    Status header(const std::string& name, std::string_view wire) {
        if (!valid_attribute_name(name))
            return attribute_error(printable(name, 64),
                                   "the name of an attribute (header ce-NAME) is made of a-z and 0-9 only");
        if (name == "datacontenttype")
            return attribute_error(name,
                                   "in binary mode it is the header Content-Type, never ce-datacontenttype");
        if (wire.size() > 3 * limits_.attribute_bytes_max + 2)
            return exhausted("attribute \"" + printable(name, 64) + "\": the header has " +
                             std::to_string(wire.size()) + " bytes");
        auto value = decode_header_value(wire);
        if (!value.ok()) return attribute_error(name, value.error().message);
        return attributes_.attribute(name, std::move(value).value());
    }

    const EventLimits& limits_;
    AttributeReader attributes_;
};

/// The one Content-Type; two different ones cannot both be meant.
Result<std::string> content_type_of(std::span<const HttpHeader> headers) {
    std::string type;
    bool seen = false;
    for (const auto& [name, value] : headers) {
        if (lower(std::string_view(name)) != "content-type") continue;
        if (seen && trim(value) != type) return invalid("the header Content-Type is there twice");
        type = trim(value);
        seen = true;
    }
    return type;
}

} // namespace

HttpMode http_mode_of(std::string_view content_type) {
    const auto type = lower(trim(content_type));
    if (type.compare(0, batch_type.size(), batch_type) == 0) return HttpMode::Batch;
    if (type.compare(0, structured_type.size(), structured_type) == 0) return HttpMode::Structured;
    return HttpMode::Binary;
}

Result<std::vector<Event>> decode_http(std::span<const HttpHeader> headers, std::string_view body,
                                       const BatchLimits& limits) {
    if (body.size() > limits.bytes_max)
        return exhausted("the body has " + std::to_string(body.size()) + " bytes; the limit is " +
                         std::to_string(limits.bytes_max));
    WEIR_ASSIGN(content_type, content_type_of(headers));
    const auto mode = http_mode_of(content_type);
    if (mode == HttpMode::Batch) {
        WEIR_TRY(check_format(content_type, "application/cloudevents-batch+json", "Content-Type"));
        return decode_json_batch(body, limits);
    }
    std::vector<Event> events;
    if (mode == HttpMode::Structured) {
        WEIR_TRY(check_format(content_type, "application/cloudevents+json", "Content-Type"));
        WEIR_ASSIGN(event, decode_json(body, limits.event));
        events.push_back(std::move(event));
        return events;
    }
    WEIR_ASSIGN(event, BinaryReader(limits.event).read(headers, content_type, body));
    events.push_back(std::move(event));
    return events;
}

HttpMessage encode_http_binary(const Event& event) {
    HttpMessage message;
    const auto add = [&message](std::string_view name, std::string_view value) {
        message.headers.emplace_back("ce-" + std::string(name), encode_header_value(value));
    };
    add("specversion", "1.0");
    add("id", event.id);
    add("source", event.source);
    add("type", event.type);
    if (!event.subject.empty()) add("subject", event.subject);
    if (!event.time.empty()) add("time", event.time);
    if (!event.dataschema.empty()) add("dataschema", event.dataschema);
    for (const auto& extension : event.extensions)
        add(extension.name, extension.value);
    if (!event.datacontenttype.empty())
        message.headers.emplace_back("content-type", event.datacontenttype);
    else if (event.data_kind == DataKind::Json)
        message.headers.emplace_back("content-type", "application/json");
    message.body = event.data;
    message.has_body = event.data_kind != DataKind::None;
    return message;
}

HttpMessage encode_http_structured(const Event& event) {
    return {{{"content-type", "application/cloudevents+json; charset=utf-8"}}, encode_json(event), true};
}

HttpMessage encode_http_batch(std::span<const Event> events) {
    return {{{"content-type", "application/cloudevents-batch+json; charset=utf-8"}},
            encode_json_batch(events),
            true};
}

std::string encode_header_value(std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (c > 0x20 && c < 0x7f && c != '"' && c != '%') {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

Result<std::string> decode_header_value(std::string_view wire) {
    WEIR_ASSIGN(value, unquote(trim(wire)));
    return percent_decode(value);
}

} // namespace weir::events
