#include <support/catch.hpp>

#include "ledger_contract.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::contract;

namespace {

constexpr std::int64_t day = 24LL * 3600 * 1'000'000'000;

/// Everything a batch can hold, at inputs 1 to 6.
Batch rich_batch() {
    auto conflicting = arrival(3, "a");
    conflicting.duplicate_of = seq(1);
    conflicting.conflicting = true;
    auto echo = settlement(4, 1);
    echo.echo = true;
    auto batch = batch_of({arrival(1, "a"), arrival(2, "b", "/other", "u"), conflicting, echo, fact(5),
                           fact(6, InputKind::TimerFired)});
    batch.positions = {{StreamNo(1), Position(1001), at(1), Position(1001), sha256("one")},
                       {StreamNo(1), Position(1013), at(3), Position(1003), sha256("three")}};
    batch.streams = {{StreamNo(1), "i2"}, {StreamNo(1), "i3"}};
    batch.outgoing = {outgoing(1), outgoing(2), outgoing(5)};
    batch.outgoing_done = {OutgoingNo(2)};
    batch.gaps = {gap(1), gap(2, 2), gap(4)};
    batch.gaps_accepted = {{GapNo(1), seq(6)}};
    batch.dead_letters = {dead_letter(1), dead_letter(3, 0)};
    batch.dead_letters_replayed = {{DeadLetterNo(1), at(5), seq(3)}};
    batch.trigger_versions = {trigger(1, "retrain", 1, 1), trigger(2, "other", 1, 1),
                              trigger(1, "retrain", 2, 5)};
    batch.trigger_states = {{TriggerNo(2), TriggerState::Paused, "a while", seq(2)}};
    batch.flow_versions = {flow("train", "v1", 1), flow("score", "v1", 1), flow("train", "v2", 5)};
    auto joined = decision(2, 3);
    joined.included = {{seq(1), "orders"}, {seq(3), "users"}};
    joined.without = {"nats", "a \"quoted\" one"};
    auto failed = decision(3, 4, 2);
    failed.verdict = Verdict::Failed;
    batch.decisions = {decision(1, 1), joined, failed};
    batch.held_entered = {enter(1, 0, 1), enter(1, 1, 1), enter(2, 0, 2), enter(1, 0, 3)};
    batch.held_left = {leave(1, 0, 1, 3), leave(1, 1, 1, 4, "expired")};
    batch.held_left[1].decision.reset();
    batch.timers_set = {timer(1, "slot", 100, 1), timer(1, "slot", 200, 4), timer(2, "slot", 150, 2)};
    batch.timers_ended = {timer_end(batch.timers_set[0], 4)};
    auto first_run = run(1, 1, 1);
    first_run.events = {{seq(1), "/s", "a", "orders"}};
    auto second_run = run(2, 2, 3);
    second_run.events = {{seq(1), "/s", "a", "orders"}, {seq(3), "/s", "a", "us\"ers"}};
    batch.runs = {first_run, second_run};
    batch.run_updates = {update(1, 2, RunState::Sent), update(1, 4, RunState::Settled),
                         update(2, 5, RunState::Running)};
    batch.attempts_opened = {opened(1, 1, 2), opened(2, 1, 5)};
    batch.attempts_settled = {settled(1, 1, 2, 4)};
    batch.audits = {{seq(5), 0, "local:alice", "apply", "trigger ads/retrain", "new rows", at(5)}};
    return batch;
}

/// What a snapshot taken after rich_batch() must say.
Snapshot rich_snapshot(const Snapshot& empty) {
    auto expected = empty;
    const auto batch = rich_batch();
    expected.next_seq = seq(7);
    expected.log_time = at(6);
    expected.next_decision = DecisionNo(4);
    expected.next_run = RunNo(3);
    expected.next_trigger = TriggerNo(3);
    expected.next_outgoing = OutgoingNo(6);
    expected.next_gap = GapNo(5);
    expected.next_dead_letter = DeadLetterNo(4);
    expected.outgoing = {outgoing(1), outgoing(5)};
    expected.gaps = {gap(2, 2), gap(4)};
    expected.gaps[0].stream_name = "internal";
    expected.gaps[1].stream_name = "embedded";
    expected.streams[0].incarnation = "i3";
    expected.streams[0].position = Position(1013);
    expected.streams[0].time = at(3);
    expected.streams[0].event = Position(1003);
    expected.streams[0].digest = sha256("three");
    expected.triggers = {{batch.trigger_versions[2], TriggerState::Active, "", 0, 2},
                         {batch.trigger_versions[1], TriggerState::Paused, "a while", 1, 0}};
    expected.flows = {batch.flow_versions[1], batch.flow_versions[2]};
    expected.held = {{batch.held_entered[3]}, {batch.held_entered[2]}};
    expected.held_events = {{seq(2), at(2), batch.inputs[1].body}, {seq(3), at(3), batch.inputs[2].body}};
    expected.timers = {batch.timers_set[1], batch.timers_set[2]};
    expected.runs = {updated(batch.runs[1], batch.run_updates[2])};
    return expected;
}

/// A ledger with the streams the rows name, its epoch taken.
struct Ready {
    explicit Ready(Harness& harness) : epoch(harness.ledger().take_epoch().value()) {
        REQUIRE(
            harness.ledger().register_stream({.name = "embedded", .kind = "bus", .incarnation = "i1"}).ok());
        REQUIRE(harness.ledger().register_stream({.name = "internal", .kind = "internal"}).ok());
    }
    Epoch epoch;
};

std::string problem(const Status& status) {
    return status.ok() ? "" : status.error().message;
}

} // namespace

