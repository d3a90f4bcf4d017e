#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nats/nats.h>

#include <weir/base/result.hpp>
#include <weir/events/nats_bus.hpp>

namespace weir::events::nats {

/// `unavailable` with what the client library says.
Error library_error(std::string_view doing, natsStatus status);

/// A connection of the client library. It reconnects by itself, but may give up after all (two refusals of
/// our credentials in a row): then the link makes another one. Thread-safe.
class Connection {
  public:
    Connection(natsConnection* connection, std::uint64_t number);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] natsConnection* get() const { return connection_; }
    [[nodiscard]] bool up() const;
    [[nodiscard]] bool given_up() const;
    /// Another number: the connection was lost since. It is counted before anything comes over the new one.
    [[nodiscard]] std::uint64_t epoch();
    /// Ends it; what waits for an answer fails. Returns at once.
    void close();

  private:
    natsConnection* connection_;
    const std::uint64_t number_;
    std::mutex mutex_;
    natsStatistics* statistics_ = nullptr;
};

/// The way to the servers, whatever connection it is just now.
/// Thread: keep() on one thread; everything else on any. `changed` runs on threads of the client library.
class Link {
  public:
    /// Checks options and reads the files they name; connects to nobody.
    static Result<std::unique_ptr<Link>> make(const NatsBusOptions& options, std::function<void()> changed);
    ~Link();

    /// Connects if there is no connection or the library gave it up: one attempt, which may take seconds.
    void keep();
    void close();

    /// `unavailable` if there is none that is up.
    Result<std::shared_ptr<Connection>> connected() const;
    /// Request and answer; `unavailable` without one in time.
    Result<std::string> request(const std::string& subject, const std::string& body) const;

    [[nodiscard]] std::int64_t timeout_ms() const;
    [[nodiscard]] bool up() const;
    [[nodiscard]] std::int64_t reconnects() const;
    /// What it is connected to, or why it is not.
    [[nodiscard]] std::string detail() const;

  private:
    /// What the library's callbacks know; outlives every connection.
    struct Shared {
        std::mutex mutex;
        std::condition_variable gone;
        std::function<void()> changed;
        std::string last_error;
        std::int64_t reconnects = 0;
        int alive = 0; ///< connections whose closing was not told yet
    };
    Link() = default;
    Status set_options(const NatsBusOptions& options);
    Status set_credentials(const NatsBusOptions& options);
    Status set_tls(const Tls& tls);
    static void on_connected(natsConnection*, void* closure);
    static void on_disconnected(natsConnection* connection, void* closure);
    static void on_closed(natsConnection*, void* closure);
    static void on_error(natsConnection*, natsSubscription*, natsStatus status, void* closure);
    static void on_first_connected(natsConnection*, void* closure);

    natsOptions* options_ = nullptr;
    std::string urls_; ///< without credentials
    Duration timeout_{};
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
    mutable std::mutex mutex_;
    std::shared_ptr<Connection> connection_;
    std::uint64_t made_ = 0;
    bool closed_ = false;
};

} // namespace weir::events::nats
