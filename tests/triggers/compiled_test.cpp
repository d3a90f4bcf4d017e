#include <weir/triggers/compiled.hpp>

#include <string>

#include "build.hpp"

using namespace weir;
using namespace weir::triggers;
using namespace weir::test;

namespace {

std::string shown(const cel::Value& value) {
    const auto json = cel::to_json(value);
    return json.ok() ? *json : json.error().message;
}

std::string problems_of(std::string_view text) {
    std::string out;
    for (const auto& problem : check(trigger_of(text)))
        out += problem.to_string() + "\n";
    return out;
}

void says(const std::string& all, std::string_view part) {
    INFO(all << "\nshould say\n" << part);
    CHECK(all.find(part) != std::string::npos);
}

/// The arguments of a firing in which each leaf has the event of its place.
std::string arguments_of(const CompiledTrigger& compiled, std::vector<events::Event> events,
                         std::size_t completing = 0) {
    std::vector<EventView> views;
    for (const auto& event : events)
        views.emplace_back(event);
    std::vector<Used> used;
    for (std::size_t i = 0; i < views.size(); ++i)
        used.push_back({static_cast<int>(i), &views[i]});
    const auto arguments = compiled.arguments(used, views[completing]);
    if (!arguments.ok()) return arguments.error().message;
    std::string out;
    for (const auto& argument : *arguments)
        out += argument.name + "=" + shown(argument.value) + " ";
    return out;
}

} // namespace

TEST_CASE("an event as a CEL value") {
    auto event = event_of("data.ready", R"({"a":1,"b":[true,null,2.5]})", "s");
    event.time = "2026-01-02T03:04:05Z";
    event.set_extension("count", "7", events::AttributeType::Integer);
    event.set_extension("flag", "true", events::AttributeType::Boolean);
    event.set_extension("note", "x");
    CHECK(shown(event_value(event)) ==
          R"({"data":{"a":1,"b":[true,null,2.5]},"type":"data.ready","subject":"s","source":"/s","id":"1",)"
          R"("time":"2026-01-02T03:04:05Z","specversion":"1.0","count":7,"flag":true,"note":"x"})");
    CHECK(event_value(event).find("time")->kind() == cel::Kind::Timestamp);
    event.data_kind = events::DataKind::Text;
    CHECK(event_value(event).find("data")->is_string());
    event.data_kind = events::DataKind::Binary;
    CHECK(event_value(event).find("data")->kind() == cel::Kind::Bytes);
    event.data_kind = events::DataKind::None;
    CHECK(event_value(event).find("data")->is_null());
    CHECK(event_value(event).find("dataschema") == nullptr);
    EventView view(event);
    CHECK(&view.value() == &view.value());
}

namespace {

std::string miss_of(const CompiledTrigger& compiled, const events::Event& event) {
    EventView view(event);
    const auto text = compiled.pattern_miss(0, view);
    CHECK(text.empty() == compiled.pattern_meets(0, view));
    return text;
}

} // namespace

TEST_CASE("patterns: globs on type, source and subject; flow, team and outcome of a settlement") {
    const auto compiled = compiled_of(with_when("{event: 'data.*', source: '/lake/*', subject: orders}"));
    const auto miss = [&](const events::Event& event) { return miss_of(*compiled, event); };
    CHECK(miss(event_of("data.ready", "{}", "orders", "/lake/x")).empty());
    CHECK(miss(event_of("file", "{}", "orders", "/lake/x")) == "type is \"file\", expected data.*");
    CHECK(miss(event_of("data.", "{}", "orders", "/sea/x")) == "source is \"/sea/x\", expected /lake/*");
    CHECK(miss(event_of("data.", "", "", "/lake/")) == "subject is \"\", expected orders");

    const auto finish = compiled_of(with_when("{finish: 'train*', outcome: [failed, lost]}"));
    const auto settled = [&](const std::string& json) {
        const auto event = event_of(std::string(finish_type), json);
        EventView view(event, Origin::Settled);
        return finish->pattern_miss(0, view);
    };
    CHECK(settled(R"({"flow":"train-2","team":"home","outcome":"lost"})").empty());
    CHECK(settled(R"({"flow":"score","team":"home","outcome":"lost"})") ==
          "flow is \"score\", expected train*");
    CHECK(settled(R"({"flow":"train","team":"ads","outcome":"lost"})") == "team is \"ads\", expected home");
    CHECK(settled(R"({"flow":"train","team":"home","outcome":"succeeded"})") ==
          "outcome is \"succeeded\", expected failed or lost");
    CHECK(settled("[1]") == "team is \"\", expected home");
    // Anybody can send an event of that type: it tells of no run of ours.
    const auto forged =
        event_of(std::string(finish_type), R"({"flow":"train-2","team":"home","outcome":"lost"})", "s", "/x");
    CHECK(miss_of(*finish, forged) ==
          "it came from outside (source \"/x\"), and `finish` waits for runs of "
          "this weir; `event: weir.run.finished` would see it");

    const auto schedule = compiled_of(with_when("{schedule: '0 6 * * *'}"));
    const auto slot = slot_event("home", "t", "schedule", *parse_rfc3339("2026-01-01T06:00:00Z"), {});
    EventView view(slot);
    CHECK_FALSE(schedule->pattern_meets(0, view));
    CHECK(schedule->pattern_miss(0, view) == "it waits for slots of the schedule 0 6 * * *");
}

