#include <support/catch.hpp>

#include <algorithm>
#include <type_traits>

#include "ledger_contract.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::contract;

namespace {

/// A ledger with a story in it: two teams, three triggers, five runs, a joined decision, held events, a
/// retry.
struct Story {
    explicit Story(const Kind& kind) : harness(kind.make()) {
        auto& ledger = harness->ledger();
        REQUIRE(ledger.register_stream({.name = "embedded", .kind = "bus", .incarnation = "i1"}).ok());
        REQUIRE(ledger.register_stream({.name = "internal", .kind = "internal"}).ok());
        epoch = ledger.take_epoch().value();
        begin();
        go_on();
    }

    void commit(const Batch& batch) {
        const auto status = harness->ledger().commit(batch, epoch);
        INFO((status.ok() ? std::string() : status.error().message));
        REQUIRE(status.ok());
    }

    void begin() {
        auto batch = batch_of({fact(1, InputKind::Change), arrival(2, "a", "/s", "data.ready"),
                               arrival(3, "b", "/s", "data.late"), arrival(4, "a", "/other", "file.landed")});
        batch.trigger_versions = {trigger(1, "retrain", 1, 1), trigger(2, "score", 1, 1),
                                  trigger(3, "old", 1, 1)};
        batch.trigger_versions[1].team = "shop";
        batch.trigger_states = {{TriggerNo(3), TriggerState::Deleted, "no longer", seq(1)}};
        batch.flow_versions = {flow("train", "v1", 1), flow("score", "v1", 1)};
        batch.audits = {{seq(1), 0, "local:a", "apply", "trigger ads/retrain", "first", at(1)},
                        {seq(1), 1, "local:a", "apply", "trigger shop/score", "first", at(1)}};
        batch.decisions = {decision(1, 2), decision(2, 3, 2)};
        batch.decisions[1].team = "shop";
        batch.runs = {run(1, 1, 2), run(2, 2, 3)};
        batch.runs[0].events = {{seq(2), "/s", "a", "event"}};
        batch.runs[1].team = "shop";
        batch.runs[1].trigger = TriggerNo(2);
        batch.runs[1].trigger_name = "score";
        batch.runs[1].flow = "score";
        batch.held_entered = {enter(1, 0, 2), enter(1, 1, 3), enter(2, 0, 3)};
        batch.timers_set = {timer(1, "nightly", 500, 1), timer(1, "hourly", 100, 1), timer(2, "x", 50, 1)};
        commit(batch);
        runs = batch.runs;
        decisions = batch.decisions;
        inputs = batch.inputs;
    }

    void go_on() {
        auto batch = batch_of({fact(5), settlement(6, 1), settlement(7, 1),
                               arrival(8, "c", "/s", "data.ready"), fact(9, InputKind::Command)},
                              4);
        auto joined = decision(3, 8);
        joined.included = {{seq(2), "orders"}, {seq(8), "users"}};
        auto suppressed = decision(4, 8, 2);
        suppressed.verdict = Verdict::Suppressed;
        suppressed.team = "shop";
        auto manual = decision(5, 9, 0);
        batch.decisions = {joined, suppressed, manual};
        batch.runs = {run(3, 3, 8), run(4, 5, 9)};
        batch.runs[0].events = {{seq(2), "/s", "a", "orders"}, {seq(8), "/s", "c", "users"}};
        batch.runs[1].trigger = TriggerNo(0);
        batch.runs[1].trigger_name.clear();
        batch.run_updates = {update(1, 6, RunState::Settled), update(2, 7, RunState::Running)};
        batch.attempts_opened = {opened(1, 1, 5), opened(2, 1, 5), opened(1, 2, 6)};
        batch.attempts_settled = {settled(1, 1, 5, 6), settled(1, 2, 6, 7)};
        batch.held_left = {leave(1, 0, 2, 8), leave(1, 1, 3, 6, "expired")};
        batch.trigger_versions = {trigger(1, "retrain", 2, 9)};
        batch.trigger_states = {{TriggerNo(2), TriggerState::Paused, "wait", seq(9)}};
        batch.audits = {{seq(9), 0, "local:b", "cancel", "run " + run_id(2).to_string(), "wrong data", at(9)},
                        {seq(9), 1, "local:b", "note", "the moon", "why not", at(9), "ops"}};
        commit(batch);
        runs.insert(runs.end(), batch.runs.begin(), batch.runs.end());
        runs[0] = updated(runs[0], batch.run_updates[0]);
        runs[1] = updated(runs[1], batch.run_updates[1]);
        decisions.insert(decisions.end(), batch.decisions.begin(), batch.decisions.end());
        inputs.insert(inputs.end(), batch.inputs.begin(), batch.inputs.end());
        settled_attempts = batch.attempts_settled;
    }

