#include <support/catch.hpp>

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <librdkafka/rdkafka.h>
// After the other.
#include <librdkafka/rdkafka_mock.h>

#include <weir/events/kafka_bus.hpp>

// Without a broker: what is refused, and librdkafka's own cluster in this process for errors to order. Real
// brokers: tests/contract/kafka_bus_test.cpp.

using namespace weir;
using namespace weir::events;

namespace {

KafkaBusOptions options_of(const std::string& brokers) {
    KafkaBusOptions options;
    options.brokers = {brokers};
    options.timeout = std::chrono::seconds(5);
    KafkaTopicOptions topic;
    topic.topic = "orders";
    options.topics = {topic};
    return options;
}

const SystemClock real_clock;

std::string refusal(const KafkaBusOptions& options) {
    const auto bus = open_kafka_bus(real_clock, options);
    REQUIRE_FALSE(bus.ok());
    CHECK(bus.error().kind == ErrorKind::Invalid);
    return bus.error().message;
}

/// A cluster of the library's in this process.
class Mock {
  public:
    Mock() {
        char fault[256];
        auto* configuration = rd_kafka_conf_new();
        rd_kafka_conf_set(configuration, "log_level", "0", fault, sizeof fault);
        handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, fault, sizeof fault);
        REQUIRE(handle_ != nullptr);
        cluster_ = rd_kafka_mock_cluster_new(handle_, 1);
        REQUIRE(cluster_ != nullptr);
        REQUIRE(rd_kafka_mock_topic_create(cluster_, "orders", 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    ~Mock() {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(handle_);
    }
    Mock(const Mock&) = delete;
    [[nodiscard]] std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
    /// The next Produce requests fail so.
    void fail_produce(rd_kafka_resp_err_t error, int times) {
        constexpr std::int16_t produce = 0;
        for (int i = 0; i < times; ++i)
            rd_kafka_mock_push_request_errors(cluster_, produce, 1, error);
    }

    /// One of the next questions for offsets is answered so: the first after `before` others.
    void fail_list_offsets(rd_kafka_resp_err_t error, int before) {
        constexpr std::int16_t list_offsets = 2;
        for (int i = 0; i < before; ++i)
            rd_kafka_mock_push_request_errors(cluster_, list_offsets, 1, RD_KAFKA_RESP_ERR_NO_ERROR);
        rd_kafka_mock_push_request_errors(cluster_, list_offsets, 1, error);
    }

  private:
    rd_kafka_t* handle_ = nullptr;
    rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

Event event(int number) {
    Event one;
    one.id = std::to_string(number);
    one.source = "/s";
    one.type = "t";
    return one;
}

} // namespace

TEST_CASE("options of a Kafka bus that cannot be meant are refused") {
    auto options = options_of("127.0.0.1:1");
    REQUIRE(open_kafka_bus(real_clock, options).ok());
    SECTION("no broker") {
        options.brokers.clear();
        CHECK(refusal(options).find("no broker") != std::string::npos);
    }
    SECTION("no topic") {
        options.topics.clear();
        CHECK(refusal(options).find("no topic") != std::string::npos);
    }
    SECTION("a topic's name") {
        options.topics[0].topic = "a/b";
        CHECK(refusal(options).find("a/b") != std::string::npos);
    }
    SECTION("a topic twice") {
        options.topics.push_back(options.topics[0]);
        CHECK(refusal(options).find("twice") != std::string::npos);
    }
    SECTION("the default topic") {
        options.publish_topic = "elsewhere";
        CHECK(refusal(options).find("elsewhere") != std::string::npos);
    }
    SECTION("SASL without a user") {
        options.sasl = KafkaBusOptions::Sasl::Plain;
        CHECK(refusal(options).find("user") != std::string::npos);
    }
    SECTION("a certificate without its key") {
        options.tls.certificate_file = "client.pem";
        CHECK(refusal(options).find("key") != std::string::npos);
    }
    SECTION("an authority that is not there") {
        options.tls.enabled = true;
        options.tls.ca_file = "/nowhere/ca.pem";
        CHECK(refusal(options).find("ca") != std::string::npos);
    }
    SECTION("a mapping that does not compile") {
        options.topics[0].mapping = JsonMappingSettings{.type = "data."};
        CHECK(refusal(options).find("orders") != std::string::npos);
    }
    SECTION("settings that promises rest on") {
        for (const auto* name : {"auto.offset.reset", "enable.auto.commit", "isolation.level",
                                 "enable.idempotence", "acks", "group.id", "enable.partition.eof"}) {
            options.settings = {{name, "x"}};
            CHECK(refusal(options).find(name) != std::string::npos);
        }
    }
    SECTION("a setting that nobody knows") {
        options.settings = {{"no.such.setting", "1"}};
        CHECK(refusal(options).find("no.such.setting") != std::string::npos);
    }
}

TEST_CASE("a Kafka bus whose brokers nobody reaches is unavailable and closes at once") {
    auto options = options_of("127.0.0.1:1");
    options.timeout = std::chrono::milliseconds(300);
    auto bus = open_kafka_bus(real_clock, options);
    REQUIRE(bus.ok());
    CHECK((*bus)->streams().error().kind == ErrorKind::Unavailable);
    CHECK((*bus)->look("kafka/orders/0").error().kind == ErrorKind::Unavailable);
    CHECK((*bus)->publish("", std::vector<Event>{event(1)}).error().kind == ErrorKind::Unavailable);
    CHECK((*bus)->look("kafka/other/0").error().kind == ErrorKind::NotFound);
    CHECK((*bus)->look("other/orders/0").error().kind == ErrorKind::NotFound);
    CHECK((*bus)->look("kafka/orders/00").error().kind == ErrorKind::NotFound);
    CHECK_FALSE((*bus)->state().connected);
    CHECK((*bus)->state().kind == "kafka");
    (*bus)->close();
    CHECK((*bus)->streams().error().kind == ErrorKind::Unavailable);
}

TEST_CASE("a fatal error of the producer costs nothing that was to be published, nor its order") {
    Mock mock;
    auto bus = open_kafka_bus(real_clock, options_of(mock.brokers()));
    REQUIRE(bus.ok());
    REQUIRE((*bus)->publish("", std::vector<Event>{event(0)}).ok());
    mock.fail_produce(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 1);
    std::vector<Event> events;
    for (int i = 1; i <= 100; ++i)
        events.push_back(event(i));
    const auto positions = (*bus)->publish("", events);
    INFO((positions.ok() ? "" : positions.error().message));
    REQUIRE(positions.ok());
    CHECK(positions->size() == 100);
    for (std::size_t i = 1; i < positions->size(); ++i)
        CHECK((*positions)[i] > (*positions)[i - 1]);
    // All are there, in order.
    std::vector<std::string> seen;
    std::mutex mutex;
    std::condition_variable news;
    bool came = false;
    (*bus)->on_append([&] {
        std::lock_guard lock(mutex);
        came = true;
        news.notify_one();
    });
    for (Position after(0); seen.size() < 101;) {
        const auto reading = (*bus)->read("kafka/orders/0", after, 1000, 1'000'000);
        REQUIRE(reading.ok());
        for (const auto& arrival : reading->arrivals)
            if (seen.empty() || std::stoi(arrival.event.id) > std::stoi(seen.back()))
                seen.push_back(arrival.event.id);
        after = reading->upto;
        if (!reading->arrivals.empty()) continue;
        std::unique_lock lock(mutex);
        REQUIRE(news.wait_for(lock, std::chrono::seconds(60), [&] { return came; }));
        came = false;
    }
    for (std::size_t i = 0; i < seen.size(); ++i)
        CHECK(seen[i] == std::to_string(i));
    (*bus)->close();
}

TEST_CASE("a topic that its broker does not know for a moment has lost nothing") {
    Mock mock;
    auto bus = open_kafka_bus(real_clock, options_of(mock.brokers()));
    REQUIRE(bus.ok());
    REQUIRE((*bus)->publish("", std::vector<Event>{event(0)}).ok());
    const auto stream = "kafka/orders/0";
    REQUIRE((*bus)->at(stream, Position(1)).ok());
    // Whichever of the two ends is asked for: the other one's answer alone says nothing.
    const auto before = GENERATE(0, 1);
    mock.fail_list_offsets(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, before);
    const auto unknown = (*bus)->at(stream, Position(1));
    REQUIRE_FALSE(unknown.ok());
    CHECK(unknown.error().kind == ErrorKind::Unavailable);
    CHECK((*bus)->at(stream, Position(1)).ok());
    // What never was is not there.
    CHECK((*bus)->at(stream, Position(2)).error().kind == ErrorKind::NotFound);
    (*bus)->close();
}
