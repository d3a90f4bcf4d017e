#include <nlohmann/json.hpp>

#include <weir/engine/lines.hpp>
#include <weir/events/wire_codec.hpp>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::engine;
using Json = nlohmann::ordered_json;

namespace {

std::vector<std::string> keys(const std::string& line) {
    std::vector<std::string> out;
    const auto json = Json::parse(line);
    for (const auto& [key, value] : json.items())
        out.push_back(key);
    return out;
}

ledger::RunRow full_run() {
    ledger::RunRow run;
    run.id = RunId{Uuid::parse("01234567-89ab-8def-8123-456789abcdef").value()};
    run.decision_id = DecisionId{Uuid::parse("01234567-89ab-8def-8123-000000000001").value()};
    run.team = "ads";
    run.flow_team = "ml";
    run.flow = "train";
    run.backend = "local";
    run.trigger_name = "retrain";
    run.trigger_version = 3;
    run.state = ledger::RunState::Settled;
    run.outcome = flows::Outcome::Failed;
    run.attempt = 2;
    run.arguments_json = "{\n  \"text\": \"a \\\" b\",\n  \"n\": 1.50\n}";
    run.events = {{Seq(5), "/lake", "o\n1", "orders"}};
    run.created = run.started_at = from_ns(1'790'000'000'000'000'000);
    run.reason = "task train failed";
    return run;
}

} // namespace

TEST_CASE("a run line has every key, in one order, whatever is known") {
    const auto line = run_line(full_run());
    const std::vector<std::string> promised{
        "run",        "flow",       "team",    "backend",         "state",
        "outcome",    "attempt",    "trigger", "trigger_version", "decision",
        "events",     "parameters", "outputs", "created_at",      "started_at",
        "finished_at"};
    const auto all = keys(line);
    REQUIRE(all.size() > promised.size());
    CHECK(std::vector<std::string>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(promised.size())) ==
          promised);
    CHECK(keys(run_line(ledger::RunRow{})) == all);
    CHECK(line.find('\n') == std::string::npos);

    const auto json = Json::parse(line);
    CHECK(json["run"] == "01234567-89ab-8def-8123-456789abcdef");
    CHECK(json["state"] == "settled");
    CHECK(json["outcome"] == "failed");
    CHECK(json["events"][0] == Json({{"source", "/lake"}, {"id", "o\n1"}, {"role", "orders"}}));
    CHECK(json["parameters"]["text"] == "a \" b");
    CHECK(line.find("1.50") != std::string::npos); // numbers stay as they were written
    CHECK(json["outputs"] == Json::object());
    CHECK(json["started_at"] == json["created_at"]);
    CHECK(json["finished_at"].is_null());
    CHECK(json["hold"].is_null());
    CHECK(json["flow_team"] == "ml");

    const auto manual = Json::parse(run_line(ledger::RunRow{}));
    CHECK(manual["trigger"].is_null());
    CHECK(manual["trigger_version"].is_null());
    CHECK(manual["decision"].is_null());
    CHECK(manual["outcome"].is_null());
    CHECK(manual["parameters"].is_null());
}

TEST_CASE("a decision line has every key, in one order") {
    ledger::DecisionRow row;
    row.version = 2;
    row.verdict = ledger::Verdict::Suppressed;
    row.reason = "overlap_skip";
    row.without = {"events"};
    const auto line = decision_line(row, "retrain", {{Seq(1), "/lake", "o", "orders"}}, std::nullopt);
    const auto all = keys(line);
    const std::vector<std::string> promised{
        "decision", "trigger", "trigger_version", "verdict", "reason", "events", "run", "at"};
    CHECK(std::vector<std::string>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(promised.size())) ==
          promised);
    CHECK(keys(decision_line({}, "", {}, RunId{})) == all);
    const auto json = Json::parse(line);
    CHECK(json["verdict"] == "suppressed");
    CHECK(json["run"].is_null());
    CHECK(json["without"][0] == "events");
}

TEST_CASE("an event line shows its data as it is, and says when it is gone") {
    events::Event event;
    event.id = "o-1";
    event.source = "/lake";
    event.type = "data.ready";
    event.time = "2026-11-21T10:00:00Z";
    event.datacontenttype = "application/json";
    event.set_extension("weirdepth", "2", events::AttributeType::Integer);
    event.data_kind = events::DataKind::Json;
    event.data = R"({"n":1.0})";
    ledger::InputRow row;
    row.seq = Seq(7);
    row.id = event.id;
    row.source = event.source;
    row.type = event.type;
    row.time = from_ns(1'790'000'000'000'000'000);
    row.late_by = std::chrono::seconds(3);
    row.body = events::encode_wire(event);

    const auto json = Json::parse(event_line(row, true, "events"));
    CHECK(json["time"] == "2026-11-21T10:00:00Z");
    CHECK(json["stream"] == "events");
    CHECK(json["extensions"]["weirdepth"] == 2);
    CHECK(json["data"]["n"] == 1.0);
    CHECK(json["late_by"] == "3s");
    CHECK(json["data_retained"] == true);
    CHECK_FALSE(Json::parse(event_line(row, false)).contains("data"));

    SECTION("binary data is base64") {
        event.data_kind = events::DataKind::Binary;
        event.datacontenttype = "application/octet-stream";
        event.data = std::string("\0\xff\x10", 3);
        row.body = events::encode_wire(event);
        const auto binary = Json::parse(event_line(row, true));
        CHECK(binary["data"].is_null());
        CHECK(binary["data_base64"] == "AP8Q");
    }
    SECTION("no payload, no data") {
        row.body.clear();
        row.duplicate_of = Seq(3);
        const auto gone = Json::parse(event_line(row, true));
        CHECK(gone["data_retained"] == false);
        CHECK(gone["data"].is_null());
        CHECK(gone["time"].is_null());
        CHECK(gone["duplicate_of"] == 3);
    }
}

TEST_CASE("JSON is shown compact, and what is no JSON cannot break a line") {
    const auto value = [](std::string_view text) {
        std::string out;
        append_json_value(out, text);
        return out;
    };
    CHECK(value("") == "null");
    CHECK(value(" { \"a b\" : [ 1 ,\n 2 ] , \"c\\\\\" : \" \\\" \" } ") == R"({"a b":[1,2],"c\\":" \" "})");
    CHECK(value("{broken\n") == R"("{broken\\x0a")");
}
