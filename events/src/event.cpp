#include <weir/events/event.hpp>

#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/events/media_type.hpp>

#include "rules.hpp"

namespace weir::events {
namespace {

Status check_text(std::string_view name, std::string_view value, const EventLimits& limits) {
    if (value.size() > limits.attribute_bytes_max)
        return exhausted("attribute \"" + printable(name, 64) + "\": " + std::to_string(value.size()) +
                         " bytes; the limit is " + std::to_string(limits.attribute_bytes_max));
    if (const auto fault = text_fault(value); !fault.empty())
        return attribute_error(name, "expected text, found " + fault);
    return {};
}

Status check_required(std::string_view name, std::string_view value, const EventLimits& limits) {
    if (value.empty()) return attribute_error(name, "it is required and must not be empty");
    return check_text(name, value, limits);
}

Status check_known(const Event& event, const EventLimits& limits) {
    WEIR_TRY(check_required("id", event.id, limits));
    WEIR_TRY(check_required("source", event.source, limits));
    WEIR_TRY(check_required("type", event.type, limits));
    WEIR_TRY(check_text("subject", event.subject, limits));
    WEIR_TRY(check_text("datacontenttype", event.datacontenttype, limits));
    WEIR_TRY(check_text("dataschema", event.dataschema, limits));
    WEIR_TRY(check_text("time", event.time, limits));
    if (const auto fault = uri_fault(event.source, false); !fault.empty())
        return attribute_error("source",
                               "expected a URI-reference, found " + found(event.source) + ": " + fault);
    if (!event.dataschema.empty())
        if (const auto fault = uri_fault(event.dataschema, true); !fault.empty())
            return attribute_error("dataschema",
                                   "expected a URI, found " + found(event.dataschema) + ": " + fault);
    if (!event.datacontenttype.empty() && !valid_media_type(event.datacontenttype))
        return attribute_error("datacontenttype", "expected a media type such as application/json, found " +
                                                      found(event.datacontenttype));
    if (!event.time.empty() && !valid_time(event.time))
        return attribute_error(
            "time", "expected an RFC 3339 time such as 2026-03-01T06:30:00Z, found " + found(event.time));
    return {};
}

Status check_extension(const Extension& extension, const EventLimits& limits) {
    if (!valid_attribute_name(extension.name))
        return attribute_error(printable(extension.name, 64),
                               "the name of an attribute is made of a-z and 0-9 only");
    if (extension.name.size() > limits.name_bytes_max)
        return exhausted("attribute \"" + printable(extension.name, 64) + "\": the name is longer than " +
                         std::to_string(limits.name_bytes_max) + " bytes");
    if (reserved_name(extension.name))
        return attribute_error(extension.name, "the name is CloudEvents' own and cannot be an extension");
    WEIR_TRY(check_text(extension.name, extension.value, limits));
    if (extension.type == AttributeType::Boolean && extension.value != "true" && extension.value != "false")
        return attribute_error(extension.name, "expected true or false, found " + found(extension.value));
    if (extension.type == AttributeType::Integer && !canonical_integer(extension.value))
        return attribute_error(extension.name,
                               "expected an integer of 32 bits, found " + found(extension.value));
    return {};
}

Status check_extensions(const Event& event, const EventLimits& limits) {
    if (event.extensions.size() > limits.extensions_max)
        return exhausted(std::to_string(event.extensions.size()) + " extension attributes; the limit is " +
                         std::to_string(limits.extensions_max));
    const std::string* before = nullptr;
    for (const auto& extension : event.extensions) {
        WEIR_TRY(check_extension(extension, limits));
        if (before != nullptr && *before == extension.name)
            return attribute_error(extension.name, "it is there twice");
        if (before != nullptr && *before > extension.name)
            return internal("the extensions of an event are not sorted by name; set_extension() does that");
        before = &extension.name;
    }
    return {};
}

Status check_data(const Event& event) {
    const bool says_json = !event.datacontenttype.empty() && declares_json(event.datacontenttype);
    switch (event.data_kind) {
        case DataKind::None:
            if (!event.data.empty()) return internal("an event without data has data bytes");
            return {};
        case DataKind::Json:
            if (!event.datacontenttype.empty() && !says_json)
                return invalid("data: it is JSON, but datacontenttype is " + found(event.datacontenttype));
            return {};
        case DataKind::Text:
            if (!valid_utf8(event.data)) return invalid("data: invalid UTF-8 in text");
            [[fallthrough]];
        case DataKind::Binary:
            if (says_json)
                return invalid("data: datacontenttype is " + found(event.datacontenttype) +
                               ", so the data must be JSON");
            return {};
    }
    return internal("an event with an unknown kind of data");
}

} // namespace

const Extension* Event::extension(std::string_view name) const {
    const auto at = std::lower_bound(extensions.begin(), extensions.end(), name,
                                     [](const Extension& e, std::string_view n) { return e.name < n; });
    return at != extensions.end() && at->name == name ? &*at : nullptr;
}

void Event::set_extension(std::string name, std::string value, AttributeType value_type) {
    const auto at = std::lower_bound(extensions.begin(), extensions.end(), name,
                                     [](const Extension& e, const std::string& n) { return e.name < n; });
    if (at != extensions.end() && at->name == name) {
        at->value = std::move(value);
        at->type = value_type;
    } else {
        extensions.insert(at, Extension{std::move(name), std::move(value), value_type});
    }
}

std::size_t weight(const Event& event) noexcept {
    std::size_t bytes = 64 + event.id.size() + event.source.size() + event.type.size() +
                        event.subject.size() + event.datacontenttype.size() + event.dataschema.size() +
                        event.time.size() + event.data.size();
    for (const auto& extension : event.extensions)
        bytes += extension.name.size() + extension.value.size();
    return bytes;
}

Status check_attributes(const Event& event, const EventLimits& limits) {
    if (weight(event) > limits.bytes_max)
        return exhausted("the event has " + std::to_string(weight(event)) + " bytes; the limit is " +
                         std::to_string(limits.bytes_max));
    WEIR_TRY(check_known(event, limits));
    return check_extensions(event, limits);
}

Status check_but_json(const Event& event, const EventLimits& limits) {
    WEIR_TRY(check_attributes(event, limits));
    return check_data(event);
}

Status check(const Event& event, const EventLimits& limits) {
    WEIR_TRY(check_but_json(event, limits));
    if (event.data_kind == DataKind::Json)
        if (const auto valid = valid_json(event.data, {limits.bytes_max, limits.json_depth_max}); !valid.ok())
            return valid.error().in("data");
    return {};
}

Status read_data(Event& event, const EventLimits& limits) {
    event.data_kind = data_kind_of(event.datacontenttype, event.data);
    if (event.data_kind != DataKind::Json) return {};
    if (const auto valid = make_json_compact(event.data, limits); !valid.ok())
        return valid.error().in("data, which datacontenttype says is JSON");
    return {};
}

Digest digest_of(const Event& event) {
    std::string fields;
    fields.reserve(weight(event) + 160 + 16 * event.extensions.size());
    for (const auto* value : {&event.id, &event.source, &event.type, &event.subject})
        append_field(fields, std::string_view(*value));
    const bool implied = event.data_kind == DataKind::Json && event.datacontenttype.empty();
    append_field(fields,
                 implied ? std::string_view("application/json") : std::string_view(event.datacontenttype));
    append_field(fields, std::string_view(event.dataschema));
    append_field(fields, std::string_view(event.time));
    append_field(fields, static_cast<std::int64_t>(event.extensions.size()));
    for (const auto& extension : event.extensions) {
        append_field(fields, std::string_view(extension.name));
        append_field(fields, std::string_view(extension.value));
    }
    append_field(fields, static_cast<std::int64_t>(event.data_kind != DataKind::None));
    append_field(fields, std::string_view(event.data));
    return sha256(fields);
}

} // namespace weir::events
