#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include <support/catch.hpp>

#include <weir/engine/lines.hpp>

using namespace weir;
using nlohmann::json;

// The published schema of the finish event against the line that the engine writes.

namespace {

bool is_of(const json& value, const std::string& type) {
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    return type == "null" && value.is_null();
}

/// What does not fit, for the few words of JSON Schema that the file uses.
std::vector<std::string> faults(const json& schema, const json& value, const std::string& place) {
    std::vector<std::string> out;
    const auto types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    bool fits = false;
    for (const auto& type : types)
        fits = fits || is_of(value, type.get<std::string>());
    if (!fits) return {place + " is of another type"};
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
        out.push_back(place + " is none of the words");
    if (schema.contains("minimum") && value < schema["minimum"]) out.push_back(place + " is too small");
    const auto add = [&](std::vector<std::string> more) { out.insert(out.end(), more.begin(), more.end()); };
    if (value.is_array() && schema.contains("items"))
        for (const auto& item : value)
            add(faults(schema["items"], item, place + "[]"));
    if (!value.is_object()) return out;
    for (const auto& name : schema.value("required", json::array()))
        if (!value.contains(name)) out.push_back(place + "." + name.get<std::string>() + " is missing");
    if (schema.contains("properties"))
        for (const auto& [name, inner] : schema["properties"].items())
            if (value.contains(name)) add(faults(inner, value[name], place + "." + name));
    return out;
}

json load() {
    std::ifstream file(FINISH_SCHEMA);
    REQUIRE(file.good());
    return json::parse(file);
}

} // namespace

TEST_CASE("the line of an ended run fits the published schema, with every outcome word") {
    const auto schema = load();
    std::set<std::string> words;
    for (int i = 0; i < 6; ++i) {
        ledger::RunRow run;
        run.flow = "train";
        run.team = run.flow_team = "ads";
        run.backend = "local";
        run.arguments_json = "{\"date\":\"2026-03-01\"}";
        run.attempt = 1;
        run.state = ledger::RunState::Settled;
        run.outcome = static_cast<flows::Outcome>(i);
        run.finished_at = from_ns(1'700'000'000'000'000'000);
        if (i % 2 == 0) {
            run.trigger_name = "retrain";
            run.trigger_version = 3;
            run.events = {{Seq(1), "/folder/in", "x", "orders"}};
        }
        const auto line = json::parse(engine::run_line(run));
        CHECK(faults(schema, line, "data").empty());
        words.insert(line["outcome"].get<std::string>());
    }
    CHECK(words == schema["properties"]["outcome"]["enum"].get<std::set<std::string>>());
}

TEST_CASE("the schema tells a wrong line from a right one") {
    const auto schema = load();
    CHECK_FALSE(faults(schema, json::object(), "data").empty());
    ledger::RunRow run;
    const auto unfinished = json::parse(engine::run_line(run));
    CHECK_FALSE(faults(schema, unfinished, "data").empty());
}