TEST_CASE("an empty ledger says where it begins") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const auto snapshot = harness->ledger().snapshot().value();
        CHECK(snapshot.next_seq == seq(1));
        CHECK(snapshot.epoch == Epoch(0));
        CHECK(snapshot.secret.size() == 32);
        CHECK(snapshot.instance == "weir");
        CHECK(snapshot.next_decision == DecisionNo(1));
        CHECK(snapshot.next_run == RunNo(1));
        CHECK(snapshot.next_trigger == TriggerNo(1));
        CHECK(snapshot.next_outgoing == OutgoingNo(1));
        CHECK(snapshot.next_gap == GapNo(1));
        CHECK(snapshot.next_dead_letter == DeadLetterNo(1));
        CHECK(snapshot.streams.empty());
        CHECK(harness->reader().head().value() == Seq(first - 1));
        CHECK(harness->ledger().take_epoch().value() == Epoch(1));
        CHECK(harness->ledger().take_epoch().value() == Epoch(2));
        harness->reopen();
        CHECK(harness->ledger().take_epoch().value() == Epoch(3));
        CHECK(harness->ledger().snapshot().value().secret == snapshot.secret);
    }
}

TEST_CASE("a snapshot gives back every field of what is open, also after a restart") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        const auto expected = rich_snapshot(harness->ledger().snapshot().value());
        REQUIRE(problem(harness->ledger().commit(rich_batch(), ready.epoch)) == "");
        CHECK(differ(harness->ledger().snapshot().value(), expected) == "");
        harness->reopen();
        CHECK(differ(harness->ledger().snapshot().value(), expected) == "");
    }
}

TEST_CASE("early reports are kept by run and attempt") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        const auto kept = [&] {
            std::vector<std::string> lines;
            const auto snapshot = harness->ledger().snapshot().value();
            for (const auto& row : snapshot.early_reports)
                lines.push_back(row.run.to_string().substr(0, 2) + " " + std::to_string(row.attempt) + " " +
                                row.body + (row.time == at(1) ? " at 1" : " later"));
            return lines;
        };
        const RunId one{Uuid{{0x11}}}, other{Uuid{{0x22}}};
        auto batch = batch_of({fact(1)});
        batch.early_reports = {{one, 0, at(1), "a"}, {one, 2, at(2), "b"}, {other, 2, at(3), "c"}};
        REQUIRE(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        CHECK(kept() == std::vector<std::string>{"11 0 a at 1", "11 2 b later", "22 2 c later"});
        batch = batch_of({fact(2)});
        batch.early_reports = {{one, 2, at(4), "d"}};
        batch.early_reports_gone = {{other, 2}, {one, 7}};
        REQUIRE(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        harness->reopen();
        CHECK(kept() == std::vector<std::string>{"11 0 a at 1", "11 2 d later"});
    }
}

TEST_CASE("a commit under an older epoch is a conflict and writes nothing") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        const auto newer = harness->ledger().take_epoch().value();
        const auto before = harness->ledger().snapshot().value();
        const auto status = harness->ledger().commit(rich_batch(), ready.epoch);
        REQUIRE_FALSE(status.ok());
        CHECK(status.error().kind == ErrorKind::Conflict);
        CHECK(differ(harness->ledger().snapshot().value(), before) == "");
        CHECK(problem(harness->ledger().commit(rich_batch(), newer)) == "");
    }
}

