#include <weir/server/http_server.hpp>

#include <future>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "http_session.hpp"

namespace weir::server {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

Error bind_error(const boost::system::error_code& failure, const tcp::endpoint& where) {
    const auto place = where.address().to_string() + " port " + std::to_string(where.port());
    if (failure == asio::error::address_in_use) {
        return conflict(place +
                        " is in use by another process; stop that one, or give another port with --port N " +
                        "(--port 0 picks a free one)");
    }
    if (failure == asio::error::access_denied) {
        return Error(ErrorKind::Denied,
                     "no right to listen on " + place + "; ports below 1024 need more rights");
    }
    return unavailable("cannot listen on " + place + ": " + failure.message());
}

Result<tcp::endpoint> endpoint_of(const std::string& text, std::uint16_t port, Exposure exposure) {
    boost::system::error_code failure;
    const auto address = asio::ip::make_address(text == "localhost" ? "127.0.0.1" : text, failure);
    if (failure) return invalid("\"" + text + "\" is not an IP address; use 127.0.0.1, ::1 or 0.0.0.0");
    if (!address.is_loopback() && exposure != Exposure::Anywhere)
        return Error(ErrorKind::Denied,
                     text +
                         " is beyond loopback, where nothing is served without tokens: use 127.0.0.1, or a "
                         "configuration file with auth.required and a tokens file");
    return tcp::endpoint(address, port);
}

} // namespace

struct HttpServer::Impl {
    Impl(Handler given, HttpLimits given_limits)
        : handler(std::move(given)),
          limits(given_limits),
          pool(std::make_unique<Pool>(limits.handler_threads, limits.waiting_max)),
          context{handler, limits, *pool, {}, false, {}} {}

    Status open(const tcp::endpoint& where);
    void accept();
    void take(tcp::socket socket);
    void begin_stop();
    void stop();

    Handler handler;
    HttpLimits limits;
    std::unique_ptr<Pool> pool;
    SessionContext context;
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> alive{io.get_executor()};
    tcp::acceptor acceptor{io};
    asio::steady_timer pause{io}; ///< after a failed accept (out of file descriptors)
    asio::steady_timer drain{io};
    std::promise<void> drained;
    bool drained_told = false;
    std::uint16_t port = 0;
    std::thread thread;
    bool stopped = false;
};

Status HttpServer::Impl::open(const tcp::endpoint& where) {
    boost::system::error_code failure;
    acceptor.open(where.protocol(), failure);
    if (failure) return bind_error(failure, where);
    acceptor.set_option(tcp::acceptor::reuse_address(true), failure);
    acceptor.bind(where, failure);
    if (failure) return bind_error(failure, where);
    acceptor.listen(asio::socket_base::max_listen_connections, failure);
    if (failure) return bind_error(failure, where);
    port = acceptor.local_endpoint(failure).port();
    return {};
}

void HttpServer::Impl::accept() {
    acceptor.async_accept([this](boost::system::error_code failure, tcp::socket socket) {
        if (context.stopping || failure == asio::error::operation_aborted) return;
        if (!failure) {
            take(std::move(socket));
            return accept();
        }
        pause.expires_after(std::chrono::milliseconds(100));
        pause.async_wait([this](boost::system::error_code aborted) {
            if (!aborted && !context.stopping) accept();
        });
    });
}

void HttpServer::Impl::take(tcp::socket socket) {
    // Beyond the limit a few more are told so; past that they are just closed.
    constexpr std::size_t refusals_max = 64;
    const auto open = context.open.size();
    if (open >= limits.connections_max + refusals_max) return;
    auto session = std::make_shared<Session>(std::move(socket), context);
    if (open >= limits.connections_max) {
        session->refuse();
    } else {
        session->start();
    }
}

void HttpServer::Impl::begin_stop() {
    context.stopping = true;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    context.drained = [this] {
        if (!std::exchange(drained_told, true)) drained.set_value();
    };
    const auto open = context.open;
    for (const auto& [_, weak] : open) {
        if (const auto session = weak.lock()) session->wind_down();
    }
    if (context.open.empty()) return context.drained();
    drain.expires_after(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(limits.drain_timeout));
    drain.async_wait([this](boost::system::error_code aborted) {
        if (aborted) return;
        const auto left = context.open;
        for (const auto& [_, weak] : left) {
            if (const auto session = weak.lock()) session->cut();
        }
        context.drained();
    });
}

void HttpServer::Impl::stop() {
    if (std::exchange(stopped, true)) return;
    asio::post(io, [this] { begin_stop(); });
    drained.get_future().wait();
    io.stop();
    thread.join();
    // Handlers that still run end here; what they answer goes nowhere.
    pool.reset();
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
    stop();
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& address, std::uint16_t port,
                                                      Handler handler, HttpLimits limits, Exposure exposure) {
    WEIR_ASSIGN(where, endpoint_of(address, port, exposure));
    auto impl = std::make_unique<Impl>(std::move(handler), limits);
    WEIR_TRY(impl->open(where));
    impl->accept();
    impl->thread = std::thread([raw = impl.get()] { raw->io.run(); });
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::uint16_t HttpServer::port() const {
    return impl_->port;
}

void HttpServer::stop() {
    if (impl_) impl_->stop();
}

} // namespace weir::server
