#include <fstream>

#include <unistd.h>

#include "nats_client.hpp"
#include "nats_fixture.hpp"

// Who may connect, on real servers: each test case starts its own.

using namespace weir;
using namespace weir::events;
using namespace weir::contract;
using support::Broker;
using support::BrokerOptions;

namespace {

/// Publishes and reads one event.
void works(const NatsBusOptions& options) {
    auto bus = open_nats(options);
    reached(*bus);
    publish(*bus, "a");
    CHECK(read(*bus, "nats/S", 0, 1).size() == 1);
    CHECK(bus->state().connected);
    CHECK(bus->state().detail.find("127.0.0.1") != std::string::npos);
    bus->close();
}

/// Stays outside, goes on trying and says why.
void refused(const NatsBusOptions& options, const std::string& word) {
    auto bus = open_nats(options);
    Signal pause;
    std::string detail;
    // Longer than the client library keeps trying by itself.
    for (const Deadline end(std::chrono::seconds(4)); !end.passed();) {
        CHECK(bus->streams().error().kind == ErrorKind::Unavailable);
        CHECK_FALSE(bus->state().connected);
        const auto now = bus->state().detail;
        if (detail.find(word) == std::string::npos) detail = now;
        pause.wait(std::chrono::milliseconds(100));
    }
    INFO(detail);
    CHECK(detail.find(word) != std::string::npos);
    CHECK(detail.find("hidden") == std::string::npos);
    bus->close();
}

NatsBusOptions to(const Broker& broker) {
    return nats_options(broker.url(), "S", "s");
}

} // namespace

TEST_CASE("a NATS server with user and password") {
    BrokerOptions server;
    server.user = "weir";
    server.password = "hidden";
    auto broker = Broker::start("nats", nats_version(), server);
    auto options = to(broker);
    refused(options, "Authorization");
    options.user = "weir";
    options.password = "hidden?";
    refused(options, "Authorization");
    options.password = "hidden";
    works(options);
    // In the URL as well; it is not shown.
    auto in_url = to(broker);
    in_url.urls = {"nats://weir:hidden@127.0.0.1:" + std::to_string(broker.port())};
    auto bus = open_nats(in_url);
    reached(*bus);
    CHECK(bus->state().detail.find("hidden") == std::string::npos);
    bus->close();
}

TEST_CASE("a NATS server that lets us in only later") {
    BrokerOptions server;
    server.user = "weir";
    server.password = "other";
    auto broker = Broker::start("nats", nats_version(), server);
    auto options = to(broker);
    options.user = "weir";
    options.password = "hidden";
    auto bus = open_nats(options);
    Signal pause;
    pause.wait(std::chrono::seconds(3));
    CHECK_FALSE(bus->state().connected);
    broker.terminate();
    server.password = "hidden";
    broker.start(server);
    reached(*bus);
    CHECK(bus->state().connected);
    bus->close();
}

TEST_CASE("a NATS server with a token") {
    BrokerOptions server;
    server.token = "hidden";
    auto broker = Broker::start("nats", nats_version(), server);
    auto options = to(broker);
    options.token = "other";
    refused(options, "Authorization");
    options.token = "hidden";
    works(options);
}

TEST_CASE("a NATS server with nkeys") {
    // The pair that NATS's documentation of nkeys shows.
    BrokerOptions server;
    server.config =
        "authorization: { users: [ { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 } ] }";
    auto broker = Broker::start("nats", nats_version(), server);
    const auto file = broker.folder() + "/user.nk";
    std::ofstream(file) << "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n";
    auto options = to(broker);
    refused(options, "Authorization");
    options.nkey_seed_file = file;
    works(options);
}

TEST_CASE("a NATS server with certificates on both sides") {
    BrokerOptions server;
    server.tls = true;
    server.client_certificate = true;
    auto broker = Broker::start("nats", nats_version(), server);
    const auto folder = broker.certificates();
    auto options = to(broker);
    options.tls.enabled = true;
    options.tls.ca_file = folder + "/ca.pem";
    SECTION("none of ours") {
        refused(options, "not connected");
    }
    SECTION("one that another authority signed") {
        options.tls.certificate_file = folder + "/stranger.pem";
        options.tls.key_file = folder + "/stranger.key";
        refused(options, "not connected");
    }
    SECTION("the right one") {
        options.tls.certificate_file = folder + "/client.pem";
        options.tls.key_file = folder + "/client.key";
        works(options);
        options.tls.ca_file = folder + "/other-ca.pem";
        refused(options, "not connected");
        // Who checks nothing gets in; that is what verify_host: false says.
        options.tls.verify_host = false;
        works(options);
    }
}