TEST_CASE(
    "without room a commit is unavailable, writes nothing, and the same batch goes in when there is room") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        const auto before = harness->ledger().snapshot().value();
        const auto batch = rich_batch();
        harness->fill();
        for (int i = 0; i < 3; ++i) {
            const auto status = harness->ledger().commit(batch, ready.epoch);
            REQUIRE_FALSE(status.ok());
            CHECK(status.error().kind == ErrorKind::Unavailable);
        }
        CHECK(differ(harness->ledger().snapshot().value(), before) == "");
        CHECK(harness->reader().head().value() == Seq(first - 1));
        CHECK_FALSE(harness->ledger().find_seen("/s", "a", at(10)).value().has_value());
        harness->make_room();
        CHECK(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        CHECK(differ(harness->ledger().snapshot().value(), rich_snapshot(before)) == "");
        harness->reopen();
        CHECK(differ(harness->ledger().snapshot().value(), rich_snapshot(before)) == "");
    }
}

namespace {

struct Broken {
    const char* what;
    void (*spoil)(Batch&);
    ErrorKind kind;
};
const Broken broken_batches[] = {
    {"a gap in seq", [](Batch& b) { b.inputs[2].seq = seq(4); }, ErrorKind::Internal},
    {"not the next seq", [](Batch& b) { b.inputs.erase(b.inputs.begin()); }, ErrorKind::Internal},
    {"a wrong next_seq", [](Batch& b) { b.next_seq = seq(9); }, ErrorKind::Internal},
    {"time that falls", [](Batch& b) { b.inputs[3].time = at(2); }, ErrorKind::Internal},
    {"log_time that falls", [](Batch& b) { b.log_time = at(5); }, ErrorKind::Internal},
    {"decisions out of order", [](Batch& b) { std::swap(b.decisions[0], b.decisions[1]); },
     ErrorKind::Internal},
    {"runs out of order", [](Batch& b) { std::swap(b.runs[0], b.runs[1]); }, ErrorKind::Internal},
    {"leaving what is not held", [](Batch& b) { b.held_left.push_back(leave(2, 1, 2, 5)); },
     ErrorKind::Internal},
    {"leaving twice", [](Batch& b) { b.held_left.push_back(b.held_left[0]); }, ErrorKind::Internal},
    {"held twice", [](Batch& b) { b.held_entered.push_back(b.held_entered[2]); }, ErrorKind::Internal},
    {"a second open timer of a name", [](Batch& b) { b.timers_set.push_back(timer(2, "slot", 300, 6)); },
     ErrorKind::Internal},
    {"the end of no timer", [](Batch& b) { b.timers_ended.push_back(timer_end(timer(2, "no", 1, 1), 6)); },
     ErrorKind::Internal},
    {"an update of no run", [](Batch& b) { b.run_updates.push_back(update(9, 6, RunState::Sent)); },
     ErrorKind::Internal},
    {"an attempt opened twice", [](Batch& b) { b.attempts_opened.push_back(opened(2, 1, 6)); },
     ErrorKind::Internal},
    {"an attempt settled twice", [](Batch& b) { b.attempts_settled.push_back(settled(1, 1, 2, 6)); },
     ErrorKind::Internal},
    {"a state of no trigger",
     [](Batch& b) {
         b.trigger_states.push_back({TriggerNo(7), TriggerState::Paused, "", seq(6)});
     },
     ErrorKind::Internal},
    {"what goes out, out of order", [](Batch& b) { std::swap(b.outgoing[0], b.outgoing[1]); },
     ErrorKind::Internal},
    {"the end of what does not wait", [](Batch& b) { b.outgoing_done.push_back(OutgoingNo(2)); },
     ErrorKind::Internal},
    {"a gap's number twice", [](Batch& b) { b.gaps[1].no = GapNo(1); }, ErrorKind::Internal},
    {"a gap accepted twice",
     [](Batch& b) {
         b.gaps_accepted.push_back({GapNo(1), seq(6)});
     },
     ErrorKind::Internal},
    {"an incarnation of no stream",
     [](Batch& b) {
         b.streams.push_back({StreamNo(9), "i"});
     },
     ErrorKind::Internal},
    {"a dead letter's number twice", [](Batch& b) { b.dead_letters[1].no = DeadLetterNo(1); },
     ErrorKind::Internal},
    {"an act without a reason", [](Batch& b) { b.audits[0].reason.clear(); }, ErrorKind::Internal},
    {"too many inputs",
     [](Batch& b) {
         while (b.inputs.size() <= 10'000)
             b.inputs.push_back(fact(static_cast<std::int64_t>(b.inputs.size()) + 1));
         b.next_seq = Seq(b.inputs.back().seq.value + 1);
         b.log_time = b.inputs.back().time;
     },
     ErrorKind::Exhausted},
};

} // namespace

TEST_CASE("a batch that breaks an invariant is refused whole") {
    for (const auto& kind : kinds()) {
        const auto harness = kind.make();
        const Ready ready(*harness);
        const auto before = harness->ledger().snapshot().value();
        for (const auto& broken : broken_batches) {
            INFO(kind.name << ": " << broken.what);
            auto batch = rich_batch();
            broken.spoil(batch);
            const auto status = harness->ledger().commit(batch, ready.epoch);
            REQUIRE_FALSE(status.ok());
            CHECK(status.error().kind == broken.kind);
            CHECK(differ(harness->ledger().snapshot().value(), before) == "");
        }
        INFO(kind.name);
        REQUIRE(problem(harness->ledger().commit(rich_batch(), ready.epoch)) == "");
        CHECK(differ(harness->ledger().snapshot().value(), rich_snapshot(before)) == "");
    }
}

TEST_CASE("the earliest input of an identity within seven days is found, and no other") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        auto& ledger = harness->ledger();
        auto rows = std::vector{arrival(1, "x"), arrival(2, "x", "/other"), arrival(3, "x"), arrival(4, "y"),
                                fact(5),         settlement(6, 1),          arrival(7, "x")};
        rows[2].time = at(day);
        for (std::size_t i = 3; i < 6; ++i)
            rows[i].time = at(2 * day);
        rows[6].time = at(8 * day);
        REQUIRE(problem(ledger.commit(batch_of(rows), ready.epoch)) == "");
        for (int round = 0; round < 2; ++round) {
            const auto found = [&](const char* source, const std::string& id, std::int64_t ns) {
                const auto seen = harness->ledger().find_seen(source, id, at(ns)).value();
                return seen ? seen->seq.value - first + 1 : 0;
            };
            CHECK(found("/s", "x", 5) == 1);
            CHECK(found("/s", "x", 7 * day + 1) == 1); // exactly seven days after input 1, which is at 1 ns
            CHECK(found("/s", "x", 7 * day + 2) == 3);
            CHECK(found("/s", "x", 8 * day) == 3);
            CHECK(found("/s", "x", 8 * day + 1) == 7);
            CHECK(found("/s", "x", 15 * day + 1) == 0);
            CHECK(found("/s", "x", 0) == 0); // before it came
            CHECK(found("/other", "x", day) == 2);
            CHECK(found("/s", "y", 3 * day) == 4);
            CHECK(found("/s", "z", 3 * day) == 0);
            CHECK(found("/nobody", "x", 3 * day) == 0);
            CHECK(found("", "", 3 * day) == 0); // inputs that are no events have no identity
            CHECK(found("/weir/w/ads/train", run_id(1).to_string() + "/1", 3 * day) == 6);
            CHECK(harness->ledger().find_seen("/s", "y", at(3 * day)).value()->digest == rows[3].digest);
            harness->reopen();
        }
    }
}

