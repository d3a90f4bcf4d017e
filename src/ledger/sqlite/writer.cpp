#include "sqlite/writer.hpp"

#include <algorithm>

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

Result<Epoch> Writer::take_epoch() {
    WEIR_ASSIGN(transaction, Transaction::begin(*connection_, true));
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

Result<StreamState> Writer::register_stream(const std::string& name, const std::string& kind,
                                            const std::string& incarnation) {
    WEIR_ASSIGN(transaction, Transaction::begin(*connection_, true));
    StreamState state;
    {
        WEIR_ASSIGN(
            insert,
            connection_->prepare(
                "INSERT INTO stream(name, kind, incarnation) VALUES(?, ?, ?) ON CONFLICT DO NOTHING"));
        WEIR_TRY(insert.bind_text(name).bind_text(kind).bind_text(incarnation).run());
        WEIR_ASSIGN(
            look, connection_->prepare("SELECT s.stream, s.name, s.kind, s.incarnation, coalesce(p.pos, 0), "
                                       "coalesce(p.time, 0), p.digest FROM stream s LEFT JOIN position p "
                                       "ON p.log = 1 AND p.stream = s.stream WHERE s.name = ?"));
        WEIR_ASSIGN(row, look.bind_text(name).step());
        if (!row) return internal("stream " + name + " vanished while it was registered");
        state = {StreamNo(look.integer(0)), look.string(1),           look.string(2), look.string(3),
                 Position(look.integer(4)), from_ns(look.integer(5)), look.digest(6)};
    }
    WEIR_TRY(transaction.commit());
    return state;
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
    WEIR_TRY(write_audits(batch));
    WEIR_TRY(write_outgoing(batch));
    WEIR_TRY(write_gaps(batch));
    return transaction.commit();
}

Status Writer::write_log(const Batch& batch, Epoch epoch) {
    {
        WEIR_ASSIGN(look, connection_->prepare("SELECT epoch, next_seq, time FROM log WHERE log = 1"));
        WEIR_ASSIGN(row, look.step());
        if (!row) return corrupt("ledger " + connection_->path() + ": the row of its log is missing");
        if (look.integer(0) != epoch.value)
            return conflict("ledger " + connection_->path() + ": another process took it over (epoch " +
                            std::to_string(look.integer(0)) + ", ours is " + std::to_string(epoch.value) +
                            "); this one must end");
        WEIR_TRY(check_batch(batch, Seq(look.integer(1)), from_ns(look.integer(2))));
    }
    WEIR_ASSIGN(update,
                connection_->prepare(
                    "UPDATE log SET next_seq = ?, time = ?, decisions = decisions + ?, runs = runs + ?, "
                    "held = held + ? WHERE log = 1 AND epoch = ?"));
    const auto held = static_cast<std::int64_t>(batch.held_entered.size()) -
                      static_cast<std::int64_t>(batch.held_left.size());
    update.bind(batch.next_seq.value)
        .bind(to_ns(batch.log_time))
        .bind(static_cast<std::int64_t>(batch.decisions.size()))
        .bind(static_cast<std::int64_t>(batch.runs.size()))
        .bind(held)
        .bind(epoch.value);
    WEIR_ASSIGN(changed, update.run_counted());
    if (changed != 1) return conflict("ledger " + connection_->path() + ": another process took it over");
    return {};
}

} // namespace weir::ledger::sqlite
