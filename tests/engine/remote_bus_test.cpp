#include "remote_rig.hpp"

using namespace weir;
using namespace weir::engine;
using namespace weir::engine::test;
using namespace std::chrono_literals;

TEST_CASE("a remote stream is read on from where the ledger stands") {
    Rig rig;
    rig.say("before"); // the stream is new to weir: it begins at its head
    rig.start();
    rig.say("a");
    rig.say("b");
    REQUIRE(rig.have({"a", "b"}));
    rig.open();
    rig.say("c");
    CHECK(rig.have({"a", "b", "c"}));
    CHECK(rig.gaps().empty());
}

TEST_CASE("events that came while weir was down are read when it is back") {
    Rig rig;
    rig.start();
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    rig.shell.reset();
    rig.loop.run_ready();
    for (int i = 0; i < 3000; ++i)
        rig.bus.append(rig.stream, event(std::to_string(i)), rig.clock.now());
    rig.open();
    REQUIRE(rig.until([&] { return rig.shell->counters().recorded >= 3000; }));
    CHECK(rig.ledger->reader().streams()->back().position == Position(3001));
}

TEST_CASE("a topic of many partitions is registered in one go") {
    Rig rig;
    std::vector<std::string> partitions;
    for (int i = 0; i < 100; ++i)
        partitions.push_back(rig.bus.add_stream("topic/" + std::to_string(i), "topic"));
    rig.open();
    REQUIRE(rig.until([&] { return rig.shell->streams().size() == 101; }));
    CHECK(rig.ledger_tasks <= 3); // the ledger's thread takes few tasks at a time
    rig.apply();
    for (const auto& partition : partitions)
        rig.bus.append(partition, event(partition), rig.clock.now());
    CHECK(rig.until([&] { return rig.recorded().size() == 100; }));
}

TEST_CASE("a stream that is seen but cannot be read is left out like one that is not seen") {
    Rig rig;
    rig.config.source_grace = 2s;
    const auto other = rig.bus.add_stream("T");
    rig.start();
    REQUIRE(rig.until([&] { return rig.shell->streams().size() == 2; }));
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    rig.bus.refuse_reads(true);
    rig.say("b");
    const auto left_out = [&] {
        const auto views = rig.shell->streams();
        return std::any_of(views.begin(), views.end(), [](const auto& view) { return view.left_out; });
    };
    CHECK(rig.until(left_out));
    rig.bus.refuse_reads(false);
    CHECK(rig.have({"a", "b"}));
    CHECK(rig.until([&] { return !left_out(); }));
    // One without anything new recovers as well.
    const auto views = rig.shell->streams();
    CHECK(std::all_of(views.begin(), views.end(), [](const auto& view) { return view.unreachable.empty(); }));
}

TEST_CASE("a partition added to a topic is read from its beginning") {
    Rig rig;
    const auto first = rig.bus.add_stream("topic/0", "topic");
    rig.open();
    REQUIRE(rig.until([&] { return rig.shell->streams().size() == 2; }));
    rig.apply();
    const auto second = rig.bus.add_stream("topic/1", "topic");
    rig.bus.append(second, event("early"), rig.clock.now());
    CHECK(rig.have({"early"}));
}

TEST_CASE("a message that is no event is kept, replayed, and never stops the stream") {
    Rig rig;
    rig.start();
    rig.say("a");
    events::Message message;
    message.headers = {{"x", "y"}};
    message.body = "mended";
    rig.bus.append_poison(rig.stream, message, rig.clock.now());
    auto unread = event("bad-json");
    unread.datacontenttype = "application/json";
    unread.data = "{\"n\": ";
    rig.bus.append_unread(rig.stream, unread, rig.clock.now());
    auto good = event("good-json");
    good.datacontenttype = "application/json";
    good.data = "{ \"n\": 1 }";
    rig.bus.append_unread(rig.stream, good, rig.clock.now());
    rig.say("b");
    REQUIRE(rig.have({"a", "good-json", "b"}));
    const auto letters = rig.ledger->reader().dead_letters({});
    REQUIRE(letters.ok());
    REQUIRE(letters->rows.size() == 2);
    auto newest = rig.ledger->reader().dead_letter(letters->rows[0].no);
    REQUIRE(newest.ok());
    CHECK(holds(newest->reason, "JSON"));
    CHECK(holds(newest->message, "bad-json"));
    auto oldest = rig.ledger->reader().dead_letter(letters->rows[1].no);
    REQUIRE(oldest.ok());
    CHECK(oldest->reason == "expected an event");
    CHECK(oldest->position == Position(2));
    const auto kept = events::decode_message(oldest->message);
    REQUIRE(kept.ok());
    CHECK(*kept == message);

    oldest->stream_name = rig.stream;
    auto arrival = rig.bus.decode(rig.stream, *kept, oldest->position, oldest->time);
    std::optional<Shell::Outcome> outcome;
    rig.shell->replay(*oldest, *arrival, "test", "mended", [&](Shell::Outcome made) { outcome = made; });
    REQUIRE(rig.until([&] { return outcome.has_value(); }));
    CHECK_FALSE(outcome->error);
    CHECK(rig.have({"a", "good-json", "b", "from-letter"}));
    CHECK(rig.ledger->reader().dead_letter(oldest->no)->replayed.has_value());
    // After all of it weir goes on from the right place.
    rig.open();
    rig.say("c");
    CHECK(rig.have({"a", "good-json", "b", "from-letter", "c"}));
    CHECK(rig.gaps().empty());
}

