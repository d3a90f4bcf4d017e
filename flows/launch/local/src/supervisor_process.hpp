#pragma once

namespace weir::flows::local {

/// The supervisor's whole life, in the forked child: serves `pipe` until it ends, then kills what is left and
/// exits.
[[noreturn]] void run_supervisor_process(int pipe);

} // namespace weir::flows::local
