#include <algorithm>

#include <support/catch.hpp>

#include <weir/base/digest.hpp>
#include <weir/engine/core.hpp>
#include <weir/engine/why.hpp>
#include <weir/ledger/memory_ledger.hpp>

using namespace weir;
using namespace weir::engine;

namespace {

const Instant begin = from_ns(1'790'000'000'000'000'000);

template <class T>
T ok(Result<T> result) {
    if (!result.ok()) FAIL(result.error().message);
    return std::move(result).value();
}

using Kind = RunFactInput::Kind;
using flows::Outcome;

/// Everything that a core wrote about runs and decisions, as text.
std::string told(const ledger::Batch& batch) {
    std::string text;
    for (const auto& d : batch.decisions)
        text += "decision " + d.id.to_string() + " " + d.cause + "\n";
    for (const auto& r : batch.runs)
        text += "run " + r.id.to_string() + "\n";
    for (const auto& u : batch.run_updates)
        text += "update " + std::to_string(u.no.value) + " " + std::string(to_string(u.state)) + " attempt " +
                std::to_string(u.attempt) + " version " + u.flow_version + " " + u.reason + "\n";
    for (const auto& a : batch.attempts_opened)
        text += "opened " + std::to_string(a.attempt) + "\n";
    for (const auto& a : batch.attempts_settled)
        text += "settled " + std::to_string(a.attempt) + "\n";
    for (const auto& i : batch.inputs)
        if (i.kind == ledger::InputKind::Settlement) text += "event " + i.id + " " + i.body + "\n";
    return text;
}

/// A core on an in-memory ledger, with a flow and a trigger on its failures.
class Rig {
  public:
    Rig() : ledger_(ledger::make_memory_ledger("weir", std::string(32, 's'))) {
        epoch_ = ok(ledger_->take_epoch());
        REQUIRE(ledger_->register_stream({.name = "internal", .kind = "internal"}).ok());
        restart();
        auto flow = std::make_shared<flows::FlowVersion>();
        flow->team = "ads";
        flow->flow = "train";
        flow->version = "000000000001";
        flow->backend = "local";
        ApplyInput apply;
        apply.flows = {flow};
        Problems problems;
        const auto documents = triggers::read_triggers(
            "trigger: alert\nteam: ads\nwhen: {finish: train, outcome: [failed]}\nlaunch: {flow: train}\n",
            "test", problems);
        REQUIRE(problems.empty());
        apply.triggers = {{triggers::compile(documents.front(), problems),
                           TriggerUid{Uuid::time_led(begin, sha256("uid"))}, "text"}};
        feed(std::move(apply));
        feed(RunFlowInput{"ads", "train", "{}", "request", "ada", "by hand"});
        run_ = core_->runs().begin()->first;
    }

    /// What a new process knows: what the ledger holds.
    void restart() {
        const auto snapshot = ok(ledger_->snapshot());
        core_ = std::make_unique<Core>(CoreConfig{snapshot.instance, snapshot.secret, {}});
        REQUIRE(core_->restore(snapshot).ok());
        next_ = snapshot.next_seq;
    }

    StepResult feed(decltype(Input::what) what) {
        Input input;
        input.time = now_ += std::chrono::seconds(1);
        input.what = std::move(what);
        ledger::Batch batch;
        auto result = core_->step(std::move(input), next_, {epoch_, begin}, batch);
        if (result.recorded) {
            told_ += told(batch);
            batch.log_time = now_;
            next_.value++;
            batch.next_seq = next_;
            const auto committed = ledger_->commit(batch, epoch_);
            if (!committed.ok()) FAIL(committed.error().message);
        }
        return result;
    }
    StepResult fact(Kind kind, int attempt, Outcome outcome = Outcome::Succeeded, std::string reason = {}) {
        RunFactInput fact;
        fact.kind = kind;
        fact.run = run_;
        fact.attempt = attempt;
        fact.outcome = outcome;
        fact.reason = std::move(reason);
        fact.started_at = begin;
        return feed(std::move(fact));
    }
    StepResult retry() { return feed(RetryInput{row(), "ada", "the disk is back"}); }
    void fail_first() {
        fact(Kind::Accepted, 1);
        fact(Kind::Started, 1);
        fact(Kind::Settled, 1, Outcome::Failed, "the disk is full");
    }

    ledger::RunRow row() {
        ledger::Query query;
        query.limit = 100;
        for (auto& run : ok(reader().runs(query)).rows)
            if (run.no == run_) return run;
        FAIL("the run is gone");
        return {};
    }
    std::size_t fired() {
        ledger::Query query;
        query.limit = 100;
        const auto page = ok(reader().decisions(query));
        return static_cast<std::size_t>(std::count_if(page.rows.begin(), page.rows.end(), [](const auto& d) {
            return d.trigger.value != 0 && d.verdict == ledger::Verdict::Fired;
        }));
    }
    ledger::LedgerReader& reader() { return ledger_->reader(); }
    ledger::Ledger& ledger() { return *ledger_; }
    Core& core() { return *core_; }
    ledger::RunNo run() const { return run_; }
    const std::string& all_told() const { return told_; }

