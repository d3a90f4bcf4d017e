#pragma once

#include <weir/ledger/ledger.hpp>

#include "sqlite/connection.hpp"

namespace weir::ledger::sqlite {

/// All that is open, read in one transaction.
Result<Snapshot> read_snapshot(Connection& connection);

} // namespace weir::ledger::sqlite
