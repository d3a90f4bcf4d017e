#include "bus_broker_contract.hpp"

#include "nats_client.hpp"
#include "nats_fixture.hpp"

using namespace weir;
using namespace weir::events;
using support::Broker;

namespace {

Broker& broker() {
    static Broker one = [] {
        support::BrokerOptions options;
        options.config = "max_payload: 8MB";
        return Broker::start("nats", contract::nats_version(), options);
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
        auto bus = contract::open_nats(contract::nats_options(broker().url(), stream, subject));
        if (broker().running()) contract::reached(*bus);
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