TEST_CASE("integers that 64 bits do not hold are doubles to a condition") {
    const auto meets = [](const std::string& where, const std::string& json) {
        const auto compiled = compiled_of(with_when("{event: e, where: '" + where + "'}"));
        const auto event = event_of("e", json);
        EventView view(event);
        const auto result = compiled->where(0, view);
        CHECK(event.data == json);
        return result.ok() && *result;
    };
    CHECK(meets("type(event.data.n) == double", R"({"n":123456789012345678901234567890})"));
    CHECK(meets("event.data.n > 1e29 && event.data.n < 2e29", R"({"n":123456789012345678901234567890})"));
    CHECK(
        meets("event.data.n < -1e29 && event.data.m == 1", R"({"n":-123456789012345678901234567890,"m":1})"));
    CHECK(meets("type(event.data.n) == double", R"({"n":9223372036854775808})"));
    CHECK(meets("type(event.data.n) == double", R"({"n":18446744073709551616})"));
    CHECK(meets("type(event.data.n) == int", R"({"n":-9223372036854775808})"));
    CHECK(meets("event.data.a == \"x\"", R"({"a":"x","n":18446744073709551616})"));
    CHECK_FALSE(meets("event.data.n == 1", R"({"n":123456789012345678901234567890})"));
}

TEST_CASE("where: true, false, error; and why") {
    const auto compiled =
        compiled_of(with_when("{event: e, where: 'event.data.a == 1 && event.data.b > 2'}"));
    const auto good = event_of("e", R"({"a":1,"b":3})"), bad = event_of("e", R"({"a":1,"b":2})"),
               none = event_of("e", "{}");
    EventView good_view(good), bad_view(bad), none_view(none);
    CHECK(*compiled->where(0, good_view));
    CHECK_FALSE(*compiled->where(0, bad_view));
    CHECK_FALSE(compiled->where(0, none_view).ok());
    CHECK(compiled->where_holds(0, good_view));
    CHECK_FALSE(compiled->where_holds(0, none_view));
    CHECK(compiled->explain_where(0, bad_view).clause == "event.data.b > 2");
    CHECK(compiled->explain_where(0, bad_view).values == "event.data.b = 2");
    CHECK(*compiled_of(with_when("{event: e}"))->where(0, none_view));
    CHECK(compiled->necessary(0).alternatives.size() == 1);
    // A leaf's own name and `run` mean its event.
    const auto finish = compiled_of(
        with_when("{all: {built: {finish: f, where: 'run.id == \"r1\" && built.data.flow == run.flow'}}}"));
    const auto settled =
        event_of(std::string(finish_type), R"({"run":"r1","flow":"f","team":"home","outcome":"succeeded"})");
    EventView settled_view(settled, Origin::Settled);
    CHECK(*finish->where(0, settled_view));
}

TEST_CASE("keys are canonical texts; null, missing and failing ones are errors") {
    const auto compiled =
        compiled_of(with_when("{all: {a: {event: e}, b: {event: f, keep: true}}, key: 'event.data.k'}"));
    CHECK(compiled->has_key(0));
    CHECK_FALSE(compiled->has_key(1));
    const auto key = [&](const std::string& json) {
        const auto event = event_of("e", json);
        EventView view(event);
        const auto text = compiled->key(0, view);
        return text.ok() ? *text : "error " + text.error().message;
    };
    CHECK(key(R"({"k":1})") == key(R"({"k":1.0})"));
    CHECK(key(R"({"k":1})") != key(R"({"k":"1"})"));
    CHECK(key(R"({"k":[1,{"a":2}]})") == key(R"({"k":[1.0,{"a":2}]})"));
    says(key(R"({"k":null})"), "error key of a: ");
    says(key("{}"), "error key of a: ");
    const auto number = compiled_of(with_when("{all: {a: {event: e}}, key: 'int(event.data.k)'}"));
    const auto event = event_of("e", R"({"k":"x"})");
    EventView view(event);
    says(number->key(0, view).error().message, "key of a: ");
}

