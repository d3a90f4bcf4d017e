#include <weir/triggers/matcher.hpp>

#include <string>

#include <weir/triggers/reference.hpp>

#include "build.hpp"
#include "random.hpp"

using namespace weir;
using namespace weir::triggers;
using namespace weir::test;

namespace {

std::string told(const Matcher::Match& match) {
    std::string out = match.pattern_met ? "met" : "unmet";
    for (const auto& hit : match.hits)
        out += " " + std::to_string(hit.trigger) + "." + std::to_string(hit.leaf);
    return out;
}

std::string match(Matcher& matcher, const events::Event& event, Origin origin = Origin::Arrived) {
    EventView view(event, origin);
    return told(matcher.match(view));
}

std::string literal(Random& random) {
    return random.pick<std::string>({"\"a\"", "\"ab\"", "\"abc\"", "1", "2", "3", "2.5", "true"});
}

// One draw a statement: C++ leaves open in which order the operands of one expression draw, and a seed must
// name the same trace with every compiler.
std::string clause(Random& random, int depth) {
    const auto path = "event.data." + random.pick<std::string>({"x", "y", "z.q"});
    const int kind = random.below(depth > 0 ? 19 : 15);
    const auto a = kind > 14 ? clause(random, depth - 1) : literal(random);
    const auto b = kind > 15 ? clause(random, depth - 1) : literal(random);
    const auto pattern =
        random.pick<std::string>({"^a", "^ab?", "b$", "^ab$", "^a|c$", "(?i)^A", "^a.*c$", "^a[b]c$"});
    const auto sign = random.pick<std::string>({" < ", " <= ", " > ", " >= "});
    const int low = random.below(4);
    const int high = random.below(5);
    switch (kind) {
        case 0: return path + " == " + a;
        case 1: return a + " == " + path;
        case 2: return path + " in [" + a + ", " + b + "]";
        case 3: return path + ".startsWith(\"" + random.pick<std::string>({"", "a", "ab", "b"}) + "\")";
        case 4: return path + sign + std::to_string(low);
        case 5: return "event.type == \"" + random.pick<std::string>({"t.a", "t.b"}) + "\"";
        case 6: return "event.subject.startsWith(\"" + random.pick<std::string>({"s", "su"}) + "\")";
        case 7: return path + " >= " + std::to_string(low) + " && " + path + " < " + std::to_string(high);
        case 8: return "has(" + path + ")";
        case 9: return path + " != " + a;
        case 10: return path + ".matches(\"" + pattern + "\")";
        case 11: return "size(" + path + ") == " + std::to_string(low);
        case 12: return path + ".endsWith(\"" + random.pick<std::string>({"", "b", "bc"}) + "\")";
        case 13: return "double(" + path + ") * 2.0" + sign + std::to_string(high) + ".0";
        case 14: return "type(" + path + ") in [int, string] && !has(" + path + ".q)";
        case 15: return "!(" + a + ")";
        case 16: return "(" + a + " || " + b + ")";
        case 17: return "(" + a + " && " + b + ")";
        default: return "(" + a + " ? " + b + " : " + clause(random, depth - 1) + ")";
    }
}

std::string leaf(Random& random) {
    if (random.chance(15)) {
        auto out = "{finish: " + random.pick<std::string>({"f", "'f*'", "g", "'*'", "other/f"});
        out += ", outcome: " + random.pick<std::string>({"failed", "[failed, lost]", "succeeded"});
        if (random.chance(50)) {
            out += ", where: 'run." + random.pick<std::string>({"id", "run", "flow", "id.x"});
            out +=
                random.pick<std::string>({" == \"r\"'", " == \"f\"'", ".startsWith(\"f\")'", " != \"s\"'"});
        }
        return out + "}";
    }
    if (random.chance(5)) return "{schedule: '* * * * *'}";
    auto out = "{event: " + random.pick<std::string>({"t.a", "t.b", "t.c", "'t.*'", "'*'", "'*.a'"});
    if (random.chance(20)) out += ", source: " + random.pick<std::string>({"/s", "/other", "'/*'"});
    if (random.chance(20)) out += ", subject: " + random.pick<std::string>({"sub", "'s*'", "none"});
    if (random.chance(75)) out += ", where: '" + clause(random, 2) + "'";
    return out + "}";
}

std::string value(Random& random) {
    return random.pick<std::string>({"\"a\"",
                                     "\"ab\"",
                                     "\"abc\"",
                                     "\"b\"",
                                     "1",
                                     "1.0",
                                     "2",
                                     "2.5",
                                     "3",
                                     "-1",
                                     "true",
                                     "false",
                                     "null",
                                     "[1]",
                                     "{}",
                                     "{\"q\":1}",
                                     "\"\"",
                                     "\"ab\\n\"",
                                     "123456789012345678901234567890",
                                     "9007199254740993"});
}

events::Event random_event(Random& random) {
    if (random.chance(20)) {
        auto json = random.pick<std::string>(
            {"{", "{\"id\":\"r\",", "{\"run\":\"r\",", "{\"run\":\"r\",\"id\":\"s\","});
        json += "\"flow\":\"" + random.pick<std::string>({"f", "ff", "g", "h"});
        json += "\",\"team\":\"" + random.pick<std::string>({"home", "other"});
        json += "\",\"outcome\":\"" + random.pick<std::string>({"failed", "lost", "succeeded"});
        return event_of(std::string(finish_type), json + "\"}");
    }
    std::string json;
    for (const std::string name : {"x", "y", "z"}) {
        if (random.chance(25)) continue;
        const auto member = value(random);
        json +=
            (json.empty() ? "\"" : ",\"") + name + "\":" + (name == "z" ? "{\"q\":" + member + "}" : member);
    }
    const auto type = random.pick<std::string>({"t.a", "t.b", "t.c", "u"});
    const bool no_data = random.chance(5);
    const auto subject = random.pick<std::string>({"", "sub", "s", "x"});
    const auto source = random.pick<std::string>({"/s", "/t"});
    return event_of(type, no_data ? "" : "{" + json + "}", subject, source);
}

} // namespace

