#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <support/broker.hpp>
#include <support/catch.hpp>

using weir::support::Broker;
using weir::support::BrokerOptions;

namespace {

/// The first bytes that the server sends, or "refused".
std::string greeting(int port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string said = "refused";
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        std::array<char, 4096> buffer{};
        const auto size = ::recv(socket, buffer.data(), buffer.size(), 0);
        said.assign(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    }
    ::close(socket);
    return said;
}

} // namespace

TEST_CASE("a broker is killed, started again and frozen", "[broker]") {
    std::string folder;
    int pid = 0;
    {
        auto broker = Broker::start("nats", "debian");
        const int port = broker.port();
        folder = broker.folder();
        CHECK(broker.url() == "nats://127.0.0.1:" + std::to_string(port));
        CHECK(greeting(port).substr(0, 6) == "INFO {");
        const int first = broker.pid();
        broker.kill9();
        CHECK_FALSE(broker.running());
        CHECK(broker.pid() == 0);
        CHECK(greeting(port) == "refused");
        broker.start();
        CHECK(broker.port() == port);
        CHECK(broker.pid() != first);
        broker.freeze();
        broker.thaw();
        broker.snapshot();
        broker.rollback();
        CHECK_FALSE(broker.running());
        broker.restart();
        CHECK(greeting(port).substr(0, 6) == "INFO {");
        pid = broker.pid();
    }
    CHECK(::kill(pid, 0) == -1);
    CHECK(errno == ESRCH);
    CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("a broker is started with settings of the test", "[broker]") {
    BrokerOptions options;
    options.config = "max_payload: 4242";
    options.advertised = 12345;
    auto broker = Broker::start("nats", "current", options);
    CHECK(greeting(broker.port()).find("\"max_payload\":4242") != std::string::npos);
    CHECK(broker.url() == "nats://127.0.0.1:12345");
    broker.terminate();
    broker.start({});
    CHECK(greeting(broker.port()).find("\"max_payload\":4242") == std::string::npos);
    CHECK(broker.url() != "nats://127.0.0.1:12345");
}

TEST_CASE("a broker shows a certificate and asks for a password", "[broker]") {
    BrokerOptions options;
    options.tls = true;
    options.user = "alice";
    options.password = "secret";
    auto broker = Broker::start("nats", "debian", options);
    const auto said = greeting(broker.port());
    CHECK(said.find("\"tls_required\":true") != std::string::npos);
    CHECK(said.find("\"auth_required\":true") != std::string::npos);
    for (const auto* file :
         {"ca.pem", "client.pem", "client.key", "other-ca.pem", "stranger.pem", "stranger.key"})
        CHECK(std::filesystem::exists(broker.certificates() + "/" + file));
}

TEST_CASE("a broker that cannot be had says why", "[broker]") {
    const auto fault = [](auto&& act) -> std::string {
        try {
            act();
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "no fault";
    };
    CHECK(fault([] { Broker::start("nats", "0.1"); }).find("no nats '0.1'") != std::string::npos);
    CHECK(fault([] { Broker::start("pigeon", "1"); }).find("no kind of broker 'pigeon'") !=
          std::string::npos);
    BrokerOptions wrong;
    wrong.config = "no_such_setting: true";
    CHECK(fault([&] { Broker::start("nats", "debian", wrong); }).find("no_such_setting") !=
          std::string::npos);
    BrokerOptions sasl;
    sasl.sasl = "PLAIN";
    CHECK(fault([&] { Broker::start("nats", "debian", sasl); }).find("sasl") != std::string::npos);
    auto broker = Broker::start("nats", "debian");
    CHECK(fault([&] { broker.start(); }).find("runs already") != std::string::npos);
    CHECK(fault([&] { broker.rollback(); }).find("no snapshot") != std::string::npos);
    CHECK(greeting(broker.port()).substr(0, 6) == "INFO {");
}
