#pragma once

#include <weir/cli/cli.hpp>
#include <weir/config/config.hpp>

#include "node.hpp"

namespace weir::app {

/// The configuration with what the command line says in its place.
config::Config overridden(config::Config config, const cli::ServeOptions& given);

/// Reads the configuration file and the tokens again and hands the node what can change while it runs. What
/// cannot is named in the log as needing a restart, and changes nothing; nor does a file that is wrong.
/// Thread: any but the engine's.
void reload(Node& node, const cli::ServeOptions& given);

} // namespace weir::app
