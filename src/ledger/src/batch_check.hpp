#pragma once

#include <weir/base/result.hpp>
#include <weir/ledger/records.hpp>

namespace weir::ledger {

/// Most inputs one batch may hold.
inline constexpr std::size_t batch_inputs_max = 10'000;

/// What every ledger demands of a batch before it writes any of it, given the log as it stands: inputs
/// numbered without a gap from `next_seq`, times that never fall, decisions and runs numbered upwards.
/// `internal` (a defect of the caller) or `exhausted`, naming the row.
Status check_batch(const Batch& batch, Seq next_seq, Instant log_time);

/// The team an audit row is shown to: its own, else the one in a target of the form "KIND TEAM/NAME", else
/// none.
std::string_view team_of(const AuditRow& row) noexcept;
/// The run whose team it is shown to: of a target of the form "run ID", unless the row names its team.
std::optional<RunId> run_of(const AuditRow& row);

} // namespace weir::ledger
