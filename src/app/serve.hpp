#pragma once

#include <weir/cli/cli.hpp>

namespace weir::app {

/// `weir dev`: bus, engine, ledger, local runner and API in this process, until SIGINT or SIGTERM.
/// Returns the exit code; errors are printed to stderr.
int dev(const cli::ServeOptions& options);

/// `weir serve`: the same engine as its configuration file says. Everything that is wrong is told before
/// anything is opened. SIGHUP reads the file again (reload.hpp).
int serve(const cli::ServeOptions& options);

} // namespace weir::app
