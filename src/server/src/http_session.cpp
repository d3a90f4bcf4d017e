#include "http_session.hpp"

#include <limits>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <weir/base/log.hpp>

#include "problem.hpp"

namespace weir::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

/// Beast needs the whole header in the buffer, and reads bodies through it in pieces.
constexpr std::size_t buffer_bytes_max = 128 * 1024;
/// What is read and dropped after an early answer, so that the answer is not lost by a reset.
constexpr std::size_t linger_bytes_max = 16 * 1024 * 1024;

std::string view_of(beast::string_view text) {
    return {text.data(), text.size()};
}

std::chrono::steady_clock::duration steady(Duration d) {
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(d);
}

Response thrown(const Request& request, const std::exception& failure) {
    log::error("a request handler threw", {{"target", request.target}, {"what", failure.what()}});
    return problem(500, "internal", "weir failed to answer this request; the log says more");
}

Response guarded(const Handler& handler, const Request& request) {
    try {
        return handler.handle(request);
    } catch (const std::exception& failure) {
        return thrown(request, failure);
    }
}

Admission guarded_admit(const Handler& handler, const Request& head) {
    try {
        return handler.admit(head);
    } catch (const std::exception& failure) {
        return {0, thrown(head, failure)};
    }
}

} // namespace

Session::Session(asio::ip::tcp::socket socket, SessionContext& context)
    : stream_(std::move(socket)), buffer_(buffer_bytes_max), context_(context) {
    beast::error_code ignored;
    const auto remote = stream_.socket().remote_endpoint(ignored);
    if (!ignored) peer_ = remote.address().to_string() + ":" + std::to_string(remote.port());
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
}

void Session::start() {
    context_.open.emplace(this, weak_from_this());
    await_request();
}

void Session::refuse() {
    context_.open.emplace(this, weak_from_this());
    respond(problem(503, "too-many-connections",
                    "more than " + std::to_string(context_.limits.connections_max) +
                        " connections are open; close some or try again later"),
            false);
}

void Session::wind_down() {
    if (phase_ == Phase::Idle || phase_ == Phase::Lingering) close();
}

void Session::cut() {
    close();
}

void Session::await_request() {
    if (context_.stopping) return close();
    phase_ = Phase::Idle;
    is_head_ = false;
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(context_.limits.header_bytes_max));
    // The route decides, once it is known. (Boost 1.74 takes `none` for zero.)
    parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
    stream_.expires_after(steady(context_.limits.idle_timeout));
    http::async_read_some(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](Failure failure, std::size_t) { self->on_first_bytes(failure); });
}

void Session::on_first_bytes(Failure failure) {
    if (phase_ == Phase::Closed) return;
    phase_ = Phase::Reading;
    if (failure || parser_->is_header_done()) return on_header(failure);
    stream_.expires_after(steady(context_.limits.header_timeout));
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](Failure f, std::size_t) { self->on_header(f); });
}

Request Session::head() const {
    Request request;
    const auto& message = parser_->get();
    request.method = view_of(message.method_string());
    request.target = view_of(message.target());
    request.peer = peer_;
    for (const auto& field : message) {
        request.headers.push_back({view_of(field.name_string()), view_of(field.value())});
    }
    return request;
}

void Session::on_header(Failure failure) {
    if (phase_ == Phase::Closed) return;
    if (failure) return on_read_failure(failure);
    const auto request = head();
    is_head_ = request.method == "HEAD";
    auto admission = guarded_admit(context_.handler, request);
    body_bytes_max_ = admission.body_bytes_max;
    too_large_ = std::move(admission.too_large);
    const auto length = parser_->content_length();
    if (admission.refusal) {
        // A body that nobody reads would stand where the next request is looked for.
        const bool bodiless = !parser_->chunked() && (!length || *length == 0);
        return respond(std::move(*admission.refusal), bodiless);
    }
    if (length && *length > body_bytes_max_) return on_read_failure(http::error::body_limit);
    parser_->body_limit(body_bytes_max_);
    stream_.expires_after(steady(context_.limits.body_timeout));
    const auto* expect = request.header("Expect");
    if (expect == nullptr) return read_body();
    if (!same_ignoring_case(*expect, "100-continue"))
        return respond(problem(417, "expectation-failed", "Expect may only say 100-continue"), false);
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(go_on.data(), go_on.size()),
                      [self = shared_from_this()](Failure f, std::size_t) {
                          if (f) return self->close();
                          self->read_body();
                      });
}

