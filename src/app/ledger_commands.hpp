#pragma once

#include <weir/cli/cli.hpp>

namespace weir::app {

/// `weir ledger ...`: these open the data folder themselves. Each returns the exit code and prints its
/// errors.
int ledger_backup(const cli::LedgerOptions& options);
int ledger_restore(const cli::LedgerOptions& options);
int ledger_verify(const cli::LedgerOptions& options);
int ledger_claim(const cli::LedgerOptions& options);

} // namespace weir::app
