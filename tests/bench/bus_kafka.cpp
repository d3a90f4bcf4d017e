#include <array>
#include <exception>
#include <optional>

#include <librdkafka/rdkafka.h>
#include <support/broker.hpp>

#include <weir/events/kafka_bus.hpp>

#include "bus_side.hpp"

namespace weir::bench {
namespace {

constexpr int silence_ms = 30'000;
constexpr std::size_t batch_max = 1000;

/// librdkafka alone: one partition, assigned by hand.
class BareKafka {
  public:
    BareKafka() = default;
    BareKafka(const BareKafka&) = delete;
    ~BareKafka() {
        if (queue_ != nullptr) rd_kafka_queue_destroy(queue_);
        if (handle_ == nullptr) return;
        rd_kafka_consumer_close(handle_);
        rd_kafka_destroy(handle_);
    }

    Status read(const std::string& brokers, const std::string& topic, std::int64_t events) {
        std::array<char, 512> fault{};
        auto* configuration = rd_kafka_conf_new();
        for (const auto& [name, value] :
             {std::pair<const char*, const char*>{"bootstrap.servers", brokers.c_str()},
              {"group.id", "weir-bench"},
              {"enable.auto.commit", "false"},
              {"enable.auto.offset.store", "false"}})
            if (rd_kafka_conf_set(configuration, name, value, fault.data(), fault.size()) !=
                RD_KAFKA_CONF_OK) {
                rd_kafka_conf_destroy(configuration);
                return internal(std::string("the bare Kafka client: ") + fault.data());
            }
        handle_ = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, fault.data(), fault.size());
        if (handle_ == nullptr) {
            rd_kafka_conf_destroy(configuration);
            return internal(std::string("the bare Kafka client: ") + fault.data());
        }
        rd_kafka_poll_set_consumer(handle_);
        queue_ = rd_kafka_queue_get_consumer(handle_);
        auto* list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, topic.c_str(), 0)->offset = 0;
        const auto code = rd_kafka_assign(handle_, list);
        rd_kafka_topic_partition_list_destroy(list);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return unavailable(std::string("the bare Kafka client cannot assign: ") + rd_kafka_err2str(code));
        return receive(events);
    }

  private:
    Status receive(std::int64_t events) {
        std::array<rd_kafka_message_t*, batch_max> messages{};
        for (std::int64_t got = 0; got < events;) {
            // Waits until the batch is full or this long: what is left at the end must not be waited for.
            const auto want = static_cast<std::size_t>(
                std::min<std::int64_t>(static_cast<std::int64_t>(batch_max), events - got));
            const auto count = rd_kafka_consume_batch_queue(queue_, silence_ms, messages.data(), want);
            if (count <= 0) return unavailable("the bare Kafka client received nothing");
            std::optional<std::string> fault;
            for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                    ++got;
                else
                    fault = rd_kafka_message_errstr(messages[i]);
                rd_kafka_message_destroy(messages[i]);
            }
            if (fault) return unavailable("the bare Kafka client: " + *fault);
        }
        return {};
    }

    rd_kafka_t* handle_ = nullptr;
    rd_kafka_queue_t* queue_ = nullptr;
};

class KafkaSide final : public BusSide {
  public:
    KafkaSide(std::optional<support::Broker> broker, std::string url)
        : broker_(std::move(broker)), url_(std::move(url)) {}

    Result<std::unique_ptr<events::Bus>> open(const std::string& stream) override {
        events::KafkaBusOptions options;
        options.brokers = {url_};
        events::KafkaTopicOptions one;
        one.topic = stream;
        one.start.at = events::StreamStart::At::Earliest;
        one.create.emplace();
        options.topics = {one};
        WEIR_ASSIGN(bus, events::open_kafka_bus(clock_, options));
        return reached(std::move(bus));
    }
    Status bare(const std::string& stream, std::int64_t events) override {
        BareKafka client;
        return client.read(url_, stream, events);
    }
    [[nodiscard]] int server_pid() const override { return broker_ ? broker_->pid() : 0; }
    [[nodiscard]] Report facts() const override {
        return {{"kind", "kafka"},
                {"server", broker_ ? version_in_log(broker_->folder(), "Kafka version:") : url_},
                {"client", std::string("librdkafka ") + rd_kafka_version_str()},
                {"partitions", 1},
                {"bare_client",
                 "rd_kafka_assign, rd_kafka_consume_batch_queue of 1,000, messages dropped at once"}};
    }

  private:
    SystemClock clock_;
    std::optional<support::Broker> broker_;
    std::string url_;
};

} // namespace

Result<std::unique_ptr<BusSide>> open_kafka_side(const Options& options) try {
    if (!options.url.empty()) return std::unique_ptr<BusSide>(new KafkaSide(std::nullopt, options.url));
    auto broker = support::Broker::start("kafka", options.version.empty() ? "4.x" : options.version);
    const auto url = broker.url();
    return std::unique_ptr<BusSide>(new KafkaSide(std::move(broker), url));
} catch (const std::exception& problem) {
    return unavailable(std::string("no Kafka broker: ") + problem.what());
}

} // namespace weir::bench