TEST_CASE("a batch without inputs moves positions and counts") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        for (int i = 1; i <= 2; ++i) {
            auto batch = batch_of({}, 0);
            batch.log_time = at(i);
            batch.positions = {{StreamNo(1), Position(i * 10), at(i), {}, sha256("p")}};
            batch.uncounted = {{29145600, StreamNo(1), "t", "/s", 3}, {29145601, StreamNo(1), "t", "/s", i}};
            REQUIRE(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        }
        const auto snapshot = harness->ledger().snapshot().value();
        CHECK(snapshot.next_seq == seq(1));
        CHECK(snapshot.log_time == at(2));
        CHECK(snapshot.streams[0].position == Position(20));
        const auto rows = harness->reader().uncounted(at(0), at(120'000'000'000)).value();
        REQUIRE(rows.size() == 2);
        CHECK(rows[0].count == 6);
        CHECK(rows[1].count == 3);
        CHECK(rows[1].minute == 29145601);
        CHECK(rows[1].type == "t");
        CHECK(rows[1].source == "/s");
        CHECK(harness->reader().uncounted(at(0), at(60'000'000'000)).value().size() == 1);
    }
}

TEST_CASE("a deleted trigger and a deleted flow leave the snapshot, their name is free again") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        auto batch = batch_of({fact(1), fact(2), fact(3)});
        batch.trigger_versions = {trigger(1, "a", 1, 1), trigger(2, "a", 1, 3)};
        batch.trigger_states = {{TriggerNo(1), TriggerState::Deleted, "gone", seq(2)}};
        batch.flow_versions = {flow("f", "v1", 1), flow("f", "v1", 2)};
        batch.flow_versions[1].deleted = true;
        REQUIRE(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        auto snapshot = harness->ledger().snapshot().value();
        REQUIRE(snapshot.triggers.size() == 1);
        CHECK(snapshot.triggers[0].version.no == TriggerNo(2));
        CHECK(snapshot.flows.empty());
        auto& reader = harness->reader();
        CHECK(reader.trigger_versions("ads", "a").value()[0].no == TriggerNo(2));
        CHECK(reader.trigger_versions(TriggerNo(1)).value()[0].to == seq(2));
        auto more = batch_of({fact(4), fact(5)});
        more.flow_versions = {flow("f", "v1", 4)};
        more.trigger_states = {{TriggerNo(2), TriggerState::Deleted, "", seq(5)}};
        REQUIRE(problem(harness->ledger().commit(more, ready.epoch)) == "");
        snapshot = harness->ledger().snapshot().value();
        CHECK(snapshot.triggers.empty());
        CHECK(snapshot.next_trigger == TriggerNo(3));
        REQUIRE(snapshot.flows.size() == 1);
        CHECK(snapshot.flows[0].from == seq(4));
        CHECK(reader.trigger_versions("ads", "a").value()[0].no == TriggerNo(2)); // deleted last
    }
}

TEST_CASE("a snapshot counts the firings of its minute and the failures of its hour") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        constexpr std::int64_t minute = 60'000'000'000;
        std::vector<InputRow> inputs;
        for (std::int64_t n = 1; n <= 6; ++n)
            inputs.push_back(arrival(n, std::to_string(n)));
        const std::int64_t minutes[] = {58, 59, 60, 60, 61, 61};
        auto batch = batch_of(inputs);
        batch.trigger_versions = {trigger(1, "a", 1, 1), trigger(2, "b", 1, 1)};
        for (std::size_t i = 0; i < 6; ++i) {
            batch.inputs[i].time = at(minutes[i] * minute);
            for (const std::int64_t of : {1, 2}) {
                const auto no = static_cast<std::int64_t>(batch.decisions.size()) + 1;
                batch.decisions.push_back(decision(no, static_cast<std::int64_t>(i) + 1, of));
                batch.decisions.back().time = at(minutes[i] * minute);
                if (of == 2) batch.decisions.back().verdict = Verdict::Failed;
            }
        }
        batch.log_time = at(61 * minute);
        REQUIRE(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        auto triggers = harness->ledger().snapshot().value().triggers;
        REQUIRE(triggers.size() == 2);
        CHECK(triggers[0].fired_in_minute == 2);
        CHECK(triggers[0].failed_in_hour == 0);
        CHECK(triggers[1].fired_in_minute == 0);
        CHECK(triggers[1].failed_in_hour == 4);
        auto later = batch_of({}, 6);
        later.log_time = at(62 * minute);
        REQUIRE(problem(harness->ledger().commit(later, ready.epoch)) == "");
        triggers = harness->ledger().snapshot().value().triggers;
        CHECK(triggers[0].fired_in_minute == 0);
        CHECK(triggers[1].failed_in_hour == 4);
    }
}

TEST_CASE("payloads older than the limit go, those of held events and unsettled runs stay") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        const Ready ready(*harness);
        auto batch = batch_of({arrival(1, "a"), arrival(2, "b"), arrival(3, "c"), arrival(4, "d"),
                               arrival(5, "e"), arrival(6, "f")});
        batch.held_entered = {enter(1, 0, 2)};
        auto joined = decision(1, 4);
        joined.included = {{seq(3), "x"}, {seq(4), "y"}};
        batch.decisions = {joined};
        batch.runs = {run(1, 1, 4)};
        REQUIRE(problem(harness->ledger().commit(batch, ready.epoch)) == "");
        const auto bodies = [&] {
            std::string there;
            for (std::int64_t n = 1; n <= 6; ++n)
                there += harness->reader().input(seq(n)).value().body.empty() ? '-' : 'x';
            return there;
        };
        REQUIRE(problem(harness->ledger().retain(at(6))) == "");
        CHECK(bodies() == "-xxx-x");
        auto more = batch_of({fact(7)});
        more.held_left = {leave(1, 0, 2, 7)};
        more.run_updates = {update(1, 7, RunState::Settled)};
        REQUIRE(problem(harness->ledger().commit(more, ready.epoch)) == "");
        REQUIRE(problem(harness->ledger().retain(at(4))) == "");
        CHECK(bodies() == "---x-x");
        CHECK(harness->reader().input(seq(1)).value().id == "a");
        CHECK(harness->ledger().find_seen("/s", "a", at(7)).value()->seq == seq(1));
    }
}
