#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::flows::local {

/// Every process id there is now. Empty if /proc cannot be read.
std::vector<pid_t> all_processes();
/// Children of the calling single-threaded process, adopted ones included.
std::vector<pid_t> own_children();
/// The value of `name` in the process's environment as it was when its program was started; none if it has no
/// such entry. `readable` says whether there was an environment at all: a zombie has none, nor has a process
/// that is just about to become another program or to die.
struct EnvironmentValue {
    bool readable = false;
    std::optional<std::string> value;
};
EnvironmentValue environment_value(pid_t pid, std::string_view name);
/// True if the process sleeps: what it is now, it will be in a moment too. False if there is none.
bool sleeps(pid_t pid);

} // namespace weir::flows::local
