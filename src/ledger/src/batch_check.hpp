#pragma once

#include <weir/base/result.hpp>
#include <weir/ledger/records.hpp>

namespace weir::ledger {

/// Most inputs one batch may hold.
inline constexpr std::size_t batch_inputs_max = 10'000;

/// Dead letters that a ledger keeps; for a new one the oldest goes.
inline constexpr std::int64_t dead_letters_max = 100'000;

/// A log as it stands.
struct LogState {
    Seq next_seq;
    Instant time;
    // The newest numbers given out.
    OutgoingNo outgoing;
    GapNo gap;
    DeadLetterNo dead_letter;

    /// With what `batch` gives out.
    [[nodiscard]] LogState after(const Batch& batch) const;
};

/// What every ledger demands of a batch before it writes any of it, given the log as it stands: inputs
/// numbered without a gap from `next_seq`, times that never fall, decisions, runs, what goes out, gaps and
/// dead letters numbered upwards.
/// `internal` (a defect of the caller) or `exhausted`, naming the row.
Status check_batch(const Batch& batch, const LogState& log);

/// The team an audit row is shown to: its own, else the one in a target of the form "KIND TEAM/NAME", else
/// none.
std::string_view team_of(const AuditRow& row) noexcept;
/// The run whose team it is shown to: of a target of the form "run ID", unless the row names its team.
std::optional<RunId> run_of(const AuditRow& row);

} // namespace weir::ledger
