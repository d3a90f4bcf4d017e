#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>
#include <nlohmann/json.hpp>
#include <support/catch.hpp>

#include <weir/facade/facade.hpp>

#include "../engine/story.hpp"

namespace weir::facade::test {

using nlohmann::json;

/// Registers what it is told in the story's ledger, and looks at teams as the engine does.
class KeepingEngine final : public engine::Engine {
  public:
    explicit KeepingEngine(engine::test::Story& story) : story_(story) {}

    Result<engine::ApplyReport> apply(const engine::ApplyRequest& request) override {
        engine::ApplyReport report;
        for (const auto& file : request.files) {
            const auto document = json::parse(file.text);
            const std::string team = document.value("team", request.default_team);
            if (!request.teams.empty() && request.teams.front() != team)
                return Error(ErrorKind::Denied, "the token does not reach the team " + team);
        }
        if (!problem.empty()) report.problems.push_back(problem);
        if (request.dry_run || !report.problems.empty()) return report;
        if (request.prune) pruned.push_back(request.owner);
        for (const auto& file : request.files)
            take(request, file, json::parse(file.text));
        return report;
    }
    Status delete_trigger(const std::string& team, const std::string& name, const engine::Actor&) override {
        return set(team, name, ledger::TriggerState::Deleted);
    }
    Status pause(const std::string& team, const std::string& name, const engine::Actor&) override {
        return set(team, name, ledger::TriggerState::Paused);
    }
    Status resume(const std::string& team, const std::string& name, bool, const engine::Actor&) override {
        return set(team, name, ledger::TriggerState::Active);
    }
    Result<RunId> run_flow(const std::string&, const std::string&, const std::string&, const std::string&,
                           const engine::Actor&) override {
        return unsupported("not here");
    }
    Result<RunId> start_run(const engine::StartRun& start, const engine::Actor&) override {
        ledger::RunRow row;
        row.team = row.flow_team = start.flow->team;
        row.flow = start.flow->flow;
        row.arguments_json = start.arguments_json;
        started.push_back(start.flow->team + "/" + start.flow->flow);
        return story_.run(std::move(row), start.id);
    }
    Result<bool> report_run(const engine::RunSaid&, const engine::Actor&) override { return false; }
    Status cancel_run(const RunId&, const engine::Actor&) override { return {}; }
    Status retry_run(const RunId&, const engine::Actor&) override { return {}; }
    Status publish(std::span<const events::Event>) override { return {}; }
    Result<std::vector<engine::StreamReport>> streams() override {
        return std::vector<engine::StreamReport>();
    }
    Status accept_gap(const std::string&, const engine::Actor&) override { return {}; }
    Status replay(ledger::DeadLetterNo, const engine::Actor&) override { return {}; }
    std::vector<engine::JoinWaiting> waiting(const std::string&, const std::string&) override { return {}; }
    std::vector<engine::ReadyItem> readiness() override { return {}; }
    std::vector<engine::MetricValue> metrics() override { return {}; }

    std::string problem; ///< with which everything applied is refused
    std::vector<std::string> started;
    std::vector<std::string> pruned;
    std::map<std::string, json> flows;        ///< documents by "team/name"
    std::map<std::string, json> triggers;     ///< the same
    std::map<std::string, std::string> texts; ///< pipelines of flows

  private:
    void take(const engine::ApplyRequest& request, const engine::SourceFile&, const json& document) {
        const std::string team = document.value("team", request.default_team);
        if (document.contains("trigger")) {
            const std::string name = document["trigger"];
            triggers[team + "/" + name] = document;
            numbers_[team + "/" + name] = story_.trigger(name, document.dump(), team);
            return;
        }
        const std::string name = document["flow"];
        flows[team + "/" + name] = document;
        texts[team + "/" + name] = request.extra.begin()->second;
        flows::FlowVersion version;
        version.team = team;
        version.flow = name;
        version.backend = "local";
        version.version = "v" + std::to_string(++versions_);
        version.pipeline = request.extra.begin()->second;
        version.settings_json = document.dump();
        story_.flow(version);
    }
    Status set(const std::string& team, const std::string& name, ledger::TriggerState state) {
        const auto found = numbers_.find(team + "/" + name);
        if (found == numbers_.end()) return not_found("no such trigger");
        story_.state(found->second, state, "as asked");
        if (state == ledger::TriggerState::Deleted) numbers_.erase(found);
        return {};
    }