TEST_CASE("launch parameters: expressions over leaves, event and run; constants as they stand") {
    const auto compiled = compiled_of(R"(trigger: t
when:
  all:
    a: {event: e}
    b: {finish: g, keep: true}
launch:
  flow: f
  parameters:
    sum: 'int(a.data.n) + int(b.data.n)'
    last: 'event.type'
    run: 'run.id + "/" + run.outcome'
    out: 'run.outputs.model'
    text: {value: 'a.data.n'}
    list: [1, 'x', {a: null}]
    flag: true
)");
    const std::vector<events::Event> events{
        event_of("e", R"({"n":2})"),
        event_of(
            std::string(finish_type),
            R"({"run":"r7","flow":"g","team":"home","outcome":"succeeded","n":3,"outputs":{"model":"m"}})")};
    CHECK(arguments_of(*compiled, events, 0) ==
          "sum=5 last=\"e\" run=\"r7/succeeded\" out=\"m\" text=\"a.data.n\" list=[1,\"x\",{\"a\":null}] "
          "flag=true ");
    says(arguments_of(*compiled, events, 1), "last=\"weir.run.finished\"");
    says(arguments_of(*compiled, {event_of("e", "{}"), events[1]}), "parameter sum: ");
}

TEST_CASE("a schedule leaf offers slot and previous_slot as timestamps") {
    const auto compiled = compiled_of(R"(trigger: t
when: {schedule: '0 6 * * *', where: 'event.slot > timestamp("2026-01-01T00:00:00Z")'}
launch:
  flow: f
  parameters:
    slot: 'schedule.slot'
    same: 'event.data.slot == schedule.slot && event.slot == schedule.data.slot'
    year: 'schedule.previous_slot.getFullYear()'
    day: 'timestamp(schedule.slot) - duration("24h")'
)");
    const auto slot = slot_event("home", "t", "schedule", *parse_rfc3339("2026-01-02T06:00:00Z"),
                                 parse_rfc3339("2025-12-31T06:00:00Z").value());
    EventView view(slot);
    CHECK(*compiled->where(0, view));
    CHECK(arguments_of(*compiled, {slot}) ==
          "slot=\"2026-01-02T06:00:00Z\" same=true year=2025 day=\"2026-01-01T06:00:00Z\" ");
    CHECK(events::check(slot).ok());
    CHECK(slot.source == "/weir/schedules/home/t");
    const auto first = slot_event("home", "t", "s", *parse_rfc3339("2026-01-02T06:00:00Z"), {});
    EventView first_view(first);
    CHECK(first_view.slot().find("previous_slot")->is_null());
}

TEST_CASE("wrong expressions are problems at their place in the file") {
    CHECK(problems_of(with_when("{event: e, where: 'event.data.a == 1'}")).empty());
    says(problems_of(with_when("{event: e, where: 'event.data.a = 1'}")), "t:3:39: when.where: ");
    says(problems_of(with_when("{event: e, where: 'evnt.data.a == 1'}")),
         "t:3:26: when.where: unknown name \"evnt\"; did you mean \"event\"?");
    says(problems_of(with_when("{event: e, where: 'event.data.a * 2 == 4'}")), "when.where: ");
    says(problems_of(with_when("{event: e, where: 'run.id == \"x\"'}")), "unknown name \"run\"");
    says(problems_of(with_when("{event: e, where: 'event.typo_ == \"x\"'}")), "typo_");
    says(problems_of(with_when("{all: {a: {event: e, where: 'b.data.x == 1'}, b: {event: e}}}")),
         "when.all.a.where: unknown name \"b\"");
    const auto keys = problems_of(with_when("{all: {a: {event: e}, b: {event: e}}, key: 'event.data.'}"));
    says(keys, "when.key of a: ");
    CHECK(keys.find("when.key of b") == std::string::npos);
    says(problems_of("trigger: t\nwhen: {event: e}\nlaunch:\n  flow: f\n  parameters:\n    a: 'orders.x'\n   "
                     " b: |\n      1 +\n      )\n"),
         "t:6:9: launch.parameters.a: unknown name \"orders\"");
    says(problems_of("trigger: t\nwhen: {event: e}\nlaunch:\n  flow: f\n  parameters:\n    b: |\n      1 +\n "
                     "     )\n"),
         "t:8:7: launch.parameters.b: ");
    // With two finish leaves `run` would be either.
    says(problems_of("trigger: t\nwhen: {all: {a: {finish: x}, b: {finish: y}}}\nlaunch: {flow: f, "
                     "parameters: {p: 'run.id'}}\n"),
         "unknown name \"run\"");
    says(problems_of(with_when("{event: e, where: '" + std::string(20'000, '(') + "'}")), "when.where: ");
}

TEST_CASE("a stored trigger compiles when first used, and a broken one says so then") {
    auto trigger = trigger_of(with_when("{event: e, where: 'event.data.a == 1'}"));
    const auto event = event_of("e", R"({"a":1})");
    EventView view(event);
    CHECK(*CompiledTrigger::stored(trigger)->where(0, view));
    trigger.when.leaves[0].where->text = "1 +";
    const auto broken = CompiledTrigger::stored(trigger);
    CHECK_FALSE(broken->where(0, view).ok());
    CHECK_FALSE(broken->where_holds(0, view));
    CHECK(broken->necessary(0).alternatives.empty());
    CHECK_FALSE(broken->explain_where(0, view).error.empty());
}
