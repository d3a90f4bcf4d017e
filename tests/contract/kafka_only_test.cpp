#include <algorithm>
#include <set>

#include "kafka_fixture.hpp"

// What is Kafka's own: transactions, compaction, partitions, times, keys, security.

using namespace weir;
using namespace weir::events;
using contract::event;
using contract::Follower;
using contract::kafka_options;
using contract::KafkaClient;
using contract::open_kafka;
using contract::running;

namespace {

std::string new_topic() {
    static int number = 0;
    return "own" + std::to_string(++number);
}

KafkaClient::Headers headers(const std::string& id) {
    return {{"ce_specversion", "1.0"}, {"ce_id", id}, {"ce_source", "/s"}, {"ce_type", "t"}};
}

std::vector<std::string> ids(const std::vector<Arrival>& arrivals) {
    std::vector<std::string> all;
    for (const auto& arrival : arrivals)
        all.push_back(arrival.event.id);
    return all;
}

/// Until `done`, for a while.
void wait_for(const std::function<bool()>& done) {
    contract::Signal pause;
    for (const contract::Deadline deadline; !done();) {
        REQUIRE_FALSE(deadline.passed());
        pause.wait(std::chrono::milliseconds(20));
    }
}

} // namespace

TEST_CASE("times of Kafka records never fall within a partition and never lie ahead") {
    running();
    const auto topic = new_topic();
    auto options = kafka_options(topic);
    options.topics[0].create->settings["retention.ms"] = "-1";
    auto bus = open_kafka(options);
    KafkaClient client(running().url());
    client.produce(topic, 0, headers("a"), "", "k", 2'000'000);
    client.produce(topic, 0, headers("b"), "", "k", 1'000'000);
    client.produce(topic, 0, headers("c"), "", "k", 3'000'000);
    client.produce(topic, 0, headers("d"), "", "k",
                   1'000 * (SystemClock().now().time_since_epoch().count() / 1'000'000'000 + 600));
    client.flush();
    const auto all = contract::read(*bus, "kafka/" + topic + "/0", 0, 4);
    CHECK(all[0].time == from_ns(2'000'000'000'000));
    CHECK(all[1].time == all[0].time);
    CHECK(all[2].time == from_ns(3'000'000'000'000));
    CHECK(all[3].time <= SystemClock().now());
    bus->close();
}

TEST_CASE("a topic with LogAppendTime has the broker's times") {
    running();
    const auto topic = new_topic();
    auto options = kafka_options(topic);
    options.topics[0].create->settings["message.timestamp.type"] = "LogAppendTime";
    auto bus = open_kafka(options);
    KafkaClient client(running().url());
    client.produce(topic, 0, headers("a"), "", "k", 1'000'000);
    client.flush();
    const auto all = contract::read(*bus, "kafka/" + topic + "/0", 0, 1);
    CHECK(all[0].time > SystemClock().now() - std::chrono::hours(1));
    bus->close();
}

TEST_CASE("transactions of Kafka: only what was committed comes, and the marks are passed") {
    running();
    const auto topic = new_topic();
    const auto stream = "kafka/" + topic + "/0";
    auto bus = open_kafka(kafka_options(topic));
    KafkaClient client(running().url(), {{"transactional.id", "tx-" + topic}});
    client.init_transactions();
    const auto put = [&](std::initializer_list<const char*> some) {
        client.begin();
        for (const auto* id : some)
            client.produce(topic, 0, headers(id), "");
        client.flush();
    };
    put({"a", "b"});
    client.commit();
    put({"lost1", "lost2"});
    client.abort();
    put({"c"});
    // What is still open is neither readable nor before head.
    CHECK(contract::look_at(*bus, stream).head == Position(6));
    client.commit();
    put({"lost3"});
    client.abort();
    // Marks are written by the broker after it has answered.
    const Position head(10);
    wait_for([&] { return contract::look_at(*bus, stream).head == head; });
    Follower follower(*bus, stream);
    follower.until(3);
    wait_for([&] { return follower.once().ok() && follower.place() == head; });
    CHECK(ids(follower.got) == std::vector<std::string>{"a", "b", "c"});
    CHECK(follower.got[0].position == Position(1));
    CHECK(follower.got[1].position == Position(2));
    CHECK(follower.got[2].position == Position(7));
    CHECK(bus->at(stream, Position(4)).error().kind == ErrorKind::NotFound); // aborted
    CHECK(bus->at(stream, Position(3)).error().kind == ErrorKind::NotFound); // a mark
    CHECK(bus->at(stream, Position(10)).error().kind == ErrorKind::NotFound);
    CHECK(bus->at(stream, Position(7))->event.id == "c");
    bus->close();
}