    LedgerReader& reader() { return harness->reader(); }

    std::unique_ptr<Harness> harness;
    Epoch epoch;
    std::vector<RunRow> runs;
    std::vector<DecisionRow> decisions;
    std::vector<InputRow> inputs;
    std::vector<AttemptRow> settled_attempts;
};

template <class Row, class Key>
std::string keys(const Result<Page<Row>>& page, Key key) {
    if (!page.ok()) return page.error().message;
    std::string out;
    for (const auto& row : page->rows)
        out += (out.empty() ? "" : " ") + std::to_string(key(row));
    return out + (page->next.empty() ? "" : " ...");
}
std::string runs_of(Story& story, const Query& query) {
    return keys(story.reader().runs(query), [](const RunRow& row) { return row.no.value; });
}
std::string decisions_of(Story& story, const Query& query) {
    return keys(story.reader().decisions(query), [](const DecisionRow& row) { return row.no.value; });
}
std::string events_of(Story& story, const Query& query) {
    return keys(story.reader().events(query), [](const InputRow& row) { return row.seq.value - first + 1; });
}
std::string triggers_of(Story& story, const Query& query) {
    return keys(story.reader().triggers(query), [](const TriggerRow& row) { return row.version.no.value; });
}

template <class T>
ErrorKind kind_of(const Result<T>& result) {
    REQUIRE_FALSE(result.ok());
    return result.error().kind;
}

} // namespace

TEST_CASE("runs are listed newest first, by every filter") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        const auto page = story.reader().runs({}).value();
        REQUIRE(page.rows.size() == 4);
        for (std::size_t i = 0; i < 4; ++i)
            CHECK(differ(page.rows[i], story.runs[3 - i]) == "");
        CHECK(runs_of(story, {.team = "ads"}) == "4 3 1");
        CHECK(runs_of(story, {.team = "nobody"}) == "");
        CHECK(runs_of(story, {.trigger = "retrain"}) == "3 1");
        CHECK(runs_of(story, {.trigger = "shop/score"}) == "2");
        CHECK(runs_of(story, {.trigger = "ads/score"}) == "");
        CHECK(runs_of(story, {.flow = "train"}) == "4 3 1");
        CHECK(runs_of(story, {.flow = "ml/score"}) == "2");
        CHECK(runs_of(story, {.flow = "ads/score"}) == "");
        CHECK(runs_of(story, {.state = "ready"}) == "4 3");
        CHECK(runs_of(story, {.state = "settled"}) == "1");
        CHECK(runs_of(story, {.outcome = "failed"}) == "1");
        CHECK(runs_of(story, {.outcome = "lost"}) == "");
        CHECK(runs_of(story, {.since = at(3)}) == "4 3 2");
        CHECK(runs_of(story, {.since = at(3), .until = at(9)}) == "3 2");
        CHECK(runs_of(story, {.until = at(3)}) == "1");
        CHECK(runs_of(story, {.since = at(100)}) == "");
        CHECK(runs_of(story, {.after = seq(5)}) == "1 2 3 4");
        CHECK(runs_of(story, {.after = seq(7)}) == "3 4");
        CHECK(runs_of(story, {.team = "ads", .state = "ready", .limit = 1}) == "4 ...");
    }
}

