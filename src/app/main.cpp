// weir: one binary. Here, and only here, ports meet their adapters.

#include <weir/cli/cli.hpp>

#include "ledger_commands.hpp"
#include "serve.hpp"

int main(int argc, char** argv) {
    weir::cli::Commands commands;
    commands.version = WEIR_VERSION;
    commands.dev = weir::app::dev;
    commands.serve = weir::app::serve;
    commands.ledger_backup = weir::app::ledger_backup;
    commands.ledger_restore = weir::app::ledger_restore;
    commands.ledger_verify = weir::app::ledger_verify;
    commands.ledger_claim = weir::app::ledger_claim;
    return weir::cli::run(argc, argv, commands);
}
