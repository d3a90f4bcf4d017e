#include <algorithm>

#include "nats_client.hpp"
#include "nats_fixture.hpp"

// What only NATS has: several streams, subject filters, limits of streams, positions without messages.

using namespace weir;
using namespace weir::events;
using namespace weir::contract;
using support::Broker;

namespace {

Broker& broker() {
    static Broker one = Broker::start("nats", nats_version());
    return one;
}

/// A bus on one stream of a name of its own, not made by weir.
struct OwnStream {
    OwnStream() {
        static int number = 0;
        stream = "T" + std::to_string(++number);
        subject = "t" + std::to_string(number);
        name = "nats/" + stream;
        options = nats_options(broker().url(), stream, subject);
        options.streams[0].create.reset();
    }
    void put(const std::string& type, const std::string& id) {
        client.publish(subject + "." + type,
                       {{"ce-specversion", "1.0"}, {"ce-id", id}, {"ce-source", "/s"}, {"ce-type", type}},
                       "x");
    }
    std::string stream, subject, name;
    NatsBusOptions options;
    NatsClient client{broker().url()};
};

std::vector<std::string> ids(const std::vector<Arrival>& arrivals) {
    std::vector<std::string> out;
    for (const auto& arrival : arrivals)
        out.push_back(arrival.event.id);
    return out;
}

using Ids = std::vector<std::string>;

/// Reads until everything up to `last` is known to be read.
void until_upto(Follower& follower, std::int64_t last) {
    Signal pause;
    for (const Deadline deadline; follower.place().value < last;) {
        REQUIRE(follower.once().ok());
        REQUIRE_FALSE(deadline.passed());
        pause.wait(std::chrono::milliseconds(20));
    }
}

} // namespace

TEST_CASE("streams of NATS are adopted, made, or refused by name") {
    OwnStream own;
    auto bus = open_nats(own.options);
    Signal pause;
    auto streams = bus->streams();
    for (const Deadline deadline; !bus->state().connected && !deadline.passed();)
        pause.wait(std::chrono::milliseconds(20));
    SECTION("one that is not there") {
        streams = bus->streams();
        REQUIRE_FALSE(streams.ok());
        CHECK(streams.error().kind == ErrorKind::NotFound);
        CHECK(streams.error().message.find(own.stream) != std::string::npos);
        CHECK(bus->look(own.name).error().kind == ErrorKind::NotFound);
        CHECK(bus->read(own.name, Position(0), 1, 1).error().kind == ErrorKind::NotFound);
        CHECK(bus->at(own.name, Position(1)).error().kind == ErrorKind::NotFound);
        const auto published = bus->publish("", std::vector<Event>{event("1")});
        REQUIRE_FALSE(published.ok());
        CHECK(published.error().kind == ErrorKind::Unavailable);
        CHECK(published.error().message.find(own.subject + ".contract.event") != std::string::npos);
    }
    SECTION("one whose messages go when they are acknowledged") {
        own.client.make_stream(own.stream, {own.subject + ".>"},
                               [](jsStreamConfig& c) { c.Retention = js_WorkQueuePolicy; });
        streams = bus->streams();
        REQUIRE_FALSE(streams.ok());
        CHECK(streams.error().kind == ErrorKind::Invalid);
        CHECK(streams.error().message.find("workqueue") != std::string::npos);
    }
    SECTION("one that is deleted later") {
        own.client.make_stream(own.stream, {own.subject + ".>"});
        REQUIRE(bus->streams()->size() == 1);
        own.client.remove_stream(own.stream);
        CHECK(bus->streams()->empty());
        CHECK(bus->look(own.name).error().kind == ErrorKind::NotFound);
    }
    SECTION("one into which the subject does not lead") {
        own.client.make_stream(own.stream, {own.subject + "x.>"});
        own.client.make_stream(own.stream + "other", {own.subject + ".>"});
        REQUIRE(bus->streams()->size() == 1);
        const auto published = bus->publish("", std::vector<Event>{event("1")});
        REQUIRE_FALSE(published.ok());
        INFO(published.error().message);
        CHECK(published.error().kind == ErrorKind::Invalid);
    }
    bus->close();
}