TEST_CASE("decisions are listed newest first, by every filter") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        const auto page = story.reader().decisions({}).value();
        REQUIRE(page.rows.size() == 5);
        for (std::size_t i = 0; i < 5; ++i)
            CHECK(differ(page.rows[i], story.decisions[4 - i]) == "");
        CHECK(decisions_of(story, {.team = "shop"}) == "4 2");
        CHECK(decisions_of(story, {.trigger = "retrain"}) == "3 1");
        CHECK(decisions_of(story, {.trigger = "ads/retrain", .since = at(3)}) == "3");
        CHECK(decisions_of(story, {.state = "suppressed"}) == "4");
        CHECK(decisions_of(story, {.since = at(3), .until = at(8)}) == "2");
        CHECK(decisions_of(story, {.after = seq(3)}) == "3 4 5");
        CHECK(decisions_of(story, {.after = seq(3), .limit = 2}) == "3 4 ...");
    }
}

TEST_CASE("events are arrivals and settlements, by every filter") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        const auto page = story.reader().events({}).value();
        REQUIRE(page.rows.size() == 6);
        CHECK(differ(page.rows[0], story.inputs[7]) == "");
        CHECK(differ(page.rows[2], story.inputs[5]) == "");
        CHECK(events_of(story, {}) == "8 7 6 4 3 2");
        CHECK(events_of(story, {.team = "ads"}) == "7 6");
        CHECK(events_of(story, {.type = "data.ready"}) == "8 2");
        CHECK(events_of(story, {.type = "data.*"}) == "8 3 2");
        CHECK(events_of(story, {.type = "*i*ed"}) == "7 6 4");
        CHECK(events_of(story, {.type = "data?ready"}) == "");
        CHECK(events_of(story, {.type = "[a-f]*"}) == "");
        CHECK(events_of(story, {.source = "/s"}) == "8 3 2");
        CHECK(events_of(story, {.id = "a"}) == "4 2");
        CHECK(events_of(story, {.source = "/other", .id = "a"}) == "4");
        CHECK(events_of(story, {.id = "none"}) == "");
        CHECK(events_of(story, {.since = at(4), .until = at(8)}) == "7 6 4");
        CHECK(events_of(story, {.after = seq(4)}) == "6 7 8");
    }
}

TEST_CASE("triggers, flows and audits are listed") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        const auto page = story.reader().triggers({}).value();
        REQUIRE(page.rows.size() == 2);
        CHECK(page.rows[0].state == TriggerState::Paused);
        CHECK(page.rows[0].state_reason == "wait");
        CHECK(page.rows[0].next_slot == at(50));
        CHECK(page.rows[0].fired == 1);
        CHECK(page.rows[1].version.version == 2);
        CHECK(page.rows[1].fired == 2);
        CHECK(page.rows[1].next_slot == at(100));
        CHECK(triggers_of(story, {.team = "shop"}) == "2");
        CHECK(triggers_of(story, {.trigger = "retrain"}) == "1");
        CHECK(triggers_of(story, {.trigger = "shop/retrain"}) == "");
        CHECK(triggers_of(story, {.state = "deleted"}) == "3");
        CHECK(triggers_of(story, {.state = "active"}) == "1");
        CHECK(triggers_of(story, {.after = seq(1)}) == "1 2");
        CHECK(triggers_of(story, {.after = seq(9)}) == "");
        CHECK(triggers_of(story, {.limit = 1}) == "2 ...");
        const auto flows = story.reader().flows({}).value();
        REQUIRE(flows.rows.size() == 2);
        CHECK(differ(flows.rows[0], flow("score", "v1", 1)) == "");
        CHECK(story.reader().flows({.flow = "ml/train"}).value().rows.size() == 1);
        CHECK(story.reader().flows({.team = "ads"}).value().rows.empty());
        CHECK(story.reader().flows({.after = seq(1)}).value().rows.empty());
        const auto audits = story.reader().audits({}).value();
        REQUIRE(audits.rows.size() == 4);
        CHECK(audits.rows[0].n == 1);
        CHECK(audits.rows[0].team == "ops");
        CHECK(audits.rows[1].team == "shop"); // of the run it names
        CHECK(audits.rows[1].principal == "local:b");
        CHECK(audits.rows[1].reason == "wrong data");
        CHECK(audits.rows[3].target == "trigger ads/retrain");
        CHECK(audits.rows[3].team == "ads");
        CHECK(audits.rows[3].time == at(1));
        CHECK(story.reader().audits({.team = "shop"}).value().rows.size() == 2);
        CHECK(story.reader().audits({.since = at(2)}).value().rows.size() == 2);
        CHECK(story.reader().audits({.after = seq(1)}).value().rows[0].n == 0);
    }
}

