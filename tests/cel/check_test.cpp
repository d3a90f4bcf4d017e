#include <weir/cel/program.hpp>

#include "fixture.hpp"

using namespace weir;
using namespace weir::cel;
using namespace weir::cel::testing;

namespace {

CompileOptions typed(bool refuse) {
    return {.variables = {{"event", VariableType::Event},
                          {"name", VariableType::String},
                          {"count", VariableType::Int},
                          {"slot", VariableType::Timestamp},
                          {"flag", VariableType::Bool},
                          {"any", VariableType::Dynamic}},
            .refuse_untyped_arithmetic = refuse};
}

struct Refusal {
    const char* expression;
    const char* words;
};

} // namespace

TEST_CASE("what can only fail is refused when compiled") {
    const Refusal refusals[] = {
        {"event.type + 1", "\"+\" has no form for string and int; convert with string(), int() or double()"},
        {"event.time + 5", "\"+\" has no form for google.protobuf.Timestamp and int"},
        {"event.time > '2026-01-01'", "have no order"},
        {"event.type == 1", "string and int are never equal"},
        {"event.type.nope", "event.type is of type string and has no field \"nope\""},
        {"event.Type == 'x'", "an event has no attribute \"Type\""},
        {"event.table_name == 'x'", "the payload is event.data"},
        {"event['Type'] == 'x'", "an event has no attribute"},
        {"event[0]", "a int cannot index event"},
        {"event.type[0]", "cannot be indexed"},
        {"event.type && true", "event.type is of type string, expected a bool"},
        {"!event.id", "expected a bool"},
        {"event.id ? 1 : 2", "expected a bool"},
        {"'x' in event.type", "a part of a string is found by contains()"},
        {"event.type.startsWith(1)", "startsWith() does not take int"},
        {"event.time.startsWith('a')", "startsWith() does not take google.protobuf.Timestamp"},
        {"event.type.getHours()", "getHours() does not take string"},
        {"size(count)", "size() does not take int"},
        {"[1, 2].all(i, i)", "expected a bool"},
        {"[1, 2].map(i, i + 'a')", "\"+\" has no form for int and string"},
        {"name.filter(c, true)", "expected a list or map"},
        {"unknownFn(event)", "unknown function unknownFn()"},
        {"event.type.startWith('a')", "did you mean \"startsWith\"?"},
        {"event.type.size(1)", "size() takes 0 argument(s), not 1"},
        {"contains(event.type, 'a')", "contains() is written x.contains(...)"},
        {"name.int()", "int() is written int(x)"},
        {"1 + 1u", "convert with int() or double()"},
        {"-event.type", "\"-\" has no form for string"},
        {"timestamp('2026-13-01T00:00:00Z')",
         "timestamp() cannot read \"2026-13-01T00:00:00Z\"; expected the form"},
        {"event.time < timestamp('yesterday')", "timestamp() cannot read"},
        {"duration('1d') < duration('2h')", "expected the form 1h30m"},
        {"int('x')", "int() cannot read \"x\""},
        {"event.time.getHours('Mars/X') > 1 || slot.getHours(5) > 1", "getHours() does not take int"},
        {"evnt.type == 'x'", "did you mean \"event\"?"},
        {"nothing", "known are event, name, count, slot, flag, any"},
    };
    for (const auto& r : refusals) {
        INFO(r.expression);
        const auto program = Program::compile(r.expression, typed(false));
        REQUIRE_FALSE(program.ok());
        INFO(program.error().message);
        CHECK(program.error().message.find(r.words) != std::string::npos);
        CHECK(program.error().kind == ErrorKind::Invalid);
    }
}

TEST_CASE("what may be right is let through") {
    for (const auto* text :
         {"event.traceparent == 'x'", "event.weirdepth > 3", "event.data.x + event.data.y",
          "event.subject == null", "event.time - duration('1h') < slot", "event.data + 1 > 2",
          "event['type'] == event.type", "event.data[0].x", "any ? any : any", "event.exists(k, k == 'type')",
          "dyn(1) == 'a'", "[1, 'a'].exists(i, i == 'a')", "count + 1 > 2 && flag", "name in {'a': 1}",
          "event.data.x.startsWith(any)", "1 < 2.5 && 1u == 1", "event.time.getHours(any) > 3",
          "event.data.map(r, r.x * 2).size() > 1"}) {
        const auto program = Program::compile(text, typed(false));
        INFO(text << ": " << (program.ok() ? "" : program.error().message));
        CHECK(program.ok());
    }
}

TEST_CASE("arithmetic on untyped values wants a conversion") {
    const Refusal refusals[] = {
        {"event.data.rows * 2 > 10", "write int(event.data.rows) or double(event.data.rows)"},
        {"event.data.a - event.data.b", "arithmetic on event.data.a, whose type is not known"},
        {"event.data.rows / 2", "a JSON number may be an int or a double"},
        {"10 % any", "write int(any)"},
        {"event.data.rows + 1", "write int(event.data.rows)"},
        {"1.5 + any", "write int(any)"},
        {"int(event.data.a) + event.data.b", "arithmetic on event.data.b"},
        {"event.data.list.map(i, i * 2)", "write int(i)"},
        {"flag ? event.data.x - 1 : 0", "1:21: arithmetic on event.data.x"},
    };
    for (const auto& r : refusals) {
        INFO(r.expression);
        CHECK(Program::compile(r.expression, typed(false)).ok());
        const auto program = Program::compile(r.expression, typed(true));
        REQUIRE_FALSE(program.ok());
        INFO(program.error().message);
        CHECK(program.error().message.find(r.words) != std::string::npos);
    }
    for (const auto* text :
         {"int(event.data.rows) * 2", "double(any) / 2.0", "event.data.a + event.data.b",
          "event.data.name + 'x'", "count + 1", "size(event.data.tags) - 1", "event.time - event.data.start",
          "event.time - duration('1h')", "[1, 2].map(i, i * 2)", "event.time.getHours() % 6",
          "-event.data.x > 0", "event.data.a > 5"}) {
        const auto program = Program::compile(text, typed(true));
        INFO(text << ": " << (program.ok() ? "" : program.error().message));
        CHECK(program.ok());
    }
}
