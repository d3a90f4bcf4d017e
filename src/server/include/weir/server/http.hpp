#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::server {

/// One header field, its name as it came (names compare without case).
struct Header {
    std::string name;
    std::string value;
};

/// A request as it came over the wire. Nothing in it has been decoded or trusted.
struct Request {
    std::string method; ///< "GET", in upper case as sent
    std::string target; ///< path and query, percent-encoded: "/v1/runs?limit=10"
    std::vector<Header> headers;
    std::string body;
    std::string peer; ///< address of the other side, for logs: "127.0.0.1:51734"

    /// The first field of that name, or nullptr.
    [[nodiscard]] const std::string* header(std::string_view name) const;
    /// How many fields have that name.
    [[nodiscard]] std::size_t header_count(std::string_view name) const;
};

struct Response {
    int status = 200;
    std::vector<Header> headers; ///< without Content-Length and Connection: the server sets those
    std::string body;

    [[nodiscard]] const std::string* header(std::string_view name) const;
};

/// What is decided about a request once its header is there and before its body is read.
struct Admission {
    std::size_t body_bytes_max = 0;  ///< a longer body is answered with 413
    std::optional<Response> refusal; ///< the answer; the body is not read and the connection ends
    /// The answer to a longer body; empty: a problem. Never blocks.
    std::function<Response(std::string_view detail)> too_large;
};

/// What answers requests.
/// Thread: `admit` runs on the I/O thread and must not block; `handle` runs on pool threads, several at once.
/// Errors: none leave: a failure is a response. An exception that escapes becomes 500.
struct Handler {
    std::function<Admission(const Request& head)> admit;
    std::function<Response(const Request& request)> handle;
};

/// True if two ASCII texts are equal without regard to case (header names, host names).
[[nodiscard]] bool same_ignoring_case(std::string_view a, std::string_view b) noexcept;

} // namespace weir::server
