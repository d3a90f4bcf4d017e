#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/cel/program.hpp>
#include <weir/cel/value.hpp>
#include <weir/events/event.hpp>

/// What expressions see, made in the plainest way: everything parsed and copied, each time anew.
namespace weir::sim {

inline cel::Value reference_data(const events::Event& event) {
    switch (event.data_kind) {
        case events::DataKind::Json: {
            auto value = cel::from_json(event.data);
            return value.ok() ? std::move(value).value() : cel::Value::null();
        }
        case events::DataKind::Text: return cel::Value::string(event.data);
        case events::DataKind::Binary: return cel::Value::bytes(event.data);
        case events::DataKind::None: break;
    }
    return cel::Value::null();
}

inline cel::Value reference_time(const std::string& text) {
    const auto read = parse_rfc3339(text);
    return read.ok() ? cel::Value::timestamp(read.value()) : cel::Value::string(text);
}

inline cel::Value reference_event(const events::Event& event) {
    std::vector<std::pair<std::string, cel::Value>> members;
    const auto text = [&](const char* name, const std::string& value) {
        if (!value.empty()) members.emplace_back(name, cel::Value::string(value));
    };
    text("id", event.id);
    text("source", event.source);
    text("type", event.type);
    text("subject", event.subject);
    text("datacontenttype", event.datacontenttype);
    text("dataschema", event.dataschema);
    if (!event.time.empty()) members.emplace_back("time", reference_time(event.time));
    for (const auto& extension : event.extensions) {
        switch (extension.type) {
            case events::AttributeType::Boolean:
                members.emplace_back(extension.name, cel::Value::boolean(extension.value == "true"));
                break;
            case events::AttributeType::Integer:
                members.emplace_back(extension.name, cel::Value::integer(std::stoll(extension.value)));
                break;
            default: members.emplace_back(extension.name, cel::Value::string(extension.value));
        }
    }
    members.emplace_back("specversion", cel::Value::string("1.0"));
    members.emplace_back("data", reference_data(event));
    return cel::Value::object(std::move(members));
}

/// The member of a map as text; empty if it is not there or no text.
inline std::string reference_text(const cel::Value& map, std::string_view name) {
    if (map.kind() != cel::Kind::Map) return {};
    const auto* member = map.find(name);
    return member != nullptr && member->is_string() ? std::string(member->as_string()) : std::string();
}

/// A map with one member set.
inline cel::Value reference_with(const cel::Value& map, const std::string& name, cel::Value value) {
    std::vector<cel::Value::Entry> entries;
    if (map.kind() == cel::Kind::Map) {
        for (const auto& entry : map.as_map()) {
            if (!(entry.first.is_string() && entry.first.as_string() == name)) entries.push_back(entry);
        }
    }
    entries.emplace_back(cel::Value::string(name), std::move(value));
    return cel::Value::map(std::move(entries));
}

/// The settled run of a finish event: its data, and `id`.
inline cel::Value reference_run(const events::Event& event) {
    const auto data = reference_data(event);
    if (data.kind() != cel::Kind::Map || data.as_map().empty()) return cel::Value::null();
    const auto* run = data.find(std::string_view("run"));
    return run == nullptr ? data : reference_with(data, "id", *run);
}

/// A slot: the event with `slot` and `previous_slot` as timestamps, at the top and in its data.
inline cel::Value reference_slot(const events::Event& event) {
    auto data = reference_data(event);
    auto value = reference_event(event);
    for (const std::string name : {"slot", "previous_slot"}) {
        const auto text = reference_text(data, name);
        const auto read = parse_rfc3339(text);
        const auto time = read.ok() ? cel::Value::timestamp(read.value()) : cel::Value::null();
        data = reference_with(data, name, time);
        value = reference_with(value, name, time);
    }
    return reference_with(value, "data", data);
}

/// `*` is any run of characters.
inline bool reference_glob(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() == '*') {
        for (std::size_t i = 0; i <= text.size(); ++i) {
            if (reference_glob(pattern.substr(1), text.substr(i))) return true;
        }
        return false;
    }
    return !text.empty() && pattern.front() == text.front() &&
           reference_glob(pattern.substr(1), text.substr(1));
}

/// Compiles and evaluates, each time anew.
inline Result<cel::Value> reference_evaluate(const std::string& text, const cel::Bindings& bindings) {
    cel::CompileOptions options;
    options.any_variable = true;
    WEIR_ASSIGN(program, cel::Program::compile(text, options));
    return program.evaluate(bindings);
}

} // namespace weir::sim
