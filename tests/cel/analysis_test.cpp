#include <weir/cel/program.hpp>

#include "fixture.hpp"

using namespace weir;
using namespace weir::cel;
using namespace weir::cel::testing;

namespace {

std::string dotted(const std::vector<std::string>& path) {
    std::string out;
    for (const auto& name : path)
        out += (out.empty() ? "" : ".") + name;
    return out;
}

std::string text(const std::vector<std::vector<std::string>>& paths) {
    std::string out;
    for (const auto& path : paths)
        out += (out.empty() ? "" : " ") + dotted(path);
    return out;
}

std::string text(const Necessary& necessary) {
    static constexpr const char* names[] = {
        "==", "in", "prefix", "<", "<=", ">", ">=", "!=", "suffix", "has"};
    std::string out;
    for (const auto& alternative : necessary.alternatives) {
        if (!out.empty()) out += " | ";
        std::string all;
        for (const auto& c : alternative) {
            if (!all.empty()) all += " & ";
            all += c.computed.empty() ? dotted(c.path) : "{" + c.computed + "}";
            all += std::string(" ") + names[static_cast<int>(c.op)];
            for (const auto& literal : c.literals)
                all += " " + *to_json(literal);
        }
        out += all;
    }
    return out;
}

Program compiled(std::string_view expression) {
    auto program = Program::compile(expression, {.any_variable = true});
    INFO(expression << (program.ok() ? "" : ": " + program.error().message));
    REQUIRE(program.ok());
    return *program;
}

struct Row {
    const char* expression;
    const char* expected;
};

} // namespace

TEST_CASE("comparisons are lifted out for indexes") {
    const Row rows[] = {
        {"event.data.table == 'orders'", "event.data.table == \"orders\""},
        {"'orders' == event.data.table", "event.data.table == \"orders\""},
        {"event['data']['a b'] == 1", "event.data.a b == 1"},
        {"event.type == 'a' && event.data.n > 5", "event.type == \"a\" & event.data.n > 5"},
        {"5 >= event.data.n", "event.data.n <= 5"},
        {"event.type == 'a' || event.type == 'b'", "event.type == \"a\" | event.type == \"b\""},
        {"event.type in ['a', 'b']", "event.type in \"a\" \"b\""},
        {"event.type.startsWith('com.')", "event.type prefix \"com.\""},
        {"event.data.ok", "event.data.ok == true"},
        {"!event.data.ok", "event.data.ok == false"},
        {"!(event.type != 'a')", "event.type == \"a\""},
        {"!(event.data.n < 3)", "event.data.n >= 3"},
        {"!(event.type == 'a')", "event.type != \"a\""},
        {"event.type != 'a'", "event.type != \"a\""},
        {"!(event.data.ok || event.data.n <= 3)", "event.data.ok == false & event.data.n > 3"},
        {"(x == 1 || y == 2) && z == 3", "x == 1 & z == 3 | y == 2 & z == 3"},
        {"x == 1 || size(y) > 2", "x == 1 | {size(y)} > 2"},
        {"x == 1 && size(y) > z", "x == 1"},
        {"x == 1 || size(y) > z", ""},
        {"has(event.data.n) && event.data.n == 1", "event.data.n has & event.data.n == 1"},
        {"!has(x.y)", ""},
        {"x.endsWith('.csv')", "x suffix \".csv\""},
        {"!x.endsWith('.csv')", ""},
        {"double(x.n) * 3.0 + 1.0 in [4.0, 7.0]", "{double(x.n) * 3.0 + 1.0} in 4 7"},
        {"x.n + y.n == 2", "{x.n + y.n} == 2"},
        {"string(x.n).startsWith('a')", "{string(x.n)} prefix \"a\""},
        {"matches(x, '^ab')", "x prefix \"ab\""},
        {"x.matches(y)", ""},
        {"1 / 0 == 1", ""},
        {"x == 1 ? y == 2 : z == 3", "x == 1 & y == 2 | x != 1 & z == 3"},
        {"x > 1 ? y == 2 : z == 3", "x > 1 & y == 2 | x <= 1 & z == 3"},
        {"x == y", ""},
        {"x == null", ""},
        {"x == [1]", ""},
        {"x == 9007199254740993", ""},
        {"x in [1, 9007199254740993]", ""},
        {"x in y", ""},
        {"x[0] == 1", "{x[0]} == 1"},
        {"event.data.tags.exists(t, t == 'a')", ""},
        {"[1].exists(t, t == 1 && x == 2)", ""},
        {"x == -1 && y == 'a' + 'b' && z < duration('1h')", "x == -1 & y == \"ab\" & z < \"3600s\""},
        {"true", ""},
        {"event.time >= timestamp('2026-01-01T00:00:00Z')", "event.time >= \"2026-01-01T00:00:00Z\""},
    };
    for (const auto& row : rows) {
        INFO(row.expression);
        CHECK(text(compiled(row.expression).necessary()) == row.expected);
    }
    std::string many = "x == 0";
    for (int i = 1; i < 17; ++i)
        many += " || x == " + std::to_string(i);
    CHECK(compiled(many).necessary().alternatives.empty());
    CHECK(text(compiled("z == 1 && (" + many + ")").necessary()) == "z == 1");
}

