#include <algorithm>

#include <weir/base/json.hpp>

#include "sqlite/writer.hpp"

namespace weir::ledger::sqlite {

namespace {

/// [[seq, "leaf"], ...]: source and id stand in the input rows.
void append_events(std::string& out, const std::vector<EventRef>& events) {
    out = "[";
    for (const auto& event : events) {
        if (out.size() > 1) out += ',';
        out += '[';
        out += std::to_string(event.seq.value);
        out += ',';
        append_json_string(out, event.role);
        out += ']';
    }
    out += ']';
}

std::optional<std::int64_t> outcome_number(const std::optional<flows::Outcome>& outcome) {
    if (!outcome) return std::nullopt;
    return static_cast<std::int64_t>(*outcome);
}

} // namespace

Status Writer::write_runs(const Batch& batch) {
    if (batch.runs.empty()) return {};
    WEIR_ASSIGN(
        insert,
        connection_->prepare(
            "INSERT INTO run(run, id_hi, id_lo, dec, dec_hi, dec_lo, trig, trigger_version, launch_no, "
            "depth, "
            "created, created_seq, changed, state, sent_epoch, sent_deadline, looks, attempt, outcome, "
            "started, "
            "finished, cancel_requested, trigger_name, team, flow_team, flow, backend, principal, hold, "
            "origin, arguments, events, flow_version, reason, outputs, sends, backend_version, report) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
            "?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    std::string events;
    for (const auto& row : batch.runs) {
        insert.bind(row.no.value)
            .bind(high_half(row.id.uuid))
            .bind(low_half(row.id.uuid))
            .bind(row.decision.value)
            .bind(high_half(row.decision_id.uuid))
            .bind(low_half(row.decision_id.uuid))
            .bind(row.trigger.value)
            .bind(row.trigger_version)
            .bind(row.launch_no)
            .bind(row.depth)
            .bind(to_ns(row.created))
            .bind(row.created_seq.value)
            .bind(row.created_seq.value)
            .bind(static_cast<int>(row.state))
            .bind(row.sent_epoch.value)
            .bind(to_ns(row.sent_deadline))
            .bind(row.looks)
            .bind(row.attempt)
            .bind_optional(outcome_number(row.outcome))
            .bind(to_ns(row.started_at))
            .bind(to_ns(row.finished_at))
            .bind(to_ns(row.cancel_requested));
        for (const auto* text : {&row.trigger_name, &row.team, &row.flow_team, &row.flow, &row.backend,
                                 &row.principal, &row.hold, &row.origin}) {
            WEIR_ASSIGN(key, names_.key(*connection_, *text));
            insert.bind(key);
        }
        append_events(events, row.events);
        insert.bind_text(row.arguments_json)
            .bind_text(events)
            .bind_text(row.flow_version)
            .bind_text(row.reason)
            .bind_text(row.outputs_json)
            .bind(row.sends)
            .bind_text(row.backend_version)
            .bind_text(row.report_json);
        WEIR_TRY(insert.run());
    }
    return {};
}

Status Writer::write_run_updates(const Batch& batch) {
    if (batch.run_updates.empty()) return {};
    WEIR_ASSIGN(
        update,
        connection_->prepare(
            "UPDATE run SET state = ?, changed = ?, hold = ?, flow_version = ?, sent_epoch = ?, "
            "sent_deadline = ?, looks = ?, attempt = ?, outcome = ?, reason = ?, outputs = ?, "
            "started = ?, finished = ?, cancel_requested = ?, sends = ?, backend_version = ?, report = ? "
            "WHERE run = ?"));
    // An update says everything: of several of a run only the last is written, in order of the table.
    std::vector<std::pair<std::int64_t, std::size_t>> last;
    last.reserve(batch.run_updates.size());
    for (std::size_t i = 0; i < batch.run_updates.size(); ++i)
        last.emplace_back(batch.run_updates[i].no.value, i);
    std::sort(last.begin(), last.end());
    for (std::size_t i = 0; i < last.size(); ++i) {
        if (i + 1 < last.size() && last[i + 1].first == last[i].first) continue;
        const auto& row = batch.run_updates[last[i].second];
        WEIR_ASSIGN(hold, names_.key(*connection_, row.hold));
        update.bind(static_cast<int>(row.state))
            .bind(row.seq.value)
            .bind(hold)
            .bind_text(row.flow_version)
            .bind(row.sent_epoch.value)
            .bind(to_ns(row.sent_deadline))
            .bind(row.looks)
            .bind(row.attempt)
            .bind_optional(outcome_number(row.outcome))
            .bind_text(row.reason)
            .bind_text(row.outputs_json)
            .bind(to_ns(row.started_at))
            .bind(to_ns(row.finished_at))
            .bind(to_ns(row.cancel_requested))
            .bind(row.sends)
            .bind_text(row.backend_version)
            .bind_text(row.report_json)
            .bind(row.no.value);
        WEIR_ASSIGN(changed, update.run_counted());
        if (changed != 1)
            return defect("run " + std::to_string(row.no.value) + " is updated and does not exist");
    }
    return {};
}

Status Writer::write_attempts(const Batch& batch) {
    WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO attempt(run, n, opened_seq, started, finished) "
                                             "VALUES(?, ?, ?, ?, 0) ON CONFLICT DO NOTHING"));
    for (const auto& row : batch.attempts_opened) {
        WEIR_ASSIGN(opened, insert.bind(row.run.value)
                                .bind(row.attempt)
                                .bind(row.opened.value)
                                .bind(to_ns(row.started_at))
                                .run_counted());
        if (opened != 1)
            return defect("attempt " + std::to_string(row.attempt) + " of run " +
                          std::to_string(row.run.value) + " is open already");
    }
    if (batch.attempts_settled.empty()) return {};
    WEIR_ASSIGN(settle,
                connection_->prepare(
                    "INSERT INTO attempt(run, n, opened_seq, settled_seq, outcome, error, started, finished) "
                    "VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(run, n) DO UPDATE SET settled_seq = "
                    "excluded.settled_seq, outcome = excluded.outcome, error = excluded.error, started = "
                    "excluded.started, finished = excluded.finished WHERE settled_seq IS NULL"));
    for (const auto& row : batch.attempts_settled) {
        if (!row.settled || !row.outcome)
            return defect("attempt " + std::to_string(row.attempt) + " of run " +
                          std::to_string(row.run.value) + " settles without an input or an outcome");
        WEIR_ASSIGN(settled, settle.bind(row.run.value)
                                 .bind(row.attempt)
                                 .bind(row.opened.value)
                                 .bind(row.settled->value)
                                 .bind_optional(outcome_number(row.outcome))
                                 .bind_text_or_null(row.error)
                                 .bind(to_ns(row.started_at))
                                 .bind(to_ns(row.finished_at))
                                 .run_counted());
        if (settled != 1)
            return defect("attempt " + std::to_string(row.attempt) + " of run " +
                          std::to_string(row.run.value) + " is settled already");
        WEIR_TRY(write_artifacts(row, false));
        WEIR_TRY(write_artifacts(row, true));
    }
    return {};
}

Status Writer::write_early_reports(const Batch& batch) {
    for (const auto& row : batch.early_reports) {
        WEIR_ASSIGN(put, connection_->prepare("INSERT INTO early_report(id_hi, id_lo, attempt, time, "
                                              "body) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                                              "time = excluded.time, body = excluded.body"));
        WEIR_TRY(put.bind(high_half(row.run.uuid))
                     .bind(low_half(row.run.uuid))
                     .bind(row.attempt)
                     .bind(to_ns(row.time))
                     .bind_text(row.body)
                     .run());
    }
    for (const auto& [run, attempt] : batch.early_reports_gone) {
        WEIR_ASSIGN(drop, connection_->prepare(
                              "DELETE FROM early_report WHERE id_hi = ? AND id_lo = ? AND attempt = ?"));
        WEIR_TRY(drop.bind(high_half(run.uuid)).bind(low_half(run.uuid)).bind(attempt).run());
    }
    return {};
}

Status Writer::write_watched(const Batch& batch) {
    for (const auto& row : batch.watched) {
        WEIR_ASSIGN(put, connection_->prepare("INSERT INTO watched(backend, place, time) VALUES(?, ?, ?) ON "
                                              "CONFLICT DO UPDATE SET time = MAX(time, excluded.time)"));
        WEIR_TRY(put.bind_text(row.backend).bind_text(row.place).bind(to_ns(row.until)).run());
    }
    return {};
}

Status Writer::write_artifacts(const AttemptRow& row, bool output) {
    const auto& artifacts = output ? row.outputs : row.inputs;
    if (artifacts.empty()) return {};
    // The update that changes nothing makes RETURNING give the key of a row that is there.
    WEIR_ASSIGN(intern, connection_->prepare(
                            "INSERT INTO artifact(uri) VALUES(?) ON CONFLICT(uri) DO UPDATE SET uri = uri "
                            "RETURNING artifact"));
    WEIR_ASSIGN(insert, connection_->prepare(
                            "INSERT INTO run_artifact(run, attempt, output, n, artifact, name, type, "
                            "metadata) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"));
    std::int64_t n = 0;
    for (const auto& artifact : artifacts) {
        WEIR_ASSIGN(found, intern.bind_text(artifact.uri).step());
        if (!found) return internal("an artifact's key was not returned");
        const auto key = intern.integer(0);
        WEIR_TRY(intern.step());
        intern.rewind();
        WEIR_TRY(insert.bind(row.run.value)
                     .bind(row.attempt)
                     .bind(output ? 1 : 0)
                     .bind(n++)
                     .bind(key)
                     .bind_text(artifact.name)
                     .bind_text(artifact.type)
                     .bind_text(artifact.metadata_json)
                     .run());
    }
    return {};
}

} // namespace weir::ledger::sqlite