  private:
    std::unique_ptr<ledger::MemoryLedger> ledger_;
    std::unique_ptr<Core> core_;
    ledger::Epoch epoch_;
    Seq next_;
    Instant now_ = begin;
    ledger::RunNo run_;
    std::string told_;
};

} // namespace

TEST_CASE("a retry opens the next attempt, whose end is an event of its own") {
    Rig engine;
    engine.fail_first();
    CHECK(engine.fired() == 1);
    const auto asked = engine.retry();
    REQUIRE(asked.acts.size() == 1);
    CHECK(asked.acts.front().kind == Act::Kind::Retry);
    CHECK(engine.row().state == ledger::RunState::Accepted);
    CHECK(engine.row().attempt == 2);
    CHECK_FALSE(engine.row().outcome.has_value());
    CHECK(retry_asked(*engine.core().run(engine.run())));

    // What the backend repeats of the first attempt changes nothing.
    CHECK_FALSE(engine.fact(Kind::Settled, 1, Outcome::Failed, "the disk is full").recorded);
    CHECK_FALSE(engine.fact(Kind::Started, 1).recorded);
    CHECK(engine.row().state == ledger::RunState::Accepted);

    engine.fact(Kind::Started, 2);
    CHECK(engine.row().state == ledger::RunState::Running);
    CHECK_FALSE(retry_asked(*engine.core().run(engine.run())));
    engine.fact(Kind::Settled, 2, Outcome::Failed, "the disk is full again");
    CHECK(engine.fired() == 2); // each attempt's end fires
    engine.retry();
    engine.fact(Kind::Settled, 3, Outcome::Succeeded); // without a report that it began
    CHECK(engine.fired() == 2);
    CHECK(engine.row().outcome == Outcome::Succeeded);
    CHECK(engine.row().attempt == 3);
    const auto attempts = ok(engine.reader().attempts(engine.run()));
    REQUIRE(attempts.size() == 3);
    CHECK(attempts[0].outcome == Outcome::Failed);
    CHECK(attempts[1].error == "the disk is full again");
    CHECK(attempts[2].outcome == Outcome::Succeeded);
    const auto why = ok(why_run(engine.reader(), engine.row().id)).text;
    INFO(why);
    CHECK(why.find("in attempt 3") != std::string::npos);
    CHECK(why.find("attempt 1   failed at ") != std::string::npos);
    CHECK(why.find("the disk is full again") != std::string::npos);
}

TEST_CASE("only an attempt that failed or was cancelled is followed by another") {
    Rig engine;
    const auto refused = [&](const std::string& why) {
        const auto result = engine.retry();
        REQUIRE(result.refused.has_value());
        CHECK(result.refused->kind == ErrorKind::Conflict);
        INFO(result.refused->message);
        CHECK(result.refused->message.find(why) != std::string::npos);
        CHECK_FALSE(result.recorded);
    };
    refused("has not ended");
    engine.fail_first();
    engine.retry();
    refused("has not ended");
    engine.fact(Kind::Settled, 2, Outcome::Cancelled);
    engine.retry();
    engine.fact(Kind::Settled, 3, Outcome::Succeeded);
    refused("this one succeeded");

    Rig other;
    other.fact(Kind::Settled, 1, Outcome::Refused, "no such pipeline");
    const auto never = other.retry();
    REQUIRE(never.refused.has_value());
    CHECK(never.refused->kind == ErrorKind::Conflict);
    CHECK(never.refused->message.find("never started") != std::string::npos);
}

TEST_CASE("a retry that no report has answered is known as such after a restart") {
    Rig engine;
    engine.fail_first();
    engine.retry();
    engine.restart();
    REQUIRE(engine.core().run(engine.run()) != nullptr);
    CHECK(retry_asked(*engine.core().run(engine.run())));
    engine.feed(CancelInput{engine.run(), "ada", "after all not"});
    const auto started = engine.fact(Kind::Started, 2);
    REQUIRE(started.acts.size() == 1); // the backend had no attempt to cancel before
    CHECK(started.acts.front().kind == Act::Kind::Cancel);
    engine.restart();
    CHECK_FALSE(retry_asked(*engine.core().run(engine.run())));
}

TEST_CASE("recorded inputs with a retry among them replay to the same rows") {
    Rig engine;
    engine.fail_first();
    engine.retry();
    engine.fact(Kind::Started, 2);
    engine.fact(Kind::Settled, 2, Outcome::Failed, "again");
    engine.retry();
    engine.fact(Kind::Settled, 3, Outcome::Succeeded);
    const auto rows = ok(engine.reader().inputs_from(Seq{}, 1000));

    const auto now = ok(engine.ledger().snapshot());
    Core core({now.instance, now.secret, {}});
    ledger::Snapshot empty;
    empty.instance = now.instance;
    empty.secret = now.secret;
    REQUIRE(core.restore(empty).ok());
    std::string replayed;
    for (const auto& row : rows) {
        ledger::Batch batch;
        (void)core.step(ok(decode_input(row)), row.seq, {}, batch);
        REQUIRE(batch.inputs.size() == 1);
        CHECK(batch.inputs.front().body == row.body);
        replayed += told(batch);
    }
    CHECK(replayed.find("settled 3") != std::string::npos);
    CHECK(replayed == engine.all_told());
}
