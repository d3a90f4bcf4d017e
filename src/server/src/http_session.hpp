#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <weir/base/pool.hpp>
#include <weir/server/http_server.hpp>

/// Private to the two translation units that know Beast.
namespace weir::server {

class Session;

/// What sessions share. Its sets are touched on the I/O thread only.
struct SessionContext {
    const Handler& handler;
    const HttpLimits& limits;
    Pool& pool;
    std::unordered_map<Session*, std::weak_ptr<Session>> open;
    bool stopping = false;
    std::function<void()> drained; ///< called when stopping and the last session ended
};

/// One connection: reads a request, has it handled on the pool, writes the answer, again.
/// Thread: the I/O thread only; the pool sees copies.
class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(boost::asio::ip::tcp::socket socket, SessionContext& context);

    void start();
    /// Answers 503 without reading anything: too many connections.
    void refuse();
    /// The server stops: an idle connection ends now, a busy one after its answer.
    void wind_down();
    /// Ends the connection whatever it does.
    void cut();

  private:
    enum class Phase : std::uint8_t { Idle, Reading, Working, Writing, Lingering, Closed };
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    using Wire = boost::beast::http::response<boost::beast::http::string_body>;
    using Failure = boost::beast::error_code;

    void await_request();
    void on_first_bytes(Failure failure);
    void on_header(Failure failure);
    void read_body();
    void on_body(Failure failure);
    void on_read_failure(Failure failure);
    void hand_over();
    void respond(Response response, bool keep_open);
    void on_written(Failure failure, bool keep_open);
    void linger();
    void close();
    [[nodiscard]] Request head() const;

    boost::beast::tcp_stream stream_;
    boost::beast::flat_buffer buffer_;
    SessionContext& context_;
    std::string peer_;
    std::optional<Parser> parser_;
    std::optional<Wire> wire_;
    Phase phase_ = Phase::Idle;
    bool is_head_ = false;
    std::size_t body_bytes_max_ = 0;
    std::function<Response(std::string_view)> too_large_; ///< of the request that is read
    std::size_t lingered_bytes_ = 0;
};

} // namespace weir::server
