#include <weir/base/digest.hpp>

#include "sqlite/json_rows.hpp"
#include "sqlite/writer.hpp"
#include "src/batch_check.hpp"

namespace weir::ledger::sqlite {

Status Writer::write_triggers(const Batch& batch) {
    // Two lists, one history: of one input, the version comes before the state.
    std::size_t version = 0, state = 0;
    while (version < batch.trigger_versions.size() || state < batch.trigger_states.size()) {
        const bool take_version = version < batch.trigger_versions.size() &&
                                  (state == batch.trigger_states.size() ||
                                   batch.trigger_versions[version].from <= batch.trigger_states[state].seq);
        if (take_version)
            WEIR_TRY(write_trigger_version(batch.trigger_versions[version++]));
        else
            WEIR_TRY(write_trigger_state(batch.trigger_states[state++]));
    }
    return {};
}

Status Writer::write_trigger_version(const TriggerVersionRow& row) {
    WEIR_ASSIGN(team, names_.key(*connection_, row.team));
    WEIR_ASSIGN(name, names_.key(*connection_, row.name));
    WEIR_ASSIGN(principal, names_.key(*connection_, row.principal));
    WEIR_ASSIGN(head, connection_->prepare(
                          "INSERT INTO trigger(trig, uid, team, name, grp, state, state_reason, "
                          "state_seq) VALUES(?, ?, ?, ?, ?, 0, '', ?) ON CONFLICT(trig) DO NOTHING"));
    const std::string_view uid(reinterpret_cast<const char*>(row.uid.uuid.bytes.data()),
                               row.uid.uuid.bytes.size());
    WEIR_TRY(head.bind(row.no.value)
                 .bind_blob(uid)
                 .bind(team)
                 .bind(name)
                 .bind(row.group)
                 .bind(row.from.value)
                 .run());
    WEIR_ASSIGN(
        end, connection_->prepare("UPDATE trigger_version SET to_seq = ? WHERE trig = ? AND version < ? AND "
                                  "to_seq IS NULL"));
    WEIR_TRY(end.bind(row.from.value).bind(row.no.value).bind(row.version).run());
    WEIR_ASSIGN(
        insert,
        connection_->prepare(
            "INSERT INTO trigger_version(trig, version, hash, document, source_text, from_seq, to_seq, "
            "principal) VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(trig, version) DO UPDATE SET to_seq = "
            "excluded.to_seq"));
    insert.bind(row.no.value).bind(row.version).bind_text(row.hash).bind_text(row.document_json);
    insert.bind_text(row.source_text).bind(row.from.value);
    if (row.to)
        insert.bind(row.to->value);
    else
        insert.bind_null();
    return insert.bind(principal).run();
}

Status Writer::write_trigger_state(const TriggerStateRow& row) {
    WEIR_ASSIGN(head, connection_->prepare(
                          "UPDATE trigger SET state = ?, state_reason = ?, state_seq = ? WHERE trig = ?"));
    WEIR_ASSIGN(changed, head.bind(static_cast<int>(row.state))
                             .bind_text(row.reason)
                             .bind(row.seq.value)
                             .bind(row.no.value)
                             .run_counted());
    if (changed != 1)
        return defect("trigger " + std::to_string(row.no.value) + " changes state and does not exist");
    WEIR_ASSIGN(insert, connection_->prepare(
                            "INSERT INTO trigger_state(trig, seq, state, reason) VALUES(?, ?, ?, ?)"));
    WEIR_TRY(insert.bind(row.no.value)
                 .bind(row.seq.value)
                 .bind(static_cast<int>(row.state))
                 .bind_text(row.reason)
                 .run());
    if (row.state != TriggerState::Deleted) return {};
    WEIR_ASSIGN(
        end, connection_->prepare("UPDATE trigger_version SET to_seq = ? WHERE trig = ? AND to_seq IS NULL"));
    return end.bind(row.seq.value).bind(row.no.value).run();
}

Result<std::int64_t> Writer::flow_key(const std::string& team, const std::string& name) {
    WEIR_ASSIGN(team_key, names_.key(*connection_, team));
    WEIR_ASSIGN(name_key, names_.key(*connection_, name));
    WEIR_ASSIGN(insert, connection_->prepare(
                            "INSERT INTO flow(team, name) VALUES(?, ?) ON CONFLICT DO UPDATE SET team = "
                            "team RETURNING flow"));
    WEIR_ASSIGN(row, insert.bind(team_key).bind(name_key).step());
    if (!row) return internal("a flow's key was not returned");
    const auto key = insert.integer(0);
    WEIR_TRY(insert.step());
    return key;
}

Result<std::int64_t> Writer::blob_key(const std::string& bytes) {
    if (bytes.empty()) return std::int64_t{0};
    const auto digest = sha256(bytes);
    WEIR_ASSIGN(look, connection_->prepare("SELECT id FROM blob WHERE digest = ?"));
    WEIR_ASSIGN(known, look.bind_digest(digest).step());
    if (known) return look.integer(0);
    WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO blob(digest, bytes) VALUES(?, ?) RETURNING id"));
    WEIR_ASSIGN(row, insert.bind_digest(digest).bind_blob(bytes).step());
    if (!row) return internal("a blob's key was not returned");
    const auto key = insert.integer(0);
    WEIR_TRY(insert.step());
    return key;
}

Status Writer::write_flows(const Batch& batch) {
    for (const auto& row : batch.flow_versions) {
        WEIR_ASSIGN(flow, flow_key(row.flow.team, row.flow.flow));
        WEIR_ASSIGN(ir, blob_key(row.flow.pipeline));
        WEIR_ASSIGN(backend, names_.key(*connection_, row.flow.backend));
        WEIR_ASSIGN(principal, names_.key(*connection_, row.principal));
        // A version that ends where it begins was never the current one.
        if (!row.to) {
            WEIR_ASSIGN(end, connection_->prepare(
                                 "UPDATE flow_version SET to_seq = ? WHERE flow = ? AND to_seq IS NULL"));
            WEIR_TRY(end.bind(row.from.value).bind(flow).run());
        }
        WEIR_ASSIGN(
            insert,
            connection_->prepare(
                "INSERT INTO flow_version(flow, version, backend, parameters, settings, ir, from_seq, "
                "to_seq, deleted, principal) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
        const auto parameters = parameters_text(row.flow.parameters);
        insert.bind(flow).bind_text(row.flow.version).bind(backend).bind_text(parameters);
        insert.bind_text(row.flow.settings_json).bind(ir).bind(row.from.value);
        if (row.to)
            insert.bind(row.to->value);
        else
            insert.bind_null();
        WEIR_TRY(insert.bind(row.deleted ? 1 : 0).bind(principal).run());
    }
    return {};
}

Result<std::int64_t> Writer::audit_team(const AuditRow& row) {
    const auto run = run_of(row);
    if (!run) return names_.key(*connection_, team_of(row));
    WEIR_ASSIGN(look, connection_->prepare("SELECT team FROM run WHERE id_hi = ? AND id_lo = ?"));
    WEIR_ASSIGN(found, look.bind(high_half(run->uuid)).bind(low_half(run->uuid)).step());
    return found ? look.integer(0) : 0;
}

Status Writer::write_audits(const Batch& batch) {
    if (batch.audits.empty()) return {};
    WEIR_ASSIGN(insert, connection_->prepare(
                            "INSERT INTO audit(seq, n, principal, action, target, team, time, reason) "
                            "VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
    for (const auto& row : batch.audits) {
        WEIR_ASSIGN(principal, names_.key(*connection_, row.principal));
        WEIR_ASSIGN(team, audit_team(row));
        WEIR_TRY(insert.bind(row.seq.value)
                     .bind(row.n)
                     .bind(principal)
                     .bind_text(row.action)
                     .bind_text(row.target)
                     .bind(team)
                     .bind(to_ns(row.time))
                     .bind_text(row.reason)
                     .run());
    }
    return {};
}

} // namespace weir::ledger::sqlite
