#pragma once

#include <functional>
#include <string>

#include <weir/base/result.hpp>
#include <weir/cli/cli.hpp>

#include "environment.hpp"

namespace weir::cli {

/// What the command line asks for. Exactly one of the three is set.
struct Parsed {
    /// Ends here with this exit code: help (0) or wrong use (2). `text` goes to stdout or stderr accordingly.
    struct Ended {
        int code = exit_done;
        std::string text;
    };
    std::optional<Ended> ended;
    std::function<Result<int>(Environment&)> client; ///< a command of this library
    std::function<int()> application;                ///< a command of the application
    std::string server;                              ///< --server; empty: WEIR_SERVER or the default
    std::string token_file;                          ///< --token-file
    std::string data;                                ///< --data of a client command: where a token may be
};

/// Reads a command line. The hooks are kept by reference.
Parsed parse(int argc, const char* const* argv, const Commands& hooks);

} // namespace weir::cli