TEST_CASE("several streams of one NATS bus, each with its beginning") {
    OwnStream a, b, c;
    for (auto* one : {&a, &b, &c}) {
        one->client.make_stream(one->stream, {one->subject + ".>"});
        for (int i = 1; i <= 3; ++i)
            one->put("x", one->stream + std::to_string(i));
    }
    auto options = a.options;
    options.streams.push_back(b.options.streams[0]);
    options.streams.push_back(c.options.streams[0]);
    options.streams[0].start.at = StreamStart::At::Earliest;
    options.streams[1].start.at = StreamStart::At::New;
    options.streams[2].start.at = StreamStart::At::Time;
    auto probe = open_nats(c.options);
    reached(*probe);
    const auto old = read(*probe, c.name, 0, 3);
    options.streams[2].start.time = old[1].time;
    auto bus = open_nats(options);
    const auto streams = reached(*bus);
    REQUIRE(streams.size() == 3);
    CHECK(streams[0].name == a.name);
    CHECK(streams[0].start == Position(0));
    CHECK(streams[1].start == Position(3));
    CHECK(streams[2].start == Position(2));
    CHECK(ids(read(*bus, b.name, 0, 3)) == Ids{b.stream + "1", b.stream + "2", b.stream + "3"});
    CHECK(ids(read(*bus, c.name, 2, 1)) == Ids{c.stream + "3"});
    CHECK(ids(read(*bus, a.name, 1, 2)) == Ids{a.stream + "2", a.stream + "3"});
    bus->close();
}

TEST_CASE("a NATS stream read by subject") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"});
    std::vector<std::string> filters;
    Ids expected;
    SECTION("one filter") {
        filters = {own.subject + ".a.*"};
        expected = {"1", "4", "7", "10", "13", "16", "19"};
    }
    SECTION("several filters") {
        filters = {own.subject + ".a.*", own.subject + ".b.>"};
        expected = {"1", "2", "4", "5", "7", "8", "10", "11", "13", "14", "16", "17", "19", "20"};
    }
    own.options.streams[0].subjects = filters;
    for (int i = 1; i <= 20; ++i)
        own.put(i % 3 == 1 ? "a.x" : i % 3 == 2 ? "b.x.y" : "c", std::to_string(i));
    own.put("c", "last, and not ours");
    auto bus = open_nats(own.options);
    const auto info = reached(*bus).front();
    CHECK(info.first == Position(1));
    CHECK(info.head == Position(filters.size() == 1 ? 19 : 20));
    CHECK(info.last == Position(21));
    Follower follower(*bus, own.name);
    follower.until(expected.size());
    CHECK(ids(follower.got) == expected);
    // Everything is read, also what is not ours.
    until_upto(follower, 21);
    for (int i = 0; i < 5; ++i)
        own.put("c", "none " + std::to_string(i));
    until_upto(follower, 26);
    CHECK(follower.got.size() == expected.size());
    CHECK(follower.interruptions == 0);
    own.put("a.x", "ours");
    follower.until(expected.size() + 1);
    CHECK(follower.place() == Position(27));
    // Positions between ours hold nothing for us.
    CHECK(bus->at(own.name, Position(3)).error().kind == ErrorKind::NotFound);
    CHECK(bus->at(own.name, Position(4))->event.id == "4");
    // A reader that stood on one of them goes on from there.
    CHECK(ids(read(*bus, own.name, 25, 1)) == Ids{"ours"});
    bus->close();
}

TEST_CASE("single messages that are gone from a NATS stream are no gap") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"});
    auto bus = open_nats(own.options);
    reached(*bus);
    for (int i = 1; i <= 10; ++i)
        own.put("x", std::to_string(i));
    for (const int gone : {4, 5, 7, 10})
        own.client.remove_message(own.stream, gone);
    Follower follower(*bus, own.name);
    follower.until(6);
    CHECK(ids(follower.got) == Ids{"1", "2", "3", "6", "8", "9"});
    until_upto(follower, 10);
    const auto info = bus->look(own.name);
    REQUIRE(info.ok());
    CHECK(info->removes);
    CHECK(info->head == Position(9));
    CHECK(info->last == Position(10));
    CHECK(bus->at(own.name, Position(5)).error().kind == ErrorKind::NotFound);
    const auto at = bus->at(own.name, Position(6));
    REQUIRE(at.ok());
    CHECK(*bus->last_before(own.name, at->time) == Position(6));
    CHECK(*bus->last_before(own.name, at->time - Duration(1)) == Position(3));
    bus->close();
}

TEST_CASE("a NATS stream that keeps the newest of each subject") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"},
                           [](jsStreamConfig& c) { c.MaxMsgsPerSubject = 1; });
    auto bus = open_nats(own.options);
    reached(*bus);
    own.put("a", "1");
    Follower follower(*bus, own.name);
    follower.until(1);
    for (int i = 2; i <= 10; ++i)
        own.put(i % 2 == 0 ? "a" : "b", std::to_string(i));
    until_upto(follower, 10);
    CHECK(follower.got.back().event.id == "10");
    CHECK(bus->look(own.name)->removes);
    // The newest two are there for whoever begins before them.
    CHECK(ids(read(*bus, own.name, 3, 2)) == Ids{"9", "10"});
    bus->close();
}

