#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <weir/base/clock.hpp>

#include "http.hpp"

// What an answer of the server means. One table; README.md shows it.
namespace weir::flows::kubeflow {

/// An answer, sorted. The server's own errors (google.rpc.Status with details) say that it worked on the
/// request; a gateway's have no details; anything else comes from what stands before the server.
enum class Kind : std::uint8_t {
    Good,         ///< 2xx with JSON
    NotKfp,       ///< 2xx or 3xx with something else: a log-in page, a wrong address
    BadRequest,   ///< 400, 422: the request is wrong
    Unidentified, ///< 401
    Forbidden,    ///< 403 by the server
    Barred,       ///< 403 by what stands before it
    Missing,      ///< 404 by the server: the thing is not there
    NoRoute,      ///< 404, 405, 501: nothing here knows this address
    Conflict,     ///< 409
    TooLarge,     ///< 413, 414, 431
    Throttled,    ///< 429
    ServerFault,  ///< 500 by the server: also its answer to many mistakes of clients
    Busy,         ///< other 5xx, 408
    Strange,      ///< another 4xx, or a 400 or 409 that is not the server's
    NotSent,      ///< no byte of the request left
    NoAnswer,     ///< some may have; nothing usable came back
    HeldBack,     ///< the caller did not let it go
    Oversize,     ///< an answer began that is larger than LimitOptions::answer_bytes
};

struct Answer {
    Kind kind = Kind::NoAnswer;
    int status = 0;
    std::string body;   ///< of Good
    std::string reason; ///< one line for a person; of all but Good
    Duration retry_after{0};
    bool timed_out = false; ///< NoAnswer: the time for it was over
    [[nodiscard]] bool good() const { return kind == Kind::Good; }
};

/// Sorts a reply. `what` begins the reason: "CreateRun".
Answer sort(HttpReply reply, std::string_view what);

/// What to do next with a request that reads (GET, list; creating an experiment, which is safe to repeat).
enum class ReadNext : std::uint8_t { Go, Wait, Refuse, Missing };
ReadNext after_read(Kind kind) noexcept;

/// What CreateRun's answer says about the run.
enum class CreateNext : std::uint8_t {
    Compare, ///< it answered: look at the run it made
    Refuse,  ///< nothing was created, and never will be of this request
    Resolve, ///< nothing was created: what was read before is not true any more
    Wait,    ///< nothing was created: it may go better later
    Unknown, ///< something may have been created: look
    Late,    ///< nothing was sent, since the deadline had passed
};
CreateNext after_create(Kind kind) noexcept;

/// True for what says that the server, or the way to it, is not well: counted by the circuit breaker.
bool is_outage(Kind kind) noexcept;

} // namespace weir::flows::kubeflow
