#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <librdkafka/rdkafka.h>

#include <weir/base/result.hpp>

#include "settings.hpp"

namespace weir::events::kafka {

/// What one handle's own threads tell. It outlives the handle. Thread-safe.
class Signals {
  public:
    /// Grows whenever a connection is made or a partition's leader did not answer for it, before anything can
    /// be fetched thereafter: records fetched under one number follow each other on one unbroken connection.
    [[nodiscard]] std::uint64_t epoch() const { return epoch_.load(); }
    void disturbed() { epoch_.fetch_add(1); }

    /// The last failure that the handle told of, in words.
    [[nodiscard]] std::string failure() const;
    void failed(std::string what);
    /// As failed(), but tells nobody.
    void note(std::string what);
    /// `called` runs on any of the library's threads after a failure; it must not call into the library.
    void on_failure(std::function<void()> called);

  private:
    std::atomic<std::uint64_t> epoch_{0};
    mutable std::mutex mutex_;
    std::string failure_;
    std::function<void()> on_failure_;
};

struct DestroyHandle {
    void operator()(rd_kafka_t* handle) const;
};
/// Its end joins the library's threads: it waits for no broker, for a name server at most.
using Handle = std::unique_ptr<rd_kafka_t, DestroyHandle>;

struct DestroyMessage {
    void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using Record = std::unique_ptr<rd_kafka_message_t, DestroyMessage>;

struct DestroyQueue {
    void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
using Queue = std::unique_ptr<rd_kafka_queue_t, DestroyQueue>;

struct DestroyTopic {
    void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using Topic = std::unique_ptr<rd_kafka_topic_t, DestroyTopic>;

struct DestroyList {
    void operator()(rd_kafka_topic_partition_list_t* list) const {
        rd_kafka_topic_partition_list_destroy(list);
    }
};
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;

using DeliveryReport = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);

/// A handle of librdkafka. Its log goes to weir's; what it tells goes to `signals`. `invalid` names the
/// property.
Result<Handle> make_handle(rd_kafka_type_t type, const Properties& properties,
                           const std::shared_ptr<Signals>& signals, DeliveryReport report = nullptr);

/// The kind of an error of the library or a broker, with what went wrong in front.
Error error_of(rd_kafka_resp_err_t code, const std::string& what);

/// Whole milliseconds, at least one.
int to_ms(Duration d);

} // namespace weir::events::kafka
