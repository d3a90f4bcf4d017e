#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <weir/events/message.hpp>

#include "handle.hpp"

namespace weir::events::kafka {

/// Publishes by an idempotent producer and a thread of its own, which sends what all callers wait for at
/// once. A producer that had a fatal error, or that did not get an answer in time, is thrown away: what it
/// did not acknowledge is sent again, by the next one or by the caller. Thread: send() from any thread.
/// Limits: at most `waiting_max` records wait; then send() gives `unavailable`.
class Publisher {
  public:
    static constexpr std::size_t waiting_max = 100'000;

    Publisher(const KafkaBusOptions& options);
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    /// `partition` -1: by the key of each record. Offsets in the order of `messages`; waits for them.
    Result<std::vector<std::int64_t>> send(const std::string& topic, std::int32_t partition,
                                           const std::vector<Message>& messages);
    void close();
    /// How many producers were thrown away after a fatal error.
    [[nodiscard]] std::int64_t fatal_errors() const { return fatal_errors_.load(); }

  private:
    /// One record on its way.
    struct Slot {
        const Message* message = nullptr;
        std::size_t call = 0;
        enum class State { Unsent, Sent, Done, Refused } state = State::Unsent;
        std::int64_t offset = -1;
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    };
    struct Call {
        const std::string* topic = nullptr;
        std::int32_t partition = -1;
        const std::vector<Message>* messages = nullptr;
        std::vector<std::int64_t> offsets;
        Status outcome;
        bool done = false;
    };

    static void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void*);
    void run();
    void send_all(const std::vector<Call*>& calls);
    bool produce(const std::vector<Call*>& calls, std::size_t& next);
    rd_kafka_resp_err_t produce_one(const Call& call, Slot& slot);
    void throw_away();
    void finish(const std::vector<Call*>& calls, const std::string& late);

    const KafkaBusOptions options_;
    const std::shared_ptr<Signals> signals_ = std::make_shared<Signals>();
    std::vector<Slot> slots_; ///< outlives handle_, whose reports point to it
    Handle handle_;
    std::atomic<std::int64_t> fatal_errors_{0};

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Call*> waiting_;
    std::size_t waiting_records_ = 0;
    std::atomic<bool> closed_{false};
    std::thread thread_;
};

} // namespace weir::events::kafka
