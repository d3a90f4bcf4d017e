#include <weir/triggers/cron.hpp>

#include <string>
#include <vector>

#include <support/catch.hpp>
#include <weir/triggers/reference.hpp>

#include "random.hpp"

using namespace weir;
using namespace weir::triggers;

namespace {

Schedule schedule(std::string_view cron, std::string_view zone) {
    auto parsed = Schedule::parse(cron, zone);
    INFO((parsed.ok() ? std::string() : parsed.error().message));
    REQUIRE(parsed.ok());
    return *parsed;
}
Instant at(std::string_view text) {
    return *parse_rfc3339(text);
}

/// The next `count` slots after `start`, and a check that previous() walks back over the same ones.
std::string next(std::string_view cron, std::string_view zone, std::string_view start, int count = 3) {
    const auto s = schedule(cron, zone);
    std::vector<Instant> found;
    for (auto slot = s.next(at(start)); slot && static_cast<int>(found.size()) < count; slot = s.next(*slot))
        found.push_back(*slot);
    std::string out;
    for (const auto slot : found)
        out += (out.empty() ? "" : " ") + format_rfc3339(slot);
    INFO(cron << " " << zone << " " << out);
    for (std::size_t i = 1; i < found.size(); ++i) {
        CHECK(s.previous(found[i]) == found[i - 1]);
        CHECK(s.previous(found[i] + Duration(1)) == found[i]);
        CHECK(s.previous(found[i] - Duration(1)) == found[i - 1]);
        CHECK(s.next(found[i] - Duration(1)) == found[i]);
    }
    return out;
}

std::string refusal(std::string_view cron) {
    const auto parsed = Cron::parse(cron);
    return parsed.ok() ? "taken" : parsed.error().message;
}

} // namespace

