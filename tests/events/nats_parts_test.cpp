#include <support/catch.hpp>

#include <weir/events/nats_bus.hpp>

#include "nkey.hpp"
#include "subject.hpp"

using namespace weir;
using namespace weir::events;

TEST_CASE("subjects and filters") {
    using nats::subject_matches;
    CHECK(subject_matches("a.b", "a.b"));
    CHECK_FALSE(subject_matches("a.b", "a.b.c"));
    CHECK_FALSE(subject_matches("a.b.c", "a.b"));
    CHECK(subject_matches("a.*", "a.b"));
    CHECK_FALSE(subject_matches("a.*", "a.b.c"));
    CHECK(subject_matches("*.b", "a.b"));
    CHECK(subject_matches("a.>", "a.b.c"));
    CHECK_FALSE(subject_matches("a.>", "a"));
    CHECK(subject_matches(">", "a.b"));
    CHECK_FALSE(subject_matches("a.b", "a.bb"));
    CHECK_FALSE(subject_matches("a.b", ""));

    CHECK(nats::subject_fault("a.*.>", true).empty());
    CHECK_FALSE(nats::subject_fault("a.*.>", false).empty());
    CHECK_FALSE(nats::subject_fault("a.>.b", true).empty());
    CHECK_FALSE(nats::subject_fault("a..b", true).empty());
    CHECK_FALSE(nats::subject_fault("a.", true).empty());
    CHECK_FALSE(nats::subject_fault(".a", true).empty());
    CHECK_FALSE(nats::subject_fault("", true).empty());
    CHECK_FALSE(nats::subject_fault("a b", true).empty());
    CHECK(nats::stream_name_fault("EVENTS-1_x").empty());
    CHECK_FALSE(nats::stream_name_fault("a.b").empty());
    CHECK_FALSE(nats::stream_name_fault("").empty());
}

TEST_CASE("the subject that an event is published to") {
    CHECK(nats::subject_of("weir.events", "com.example.Thing_1-x") == "weir.events.com.example.Thing_1-x");
    CHECK(nats::subject_of("p", "a b/ü*>") == "p.a_b_____");
    CHECK(nats::subject_of("p", "..a..") == "p._._.a._._");
    CHECK(nats::subject_of("p", "") == "p._");
    for (const auto* type : {"a", "..", ".", "x y", "*", "a.>"})
        CHECK(nats::subject_fault(nats::subject_of("p.q", type), false).empty());
}

