#include <weir/base/clock.hpp>

#include <support/catch.hpp>

using namespace weir;
using namespace std::chrono_literals;

TEST_CASE("RFC 3339 times are read and written exactly") {
    for (const auto* text :
         {"1970-01-01T00:00:00Z", "2026-03-01T06:30:00.25Z", "2028-02-29T23:59:59.000000001Z"})
        CHECK(format_rfc3339(parse_rfc3339(text).value()) == text);
    CHECK(format_rfc3339(parse_rfc3339("2026-03-01T06:30:00+05:45").value()) == "2026-03-01T00:45:00Z");
    CHECK(parse_rfc3339("1969-12-31T23:59:59.5Z").value() == from_ns(-500'000'000));
}

TEST_CASE("what is not RFC 3339 is refused") {
    for (const auto* text :
         {"", "2026-02-30T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T24:00:00Z",
          "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+5", "9999-01-01T00:00:00Z"}) {
        INFO(text);
        CHECK_FALSE(parse_rfc3339(text).ok());
    }
}

TEST_CASE("durations are read and written") {
    CHECK(parse_duration("1h30m").value() == 90min);
    CHECK(parse_duration("250ms").value() == 250ms);
    CHECK(parse_duration("7d").value() == 168h);
    CHECK(format_duration(90min) == "1h30m");
    CHECK(format_duration(0s) == "0s");
    CHECK(format_duration(-1500ms) == "-1s500ms");
    for (const auto* text : {"", "5", "h", "1.5h", "-1s", "1 h", "99999999999d"}) {
        INFO(text);
        CHECK_FALSE(parse_duration(text).ok());
    }
}

TEST_CASE("a manual clock moves only when told") {
    ManualClock clock(from_ns(1000));
    const auto steady = clock.steady_now();
    clock.advance(5ns);
    CHECK(clock.now() == from_ns(1005));
    CHECK(clock.steady_now() - steady == 5ns);
    clock.jump_wall(from_ns(10));
    CHECK(clock.now() == from_ns(10));
    CHECK(clock.steady_now() - steady == 5ns);
}