TEST_CASE("retention passes a reader of NATS that stays away while it is connected") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"});
    auto bus = open_nats(own.options);
    reached(*bus);
    for (int i = 1; i <= 3; ++i)
        own.put("x", std::to_string(i));
    Follower follower(*bus, own.name);
    follower.events_max = 100;
    follower.until(3);
    // More than is read ahead: the server holds the rest, and then some of it is gone.
    std::vector<Event> events;
    for (int i = 4; i <= 9000; ++i)
        events.push_back(event(std::to_string(i)));
    publish_all(*bus, events);
    own.client.purge(own.stream, 8001);
    const auto gap = follower.until_error();
    INFO(gap.message);
    CHECK(gap.kind == ErrorKind::Corrupt);
    CHECK(gap.message.find(" to 8000") != std::string::npos);
    // What came before the gap was given, in order and whole.
    for (std::size_t i = 0; i < follower.got.size(); ++i)
        REQUIRE(follower.got[i].position == Position(static_cast<std::int64_t>(i) + 1));
    CHECK(gap.message.find(std::to_string(follower.got.size() + 1) + " to") != std::string::npos);
    CHECK(ids(read(*bus, own.name, 8000, 1000, 1000)).front() == "8001");
    bus->close();
}

TEST_CASE("all that was unread goes while a reader of NATS waits") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"}, [](jsStreamConfig& c) { c.MaxMsgs = 5; });
    auto bus = open_nats(own.options);
    reached(*bus);
    own.put("x", "1");
    Follower follower(*bus, own.name);
    follower.until(1);
    own.client.purge(own.stream, 2);
    // Nothing was lost: what was removed had been read.
    for (int i = 2; i <= 4; ++i)
        own.put("x", std::to_string(i));
    follower.until(4);
    CHECK(follower.interruptions == 0);
    bus->close();
}

TEST_CASE("an event that is too large for the NATS server") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"},
                           [](jsStreamConfig& c) { c.MaxMsgSize = 10'000; });
    auto bus = open_nats(own.options);
    reached(*bus);
    auto large = event("large");
    large.data_kind = DataKind::Binary;
    large.datacontenttype = "application/octet-stream";
    // As large as weir allows: with its headers it is over the 1 MiB of a server that nobody configured.
    large.data.assign(EventLimits().bytes_max - weight(large) + large.data.size(), 'x');
    REQUIRE(weight(large) == EventLimits().bytes_max);
    const auto refused = bus->publish("", std::vector<Event>{event("first"), large});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().kind == ErrorKind::Exhausted);
    CHECK(refused.error().message.find("max_payload") != std::string::npos);
    CHECK(refused.error().message.find("event 2") != std::string::npos);
    CHECK(bus->look(own.name)->head == Position(0));
    large.data.resize(20'000);
    const auto by_stream = bus->publish("", std::vector<Event>{large});
    REQUIRE_FALSE(by_stream.ok());
    INFO(by_stream.error().message);
    CHECK(by_stream.error().kind == ErrorKind::Exhausted);
    bus->close();
}

TEST_CASE("plain JSON on a NATS stream") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"});
    own.options.streams[0].mapping = JsonMappingSettings{
        .type = "'order.' + data.kind", .subject = "subject", .extensions = {{"who", "headers.Who"}}};
    auto bus = open_nats(own.options);
    reached(*bus);
    own.client.publish(own.subject + ".orders", {{"Who", "me"}}, R"({"kind": "new"})");
    own.client.publish(own.subject + ".orders", {{"Who", "me"}}, R"({"kind": 7})");
    publish(*bus, "an event as ever");
    const auto all = read(*bus, own.name, 0, 3);
    REQUIRE(all.size() == 3);
    CHECK(all[0].event.type == "order.new");
    CHECK(all[0].event.source == "/nats/" + own.stream);
    CHECK(all[0].event.id == "1");
    CHECK(all[0].event.subject == own.subject + ".orders");
    CHECK(all[0].event.extension("who")->value == "me");
    CHECK(all[0].data_checked);
    REQUIRE(all[1].poison);
    CHECK(all[1].poison->reason.find("\"type\"") != std::string::npos);
    CHECK(all[2].event.id == "an event as ever");
    CHECK(place_digest(*bus->at(own.name, Position(2))) == place_digest(all[1]));
    bus->close();
}

TEST_CASE("structured events over NATS") {
    OwnStream own;
    own.client.make_stream(own.stream, {own.subject + ".>"});
    own.options.mode = MessageMode::Structured;
    auto bus = open_nats(own.options);
    reached(*bus);
    publish(*bus, "1");
    const auto all = read(*bus, own.name, 0, 1);
    REQUIRE(all.size() == 1);
    CHECK(all[0].data_checked);
    CHECK(all[0].event == event("1"));
    bus->close();
}