TEST_CASE("an event meets the leaves that its type, its attributes and its payload fill") {
    Matcher matcher;
    matcher.add(1, compiled_of(with_when("{event: data.ready}")));
    matcher.add(2, compiled_of(with_when("{event: 'data.*', where: 'event.data.table == \"orders\"'}")));
    matcher.add(
        3, compiled_of(with_when(
               "{all: {a: {event: data.ready, where: 'event.data.n > 5'}, b: {event: '*', subject: s}}}")));
    CHECK(match(matcher, event_of("data.ready", R"({"table":"orders","n":9})", "s")) ==
          "met 1.0 2.0 3.0 3.1");
    CHECK(match(matcher, event_of("data.ready", R"({"table":"users","n":5})")) == "met 1.0");
    CHECK(match(matcher, event_of("data.gone", R"({"table":"users"})")) == "met");
    CHECK(match(matcher, event_of("other", "{}")) == "unmet");
    CHECK(match(matcher, event_of("other", "{}", "s")) == "met 3.1");
    matcher.remove(1);
    matcher.remove(1);
    matcher.add(3, compiled_of(with_when("{event: data.ready}")));
    CHECK(match(matcher, event_of("data.ready", R"({"table":"orders","n":9})", "s")) == "met 2.0 3.0");
    matcher.remove(2);
    matcher.remove(3);
    CHECK(matcher.size() == 0);
    CHECK(match(matcher, event_of("data.ready", R"({"table":"orders"})", "s")) == "unmet");
}

TEST_CASE("numbers meet across kinds, ranges at their edges, bins however wide") {
    Matcher matcher;
    int id = 0;
    for (const std::string where :
         {"event.data.x == 1", "event.data.x >= 1 && event.data.x <= 1",
          "event.data.x > 0 && event.data.x < 1000000", "event.data.x >= -5 && event.data.x < 2",
          "event.data.x <= 1", "event.data.x >= 1", "event.data.x >= 0.5 && event.data.x <= 1.5",
          "event.data.x > 1 && event.data.x < 1"})
        matcher.add(++id, compiled_of(with_when("{event: e, where: '" + where + "'}")));
    CHECK(match(matcher, event_of("e", R"({"x":1})")) == "met 1.0 2.0 3.0 4.0 5.0 6.0 7.0");
    CHECK(match(matcher, event_of("e", R"({"x":1.0})")) == "met 1.0 2.0 3.0 4.0 5.0 6.0 7.0");
    CHECK(match(matcher, event_of("e", R"({"x":-5})")) == "met 4.0 5.0");
    CHECK(match(matcher, event_of("e", R"({"x":999999.5})")) == "met 3.0 6.0");
    CHECK(match(matcher, event_of("e", R"({"x":0})")) == "met 4.0 5.0");
    CHECK(match(matcher, event_of("e", R"({"x":"1"})")) == "met");
    CHECK(match(matcher, event_of("e", R"({"x":9007199254740993})")) == "met 6.0");
}

