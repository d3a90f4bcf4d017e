#include <weir/cel/program.hpp>

#include <cmath>

#include "fixture.hpp"

using namespace weir;
using namespace weir::cel;
using namespace weir::cel::testing;

namespace {

struct Case {
    const char* expression;
    const char* expected; ///< as show() writes it; "error" stands for any error
};

const Case cases[] = {
    // Literals.
    {"null", "null_type null"},
    {"true", "bool true"},
    {"42", "int 42"},
    {"-9223372036854775808", "int -9223372036854775808"},
    {"0x1F", "int 31"},
    {"-0x10", "int -16"},
    {"7u", "uint 7"},
    {"0xFFFFFFFFFFFFFFFFu", "uint 18446744073709551615"},
    {"1.5e3", "double 1500"},
    {".5", "double 0.5"},
    {"1e-400", "double 0"},
    {"'a\\tb'", "string \"a\\tb\""},
    {"\"\\u00fc\\x41\\101\\U0001F30A\"",
     "string \"\xc3\xbc"
     "AA\xf0\x9f\x8c\x8a\""},
    {"r'\\d+'", "string \"\\\\d+\""},
    {"'''a'b\n\"c'''", "string \"a'b\\n\\\"c\""},
    {"\"\"\"x\r\ny\"\"\"", "string \"x\\ny\""},
    {"b'\\xff\\000a'", "bytes \"/wBh\""},
    {"bytes('\\377') == b'\\377'", "bool false"},
    {"br'\\n' == b'\\\\n'", "bool true"},
    {"[1, 2,]", "list [1,2]"},
    {"{'a': 1, 'b': [2],}", "map {\"a\":1,\"b\":[2]}"},
    {"{'a': 1, 'a': 2}", "map {\"a\":2}"},
    {"[]", "list []"},
    {"[,]", "list []"},
    {"1 // a comment", "int 1"},
    // Precedence and grouping.
    {"1 + 2 * 3", "int 7"},
    {"(1 + 2) * 3", "int 9"},
    {"10 - 3 - 2", "int 5"},
    {"-2 * -3", "int 6"},
    {"--5", "int 5"},
    {"!!true", "bool true"},
    {"!false && false", "bool false"},
    {"true || false && false", "bool true"},
    {"1 < 2 == true", "bool true"},
    {"true ? 1 : true ? 2 : 3", "int 1"},
    {"false ? 1 : false ? 2 : 3", "int 3"},
    {"1 + 1 == 2 ? 'y' : 'n'", "string \"y\""},
    {"7 % 4 + 1", "int 4"},
    // Arithmetic.
    {"5 / 2", "int 2"},
    {"-5 / 2", "int -2"},
    {"-5 % 3", "int -2"},
    {"5u / 2u", "uint 2"},
    {"5.0 / 2.0", "double 2.5"},
    {"1.0 / 0.0 > 1e308", "bool true"},
    {"x / 0", "error: 1:3: division by zero: x / 0"},
    {"x % 0", "error: 1:3: modulus by zero: x % 0"},
    {"9223372036854775807 + x", "error: 1:21: the result is out of range: 9223372036854775807 + x"},
    {"-9223372036854775807 - 2 * x", "error"},
    {"5000000000 * 1000000000 * x", "error"},
    {"(-9223372036854775807 - 1 + 0 * x) / -1", "error"},
    {"0u - uint(x)", "error"},
    {"-(x - 7 - 9223372036854775807 - 1)", "error"},
    {"x + 1.0", "error"},
    {"x + 1u", "error"},
    {"'a' + 'b' + string(x)", "string \"ab7\""},
    {"b'a' + b'b'", "bytes \"YWI=\""},
    {"[1] + [2, 3]", "list [1,2,3]"},
    {"47.5 % dyn(5.5)", "error"},
    // Comparison across kinds.
    {"1 == 1.0", "bool true"},
    {"1u == 1", "bool true"},
    {"dyn(1) == '1'", "bool false"},
    {"dyn(1) != 'a'", "bool true"},
    {"null == null", "bool true"},
    {"event.data.owner == null", "bool true"},
    {"0.0 / 0.0 == 0.0 / 0.0", "bool false"},
    {"0.0 / 0.0 < dyn(1.0)", "error"},
    {"-1 < 1u", "bool true"},
    {"18446744073709551615u > 9223372036854775807", "bool true"},
    {"1 < 1.5", "bool true"},
    {"'a' < 'b'", "bool true"},
    {"'Z' < 'a'", "bool true"},
    {"b'a' < b'b'", "bool true"},
    {"false < true", "bool true"},
    {"event.data.table < 5", "error"},
    {"[1, [2.0]] == [1.0, [2u]]", "bool true"},
    {"{'a': 1, 'b': 2} == {'b': 2.0, 'a': 1u}", "bool true"},
    {"{1: 'x'} == {1u: 'x'}", "bool true"},
    {"type(1) == int && type(1) != uint", "bool true"},
    {"type(event.time) == google.protobuf.Timestamp", "bool true"},
    {"type(type(1))", "type type"},
    // Absorption.
    {"event.data.nope || true", "bool true"},
    {"true || event.data.nope", "bool true"},
    {"event.data.nope && false", "bool false"},
    {"event.data.nope == 1 && x == 7", "error: 1:12: no such key: \"nope\" in event.data"},
    {"event.data.nope || false", "error"},
    {"event.data.rows || true", "bool true"},
    {"event.data.rows && true", "error"},
    {"!event.data.nope", "error"},
    {"event.data.nope ? 1 : 1", "error"},
    {"event.data.rows ? 1 : 2", "error"},
    {"event.data.ok ? 1 : event.data.nope", "int 1"},
    // Fields, has, index.
    {"event.data.table", "string \"orders\""},
    {"event['data']['table']", "string \"orders\""},
    {"event.data['a-b']", "int 7"},
    {"event.data.`a-b`", "int 7"},
    {"event.data.nested.a.b", "string \"deep\""},
    {"event.data.table.x", "error: 1:18: no such key: \"x\"; event.data.table is of type string, not a map"},
    {"has(event.data.rows)", "bool true"},
    {"has(event.data.nope)", "bool false"},
    {"has(event.data.owner)", "bool true"},
    {"has(event.data.owner.name)", "error"},
    {"has(event.data.nope.name)", "error"},
    {"has(event.data.`a-b`)", "bool true"},
    {"event.data.tags[0]", "string \"daily\""},
    {"event.data.tags[2u]", "string \"gold\""},
    {"event.data.tags[dyn(1.0)]", "string \"pii\""},
    {"event.data.tags[3]", "error: 1:16: index out of range: 3 in event.data.tags[3]"},
    {"event.data.tags[-1]", "error"},
    {"event.data.tags['a']", "error"},
    {"event.data.tags[dyn(0.5)]", "error"},
    {"{1: 'a', true: 'b', 2u: 'c'}[true]", "string \"b\""},
    {"{1: 'a', 2u: 'c'}[2]", "string \"c\""},
    {"{1: 'a'}[dyn(1.0)]", "string \"a\""},
    {"{dyn(null): 1}", "error"},
    {"{dyn(1.5): 1}", "error"},
    // in
    {"'pii' in event.data.tags", "bool true"},
    {"event.data.table in ['a', 'orders']", "bool true"},
    {"'rows' in event.data", "bool true"},
    {"'nope' in event.data", "bool false"},
    {"1.0 in [3, 1]", "bool true"},
    {"null in [1, null]", "bool true"},
    {"[1] in [[1.0]]", "bool true"},
    {"dyn('a') in dyn('abc')", "error"},
    {"b'a' in {'a': 1}", "bool false"},
    // Macros.
    {"event.data.tags.all(t, t.size() > 2)", "bool true"},
    {"event.data.tags.exists(t, t == 'pii')", "bool true"},
    {"event.data.tags.exists_one(t, t.startsWith('p'))", "bool true"},
    {"[1, 1].exists_one(i, i == 1)", "bool false"},
    {"[1, 2, 3].filter(i, i > 1)", "list [2,3]"},
    {"[1, 2, 3].map(i, i * 2)", "list [2,4,6]"},
    {"[1, 2, 3].map(i, i > 1, i * 2)", "list [4,6]"},
    {"event.data.metrics.map(k, k)", "list [\"auc\",\"f1\"]"},
    {"event.data.metrics.all(k, event.data.metrics[k] > 0)", "bool true"},
    {"event.data.matrix.map(row, row.map(i, i + row.size()))", "list [[3,4],[4]]"},
    {"[1, 2].map(x, [3, 4].map(y, x * y))", "list [[3,4],[6,8]]"},
    {"[1, 2].map(x, x) + [x]", "list [1,2,7]"},
    {"[1].map(x, .x)", "list [7]"},
    {"[[1], [2]].exists(x, x.exists(x, x == 2))", "bool true"},
    {"[].all(i, false)", "bool true"},
    {"[].exists(i, true)", "bool false"},
    {"[1, 2, 0].exists(i, 10 / i == 5)", "bool true"},
    {"[0, 1].exists(i, 10 / i == 7)", "error"},
    {"[1, 2, 0].all(i, 10 / i > 100)", "bool false"},
    {"[0, 1].all(i, 10 / i > 1)", "error"},
    {"[1, 0].exists_one(i, 10 / i == 10)", "error"},
    {"[1, 0].map(i, 10 / i)", "error"},
    {"event.data.table.all(c, true)", "error"},
    {"event.data.files.filter(f, f.size > 0).map(f, f.name)", "list [\"a\"]"},
    {"event.data.files.map(f, f.owner)", "error"},
    // Strings.
    {"size('caf\u00e9')", "int 4"},
    {"'caf\u00e9'.size()", "int 4"},
    {"size(b'abc') + size([1]) + size({'a': 1})", "int 5"},
    {"size(1.5 < 2.0 ? dyn(1) : dyn('a'))", "error"},
    {"'hello'.contains('ell') && ''.contains('')", "bool true"},
    {"'hello'.startsWith('he') && 'hello'.endsWith('lo')", "bool true"},
    {"'hello'.matches('^h.*o$') && matches('abc', 'b')", "bool true"},
    {"'hello'.matches('^e')", "bool false"},
    {"'z\u00fcrich'.matches('(?i)Z\u00dcRICH')", "bool true"},
    {"'a'.matches('(' + 'b' + string(x))", "error"},
    {"event.data.rows.startsWith('1')", "error"},
    // Conversions.
    {"int('42') + int(3.9) + int(-3.9) + int(2u)", "int 44"},
    {"int('0x10')", "error"},
    {"int(' 1')", "error"},
    {"int('')", "error"},
    {"int('+5')", "int 5"},
    {"int('+-5')", "error"},
    {"int(1e99)", "error"},
    {"int(18446744073709551615u)", "error"},
    {"int(event.data.text) + 1", "int 13"},
    {"uint(3.7)", "uint 3"},
    {"uint(-1)", "error"},
    {"uint('5')", "uint 5"},
    {"double('1.5') + double(1) + double(1u)", "double 3.5"},
    {"double('x')", "error"},
    {"double('1e999')", "error"},
    {"string(1.0) + string(0.1) + string(1e6) + string(-5) + string(true)", "string \"10.11e+06-5true\""},
    {"string(b'caf\\303\\251')", "string \"caf\xc3\xa9\""},
    {"string(b'\\xff')", "error"},
    {"bool('true') && !bool('0')", "bool true"},
    {"bool('yes')", "error"},
    {"string(timestamp('2026-03-01T06:30:00.25Z'))", "string \"2026-03-01T06:30:00.25Z\""},
    {"string(duration('1h30m0.5s'))", "string \"5400.5s\""},
    // Time.
    {"timestamp('2026-03-01T06:30:00+02:00') == timestamp('2026-03-01T04:30:00Z')", "bool true"},
    {"timestamp('2026-02-30T00:00:00Z')", "error"},
    {"timestamp('2026-03-01 06:30:00Z')", "error"},
    {"timestamp('0000-12-31T23:59:59Z')", "error"},
    {"timestamp(0)", "google.protobuf.Timestamp \"1970-01-01T00:00:00Z\""},
    {"timestamp(253402300800)", "error"},
    {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "error"},
    {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", "error"},
    {"timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')", "error"},
    {"event.time + duration('30s')", "google.protobuf.Timestamp \"2026-03-01T00:46:01.25Z\""},
    {"event.time - timestamp('2026-03-01T00:00:00Z')", "google.protobuf.Duration \"2731.25s\""},
    {"duration('1.5h') == duration('90m') && duration('-1s') < duration('0')", "bool true"},
    {"duration('1d')", "error"},
    {"duration('')", "error"},
    {"duration('300000000000h')", "error"},
    {"duration('100ms') + duration('1us') + duration('1ns')", "google.protobuf.Duration \"0.100001001s\""},
    {"duration('90m').getHours() + duration('90m').getMinutes()", "int 91"},
    {"duration('1.5s').getMilliseconds()", "int 1500"},
    {"event.time.getFullYear()", "int 2026"},
    {"event.time.getMonth() + event.time.getDate() + event.time.getDayOfMonth()", "int 3"},
    {"event.time.getDayOfYear() + event.time.getDayOfWeek()", "int 59"},
    {"event.time.getHours('Europe/Zurich')", "int 1"},
    {"event.time.getHours('America/New_York')", "int 19"},
    {"event.time.getHours('US/Central')", "int 18"},
    {"event.time.getDate('-01:00')", "int 28"},
    {"event.time.getMinutes('05:45')", "int 30"},
    {"event.time.getMilliseconds()", "int 250"},
    {"event.time.getHours('Mars/Olympus')", "error"},
    {"event.time.getHours('../etc/passwd')", "error"},
    {"event.time.getHours('25:00')", "error"},
    {"event.data.at.getHours()", "error"},
    {"event.time + 5", "error"},
    // Names.
    {"int", "type int"},
    {"dyn(x) == 7", "bool true"},
    {"evnt.data", "error: 1:1: unknown name \"evnt\"; did you mean \"event\"?"},
};

} // namespace

TEST_CASE("expressions come to what the language definition says") {
    for (const auto& c : cases) {
        INFO(c.expression);
        const auto got = show(evaluate(c.expression, options()));
        if (std::string_view(c.expected) == "error") {
            INFO(got);
            CHECK(got.starts_with("error: "));
        } else {
            CHECK(got == c.expected);
        }
    }
    CHECK(std::size(cases) >= 150);
}

TEST_CASE("without checks the same expressions come to the same") {
    auto lenient = options();
    lenient.check = false;
    for (const auto& c : cases) {
        INFO(c.expression);
        const auto got = show(evaluate(c.expression, lenient));
        if (std::string_view(c.expected).starts_with("error"))
            CHECK(got.starts_with("error: "));
        else
            CHECK(got == c.expected);
    }
}

TEST_CASE("malformed expressions are refused with the place and what was expected") {
    const Case malformed[] = {
        {"", "1:1: the expression is empty"},
        {"  // nothing", "1:1: the expression is empty"},
        {"event.type = 'x'", "1:12: unexpected \"=\"; equality is written \"==\""},
        {"true and false", "\"and\" is written \"&&\""},
        {"true or false", "\"or\" is written \"||\""},
        {"not true", "\"not\" is written \"!\""},
        {"a & b", "\"and\" is written \"&&\""},
        {"a | b", "\"or\" is written \"||\""},
        {"event..type", "1:7: unexpected \".\", expected a field name"},
        {"event.", "the expression ends here, expected a field name"},
        {"(1 + 2", "the expression ends here, expected \")\""},
        {"1 +", "the expression ends here"},
        {"[1, 2", "expected \",\" or \"]\""},
        {"{'a' 1}", "expected \":\""},
        {"f(1,)", "expected an argument"},
        {"true ? 1", "expected \":\""},
        {"true ? false ? 1 : 2 : 3", "expected \":\""},
        {"1 2", "unexpected \"2\", expected an operator or the end"},
        {"'abc", "1:1: the string has no closing quote"},
        {"'a\nb'", "1:3: a line break inside a string"},
        {"'\\q'", "unknown escape"},
        {"'\\u12'", "4 hexadecimal digits"},
        {"'\\ud800'", "no Unicode character"},
        {"'\\400'", "unknown escape"},
        {"b'\\u0041'", "not for bytes"},
        {"for", "\"for\" is a reserved word"},
        {"event.in", "unexpected \"in\""},
        {"9223372036854775808", "does not fit into 64 bits"},
        {"18446744073709551616u", "does not fit into 64 bits"},
        {"1e999", "too large for a double"},
        {"-7u + 1", "\"-\" has no form for uint"},
        {"event.data.\u043a", "1:12: unexpected character"},
        {"[1].exists(1, true)", "expected the name of a variable: exists(name, condition)"},
        {"[1].all(x)", "expected \",\": all(name, condition)"},
        {"[1].all(i, v, true)", "macros with two variables are not built"},
        {"has(event)", "has() asks for a field"},
        {"has(event['x'])", "has() asks for a field"},
        {"Account{user: 1}", "message construction is not supported"},
        {"google.type.Date{}", "message construction is not supported"},
        {"event.?data", "optional selection (.?) is not built"},
        {"event[?'a']", "optional indexing ([?]) is not built"},
        {"[?x]", "optional elements (?) are not built"},
        {"{?'a': x}", "optional entries (?) are not built"},
        {"\xff", "not valid UTF-8"},
        {"#", "unexpected character \"#\""},
        {"x\n  + * 2", "2:5: unexpected \"*\""},
    };
    for (const auto& c : malformed) {
        INFO(c.expression);
        const auto program = Program::compile(c.expression, options());
        REQUIRE_FALSE(program.ok());
        INFO(program.error().message);
        CHECK(program.error().kind == ErrorKind::Invalid);
        CHECK(program.error().message.find(c.expected) != std::string::npos);
    }
}

TEST_CASE("dotted variables win over fields, the longest first") {
    CompileOptions how{.variables = {{"a.b", VariableType::Dynamic}, {"a", VariableType::Dynamic}}};
    SimpleBindings all;
    all.set("a.b", Value::object({{"c", Value::string("dotted")}}));
    all.set("a",
            Value::object({{"b", Value::object({{"c", Value::string("field")}})}, {"x", Value::integer(1)}}));
    const auto program = Program::compile("a.b.c + string(a.x)", how);
    REQUIRE(program.ok());
    CHECK(show(program->evaluate(all)) == "string \"dotted1\"");
    CHECK(program->variables() == std::vector<std::string>{"a.b", "a"});
    // The variable of a macro hides both.
    const auto hidden = Program::compile("[{'b': {'c': 'item'}}].map(a, a.b.c)[0]", how);
    REQUIRE(hidden.ok());
    CHECK(show(hidden->evaluate(all)) == "string \"item\"");
}

TEST_CASE("conditions of pipelines: any variable, parseJson") {
    CompileOptions how{.any_variable = true, .parse_json = true};
    SimpleBindings all;
    all.set("inputs",
            Value::object({{"parameter_values", Value::object({{"n", Value::integer(3)},
                                                               {"mode", Value::string("heads")},
                                                               {"doc", Value::string("{\"a\":[1,2]}")}})}}));
    const auto result = [&](const char* text) {
        const auto program = Program::compile(text, how);
        return program.ok() ? show(program->evaluate(all)) : "refused: " + program.error().message;
    };
    CHECK(result("inputs.parameter_values['mode'] == 'heads'") == "bool true");
    CHECK(result("!(inputs.parameter_values['mode'] == 'heads') || int(inputs.parameter_values['n']) > 5") ==
          "bool false");
    CHECK(result("parseJson(inputs.parameter_values['doc']).a[1]") == "int 2");
    CHECK(result("parseJson('{')").starts_with("refused: 1:1: parseJson(): malformed JSON"));
    CHECK(result("parseJson(inputs.parameter_values['mode'])").starts_with("error: 1:1: parseJson(): "));
    CHECK(result("outputs.x || true") == "bool true");
    CHECK(result("outputs.x") == "error: 1:1: unknown name: outputs");
    how.parse_json = false;
    CHECK(result("parseJson('1')") == "refused: 1:1: unknown function parseJson()");
}

TEST_CASE("test() wants a bool, matches() never fails") {
    const auto all = bindings();
    const auto condition = Program::compile("event.data.rows > 1000", options());
    REQUIRE(condition.ok());
    CHECK(*condition->test(all));
    CHECK(condition->matches(all));
    const auto number = Program::compile("event.data.rows", options());
    REQUIRE(number.ok());
    CHECK(number->test(all).error().message == "a condition must be true or false, this is of type int");
    CHECK_FALSE(number->matches(all));
    const auto failing = Program::compile("event.data.nope == 1", options());
    REQUIRE(failing.ok());
    CHECK_FALSE(failing->test(all).ok());
    CHECK_FALSE(failing->matches(all));
    CHECK(failing->text() == "event.data.nope == 1");
}
