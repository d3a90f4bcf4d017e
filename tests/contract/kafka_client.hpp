#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <librdkafka/rdkafka.h>

namespace weir::contract {

/// What tests do to Kafka past the adapter. Errors: std::runtime_error, which fails the test case.
class KafkaClient {
  public:
    using Headers = std::vector<std::pair<std::string, std::string>>;

    explicit KafkaClient(const std::string& brokers,
                         const std::map<std::string, std::string>& settings = {}) {
        auto* configuration = rd_kafka_conf_new();
        auto all = settings;
        all.emplace("bootstrap.servers", brokers);
        all.emplace("linger.ms", "0");
        all.emplace("log_level", "2");
        all.emplace("message.max.bytes", "8000000");
        std::array<char, 512> fault{};
        for (const auto& [name, value] : all)
            check(rd_kafka_conf_set(configuration, name.c_str(), value.c_str(), fault.data(), fault.size()) ==
                      RD_KAFKA_CONF_OK,
                  fault.data());
        rd_kafka_conf_set_opaque(configuration, this);
        rd_kafka_conf_set_dr_msg_cb(configuration,
                                    [](rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
                                        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                                            ++static_cast<KafkaClient*>(self)->failed_;
                                    });
        handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, fault.data(), fault.size());
        check(handle_ != nullptr, fault.data());
        queue_ = rd_kafka_queue_new(handle_);
    }
    ~KafkaClient() {
        rd_kafka_queue_destroy(queue_);
        rd_kafka_destroy(handle_);
    }
    KafkaClient(const KafkaClient&) = delete;

    [[nodiscard]] rd_kafka_t* handle() const { return handle_; }

