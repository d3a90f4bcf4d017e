#pragma once

#include <atomic>

namespace weir {

using CrashHook = void (*)(const char* name);
/// Called at every named point; nullptr (always, outside of tests) costs one load.
extern std::atomic<CrashHook> crash_hook;

/// A place where the process may be made to end, so that tests can show that ending there is harmless.
inline void crash_point(const char* name) {
    if (const auto hook = crash_hook.load(std::memory_order_relaxed)) hook(name);
}

/// Makes the process kill itself (SIGKILL) at the n-th pass of a point: "after_commit:3". For the kill loop.
void crash_at(const char* name_and_count);
/// Makes the process stop itself (SIGSTOP) there instead, as a machine that hangs would: for tests of
/// take-overs.
void freeze_at(const char* name_and_count);

} // namespace weir