TEST_CASE("only candidates are evaluated") {
    Matcher matcher;
    for (int i = 0; i < 2'000; ++i) {
        const auto n = std::to_string(i);
        const std::string where =
            i % 4 == 0   ? "event.data.table == \"t" + n + "\""
            : i % 4 == 1 ? "event.data.path.startsWith(\"/in/" + n + "/\") && event.data.size > 0"
            : i % 4 == 2 ? "event.data.size >= " + n + "0 && event.data.size < " + n + "5"
                         : "event.data.region in [\"r" + n + "\", \"s" + n + "\"]";
        matcher.add(i, compiled_of(with_when("{event: e, where: '" + where + "'}")));
    }
    const auto event = event_of("e", R"({"table":"t100","path":"/in/1001/x","size":5021,"region":"s703"})");
    CHECK(match(matcher, event) == "met 100.0 502.0 703.0 1001.0");
    CHECK(matcher.evaluations() < 12);
    INFO(matcher.index_bytes());
    CHECK(matcher.index_bytes() < 2'000 * 1'024);
    // A shared type whose patterns differ in what can be looked up costs no walk either.
    Matcher subjects;
    for (int i = 0; i < 2'000; ++i)
        subjects.add(i, compiled_of(with_when("{event: e, subject: s" + std::to_string(i) +
                                              ", where: 'event.data.a == 1'}")));
    CHECK(match(subjects, event_of("e", "{}", "s77")) == "met");
    CHECK(match(subjects, event_of("e", "{}", "nobody")) == "unmet");
    CHECK(subjects.evaluations() <= 2);
    for (int i = 0; i < 2'000; ++i)
        subjects.remove(i);
    CHECK(match(subjects, event_of("e", "{}", "s77")) == "unmet");
}

TEST_CASE("what is computed is computed once for all triggers that compare it") {
    Matcher matcher;
    constexpr int triggers = 1'000;
    for (int i = 0; i < triggers; ++i) {
        const auto n = std::to_string(i);
        const std::string where =
            i % 3 == 0   ? "size(event.data.tags) == " + n + " && event.data.table != \"x\""
            : i % 3 == 1 ? "double(event.data.rows) * 2.0 == " + n + ".0"
                         : "event.data.path.matches(\"^/in/[0-9]+/part-" + n + "[.]csv$\")";
        matcher.add(i, compiled_of(with_when("{event: e, where: '" + where + "'}")));
    }
    CHECK(match(matcher, event_of("e", R"({"tags":["a","b","c"],"rows":50,"path":"/in/7/part-101.csv"})")) ==
          "met 100.0 101.0");
    CHECK(
        match(matcher, event_of("e", R"({"tags":["a","b","c"],"table":"t","rows":"x","path":"/in/7/x"})")) ==
        "met 3.0");
    CHECK(match(matcher, event_of("e", R"({"tags":["a","b","c"],"table":"x","rows":null})")) == "met");
    CHECK(matcher.evaluations() < triggers);
    for (int i = 0; i < triggers; ++i)
        matcher.remove(i);
    CHECK(match(matcher, event_of("e", R"({"tags":["a","b","c"],"rows":50})")) == "unmet");
}

TEST_CASE("more computed operands than are kept are tried one by one") {
    Matcher matcher;
    reference::Matching model;
    for (int i = 0; i < 5'000; ++i) {
        const auto compiled = compiled_of(
            with_when("{event: e, where: 'int(event.data.x) + " + std::to_string(i) + " == 4500'}"));
        matcher.add(i, compiled);
        model.add(i, compiled);
    }
    for (const auto* json : {R"({"x":0})", R"({"x":4500})", R"({"x":1.5})", R"({"y":0})", R"({"x":"3"})"}) {
        const auto event = event_of("e", json);
        CHECK(match(matcher, event) == told(model.match(event, Origin::Arrived)));
    }
    for (int i = 0; i < 5'000; i += 2) {
        matcher.remove(i);
        model.remove(i);
    }
    const auto compiled = compiled_of(with_when("{event: e, where: 'int(event.data.z) - 1 == 4500'}"));
    matcher.add(6'000, compiled);
    model.add(6'000, compiled);
    for (const auto* json : {R"({"x":0})", R"({"x":4501})", R"({"z":4501})"}) {
        const auto event = event_of("e", json);
        CHECK(match(matcher, event) == told(model.match(event, Origin::Arrived)));
    }
}

TEST_CASE("the matcher finds what trying every leaf finds, on random triggers and events") {
    for (int seed = 0; seed < test::seeds(60, 3'000); ++seed) {
        Random random(static_cast<std::uint64_t>(seed));
        Matcher matcher;
        reference::Matching model;
        for (int step = 0; step < 120; ++step) {
            const int id = random.below(25);
            if (random.chance(25)) {
                std::string text;
                if (random.chance(70)) {
                    text = with_when(leaf(random));
                } else {
                    const auto a = leaf(random);
                    const auto b = leaf(random);
                    text = with_when("{all: {a: " + a + ", b: " + b + "}}");
                }
                const auto trigger = trigger_of(text);
                // What the checker refuses (types that can never meet) may still be met in a stored trigger.
                const auto compiled = CompiledTrigger::stored(trigger);
                matcher.add(id, compiled);
                model.add(id, compiled);
            } else if (random.chance(5)) {
                matcher.remove(id);
                model.remove(id);
            } else {
                const auto event = random_event(random);
                const bool settled = event.type == finish_type && random.chance(80);
                const auto origin = settled ? Origin::Settled : Origin::Arrived;
                INFO("seed " << seed << " step " << step << " " << event.type << " " << event.data);
                REQUIRE(match(matcher, event, origin) == told(model.match(event, origin)));
            }
        }
    }
}
