#include <nlohmann/json.hpp>

#include <date/tz.h>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cel/program.hpp>
#include <weir/cli/cli.hpp>
#include <weir/events/json_codec.hpp>
#include <weir/triggers/cron.hpp>

#include "commands.hpp"
#include "table.hpp"

namespace weir::cli {
namespace {

constexpr std::size_t data_bytes_max = 1024 * 1024;

/// A CloudEvent as the variable `event` sees it: its attributes, and its data as `event.data`.
Result<cel::Value> event_value(const std::string& text) {
    WEIR_ASSIGN(event, events::decode_json(text));
    std::vector<std::pair<std::string, cel::Value>> members;
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) members.emplace_back(name, cel::Value::string(value));
    };
    add("id", event.id);
    add("source", event.source);
    add("type", event.type);
    add("subject", event.subject);
    add("datacontenttype", event.datacontenttype);
    add("dataschema", event.dataschema);
    if (!event.time.empty()) {
        WEIR_ASSIGN(time, parse_rfc3339(event.time));
        members.emplace_back("time", cel::Value::timestamp(time));
    }
    for (const auto& extension : event.extensions) {
        members.emplace_back(extension.name, cel::Value::string(extension.value));
    }
    if (event.data_kind == events::DataKind::Json) {
        WEIR_ASSIGN(data, cel::from_json(event.data));
        members.emplace_back("data", std::move(data));
    } else if (event.data_kind == events::DataKind::Text) {
        members.emplace_back("data", cel::Value::string(event.data));
    } else if (event.data_kind == events::DataKind::Binary) {
        members.emplace_back("data", cel::Value::bytes(event.data));
    }
    return cel::Value::object(std::move(members));
}

Result<cel::Value> read_event(const std::string& path) {
    WEIR_ASSIGN(text, read_file(path, data_bytes_max));
    auto valid = validate_json(text);
    if (!valid.ok()) return valid.error().in(printable(path, 400));
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_object() && json.contains("specversion")) {
        auto event = event_value(text);
        if (!event.ok()) return event.error().in(printable(path, 400));
        return event;
    }
    WEIR_ASSIGN(data, cel::from_json(text));
    return cel::Value::object({{"data", std::move(data)}});
}

/// "2026-03-29 03:00:00 CEST".
Result<std::string> local_time(Instant instant, const std::string& timezone) {
    try {
        const auto zoned = date::make_zoned(timezone, std::chrono::floor<std::chrono::seconds>(instant));
        return date::format("%F %T %Z", zoned);
    } catch (const std::exception& failure) {
        return invalid("the time zone " + printable(timezone, 100) + ": " + failure.what());
    }
}

} // namespace

Result<int> evaluate(const Environment&, const EvalOptions& options) {
    cel::CompileOptions compile;
    cel::SimpleBindings bindings;
    if (!options.data.empty()) {
        WEIR_ASSIGN(event, read_event(options.data));
        // Typed as a trigger's `where` would have it, so that what passes here passes there.
        compile.variables.push_back({"event", cel::VariableType::Event});
        compile.refuse_untyped_arithmetic = true;
        bindings.set("event", std::move(event));
    }
    auto program = cel::Program::compile(options.expression, compile);
    if (!program.ok()) return program.error().in("expression");
    auto value = program->evaluate(bindings);
    if (!value.ok()) {
        const auto why = program->explain(bindings);
        auto error = value.error();
        if (!why.clause.empty()) error.message += "\n  in:   " + why.clause;
        if (!why.values.empty()) error.message += "\n  with: " + why.values;
        return error;
    }
    WEIR_ASSIGN(text, cel::to_json(*value));
    print(text + "\n");
    if (value->kind() == cel::Kind::Bool && !value->as_bool()) {
        const auto why = program->explain(bindings);
        if (!why.clause.empty())
            note("false because of: " + why.clause + (why.values.empty() ? "" : "; " + why.values));
    }
    return exit_done;
}

Result<int> next_slots(const Environment& environment, const ScheduleOptions& options) {
    WEIR_ASSIGN(schedule, triggers::Schedule::parse(options.cron, options.timezone));
    auto at = environment.clock.now();
    if (!options.from.empty()) {
        WEIR_ASSIGN(from, parse_rfc3339(options.from));
        at = from;
    }
    Table table({{"UTC", false}, {options.timezone, false}});
    for (int i = 0; i < options.count; ++i) {
        const auto slot = schedule.next(at);
        if (!slot) {
            note(
                "no further slot within 30 years (where clocks are moved: before 2038, where the zone data "
                "ends)");
            break;
        }
        at = *slot;
        WEIR_ASSIGN(local, local_time(at, options.timezone));
        if (options.json) {
            print(R"({"slot":)" + json_string(format_rfc3339(at)) + R"(,"local":)" + json_string(local) +
                  "}\n");
        } else {
            table.add({format_rfc3339(at), local});
        }
    }
    if (!options.json && !table.empty()) print(table.render(environment.width, true));
    return exit_done;
}

} // namespace weir::cli