TEST_CASE("what a regular expression begins and ends with") {
    const Row rows[] = {
        {"^abc", "prefix \"abc\""},
        {"abc$", "suffix \"abc\""},
        {"^abc$", "== \"abc\""},
        {"abc", ""},
        {"^$", "== \"\""},
        {"^", ""},
        {"^s3://lake/a/in/[0-9]+/part-1[.]parquet$",
         "prefix \"s3://lake/a/in/\" & x suffix \"/part-1.parquet\""},
        {"^a\\.b\\d+c$", "prefix \"a.b\" & x suffix \"c\""},
        {"^ab*", "prefix \"a\""},
        {"^ab?c$", "prefix \"a\" & x suffix \"c\""},
        {"^ab+c", "prefix \"ab\""},
        {"^ab{0,}c", "prefix \"a\""},
        {"^ab{2}3$", "prefix \"a\" & x suffix \"3\""},
        {"^a{,2}3$", "suffix \"3\""},
        {"^\u00e9*a", ""},
        {"^x\u00e9?$", "prefix \"x\""},
        {"^\u00e9t\u00e9$", "== \"\u00e9t\u00e9\""},
        {"^abc|d", ""},
        {"^abc|^abd", ""},
        {"a(b|c)$", ""},
        {"^a(b|c)d", "prefix \"a\""},
        {"^(a|b)", ""},
        {"^a[|]b", "prefix \"a|b\""},
        {"^a\\|b", "prefix \"a|b\""},
        {"^a[b|c]d$", "prefix \"a\" & x suffix \"d\""},
        {"^a[]|]d$", "prefix \"a\" & x suffix \"d\""},
        {"^a[^]|]d$", "prefix \"a\" & x suffix \"d\""},
        {"^a[[:alpha:]|]d$", "prefix \"a\" & x suffix \"d\""},
        {"(?i)^abc$", ""},
        {"^(?i)abc$", ""},
        {"^ab(?i:c)$", ""},
        {"(?m)^abc$", ""},
        {"^a(?:bc)d$", "prefix \"a\" & x suffix \"d\""},
        {"^a(b$)", "prefix \"a\""},
        {"^*abc", ""},
        {"^+abc", ""},
        {"a^b$", "suffix \"b\""},
        {"^a$b$", "prefix \"a\" & x suffix \"b\""},
        {"^ab\\$", "prefix \"ab$\""},
        {"^a\\x41b$", ""},
        {"^a\\pLb$", ""},
        {"^a\\Q.b", ""},
        {"^ab$$", "prefix \"ab\""},
        {"^a.c", "prefix \"a\""},
        {"^a[.]?b", "prefix \"a\""},
        {"^a\\.*b", "prefix \"a\""},
        {"^a b_c", "prefix \"a b_c\""},
        {"\\Aab\\z", ""},
    };
    for (const auto& row : rows) {
        INFO(row.expression);
        const auto program = compiled("x.matches(r'" + std::string(row.expression) + "')");
        CHECK(text(program.necessary()) == (*row.expected == 0 ? "" : "x " + std::string(row.expected)));
        CHECK_FALSE(program.necessary().exact);
    }
}

