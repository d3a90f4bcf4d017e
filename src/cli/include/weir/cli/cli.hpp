#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

/// Exit codes of every command.
enum ExitCode : int {
    exit_done = 0,
    exit_failed = 1,
    exit_wrong_use = 2, ///< of the command line; also a command that exists but is not built yet
};

/// `--folder NAME=DIR[:publish|ignore]`: a watched folder.
struct FolderOption {
    std::string name;
    std::string directory;
    bool publish_existing = false; ///< `:publish`: files already there become events at the first start
};

/// `weir dev` and `weir serve`. What is given on the command line wins over the configuration file.
struct ServeOptions {
    std::string config;                     ///< configuration file; empty: none (dev)
    std::optional<std::string> data;        ///< folder of ledger, bus and runs; made if missing
    std::optional<std::string> address;     ///< to listen on
    std::optional<std::uint16_t> port;      ///< 0: any free one
    std::optional<std::string> instance;    ///< name of this weir in the source of its events
    std::optional<std::string> log_level;   ///< debug, info, warn, error, off
    std::vector<FolderOption> folders;      ///< beside those of the file; the same name takes its place
    std::vector<std::string> apply;         ///< files and folders applied before the first event is read
    std::vector<std::string> allowed_hosts; ///< further names in Host headers
    std::string on_ready;   ///< file written once everything is ready: the server's URL; empty: none
    bool take_over = false; ///< from an engine that still has the data folder
};

/// `weir ledger backup|restore|verify|claim`. These open the data folder themselves; no server is asked.
struct LedgerOptions {
    std::string data = ".weir";
    std::string file;    ///< backup: where to; restore: where from
    bool force = false;  ///< restore: over an existing ledger
    bool moved = false;  ///< claim --moved: this copy goes on, with the same secret
    bool as_new = false; ///< claim --new: a new secret, positions at head
    std::string
        config; ///< claim: the configuration that names data folder and buses; empty: the embedded bus
    bool json = false;
};

/// Commands that need the application around them. Each returns the exit code and prints its own errors.
/// An empty one makes its command fail as "not in this build".
struct Commands {
    std::string version; ///< "0.1.0"
    std::function<int(const ServeOptions&)> dev;
    std::function<int(const ServeOptions&)> serve;
    std::function<int(const LedgerOptions&)> ledger_backup;
    std::function<int(const LedgerOptions&)> ledger_restore;
    std::function<int(const LedgerOptions&)> ledger_verify;
    std::function<int(const LedgerOptions&)> ledger_claim;
};

/// The whole command line. Everything but `hooks` is done here: client commands over HTTP, offline ones with
/// the libraries. Returns the exit code; prints to stdout (results) and stderr (errors, progress, notes).
/// Thread: call once, from main(). Signals: SIGINT and SIGTERM end a client command cleanly.
int run(int argc, char** argv, const Commands& hooks);

} // namespace weir::cli
