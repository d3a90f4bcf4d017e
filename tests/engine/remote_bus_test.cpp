#include <algorithm>

#include <support/catch.hpp>

#include <weir/base/loop.hpp>
#include <weir/engine/shell.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/ledger/memory_ledger.hpp>
#include <weir/triggers/compiled.hpp>

#include "broken_bus.hpp"

// The shell over remote buses: real threads, a bus that loses what it is told to lose.
using namespace weir;
using namespace weir::engine;
using namespace std::chrono_literals;

namespace {

events::Event event(const std::string& id) {
    events::Event event;
    event.id = id;
    event.source = "/test";
    event.type = "data.ready";
    event.data_kind = events::DataKind::Json;
    event.data = "{}";
    return event;
}

TriggerApply trigger_on_data() {
    const std::string text = "trigger: tr\nteam: t\nwhen: {event: data.ready}\nlaunch: {flow: f}\n";
    Problems problems;
    auto documents = triggers::read_triggers(text, "test", problems);
    REQUIRE(problems.empty());
    auto compiled = triggers::compile(documents.at(0), problems);
    REQUIRE(problems.empty());
    return {std::move(compiled), TriggerUid{Uuid::time_led(from_ns(1), sha256("uid"))}, text};
}

struct Rig {
    SystemClock clock;
    Loop loop;
    std::unique_ptr<ledger::MemoryLedger> ledger = ledger::make_memory_ledger("test", std::string(32, 's'));
    test::BrokenBus bus{"b"};
    std::string stream = bus.add_stream("S");
    ShellConfig config;
    events::Bus* outside = nullptr;
    int ledger_tasks = 0;
    std::unique_ptr<Shell> shell;

    ~Rig() {
        loop.stop();
        shell.reset();
    }

    void open() {
        loop.run_ready();
        shell.reset();
        ShellPorts ports{clock, *ledger, {&bus}, {}, {}, {}, {}};
        ports.post = [this](std::function<void()> task) { loop.post(std::move(task)); };
        ports.commit_on = [this](const std::function<void()>& task) {
            ++ledger_tasks;
            task();
        };
        ports.mint_uid = [] { return TriggerUid{Uuid::time_led(from_ns(1), sha256("uid"))}; };
        ports.outside = outside;
        shell = std::make_unique<Shell>(std::move(ports), config);
        const auto opened = shell->open();
        INFO((opened.ok() ? "" : opened.error().message));
        REQUIRE(opened.ok());
    }
    /// Turns until it is so, or for ten seconds.
    bool until(const std::function<bool()>& is_so) {
        const auto deadline = clock.steady_now() + 10s;
        while (clock.steady_now() < deadline) {
            while (shell->turn()) {
            }
            if (is_so()) return true;
            loop.run_until(clock.steady_now() + 5ms);
        }
        return is_so();
    }
    void apply() {
        ApplyInput input;
        auto flow = std::make_shared<flows::FlowVersion>();
        flow->team = "t";
        flow->flow = "f";
        flow->version = "1";
        flow->backend = "none";
        input.flows.push_back(flow);
        input.triggers.push_back(trigger_on_data());
        input.principal = "test";
        input.reason = "test";
        bool done = false;
        shell->submit(std::move(input), [&](const Shell::Outcome& outcome) {
            REQUIRE_FALSE(outcome.error);
            done = true;
        });
        REQUIRE(until([&] { return done; }));
    }
    /// Ready to read: the stream is registered and a trigger listens.
    void start() {
        open();
        REQUIRE(until([&] { return !shell->streams().empty(); }));
        apply();
    }
    std::vector<std::string> recorded() {
        ledger::Query query;
        query.limit = 1000;
        query.type = "data.ready";
        std::vector<std::string> ids;
        const auto page = ledger->reader().events(query);
        REQUIRE(page.ok());
        for (const auto& row : page->rows)
            ids.insert(ids.begin(), row.id);
        return ids;
    }
    bool have(const std::vector<std::string>& ids) {
        return until([&] { return recorded() == ids; });
    }
    void say(const std::string& id) { bus.append(stream, event(id), clock.now()); }
    std::string stopped() {
        for (const auto& view : shell->streams())
            if (view.name == stream) return view.stopped;
        return {};
    }
    std::optional<Error> accept() {
        std::optional<Shell::Outcome> outcome;
        shell->accept_gap(stream, "test", "known", [&](Shell::Outcome made) { outcome = std::move(made); });
        REQUIRE(until([&] { return outcome.has_value(); }));
        return outcome->error;
    }
    std::vector<ledger::GapRow> gaps() {
        auto found = ledger->reader().gaps();
        REQUIRE(found.ok());
        return *found;
    }
};

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

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