TEST_CASE("a compacted topic has holes, says so, and is read over them") {
    running();
    const auto topic = new_topic();
    const auto stream = "kafka/" + topic + "/0";
    auto options = kafka_options(topic);
    options.topics[0].create->settings = {{"cleanup.policy", "compact"},
                                          {"segment.ms", "200"},
                                          {"min.cleanable.dirty.ratio", "0.01"},
                                          {"max.compaction.lag.ms", "300"}};
    auto bus = open_kafka(options);
    KafkaClient client(running().url());
    for (int i = 1; i <= 20; ++i)
        client.produce(topic, 0, headers("e" + std::to_string(i)), "x", i % 2 == 0 ? "even" : "odd");
    client.flush();
    wait_for([&] { return contract::look_at(*bus, stream).removes; });
    contract::Signal pause;
    int more = 0;
    // The newest segment is never compacted: it takes a record to begin the next one.
    wait_for([&] {
        client.produce(topic, 0, headers("more" + std::to_string(++more)), "x", "more");
        client.flush();
        pause.wait(std::chrono::milliseconds(250));
        const auto at = bus->at(stream, Position(1));
        return !at.ok() && at.error().kind == ErrorKind::NotFound;
    });
    CHECK(contract::look_at(*bus, stream).first == Position(1));
    Follower follower(*bus, stream);
    follower.until(3);
    const auto seen = ids(follower.got);
    CHECK(std::count(seen.begin(), seen.end(), "e1") == 0);
    CHECK(std::count(seen.begin(), seen.end(), "e20") == 1);
    CHECK(follower.got[0].position > Position(1));
    bus->close();
}

TEST_CASE("partitions: one key, one partition; new ones are noticed and read from their beginning") {
    running();
    const auto topic = new_topic();
    auto options = kafka_options(topic, 3);
    options.refresh = std::chrono::milliseconds(500);
    auto bus = open_kafka(options);
    std::vector<Event> events;
    for (int i = 0; i < 60; ++i) {
        auto one = event(std::to_string(i));
        one.subject = "s" + std::to_string(i % 6);
        events.push_back(one);
    }
    REQUIRE(bus->publish("kafka/" + topic, events).ok());
    REQUIRE(bus->publish("kafka/" + topic + "/2", std::vector<Event>{event("there")}).ok());
    std::map<std::string, std::set<int>> where;
    std::size_t total = 0;
    for (int p = 0; p < 3; ++p) {
        const auto stream = "kafka/" + topic + "/" + std::to_string(p);
        const auto head = contract::look_at(*bus, stream).head.value;
        const auto all = contract::read(*bus, stream, 0, static_cast<std::size_t>(head));
        total += all.size();
        std::map<std::string, int> last;
        for (const auto& arrival : all) {
            if (arrival.event.id == "there") {
                CHECK(p == 2);
                continue;
            }
            where[arrival.event.subject].insert(p);
            // The order of each key is kept.
            const int number = std::stoi(arrival.event.id);
            if (last.count(arrival.event.subject) != 0) CHECK(last[arrival.event.subject] < number);
            last[arrival.event.subject] = number;
        }
    }
    CHECK(total == 61);
    CHECK(where.size() == 6);
    for (const auto& [subject, partitions] : where)
        CHECK(partitions.size() == 1);
    CHECK(bus->look("kafka/" + topic + "/3").error().kind == ErrorKind::NotFound);

    contract::Signal news;
    bus->on_append([&] { news.give(); });
    KafkaClient client(running().url());
    client.add_partitions(topic, 4);
    client.produce(topic, 3, headers("early"), "");
    client.flush();
    REQUIRE(news.wait());
    wait_for([&] { return bus->streams()->size() == 4; });
    const auto info = bus->look("kafka/" + topic + "/3");
    CHECK(info->family == "kafka/" + topic);
    CHECK(info->head == Position(1));
    CHECK(info->start == Position(0));
    CHECK(bus->look("kafka/" + topic + "/2")->start == bus->look("kafka/" + topic + "/2")->head);
    CHECK(contract::read(*bus, "kafka/" + topic + "/3", 0, 1).front().event.id == "early");
    bus->close();
}

TEST_CASE("many partitions of Kafka are asked for at once") {
    running();
    const auto topic = new_topic();
    auto bus = open_kafka(kafka_options(topic, 32));
    std::vector<Event> events;
    for (int i = 0; i < 640; ++i) {
        auto one = event(std::to_string(i));
        one.subject = "s" + std::to_string(i);
        events.push_back(one);
    }
    REQUIRE(bus->publish("", events).ok());
    const auto start = SystemClock().steady_now();
    const auto streams = bus->streams();
    const auto taken = SystemClock().steady_now() - start;
    REQUIRE(streams.ok());
    INFO("streams() of 32 partitions took "
         << std::chrono::duration_cast<std::chrono::microseconds>(taken).count() << " us");
    CHECK(streams->size() == 32);
    std::size_t total = 0;
    for (const auto& info : *streams)
        total += contract::read(*bus, info.name, 0, static_cast<std::size_t>(info.head.value)).size();
    CHECK(total == 640);
    bus->close();
}