namespace {

/// Whether one comparison holds, by the evaluator itself.
bool holds(const Comparison& c, const Value& root) {
    SimpleBindings bindings;
    bindings.set("v", root);
    const auto computed =
        c.computed.empty() ? Result<Value>(Value()) : compiled(c.computed).evaluate(bindings);
    if (!computed.ok()) return false;
    const Value* value = c.computed.empty() ? &root : &*computed;
    for (std::size_t i = 1; i < c.path.size() && value != nullptr; ++i)
        value = value->kind() == Kind::Map ? value->find(c.path[i]) : nullptr;
    if (value == nullptr) return false;
    switch (c.op) {
        case Comparison::Op::Equal: return value->equals(c.literals[0]);
        case Comparison::Op::In:
            for (const auto& literal : c.literals)
                if (value->equals(literal)) return true;
            return false;
        case Comparison::Op::Prefix:
            return value->is_string() && value->as_string().starts_with(c.literals[0].as_string());
        case Comparison::Op::Less: return order(*value, c.literals[0]) < 0;
        case Comparison::Op::LessEqual: return order(*value, c.literals[0]) <= 0;
        case Comparison::Op::Greater: return order(*value, c.literals[0]) > 0;
        case Comparison::Op::GreaterEqual: return order(*value, c.literals[0]) >= 0;
        case Comparison::Op::NotEqual: return !value->equals(c.literals[0]);
        case Comparison::Op::Suffix:
            return value->is_string() && value->as_string().ends_with(c.literals[0].as_string());
        case Comparison::Op::Has: return true;
    }
    return false;
}

/// A pseudo-random walk that is the same on every machine.
struct Dice {
    std::uint32_t state;
    std::uint32_t roll(std::uint32_t sides) {
        state = state * 1664525U + 1013904223U;
        return (state >> 16) % sides;
    }
};

std::string random_condition(Dice& dice, int depth) {
    static constexpr const char* fields[] = {"v.a", "v.b", "v.c"};
    static constexpr const char* literals[] = {"1", "2", "2.0", "1.5", "'x'", "'xy'", "true", "null"};
    static constexpr const char* operators[] = {"==", "!=", "<", "<=", ">", ">="};
    static constexpr const char* patterns[] = {"^x",   "^xy*",  "z$",   "^xyz$",  "^x|z$", "(?i)^X",
                                               "^x.z", "^x+yz", "^xy?", "^x[y]z", "y",     "^(x|z)"};
    const auto kind = dice.roll(depth > 0 ? 12 : 8);
    const std::string field = fields[dice.roll(3)];
    switch (kind) {
        case 0:
        case 1: return field + " " + operators[dice.roll(6)] + " " + literals[dice.roll(8)];
        case 2: return field + " in [" + literals[dice.roll(8)] + ", " + literals[dice.roll(8)] + "]";
        case 3: return field + ".startsWith('x')";
        case 4: return dice.roll(2) == 0 ? field : "has(" + field + ")";
        case 5: return field + ".matches('" + patterns[dice.roll(12)] + "')";
        case 6: return field + ".endsWith('z')";
        case 7: return "size(" + field + ") " + operators[dice.roll(6)] + " " + literals[dice.roll(2)];
        case 8: return "!(" + random_condition(dice, depth - 1) + ")";
        case 9:
            return "(" + random_condition(dice, depth - 1) + " ? " + random_condition(dice, depth - 1) +
                   " : " + random_condition(dice, depth - 1) + ")";
        default:
            return "(" + random_condition(dice, depth - 1) + (kind == 10 ? " && " : " || ") +
                   random_condition(dice, depth - 1) + ")";
    }
}

} // namespace

