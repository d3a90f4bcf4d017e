#include <weir/cel/program.hpp>

#include "fixture.hpp"

using namespace weir;
using namespace weir::cel;
using namespace weir::cel::testing;

namespace {

std::string repeated(std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i)
        out += text;
    return out;
}

ErrorKind kind_of(const Result<Value>& result) {
    return result.ok() ? ErrorKind::Internal : result.error().kind;
}

} // namespace

TEST_CASE("what nests too deeply is refused, never a stack overflow") {
    const std::string hostile[] = {
        repeated("(", 8'000) + "1" + repeated(")", 8'000),
        repeated("(", 10'000),
        repeated("[", 10'000),
        repeated("{1:", 5'000),
        repeated("f(", 5'000),
        repeated("x[", 5'000),
        repeated("true ? 1 : ", 1'000) + "1",
        "x" + repeated(".a", 8'000),
        "x" + repeated("[0]", 5'000),
        "x" + repeated(" + 1", 4'000),
        "x" + repeated(" == 1", 3'000),
        "x" + repeated(".size()", 2'000),
    };
    for (const auto& text : hostile) {
        INFO(text.substr(0, 40));
        const auto program = Program::compile(text, options());
        REQUIRE_FALSE(program.ok());
        CHECK(program.error().kind == ErrorKind::Exhausted);
        CHECK(program.error().message.find("nested deeper than") != std::string::npos);
    }
    CHECK(show(evaluate(repeated("(", 60) + "7" + repeated(")", 60), options())) == "int 7");
    CHECK(show(evaluate("true" + repeated(" && true", 1'500), options())) == "bool true");
    CHECK(show(evaluate(repeated("!", 10'000) + "true", options())) == "bool true");
    CHECK(show(evaluate(repeated("-", 10'001) + "x", options())) == "int -7");
}

TEST_CASE("macros inside one another are limited") {
    const auto nested = [](std::size_t depth) {
        return repeated("[1].map(i, ", depth) + "1" + repeated(")", depth);
    };
    CHECK(Program::compile(nested(8), options()).ok());
    const auto program = Program::compile(nested(9), options());
    REQUIRE_FALSE(program.ok());
    CHECK(program.error().kind == ErrorKind::Exhausted);
}

TEST_CASE("long texts and patterns are refused") {
    const auto program = Program::compile("'" + repeated("x", 20'000) + "'", options());
    REQUIRE_FALSE(program.ok());
    CHECK(program.error().kind == ErrorKind::Exhausted);
    const auto pattern = Program::compile("'a'.matches('" + repeated("a", 5'000) + "')", options());
    REQUIRE_FALSE(pattern.ok());
    CHECK(pattern.error().message.find("the limit is 4096") != std::string::npos);
    const auto bomb = Program::compile("'a'.matches('((a{100}){100}){100}')", options());
    REQUIRE_FALSE(bomb.ok());
    CHECK(bomb.error().message.find("malformed regular expression") != std::string::npos);
    const auto wrong = Program::compile("event.id.matches('(unclosed')", options());
    REQUIRE_FALSE(wrong.ok());
    CHECK(wrong.error().message.find("missing") != std::string::npos);
}

TEST_CASE("an evaluation ends at its cost limit, whatever absorbs errors") {
    std::vector<Value> numbers;
    for (int i = 0; i < 1'000; ++i)
        numbers.push_back(Value::integer(i));
    SimpleBindings all;
    all.set("big", Value::list(std::move(numbers)));
    all.set("text", Value::string(repeated("a", 100'000)));
    const char* expensive[] = {
        "big.all(a, big.all(b, big.all(c, true)))",
        "big.exists(a, big.exists(b, big.exists(c, false)))",
        "true && big.all(a, big.all(b, big.all(c, true))) || true",
        "big.exists_one(a, big.exists_one(b, big.exists_one(c, false)))",
        "big.map(a, big.map(b, big + big))",
        "big.filter(a, big.filter(b, big == big) == big).size()",
        "big.map(a, text + text + text + text + text + text + text)",
        "big.map(a, big.map(b, text.contains('b')))",
        "big.all(a, big.all(b, text.matches('(a*)*b') || true))",
        "big.all(a, big.all(b, 'a'.matches(text.size() > 1 ? 'a' : 'b')))",
        "big.map(a, big.map(b, size(text)))",
        "big.map(a, big.map(b, a in big))",
    };
    for (const auto* text : expensive) {
        INFO(text);
        const auto program = Program::compile(text, {.any_variable = true});
        REQUIRE(program.ok());
        const auto result = program->evaluate(all);
        CHECK(kind_of(result) == ErrorKind::Exhausted);
        CHECK_FALSE(program->matches(all));
    }
    CompileOptions small{.any_variable = true};
    small.limits.cost_max = 10;
    const auto program = Program::compile("big.all(a, a >= 0)", small);
    REQUIRE(program.ok());
    CHECK(kind_of(program->evaluate(all)) == ErrorKind::Exhausted);
    CHECK(program->evaluate(all).error().message.find("more than 10 steps") != std::string::npos);
}

TEST_CASE("what payloads say reaches messages only in printable form") {
    SimpleBindings all;
    all.set("k", Value::string("\x1b[31m" + repeated("x", 1'000)));
    all.set("m", Value::object({}));
    const auto program = Program::compile("m[k]", {.any_variable = true});
    REQUIRE(program.ok());
    const auto message = program->evaluate(all).error().message;
    CHECK(message.find('\x1b') == std::string::npos);
    CHECK(message.size() < 300);
}

namespace {

// clang-format off
constexpr const char* pieces[] = {
    "event", ".data", ".rows", "x", "7", "-", "1.5", "2u", "'a'", "b'\\xff'", "\"\\u00fc\"", "(", ")", "[",
    "]", "{", "}", ",", ":", "?", "&&", "||", "!", "==", "!=", "<", ">=", "+", "*", "/", "%", " in ",
    "has(", "size(", ".map(i, ", ".all(i, ", "i", "true", "false", "null", "int(",
    "timestamp('2026-01-01T00:00:00Z')", ".getHours(", "duration('1h')", ".matches('a+')", ".startsWith(",
    "[0]", "['k']", "r'\\'", "\x01", "\xc3", "//", "\n", "google.protobuf.Timestamp", "`a-b`",
    "9223372036854775807", "1e300", "type(", "string(", "0x", "'''", ".filter(i, ", ".exists_one(i, ",
};
// clang-format on

} // namespace

TEST_CASE("any text is refused or evaluated, and explained, without harm") {
    const auto all = bindings();
    std::uint32_t state = 2026;
    const auto roll = [&state](std::size_t sides) {
        state = state * 1664525U + 1013904223U;
        return (state >> 8) % sides;
    };
    std::size_t compiled = 0, evaluated = 0;
    for (int round = 0; round < 60'000; ++round) {
        std::string text;
        for (auto count = roll(8) + 1; count > 0; --count)
            text += pieces[roll(std::size(pieces))];
        CompileOptions how = options();
        how.check = roll(2) == 0;
        how.refuse_untyped_arithmetic = roll(4) == 0;
        how.any_variable = roll(2) == 0;
        const auto program = Program::compile(text, how);
        if (!program.ok()) continue;
        ++compiled;
        if (program->evaluate(all).ok()) ++evaluated;
        static_cast<void>(program->explain(all));
        static_cast<void>(program->necessary());
        static_cast<void>(program->paths());
    }
    CHECK(compiled > 1'000);
    CHECK(evaluated > 500);
}