    engine::test::Story& story_;
    std::map<std::string, ledger::TriggerNo> numbers_;
    int versions_ = 0;
};

/// The façade over an in-memory ledger and a store in a folder of its own.
struct Rig {
    std::string folder =
        (std::filesystem::temp_directory_path() / ("weir-facade-rig-" + std::to_string(::getpid()))).string();
    engine::test::Story story;
    KeepingEngine engine{story};
    ManualClock clock{from_ns(1'790'003'600'000'000'000)};
    std::unique_ptr<PipelineStore> store;
    std::unique_ptr<Facade> facade;
    std::vector<std::string> teams; ///< of the token that asks; none: every team

    Rig() {
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        store = engine::test::Story::ok(open_pipeline_store(folder + "/pipelines.db"));
        facade = engine::test::Story::ok(
            Facade::open({engine, story.reader(), nullptr, *store, clock}, {"1.2.3", "/usr/bin:/bin"}));
    }
    ~Rig() { std::filesystem::remove_all(folder); }

    static std::string spec(const std::string& parameter = "msg", const std::string& name = "hello") {
        return R"({"pipelineInfo":{"name":")" + name +
               R"("},"schemaVersion":"2.1.0","sdkVersion":"kfp-2.17.0","components":{"comp-say":{"executorLabel":)"
               R"("exec-say"}},"deploymentSpec":{"executors":{"exec-say":{"container":{"image":"alpine",)"
               R"("command":["sh","-c"],"args":["true"]}}}},"root":{"dag":{"tasks":{"say":{"taskInfo":)"
               R"({"name":"say"},"componentRef":{"name":"comp-say"}}}},"inputDefinitions":{"parameters":{")" +
               parameter + R"(":{"parameterType":"STRING","defaultValue":"hi","isOptional":true}}}}})";
    }

    Answer ask(const std::string& method, const std::string& path, const std::string& body = {},
               const std::string& type = "application/json") {
        Call call;
        call.method = method;
        call.target = std::string(prefix) + path;
        call.body = body;
        call.content_type = type;
        call.principal = "local:test";
        call.teams = teams;
        call.admin = true;
        return facade->answer(call);
    }
    json get(const std::string& path, int status = 200) { return read(ask("GET", path), status); }
    json post(const std::string& path, const json& body = json::object(), int status = 200) {
        return read(ask("POST", path, body.dump()), status);
    }
    json remove(const std::string& path, int status = 200) { return read(ask("DELETE", path), status); }
    json upload(const std::string& query, const std::string& text = spec(), int status = 200) {
        clock.advance(std::chrono::seconds(1));
        const auto body =
            "--cut\r\nContent-Disposition: form-data; name=\"uploadfile\"; filename=\"p.yaml\"\r\n\r\n" +
            text + "\r\n--cut--\r\n";
        return read(ask("POST", "pipelines/" + query, body, "multipart/form-data; boundary=cut"), status);
    }
    std::string pipeline(const std::string& name, const std::string& text = spec()) {
        return upload("upload?name=" + name, text)["pipeline_id"];
    }
    static json schedule(const std::string& pipeline, const std::string& version = {}) {
        json body{{"display_name", "nightly"},
                  {"max_concurrency", 1},
                  {"mode", "ENABLE"},
                  {"pipeline_version_reference", {{"pipeline_id", pipeline}}},
                  {"trigger", {{"cron_schedule", {{"cron", "0 0 0 * * *"}}}}}};
        if (!version.empty()) body["pipeline_version_reference"]["pipeline_version_id"] = version;
        return body;
    }
    /// A run as a schedule's trigger makes one.
    std::string scheduled_run(const std::string& recurring, const std::string& team = "default") {
        ledger::RunRow row;
        row.team = row.flow_team = team;
        row.trigger_name = "kfp-" + recurring;
        row.flow = "hello";
        row.arguments_json = R"({"msg":"tick"})";
        return story.run(std::move(row)).to_string();
    }
    /// Registers a flow as a user does: of the backend `kubeflow`, with the pipeline by its name.
    void user_flow(const std::string& team, const std::string& name, const std::string& pipeline) {
        flows::FlowVersion version;
        version.team = team;
        version.flow = name;
        version.version = "0123456789ab";
        version.backend = "kubeflow";
        version.settings_json = json{{"pipeline", pipeline}}.dump();
        story.flow(version);
    }

  private:
    static json read(const Answer& answer, int status) {
        INFO(answer.body);
        REQUIRE(answer.status == status);
        return json::parse(answer.body);
    }
};

} // namespace weir::facade::test
