#include <support/catch.hpp>

#include "cron.hpp"
#include "parameters.hpp"

using namespace weir;
using namespace weir::facade;

namespace {

using flows::Parameter;
using flows::ParameterType;

std::vector<Parameter> declared() {
    return {{"b", ParameterType::Boolean},
            {"d", ParameterType::Double},
            {"i", ParameterType::Integer},
            {"l", ParameterType::List},
            {"m", ParameterType::Struct},
            {"mode", ParameterType::String, true, "\"a\"", "", {"\"a\"", "\"b\""}},
            {"os", ParameterType::String, true, "\"dflt\""},
            {"s", ParameterType::String}};
}

std::string checked(const std::string& changes) {
    auto given = Json::parse(R"({"s":"x","i":3,"d":1.5,"b":true,"l":[1,2],"m":{"k":"v"}})");
    const auto changed = Json::parse(changes);
    for (const auto& [name, value] : changed.items()) {
        if (value == "absent")
            given.erase(name);
        else
            given[name] = value;
    }
    const auto done = check_parameters(declared(), given);
    if (done.ok()) return "ok";
    CHECK(http_status(done.error().code) == 400);
    return done.error().detail;
}

std::string cron(const std::string& trigger) {
    auto read = read_trigger(Json::parse(trigger));
    if (!read.ok()) return std::to_string(http_status(read.error().code)) + " " + read.error().detail;
    return *read ? (*read)->cron : "none";
}

std::string five(const std::string& text) {
    return cron(to_text(Json{{"cron_schedule", {{"cron", text}}}}));
}

} // namespace

TEST_CASE("parameters are checked as KFP does") {
    CHECK(checked("{}") == "ok");
    CHECK(checked(R"({"i":1.5})") == "ok"); // KFP takes it; what weir says stands elsewhere
    CHECK(checked(R"({"d":2,"l":[],"m":{},"s":"","os":"y","mode":"b"})") == "ok");
    CHECK(checked(R"({"l":[[1],"x",null],"m":{"a":{"b":[1,null]}}})") == "ok");
    CHECK(checked(R"({"nope":1})") == "parameter(s) provided are not required by pipeline: nope");
    CHECK(checked(R"({"s":"absent"})") ==
          "parameter s is not optional, yet has neither default value nor user provided value");
    CHECK(checked(R"({"i":"3"})") ==
          "input parameter i requires type double or integer, but the parameter value is not of number value "
          "type");
    CHECK(checked(R"({"s":3})") ==
          "input parameter s requires type string, but the input parameter is not of string value type");
    CHECK(checked(R"({"b":1})") ==
          "input parameter b requires type bool, but the input parameter is not of bool value type");
    CHECK(checked(R"({"b":"true"})") != "ok");
    CHECK(checked(R"({"l":{}})") != "ok");
    CHECK(checked(R"({"m":[]})") != "ok");
    CHECK(checked(R"({"mode":"zz"})").find("does not match any of the allowed literal values") !=
          std::string::npos);
    for (const auto* name : {"s", "os", "i", "d", "b", "l", "m", "mode"})
        CHECK(checked(std::string("{\"") + name + "\":null}") != "ok");
}

TEST_CASE("KFP's cron becomes one of five fields") {
    CHECK(five("0 0 * * * *") == "0 * * * *");
    CHECK(five("0 30 2 * * ?") == "30 2 * * *");
    CHECK(five("0 0 * * *") == "0 * * * *"); // five fields: the day of the week is left out
    CHECK(five("@hourly") == "0 * * * *");
    CHECK(five("@every 1h") == "0 * * * *");
    CHECK(five("@every 15m") == "*/15 * * * *");
    for (const auto* wrong : {"nope", "0 0 0 * * * 2026", "TZ=UTC 0 0 * * * *", "", "@often", "@every x",
                              "30 0 * * * *", "*/10 * * * * *", "@every 90s"}) {
        INFO(wrong);
        CHECK(five(wrong).starts_with("400 "));
    }
}

TEST_CASE("intervals follow the clock where they divide it") {
    const auto every = [](const std::string& seconds) {
        return cron(R"({"periodic_schedule":{"interval_second":)" + seconds + "}}");
    };
    CHECK(every("60") == "* * * * *");
    CHECK(every("900") == "*/15 * * * *");
    CHECK(every("3600") == "0 * * * *");
    CHECK(every("14400") == "0 */4 * * *");
    CHECK(every("86400") == "0 0 * * *");
    for (const auto* wrong : {"0", "-5", "30", "90", "420", "18000", "172800"})
        CHECK(every(wrong).starts_with("400 "));
    CHECK(cron("{}") == "none");
}

TEST_CASE("a schedule's bounds are read") {
    auto read = read_trigger(
        Json::parse(R"({"cron_schedule":{"cron":"0 0 * * * *",)"
                    R"("start_time":"2026-01-01T00:00:00Z","end_time":"2027-01-01T00:00:00Z"}})"));
    REQUIRE(read.ok());
    REQUIRE(read->has_value());
    REQUIRE((*read)->start.has_value());
    CHECK(format_rfc3339(*(*read)->start) == "2026-01-01T00:00:00Z");
    CHECK(format_rfc3339(*(*read)->end) == "2027-01-01T00:00:00Z");
}