TEST_CASE("message ids are one for each source and id") {
    const auto id = [](const std::string& source, const std::string& own) {
        Event e;
        e.source = source;
        e.id = own;
        return nats::message_id(e);
    };
    CHECK(id("/a", "b") == id("/a", "b"));
    CHECK(id("/a", "b") != id("/a b", ""));
    CHECK(id("a", "b c") != id("a b", "c"));
    CHECK(id("/a%20", "b") != id("/a ", "b"));
    const std::string many(5000, 'x');
    CHECK(id(many, "1") != id(many, "2"));
    CHECK(id(many, "1").size() < 100);
    for (const char c : id("/ü\n", "\r\x01"))
        CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("reply subjects of JetStream") {
    const auto old = nats::parse_ack("$JS.ACK.S.cons.1.17.5.1700000000000000001.3");
    REQUIRE(old);
    CHECK(old->stream == "S");
    CHECK(old->consumer == "cons");
    CHECK(old->stream_sequence == 17);
    CHECK(old->consumer_sequence == 5);
    CHECK(old->time_ns == 1'700'000'000'000'000'001);
    CHECK(old->pending == 3);
    for (const auto* text : {"$JS.ACK._.ACCOUNT.S.cons.1.17.5.1700000000000000001.3.rand0m",
                             "$JS.ACK.hub.ACCOUNT.S.cons.1.17.5.1700000000000000001.3"}) {
        const auto later = nats::parse_ack(text);
        REQUIRE(later);
        CHECK(later->stream == "S");
        CHECK(later->consumer == "cons");
        CHECK(later->stream_sequence == 17);
        CHECK(later->pending == 3);
    }
    for (const auto* text :
         {"", "$JS.ACK", "$JS.ACK.S.c.1.2.3", "$JS.ACK.S.c.1.x.5.6.7", "_INBOX.a.b", "$JS.ACK.S.c.1.2.3.4.x"})
        CHECK_FALSE(nats::parse_ack(text));
}

TEST_CASE("public keys of nkey seeds") {
    // The pair that NATS's documentation of nkeys shows.
    const std::string seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const auto key = nats::public_key_of_seed(seed);
    REQUIRE(key.ok());
    CHECK(*key == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
    CHECK_FALSE(nats::public_key_of_seed("").ok());
    CHECK_FALSE(nats::public_key_of_seed(seed.substr(0, 57) + "A").ok());
    CHECK_FALSE(nats::public_key_of_seed("no seed at all").ok());
    CHECK_FALSE(nats::public_key_of_seed_file("/nowhere/seed.nk").ok());
}

TEST_CASE("URLs are shown without what is secret in them") {
    CHECK(nats::bare_url("nats://user:pass@host:4222") == "nats://host:4222");
    CHECK(nats::bare_url("token@host") == "host");
    CHECK(nats::bare_url("tls://host:4222") == "tls://host:4222");
}

namespace {

NatsBusOptions right_options() {
    NatsBusOptions options;
    options.urls = {"nats://127.0.0.1:1"};
    options.streams.resize(1);
    options.streams[0].stream = "EVENTS";
    return options;
}

/// Opening fails, and the message holds the word.
void check_fault(const NatsBusOptions& options, const std::string& word) {
    const auto bus = open_nats_bus(options);
    REQUIRE_FALSE(bus.ok());
    CHECK(bus.error().kind == ErrorKind::Invalid);
    INFO(bus.error().message);
    CHECK(bus.error().message.find(word) != std::string::npos);
}

} // namespace

TEST_CASE("wrong options of a NATS bus are named") {
    auto options = right_options();
    const auto fault = [&options](const std::string& word) { check_fault(options, word); };
    SECTION("no url") {
        options.urls.clear();
        fault("urls");
    }
    SECTION("no stream") {
        options.streams.clear();
        fault("streams");
    }
    SECTION("a stream's name") {
        options.streams[0].stream = "a.b";
        fault("a.b");
    }
    SECTION("a stream twice") {
        options.streams.push_back(options.streams[0]);
        fault("twice");
    }
    SECTION("a filter") {
        options.streams[0].subjects = {"a..b"};
        fault("a..b");
    }
    SECTION("publish_stream") {
        options.publish_stream = "OTHER";
        fault("publish_stream");
    }
    SECTION("publish_subject") {
        options.publish_subject = "weir.*";
        fault("publish_subject");
    }
    SECTION("a stream to be made without subjects") {
        options.streams[0].create.emplace();
        fault("subject");
    }
    SECTION("a mapping") {
        options.streams[0].mapping = JsonMappingSettings{.type = "("};
        fault("mapping");
    }
}

TEST_CASE("wrong credentials of a NATS bus are named") {
    auto options = right_options();
    const auto fault = [&options](const std::string& word) { check_fault(options, word); };
    SECTION("two ways to log in") {
        options.user = "a";
        options.token = "b";
        fault("one of");
    }
    SECTION("files that are not there") {
        SECTION("credentials") {
            options.credentials_file = "/nowhere/user.creds";
            fault("/nowhere/user.creds");
        }
        SECTION("seed") {
            options.nkey_seed_file = "/nowhere/user.nk";
            fault("/nowhere/user.nk");
        }
        SECTION("certificates") {
            options.tls.enabled = true;
            options.tls.ca_file = "/nowhere/ca.pem";
            fault("/nowhere/ca.pem");
        }
        SECTION("a key without its certificate") {
            options.tls.enabled = true;
            options.tls.key_file = "/nowhere/key.pem";
            fault("go together");
        }
    }
}

TEST_CASE("a NATS bus opens without a server") {
    NatsBusOptions options;
    options.urls = {"nats://someone:secret@127.0.0.1:1"};
    options.streams.resize(1);
    options.streams[0].stream = "EVENTS";
    options.timeout = std::chrono::milliseconds(300);
    auto bus = open_nats_bus(options);
    REQUIRE(bus.ok());
    CHECK((*bus)->remote());
    CHECK((*bus)->streams().error().kind == ErrorKind::Unavailable);
    CHECK((*bus)->look("nats/EVENTS").error().kind == ErrorKind::Unavailable);
    CHECK((*bus)->look("other").error().kind == ErrorKind::NotFound);
    Event e;
    e.id = "1";
    e.source = "/s";
    e.type = "t";
    CHECK((*bus)->publish("", std::vector<Event>{e}).error().kind == ErrorKind::Unavailable);
    const auto state = (*bus)->state();
    CHECK_FALSE(state.connected);
    CHECK(state.kind == "nats");
    CHECK(state.durability == Durability::ProcessSafe);
    CHECK(state.detail.find("127.0.0.1:1") != std::string::npos);
    CHECK(state.detail.find("secret") == std::string::npos);
    (*bus)->close();
    CHECK((*bus)->look("nats/EVENTS").error().kind == ErrorKind::Unavailable);
}