TEST_CASE("cron fields: values, names, ranges, steps, lists") {
    CHECK(next("*/20 * * * *", "UTC", "2026-01-01T00:00:00Z") ==
          "2026-01-01T00:20:00Z 2026-01-01T00:40:00Z 2026-01-01T01:00:00Z");
    CHECK(next("50/5 23 * * *", "UTC", "2026-01-01T00:00:00Z") ==
          "2026-01-01T23:50:00Z 2026-01-01T23:55:00Z 2026-01-02T23:50:00Z");
    CHECK(next("0 6 * * mon-Fri", "UTC", "2026-01-02T06:00:00Z", 2) ==
          "2026-01-05T06:00:00Z 2026-01-06T06:00:00Z");
    CHECK(next("0 0 * * 7", "UTC", "2026-01-01T00:00:00Z", 2) == "2026-01-04T00:00:00Z 2026-01-11T00:00:00Z");
    CHECK(next("0 0 * * 5-7", "UTC", "2026-01-01T00:00:00Z") ==
          "2026-01-02T00:00:00Z 2026-01-03T00:00:00Z 2026-01-04T00:00:00Z");
    CHECK(next("5,10-12 4 1 JAN,jul *", "UTC", "2026-01-01T04:11:00Z", 2) ==
          "2026-01-01T04:12:00Z 2026-07-01T04:05:00Z");
    CHECK(next("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2) ==
          "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z");
    CHECK(next("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", 2) ==
          "2026-03-31T00:00:00Z 2026-05-31T00:00:00Z");
    // Both day fields restricted: a day that fits either counts. A starred step is a restriction too.
    CHECK(next("0 0 13 * FRI", "UTC", "2026-02-01T00:00:00Z") ==
          "2026-02-06T00:00:00Z 2026-02-13T00:00:00Z 2026-02-20T00:00:00Z");
    CHECK(next("  0\t0  1 * *  ", "UTC", "2026-02-01T00:00:00Z", 1) == "2026-03-01T00:00:00Z");
    CHECK(next("30 0 * * *", "Asia/Kathmandu", "2026-05-14T12:34:56Z", 1) == "2026-05-14T18:45:00Z");
}

TEST_CASE("a bad cron expression is refused by the name of its field") {
    CHECK(refusal("60 * * * *") == "cron: minute \"60\": expected 0 to 59");
    CHECK(refusal("* 24 * * *") == "cron: hour \"24\": expected 0 to 23");
    CHECK(refusal("* * 0 * *") == "cron: day of month \"0\": expected 1 to 31");
    CHECK(refusal("* * * FOO *") == "cron: month \"FOO\": expected 1 to 12 or JAN to DEC");
    CHECK(refusal("* * * * 8") ==
          "cron: day of week \"8\": expected 0 to 7 (0 and 7 are Sunday) or SUN to SAT");
    CHECK(refusal("1,,2 * * * *") == "cron: minute \"1,,2\": \"\": an entry of the list is empty");
    CHECK(refusal("*/0 * * * *") == "cron: minute \"*/0\": the step behind / must be 1 to 60");
    CHECK(refusal("*/ * * * *") == "cron: minute \"*/\": the step behind / must be 1 to 60");
    CHECK(refusal("30-10 * * * *") ==
          "cron: minute \"30-10\": the range runs backwards; write it as two, or end a week with 7");
    CHECK(refusal("* * L * *") ==
          "cron: day of month \"L\": L, W, # and ? are not part of a five-field cron expression");
    CHECK(refusal("* * * *") ==
          "cron: \"* * * *\" has 4 fields; expected five: minute hour day-of-month month day-of-week");
    CHECK(refusal("0 * * * * *").find("has 6 fields") != std::string::npos);
    CHECK(refusal("").find("has 0 fields") != std::string::npos);
    CHECK(refusal("@daily") == "cron: \"@daily\": nicknames are not taken; write the five fields");
    CHECK(refusal("0 0 30 2 *") ==
          "cron: \"0 0 30 2 *\" never comes: no month of field four has a day \"30\"");
    for (const auto* bad :
         {"-1 * * * *", "1- * * * *", "-5 * * * *", "1-2-3 * * * *", "*-5 * * * *", "1.5 * * * *",
          "+5 * * * *", "1/ * * * *", "1/2/3 * * * *", "**  * * * *", "0x1 * * * *", "* * * * MONDAY",
          "* * * * *x", "* * ? * *", "99999999999 * * * *", "\xc3\xa9 * * * *"}) {
        INFO(bad);
        CHECK(refusal(bad) != "taken");
    }
    CHECK(refusal(std::string(2000, '*')).find("longer than") != std::string::npos);
}

TEST_CASE("a bad zone is refused with the nearest one") {
    const auto refused = [](std::string_view zone) {
        const auto parsed = Schedule::parse("0 0 * * *", zone);
        return parsed.ok() ? std::string("taken") : parsed.error().message;
    };
    INFO(refused("Europe/Zuerich"));
    CHECK(refused("Europe/Zurch")
              .find("time zone \"Europe/Zurch\" is not known; did you mean \"Europe/Zurich\"?") == 0);
    CHECK(refused("") != "taken");
    CHECK(refused("../../etc/passwd") != "taken");
    CHECK(refused("right/UTC") != "taken");
    CHECK(refused("Mars/Olympus\x1b[2J").find('\x1b') == std::string::npos);
    CHECK(refused("UTC") == "taken");
    CHECK(refused("Etc/GMT+5") == "taken");
}

// What libraries do here differs (six libraries, six behaviours); these are the design's rules.
TEST_CASE("a fixed time inside a gap comes once, at the gap's end") {
    CHECK(next("30 2 * * *", "Europe/Zurich", "2026-03-28T12:00:00Z") ==
          "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z 2026-03-31T00:30:00Z");
    CHECK(next("0 3 * * *", "Europe/Zurich", "2026-03-28T12:00:00Z") ==
          "2026-03-29T01:00:00Z 2026-03-30T01:00:00Z 2026-03-31T01:00:00Z");
    // Several that fall together, and one that stands at the end itself, are one slot.
    CHECK(next("10,50 2 * * *", "Europe/Zurich", "2026-03-28T12:00:00Z") ==
          "2026-03-29T01:00:00Z 2026-03-30T00:10:00Z 2026-03-30T00:50:00Z");
    CHECK(next("0 2,3 * * *", "Europe/Zurich", "2026-03-28T12:00:00Z") ==
          "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z 2026-03-30T01:00:00Z");
    CHECK(next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T02:00:00Z", 2) ==
          "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z");
    CHECK(next("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2) ==
          "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z");
    CHECK(next("30 2 29 3 *", "Europe/Zurich", "2026-03-01T00:00:00Z", 2) ==
          "2026-03-29T01:00:00Z 2027-03-29T00:30:00Z");
}

TEST_CASE("a fixed time that comes twice fires on the first pass") {
    CHECK(next("30 2 * * *", "Europe/Zurich", "2026-10-24T12:00:00Z") ==
          "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z 2026-10-27T01:30:00Z");
    CHECK(next("30 2 * * *", "Europe/Zurich", "2026-10-25T00:40:00Z", 2) ==
          "2026-10-26T01:30:00Z 2026-10-27T01:30:00Z");
    CHECK(next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T02:00:00Z", 2) ==
          "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z");
    // Asked from within the second pass, the slots of the first lie behind.
    const auto s = schedule("15,30,45 2 * * *", "Europe/Zurich");
    CHECK(s.previous(at("2026-10-25T01:20:00Z")) == at("2026-10-25T00:45:00Z"));
    CHECK(s.previous(at("2026-10-25T00:40:00Z")) == at("2026-10-25T00:30:00Z"));
    CHECK(s.next(at("2026-10-25T00:20:00Z")) == at("2026-10-25T00:30:00Z"));
}

TEST_CASE("a star or a step in hour or minute follows real time") {
    CHECK(next("*/30 * * * *", "Europe/Zurich", "2026-03-29T00:10:00Z") ==
          "2026-03-29T00:30:00Z 2026-03-29T01:00:00Z 2026-03-29T01:30:00Z");
    CHECK(next("30 * * * *", "Europe/Zurich", "2026-10-24T23:40:00Z") ==
          "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z");
    CHECK(next("*/15 2 * * *", "Europe/Zurich", "2026-03-28T01:40:00Z", 2) ==
          "2026-03-28T01:45:00Z 2026-03-30T00:00:00Z");
    CHECK(next("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40:00Z") ==
          "2026-04-04T14:45:00Z 2026-04-04T15:00:00Z 2026-04-04T15:15:00Z");
}

TEST_CASE("a date that does not exist has no slot") {
    CHECK(next("0 12 * * *", "Pacific/Apia", "2011-12-28T12:00:00Z") ==
          "2011-12-28T22:00:00Z 2011-12-29T22:00:00Z 2011-12-30T22:00:00Z");
    CHECK(next("0 0 30 12 *", "Pacific/Apia", "2011-12-28T12:00:00Z", 2) ==
          "2012-12-29T10:00:00Z 2013-12-29T10:00:00Z");
}

TEST_CASE("where the zone data ends, slots end") {
    CHECK_FALSE(schedule("0 12 * * *", "Europe/Berlin").next(at("2037-12-31T12:00:00Z")));
    CHECK(schedule("0 12 * * *", "Europe/Berlin").next(at("2037-12-30T12:00:00Z")) ==
          at("2037-12-31T11:00:00Z"));
    CHECK(schedule("0 12 * * *", "Europe/Berlin").previous(at("2050-01-01T00:00:00Z")) ==
          at("2037-12-31T11:00:00Z"));
    // A zone whose clocks are not moved goes on.
    CHECK(schedule("0 12 * * *", "UTC").next(at("2050-01-01T00:00:00Z")) == at("2050-01-01T12:00:00Z"));
    CHECK(schedule("0 12 * * *", "Asia/Tokyo").next(at("2050-01-01T00:00:00Z")) ==
          at("2050-01-01T03:00:00Z"));
    CHECK_FALSE(schedule("0 12 1 1 *", "UTC").next(at("2261-12-31T00:00:00Z")));
}

TEST_CASE("the version of the zone data is known or said to be unknown") {
    const auto version = tzdata_version();
    INFO(version);
    CHECK_FALSE(version.empty());
}

namespace {

std::string random_field(test::Random& random, int lowest, int highest, int stars) {
    if (random.chance(stars))
        return random.chance(80) ? "*" : "*/" + std::to_string(1 + random.below(highest / 2));
    std::string out;
    for (int parts = 1 + random.below(3); parts > 0; --parts) {
        const int low = lowest + random.below(highest - lowest + 1);
        out += (out.empty() ? "" : ",") + std::to_string(low);
        if (random.chance(30)) out += "-" + std::to_string(low + random.below(highest - low + 1));
    }
    return out;
}

} // namespace

TEST_CASE("a schedule is what stepping minute by minute finds, around the days when clocks are moved") {
    struct Span {
        const char* zone;
        const char* from;
        const char* until;
    };
    // Two or three days each with a gap, an overlap, half an hour of either, at midnight, or a whole day
    // missing.
    static constexpr Span spans[] = {{"Europe/Zurich", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z"},
                                     {"Europe/Zurich", "2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z"},
                                     {"America/New_York", "2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z"},
                                     {"Australia/Lord_Howe", "2026-10-02T12:00:00Z", "2026-10-04T12:00:00Z"},
                                     {"Australia/Lord_Howe", "2026-04-03T12:00:00Z", "2026-04-05T12:00:00Z"},
                                     {"America/Sao_Paulo", "2018-11-03T00:00:00Z", "2018-11-05T12:00:00Z"},
                                     {"America/Sao_Paulo", "2018-02-17T00:00:00Z", "2018-02-19T12:00:00Z"},
                                     {"Pacific/Apia", "2011-12-28T12:00:00Z", "2012-01-01T12:00:00Z"},
                                     {"Asia/Kathmandu", "2026-02-27T12:00:00Z", "2026-03-02T00:00:00Z"}};
    for (int seed = 0; seed < test::seeds(90, 5'000); ++seed) {
        test::Random random(static_cast<std::uint64_t>(seed));
        const auto& span = spans[static_cast<std::size_t>(seed) % std::size(spans)];
        const bool near = random.chance(60); // more often at the hours where something happens
        const auto hours = near ? random.pick({"0", "1", "2", "3", "1,2", "2-3", "0,2,23"})
                                : random_field(random, 0, 23, 40);
        const auto minutes = random_field(random, 0, 59, 25);
        const auto days = random_field(random, 1, 31, 70);
        const auto weekdays = random_field(random, 0, 6, 70);
        const auto cron = minutes + " " + hours + " " + days + " * " + weekdays;
        const auto s = schedule(cron, span.zone);
        std::vector<Instant> forward, backward;
        for (auto slot = s.next(at(span.from)); slot && *slot <= at(span.until); slot = s.next(*slot))
            forward.push_back(*slot);
        for (auto slot = s.previous(at(span.until) + Duration(1)); slot && *slot > at(span.from);
             slot = s.previous(*slot))
            backward.insert(backward.begin(), *slot);
        INFO("seed " << seed << ": " << cron << " in " << span.zone);
        const auto expected = reference::slots(cron, span.zone, at(span.from), at(span.until));
        REQUIRE(forward == expected);
        REQUIRE(backward == expected);
    }
}
