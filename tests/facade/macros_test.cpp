#include <support/catch.hpp>

#include <weir/cel/program.hpp>

#include "macros.hpp"

using namespace weir;
using namespace weir::facade;

TEST_CASE("two macros are filled in, at the top, and nothing else") {
    const auto now = from_ns(1'763'717'349'000'000'000); // 2025-11-21T09:29:09Z
    const auto filled = [&](const std::string& text) {
        return fill_in_macros(Json{{"p", text}}, "RUN", now)["p"].get<std::string>();
    };
    CHECK(filled("id=[[RunUUID]] now=[[CurrentTime]]") == "id=RUN now=20251121092909");
    CHECK(filled("[[CurrentTime.2006-01-02T15:04:05]]") == "2025-11-21T09:29:09");
    CHECK(filled("[[CurrentTime.Mon Jan 02]]") == "Fri Nov 21");
    for (const auto* same : {"[[ScheduledTime]]", "[[Index]]", "[[Nope]]", "[[ RunUUID ]]", "[[1,2],[3]]",
                             "[[", "]]", "[[CurrentTime.]]"})
        CHECK(filled(same) == same);
    CHECK(filled("[[[RunUUID]]]") == "[RUN]");
    const auto nested = Json::parse(R"({"l":["[[RunUUID]]"],"m":{"k":"[[RunUUID]]"},"n":1})");
    CHECK(fill_in_macros(nested, "RUN", now) == nested);
}

namespace {

/// What a schedule's parameter becomes at this slot.
std::string at_slot(const std::string& text, const std::string& slot) {
    auto expression = scheduled_text("p", text);
    REQUIRE(expression.ok());
    INFO(*expression);
    cel::CompileOptions options;
    options.variables = {{"event", cel::VariableType::Event}};
    options.refuse_untyped_arithmetic = true;
    const auto program = cel::Program::compile(*expression, options);
    INFO((program.ok() ? "" : program.error().message));
    REQUIRE(program.ok());
    cel::SimpleBindings bindings;
    bindings.set("event",
                 cel::Value::object({{"data", cel::Value::object({{"slot", cel::Value::string(slot)}})}}));
    const auto value = program->evaluate(bindings);
    REQUIRE(value.ok());
    return std::string(value->as_string());
}

} // namespace

TEST_CASE("the time of a slot in Go's layouts") {
    const auto* slot = "2026-03-01T06:05:09Z";
    CHECK(at_slot("[[ScheduledTime]]", slot) == "20260301060509");
    CHECK(at_slot("x \"q\"\n[[ScheduledTime.2006-01-02T15:04:05Z07:00]]!", slot) ==
          "x \"q\"\n2026-03-01T06:05:09Z!");
    CHECK(at_slot("[[ScheduledTime.Mon Monday Jan January 06 03 MST]]", slot) ==
          "Sun Sunday Mar March 26 06 UTC");
    CHECK(at_slot("[[ScheduledTime.03]] [[ScheduledTime.15]]", "2026-12-31T23:00:00Z") == "11 23");
    CHECK(at_slot("[[ScheduledTime.03]]", "2026-12-31T00:00:00Z") == "12");
    CHECK(at_slot("[[ScheduledTime.03]]", "2026-12-31T12:00:00Z") == "12");
}

TEST_CASE("what is no macro of a schedule stays as it is") {
    for (const auto& same : {Json("plain"), Json("[[nope]] [[ ScheduledTime ]] [[ScheduledTime.]]"), Json(5),
                             Json::parse(R"(["[[ScheduledTime]]"])")})
        CHECK(scheduled_text("p", same).value() == "");
    const auto refused = scheduled_text("p", "[[Index]]");
    REQUIRE(!refused.ok());
    CHECK(refused.error().code == Code::Invalid);
}
