#include <algorithm>

#include "sqlite/writer.hpp"

namespace weir::ledger::sqlite {

Status Writer::write_inputs(const Batch& batch) {
    if (batch.inputs.empty()) return {};
    WEIR_ASSIGN(
        insert,
        connection_->prepare(
            "INSERT INTO input(seq, kind, flags, time, late, stream, pos, type, source, team, dup_of, "
            "id, subject, digest) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    WEIR_ASSIGN(body, connection_->prepare("INSERT INTO payload(seq, codec, bytes) VALUES(?, 0, ?)"));
    for (const auto& row : batch.inputs) {
        WEIR_ASSIGN(type, names_.key(*connection_, row.type));
        WEIR_ASSIGN(source, names_.key(*connection_, row.source));
        WEIR_ASSIGN(team, names_.key(*connection_, row.team));
        insert.bind(row.seq.value)
            .bind(static_cast<int>(row.kind))
            .bind((row.conflicting ? 1 : 0) | (row.echo ? 2 : 0))
            .bind(to_ns(row.time))
            .bind(row.late_by.count())
            .bind(row.stream.value)
            .bind(row.position.value)
            .bind(type)
            .bind(source)
            .bind(team);
        if (row.duplicate_of)
            insert.bind(row.duplicate_of->value);
        else
            insert.bind_null();
        WEIR_TRY(
            insert.bind_text_or_null(row.id).bind_text_or_null(row.subject).bind_digest(row.digest).run());
        if (!row.body.empty()) WEIR_TRY(body.bind(row.seq.value).bind_blob(row.body).run());
    }
    return {};
}

Status Writer::write_seen(const Batch& batch) {
    seen_keys_.clear();
    for (const auto& row : batch.inputs) {
        if (row.kind != InputKind::Arrival && row.kind != InputKind::Settlement) continue;
        seen_keys_.emplace_back(IdentityHash::key(day_of(row.time), identity_.bits(row.source, row.id)),
                                row.seq.value);
    }
    if (seen_keys_.empty()) return {};
    // In key order each page of the day is touched once.
    std::sort(seen_keys_.begin(), seen_keys_.end());
    WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO seen(k, seq) VALUES(?, ?)"));
    for (const auto& [key, seq] : seen_keys_)
        WEIR_TRY(insert.bind(key).bind(seq).run());
    return {};
}

Status Writer::write_uncounted(const Batch& batch) {
    if (batch.uncounted.empty()) return {};
    WEIR_ASSIGN(
        upsert,
        connection_->prepare(
            "INSERT INTO uncounted(minute, stream, type, source, count) VALUES(?, ?, ?, ?, ?) "
            "ON CONFLICT(minute, stream, type, source) DO UPDATE SET count = count + excluded.count"));
    for (const auto& row : batch.uncounted) {
        WEIR_ASSIGN(type, names_.key(*connection_, row.type));
        WEIR_ASSIGN(source, names_.key(*connection_, row.source));
        WEIR_TRY(
            upsert.bind(row.minute).bind(row.stream.value).bind(type).bind(source).bind(row.count).run());
    }
    return {};
}

Result<std::optional<Seen>> Writer::find_seen(std::string_view source, std::string_view id, Instant time) {
    const auto bits = identity_.bits(source, id);
    const auto oldest = time - seen_window;
    for (auto day = day_of(oldest); day <= day_of(time); ++day) {
        const auto key = IdentityHash::key(day, bits);
        if (!filter_.maybe(key)) continue;
        WEIR_ASSIGN(source_key, names_.find(*connection_, source));
        if (source_key == 0 && !source.empty()) return std::optional<Seen>();
        // The hash has 43 bits: the input row says whether it is the same identity.
        WEIR_ASSIGN(look, connection_->prepare(
                              "SELECT i.seq, i.digest FROM seen s JOIN input i ON i.seq = s.seq WHERE "
                              "s.k = ? AND i.source = ? AND coalesce(i.id, '') = ? AND i.time >= ? "
                              "AND i.time <= ? ORDER BY s.seq LIMIT 1"));
        WEIR_ASSIGN(
            row, look.bind(key).bind(source_key).bind_text(id).bind(to_ns(oldest)).bind(to_ns(time)).step());
        if (row) return std::optional<Seen>(Seen{Seq(look.integer(0)), look.digest(1)});
    }
    return std::optional<Seen>();
}

} // namespace weir::ledger::sqlite
