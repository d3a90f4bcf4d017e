#pragma once

#include <weir/cli/cli.hpp>

namespace weir::app {

/// `weir dev`: bus, engine, ledger, local runner and API in this process, until SIGINT or SIGTERM.
/// Returns the exit code; errors are printed to stderr as one line each.
int dev(const cli::DevOptions& options);

} // namespace weir::app
