#include "bus_broker_contract.hpp"

#include "kafka_fixture.hpp"

using namespace weir;
using namespace weir::events;
using contract::broker;
using contract::KafkaClient;
using contract::running;

namespace {

/// A topic of its own for every section; one broker for all of them.
std::unique_ptr<contract::BusSetup> make_setup() {
    static int number = 0;
    const auto topic = "t" + std::to_string(++number);
    running();
    auto setup = std::make_unique<contract::BusSetup>();
    setup->stream = "kafka/" + topic + "/0";
    setup->own_clock = false;
    setup->all_or_none = false;
    setup->keeps_until_release = false;
    setup->tells_incarnation = false;
    setup->reconnects_by_itself = true;
    setup->open = [topic](contract::BusSetup&, Duration) {
        return contract::open_kafka(contract::kafka_options(topic), broker().running());
    };
    setup->kill = [] { broker().kill9(); };
    setup->start = [] { running(); };
    setup->freeze = [] { broker().freeze(); };
    setup->thaw = [] { broker().thaw(); };
    setup->snapshot = [] { broker().snapshot(); };
    setup->rollback = [] {
        broker().rollback();
        running();
    };
    setup->recreate = [topic] {
        KafkaClient client(broker().url());
        client.remove_topic(topic);
        client.make_topic(topic);
    };
    setup->drop_before = [topic](std::int64_t first) {
        KafkaClient(broker().url()).drop_before(topic, 0, first - 1);
    };
    setup->publish_raw = [topic](const contract::RawMessage& message) {
        KafkaClient client(broker().url());
        client.produce(topic, 0, message.headers, message.body);
        client.flush();
    };
    return setup;
}

} // namespace

TEST_CASE("the Kafka bus keeps the promises of a bus") {
    contract::check_bus_contract(make_setup);
}

TEST_CASE("the Kafka bus keeps its promises when the broker is hurt") {
    contract::check_bus_on_broker(make_setup);
}
