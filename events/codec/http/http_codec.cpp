#include <weir/events/http_codec.hpp>

#include <algorithm>
#include <array>

#include <weir/base/text.hpp>
#include <weir/events/media_type.hpp>

#include "rules.hpp"

namespace weir::events {
namespace {

constexpr std::string_view structured_type = "application/cloudevents";
constexpr std::string_view batch_type = "application/cloudevents-batch";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

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

Result<std::string> percent_decode(std::string_view text) {
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

Status check_format(std::string_view content_type, std::string_view expected) {
    if (media_type_of(content_type) != expected)
        return unsupported("Content-Type " + found(content_type) + ": of CloudEvents formats only " +
                           std::string(expected) + " is known");
    const auto charset = charset_of(content_type);
    if (!charset.empty() && charset != "utf-8" && charset != "utf8" && charset != "us-ascii")
        return unsupported("Content-Type " + found(content_type) +
                           ": JSON is UTF-8; send charset=utf-8 or none");
    return {};
}

/// The `ce-` headers of one message in binary mode.
class BinaryReader {
  public:
    explicit BinaryReader(const EventLimits& limits) : limits_(limits) {}

    Result<Event> read(std::span<const HttpHeader> headers, std::string_view content_type,
                       std::string_view body) {
        for (const auto& [name, value] : headers)
            if (name.size() >= 3 && lower(std::string_view(name).substr(0, 3)) == "ce-")
                WEIR_TRY(header(lower(std::string_view(name).substr(3)), value));
        if (seen_.empty())
            return invalid(
                "not a CloudEvent: neither ce- headers (binary mode) nor Content-Type "
                "application/cloudevents+json (structured mode)");
        if (!specversion_seen_)
            return attribute_error("specversion", "it is required; send the header ce-specversion: 1.0");
        event_.datacontenttype = content_type;
        WEIR_TRY(data(body));
        WEIR_TRY(check_but_json(event_, limits_));
        return std::move(event_);
    }

  private:
    Status header(std::string name, std::string_view wire) {
        if (!valid_attribute_name(name))
            return attribute_error(printable(name, 64),
                                   "the name of an attribute (header ce-NAME) is made of a-z and 0-9 only");
        if (std::find(seen_.begin(), seen_.end(), name) != seen_.end())
            return attribute_error(name, "its header is there twice");
        if (seen_.size() > limits_.extensions_max + 8)
            return exhausted("more than " + std::to_string(limits_.extensions_max) + " extension attributes");
        if (wire.size() > 3 * limits_.attribute_bytes_max + 2)
            return exhausted("attribute \"" + printable(name, 64) + "\": the header has " +
                             std::to_string(wire.size()) + " bytes");
        auto value = decode_header_value(wire);
        if (!value.ok()) return attribute_error(name, value.error().message);
        seen_.push_back(name);
        return attribute(std::move(name), std::move(value).value());
    }

    Status attribute(std::string name, std::string value) {
        if (name == "specversion") {
            if (value != "1.0")
                return unsupported("attribute \"specversion\": expected \"1.0\", found " + found(value));
            specversion_seen_ = true;
            return {};
        }
        if (name == "datacontenttype")
            return attribute_error(name,
                                   "in binary mode it is the header Content-Type, never ce-datacontenttype");
        struct Known {
            std::string_view name;
            std::string Event::*member;
        };
        static constexpr std::array<Known, 6> known{{{"id", &Event::id},
                                                     {"source", &Event::source},
                                                     {"type", &Event::type},
                                                     {"subject", &Event::subject},
                                                     {"time", &Event::time},
                                                     {"dataschema", &Event::dataschema}}};
        for (const auto& one : known) {
            if (one.name != name) continue;
            if (value.empty()) return attribute_error(name, "it must not be empty");
            event_.*one.member = std::move(value);
            return {};
        }
        event_.set_extension(std::move(name), std::move(value));
        return {};
    }

    Status data(std::string_view body) {
        event_.data_kind = data_kind_of(event_.datacontenttype, body);
        event_.data = body;
        if (event_.data_kind != DataKind::Json) return {};
        if (const auto valid = make_json_compact(event_.data, limits_); !valid.ok())
            return valid.error().in("the body, which Content-Type says is JSON");
        return {};
    }

    const EventLimits& limits_;
    Event event_;
    std::vector<std::string> seen_;
    bool specversion_seen_ = false;
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
        WEIR_TRY(check_format(content_type, "application/cloudevents-batch+json"));
        return decode_json_batch(body, limits);
    }
    std::vector<Event> events;
    if (mode == HttpMode::Structured) {
        WEIR_TRY(check_format(content_type, "application/cloudevents+json"));
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
