#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <support/catch.hpp>

#include <weir/base/clock.hpp>
#include <weir/server/api.hpp>

#include <openapi/document.hpp>

#include "../engine/story.hpp"
#include "conforming.hpp"

namespace weir::server::test {

using Json = nlohmann::json;

/// Notes what it is asked and answers what the test says.
class FakeEngine final : public engine::Engine {
  public:
    Result<engine::ApplyReport> apply(const engine::ApplyRequest& request) override {
        applied.push_back(request);
        if (failure) return *failure;
        return report;
    }
    Status delete_trigger(const std::string& team, const std::string& name,
                          const engine::Actor& actor) override {
        return note("delete " + team + "/" + name, actor);
    }
    Status pause(const std::string& team, const std::string& name, const engine::Actor& actor) override {
        return note("pause " + team + "/" + name, actor);
    }
    Status resume(const std::string& team, const std::string& name, bool replay,
                  const engine::Actor& actor) override {
        return note("resume " + team + "/" + name + (replay ? " replay" : " drop"), actor);
    }
    Result<RunId> run_flow(const std::string& team, const std::string& flow,
                           const std::string& arguments_json, const std::string& request_id,
                           const engine::Actor& actor) override {
        request_ids.push_back(request_id);
        WEIR_TRY(note("run " + team + "/" + flow + " " + arguments_json, actor));
        return run;
    }
    Result<RunId> start_run(const engine::StartRun& start, const engine::Actor& actor) override {
        WEIR_TRY(
            note("start " + start.flow->team + "/" + start.flow->flow + " " + start.arguments_json, actor));
        return start.id;
    }
    Result<bool> report_run(const engine::RunSaid& report_said, const engine::Actor& actor) override {
        said.push_back(report_said);
        WEIR_TRY(note("report " + report_said.run.to_string(), actor));
        return report_is_news;
    }
    Status cancel_run(const RunId& id, const engine::Actor& actor) override {
        return note("cancel " + id.to_string(), actor);
    }
    Status retry_run(const RunId& id, const engine::Actor& actor) override {
        return note("retry " + id.to_string(), actor);
    }
    Status publish(std::span<const events::Event> events) override {
        if (failure) return *failure;
        published.insert(published.end(), events.begin(), events.end());
        return {};
    }
    Result<std::vector<engine::StreamReport>> streams() override { return stream_reports; }
    Status accept_gap(const std::string& stream, const engine::Actor& actor) override {
        return note("accept-gap " + stream, actor);
    }
    Status replay(ledger::DeadLetterNo letter, const engine::Actor& actor) override {
        return note("replay " + std::to_string(letter.value), actor);
    }
    std::vector<engine::JoinWaiting> waiting(const std::string&, const std::string&) override {
        return joins;
    }
    std::vector<engine::ReadyItem> readiness() override { return ready; }
    std::vector<engine::MetricValue> metrics() override { return values; }

    std::vector<std::string> acts; ///< "pause ads/retrain by local:alice: upgrade"
    std::vector<std::string> request_ids;
    std::vector<engine::ApplyRequest> applied;
    std::vector<events::Event> published;
    std::vector<engine::RunSaid> said;
    bool report_is_news = true;
    std::optional<Error> failure;
    engine::ApplyReport report;
    RunId run;
    std::vector<engine::JoinWaiting> joins;
    std::vector<engine::StreamReport> stream_reports;
    std::vector<engine::ReadyItem> ready;
    std::vector<engine::MetricValue> values;

  private:
    Status note(const std::string& act, const engine::Actor& actor) {
        acts.push_back(act + " by " + actor.principal + ": " + actor.reason);
        if (failure) return *failure;
        return {};
    }
};

class FakeTasks final : public flows::TaskReader {
  public:
    Result<std::vector<flows::TaskRecord>> tasks(RunId) const override {
        if (missing) return not_found("no such run here");
        return records;
    }
    Result<std::string> log(RunId, std::string_view task, std::size_t bytes_max) const override {
        const auto found = logs.find(std::string(task));
        if (found == logs.end()) return not_found("no such task");
        const auto& text = found->second;
        return text.size() <= bytes_max ? text : text.substr(text.size() - bytes_max);
    }
    bool missing = false;
    std::vector<flows::TaskRecord> records;
    std::map<std::string, std::string> logs;
};

/// An Api over the in-memory ledger, asked without a network.
struct Rig {
    engine::test::Story story;
    FakeEngine engine;
    FakeTasks tasks;
    AllowAll authorizer;
    ManualClock clock{from_ns(1'790'003'600'000'000'000)};
    Api api{{engine, story.reader(), &tasks, authorizer, clock}, config()};

    static ApiConfig config() {
        ApiConfig config;
        config.version = "1.2.3";
        config.allowed_hosts = {"weir.test", "proxy.test:8443"};
        return config;
    }

    static Request request(const std::string& method, const std::string& target, const std::string& body = {},
                           const std::string& type = "application/json") {
        Request request{method, target, {{"Host", "127.0.0.1:9347"}}, body, "127.0.0.1:5"};
        if (!body.empty()) request.headers.push_back({"Content-Type", type});
        return request;
    }
    Response get(const std::string& target) { return handle(request("GET", target)); }
    Response post(const std::string& target, const std::string& body = {},
                  const std::string& type = "application/json") {
        return handle(request("POST", target, body, type));
    }
    /// Every answer that a test gets so is held against the OpenAPI document.
    Response handle(const Request& asked) {
        static const Json document = Json::parse(openapi_document("1.2.3"));
        auto response = api.handle(asked);
        const auto departs = departs_from(document, asked.method, asked.target, response);
        INFO(asked.method << " " << asked.target << ": " << response.status << " " << response.body);
        CHECK(departs == "");
        return response;
    }
    /// The JSON of an answer that must have this status.
    static Json json(const Response& response, int status = 200) {
        INFO(response.body);
        REQUIRE(response.status == status);
        auto json = Json::parse(response.body, nullptr, false);
        REQUIRE(!json.is_discarded());
        return json;
    }
    /// The detail of a problem that must have this status; every problem has the members RFC 9457 names.
    static std::string problem(const Response& response, int status) {
        const auto body = json(response, status);
        const auto* type = response.header("Content-Type");
        REQUIRE(type != nullptr);
        CHECK(*type == "application/problem+json");
        CHECK(body["status"] == status);
        CHECK(body["type"].get<std::string>().starts_with("urn:weir:problem:"));
        CHECK(!body["title"].get<std::string>().empty());
        return body["detail"];
    }
};

inline bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace weir::server::test
