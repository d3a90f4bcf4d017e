#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

namespace weir::support {

/// Which way bytes go.
enum class ProxyWay : std::uint8_t { ToTarget, ToClient, Both };

/// What went through a proxy since it was made.
struct ProxyCounters {
    std::uint64_t accepted = 0;  ///< connections taken from clients
    std::uint64_t refused = 0;   ///< of these, ended at once since the target did not answer
    std::uint64_t open = 0;      ///< connections now
    std::uint64_t cut = 0;       ///< connections ended by cut(), reset() and refuse()
    std::uint64_t to_target = 0; ///< bytes
    std::uint64_t to_client = 0; ///< bytes
};

/// A TCP proxy on loopback that misbehaves as told: a bad network between a client and a server.
///   FaultProxy proxy;                                   // listens at proxy.port()
///   auto broker = Broker::start("kafka", "4.x", {.advertised = proxy.port()});
///   proxy.target(broker.port());
///   proxy.hold();                                       // nothing passes, nothing ends
///   proxy.pass();
/// Thread: any; the work is done by one thread of its own. Errors: std::system_error from the constructor and
/// from pass() where the port was taken meanwhile. Limits: 1 MiB waits on each way of a connection, then its
/// sender is not read from.
class FaultProxy {
  public:
    /// At a free port. Until target() is called, connections are accepted and reset.
    FaultProxy();
    explicit FaultProxy(int target_port);
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;
    ~FaultProxy();

    /// Where clients connect; the same for ever.
    [[nodiscard]] int port() const;
    /// The server's port, for connections from now on.
    void target(int port);

    /// Everything passes at once, also what hold() and delay() kept; listens again after refuse().
    void pass();
    /// What is sent from now on arrives this much later.
    void delay(std::chrono::milliseconds by);
    /// No byte passes and connections stay open, new ones too: an unplugged cable.
    void hold();
    /// After `bytes` more bytes that way every connection is closed, in the middle of whatever it was; then
    /// as after pass().
    void cut(std::uint64_t bytes, ProxyWay way = ProxyWay::Both);
    /// Every connection ends by RST now. What becomes of new ones does not change.
    void reset();
    /// Every connection is closed, and nothing listens: new ones are refused.
    void refuse();

    [[nodiscard]] ProxyCounters counters() const;

  private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

} // namespace weir::support