TEST_CASE("what is necessary never misses a true expression, and is enough where it says so") {
    std::vector<Value> values;
    for (const auto* json : {"1", "2", "1.5", "\"x\"", "\"xyz\"", "true", "false", "null", "[1]"})
        values.push_back(*from_json(json));
    Dice dice{12345};
    std::size_t lifted = 0, true_ones = 0, exact = 0;
    for (int round = 0; round < 1'500; ++round) {
        const auto expression = random_condition(dice, 3);
        const auto program = Program::compile(expression, {.any_variable = true, .check = false});
        REQUIRE(program.ok());
        const auto necessary = program->necessary();
        if (!necessary.alternatives.empty()) ++lifted;
        for (int i = 0; i < 12; ++i) {
            std::vector<std::pair<std::string, Value>> members;
            for (const auto* name : {"a", "b", "c"})
                if (const auto at = dice.roll(10); at < values.size()) members.emplace_back(name, values[at]);
            SimpleBindings all;
            all.set("v", Value::object(members));
            const bool is_true = program->matches(all);
            if (is_true) ++true_ones;
            if (necessary.alternatives.empty()) {
                CHECK_FALSE(necessary.exact);
                continue;
            }
            if (!is_true && !necessary.exact) continue;
            if (necessary.exact) ++exact;
            bool found = false;
            for (const auto& alternative : necessary.alternatives) {
                bool whole = true;
                for (const auto& c : alternative)
                    whole = whole && holds(c, *all.find("v"));
                found = found || whole;
            }
            INFO(expression << " with " << *to_json(*all.find("v")));
            CHECK(found == is_true);
        }
    }
    CHECK(exact > 1'000);
    CHECK(lifted > 300);
    CHECK(true_ones > 1'000);
}

namespace {

std::string random_text(Dice& dice, const std::vector<std::string>& parts, std::uint32_t parts_max) {
    std::string out;
    for (auto n = dice.roll(parts_max + 1); n > 0; --n)
        out += parts[dice.roll(static_cast<std::uint32_t>(parts.size()))];
    return out;
}

} // namespace

TEST_CASE("whatever a regular expression matches begins and ends as is read off it") {
    const std::vector<std::string> tokens{"a",    "b",    "a",    "b",    "\xc3\xa9",    "2",   ".", "*",
                                          "+",    "?",    "{2}",  "{0,}", "{,2}",        "{",   "}", "[a]",
                                          "[.]",  "[ab]", "[^a]", "[]a]", "[[:alpha:]]", "(",   ")", "(?:",
                                          "(?i)", "|",    "\\.",  "\\d",  "\\b",         "\\$", "]", ","};
    const std::vector<std::string> characters{"a",  "b", "A", "2", ".", "\xc3\xa9",
                                              "\n", "]", ",", "{", "}", "$"};
    Dice dice{4711};
    std::size_t patterns = 0, lifted = 0, matched = 0;
    for (int round = 0; round < 20'000; ++round) {
        const auto pattern =
            (dice.roll(2) ? "^" : "") + random_text(dice, tokens, 6) + (dice.roll(2) ? "$" : "");
        const auto program = Program::compile("v.a.matches(r'" + pattern + "')", {.any_variable = true});
        if (!program.ok()) continue;
        ++patterns;
        const auto necessary = program->necessary();
        if (necessary.alternatives.empty()) continue;
        ++lifted;
        for (int i = 0; i < 20; ++i) {
            SimpleBindings all;
            const auto text = random_text(dice, characters, 5);
            all.set("v", Value::object({{"a", Value::string(text)}}));
            if (!program->matches(all)) continue;
            ++matched;
            INFO(pattern << " matches " << text);
            for (const auto& c : necessary.alternatives.front())
                CHECK(holds(c, *all.find("v")));
        }
    }
    CHECK(patterns > 5'000);
    CHECK(lifted > 2'000);
    CHECK(matched > 2'000);
}

TEST_CASE("paths, guards and variables") {
    const auto program = compiled(
        "event.data.a == 1 && has(event.data.b) && (has(event.data.c) ? event.data.c[0].x : other) == "
        "event['data']['d'] && event.data.a < 2 && event.list.exists(i, i.z == event.e)");
    CHECK(text(program.paths()) == "event.data.a event.data.c other event.data.d event.list event.e");
    CHECK(text(program.guarded_paths()) == "event.data.b event.data.c");
    CHECK(program.variables() == std::vector<std::string>{"event", "other"});
}

TEST_CASE("an explanation names the smallest clause that decides, and what was found") {
    struct Why {
        const char* expression;
        const char* clause;
        const char* values;
        const char* error;
    };
    const Why rows[] = {
        {"event.data.table == 'users'", "event.data.table == 'users'", "event.data.table = \"orders\"", ""},
        {"event.data.rows > 10 && event.data.table == 'users'", "event.data.table == 'users'",
         "event.data.table = \"orders\"", ""},
        {"event.data.nope == 1 && event.data.table == 'users'", "event.data.table == 'users'",
         "event.data.table = \"orders\"", ""},
        {"event.data.rows > 10 && event.data.nope == 1", "event.data.nope == 1", "event.data.nope is missing",
         "1:36: no such key: \"nope\" in event.data"},
        {"event.data.gone.x.y == 1", "event.data.gone.x.y == 1", "event.data.gone is missing",
         "1:12: no such key: \"gone\" in event.data"},
        {"event.data.rows < 10 || event.data.table == 'users'",
         "event.data.rows < 10 || event.data.table == 'users'",
         "event.data.rows = 1250, event.data.table = \"orders\"", ""},
        {"!(event.data.ok || event.data.rows < 10)", "event.data.ok", "event.data.ok = true", ""},
        {"!(event.data.ok && event.data.rows > 10)", "event.data.ok && event.data.rows > 10",
         "event.data.ok = true, event.data.rows = 1250", ""},
        {"event.data.ok && (event.data.rows > 10 && (event.data.table == 'users'))",
         "event.data.table == 'users'", "event.data.table = \"orders\"", ""},
        {"has(event.data.nope) && event.data.nope > 1", "has(event.data.nope)", "event.data.nope is missing",
         ""},
        {"'x' in event.data.tags", "'x' in event.data.tags", "event.data.tags = [\"daily\",\"pii\",\"gold\"]",
         ""},
        {"event.data['a-b'] == 8", "event.data['a-b'] == 8", "event.data[\"a-b\"] = 7", ""},
        {"event.data.table", "event.data.table", "event.data.table = \"orders\"",
         "a condition must be true or false, this is of type string"},
        {"event.data.ok", "", "", ""},
    };
    const auto all = bindings();
    for (const auto& row : rows) {
        INFO(row.expression);
        const auto program = Program::compile(row.expression, options());
        REQUIRE(program.ok());
        const auto why = program->explain(all);
        CHECK(why.clause == row.clause);
        CHECK(why.values == row.values);
        CHECK(why.error == row.error);
    }
}

TEST_CASE("an explanation bounds and tames what came from outside") {
    SimpleBindings all;
    all.set("v", Value::object({{"long", Value::string("\x1b[2J" + std::string(5'000, 'y'))}}));
    const auto why = compiled("v.long == 'x'").explain(all);
    CHECK(why.values.size() < 300);
    CHECK(why.values.find('\x1b') == std::string::npos);
    CHECK(why.values.ends_with("..."));
}
