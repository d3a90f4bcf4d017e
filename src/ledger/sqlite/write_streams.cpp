#include <algorithm>

#include "sqlite/rows.hpp"
#include "sqlite/writer.hpp"
#include "src/batch_check.hpp"

namespace weir::ledger::sqlite {

Result<StreamState> Writer::register_stream(const StreamState& first_sight) {
    WEIR_ASSIGN(transaction, Transaction::begin(*connection_, true));
    WEIR_TRY(check_epoch());
    std::int64_t inserted = 0;
    {
        WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO stream(name, kind, family, incarnation) "
                                                 "VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING"));
        WEIR_ASSIGN(rows, insert.bind_text(first_sight.name)
                              .bind_text(first_sight.kind)
                              .bind_text(first_sight.family)
                              .bind_text(first_sight.incarnation)
                              .run_counted());
        inserted = rows;
    }
    if (inserted == 1) {
        WEIR_ASSIGN(number, connection_->number("SELECT max(stream) FROM stream"));
        const PositionRow position{StreamNo(number), first_sight.position, first_sight.time,
                                   first_sight.event, first_sight.digest};
        WEIR_TRY(write_positions({&position, 1}));
    }
    WEIR_ASSIGN(look, connection_->prepare("SELECT " WEIR_STREAM_COLUMNS " WHERE s.name = ?"));
    WEIR_ASSIGN(row, look.bind_text(first_sight.name).step());
    if (!row) return internal("stream " + first_sight.name + " vanished while it was registered");
    const auto state = Rows::stream(look);
    look.rewind();
    WEIR_TRY(transaction.commit());
    return state;
}

Status Writer::write_positions(std::span<const PositionRow> positions) {
    if (positions.empty()) return {};
    WEIR_ASSIGN(upsert,
                connection_->prepare(
                    "INSERT INTO position(log, stream, pos, time, event, digest) VALUES(1, ?, ?, ?, ?, ?) "
                    "ON CONFLICT(log, stream) DO UPDATE SET pos = excluded.pos, time = excluded.time, "
                    "event = excluded.event, digest = excluded.digest"));
    for (const auto& row : positions)
        WEIR_TRY(upsert.bind(row.stream.value)
                     .bind(row.position.value)
                     .bind(to_ns(row.time))
                     .bind(row.event.value)
                     .bind_digest(row.digest)
                     .run());
    return {};
}

Status Writer::write_outgoing(const Batch& batch) {
    if (!batch.outgoing.empty()) {
        WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO outgoing(outgoing, bytes) VALUES(?, ?)"));
        for (const auto& row : batch.outgoing)
            WEIR_TRY(insert.bind(row.no.value).bind_blob(row.body).run());
    }
    if (batch.outgoing_done.empty()) return {};
    WEIR_ASSIGN(remove, connection_->prepare("DELETE FROM outgoing WHERE outgoing = ?"));
    for (const auto no : batch.outgoing_done) {
        WEIR_ASSIGN(removed, remove.bind(no.value).run_counted());
        if (removed != 1)
            return defect("outgoing event " + std::to_string(no.value) + " is done and does not wait");
    }
    return {};
}

