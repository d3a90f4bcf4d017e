#pragma once

#include <sys/types.h>

#include <string>

#include <weir/flows/local/supervisor.hpp>

namespace weir::flows::local {

struct Started {
    pid_t pid = -1;
    int output = -1; ///< non-blocking reading end of stdout and stderr
    int log = -1;
    std::string error;
};

/// Forks and executes one task: own session and process group, stdin from /dev/null, no core files, killed
/// when the calling process dies. Only for a single-threaded process.
Started start_child(const SpawnRequest& request);

} // namespace weir::flows::local
