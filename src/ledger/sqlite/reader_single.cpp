#include <algorithm>

#include "sqlite/reader.hpp"

namespace weir::ledger::sqlite {

namespace {

/// The one row of a query that is bound already.
template <class Make>
auto one(Statement& query, Make make, const std::string& what) -> decltype(make(query)) {
    WEIR_ASSIGN(found, query.step());
    if (!found) return not_found(what);
    return make(query);
}

Result<AttemptRow> attempt_row(Statement& row) {
    AttemptRow out;
    out.run = RunNo(row.integer(0));
    out.attempt = row.small(1);
    out.opened = Seq(row.integer(2));
    if (const auto settled = row.optional(3)) out.settled = Seq(*settled);
    if (const auto outcome = row.optional(4)) out.outcome = static_cast<flows::Outcome>(*outcome);
    out.error = row.string(5);
    out.started_at = from_ns(row.integer(6));
    out.finished_at = from_ns(row.integer(7));
    return out;
}

Result<std::vector<TriggerVersionRow>> versions_of(ReadSession& session, std::int64_t trigger) {
    WEIR_ASSIGN(query,
                session.connection->prepare("SELECT " WEIR_TRIGGER_VERSION_COLUMNS
                                            " FROM trigger_version v JOIN trigger t ON t.trig = v.trig WHERE "
                                            "v.trig = ? ORDER BY v.version"));
    query.bind(trigger);
    return collect(query, [&](Statement& s) { return session.rows.trigger_version(s); });
}

} // namespace

Result<RunRow> SqliteReader::run(const RunId& id) {
    return read([&](ReadSession& session) -> Result<RunRow> {
        WEIR_ASSIGN(query, session.connection->prepare("SELECT " WEIR_RUN_COLUMNS
                                                       " FROM run r WHERE r.id_hi = ? AND r.id_lo = ?"));
        query.bind(high_half(id.uuid)).bind(low_half(id.uuid));
        return one(
            query, [&](Statement& s) { return session.rows.run(s); }, "there is no run " + id.to_string());
    });
}

Result<RunRow> SqliteReader::run(RunNo no) {
    return read([&](ReadSession& session) -> Result<RunRow> {
        WEIR_ASSIGN(query,
                    session.connection->prepare("SELECT " WEIR_RUN_COLUMNS " FROM run r WHERE r.run = ?"));
        query.bind(no.value);
        return one(
            query, [&](Statement& s) { return session.rows.run(s); },
            "there is no run number " + std::to_string(no.value));
    });
}

Result<std::vector<AttemptRow>> SqliteReader::attempts(RunNo run) {
    return read([&](ReadSession& session) -> Result<std::vector<AttemptRow>> {
        WEIR_ASSIGN(query, session.connection->prepare(
                               "SELECT run, n, opened_seq, settled_seq, outcome, error, started, "
                               "finished FROM attempt WHERE run = ? ORDER BY n"));
        query.bind(run.value);
        WEIR_ASSIGN(rows, collect(query, attempt_row));
        WEIR_ASSIGN(artifacts,
                    session.connection->prepare(
                        "SELECT x.attempt, x.output, x.name, a.uri, x.type, x.metadata FROM run_artifact x "
                        "JOIN artifact a ON a.artifact = x.artifact WHERE x.run = ? ORDER BY x.attempt, "
                        "x.output, x.n"));
        artifacts.bind(run.value);
        while (true) {
            WEIR_ASSIGN(more, artifacts.step());
            if (!more) return rows;
            const auto attempt = artifacts.small(0);
            const auto at = std::find_if(rows.begin(), rows.end(),
                                         [&](const auto& row) { return row.attempt == attempt; });
            if (at == rows.end()) continue;
            auto& list = artifacts.integer(1) != 0 ? at->outputs : at->inputs;
            list.push_back(
                {artifacts.string(2), artifacts.string(3), artifacts.string(4), artifacts.string(5)});
        }
    });
}

Result<DecisionRow> SqliteReader::decision(DecisionNo no) {
    return read([&](ReadSession& session) -> Result<DecisionRow> {
        WEIR_ASSIGN(query, session.connection->prepare("SELECT " WEIR_DECISION_COLUMNS
                                                       " FROM decision d WHERE d.dec = ?"));
        query.bind(no.value);
        return one(
            query, [&](Statement& s) { return session.rows.decision(s); },
            "there is no decision number " + std::to_string(no.value));
    });
}

Result<DecisionRow> SqliteReader::decision(const DecisionId& id) {
    return read([&](ReadSession& session) -> Result<DecisionRow> {
        WEIR_ASSIGN(query, session.connection->prepare("SELECT " WEIR_DECISION_COLUMNS
                                                       " FROM decision d WHERE d.id_hi = ? AND d.id_lo = ?"));
        query.bind(high_half(id.uuid)).bind(low_half(id.uuid));
        return one(
            query, [&](Statement& s) { return session.rows.decision(s); },
            "there is no decision " + id.to_string());
    });
}

Result<RunRow> SqliteReader::run_of(DecisionNo decision) {
    return read([&](ReadSession& session) -> Result<RunRow> {
        WEIR_ASSIGN(query,
                    session.connection->prepare("SELECT " WEIR_RUN_COLUMNS
                                                " FROM run r WHERE r.dec = ? ORDER BY r.run DESC LIMIT 1"));
        query.bind(decision.value);
        return one(
            query, [&](Statement& s) { return session.rows.run(s); },
            "decision number " + std::to_string(decision.value) + " made no run");
    });
}

Result<InputRow> SqliteReader::input(Seq seq) {
    return read([&](ReadSession& session) -> Result<InputRow> {
        WEIR_ASSIGN(query,
                    session.connection->prepare("SELECT " WEIR_INPUT_COLUMNS
                                                ", p.bytes FROM input i LEFT JOIN payload p ON p.seq = i.seq "
                                                "WHERE i.seq = ?"));
        query.bind(seq.value);
        return one(
            query, [&](Statement& s) { return session.rows.input(s, 14); },
            "there is no input " + std::to_string(seq.value));
    });
}

Result<std::vector<InputRow>> SqliteReader::events_by_id(std::string_view id, std::string_view source) {
    constexpr std::size_t rows_max = 100;
    return read([&](ReadSession& session) -> Result<std::vector<InputRow>> {
        std::vector<InputRow> rows;
        WEIR_ASSIGN(candidates, inputs_of_id(*session.connection, seen_key_, id));
        WEIR_ASSIGN(query,
                    session.connection->prepare("SELECT " WEIR_INPUT_COLUMNS
                                                ", p.bytes FROM input i LEFT JOIN payload p ON p.seq = i.seq "
                                                "WHERE i.seq = ?"));
        for (const auto seq : candidates) {
            WEIR_ASSIGN(found, query.bind(seq).step());
            if (found) {
                WEIR_ASSIGN(row, session.rows.input(query, 14));
                if (row.id == id && (source.empty() || row.source == source)) rows.push_back(std::move(row));
            }
            query.rewind();
            if (rows.size() == rows_max) break;
        }
        return rows;
    });
}

Result<std::vector<TriggerVersionRow>> SqliteReader::trigger_versions(std::string_view team,
                                                                      std::string_view name) {
    return read([&](ReadSession& session) -> Result<std::vector<TriggerVersionRow>> {
        // The live one first, else the one deleted last.
        WEIR_ASSIGN(look, session.connection->prepare(
                              "SELECT trig FROM trigger WHERE team = (SELECT id FROM name WHERE text = "
                              "?) AND name = (SELECT id FROM name WHERE text = ?) ORDER BY state = 3, "
                              "state_seq DESC, trig DESC LIMIT 1"));
        WEIR_ASSIGN(found, look.bind_text(team).bind_text(name).step());
        if (!found) return not_found("there is no trigger " + std::string(team) + "/" + std::string(name));
        return versions_of(session, look.integer(0));
    });
}

Result<std::vector<TriggerVersionRow>> SqliteReader::trigger_versions(TriggerNo no) {
    return read([&](ReadSession& session) -> Result<std::vector<TriggerVersionRow>> {
        WEIR_ASSIGN(rows, versions_of(session, no.value));
        if (rows.empty()) return not_found("there is no trigger number " + std::to_string(no.value));
        return rows;
    });
}

Result<std::vector<TriggerStateRow>> SqliteReader::trigger_states(TriggerNo no) {
    return read([&](ReadSession& session) -> Result<std::vector<TriggerStateRow>> {
        WEIR_ASSIGN(query,
                    session.connection->prepare(
                        "SELECT trig, state, reason, seq FROM trigger_state WHERE trig = ? ORDER BY id"));
        query.bind(no.value);
        return collect(query, [](Statement& s) -> Result<TriggerStateRow> {
            return TriggerStateRow{TriggerNo(s.integer(0)), static_cast<TriggerState>(s.integer(1)),
                                   s.string(2), Seq(s.integer(3))};
        });
    });
}

Result<std::vector<FlowVersionRow>> SqliteReader::flow_versions(std::string_view team,
                                                                std::string_view flow) {
    return read([&](ReadSession& session) -> Result<std::vector<FlowVersionRow>> {
        WEIR_ASSIGN(
            query,
            session.connection->prepare(
                "SELECT " WEIR_FLOW_VERSION_COLUMNS
                " FROM flow_version v JOIN flow f ON f.flow = v.flow LEFT JOIN blob b ON b.id = v.ir WHERE "
                "f.team = (SELECT id FROM name WHERE text = ?) AND f.name = (SELECT id FROM name WHERE "
                "text = ?) ORDER BY v.id"));
        query.bind_text(team).bind_text(flow);
        WEIR_ASSIGN(rows, collect(query, [&](Statement& s) { return session.rows.flow_version(s); }));
        if (rows.empty()) return not_found("there is no flow " + std::string(team) + "/" + std::string(flow));
        return rows;
    });
}

Result<std::vector<TimerSetRow>> SqliteReader::open_timers(TriggerNo no) {
    return read([&](ReadSession& session) -> Result<std::vector<TimerSetRow>> {
        WEIR_ASSIGN(query, session.connection->prepare(
                               "SELECT " WEIR_TIMER_COLUMNS
                               " FROM timer t WHERE t.trig = ? AND t.end_seq IS NULL ORDER BY "
                               "t.kind, t.key"));
        query.bind(no.value);
        return collect(query, [&](Statement& s) { return session.rows.timer(s); });
    });
}

Result<DeadLetterRow> SqliteReader::dead_letter(DeadLetterNo no) {
    return read([&](ReadSession& session) -> Result<DeadLetterRow> {
        WEIR_ASSIGN(query, session.connection->prepare(
                               "SELECT " WEIR_DEAD_LETTER_COLUMNS
                               ", m.bytes FROM dead_letter d LEFT JOIN dead_message m ON m.dead = d.dead "
                               "WHERE d.dead = ?"));
        query.bind(no.value);
        return one(
            query, [](Statement& s) -> Result<DeadLetterRow> { return Rows::dead_letter(s, 10); },
            "there is no dead letter " + std::to_string(no.value) + ", or it was too old to be kept");
    });
}

} // namespace weir::ledger::sqlite