void Session::read_body() {
    if (phase_ == Phase::Closed) return;
    if (parser_->is_done()) return on_body({});
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](Failure f, std::size_t) { self->on_body(f); });
}

void Session::on_body(Failure failure) {
    if (phase_ == Phase::Closed) return;
    if (failure) return on_read_failure(failure);
    hand_over();
}

void Session::on_read_failure(Failure failure) {
    if (failure == http::error::body_limit) {
        const auto detail = "the body is over the limit of this route: " + std::to_string(body_bytes_max_) +
                            " bytes; send less at once";
        return respond(too_large_ ? too_large_(detail) : problem(413, "body-too-large", detail), false);
    }
    if (failure == http::error::header_limit || failure == http::error::buffer_overflow) {
        return respond(problem(431, "header-too-large",
                               "the request line and header are over " +
                                   std::to_string(context_.limits.header_bytes_max) + " bytes"),
                       false);
    }
    const auto some_http_error = http::make_error_code(http::error::bad_method);
    const auto& http_errors = some_http_error.category();
    if (failure.category() == http_errors && failure != http::error::end_of_stream &&
        failure != http::error::partial_message) {
        return respond(problem(400, "malformed-http", "this is not HTTP/1.1: " + failure.message()), false);
    }
    close();
}

void Session::hand_over() {
    phase_ = Phase::Working;
    stream_.expires_never();
    auto request = std::make_shared<Request>(head());
    request->body = std::move(parser_->get().body());
    const bool keep_open = parser_->keep_alive();
    auto task = [self = shared_from_this(), request, keep_open, &handler = context_.handler] {
        auto response = std::make_shared<Response>(guarded(handler, *request));
        asio::post(self->stream_.get_executor(), [self, response, keep_open] {
            if (self->phase_ != Phase::Closed) self->respond(std::move(*response), keep_open);
        });
    };
    if (!context_.pool.try_post(std::move(task)))
        respond(problem(503, "overloaded", "weir is busy with other requests; try again in a second"),
                keep_open);
}

void Session::respond(Response response, bool keep_open) {
    phase_ = Phase::Writing;
    wire_.emplace();
    wire_->version(11);
    wire_->result(static_cast<unsigned>(response.status));
    wire_->set(http::field::server, "weir");
    wire_->set("X-Content-Type-Options", "nosniff");
    for (const auto& header : response.headers)
        wire_->insert(header.name, header.value);
    wire_->content_length(response.body.size());
    if (!is_head_) wire_->body() = std::move(response.body);
    keep_open = keep_open && parser_ && !context_.stopping;
    wire_->keep_alive(keep_open);
    stream_.expires_after(steady(context_.limits.write_timeout));
    http::async_write(stream_, *wire_, [self = shared_from_this(), keep_open](Failure failure, std::size_t) {
        self->on_written(failure, keep_open);
    });
}

void Session::on_written(Failure failure, bool keep_open) {
    if (phase_ == Phase::Closed) return;
    if (failure) return close();
    wire_.reset();
    if (keep_open) return await_request();
    phase_ = Phase::Lingering;
    Failure ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(2));
    buffer_.clear();
    linger();
}

void Session::linger() {
    if (phase_ == Phase::Closed) return;
    if (context_.stopping || lingered_bytes_ > linger_bytes_max) return close();
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(64 * 1024),
                            [self = shared_from_this()](Failure failure, std::size_t bytes) {
                                self->lingered_bytes_ += bytes;
                                if (failure) return self->close();
                                self->linger();
                            });
}

void Session::close() {
    if (phase_ == Phase::Closed) return;
    phase_ = Phase::Closed;
    stream_.close();
    context_.open.erase(this);
    if (context_.stopping && context_.open.empty() && context_.drained) context_.drained();
}

} // namespace weir::server
