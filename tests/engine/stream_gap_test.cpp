#include "remote_rig.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using namespace std::chrono_literals;

// What a bus loses, told and accepted.

TEST_CASE("retention that passed the reader is a gap, told exactly") {
    Rig rig;
    rig.start();
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    rig.shell.reset();
    rig.loop.run_ready();
    for (const auto* id : {"b", "c", "d"})
        rig.say(id);
    rig.bus.retire(rig.stream, 3);
    rig.open();
    REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
    CHECK(holds(rig.stopped(), "positions 2 to 3 were removed before they were read"));
    REQUIRE(rig.until([&] { return !rig.gaps().empty(); }));
    CHECK(rig.gaps()[0].kind == "retention");
    CHECK(rig.gaps()[0].from == Position(2));
    CHECK(rig.gaps()[0].to == Position(3));
    CHECK(rig.recorded() == std::vector<std::string>{"a"});

    // It is found once, not again at every start.
    rig.open();
    CHECK(!rig.stopped().empty());
    CHECK(rig.gaps().size() == 1);

    REQUIRE_FALSE(rig.accept());
    CHECK(rig.have({"a", "d"}));
    REQUIRE(rig.gaps().size() == 1);
    CHECK(rig.gaps()[0].accepted.has_value());
    CHECK(rig.accept()->kind == ErrorKind::Conflict);
    rig.open();
    rig.say("e");
    CHECK(rig.have({"a", "d", "e"}));
}

TEST_CASE("what is lost while nobody has accepted a gap is told as well") {
    Rig rig;
    rig.start();
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    rig.shell.reset();
    rig.loop.run_ready();
    for (const auto* id : {"b", "c", "d"})
        rig.say(id);
    rig.bus.retire(rig.stream, 3);
    rig.open();
    REQUIRE(rig.until([&] { return rig.gaps().size() == 1; }));
    const bool anew = GENERATE(false, true);
    anew ? rig.bus.recreate(rig.stream) : rig.bus.retire(rig.stream, 4);
    rig.say("x");
    REQUIRE_FALSE(rig.accept());
    CHECK(rig.have({"a", "x"}));
    rig.open();
    CHECK(rig.stopped().empty());
    REQUIRE(rig.gaps().size() == 2);
    CHECK(rig.gaps()[0].to == Position(3));
    CHECK(rig.gaps()[1].kind == (anew ? "recreated" : "retention"));
    if (!anew) CHECK((rig.gaps()[1].from == Position(4) && rig.gaps()[1].to == Position(4)));
    CHECK(rig.gaps()[1].accepted == rig.gaps()[0].accepted);
}

TEST_CASE("a stream made anew is a gap, and is read from its beginning once accepted") {
    Rig rig;
    rig.start();
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    SECTION("while connected") {
        rig.bus.recreate(rig.stream);
        rig.say("x");
        rig.say("y");
        rig.say("z");
    }
    SECTION("while weir was down") {
        rig.shell.reset();
        rig.loop.run_ready();
        rig.bus.recreate(rig.stream);
        rig.say("x");
        rig.say("y");
        rig.say("z");
        rig.open();
    }
    REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
    CHECK(holds(rig.stopped(), "made anew"));
    CHECK(rig.recorded() == std::vector<std::string>{"a"});
    REQUIRE_FALSE(rig.accept());
    CHECK(rig.have({"a", "x", "y", "z"}));
    rig.say("later");
    CHECK(rig.have({"a", "x", "y", "z", "later"}));
}

TEST_CASE("numbers given out again while weir stays connected are noticed before anything is used") {
    Rig rig;
    rig.start();
    for (const auto* id : {"a", "b", "c", "d"})
        rig.say(id);
    REQUIRE(rig.have({"a", "b", "c", "d"}));
    SECTION("and the stream is longer than before") {
        rig.bus.roll_back(rig.stream, 2, {event("c2"), event("d2"), event("e2")}, rig.clock.now());
        REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
        CHECK(holds(rig.stopped(), "which is not what was read there"));
        CHECK(rig.recorded().size() == 4);
        REQUIRE_FALSE(rig.accept());
        CHECK(rig.have({"a", "b", "c", "d", "c2", "d2", "e2"}));
    }
    SECTION("and the stream is shorter than before") {
        rig.bus.roll_back(rig.stream, 2, {event("c2")}, rig.clock.now());
        REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
        CHECK(holds(rig.stopped(), "but it was read up to 4"));
        rig.say("d2"); // comes while nobody has accepted it yet
        rig.say("e2");
        REQUIRE_FALSE(rig.accept());
        CHECK(rig.have({"a", "b", "c", "d", "c2", "d2", "e2"}));
    }
}

TEST_CASE("a gap stops its stream only") {
    Rig rig;
    const auto other = rig.bus.add_stream("T");
    rig.start();
    REQUIRE(rig.until([&] { return rig.shell->streams().size() == 2; }));
    rig.say("a");
    rig.bus.append(other, event("t1"), rig.clock.now());
    REQUIRE(rig.until([&] { return rig.recorded().size() == 2; }));
    rig.bus.recreate(rig.stream);
    REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
    rig.bus.append(other, event("t2"), rig.clock.now());
    REQUIRE(rig.until([&] { return rig.recorded().size() == 3; }));
    // What is decided meanwhile says what it was decided without.
    ledger::Query query;
    const auto decisions = rig.ledger->reader().decisions(query);
    REQUIRE(decisions.ok());
    CHECK(decisions->rows.front().without == std::vector<std::string>{rig.stream});
}

TEST_CASE("a poisoned place is checked like any other") {
    Rig rig;
    rig.start();
    events::Message message;
    message.body = "x";
    rig.bus.append_poison(rig.stream, message, rig.clock.now());
    REQUIRE(rig.until([&] { return rig.shell->counters().dead_letters == 1; }));
    REQUIRE(rig.until([&] { return rig.shell->idle(); }));
    rig.open();
    rig.say("a");
    CHECK(rig.have({"a"}));
    CHECK(rig.gaps().empty());
}

TEST_CASE("a message that reads otherwise since the configuration changed is no gap") {
    Rig rig;
    rig.start();
    SECTION("it was no event before") {
        events::Message message;
        message.body = "plain";
        rig.bus.append_poison(rig.stream, message, rig.clock.now());
        REQUIRE(rig.until([&] { return rig.shell->counters().dead_letters == 1; }));
    }
    SECTION("it had another id before") {
        rig.say("before");
        REQUIRE(rig.have({"before"}));
    }
    REQUIRE(rig.until([&] { return rig.shell->idle(); }));
    rig.shell.reset();
    rig.loop.run_ready();
    rig.bus.read_otherwise(rig.stream, 1, event("after"));
    const auto known = rig.recorded();
    rig.open();
    rig.say("next");
    CHECK(rig.until([&] { return rig.recorded().size() == known.size() + 1; }));
    CHECK(rig.gaps().empty());
}

TEST_CASE("what came behind the end of a truncated stream is new, whatever its times say") {
    Rig rig;
    rig.start();
    for (const auto* id : {"a", "b", "c", "d"})
        rig.say(id);
    REQUIRE(rig.have({"a", "b", "c", "d"}));
    rig.bus.roll_back(rig.stream, 2);
    REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
    // A producer whose clock is an hour behind, on a bus that takes its word.
    for (const auto* id : {"late", "later", "latest"})
        rig.bus.append(rig.stream, event(id), rig.clock.now() - 1h);
    REQUIRE_FALSE(rig.accept());
    CHECK(rig.have({"a", "b", "c", "d", "late", "later", "latest"}));
}
