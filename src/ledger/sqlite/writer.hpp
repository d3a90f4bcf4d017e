#pragma once

#include <functional>
#include <optional>
#include <span>

#include <weir/ledger/ledger.hpp>

#include "sqlite/connection.hpp"
#include "sqlite/identity.hpp"
#include "sqlite/names.hpp"

namespace weir::ledger::sqlite {

/// The writing half: one connection, one thread. Each write_* puts one family of rows into the open
/// transaction.
class Writer {
  public:
    Writer(std::unique_ptr<Connection> connection, std::string seen_key);

    /// Reads the window of identities. Call once.
    Status load();
    /// `first`: what is done in the same transaction, before it.
    Result<Epoch> take_epoch(const std::function<Status()>& first);
    Result<StreamState> register_stream(const StreamState& first_sight);
    Status commit(const Batch& batch, Epoch epoch);
    Result<std::optional<Seen>> find_seen(std::string_view source, std::string_view id, Instant time);
    Status retain(Instant payloads_before);

    /// Into the transaction that is open.
    Status write_positions(std::span<const PositionRow> positions);
    /// What only the original of a copied ledger may go on with ends, for this reason.
    Status disown(std::string_view reason);
    /// Ends the connection; nothing may be called any more.
    void close() { connection_.reset(); }

    [[nodiscard]] Connection& connection() { return *connection_; }

  private:
    Status write(const Batch& batch, Epoch epoch);
    Status write_log(const Batch& batch, Epoch epoch);
    /// `conflict` once another process took the log over from this one.
    Status check_epoch();

    Status write_inputs(const Batch& batch);
    Status write_seen(const Batch& batch);
    Status write_uncounted(const Batch& batch);

    Status write_decisions(const Batch& batch);
    Status write_included(const DecisionRow& row);
    Status write_fired(const Batch& batch);
    Status write_held(const Batch& batch);
    Status write_timers(const Batch& batch);
    Status set_timer(const TimerSetRow& row);
    Result<bool> end_timer(const TimerEndRow& row);

    Status write_runs(const Batch& batch);
    Status write_run_updates(const Batch& batch);
    Status write_attempts(const Batch& batch);
    Status write_early_reports(const Batch& batch);
    Status write_watched(const Batch& batch);
    Status write_artifacts(const AttemptRow& row, bool output);

    Status write_triggers(const Batch& batch);
    Status write_trigger_version(const TriggerVersionRow& row);
    Status write_trigger_state(const TriggerStateRow& row);
    Status write_flows(const Batch& batch);
    Result<std::int64_t> flow_key(const std::string& team, const std::string& name);
    Result<std::int64_t> blob_key(const std::string& bytes);
    Result<std::int64_t> audit_team(const AuditRow& row);
    Status write_audits(const Batch& batch);
    Status write_outgoing(const Batch& batch);
    Status write_gaps(const Batch& batch);
    Status write_streams(const Batch& batch);
    Status write_dead_letters(const Batch& batch);
    Status write_replayed(const Batch& batch);
    Status drop_dead_letters(std::int64_t added);
    Status drop_dead_messages(Instant before);

    Status read_pinned(std::vector<std::int64_t>& pinned);

    std::unique_ptr<Connection> connection_;
    NameKeys names_;
    IdentityHash identity_;
    SeenFilter filter_;
    std::vector<std::pair<std::int64_t, std::int64_t>> seen_keys_; ///< of the batch being written: key, seq
    std::vector<std::int64_t> fired_;                              ///< triggers of the batch being written
    Epoch epoch_;                                                  ///< taken by this process; 0: none
    std::int64_t retain_from_ = 0;                                 ///< where retain() goes on
};

/// An invariant of the stored data does not hold although the batch was checked: a defect of the caller.
Error defect(const std::string& what);

} // namespace weir::ledger::sqlite
