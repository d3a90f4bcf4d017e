#include <support/catch.hpp>

#include <weir/engine/input.hpp>
#include <weir/triggers/compiled.hpp>

using namespace weir;
using namespace weir::engine;

namespace {

Input again(const Input& input, ledger::InputKind kind) {
    ledger::InputRow row;
    row.seq = Seq(5);
    row.kind = kind;
    row.time = input.time;
    row.body = encode_body(input);
    auto read = decode_input(row);
    REQUIRE(read.ok());
    return std::move(read).value();
}

} // namespace

TEST_CASE("changes and commands are read back from their row alone") {
    Input input;
    input.time = from_ns(77);
    input.what = ResumeInput{"t", "name", false, "local:ada", "why not"};
    const auto resumed = again(input, ledger::InputKind::Change);
    const auto& resume = std::get<ResumeInput>(resumed.what);
    CHECK(resumed.time == from_ns(77));
    CHECK(resume.team == "t");
    CHECK(resume.name == "name");
    CHECK_FALSE(resume.replay);
    CHECK(resume.reason == "why not");

    input.what = RunFlowInput{"t", "f", "{\"x\":1}", "request", "local:ada", "by hand"};
    const auto run = std::get<RunFlowInput>(again(input, ledger::InputKind::Command).what);
    CHECK(run.arguments_json == "{\"x\":1}");
    CHECK(run.request_id == "request");

    RunFactInput fact;
    fact.kind = RunFactInput::Kind::Started;
    fact.run = ledger::RunNo(9);
    fact.attempt = 2;
    fact.started_at = from_ns(5);
    input.what = fact;
    const auto started = std::get<RunFactInput>(again(input, ledger::InputKind::RunFact).what);
    CHECK(started.kind == RunFactInput::Kind::Started);
    CHECK(started.run == ledger::RunNo(9));
    CHECK(started.attempt == 2);
    CHECK(started.started_at == from_ns(5));
}

TEST_CASE("what backends and flows tell of runs is read back whole") {
    Input input;
    RunFactInput fact;
    fact.kind = RunFactInput::Kind::Seen;
    fact.run_id = "01a0c450-6c00-8fd3-8542-fe3f61b14bd4";
    fact.attempt = 2;
    fact.settled = true;
    fact.outcome = flows::Outcome::Failed;
    fact.reason = "the disk is full";
    fact.outputs_json = "{\"a\":1}";
    fact.until = from_ns(3);
    fact.outputs = {{"model", "s3://m", "system.Model", "{}"}};
    fact.seen = flows::SeenRun{"kf", "ads", "p1", "pipe", "v1", "name", "ns", "exp", "{\"x\":1}", from_ns(4)};
    input.what = fact;
    const auto seen = std::get<RunFactInput>(again(input, ledger::InputKind::RunFact).what);
    CHECK(seen.kind == fact.kind);
    CHECK(seen.run_id == fact.run_id);
    CHECK(seen.settled);
    CHECK(seen.outcome == fact.outcome);
    CHECK(seen.reason == fact.reason);
    CHECK(seen.outputs_json == fact.outputs_json);
    CHECK(seen.until == fact.until);
    CHECK(seen.outputs == fact.outputs);
    REQUIRE(seen.seen);
    CHECK(seen.seen->version_id == "v1");
    CHECK(seen.seen->created == from_ns(4));

    ledger::RunRow row;
    row.id = RunId{Uuid::time_led(from_ns(9), sha256("r"))};
    row.flow = "train";
    row.attempt = 1;
    row.outcome = flows::Outcome::Failed;
    row.origin = "observed";
    fact = {};
    fact.kind = RunFactInput::Kind::Ended;
    fact.run = ledger::RunNo(4);
    fact.reopened = std::make_shared<const ledger::RunRow>(row);
    input.what = fact;
    const auto ended = std::get<RunFactInput>(again(input, ledger::InputKind::RunFact).what);
    REQUIRE(ended.reopened);
    CHECK(ended.reopened->id == row.id);
    CHECK(ended.reopened->no == ledger::RunNo(4));
    CHECK(ended.reopened->origin == "observed");

    ReportInput report;
    report.run = row.id;
    report.outcome = flows::Outcome::Succeeded;
    report.outputs_json = "{\"rows\":7}";
    report.artifacts = fact.outputs;
    report.settled = true;
    report.next_attempt = 2;
    input.what = report;
    const auto said = std::get<ReportInput>(again(input, ledger::InputKind::RunFact).what);
    CHECK(said.run == report.run);
    CHECK(said.outcome == report.outcome);
    CHECK(said.outputs_json == report.outputs_json);
    CHECK(said.settled);
    CHECK(said.next_attempt == 2);

    // What reached here all the same does not end the process.
    report.error = "caf\xe9";
    input.what = report;
    CHECK(std::get<ReportInput>(again(input, ledger::InputKind::RunFact).what).error == "caf\xef\xbf\xbd");
}

TEST_CASE("an apply is read back with its documents and declared parameters") {
    Problems problems;
    const auto documents = triggers::read_triggers(
        "trigger: a\nteam: t\nwhen: {event: x}\nlaunch: {flow: f, parameters: {n: 'int(event.data.n)'}}\n",
        "test", problems);
    REQUIRE(problems.empty());
    auto compiled = triggers::compile(documents.front(), problems);
    REQUIRE(compiled);
    auto flow = std::make_shared<flows::FlowVersion>();
    flow->team = "t";
    flow->flow = "f";
    flow->version = "abc";
    flow->backend = "null";
    flow->parameters = {{"n", flows::ParameterType::Integer, true, "5", "", {"5", "6"}}};
    ApplyInput apply;
    apply.flows = {flow};
    apply.triggers = {{compiled, TriggerUid{Uuid::time_led(from_ns(1), sha256("u"))}, "source"}};
    apply.delete_triggers = {{"t", "gone"}};
    Input input;
    input.what = apply;
    const auto read = std::get<ApplyInput>(again(input, ledger::InputKind::Change).what);
    REQUIRE(read.triggers.size() == 1);
    CHECK(read.triggers.front().compiled->trigger().hash == compiled->trigger().hash);
    CHECK(read.triggers.front().uid_if_new == apply.triggers.front().uid_if_new);
    REQUIRE(read.flows.size() == 1);
    CHECK(read.flows.front()->parameters == flow->parameters);
    REQUIRE(read.delete_triggers.size() == 1);
    CHECK(read.delete_triggers.front().name == "gone");
}

TEST_CASE("a damaged row is an error, not a crash") {
    ledger::InputRow row;
    row.kind = ledger::InputKind::Change;
    for (const auto* body : {"", "{", "[]", "{\"kind\":\"apply\"}", "{\"kind\":\"dance\"}", "{\"kind\":5}"}) {
        INFO(body);
        row.body = body;
        CHECK_FALSE(decode_input(row).ok());
    }
}
