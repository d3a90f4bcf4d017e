#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/flows/kubeflow/options.hpp>

namespace weir::flows::kubeflow {

struct HttpRequest {
    std::string method = "GET";
    std::string url;
    std::string body;
    std::vector<std::string> headers; ///< "Name: value"
    Duration timeout{};
    /// Called on the transport's thread once connected, right before the first byte: false holds it back.
    std::function<bool()> before_sending;
    /// Never sent a second time, also when a kept connection turns out to be dead.
    bool once = false;
};

struct HttpReply {
    int status = 0; ///< 0: no complete answer
    std::string body;
    std::string content_type;
    std::string fault;      ///< why there is no answer
    Duration retry_after{}; ///< as the answer asks for
    bool sent = false;      ///< a byte of the request may have left
    bool held_back = false;
    bool oversize = false;  ///< the answer was larger than Settings::answer_bytes
    bool timed_out = false; ///< HttpRequest::timeout was over
};

/// HTTP 1.1 and 2 over kept connections (libcurl). Thread: one, but wake().
/// Limits: `connections` open at a time, the rest waits inside; an answer of `answer_bytes`.
class Http {
  public:
    struct Settings {
        TlsOptions tls;
        std::string proxy;
        Duration connect_timeout;
        std::size_t connections = 40;
        std::size_t answer_bytes = 32 << 20;
    };
    static Result<std::unique_ptr<Http>> make(Settings settings);
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;
    ~Http(); ///< drops what is under way; no callback comes any more

    void start(HttpRequest request, std::function<void(HttpReply)> done);
    /// Works on the requests; returns after `wait` at the latest, or when woken. Callbacks come from here.
    void turn(Duration wait);
    void wake();
    [[nodiscard]] std::size_t open() const;

  private:
    struct Impl;
    explicit Http(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::flows::kubeflow
