#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::support {

/// What a broker is started with, beyond what tests/support/brokers sets anyway.
struct BrokerOptions {
    int port = 0;          ///< 0: a free one
    int advertised = 0;    ///< what clients are told, and url() names: a proxy's port; 0: its own
    std::string config;    ///< NATS: further lines of the configuration file
    std::string jetstream; ///< NATS: further lines of its jetstream block
    std::vector<std::pair<std::string, std::string>>
        properties;                            ///< Kafka: of the broker, over the default ones
    std::vector<std::string> format_arguments; ///< Kafka: of the storage tool

    bool tls = false;                ///< shows certificates()/server.pem, which ca.pem there has signed
    bool client_certificate = false; ///< with tls: demands one of the client: client.pem, client.key
    std::string user, password;      ///< the one user there is; Kafka: with sasl
    std::string token;               ///< NATS
    std::string sasl;                ///< Kafka: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
};

/// A real message broker, run by a child process (tests/support/brokers/serve.py) that ends with this object
/// or this process, and its server with it.
///   auto broker = Broker::start("nats", "debian");   // ready: nats://127.0.0.1:PORT
///   broker.kill9();
///   broker.start();                                  // the same port and data
/// Kinds and versions: nats: debian, current; kafka: 3.9, 4.x. Where they are is said by the file that the
/// environment's WEIR_BROKERS names. A broker that cannot be had is a failure, never a reason to skip.
/// Thread: one at a time. Errors: std::runtime_error, which fails the test case. Each call returns once it is
/// done: started means ready, killed means reaped and its port closed.
class Broker {
  public:
    static Broker start(std::string_view kind, std::string_view version, const BrokerOptions& options = {});

    Broker(Broker&& other) noexcept;
    Broker& operator=(Broker&& other) noexcept;
    ~Broker();

    void start();                             ///< on the data and with the options of before
    void start(const BrokerOptions& options); ///< with others; `port` is not read
    void kill9();                             ///< SIGKILL
    void terminate();                         ///< SIGTERM, and waits for its end
    void freeze();                            ///< SIGSTOP: connections stay open, nothing is answered
    void thaw();                              ///< SIGCONT
    void restart();                           ///< terminate() if it runs, then start()
    void wipe();                              ///< kill9() and removes all data; start() then begins anew
    void snapshot();                          ///< copies its data aside as a kill would leave it
    void rollback(); ///< kill9() and puts the copy back: a loss of power; later positions are given out again

    [[nodiscard]] bool running() const;
    [[nodiscard]] int port() const;
    [[nodiscard]] int pid() const; ///< of the server; 0 if it does not run
    /// nats://127.0.0.1:PORT, or 127.0.0.1:PORT for Kafka.
    [[nodiscard]] const std::string& url() const;
    /// Where its configuration, log (server.log) and data are; removed at the end.
    [[nodiscard]] const std::string& folder() const;
    /// Once tls was asked for: ca.pem; server.pem; client.pem, client.key; and, for what must be refused,
    /// other-ca.pem; stranger.pem, stranger.key.
    [[nodiscard]] std::string certificates() const;

  private:
    struct Child;
    explicit Broker(std::unique_ptr<Child> child);
    std::unique_ptr<Child> child_;
};

} // namespace weir::support
