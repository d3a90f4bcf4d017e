#pragma once

#include <weir/base/result.hpp>

#include "sqlite/folder_lock.hpp"

namespace weir::ledger::sqlite {

/// Kills the process that the lock file names if it is this very program, has the lock file open and is
/// stopped (SIGSTOP, a debugger). For a taking over that finds SQLite's write lock taken: whoever was stopped
/// in the middle of a commit holds it for as long as he is stopped, and can neither be asked nor be refused.
/// Success: it is dead, or was already; try once more.
/// Errors: `conflict`, saying what to do: it runs, is another program, or cannot be looked at.
/// Thread: any; waits at most five seconds for the end.
Status end_frozen_holder(const FolderLock& lock, const std::string& ledger_path);

} // namespace weir::ledger::sqlite