TEST_CASE("commands do not wait for a silent bus, arrivals of others do until its grace is over") {
    Rig rig;
    rig.config.source_grace = 2s;
    rig.config.act_patience = 50ms;
    rig.start();
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    rig.bus.be_silent(true);
    REQUIRE(rig.until([&] { return !rig.shell->streams().front().unreachable.empty(); }));
    bool paused = false;
    rig.shell->submit(PauseInput{"t", "tr", "test", "test"}, [&](const Shell::Outcome& outcome) {
        CHECK_FALSE(outcome.error);
        paused = true;
    });
    CHECK(rig.until([&] { return paused; }));
    REQUIRE(rig.until([&] { return rig.shell->streams().front().left_out; }));
    rig.bus.be_silent(false);
    rig.say("b");
    CHECK(rig.have({"a", "b"}));
    CHECK(rig.gaps().empty());
    CHECK(rig.shell->streams().front().unreachable.empty());
}

TEST_CASE("a bus that does not answer at the start is waited for") {
    Rig rig;
    rig.bus.be_silent(true);
    rig.open();
    CHECK(rig.shell->streams().empty());
    rig.apply();
    rig.bus.be_silent(false);
    REQUIRE(rig.until([&] { return !rig.shell->streams().empty(); }));
    rig.say("a");
    CHECK(rig.have({"a"}));
}

TEST_CASE("a stream that vanished is left out, and read on when it is there again") {
    Rig rig;
    rig.start();
    rig.say("a");
    REQUIRE(rig.have({"a"}));
    rig.bus.remove_stream(rig.stream);
    REQUIRE(rig.until([&] { return rig.shell->streams().front().absent; }));
    rig.bus.add_stream("S");
    REQUIRE(rig.until([&] { return !rig.stopped().empty(); }));
    REQUIRE_FALSE(rig.accept());
    rig.say("b");
    CHECK(rig.have({"a", "b"}));
}

TEST_CASE("what is accepted goes out once the bus takes it, in order, also after weir died") {
    Rig rig;
    rig.outside = &rig.bus;
    rig.start();
    const auto publish = [&](const std::string& id) {
        std::optional<Shell::Outcome> outcome;
        rig.shell->publish({events::encode_wire(event(id))}, [&](Shell::Outcome made) { outcome = made; });
        REQUIRE(rig.until([&] { return outcome.has_value(); }));
        CHECK_FALSE(outcome->error);
    };
    const auto went_out = [&](std::size_t n) {
        return rig.until([&] { return rig.bus.published().size() >= n; });
    };
    publish("1");
    REQUIRE(went_out(1));
    REQUIRE(rig.until([&] { return rig.shell->outgoing() == 0; }));
    rig.bus.be_silent(true);
    publish("2");
    publish("3");
    REQUIRE(rig.until([&] { return !rig.shell->outgoing_trouble().empty(); }));
    CHECK(rig.shell->outgoing() == 2);
    rig.open(); // as after a crash: they stand in the ledger
    CHECK(rig.shell->outgoing() == 2);
    rig.bus.be_silent(false);
    REQUIRE(went_out(3));
    REQUIRE(rig.until([&] { return rig.shell->outgoing() == 0; }));
    std::vector<std::string> ids;
    for (const auto& one : rig.bus.published())
        ids.push_back(one.id);
    CHECK(ids == std::vector<std::string>{"1", "2", "3"});
}

TEST_CASE("an event that the bus refuses is kept as a dead letter and holds nothing up") {
    Rig rig;
    rig.outside = &rig.bus;
    rig.bus.limit(500);
    rig.start();
    auto large = event("large");
    large.data = "\"" + std::string(1000, 'x') + "\"";
    std::vector<std::string> wires;
    for (const auto& one : {event("1"), large, event("2")})
        wires.push_back(events::encode_wire(one));
    bool taken = false;
    rig.shell->publish(std::move(wires), [&](const Shell::Outcome& outcome) { taken = !outcome.error; });
    REQUIRE(rig.until([&] { return taken && rig.bus.published().size() == 2; }));
    REQUIRE(rig.until([&] { return rig.shell->outgoing() == 0; }));
    const auto letters = rig.ledger->reader().dead_letters({});
    REQUIRE(letters.ok());
    REQUIRE(letters->rows.size() == 1);
    CHECK(holds(letters->rows[0].reason, "too large for this bus"));
}

TEST_CASE("too many events on their way are refused") {
    Rig rig;
    rig.outside = &rig.bus;
    rig.config.outgoing_max = 3;
    rig.start();
    rig.bus.be_silent(true);
    std::optional<Error> refused;
    int accepted = 0;
    for (int i = 0; i < 5; ++i)
        rig.shell->publish({events::encode_wire(event(std::to_string(i)))},
                           [&](const Shell::Outcome& outcome) {
                               if (outcome.error)
                                   refused = outcome.error;
                               else
                                   ++accepted;
                           });
    REQUIRE(rig.until([&] { return accepted == 3; }));
    REQUIRE(refused);
    CHECK(refused->kind == ErrorKind::Unavailable);
}

TEST_CASE("events that may not be published yet are kept until they may") {
    Rig rig;
    rig.outside = &rig.bus;
    rig.start();
    rig.bus.deny(true);
    std::optional<Shell::Outcome> outcome;
    rig.shell->publish({events::encode_wire(event("1"))}, [&](Shell::Outcome made) { outcome = made; });
    REQUIRE(rig.until([&] { return outcome && !rig.shell->outgoing_trouble().empty(); }));
    CHECK(holds(rig.shell->outgoing_trouble(), "no right to publish"));
    rig.bus.deny(false);
    REQUIRE(rig.until([&] { return rig.bus.published().size() == 1 && rig.shell->outgoing() == 0; }));
    CHECK(rig.shell->counters().dead_letters == 0);
}