TEST_CASE("beginning anew at one partition leaves the others undisturbed") {
    running();
    const auto topic = new_topic();
    auto bus = open_kafka(kafka_options(topic, 2));
    std::vector<Event> events;
    for (int i = 0; i < 3000; ++i)
        events.push_back(event(std::to_string(i)));
    for (const auto* p : {"0", "1"})
        REQUIRE(bus->publish("kafka/" + topic + "/" + p, events).ok());
    Follower other(*bus, "kafka/" + topic + "/1");
    other.events_max = 50;
    other.until_quietly(50);
    for (int round = 0; round < 20; ++round) {
        const auto again = contract::read(*bus, "kafka/" + topic + "/0", 100 * round, 200, 200);
        CHECK(again.front().position == Position(100 * round + 1));
        other.until_quietly(other.got.size() + 50);
    }
    other.until_quietly(3000);
    CHECK(other.interruptions <= 1);
    for (std::size_t i = 0; i < 3000; ++i)
        REQUIRE(other.got[i].event.id == std::to_string(i));
    bus->close();
}

TEST_CASE("a topic of Kafka that is gone is told, and read on when it is there again") {
    running();
    const auto topic = new_topic();
    const auto stream = "kafka/" + topic + "/0";
    auto options = kafka_options(topic);
    options.topics[0].create.reset();
    KafkaClient client(running().url());
    client.make_topic(topic);
    auto bus = open_kafka(options);
    contract::publish(*bus, "a");
    Follower follower(*bus, stream);
    follower.until(1);
    client.remove_topic(topic);
    CHECK(follower.until_error().kind == ErrorKind::NotFound);
    wait_for([&] { return bus->streams()->empty(); });
    CHECK(bus->state().detail.find(topic) != std::string::npos);
    client.make_topic(topic);
    contract::publish_all(*bus, {event("b"), event("c")});
    CHECK(follower.until_error().kind == ErrorKind::Corrupt);
    CHECK(ids(contract::read(*bus, stream, 0, 2)) == std::vector<std::string>{"b", "c"});
    bus->close();
}

TEST_CASE("released positions are committed for lag tools") {
    running();
    const auto topic = new_topic();
    const auto stream = "kafka/" + topic + "/0";
    auto options = kafka_options(topic);
    options.group_id = "lag-" + topic;
    auto bus = open_kafka(options);
    for (int i = 0; i < 5; ++i)
        contract::publish(*bus, std::to_string(i));
    REQUIRE(bus->release(stream, Position(3)).ok());
    auto* configuration = rd_kafka_conf_new();
    char fault[256];
    rd_kafka_conf_set(configuration, "bootstrap.servers", running().url().c_str(), fault, sizeof fault);
    rd_kafka_conf_set(configuration, "group.id", options.group_id.c_str(), fault, sizeof fault);
    auto* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, fault, sizeof fault);
    REQUIRE(consumer != nullptr);
    auto* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), 0);
    wait_for([&] {
        return rd_kafka_committed(consumer, list, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR &&
               list->elems[0].offset == 3;
    });
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(consumer);
    bus->close();
}

TEST_CASE("where reading of a Kafka partition begins is configured") {
    running();
    const auto topic = new_topic();
    const auto stream = "kafka/" + topic + "/0";
    auto options = kafka_options(topic);
    KafkaClient client(running().url());
    client.make_topic(topic, 1, {{"retention.ms", "-1"}});
    for (int i = 1; i <= 5; ++i)
        client.produce(topic, 0, headers(std::to_string(i)), "", "k", 1'000'000 * i);
    client.flush();
    CHECK(open_kafka(options)->look(stream)->start == Position(5));
    options.topics[0].start.at = StreamStart::At::Earliest;
    CHECK(open_kafka(options)->look(stream)->start == Position(0));
    options.topics[0].start = {StreamStart::At::Time, from_ns(3'000'000'000'000)};
    auto bus = open_kafka(options);
    CHECK(contract::look_at(*bus, stream).start == Position(3));
    CHECK(*bus->last_before(stream, from_ns(2'500'000'000'000)) == Position(2));
    CHECK(*bus->last_before(stream, from_ns(1)) == Position(0));
    CHECK(*bus->last_before(stream, from_ns(9'000'000'000'000)) == Position(5));
    bus->close();
}

