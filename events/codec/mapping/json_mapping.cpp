#include <weir/events/json_mapping.hpp>

#include <vector>

#include <weir/base/text.hpp>
#include <weir/cel/program.hpp>

#include "rules.hpp"

namespace weir::events {
namespace {

using cel::Kind;
using cel::Value;

/// An attribute and what makes it.
struct Rule {
    std::string name;
    cel::Program program;
};

cel::CompileOptions options() {
    using cel::VariableType;
    cel::CompileOptions out;
    out.variables = {{"data", VariableType::Dynamic},   {"headers", VariableType::Dynamic},
                     {"subject", VariableType::String}, {"key", VariableType::String},
                     {"stream", VariableType::String},  {"position", VariableType::Int}};
    return out;
}

Result<Rule> compile_rule(std::string_view name, const std::string& text) {
    auto program = cel::Program::compile(text, options());
    if (!program.ok()) return program.error().in("mapping of \"" + std::string(name) + "\"");
    return Rule{std::string(name), std::move(program).value()};
}

/// Of several headers with one name the last one counts, as in a map.
Value headers_value(const Message& message) {
    std::vector<std::pair<std::string, Value>> members;
    members.reserve(message.headers.size());
    for (const auto& [name, value] : message.headers)
        if (valid_utf8(name) && valid_utf8(value)) members.emplace_back(name, Value::borrowed(value));
    return Value::object(std::move(members));
}

Value text_value(std::string_view text) {
    return valid_utf8(text) ? Value::borrowed(text) : Value::null();
}

cel::SimpleBindings bind(const Message& message, const MessagePlace& place, Value data) {
    cel::SimpleBindings bindings;
    bindings.set("data", std::move(data));
    bindings.set("headers", headers_value(message));
    bindings.set("subject", text_value(message.subject));
    bindings.set("key", text_value(message.key));
    bindings.set("stream", text_value(place.stream));
    bindings.set("position", Value::integer(place.position));
    return bindings;
}

Error no_text(std::string_view name, const Value& value) {
    return invalid("mapping of \"" + std::string(name) + "\": expected a text, found " +
                   std::string(cel::type_name(value.kind())) + "; string() makes one");
}

/// The value as the text of an attribute; a timestamp too where the attribute is a time.
Result<std::string> text_of(std::string_view name, const Value& value) {
    if (value.is_string()) return std::string(value.as_string());
    if (name == "time" && value.kind() == Kind::Timestamp) {
        WEIR_ASSIGN(quoted, cel::to_json(value));
        return quoted.substr(1, quoted.size() - 2);
    }
    return no_text(name, value);
}

Status set_extension(Event& event, const std::string& name, const Value& value) {
    if (value.is_null()) return {};
    if (value.kind() == Kind::Bool) {
        event.set_extension(name, value.as_bool() ? "true" : "false", AttributeType::Boolean);
    } else if (value.kind() == Kind::Int && canonical_integer(std::to_string(value.as_int()))) {
        event.set_extension(name, std::to_string(value.as_int()), AttributeType::Integer);
    } else {
        WEIR_ASSIGN(text, text_of(name, value));
        event.set_extension(name, std::move(text));
    }
    return {};
}

/// A name as a segment of a URI path.
std::string segment(std::string_view name) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
        if (plain) {
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

} // namespace

struct JsonMapping::Impl {
    struct Known {
        std::string Event::*member;
        Rule rule;
        bool required;
    };
    std::vector<Known> known;
    std::vector<Rule> extensions;
    std::optional<Rule> data;
    bool source_given = false, id_given = false;

    Status add(std::string Event::*member, std::string_view name, const std::string& text, bool required) {
        if (text.empty()) return {};
        WEIR_ASSIGN(rule, compile_rule(name, text));
        known.push_back({member, std::move(rule), required});
        return {};
    }

    Status set_known(Event& event, const cel::SimpleBindings& bindings) const {
        for (const auto& [member, rule, required] : known) {
            auto value = rule.program.evaluate(bindings);
            if (!value.ok()) return value.error().in("mapping of \"" + rule.name + "\"");
            if (value->is_null() && !required) continue;
            WEIR_ASSIGN(text, text_of(rule.name, *value));
            if (text.empty())
                return invalid("mapping of \"" + rule.name + "\": it gives an empty text" +
                               (required ? "" : "; null leaves the attribute away"));
            event.*member = std::move(text);
        }
        return {};
    }
};

JsonMapping::JsonMapping(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonMapping::~JsonMapping() = default;
JsonMapping::JsonMapping(JsonMapping&&) noexcept = default;
JsonMapping& JsonMapping::operator=(JsonMapping&&) noexcept = default;

Result<JsonMapping> JsonMapping::compile(const JsonMappingSettings& settings) {
    if (settings.type.empty())
        return invalid("mapping of \"type\": it is required; constant text is written as '\"ads.order\"'");
    auto impl = std::make_unique<Impl>();
    impl->source_given = !settings.source.empty();
    impl->id_given = !settings.id.empty();
    WEIR_TRY(impl->add(&Event::type, "type", settings.type, true));
    WEIR_TRY(impl->add(&Event::source, "source", settings.source, true));
    WEIR_TRY(impl->add(&Event::id, "id", settings.id, true));
    WEIR_TRY(impl->add(&Event::subject, "subject", settings.subject, false));
    WEIR_TRY(impl->add(&Event::time, "time", settings.time, false));
    WEIR_TRY(impl->add(&Event::dataschema, "dataschema", settings.dataschema, false));
    for (const auto& [name, text] : settings.extensions) {
        if (!valid_attribute_name(name) || reserved_name(name))
            return invalid("mapping of the extension \"" + printable(name, 64) +
                           "\": a name is made of a-z and 0-9 and is none of CloudEvents' own");
        WEIR_ASSIGN(rule, compile_rule(name, text));
        impl->extensions.push_back(std::move(rule));
    }
    if (!settings.data.empty()) {
        WEIR_ASSIGN(rule, compile_rule("data", settings.data));
        impl->data = std::move(rule);
    }
    return JsonMapping(std::move(impl));
}

Result<Event> JsonMapping::map(const Message& message, const MessagePlace& place,
                               const EventLimits& limits) const {
    Event event;
    event.data = message.body;
    if (const auto valid = make_json_compact(event.data, limits); !valid.ok())
        return valid.error().in("the body, which the mapping takes as JSON");
    event.data_kind = DataKind::Json;
    event.datacontenttype = "application/json";
    WEIR_ASSIGN(data, cel::from_json(event.data));
    const auto bindings = bind(message, place, std::move(data));
    if (!impl_->source_given) event.source = "/" + segment(place.bus) + "/" + segment(place.stream);
    if (!impl_->id_given) event.id = std::to_string(place.position);
    WEIR_TRY(impl_->set_known(event, bindings));
    for (const auto& rule : impl_->extensions) {
        auto value = rule.program.evaluate(bindings);
        if (!value.ok()) return value.error().in("mapping of \"" + rule.name + "\"");
        WEIR_TRY(set_extension(event, rule.name, *value));
    }
    if (impl_->data) {
        auto value = impl_->data->program.evaluate(bindings);
        if (!value.ok()) return value.error().in("mapping of \"data\"");
        auto json = cel::to_json(*value);
        if (!json.ok()) return json.error().in("mapping of \"data\"");
        event.data = std::move(json).value();
    }
    WEIR_TRY(check(event, limits));
    return event;
}

} // namespace weir::events
