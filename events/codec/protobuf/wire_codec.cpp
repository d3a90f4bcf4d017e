#include <weir/events/wire_codec.hpp>

#include <limits>

#include "stored_event.pb.h"

#include <weir/base/clock.hpp>
#include <weir/base/text.hpp>

#include "rules.hpp"

namespace weir::events {
namespace {

/// Messages are reused: their strings and lists keep their memory. One that grew large is thrown away.
constexpr std::size_t kept_bytes_max = 256 * 1024;

stored::Event& scratch() {
    thread_local stored::Event message;
    return message;
}

void let_go(stored::Event& message, std::size_t bytes) {
    if (bytes > kept_bytes_max)
        stored::Event().Swap(&message);
    else
        message.Clear();
}

stored::Value& add_attribute(stored::Event& message, std::string_view name) {
    auto* attribute = message.add_attributes();
    attribute->mutable_key()->assign(name);
    return *attribute->mutable_value();
}

void write_time(stored::Event& message, const std::string& text) {
    if (text.empty()) return;
    auto& value = add_attribute(message, "time");
    const auto instant = parse_rfc3339(text);
    if (!instant.ok()) {
        value.mutable_ce_string()->assign(text);
        return;
    }
    constexpr std::int64_t second = 1'000'000'000;
    const auto ns = to_ns(*instant);
    const auto rest = (ns % second + second) % second;
    value.mutable_ce_timestamp()->set_seconds((ns - rest) / second);
    value.mutable_ce_timestamp()->set_nanos(static_cast<std::int32_t>(rest));
    if (format_rfc3339(*instant) != text) message.mutable_weir()->set_time(text);
}

void write_extension(stored::Event& message, const Extension& extension) {
    auto& value = add_attribute(message, extension.name);
    switch (extension.type) {
        case AttributeType::String: value.mutable_ce_string()->assign(extension.value); return;
        case AttributeType::Boolean: value.set_ce_boolean(extension.value == "true"); return;
        case AttributeType::Integer:
            value.set_ce_integer(static_cast<std::int32_t>(std::stol(extension.value)));
            return;
    }
}

Status read_time(stored::Event& message, const stored::Value& value, Event& event) {
    if (!message.weir().time().empty()) {
        event.time = message.weir().time();
        return {};
    }
    if (value.attr_case() == stored::Value::kCeString) {
        event.time = value.ce_string();
        return {};
    }
    if (value.attr_case() != stored::Value::kCeTimestamp) return corrupt("time is not a timestamp");
    constexpr std::int64_t second = 1'000'000'000;
    const auto seconds = value.ce_timestamp().seconds();
    const auto nanos = value.ce_timestamp().nanos();
    if (seconds > std::numeric_limits<std::int64_t>::max() / second - 1 ||
        seconds < std::numeric_limits<std::int64_t>::min() / second + 1 || nanos < 0 || nanos >= second)
        return corrupt("time is out of range");
    event.time = format_rfc3339(from_ns(seconds * second + nanos));
    return {};
}

Status read_attribute(stored::Event& message, stored::Attribute& attribute, Event& event) {
    const auto& name = attribute.key();
    auto& value = *attribute.mutable_value();
    if (name == "time") return read_time(message, value, event);
    switch (value.attr_case()) {
        case stored::Value::kCeString:
            if (name == "subject") {
                event.subject = std::move(*value.mutable_ce_string());
                return {};
            }
            if (name == "datacontenttype") {
                event.datacontenttype = std::move(*value.mutable_ce_string());
                return {};
            }
            event.extensions.push_back({name, std::move(*value.mutable_ce_string()), AttributeType::String});
            break;
        case stored::Value::kCeUri:
            if (name != "dataschema") return corrupt("an extension that is a URI");
            event.dataschema = std::move(*value.mutable_ce_uri());
            return {};
        case stored::Value::kCeBoolean:
            event.extensions.push_back({name, value.ce_boolean() ? "true" : "false", AttributeType::Boolean});
            break;
        case stored::Value::kCeInteger:
            event.extensions.push_back({name, std::to_string(value.ce_integer()), AttributeType::Integer});
            break;
        default: return corrupt("an attribute of a type that is never written");
    }
    if (reserved_name(name) || !valid_attribute_name(name))
        return corrupt("an attribute with an impossible name");
    const auto n = event.extensions.size();
    if (n > 1 && event.extensions[n - 2].name >= name) return corrupt("extensions out of order");
    return {};
}

Status read_data(stored::Event& message, Event& event) {
    switch (message.weir().data_kind()) {
        case 0:
            if (message.data_case() != stored::Event::DATA_NOT_SET) return corrupt("data of no kind");
            return {};
        case 1: event.data_kind = DataKind::Json; break;
        case 2: event.data_kind = DataKind::Text; break;
        case 3: event.data_kind = DataKind::Binary; break;
        default: return corrupt("data of an unknown kind");
    }
    const bool binary = event.data_kind == DataKind::Binary;
    if (message.data_case() != (binary ? stored::Event::kBinaryData : stored::Event::kTextData))
        return corrupt("data of another kind than noted");
    event.data = std::move(binary ? *message.mutable_binary_data() : *message.mutable_text_data());
    return {};
}

bool all_utf8(const Event& event) {
    for (const auto* text : {&event.id, &event.source, &event.type, &event.subject, &event.datacontenttype,
                             &event.dataschema, &event.time})
        if (!valid_utf8(*text)) return false;
    for (const auto& extension : event.extensions)
        if (!valid_utf8(extension.value)) return false;
    return event.data_kind == DataKind::Binary || valid_utf8(event.data);
}

Result<Event> read(stored::Event& message) {
    if (message.spec_version() != "1.0") return corrupt("another specversion than 1.0");
    if (message.id().empty() || message.source().empty() || message.type().empty())
        return corrupt("a required attribute is missing");
    Event event;
    event.id = std::move(*message.mutable_id());
    event.source = std::move(*message.mutable_source());
    event.type = std::move(*message.mutable_type());
    for (auto& attribute : *message.mutable_attributes())
        WEIR_TRY(read_attribute(message, attribute, event));
    WEIR_TRY(read_data(message, event));
    if (!all_utf8(event)) return corrupt("invalid UTF-8");
    return event;
}

} // namespace

void append_wire(std::string& out, const Event& event) {
    auto& message = scratch();
    message.mutable_id()->assign(event.id);
    message.mutable_source()->assign(event.source);
    message.mutable_spec_version()->assign("1.0");
    message.mutable_type()->assign(event.type);
    if (!event.subject.empty()) add_attribute(message, "subject").mutable_ce_string()->assign(event.subject);
    write_time(message, event.time);
    if (!event.datacontenttype.empty())
        add_attribute(message, "datacontenttype").mutable_ce_string()->assign(event.datacontenttype);
    if (!event.dataschema.empty())
        add_attribute(message, "dataschema").mutable_ce_uri()->assign(event.dataschema);
    for (const auto& extension : event.extensions)
        write_extension(message, extension);
    switch (event.data_kind) {
        case DataKind::None: break;
        case DataKind::Json:
        case DataKind::Text: message.mutable_text_data()->assign(event.data); break;
        case DataKind::Binary: message.mutable_binary_data()->assign(event.data); break;
    }
    if (event.data_kind != DataKind::None)
        message.mutable_weir()->set_data_kind(static_cast<std::uint32_t>(event.data_kind));
    message.AppendToString(&out);
    let_go(message, weight(event));
}

std::string encode_wire(const Event& event) {
    std::string out;
    append_wire(out, event);
    return out;
}

Result<Event> decode_wire(std::string_view bytes) {
    auto& message = scratch();
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
        !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        let_go(message, bytes.size());
        return corrupt("a stored event cannot be read: not the bytes of an event");
    }
    auto event = read(message);
    let_go(message, bytes.size());
    if (!event.ok()) return event.error().in("a stored event cannot be read");
    return event;
}

} // namespace weir::events
