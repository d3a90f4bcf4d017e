#include <weir/events/binding.hpp>

#include <weir/events/json_codec.hpp>

#include "binding_parts.hpp"

namespace weir::events {
namespace {

constexpr std::string_view prefix = "ce_";
constexpr std::string_view no_event =
    "not a CloudEvent: neither ce_ headers (binary mode) nor content-type application/cloudevents+json "
    "(structured mode); plain JSON needs a mapping in the bus's configuration";

bool has_prefix(std::string_view name) noexcept {
    return name.size() > prefix.size() && equal_names(name.substr(0, prefix.size()), prefix);
}

Status decode_binary(const MessageView& message, std::string_view content_type, const EventLimits& limits,
                     Event& event) {
    AttributeReader reader(limits, prefix, event);
    std::string name;
    for (const auto& header : message.headers) {
        if (!has_prefix(header.name)) {
            reader.other(header.name, header.value);
            continue;
        }
        name.assign(header.name.substr(prefix.size()));
        for (auto& c : name)
            c = lower(c);
        if (header.value.size() > limits.attribute_bytes_max)
            return exhausted("header " + std::string(prefix) + name.substr(0, 64) + ": " +
                             std::to_string(header.value.size()) + " bytes; an attribute may have " +
                             std::to_string(limits.attribute_bytes_max));
        // UTF-8 as it is: this binding knows no percent-encoding. check() looks at the characters.
        WEIR_TRY(reader.attribute(name, std::string(header.value)));
    }
    reader.content_type(content_type);
    return reader.finish_there(message.has_body ? message.body : std::string_view());
}

std::string_view key_of(const Event& event) {
    if (const auto* partition_key = event.extension("partitionkey");
        partition_key != nullptr && !partition_key->value.empty())
        return partition_key->value;
    return event.subject.empty() ? event.source : event.subject;
}

} // namespace

Status decode_kafka_into(const MessageView& message, const DecodeContext& context, Event& event,
                         bool& data_checked) {
    std::string_view content_type;
    bool binary = false, typed = false;
    for (const auto& [name, value] : message.headers) {
        if (has_prefix(name)) {
            binary = true;
        } else if (equal_names(name, "content-type")) {
            if (typed && trim(value) != trim(content_type))
                return invalid("the header content-type is there twice");
            content_type = value;
            typed = true;
        }
    }
    const bool structured = says_cloudevents(content_type);
    data_checked = structured || !binary;
    if (!data_checked) return decode_binary(message, content_type, context.limits, event);
    auto decoded =
        structured ? decode_structured(content_type, "content-type",
                                       message.has_body ? message.body : std::string_view(), context.limits)
                   : decode_by_mapping(message, context, no_event);
    if (!decoded.ok()) return decoded.error();
    event = std::move(decoded->event);
    return {};
}

Result<Decoded> decode_kafka_view(const MessageView& message, const DecodeContext& context) {
    Decoded decoded;
    WEIR_TRY(decode_kafka_into(message, context, decoded.event, decoded.data_checked));
    return decoded;
}

Result<Decoded> decode_kafka(const Message& message, const DecodeContext& context) {
    std::vector<HeaderView> headers;
    return decode_kafka_view(view_of(message, headers), context);
}

Message encode_kafka(const Event& event, MessageMode mode) {
    Message message;
    message.key = key_of(event);
    message.has_key = true;
    if (mode == MessageMode::Structured) {
        message.headers.emplace_back("content-type", "application/cloudevents+json; charset=utf-8");
        message.body = encode_json(event);
        return message;
    }
    const auto add = [&message](std::string_view name, std::string_view value) {
        message.headers.emplace_back(std::string(prefix) + std::string(name), value);
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

} // namespace weir::events
