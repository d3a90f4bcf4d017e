#include "bus_broker_contract.hpp"

#include <cstdlib>

#include <support/broker.hpp>

#include <weir/events/kafka_bus.hpp>

#include "kafka_client.hpp"

using namespace weir;
using namespace weir::events;
using contract::KafkaClient;
using support::Broker;

namespace {

/// One broker for all cases.
Broker& broker() {
    static Broker one = [] {
        const char* version = std::getenv("WEIR_KAFKA_VERSION");
        return Broker::start("kafka", version == nullptr ? "3.9" : version);
    }();
    return one;
}

Broker& running() {
    if (!broker().running()) broker().start();
    return broker();
}

const Clock& clock_of_bus() {
    static const SystemClock one;
    return one;
}

KafkaBusOptions options_of(const std::string& topic) {
    KafkaBusOptions options;
    options.brokers = {broker().url()};
    options.timeout = std::chrono::seconds(5);
    KafkaTopicOptions one;
    one.topic = topic;
    one.create = KafkaTopicOptions::Create{};
    options.topics = {one};
    return options;
}

/// A bus that was reached and has its topics, as after the start of an engine.
std::unique_ptr<Bus> open(const KafkaBusOptions& options, bool reached = true) {
    auto bus = open_kafka_bus(clock_of_bus(), options);
    INFO((bus.ok() ? "" : bus.error().message));
    REQUIRE(bus.ok());
    contract::Signal pause;
    for (const contract::Deadline deadline; reached;) {
        const auto streams = (*bus)->streams();
        INFO((streams.ok() ? "" : streams.error().message));
        if (streams.ok() && !streams->empty()) break;
        if (!streams.ok()) REQUIRE(streams.error().kind == ErrorKind::Unavailable);
        REQUIRE_FALSE(deadline.passed());
        pause.wait(std::chrono::milliseconds(20));
    }
    return std::move(bus).value();
}

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
    setup->open = [topic](contract::BusSetup&, Duration) {
        return open(options_of(topic), broker().running());
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
