#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace weir::flows::local {

/// Every process id there is now. Empty if /proc cannot be read.
std::vector<pid_t> all_processes();
/// Children of the calling single-threaded process, adopted ones included.
std::vector<pid_t> own_children();
/// True if the process's environment, as it was when it was started, holds exactly `entry` ("NAME=value").
/// False for zombies and for processes that may not be read.
bool environment_holds(pid_t pid, const std::string& entry);

} // namespace weir::flows::local