    void make_topic(const std::string& topic, int partitions = 1,
                    const std::map<std::string, std::string>& settings = {}) {
        std::array<char, 512> fault{};
        auto* made = rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, fault.data(), fault.size());
        for (const auto& [name, value] : settings)
            (void)rd_kafka_NewTopic_set_config(made, name.c_str(), value.c_str());
        const auto options = admin_options(RD_KAFKA_ADMIN_OP_CREATETOPICS);
        rd_kafka_CreateTopics(handle_, &made, 1, options.get(), queue_);
        rd_kafka_NewTopic_destroy(made);
        const auto code = answer("making " + topic, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
        // A broker may pass the request on to its controller twice and tell of the second time: what is there
        // is the topic just made if nothing is in it.
        std::int64_t low = 0, high = 0;
        const auto asked = rd_kafka_query_watermark_offsets(handle_, topic.c_str(), 0, &low, &high, 10'000);
        check(asked == RD_KAFKA_RESP_ERR_NO_ERROR && high == 0, "making " + topic + ": it is there already");
    }
    void remove_topic(const std::string& topic) {
        auto* gone = rd_kafka_DeleteTopic_new(topic.c_str());
        const auto options = admin_options(RD_KAFKA_ADMIN_OP_DELETETOPICS);
        rd_kafka_DeleteTopics(handle_, &gone, 1, options.get(), queue_);
        answer("removing " + topic);
        rd_kafka_DeleteTopic_destroy(gone);
    }
    void add_partitions(const std::string& topic, std::size_t total) {
        std::array<char, 512> fault{};
        auto* more = rd_kafka_NewPartitions_new(topic.c_str(), total, fault.data(), fault.size());
        const auto options = admin_options(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
        rd_kafka_CreatePartitions(handle_, &more, 1, options.get(), queue_);
        answer("adding partitions to " + topic);
        rd_kafka_NewPartitions_destroy(more);
    }
    /// Drops records before `offset`, as retention does.
    void drop_before(const std::string& topic, std::int32_t partition, std::int64_t offset) {
        auto* list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
        auto* records = rd_kafka_DeleteRecords_new(list);
        const auto options = admin_options(RD_KAFKA_ADMIN_OP_DELETERECORDS);
        rd_kafka_DeleteRecords(handle_, &records, 1, options.get(), queue_);
        answer("dropping records of " + topic);
        rd_kafka_DeleteRecords_destroy(records);
        rd_kafka_topic_partition_list_destroy(list);
    }
    /// One record; `time_ms` 0: now. Not waited for: flush().
    void produce(const std::string& topic, std::int32_t partition, const Headers& headers,
                 const std::optional<std::string>& body, const std::string& key = "k",
                 std::int64_t time_ms = 0) {
        auto* list = rd_kafka_headers_new(headers.size());
        for (const auto& [name, value] : headers)
            (void)rd_kafka_header_add(list, name.c_str(), -1, value.data(),
                                      static_cast<ssize_t>(value.size()));
        void* value = body ? const_cast<char*>(body->c_str()) : nullptr;
        const std::size_t size = body ? body->size() : 0;
        const auto code =
            rd_kafka_producev(handle_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_KEY(key.c_str(), key.size()), RD_KAFKA_V_VALUE(value, size),
                              RD_KAFKA_V_TIMESTAMP(time_ms), RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_END);
        check(code == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(code));
    }
    void flush() {
        check(rd_kafka_flush(handle_, 30'000) == RD_KAFKA_RESP_ERR_NO_ERROR, "flushing took too long");
    }
    /// How many records were not taken, of those that were waited for.
    [[nodiscard]] int failed() const { return failed_; }
    void begin() { check(rd_kafka_begin_transaction(handle_)); }
    void init_transactions() { check(rd_kafka_init_transactions(handle_, 30'000)); }
    void commit() { check(rd_kafka_commit_transaction(handle_, 30'000)); }
    void abort() { check(rd_kafka_abort_transaction(handle_, 30'000)); }

  private:
    struct DestroyOptions {
        void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
    };

    static void check(bool well, const std::string& what) {
        if (!well) throw std::runtime_error("kafka client: " + what);
    }
    static void check(rd_kafka_error_t* error) {
        if (error == nullptr) return;
        const std::string what = rd_kafka_error_string(error);
        rd_kafka_error_destroy(error);
        throw std::runtime_error("kafka client: " + what);
    }
    std::unique_ptr<rd_kafka_AdminOptions_t, DestroyOptions> admin_options(rd_kafka_admin_op_t what) {
        std::unique_ptr<rd_kafka_AdminOptions_t, DestroyOptions> options(
            rd_kafka_AdminOptions_new(handle_, what));
        std::array<char, 256> fault{};
        (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), 20'000, fault.data(), fault.size());
        (void)rd_kafka_AdminOptions_set_operation_timeout(options.get(), 20'000, fault.data(), fault.size());
        return options;
    }
    /// Waits for what was asked; the code that was answered, none or `allowed`.
    rd_kafka_resp_err_t answer(const std::string& what,
                               rd_kafka_resp_err_t allowed = RD_KAFKA_RESP_ERR_NO_ERROR) {
        auto* event = rd_kafka_queue_poll(queue_, 30'000);
        check(event != nullptr, what + ": no answer");
        auto code = rd_kafka_event_error(event);
        std::size_t count = 0;
        const rd_kafka_topic_result_t** topics = nullptr;
        if (const auto* made = rd_kafka_event_CreateTopics_result(event))
            topics = rd_kafka_CreateTopics_result_topics(made, &count);
        else if (const auto* removed = rd_kafka_event_DeleteTopics_result(event))
            topics = rd_kafka_DeleteTopics_result_topics(removed, &count);
        else if (const auto* grown = rd_kafka_event_CreatePartitions_result(event))
            topics = rd_kafka_CreatePartitions_result_topics(grown, &count);
        for (std::size_t i = 0; i < count; ++i)
            if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = rd_kafka_topic_result_error(topics[i]);
        if (const auto* dropped = rd_kafka_event_DeleteRecords_result(event)) {
            const auto* list = rd_kafka_DeleteRecords_result_offsets(dropped);
            for (int i = 0; i < list->cnt; ++i)
                if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = list->elems[i].err;
        }
        rd_kafka_event_destroy(event);
        const bool well = code == RD_KAFKA_RESP_ERR_NO_ERROR || code == allowed;
        check(well, what + ": " + rd_kafka_err2str(code));
        return code;
    }

    rd_kafka_t* handle_ = nullptr;
    rd_kafka_queue_t* queue_ = nullptr;
    int failed_ = 0; // counted by whoever polls: flush() on the caller's thread
};

} // namespace weir::contract
