#include "bus_broker_contract.hpp"

#include <cstdlib>

#include <nats/nats.h>

#include <support/broker.hpp>

#include <weir/events/nats_bus.hpp>

#include "nats_client.hpp"

using namespace weir;
using namespace weir::events;
using support::Broker;

namespace {

Broker& broker() {
    static Broker one = [] {
        const char* version = std::getenv("WEIR_NATS_VERSION");
        support::BrokerOptions options;
        options.config = "max_payload: 8MB";
        return Broker::start("nats", version == nullptr ? "debian" : version, options);
    }();
    return one;
}

void start_if_down() {
    if (!broker().running()) broker().start();
}

/// A stream of its own for every section; one server for all of them.
std::unique_ptr<contract::BusSetup> make_setup() {
    static int number = 0;
    const auto stream = "S" + std::to_string(++number);
    const auto subject = "s" + std::to_string(number);
    start_if_down();
    auto setup = std::make_unique<contract::BusSetup>();
    setup->stream = "nats/" + stream;
    setup->own_clock = false;
    setup->all_or_none = false;
    setup->keeps_until_release = false;
    setup->knows_ids = true;
    setup->open = [stream, subject](contract::BusSetup&, Duration) {
        NatsBusOptions options;
        options.urls = {broker().url()};
        options.publish_subject = subject;
        options.timeout = std::chrono::seconds(5);
        NatsStreamOptions one;
        one.stream = stream;
        one.create = NatsStreamOptions::Create{{subject + ".>"}};
        options.streams = {one};
        auto bus = open_nats_bus(options);
        INFO((bus.ok() ? "" : bus.error().message));
        REQUIRE(bus.ok());
        return std::move(bus).value();
    };
    // The suite's bus is reached and its stream there, as after the start of an engine.
    setup->open = [open = setup->open](contract::BusSetup& s, Duration age) {
        auto bus = open(s, age);
        if (!broker().running()) return bus;
        contract::Signal pause;
        for (const contract::Deadline deadline; !deadline.passed();) {
            const auto streams = bus->streams();
            INFO((streams.ok() ? "" : streams.error().message));
            if (streams.ok()) return bus;
            REQUIRE(streams.error().kind == ErrorKind::Unavailable);
            pause.wait(std::chrono::milliseconds(20));
        }
        FAIL("the server was not reached");
        return bus;
    };
    setup->kill = [] { broker().kill9(); };
    setup->start = [] { start_if_down(); };
    setup->freeze = [] { broker().freeze(); };
    setup->thaw = [] { broker().thaw(); };
    setup->snapshot = [] { broker().snapshot(); };
    setup->rollback = [] {
        broker().rollback();
        start_if_down();
    };
    setup->recreate = [stream, subject] {
        NatsClient client(broker().url());
        client.remove_stream(stream);
        client.make_stream(stream, {subject + ".>"});
    };
    setup->drop_before = [stream](std::int64_t first) { NatsClient(broker().url()).purge(stream, first); };
    setup->publish_raw = [subject](const contract::RawMessage& message) {
        NatsClient(broker().url()).publish(subject + ".raw", message.headers, message.body);
    };
    return setup;
}

} // namespace

TEST_CASE("the NATS bus keeps the promises of a bus") {
    contract::check_bus_contract(make_setup);
}

TEST_CASE("the NATS bus keeps its promises when the server is hurt") {
    contract::check_bus_on_broker(make_setup);
}
