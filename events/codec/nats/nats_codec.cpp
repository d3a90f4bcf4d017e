#include <weir/events/binding.hpp>

#include <weir/events/http_codec.hpp>
#include <weir/events/json_codec.hpp>

#include "binding_parts.hpp"

namespace weir::events {
namespace {

constexpr std::string_view prefix = "ce-";
constexpr std::string_view no_event =
    "not a CloudEvent: neither a header ce-specversion (binary mode) nor Content-Type "
    "application/cloudevents+json "
    "(structured mode) nor a JSON object with specversion; plain JSON needs a mapping in the bus's "
    "configuration";

bool has_prefix(std::string_view name) noexcept {
    return name.size() > prefix.size() && equal_names(name.substr(0, prefix.size()), prefix);
}

Result<Event> decode_binary(const MessageView& message, std::string_view content_type,
                            const EventLimits& limits) {
    AttributeReader reader(limits, prefix);
    std::string name;
    for (const auto& header : message.headers) {
        if (!has_prefix(header.name)) {
            reader.other(header.name, header.value);
            continue;
        }
        name.assign(header.name.substr(prefix.size()));
        for (auto& c : name)
            c = lower(c);
        if (header.value.size() > 3 * limits.attribute_bytes_max)
            return exhausted("header " + std::string(prefix) + name + ": " +
                             std::to_string(header.value.size()) + " bytes; an attribute may have " +
                             std::to_string(limits.attribute_bytes_max));
        auto value = percent_decode(trim(header.value));
        if (!value.ok()) return value.error().in("header " + std::string(prefix) + name);
        WEIR_TRY(reader.attribute(name, std::move(value).value()));
    }
    reader.content_type(content_type);
    return reader.finish(message.body);
}

} // namespace

Result<Decoded> decode_nats_view(const MessageView& message, const DecodeContext& context) {
    std::string_view content_type;
    bool binary = false;
    for (const auto& [name, value] : message.headers) {
        if (equal_names(name, "content-type")) content_type = value;
        if (equal_names(name, "ce-specversion")) binary = true;
    }
    if (says_cloudevents(content_type))
        return decode_structured(content_type, "Content-Type", message.body, context.limits);
    if (binary) {
        WEIR_ASSIGN(event, decode_binary(message, content_type, context.limits));
        return Decoded{std::move(event), false};
    }
    if (bare_event(message.body)) return decode_structured({}, {}, message.body, context.limits);
    return decode_by_mapping(message, context, no_event);
}

Result<Decoded> decode_nats(const Message& message, const DecodeContext& context) {
    std::vector<HeaderView> headers;
    return decode_nats_view(view_of(message, headers), context);
}

Message encode_nats(const Event& event, MessageMode mode) {
    Message message;
    if (mode == MessageMode::Structured) {
        message.headers.emplace_back("Content-Type", "application/cloudevents+json; charset=utf-8");
        message.body = encode_json(event);
        return message;
    }
    const auto add = [&message](std::string_view name, std::string_view value) {
        message.headers.emplace_back(std::string(prefix) + std::string(name), encode_header_value(value));
    };
    add("specversion", "1.0");
    add("id", event.id);
    add("source", event.source);
    add("type", event.type);
    if (!event.subject.empty()) add("subject", event.subject);
    if (!event.time.empty()) add("time", event.time);
    if (!event.dataschema.empty()) add("dataschema", event.dataschema);
    if (!event.datacontenttype.empty())
        add("datacontenttype", event.datacontenttype);
    else if (event.data_kind == DataKind::Json)
        add("datacontenttype", "application/json");
    for (const auto& extension : event.extensions)
        add(extension.name, extension.value);
    message.body = event.data;
    return message;
}

} // namespace weir::events
