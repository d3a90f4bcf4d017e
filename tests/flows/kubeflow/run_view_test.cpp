#include <algorithm>

#include <support/catch.hpp>

#include "create_run.hpp"
#include "run_view.hpp"
#include "watch.hpp"

using namespace weir;
using namespace weir::flows;
using namespace weir::flows::kubeflow;

namespace {

constexpr const char* never = "1970-01-01T00:00:00Z";

/// A run whose history is "STATE STATE", a second apart from 10:00:01 on.
RunView run_with(const std::string& state, const std::string& history, const std::string& finished = never) {
    std::string list;
    int second = 1;
    for (std::size_t at = 0; at < history.size();) {
        const auto end = std::min(history.find(' ', at), history.size());
        list += (list.empty() ? "" : ",");
        list += "{\"update_time\":\"2026-01-01T10:00:0" + std::to_string(second++) + "Z\",\"state\":\"" +
                history.substr(at, end - at) + "\"}";
        at = end + 1;
    }
    const auto run =
        read_run("{\"run_id\":\"r\",\"created_at\":\"2026-01-01T10:00:00Z\",\"state\":\"" + state +
                 "\",\"finished_at\":\"" + finished + "\",\"state_history\":[" + list + "]}");
    REQUIRE(run.ok());
    return *run;
}

Instant at(int second) {
    return *parse_rfc3339("2026-01-01T10:00:0" + std::to_string(second) + "Z");
}

} // namespace

TEST_CASE("attempts are counted from the history", "[kubeflow]") {
    SECTION("a run that goes well") {
        const auto attempts =
            attempts_of(run_with("SUCCEEDED", "PENDING RUNNING SUCCEEDED", "2026-01-01T10:00:02Z"));
        REQUIRE(attempts.size() == 1);
        CHECK(attempts[0].settled);
        CHECK(attempts[0].state == "SUCCEEDED");
        CHECK(attempts[0].started == at(2));
        CHECK(attempts[0].finished == at(2)); // Argo's own end
        CHECK(attempts[0].note.empty());
    }
    SECTION("only FAILED -> running opens one") {
        const auto attempts = attempts_of(run_with("RUNNING", "PENDING RUNNING FAILED RUNNING"));
        REQUIRE(attempts.size() == 2);
        CHECK(attempts[0].settled);
        CHECK(attempts[0].state == "FAILED");
        CHECK(attempts[0].finished == at(3));
        CHECK_FALSE(attempts[1].settled);
        CHECK(attempts[1].number == 2);
        CHECK(attempts[1].started == at(4));
    }
    SECTION("SUCCEEDED -> RUNNING -> SUCCEEDED is a flap") {
        const auto attempts =
            attempts_of(run_with("SUCCEEDED", "PENDING RUNNING SUCCEEDED RUNNING SUCCEEDED"));
        REQUIRE(attempts.size() == 1);
        CHECK(attempts[0].settled);
        CHECK(attempts[0].finished == at(3));
        CHECK(attempts[0].note.find("late report") != std::string::npos);
        CHECK(attempts_of(run_with("RUNNING", "PENDING SUCCEEDED RUNNING")).front().settled);
    }
    SECTION("a contradiction changes nothing but the note") {
        const auto attempts = attempts_of(run_with("FAILED", "PENDING SUCCEEDED FAILED"));
        REQUIRE(attempts.size() == 1);
        CHECK(attempts[0].state == "SUCCEEDED");
        CHECK(attempts[0].note.find("FAILED") != std::string::npos);
        // Failed first, then said to have succeeded and running again: still no second attempt.
        CHECK(attempts_of(run_with("RUNNING", "PENDING FAILED SUCCEEDED RUNNING")).size() == 1);
    }
    SECTION("a terminated run is FAILED after CANCELING, which may not stand in the history") {
        const auto said = attempts_of(run_with("FAILED", "PENDING RUNNING CANCELING FAILED"));
        CHECK(said[0].cancelling);
        CHECK(said[0].settled);
        CHECK(attempts_of(run_with("CANCELING", "PENDING RUNNING"))[0].cancelling);
        CHECK_FALSE(attempts_of(run_with("CANCELING", "PENDING RUNNING"))[0].settled);
    }
    SECTION("a cancel belongs to its attempt") {
        const auto attempts =
            attempts_of(run_with("FAILED", "PENDING RUNNING CANCELING FAILED RUNNING FAILED"));
        REQUIRE(attempts.size() == 2);
        CHECK(attempts[0].cancelling);
        CHECK_FALSE(attempts[1].cancelling);
    }
    SECTION("no history, no phase, no end") {
        CHECK(attempts_of(run_with("SUCCEEDED", "", "2026-01-01T10:00:05Z"))[0].finished == at(5));
        CHECK_FALSE(attempts_of(run_with("", "PENDING RUNNING"))[0].settled);
        // Succeeded without finishedAt: the report's own time.
        CHECK(attempts_of(run_with("SUCCEEDED", "PENDING SUCCEEDED"))[0].finished == at(2));
    }
}

