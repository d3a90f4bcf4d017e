#pragma once

#include <string>
#include <variant>

#include <weir/engine/lineage.hpp>

namespace weir::engine::detail {

struct ArtifactStart {
    std::string uri;
    std::string type;
    std::string name;
    std::string metadata_json;
};
/// Where a search begins.
using Start = std::variant<ledger::InputRow, ledger::DecisionRow, ledger::RunRow, ArtifactStart>;

/// What a person named: a run id, a decision id, an event, an artifact's URI, a flow (its newest run), in
/// this order. Errors as trace_lineage().
Result<Start> find_start(ledger::LedgerReader& reader, const std::string& text);

} // namespace weir::engine::detail