Status Writer::write_gaps(const Batch& batch) {
    if (!batch.gaps.empty()) {
        WEIR_ASSIGN(insert,
                    connection_->prepare("INSERT INTO gap(gap, stream, kind, from_pos, to_pos, detail, "
                                         "found, accepted) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
        for (const auto& row : batch.gaps) {
            insert.bind(row.no.value)
                .bind(row.stream.value)
                .bind_text(row.kind)
                .bind(row.from.value)
                .bind(row.to.value)
                .bind_text(row.detail)
                .bind(to_ns(row.found));
            if (row.accepted)
                insert.bind(row.accepted->value);
            else
                insert.bind_null();
            WEIR_TRY(insert.run());
        }
    }
    if (batch.gaps_accepted.empty()) return {};
    WEIR_ASSIGN(accept,
                connection_->prepare("UPDATE gap SET accepted = ? WHERE gap = ? AND accepted IS NULL"));
    for (const auto& row : batch.gaps_accepted) {
        WEIR_ASSIGN(accepted, accept.bind(row.seq.value).bind(row.no.value).run_counted());
        if (accepted != 1) return defect("gap " + std::to_string(row.no.value) + " is accepted and not open");
    }
    return {};
}

Status Writer::write_streams(const Batch& batch) {
    if (batch.streams.empty()) return {};
    WEIR_ASSIGN(update, connection_->prepare("UPDATE stream SET incarnation = ? WHERE stream = ?"));
    for (const auto& row : batch.streams) {
        WEIR_ASSIGN(updated, update.bind_text(row.incarnation).bind(row.no.value).run_counted());
        if (updated != 1)
            return defect("stream " + std::to_string(row.no.value) +
                          " goes on as another one and does not exist");
    }
    return {};
}

Status Writer::write_dead_letters(const Batch& batch) {
    if (batch.dead_letters.empty()) return {};
    WEIR_ASSIGN(insert,
                connection_->prepare("INSERT INTO dead_letter(dead, stream, pos, time, bytes, cut, replayed, "
                                     "replayed_seq, reason) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    WEIR_ASSIGN(message, connection_->prepare("INSERT INTO dead_message(dead, bytes) VALUES(?, ?)"));
    for (const auto& row : batch.dead_letters) {
        insert.bind(row.no.value)
            .bind(row.stream.value)
            .bind(row.position.value)
            .bind(to_ns(row.time))
            .bind(row.bytes)
            .bind(row.cut ? 1 : 0);
        if (row.replayed)
            insert.bind(to_ns(*row.replayed));
        else
            insert.bind_null();
        WEIR_TRY(insert.bind(row.replayed_seq.value).bind_text(row.reason).run());
        if (!row.message.empty()) WEIR_TRY(message.bind(row.no.value).bind_blob(row.message).run());
    }
    return drop_dead_letters(static_cast<std::int64_t>(batch.dead_letters.size()));
}

Status Writer::drop_dead_letters(std::int64_t added) {
    // As many go as came: bounded by the batch, whatever a producer sends.
    WEIR_ASSIGN(look, connection_->prepare("SELECT dead_kept FROM log WHERE log = 1"));
    WEIR_ASSIGN(found, look.step());
    if (!found) return corrupt("ledger " + connection_->path() + ": the row of its log is missing");
    const auto kept = look.integer(0) + added;
    look.rewind();
    const auto excess = std::max<std::int64_t>(0, kept - dead_letters_max);
    WEIR_ASSIGN(count, connection_->prepare("UPDATE log SET dead_kept = ? WHERE log = 1"));
    WEIR_TRY(count.bind(kept - excess).run());
    if (excess == 0) return {};
    WEIR_ASSIGN(last, connection_->prepare("SELECT dead FROM dead_letter ORDER BY dead LIMIT 1 OFFSET ?"));
    WEIR_ASSIGN(there, last.bind(excess - 1).step());
    if (!there) return corrupt("ledger " + connection_->path() + ": its dead letters are miscounted");
    const auto newest = last.integer(0);
    last.rewind();
    WEIR_ASSIGN(messages, connection_->prepare("DELETE FROM dead_message WHERE dead <= ?"));
    WEIR_TRY(messages.bind(newest).run());
    WEIR_ASSIGN(letters, connection_->prepare("DELETE FROM dead_letter WHERE dead <= ?"));
    return letters.bind(newest).run();
}

Status Writer::write_replayed(const Batch& batch) {
    if (batch.dead_letters_replayed.empty()) return {};
    // One that went meanwhile, being the oldest of too many, is not missed.
    WEIR_ASSIGN(update,
                connection_->prepare("UPDATE dead_letter SET replayed = ?, replayed_seq = ? WHERE dead = ?"));
    for (const auto& row : batch.dead_letters_replayed)
        WEIR_TRY(update.bind(to_ns(row.time)).bind(row.seq.value).bind(row.no.value).run());
    return {};
}

Status Writer::drop_dead_messages(Instant before) {
    constexpr std::int64_t dropped_max = 10'000;
    WEIR_ASSIGN(remove, connection_->prepare(
                            "DELETE FROM dead_message WHERE dead IN (SELECT m.dead FROM dead_letter d JOIN "
                            "dead_message m ON m.dead = d.dead WHERE d.time < ? ORDER BY d.time LIMIT ?)"));
    return remove.bind(to_ns(before)).bind(dropped_max).run();
}

Status Writer::disown(std::string_view reason) {
    const auto run_with_reason = [&](const char* sql) -> Status {
        WEIR_ASSIGN(statement, connection_->prepare(sql));
        return statement.bind_text(reason).run();
    };
    // No settlement was recorded, so an attempt gets an outcome and no input that settled it.
    WEIR_TRY(run_with_reason(
        "UPDATE attempt SET outcome = 5, error = ?, finished = (SELECT time FROM log WHERE log = 1) WHERE "
        "settled_seq IS NULL AND run IN (SELECT run FROM run WHERE state <> 6)"));
    WEIR_TRY(run_with_reason(
        "UPDATE run SET state = 6, outcome = 5, reason = ?, hold = 0, finished = (SELECT time FROM log WHERE "
        "log = 1), changed = (SELECT next_seq - 1 FROM log WHERE log = 1) WHERE state <> 6"));
    // Timers of the kinds above 0 are of runs; schedules go on.
    return connection_->run(
        "UPDATE timer SET end_seq = (SELECT next_seq - 1 FROM log WHERE log = 1), why = 'settled' WHERE "
        "kind >= 1 AND end_seq IS NULL; DELETE FROM outgoing; DELETE FROM early_report; DELETE FROM "
        "watched; UPDATE log SET claimed = next_seq WHERE log = 1");
}

} // namespace weir::ledger::sqlite
