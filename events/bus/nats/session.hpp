#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <nats/nats.h>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/events/bus.hpp>

#include "arrival.hpp"
#include "link.hpp"
#include "subject.hpp"

namespace weir::events::nats {

/// What came of a session, in order.
struct Taken {
    struct Mark {
        std::size_t bytes = 0;
        /// Not -1: between this position and the arrival some are missing, and somebody must ask why.
        std::int64_t jump_from = -1;
    };
    std::vector<Arrival> arrivals;
    std::vector<Mark> marks; ///< one for each arrival
    std::int64_t upto = 0;
    std::int64_t jump_from = -1; ///< as Mark::jump_from, between the last arrival and `upto`
};

/// One consumer on the server, and what came from it and was not taken yet. Ends for good when the connection
/// is lost, a message is missing or the consumer is gone; a new one begins where the reader stands. Owner:
/// keeps it until done(), which follows end(): the library's thread knows it until then. Thread: one reader;
/// the library's thread delivers; a keeper looks after it. Limits: ahead_messages_max messages and about
/// ahead_bytes_max bytes, asked for and not taken.
class Session {
  public:
    struct Start {
        std::string created; ///< of the stream
        std::int64_t after = 0;
        std::string consumer; ///< its name
    };
    Session(std::shared_ptr<const StreamSettings> settings, std::shared_ptr<Connection> connection,
            std::function<void()> notify);
    ~Session();

    /// Subscribes to what the consumer will send. First of all.
    Status listen();
    void begin(Start start);
    /// Stops delivery; what is queued is dropped. done() once the library's thread has left.
    void end();
    [[nodiscard]] bool done() const { return done_.load(); }

    /// True if it must be given up: why() says for what reason.
    [[nodiscard]] bool broken() const;
    [[nodiscard]] std::string why() const;
    void give_up(std::string why);
    /// Something was lost behind what was received: the reader is told once it took all before it.
    void set_gap(Error gap);
    [[nodiscard]] std::optional<Error> gap() const;

    [[nodiscard]] bool continues(std::int64_t after) const;
    Taken take(std::size_t events_max, std::size_t bytes_max);

    /// What the keeper must know.
    struct Standing {
        std::int64_t received = 0; ///< of this stream, everything for us up to here came
        bool paused = false;       ///< the server may send nothing
        std::int64_t tail_jump = -1;
    };
    [[nodiscard]] Standing standing() const;
    /// Of the stream; empty before begin().
    [[nodiscard]] std::string created() const;
    /// Nothing for us stands up to `last`, known while we stood at `received`.
    void advance(std::int64_t received, std::int64_t last);
    /// Asks again if the server let a request go without a word.
    void watch(SteadyInstant now);

  private:
    static void on_message(natsConnection*, natsSubscription*, natsMsg* message, void* closure);
    static void on_complete(void* closure);
    void arrived(natsMsg* message);
    void arrived(natsMsg* message, const AckPlace& place);
    void status(natsMsg* message);
    void ask(); ///< with the lock held
    [[nodiscard]] bool nothing_waits() const;
    void give_up_locked(std::string why);

    const std::shared_ptr<const StreamSettings> settings_;
    const std::shared_ptr<Connection> connection_;
    const std::uint64_t epoch_;
    const std::function<void()> notify_;
    const SystemClock clock_;
    natsSubscription* subscription_ = nullptr;
    std::string inbox_, next_subject_;
    Start start_;
    std::atomic<bool> done_{false};
    std::atomic<bool> over_{false}; ///< ended or broken: nothing is delivered any more

    mutable std::mutex mutex_;
    [[nodiscard]] std::size_t queued() const { return queue_.arrivals.size() - queue_begin_; }
    Taken queue_;
    std::size_t queue_begin_ = 0; ///< of what was not taken yet
    std::size_t queued_bytes_ = 0;
    std::string why_;
    std::optional<Error> gap_;
    std::int64_t received_ = 0, consumer_sequence_ = 0;
    std::int64_t pending_ = 0; ///< what the server had for us behind the newest message
    std::int64_t pending_jump_ = -1;
    std::int64_t taken_ = 0, taken_item_ = 0; ///< what the reader has: up to, and the last message of it
    int credit_ = 0;                          ///< messages that the server may still send
    bool due_ = false;                        ///< whoever waits was not told yet that the queue is not empty
    bool was_paused_ = false;                 ///< since the newest message
    bool one_of_any_size_ = false;
    SteadyInstant asked_{};
};

} // namespace weir::events::nats