TEST_CASE("pages go on where the one before ended, whatever is added meanwhile") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        const auto walk = [&](auto list, Query query, auto key, bool add) {
            std::string out;
            query.limit = 2;
            for (int pages = 0; pages < 20; ++pages) {
                const auto page = list(query).value();
                CHECK(page.rows.size() <= 2);
                for (const auto& row : page.rows)
                    out += (out.empty() ? "" : " ") + std::to_string(key(row));
                if (page.next.empty()) return out;
                query.page = page.next;
                if (!add) continue;
                const auto head = story.reader().head().value().value - first + 1;
                const auto more = head + 100;
                auto batch = batch_of({arrival(head + 1, "late")});
                batch.decisions = {decision(more, head + 1)};
                batch.runs = {run(more, more, head + 1)};
                story.commit(batch);
            }
            return out + " without end";
        };
        auto& reader = story.reader();
        const auto no = [](const auto& row) { return row.no.value; };
        CHECK(walk([&](const Query& q) { return reader.decisions(q); }, {.after = seq(1)}, no, false) ==
              "1 2 3 4 5");
        CHECK(walk([&](const Query& q) { return reader.runs(q); }, {.after = seq(1)}, no, false) ==
              "1 2 3 4");
        CHECK(walk([&](const Query& q) { return reader.triggers(q); }, {.after = Seq(0)},
                   [](const TriggerRow& row) { return row.version.no.value; }, false) == "1 2");
        CHECK(walk([&](const Query& q) { return reader.audits(q); }, {},
                   [](const AuditRow& row) { return (row.seq.value - first + 1) * 10 + row.n; },
                   false) == "91 90 11 10");
        CHECK(walk([&](const Query& q) { return reader.runs(q); }, {}, no, true) == "4 3 2 1");
        CHECK(walk([&](const Query& q) { return reader.events(q); }, {.type = "data.*"},
                   [](const InputRow& row) { return row.seq.value - first + 1; }, true) == "8 3 2");
    }
}