TEST_CASE("reports say how an attempt ended", "[kubeflow]") {
    const RunId id{};
    const std::string reason = "changed our mind";
    auto view = run_with("FAILED", "PENDING RUNNING FAILED");
    CHECK(report_of(id, view, attempts_of(view)[0], nullptr).outcome == Outcome::Failed);
    CHECK_FALSE(report_of(id, view, attempts_of(view)[0], nullptr).error.empty());
    const auto cancelled = report_of(id, view, attempts_of(view)[0], &reason);
    CHECK(cancelled.outcome == Outcome::Cancelled);
    CHECK(cancelled.error == reason);
    view = run_with("FAILED", "PENDING RUNNING CANCELING FAILED");
    CHECK(report_of(id, view, attempts_of(view)[0], nullptr).outcome == Outcome::Cancelled);
    view = run_with("SUCCEEDED", "PENDING RUNNING SUCCEEDED");
    // It was quicker than the cancel.
    CHECK(report_of(id, view, attempts_of(view)[0], &reason).outcome == Outcome::Succeeded);
    view = run_with("SKIPPED", "PENDING SKIPPED");
    CHECK(report_of(id, view, attempts_of(view)[0], nullptr).outcome == Outcome::Skipped);
    view = run_with("RUNNING", "PENDING RUNNING");
    CHECK_FALSE(report_of(id, view, attempts_of(view)[0], nullptr).settled);
}

TEST_CASE("the machine-read line survives what people write before it", "[kubeflow]") {
    const MachineLine line{"0190-decision", "ads/train", "0123456789ab"};
    const auto read = read_machine_line("Some words\nweir: nothing\n" + machine_line(line) + "\n");
    CHECK(read.decision == line.decision);
    CHECK(read.flow == line.flow);
    CHECK(read.version == line.version);
    CHECK(read_machine_line("written by hand").decision.empty());
    CHECK(read_machine_line(machine_line(line) + "\nand more").decision.empty());
    CHECK(read_machine_line("").decision.empty());
    // Long names are cut, the rest is not.
    const MachineLine longest{std::string(36, 'd'), std::string(128, 't') + "/" + std::string(128, 'f'),
                              "0123456789ab"};
    CHECK(machine_line(longest).size() <= 255);
    CHECK(read_machine_line(machine_line(longest)).version == longest.version);
}

TEST_CASE("outputs and artifacts are read from the full view", "[kubeflow]") {
    const auto run =
        read_run(R"({"run_id":"r","created_at":"2026-01-01T10:00:00Z","state":"SUCCEEDED","tasks":[
        {"name":"root","type":"ROOT","outputs":{"parameters":[{"parameter_key":"score","value":0.5},
          {"parameter_key":"list","value":[1,{"a":null}]}],"artifacts":[{"artifact_key":"best",
          "artifacts":[{"uri":"s3://b/m","type":"Model"}]}]}},
        {"name":"train","type":"RUNTIME","state":"SUCCEEDED","outputs":{"artifacts":[{"artifact_key":"model",
          "artifacts":[{"uri":"s3://b/m","type":"Model","metadata":{"k":1}}]}]}}]})");
    REQUIRE(run.ok());
    CHECK(run->full);
    CHECK(run->outputs_json == R"({"score":0.5,"list":[1,{"a":null}]})");
    REQUIRE(run->artifacts.size() == 1);
    CHECK(run->artifacts[0].name == "train.model");
    CHECK(run->artifacts[0].metadata_json == R"({"k":1})");
    REQUIRE(run->tasks.size() == 1);
    CHECK(run->tasks[0].state == TaskState::Succeeded);
    CHECK_FALSE(read_run(R"({"run_id":"r","created_at":"2026-01-01T10:00:00Z"})")->full);
}

TEST_CASE("answers that are no runs are refused", "[kubeflow]") {
    CHECK_FALSE(read_run("").ok());
    CHECK_FALSE(read_run("[]").ok());
    CHECK_FALSE(read_run("{}").ok());
    CHECK_FALSE(read_run(R"({"run_id":5})").ok());
    CHECK_FALSE(read_run_page("<html>").ok());
    const auto page = read_run_page(R"({"runs":[{"run_id":"a","error":{"code":13}},{"run_id":"b",
        "created_at":"2026-01-01T10:00:00Z"}],"next_page_token":"t","total_size":2})");
    REQUIRE(page.ok());
    CHECK(page->runs.size() == 1);
    CHECK(page->unreadable == 1);
    CHECK(page->next_token == "t");
    CHECK(read_run_page("{}")->runs.empty());
}

TEST_CASE("a failure names the tasks that failed", "[kubeflow]") {
    const auto run = read_run(R"({"run_id":"r","created_at":"2026-01-01T10:00:00Z","state":"FAILED",
        "run_details":{"task_details":[{"display_name":"load","state":"SUCCEEDED"},
        {"display_name":"train","state":"FAILED"}]}})");
    REQUIRE(run.ok());
    CHECK(failure_of(*run) == "the task train failed");
    CHECK(failure_of(RunView()).find("does not say why") != std::string::npos);
}
