#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <weir/ledger/ledger.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::sim {

/// All decisions, oldest first.
std::vector<ledger::DecisionRow> all_decisions(ledger::LedgerReader& reader);
/// All runs, oldest first.
std::vector<ledger::RunRow> all_runs(ledger::LedgerReader& reader);
/// All recorded inputs in seq order.
std::vector<ledger::InputRow> all_inputs(ledger::LedgerReader& reader);

/// Every decision as one line that does not depend on how it came about: trigger, version, verdict, reason,
/// key, cause, the identities used, arguments. In order of decision. `with_ids`: decision and run ids too,
/// which hang on the ledger's secret.
std::vector<std::string> canonical_decisions(ledger::LedgerReader& reader, bool with_ids);

/// The same lines (with ids) from stepping a fresh core with the recorded inputs.
Result<std::vector<std::string>> replayed_decisions(ledger::LedgerReader& reader, ledger::Ledger& ledger);

} // namespace weir::sim