TEST_CASE("a wrong question is refused with what is wrong") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        auto& reader = story.reader();
        const auto token = reader.runs({.limit = 1}).value().next;
        CHECK(reader.runs({.page = token, .limit = 3}).ok());
        CHECK(kind_of(reader.runs({.team = "ads", .page = token})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.decisions({.page = token})) == ErrorKind::Invalid);
        for (const auto* broken :
             {"x", ".", "..", "0.0.0", "0123456789abcdef.1.0", "0123456789abcdef.99999999999999999999.0"})
            CHECK(kind_of(reader.runs({.page = broken})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.runs({.page = token + "0"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.runs({.limit = 0})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.runs({.limit = 1001})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.runs({.state = "flying"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.runs({.outcome = "good"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.runs({.type = "t"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.decisions({.state = "held"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.decisions({.flow = "f"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.events({.trigger = "t"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.triggers({.state = "gone"})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.flows({.since = at(1)})) == ErrorKind::Invalid);
        CHECK(kind_of(reader.run(run_id(77))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.run(RunNo(77))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.decision(DecisionNo(77))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.decision(decision_id(77))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.run_of(DecisionNo(4))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.input(seq(77))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.trigger_versions("ads", "none")) == ErrorKind::NotFound);
        CHECK(kind_of(reader.trigger_versions(TriggerNo(77))) == ErrorKind::NotFound);
        CHECK(kind_of(reader.flow_versions("ml", "none")) == ErrorKind::NotFound);
    }
}

TEST_CASE("single things are found by every name they have") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        for (int round = 0; round < 2; ++round) {
            auto& reader = story.reader();
            for (const auto& run : story.runs) {
                CHECK(differ(reader.run(run.id).value(), run) == "");
                CHECK(differ(reader.run(run.no).value(), run) == "");
                CHECK(differ(reader.run_of(run.decision).value(), run) == "");
            }
            for (const auto& decision : story.decisions) {
                CHECK(differ(reader.decision(decision.id).value(), decision) == "");
                CHECK(differ(reader.decision(decision.no).value(), decision) == "");
            }
            for (const auto& input : story.inputs)
                CHECK(differ(reader.input(input.seq).value(), input) == "");
            auto any = reader.events_by_id("a", "").value();
            REQUIRE(any.size() == 2);
            CHECK(differ(any[0], story.inputs[3]) == "");
            CHECK(differ(any[1], story.inputs[1]) == "");
            REQUIRE(reader.events_by_id("a", "/s").value().size() == 1);
            CHECK(reader.events_by_id("a", "/none").value().empty());
            CHECK(reader.events_by_id("zz", "").value().empty());
            const auto versions = reader.trigger_versions("ads", "retrain").value();
            REQUIRE(versions.size() == 2);
            auto closed = trigger(1, "retrain", 1, 1);
            closed.to = seq(9);
            CHECK(differ(versions[0], closed) == "");
            CHECK(differ(versions[1], trigger(1, "retrain", 2, 9)) == "");
            CHECK(reader.trigger_versions("ads", "old").value().size() == 1);
            const auto states = reader.trigger_states(TriggerNo(3)).value();
            REQUIRE(states.size() == 1);
            CHECK(states[0].state == TriggerState::Deleted);
            CHECK(states[0].reason == "no longer");
            CHECK(states[0].seq == seq(1));
            CHECK(differ(reader.flow_versions("ml", "train").value().at(0), flow("train", "v1", 1)) == "");
            const auto timers = reader.open_timers(TriggerNo(1)).value();
            REQUIRE(timers.size() == 2);
            CHECK(differ(timers[0], timer(1, "hourly", 100, 1)) == "");
            story.harness->reopen();
        }
    }
}

TEST_CASE("attempts come with their artifacts") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        const auto attempts = story.reader().attempts(RunNo(1)).value();
        REQUIRE(attempts.size() == 2);
        CHECK(differ(attempts[0], story.settled_attempts[0]) == "");
        CHECK(differ(attempts[1], story.settled_attempts[1]) == "");
        const auto open = story.reader().attempts(RunNo(2)).value();
        REQUIRE(open.size() == 1);
        CHECK(differ(open[0], opened(2, 1, 5)) == "");
        CHECK(story.reader().attempts(RunNo(3)).value().empty());
    }
}

TEST_CASE("edges are found both ways") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        auto& reader = story.reader();
        using Decisions = std::vector<std::pair<Seq, DecisionNo>>;
        const std::vector<Seq> events = {seq(8), seq(2), seq(4)};
        CHECK(reader.decisions_of_events(events).value() == Decisions{{seq(8), DecisionNo(3)},
                                                                      {seq(8), DecisionNo(4)},
                                                                      {seq(2), DecisionNo(1)},
                                                                      {seq(2), DecisionNo(3)}});
        const std::vector<DecisionNo> decisions = {DecisionNo(3), DecisionNo(99), DecisionNo(1)};
        const auto rows = reader.decisions_by_no(decisions).value();
        REQUIRE(rows.size() == 2);
        CHECK(differ(rows[0], story.decisions[2]) == "");
        CHECK(differ(rows[1], story.decisions[0]) == "");
        const auto runs = reader.runs_of_decisions(decisions).value();
        REQUIRE(runs.size() == 2);
        CHECK(differ(runs[0], story.runs[2]) == "");
        const std::vector<RunNo> numbers = {RunNo(2), RunNo(1), RunNo(50)};
        REQUIRE(reader.runs_by_no(numbers).value().size() == 2);
        CHECK(differ(reader.runs_by_no(numbers).value()[0], story.runs[1]) == "");
        using Settlements = std::vector<std::pair<RunNo, Seq>>;
        CHECK(reader.settlements_of_runs(numbers).value() ==
              Settlements{{RunNo(1), seq(6)}, {RunNo(1), seq(7)}});
        const std::vector<Seq> settlements = {seq(7), seq(2), seq(6)};
        using Settled = std::vector<std::pair<Seq, RunNo>>;
        CHECK(reader.runs_of_settlements(settlements).value() ==
              Settled{{seq(7), RunNo(1)}, {seq(6), RunNo(1)}});
        const auto inputs = reader.inputs_by_seq(settlements).value();
        REQUIRE(inputs.size() == 3);
        auto bodiless = story.inputs[6];
        bodiless.body.clear();
        CHECK(differ(inputs[0], bodiless) == "");
        // Both attempts name the same artifacts: each edge once.
        const auto made = reader.artifacts_of_runs(numbers).value();
        REQUIRE(made.size() == 3);
        CHECK(made[0].run == RunNo(1));
        CHECK_FALSE(made[0].output);
        CHECK(made[0].artifact == settled(1, 1, 1, 1).inputs[0]);
        CHECK(made[2].artifact == settled(1, 1, 1, 1).outputs[1]);
        const auto users = reader.runs_of_artifact("s3://out/report").value();
        REQUIRE(users.size() == 1);
        CHECK(users[0].output);
        CHECK(reader.runs_of_artifact("s3://none").value().empty());
        CHECK(reader.runs_of_artifact("").value().empty());
    }
}

TEST_CASE("what was held when is read off the intervals") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        auto& reader = story.reader();
        const auto held = [&](std::int64_t trigger, std::int64_t n) {
            std::string out;
            const auto rows = reader.held_at(TriggerNo(trigger), seq(n)).value();
            for (const auto& row : rows)
                out += (out.empty() ? "" : " ") + std::to_string(row.entered.event.value - first + 1) + "." +
                       std::to_string(row.entered.leaf);
            return out;
        };
        CHECK(held(1, 1) == "");
        CHECK(held(1, 2) == "2.0");
        CHECK(held(1, 3) == "2.0 3.1");
        CHECK(held(1, 5) == "2.0 3.1");
        CHECK(held(1, 6) == "2.0"); // input 6 ended one
        CHECK(held(1, 8) == "");
        CHECK(held(2, 9) == "3.0");
        CHECK(held(9, 9) == "");
        const auto of = reader.held_of(seq(3), TriggerNo(1)).value();
        REQUIRE(of.size() == 1);
        CHECK(differ(of[0].entered, enter(1, 1, 3)) == "");
        REQUIRE(of[0].left.has_value());
        CHECK(differ(*of[0].left, leave(1, 1, 3, 6, "expired")) == "");
        const auto open = reader.held_of(seq(3), TriggerNo(2)).value();
        REQUIRE(open.size() == 1);
        CHECK_FALSE(open[0].left.has_value());
        CHECK(reader.held_of(seq(4), TriggerNo(1)).value().empty());
        const auto at8 = reader.decisions_at(seq(8), TriggerNo(2)).value();
        REQUIRE(at8.size() == 1);
        CHECK(differ(at8[0], story.decisions[3]) == "");
        CHECK(reader.decisions_at(seq(2), TriggerNo(2)).value().empty());
    }
}

TEST_CASE("the recorded inputs can be read again in order, and counted") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        Story story(kind);
        auto& reader = story.reader();
        std::vector<InputRow> rows;
        for (auto from = Seq(0);;) {
            const auto part = reader.inputs_from(from, 4).value();
            if (part.empty()) break;
            CHECK(part.size() <= 4);
            rows.insert(rows.end(), part.begin(), part.end());
            from = Seq(part.back().seq.value + 1);
        }
        REQUIRE(rows.size() == story.inputs.size());
        for (std::size_t i = 0; i < rows.size(); ++i)
            CHECK(differ(rows[i], story.inputs[i]) == "");
        CHECK(reader.head().value() == seq(9));
        const auto counts = reader.counts().value();
        CHECK(counts.inputs == 9);
        CHECK(counts.decisions == 5);
        CHECK(counts.runs == 4);
        CHECK(counts.held_open == 1);
        CHECK(counts.runs_unsettled == 3);
    }
}
