#pragma once

#include <chrono>
#include <string>

#include <weir/base/clock.hpp>

// Settings that buses over a network have in common.
namespace weir::events {

struct Tls {
    bool enabled = false;
    std::string ca_file;          ///< empty: the system's roots
    std::string certificate_file; ///< of the client; with key_file
    std::string key_file;
    bool verify_host =
        true; ///< false with NATS: nothing of the server's certificate is verified, as its library has it
};

/// Where reading begins of a stream that was never read.
struct StreamStart {
    enum class At { New, Earliest, Time } at = At::New;
    Instant time{}; ///< At::Time: the first event that came after it
};

} // namespace weir::events