TEST_CASE("an event that a topic does not take is refused before anything is sent") {
    running();
    const auto topic = new_topic();
    auto options = kafka_options(topic);
    options.topics[0].create->settings["max.message.bytes"] = "10000";
    auto bus = open_kafka(options);
    auto large = event("large");
    large.data_kind = DataKind::Binary;
    large.data.assign(20'000, 'x');
    wait_for([&] {
        return bus->publish("", std::vector<Event>{event("a"), large})
                   .error()
                   .message.find("max.message.bytes") != std::string::npos;
    });
    const auto refused = bus->publish("", std::vector<Event>{event("a"), large});
    CHECK(refused.error().kind == ErrorKind::Exhausted);
    contract::publish(*bus, "b");
    CHECK(contract::read(*bus, "kafka/" + topic + "/0", 0, 1).back().event.id == "b");
    bus->close();
}

/// librdkafka before 2.6.1 sends SCRAM messages that brokers from 4.0 on refuse (docs/buses.md).
bool scram_is_possible() {
    return std::string_view(contract::kafka_version()) == "3.9" || rd_kafka_version() >= 0x020601ff;
}

TEST_CASE("Kafka with TLS, client certificates and SASL") {
    const bool tls = GENERATE(false, true);
    using Sasl = KafkaBusOptions::Sasl;
    // Where SCRAM is not possible the client's certificate alone says who it is.
    const auto sasl = !tls ? Sasl::Plain : scram_is_possible() ? Sasl::ScramSha512 : Sasl::None;
    const std::string name = sasl == Sasl::Plain ? "PLAIN" : sasl == Sasl::None ? "" : "SCRAM-SHA-512";
    support::BrokerOptions secured;
    secured.sasl = name;
    if (!name.empty()) {
        secured.user = "weir";
        secured.password = "secret";
    }
    secured.tls = secured.client_certificate = tls;
    auto server = support::Broker::start("kafka", contract::kafka_version(), secured);
    KafkaBusOptions options;
    options.brokers = {server.url()};
    options.timeout = std::chrono::seconds(5);
    KafkaTopicOptions topic;
    topic.topic = "secured";
    topic.create = KafkaTopicOptions::Create{};
    options.topics = {topic};
    options.sasl = sasl;
    options.user = secured.user;
    options.password = secured.password;
    options.tls.enabled = tls;
    if (tls) {
        options.tls.ca_file = server.certificates() + "/ca.pem";
        options.tls.certificate_file = server.certificates() + "/client.pem";
        options.tls.key_file = server.certificates() + "/client.key";
    }
    {
        auto bus = open_kafka(options);
        contract::publish(*bus, "a");
        CHECK(contract::read(*bus, "kafka/secured/0", 0, 1).front().event.id == "a");
        CHECK(bus->at("kafka/secured/0", Position(1)).ok());
        bus->close();
    }
    const auto refused = [](KafkaBusOptions wrong) {
        wrong.timeout = std::chrono::seconds(2);
        auto bus = open_kafka(wrong, false);
        const auto streams = bus->streams();
        REQUIRE_FALSE(streams.ok());
        CHECK_FALSE(bus->state().connected);
        const auto detail = bus->state().detail;
        bus->close();
        return detail;
    };
    auto wrong = options;
    if (sasl != Sasl::None) {
        wrong.password = "guess";
        const auto denied = refused(wrong);
        INFO(denied);
        CHECK(denied.find("uthentication") != std::string::npos);
    }
    if (!tls) return;
    wrong = options;
    wrong.tls.ca_file = server.certificates() + "/other-ca.pem";
    const auto untrusted = refused(wrong);
    INFO(untrusted);
    CHECK(untrusted.find("certificate") != std::string::npos);
    wrong = options;
    wrong.tls.certificate_file = wrong.tls.key_file = "";
    CHECK_FALSE(refused(wrong).empty());
}

TEST_CASE("SCRAM with a client library that the broker refuses is told, not hidden") {
    support::BrokerOptions secured;
    secured.sasl = "SCRAM-SHA-512";
    secured.user = "weir";
    secured.password = "secret";
    auto server = support::Broker::start("kafka", contract::kafka_version(), secured);
    KafkaBusOptions options;
    options.brokers = {server.url()};
    options.timeout = std::chrono::seconds(5);
    KafkaTopicOptions topic;
    topic.topic = "secured";
    topic.create = KafkaTopicOptions::Create{};
    options.topics = {topic};
    options.sasl = KafkaBusOptions::Sasl::ScramSha512;
    options.user = "weir";
    options.password = "secret";
    auto bus = open_kafka(options, scram_is_possible());
    const auto streams = bus->streams();
    CHECK(streams.ok() == scram_is_possible());
    if (!streams.ok()) {
        INFO(streams.error().message);
        CHECK(streams.error().message.find("uthentication") != std::string::npos);
    }
    bus->close();
}
