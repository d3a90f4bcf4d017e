#include <weir/triggers/event_view.hpp>

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/json.hpp>

namespace weir::triggers {
namespace {

using cel::Value;

Value extension_value(const events::Extension& extension) {
    switch (extension.type) {
        case events::AttributeType::Boolean: return Value::boolean(extension.value == "true");
        case events::AttributeType::Integer: {
            std::int64_t number = 0;
            const auto* end = extension.value.data() + extension.value.size();
            if (std::from_chars(extension.value.data(), end, number).ptr == end)
                return Value::integer(number);
            break;
        }
        case events::AttributeType::String: break;
    }
    return Value::borrowed(extension.value);
}

Value data_value(const events::Event& event) {
    switch (event.data_kind) {
        case events::DataKind::None: return Value::null();
        case events::DataKind::Text: return Value::borrowed(event.data);
        case events::DataKind::Binary: return Value::bytes(event.data);
        case events::DataKind::Json: {
            auto parsed = cel::from_json(event.data);
            return parsed.ok() ? *std::move(parsed) : Value::null();
        }
    }
    return Value::null();
}

Value whole_value(const events::Event& event, Value data) {
    std::vector<Value::Entry> members;
    members.reserve(9 + event.extensions.size());
    const auto add = [&](std::string_view name, Value value) {
        members.emplace_back(Value::borrowed(name), std::move(value));
    };
    const auto add_text = [&](std::string_view name, const std::string& text) {
        if (!text.empty()) add(name, Value::borrowed(text));
    };
    // What conditions ask for most stands first: small maps are searched in a row.
    add("data", std::move(data));
    add("type", Value::borrowed(event.type));
    add_text("subject", event.subject);
    add("source", Value::borrowed(event.source));
    add("id", Value::borrowed(event.id));
    if (!event.time.empty()) {
        const auto time = parse_rfc3339(event.time);
        add("time", time.ok() ? Value::timestamp(*time) : Value::borrowed(event.time));
    }
    add_text("datacontenttype", event.datacontenttype);
    add_text("dataschema", event.dataschema);
    add("specversion", Value::borrowed("1.0"));
    for (const auto& extension : event.extensions)
        add(extension.name, extension_value(extension));
    return Value::map(std::move(members));
}

Value timestamp_of(const Value& data, std::string_view name) {
    const auto* text = data.kind() == cel::Kind::Map ? data.find(name) : nullptr;
    if (text == nullptr || !text->is_string()) return Value::null();
    const auto time = parse_rfc3339(text->as_string());
    return time.ok() ? Value::timestamp(*time) : Value::null();
}

std::vector<Value::Entry> entries_of(const Value& map) {
    if (map.kind() != cel::Kind::Map) return {};
    const auto entries = map.as_map();
    return {entries.begin(), entries.end()};
}

} // namespace

Value event_value(const events::Event& event) {
    return whole_value(event, data_value(event));
}

events::Event slot_event(std::string_view team, std::string_view trigger, std::string_view leaf, Instant slot,
                         std::optional<Instant> previous_slot) {
    events::Event event;
    const auto at = format_rfc3339(slot);
    event.id = std::string(leaf) + "/" + at;
    event.source = "/weir/schedules/" + std::string(team) + "/" + std::string(trigger);
    event.type = slot_type;
    event.subject = leaf;
    event.time = at;
    event.datacontenttype = "application/json";
    event.data_kind = events::DataKind::Json;
    event.data = "{\"slot\":" + json_string(at) + ",\"previous_slot\":" +
                 (previous_slot ? json_string(format_rfc3339(*previous_slot)) : "null") + "}";
    return event;
}

const Value& EventView::data() {
    if (!data_) data_ = data_value(*event_);
    return *data_;
}

const Value& EventView::value() {
    if (!value_) value_ = whole_value(*event_, data());
    return *value_;
}

const Value& EventView::run() {
    if (run_) return *run_;
    auto members = entries_of(data());
    const auto* id = data().kind() == cel::Kind::Map ? data().find("run") : nullptr;
    if (id != nullptr) members.emplace_back(Value::borrowed("id"), *id);
    run_ = members.empty() ? Value::null() : Value::map(std::move(members));
    return *run_;
}

const Value& EventView::slot() {
    if (slot_) return *slot_;
    const std::vector<Value::Entry> times{
        {Value::borrowed("slot"), timestamp_of(data(), "slot")},
        {Value::borrowed("previous_slot"), timestamp_of(data(), "previous_slot")}};
    // Of equal keys the last stays, so what is added takes the place of what was there.
    auto data_members = entries_of(data());
    data_members.insert(data_members.end(), times.begin(), times.end());
    auto members = entries_of(value());
    members.emplace_back(Value::borrowed("data"), Value::map(std::move(data_members)));
    members.insert(members.end(), times.begin(), times.end());
    slot_ = Value::map(std::move(members));
    return *slot_;
}

} // namespace weir::triggers
