#include "sqlite/writer.hpp"

#include <algorithm>

#include <weir/base/crash_point.hpp>

#include "schema/schema.hpp"
#include "src/batch_check.hpp"

namespace weir::ledger::sqlite {

Error defect(const std::string& what) {
    return internal("batch refused: " + what);
}

Writer::Writer(std::unique_ptr<Connection> connection, std::string seen_key)
    : connection_(std::move(connection)), identity_(seen_key) {}

Status Writer::load() {
    WEIR_ASSIGN(time, connection_->number("SELECT time FROM log WHERE log = 1"));
    return filter_.load(*connection_, from_ns(time));
}

Result<Epoch> Writer::take_epoch(const std::function<Status()>& first) {
    WEIR_ASSIGN(transaction, Transaction::begin(*connection_, true));
    WEIR_TRY(first());
    Epoch epoch;
    {
        WEIR_ASSIGN(update,
                    connection_->prepare("UPDATE log SET epoch = epoch + 1 WHERE log = 1 RETURNING epoch"));
        WEIR_ASSIGN(row, update.step());
        if (!row) return corrupt("ledger " + connection_->path() + ": the row of its log is missing");
        epoch = Epoch(update.integer(0));
        WEIR_TRY(update.step());
    }
    WEIR_TRY(transaction.commit());
    epoch_ = epoch;
    return epoch;
}

Status Writer::check_epoch() {
    if (epoch_.value == 0) return {};
    WEIR_ASSIGN(epoch, connection_->number("SELECT epoch FROM log WHERE log = 1"));
    if (epoch == epoch_.value) return {};
    return conflict("ledger " + connection_->path() + ": another process took it over; this one must end");
}

Status Writer::commit(const Batch& batch, Epoch epoch) {
    auto status = write(batch, epoch);
    if (!status.ok()) {
        connection_->roll_back();
        names_.rolled_back();
        return status;
    }
    names_.committed();
    for (const auto& [key, seq] : seen_keys_)
        filter_.add(key);
    return {};
}

Status Writer::write(const Batch& batch, Epoch epoch) {
    WEIR_ASSIGN(transaction, Transaction::begin(*connection_, true));
    WEIR_TRY(write_log(batch, epoch));
    WEIR_TRY(write_inputs(batch));
    WEIR_TRY(write_seen(batch));
    WEIR_TRY(write_positions(batch.positions));
    WEIR_TRY(write_uncounted(batch));
    WEIR_TRY(write_triggers(batch));
    WEIR_TRY(write_flows(batch));
    WEIR_TRY(write_decisions(batch));
    WEIR_TRY(write_fired(batch));
    WEIR_TRY(write_held(batch));
    WEIR_TRY(write_timers(batch));
    WEIR_TRY(write_runs(batch));
    WEIR_TRY(write_run_updates(batch));
    WEIR_TRY(write_attempts(batch));
    WEIR_TRY(write_early_reports(batch));
    WEIR_TRY(write_watched(batch));
    WEIR_TRY(write_audits(batch));
    WEIR_TRY(write_outgoing(batch));
    WEIR_TRY(write_gaps(batch));
    WEIR_TRY(write_streams(batch));
    WEIR_TRY(write_dead_letters(batch));
    WEIR_TRY(write_replayed(batch));
    crash_point("in_commit");
    return transaction.commit();
}

Status Writer::write_log(const Batch& batch, Epoch epoch) {
    LogState log;
    {
        WEIR_ASSIGN(look, connection_->prepare("SELECT epoch, next_seq, time, outgoing, gap, dead_letter "
                                               "FROM log WHERE log = 1"));
        WEIR_ASSIGN(row, look.step());
        if (!row) return corrupt("ledger " + connection_->path() + ": the row of its log is missing");
        if (look.integer(0) != epoch.value)
            return conflict("ledger " + connection_->path() + ": another process took it over (epoch " +
                            std::to_string(look.integer(0)) + ", ours is " + std::to_string(epoch.value) +
                            "); this one must end");
        log = {Seq(look.integer(1)), from_ns(look.integer(2)), OutgoingNo(look.integer(3)),
               GapNo(look.integer(4)), DeadLetterNo(look.integer(5))};
    }
    WEIR_TRY(check_batch(batch, log));
    log = log.after(batch);
    WEIR_ASSIGN(update,
                connection_->prepare(
                    "UPDATE log SET next_seq = ?, time = ?, decisions = decisions + ?, runs = runs + ?, "
                    "held = held + ?, outgoing = ?, gap = ?, dead_letter = ? WHERE log = 1 AND epoch = ?"));
    const auto held = static_cast<std::int64_t>(batch.held_entered.size()) -
                      static_cast<std::int64_t>(batch.held_left.size());
    update.bind(log.next_seq.value)
        .bind(to_ns(log.time))
        .bind(static_cast<std::int64_t>(batch.decisions.size()))
        .bind(static_cast<std::int64_t>(batch.runs.size()))
        .bind(held)
        .bind(log.outgoing.value)
        .bind(log.gap.value)
        .bind(log.dead_letter.value)
        .bind(epoch.value);
    WEIR_ASSIGN(changed, update.run_counted());
    if (changed != 1) return conflict("ledger " + connection_->path() + ": another process took it over");
    return {};
}

} // namespace weir::ledger::sqlite
