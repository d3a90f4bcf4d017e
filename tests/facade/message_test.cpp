#include <support/catch.hpp>

#include "messages.hpp"

using namespace weir;
using namespace weir::facade;

namespace {

Outcome<Json> run(const std::string& text) {
    WEIR_ASSIGN(json, parse_json(text, 1 << 20));
    return read_message(json, run_message());
}

std::string refused(const std::string& text) {
    auto read = run(text);
    if (read.ok()) return "taken: " + to_text(*read);
    CHECK(read.error().bare);
    CHECK(read.error().code == Code::Invalid);
    return read.error().message;
}

std::string taken(const std::string& text) {
    auto read = run(text);
    return read.ok() ? to_text(*read) : "refused: " + read.error().message;
}

} // namespace

TEST_CASE("messages come in snake_case and camelCase, and null is absent") {
    CHECK(taken(R"({"displayName":"x","experiment_id":"e","run_id":null})") ==
          R"({"display_name":"x","experiment_id":"e"})");
    CHECK(taken(R"({"state":"RUNNING"})") == R"({"state":"RUNNING"})");
    CHECK(taken(R"({"state":2})") == R"({"state":"RUNNING"})");
    CHECK(taken(R"({"state":0,"description":""})") == "{}");
    CHECK(taken(R"({"runtimeConfig":{"pipelineRoot":"s3://b","parameters":null}})") ==
          R"({"runtime_config":{"pipeline_root":"s3://b"}})");
}

TEST_CASE("numbers in structs are doubles, whole ones written without a point") {
    CHECK(
        taken(R"({"runtime_config":{"parameters":{"a":1.0,"b":1e2,"c":[1.5,2.0],"d":9007199254740993}}})") ==
        R"({"runtime_config":{"parameters":{"a":1,"b":100,"c":[1.5,2],"d":9007199254740992}}})");
    CHECK(taken(R"({"runtime_config":{"parameters":{"a":12345678901234567890}}})") ==
          R"({"runtime_config":{"parameters":{"a":12345678901234567000}}})");
    CHECK(taken(R"({"runtime_config":{"parameters":{"a":-12345678901234567}}})") ==
          R"({"runtime_config":{"parameters":{"a":-12345678901234568}}})");
}

TEST_CASE("what is not of its type is the gateway's to refuse") {
    CHECK(refused(R"({"display_name":5})").find("string field displayName") != std::string::npos);
    CHECK(refused(R"({"state":"NOPE"})").find("enum field state") != std::string::npos);
    CHECK(refused(R"({"state":77})").find("enum field state") != std::string::npos);
    CHECK(refused(R"({"nope":1})").find("unknown field \"nope\"") != std::string::npos);
    CHECK(refused(R"({"displayName":"a","display_name":"b"})").find("duplicate field") != std::string::npos);
    CHECK(refused(R"({"runtime_config":{"parameters":{"a":1,"a":2}}})").find("duplicate map key") !=
          std::string::npos);
    CHECK(refused(R"({"created_at":"yesterday"})").find("Timestamp") != std::string::npos);
    CHECK(refused(R"({"pipeline_spec":{},"pipeline_version_reference":{}})").find("oneof") !=
          std::string::npos);
    CHECK(refused(R"({"pipeline_spec":[]})").starts_with("proto"));
    CHECK(refused("[]").starts_with("proto"));
    CHECK(refused("{").starts_with("proto"));
    CHECK(refused("").starts_with("proto"));
    CHECK(refused(R"({"runtime_config":{"parameters":{"a":NaN}}})").starts_with("proto"));
    CHECK(refused(std::string(200, '[')).starts_with("proto"));
}

TEST_CASE("64-bit integers come as numbers and as texts") {
    const auto recurring = [](const std::string& value) -> std::string {
        auto json = parse_json(R"({"max_concurrency":)" + value + "}", 1000);
        if (!json.ok()) return json.error().message;
        auto read = read_message(*json, recurring_run_message());
        return read.ok() ? to_text(*read) : "refused";
    };
    CHECK(recurring("2") == R"({"max_concurrency":2})");
    CHECK(recurring("\"2\"") == R"({"max_concurrency":2})");
    CHECK(recurring("2.0") == R"({"max_concurrency":2})");
    CHECK(recurring("0") == "{}");
    CHECK(recurring("2.5") == "refused");
    CHECK(recurring("\"2x\"") == "refused");
    CHECK(recurring("true") == "refused");
    CHECK(recurring("99999999999999999999") == "refused");
}
