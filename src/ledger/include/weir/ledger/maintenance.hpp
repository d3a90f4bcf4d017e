#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <weir/base/result.hpp>

/// Work on a SQLite ledger as a file: `weir ledger backup | restore | verify`.
namespace weir::ledger {

/// Pages done, pages in all.
using CopyProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Copies a ledger into a new file (0600), consistent as of the moment it began, also while weir runs.
/// Meanwhile the write-ahead log of the ledger cannot be cut back. The copy is made beside `to` and gets its
/// name when it is whole and durable.
/// Errors: `conflict`: `to` exists; `unavailable`: no room; else as open_sqlite_ledger().
/// Thread: any.
Status backup_ledger(const std::string& path, const std::string& to, const CopyProgress& progress = {});

/// Makes a ledger of a backup, after verifying it whole. The folder of `to` must exist and no weir may run in
/// it. Runs that were being sent when the backup was made are looked for at the next start.
/// Errors, after which nothing is changed: `conflict`: a ledger (or its write-ahead log) is there already, or
///         the folder is in use; `corrupt`: the backup has findings, the first is named; else as
///         open_sqlite_ledger().
/// Thread: any.
Status restore_ledger(const std::string& backup, const std::string& to, const CopyProgress& progress = {});

struct VerifyReport {
    std::vector<std::string> findings; ///< one sentence each; empty: sound. At most 10 of each kind
    std::int64_t inputs = 0;
    std::int64_t decisions = 0;
    std::int64_t runs = 0;
    std::vector<std::string> checks; ///< what was checked, in words
};

/// Reads a ledger whole and checks the file's structure and the invariants of its rows. Changes nothing and
/// may run beside weir. `on_check` hears each check as it begins. `vfs`: as SqliteLedgerOptions.
/// Errors: only what keeps it from reading; everything it finds is in the report.
/// Thread: any.
Result<VerifyReport> verify_ledger(const std::string& path, const std::string& vfs = {},
                                   const std::function<void(const std::string& check)>& on_check = {});

} // namespace weir::ledger
