#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/server/http.hpp>

namespace weir::server {

/// Documented limits of the HTTP server.
struct HttpLimits {
    std::size_t handler_threads = 8;          ///< requests worked on at once
    std::size_t waiting_max = 256;            ///< requests waiting for a thread; then 503 with Retry-After
    std::size_t connections_max = 512;        ///< open at once; one more is answered 503 and closed
    std::size_t header_bytes_max = 16 * 1024; ///< request line and header fields; then 431
    Duration idle_timeout = std::chrono::seconds(75); ///< between requests of a connection
    Duration header_timeout =
        std::chrono::seconds(10); ///< from a request's first byte to the end of its header
    Duration body_timeout = std::chrono::seconds(60);  ///< for the body; then 408
    Duration write_timeout = std::chrono::seconds(60); ///< for the response
    Duration drain_timeout = std::chrono::seconds(10); ///< stop(): for what runs; then connections are cut
};

/// Where a server may listen.
enum class Exposure : std::uint8_t {
    Loopback, ///< on this machine alone: 127.0.0.1, ::1, localhost
    Anywhere, ///< on any address: its handler asks every caller for a token
};

/// An HTTP/1.1 server.
/// Owner:  the application; no handler runs once stop() has returned.
/// Thread: one I/O thread of its own, handlers on a bounded pool. stop() and port() from any thread but
/// those. Errors: start() returns them; later ones end one connection and are counted in the log at debug
/// level.
class HttpServer {
  public:
    /// Listens and serves. `address` is an IP address or "localhost"; one beyond loopback is `denied` with
    /// Exposure::Loopback. Port 0 picks a free one. A port in use is `conflict`, naming the port and what to
    /// do.
    static Result<std::unique_ptr<HttpServer>> start(const std::string& address, std::uint16_t port,
                                                     Handler handler, HttpLimits limits = {},
                                                     Exposure exposure = Exposure::Loopback);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// The port in use.
    [[nodiscard]] std::uint16_t port() const;
    /// Takes no new connection, ends idle ones, lets requests that run finish (up to drain_timeout). Once.
    void stop();

    struct Impl;

  private:
    explicit HttpServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::server
