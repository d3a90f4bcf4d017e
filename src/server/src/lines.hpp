#pragma once

#include <map>
#include <string>
#include <vector>

#include <weir/engine/engine.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/reader.hpp>

#include "api_impl.hpp"
#include "body.hpp"
#include "json_object.hpp"

namespace weir::server {

// The `--json` lines of what engine/why.hpp has none for. Keys are snake_case and stable.

std::string task_line(const flows::TaskRecord& task);
std::string audit_line(const ledger::AuditRow& audit);
/// `applied_at`: time of the input that made this version.
JsonObject trigger_object(const ledger::TriggerRow& trigger, Instant applied_at);
JsonObject flow_object(const ledger::FlowVersionRow& flow, Instant applied_at);
/// Decision lines of a whole page, their events and runs looked up together.
Result<std::vector<std::string>> decision_lines(ledger::LedgerReader& reader,
                                                const std::vector<ledger::DecisionRow>& rows);

/// Times of these inputs, by seq; what is no longer there is left out.
Result<std::map<Seq, Instant>> times_of(ledger::LedgerReader& reader, std::vector<Seq> seqs);

/// Who asks, and the member `reason` (at most 1,000 bytes); "no reason given" if it is absent.
Result<engine::Actor> read_actor(const Call& call, const Body& body);
Result<engine::Actor> actor_of(const Call& call, std::string reason);

} // namespace weir::server
