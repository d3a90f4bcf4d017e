#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <support/catch.hpp>
#include <support/fault_proxy.hpp>

using weir::support::FaultProxy;
using weir::support::ProxyWay;

namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// A connection that says in words what became of it.
class Client {
  public:
    explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto address = loopback(port);
        connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { ::close(fd_); }

    [[nodiscard]] bool connected() const { return connected_; }
    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (size <= 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(size));
        }
    }
    void end() const { ::shutdown(fd_, SHUT_WR); }
    /// At least `size` bytes, or fewer and "|end", "|reset" or, where nothing may come, "|silence".
    [[nodiscard]] std::string take(std::size_t size, int patience_ms = 30'000) const {
        const timeval patience{patience_ms / 1000, patience_ms % 1000 * 1000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        std::string taken;
        while (taken.size() < size) {
            std::array<char, 65536> buffer{};
            const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (got == 0) return taken + "|end";
            if (got < 0) return taken + (errno == ECONNRESET ? "|reset" : "|silence");
            taken.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return taken;
    }
    [[nodiscard]] std::string say(std::string_view bytes) const {
        send(bytes);
        return take(bytes.size());
    }

  private:
    int fd_;
    bool connected_ = false;
};

/// Sends back what it gets.
class Echo {
  public:
    Echo() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        auto address = loopback(0);
        socklen_t size = sizeof address;
        REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener_, 16) == 0);
        REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;
    ~Echo() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        for (auto& served : served_)
            served.join();
        ::close(listener_);
    }
    [[nodiscard]] int port() const { return port_; }

  private:
    void run() {
        for (;;) {
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (client < 0) return;
            served_.emplace_back([client] {
                std::array<char, 65536> buffer{};
                for (;;) {
                    const auto size = ::recv(client, buffer.data(), buffer.size(), 0);
                    if (size <= 0) break;
                    if (::send(client, buffer.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) != size)
                        break;
                }
                ::close(client);
            });
        }
    }

    int listener_;
    int port_ = 0;
    std::thread thread_;
    std::vector<std::thread> served_;
};

/// Longer than the proxy needs, where nothing must come.
constexpr int a_moment_ms = 60;

} // namespace

TEST_CASE("a proxy passes bytes both ways and counts them", "[fault_proxy]") {
    const Echo echo;
    FaultProxy proxy(echo.port());
    const Client client(proxy.port());
    REQUIRE(client.connected());
    CHECK(client.say("hello") == "hello");
    const std::string much(5'000'000, 'x');
    std::thread sender([&] { client.send(much); });
    CHECK(client.take(much.size()) == much);
    sender.join();
    client.end();
    CHECK(client.take(1) == "|end");
    const auto counted = proxy.counters();
    CHECK(counted.accepted == 1);
    CHECK(counted.to_target == much.size() + 5);
    CHECK(counted.to_client == much.size() + 5);
    CHECK(counted.cut == 0);
}

TEST_CASE("a proxy without a server behind it resets", "[fault_proxy]") {
    FaultProxy proxy;
    const Client early(proxy.port());
    CHECK(early.take(1) == "|reset");
    int gone = 0;
    {
        const Echo echo;
        gone = echo.port();
        proxy.target(gone);
        CHECK(Client(proxy.port()).say("now") == "now");
    }
    CHECK(Client(proxy.port()).take(1) == "|reset");
    CHECK(proxy.counters().refused == 2);
}

TEST_CASE("a held proxy keeps everything and passes it later", "[fault_proxy]") {
    const Echo echo;
    FaultProxy proxy(echo.port());
    const Client client(proxy.port());
    CHECK(client.say("before") == "before");
    proxy.hold();
    client.send("during");
    const Client late(proxy.port());
    REQUIRE(late.connected());
    late.send("late");
    CHECK(client.take(1, a_moment_ms) == "|silence");
    CHECK(late.take(1, a_moment_ms) == "|silence");
    CHECK(proxy.counters().to_target == 6);
    proxy.pass();
    CHECK(client.take(6) == "during");
    CHECK(late.take(4) == "late");
}

TEST_CASE("a slow proxy delays and keeps the order", "[fault_proxy]") {
    const Echo echo;
    FaultProxy proxy(echo.port());
    const Client client(proxy.port());
    CHECK(client.say("before") == "before");
    proxy.delay(std::chrono::hours(1));
    client.send("one ");
    CHECK(client.take(1, a_moment_ms) == "|silence");
    proxy.delay(std::chrono::milliseconds(5));
    client.send("two");
    CHECK(client.take(7) == "one two");
}

TEST_CASE("a proxy cuts connections in the middle", "[fault_proxy]") {
    const Echo echo;
    FaultProxy proxy(echo.port());
    const Client client(proxy.port());
    const Client other(proxy.port());
    CHECK(other.say("x") == "x");
    CHECK(client.say("before") == "before");
    SECTION("on the way to the client") {
        proxy.cut(4, ProxyWay::ToClient);
        CHECK(client.say("12345678") == "1234|end");
        CHECK(proxy.counters().to_client == 6 + 4 + 1);
        CHECK(proxy.counters().to_target == 6 + 8 + 1);
    }
    SECTION("on the way to the target") {
        proxy.cut(3, ProxyWay::ToTarget);
        const auto said = client.say("12345678");
        CHECK((said == "|end" || said == "|reset"));
        CHECK(proxy.counters().to_target == 6 + 3 + 1);
    }
    CHECK(other.take(1) == "|end");
    CHECK(proxy.counters().cut == 2);
    CHECK(Client(proxy.port()).say("again") == "again");
}

TEST_CASE("a proxy resets and refuses", "[fault_proxy]") {
    const Echo echo;
    FaultProxy proxy(echo.port());
    const Client client(proxy.port());
    CHECK(client.say("before") == "before");
    proxy.reset();
    CHECK(client.take(1) == "|reset");
    const Client second(proxy.port());
    CHECK(second.say("again") == "again");
    proxy.refuse();
    CHECK(second.take(1) == "|end");
    CHECK_FALSE(Client(proxy.port()).connected());
    proxy.pass();
    CHECK(Client(proxy.port()).say("again") == "again");
    CHECK(proxy.counters().cut == 2);
}

TEST_CASE("a proxy ends with connections open", "[fault_proxy]") {
    const Echo echo;
    auto proxy = std::make_unique<FaultProxy>(echo.port());
    const Client client(proxy->port());
    CHECK(client.say("before") == "before");
    CHECK(proxy->counters().open == 1);
    proxy.reset();
    CHECK(client.take(1) == "|end");
}
