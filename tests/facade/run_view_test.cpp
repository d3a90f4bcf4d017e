#include <support/catch.hpp>

#include "run_view.hpp"

using namespace weir;
using namespace weir::facade;
using ledger::RunState;

namespace {

constexpr std::int64_t second = 1'000'000'000;
const Instant begin = from_ns(1'790'000'000 * second + 250'000'000);

ledger::RunRow row(RunState state) {
    ledger::RunRow row;
    row.id = RunId{Uuid::parse("0199c5a0-0000-8000-8000-000000000001").value()};
    row.flow = "train";
    row.created = begin;
    row.state = state;
    row.arguments_json = "{}";
    return row;
}

ledger::RunRow settled(flows::Outcome outcome) {
    auto ended = row(RunState::Settled);
    ended.outcome = outcome;
    ended.attempt = 1;
    ended.finished_at = begin + std::chrono::seconds(9);
    return ended;
}

ledger::AttemptRow attempt(int number, std::optional<flows::Outcome> outcome) {
    ledger::AttemptRow row;
    row.attempt = number;
    row.started_at = begin + std::chrono::seconds(number * 10 - 9);
    if (outcome) {
        row.settled = Seq(9);
        row.outcome = outcome;
        row.finished_at = begin + std::chrono::seconds(number * 10 - 1);
    }
    return row;
}

std::string history(const ledger::RunRow& row, std::vector<ledger::AttemptRow> attempts) {
    std::string out;
    const auto json = run_json(make_view(row, std::nullopt, "exp"), {std::move(attempts), {}}, Json());
    for (const auto& entry : json["state_history"])
        out += (out.empty() ? "" : " ") + entry["state"].get<std::string>();
    return out;
}

} // namespace

TEST_CASE("states of weir's runs in KFP's words") {
    for (const auto state :
         {RunState::Waiting, RunState::Ready, RunState::Sent, RunState::Unknown, RunState::Accepted})
        CHECK(runtime_state(row(state)) == "PENDING");
    CHECK(runtime_state(row(RunState::Running)) == "RUNNING");
    CHECK(runtime_state(settled(flows::Outcome::Succeeded)) == "SUCCEEDED");
    CHECK(runtime_state(settled(flows::Outcome::Skipped)) == "SKIPPED");
    for (const auto outcome :
         {flows::Outcome::Failed, flows::Outcome::Cancelled, flows::Outcome::Refused, flows::Outcome::Lost})
        CHECK(runtime_state(settled(outcome)) == "FAILED");
    auto canceling = row(RunState::Running);
    canceling.cancel_requested = begin;
    CHECK(runtime_state(canceling) == "CANCELING");
    auto retried = row(RunState::Ready);
    retried.attempt = 2;
    CHECK(runtime_state(retried) == "RUNNING");
}

TEST_CASE("the history tells of every attempt") {
    using flows::Outcome;
    CHECK(history(row(RunState::Ready), {}) == "PENDING");
    CHECK(history(row(RunState::Running), {attempt(1, {})}) == "PENDING RUNNING");
    CHECK(history(settled(Outcome::Succeeded), {attempt(1, Outcome::Succeeded)}) ==
          "PENDING RUNNING SUCCEEDED");
    CHECK(history(settled(Outcome::Refused), {}) == "PENDING FAILED");
    auto again = row(RunState::Running);
    again.attempt = 2;
    CHECK(history(again, {attempt(1, Outcome::Failed), attempt(2, {})}) == "PENDING RUNNING FAILED RUNNING");
    CHECK(history(settled(Outcome::Succeeded),
                  {attempt(1, Outcome::Cancelled), attempt(2, Outcome::Succeeded)}) ==
          "PENDING RUNNING FAILED RUNNING SUCCEEDED");
}

TEST_CASE("the history never runs backwards") {
    auto again = row(RunState::Ready);
    again.attempt = 2;
    auto retried = attempt(2, {});
    retried.started_at = {};
    const auto json = run_json(make_view(again, std::nullopt, "exp"),
                               {{attempt(1, flows::Outcome::Failed), retried}, {}}, Json());
    std::string last;
    for (const auto& entry : json["state_history"]) {
        CHECK(last <= entry["update_time"].get<std::string>());
        last = entry["update_time"];
    }
    CHECK(json["state_history"].back()["state"] == "RUNNING");
}

TEST_CASE("a run that has not ended did so in 1970, and created_at is finer than a second") {
    const auto json = run_json(make_view(row(RunState::Running), std::nullopt, "exp"), {}, Json());
    CHECK(json["finished_at"] == "1970-01-01T00:00:00Z");
    CHECK(json["created_at"] == format_rfc3339(begin));
    CHECK(json["scheduled_at"] == format_rfc3339(from_ns(1'790'000'000 * second)));
    CHECK(json["experiment_id"] == "exp");
    CHECK(json["display_name"] == "train-0199c5a0");
    CHECK(json["storage_state"] == "AVAILABLE");
    for (const auto* absent : {"run_details", "runtime_config", "description", "error", "pipeline_spec",
                               "pipeline_version_reference", "recurring_run_id"})
        CHECK(!json.contains(absent));
}

TEST_CASE("what a client said of a run is shown, tasks by their last name") {
    RunNote note;
    note.shown_id = "weir-2024_a.b";
    note.display_name = "mine";
    note.description = "d";
    note.pipeline = "P";
    note.version = "V";
    note.parameters_json = R"({"msg":"[[RunUUID]]"})";
    note.archived = true;
    RunDetails details;
    details.tasks.push_back({"for-loop-1.0/train", flows::TaskState::Failed, 1, begin, begin, "why", ""});
    const auto json = run_json(make_view(settled(flows::Outcome::Failed), note, "exp"), details, Json());
    CHECK(json["run_id"] == "weir-2024_a.b");
    CHECK(json["storage_state"] == "ARCHIVED");
    CHECK(json["runtime_config"]["parameters"]["msg"] == "[[RunUUID]]");
    CHECK(json["pipeline_version_reference"] == Json{{"pipeline_id", "P"}, {"pipeline_version_id", "V"}});
    const auto& task = json["run_details"]["task_details"][0];
    CHECK(task["display_name"] == "train");
    CHECK(task["state"] == "FAILED");
    CHECK(!task.contains("error"));
}

TEST_CASE("a recurring run's trigger is known by its name") {
    const std::string id = "4327b1b0-7f62-4de7-8506-438a56b0f4b2";
    CHECK(recurring_of_trigger(trigger_of_recurring(id)) == id);
    CHECK(recurring_of_trigger("kfp-nightly").empty());
    CHECK(recurring_of_trigger("retrain").empty());
}

TEST_CASE("view=FULL shows outputs at the root, then the tasks") {
    auto ended = settled(flows::Outcome::Failed);
    ended.outputs_json = R"({"auc":0.9})";
    RunDetails details;
    details.attempts = {attempt(1, flows::Outcome::Failed)};
    flows::ArtifactRecord model;
    model.name = "model";
    model.uri = "s3://b/m";
    model.metadata_json = R"({"rows":3})";
    details.attempts[0].outputs = {model};
    flows::TaskRecord task;
    task.name = "loop-0/fit";
    task.state = flows::TaskState::Failed;
    task.error = "exit 1";
    details.tasks = {task};
    const auto tasks = full_tasks(make_view(ended, std::nullopt, "exp"), details);
    REQUIRE(tasks.size() == 2);
    CHECK(tasks[0]["type"] == "ROOT");
    CHECK(tasks[0]["state"] == "FAILED");
    CHECK(tasks[0]["outputs"]["parameters"][0]["parameter_key"] == "auc");
    CHECK(tasks[0]["outputs"]["parameters"][0]["value"] == 0.9);
    const auto& artifact = tasks[0]["outputs"]["artifacts"][0];
    CHECK(artifact["artifact_key"] == "model");
    CHECK(artifact["artifacts"][0]["uri"] == "s3://b/m");
    CHECK(artifact["artifacts"][0]["metadata"]["rows"] == 3);
    CHECK_FALSE(artifact["artifacts"][0].contains("type"));
    CHECK(tasks[1]["display_name"] == "fit");
    CHECK(tasks[1]["error"]["message"] == "exit 1");
    // One without outputs says nothing of them.
    CHECK_FALSE(
        full_tasks(make_view(row(RunState::Running), std::nullopt, "exp"), {})[0].contains("outputs"));
}
