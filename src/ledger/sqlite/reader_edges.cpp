#include <algorithm>

#include "sqlite/reader.hpp"

namespace weir::ledger::sqlite {

namespace {

/// Asks once for each key, in the order given; `make` appends what a row says.
template <class Row, class Key, class Make>
Result<std::vector<Row>> each(Connection& connection, const char* sql, std::span<const Key> keys, Make make) {
    std::vector<Row> rows;
    rows.reserve(keys.size());
    WEIR_ASSIGN(query, connection.prepare(sql));
    for (const auto key : keys) {
        query.bind(key.value);
        while (true) {
            WEIR_ASSIGN(more, query.step());
            if (!more) break;
            WEIR_ASSIGN(row, make(query));
            rows.push_back(std::move(row));
        }
        query.rewind();
    }
    return rows;
}

Result<LedgerReader::ArtifactEdge> edge(Statement& s) {
    return LedgerReader::ArtifactEdge{
        RunNo(s.integer(0)), s.integer(1) != 0, {s.string(2), s.string(3), s.string(4), s.string(5)}};
}

/// Attempts of a run mostly name the same artifacts again: each edge once, where it came first.
std::vector<LedgerReader::ArtifactEdge> without_repeats(std::vector<LedgerReader::ArtifactEdge> edges) {
    std::vector<LedgerReader::ArtifactEdge> out;
    std::size_t begin = 0;
    for (auto& candidate : edges) {
        if (!out.empty() && out.back().run != candidate.run) begin = out.size();
        const auto known =
            std::any_of(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), [&](const auto& e) {
                return e.run == candidate.run && e.output == candidate.output &&
                       e.artifact == candidate.artifact;
            });
        if (!known) out.push_back(std::move(candidate));
    }
    return out;
}

Result<HeldRow> past(ReadSession& session, Statement& s) {
    WEIR_ASSIGN(entered, session.rows.held(s));
    WEIR_ASSIGN(why, session.rows.name(s.integer(8)));
    HeldLeaveRow left{entered.trigger, entered.leaf, entered.event, Seq(s.integer(7)), std::move(why), {}};
    if (const auto decision = s.optional(9)) left.decision = DecisionNo(*decision);
    return HeldRow{std::move(entered), std::move(left)};
}

Result<HeldRow> open(ReadSession& session, Statement& s) {
    WEIR_ASSIGN(entered, session.rows.held(s));
    return HeldRow{std::move(entered), std::nullopt};
}

/// In the order in which they entered.
void sort_held(std::vector<HeldRow>& rows) {
    std::sort(rows.begin(), rows.end(), [](const HeldRow& a, const HeldRow& b) {
        return std::tie(a.entered.event, a.entered.leaf) < std::tie(b.entered.event, b.entered.leaf);
    });
}

} // namespace

Result<std::vector<std::pair<Seq, DecisionNo>>> SqliteReader::decisions_of_events(
    std::span<const Seq> events) {
    return read([&](ReadSession& session) {
        return each<std::pair<Seq, DecisionNo>>(
            *session.connection,
            "SELECT seq, dec FROM decision WHERE seq = ?1 UNION SELECT seq, dec FROM included WHERE seq = ?1 "
            "ORDER BY 2",
            events, [](Statement& s) -> Result<std::pair<Seq, DecisionNo>> {
                return std::pair(Seq(s.integer(0)), DecisionNo(s.integer(1)));
            });
    });
}

Result<std::vector<DecisionRow>> SqliteReader::decisions_by_no(std::span<const DecisionNo> decisions) {
    return read([&](ReadSession& session) {
        return each<DecisionRow>(*session.connection,
                                 "SELECT " WEIR_DECISION_COLUMNS " FROM decision d WHERE d.dec = ?",
                                 decisions, [&](Statement& s) { return session.rows.decision(s); });
    });
}

Result<std::vector<RunRow>> SqliteReader::runs_of_decisions(std::span<const DecisionNo> decisions) {
    return read([&](ReadSession& session) {
        return each<RunRow>(*session.connection,
                            "SELECT " WEIR_RUN_COLUMNS " FROM run r WHERE r.dec = ? ORDER BY r.run",
                            decisions, [&](Statement& s) { return session.rows.run(s); });
    });
}

Result<std::vector<RunRow>> SqliteReader::runs_by_no(std::span<const RunNo> runs) {
    return read([&](ReadSession& session) {
        return each<RunRow>(*session.connection, "SELECT " WEIR_RUN_COLUMNS " FROM run r WHERE r.run = ?",
                            runs, [&](Statement& s) { return session.rows.run(s); });
    });
}

Result<std::vector<std::pair<RunNo, Seq>>> SqliteReader::settlements_of_runs(std::span<const RunNo> runs) {
    return read([&](ReadSession& session) {
        return each<std::pair<RunNo, Seq>>(
            *session.connection,
            "SELECT run, settled_seq FROM attempt WHERE run = ? AND settled_seq IS NOT NULL ORDER BY n", runs,
            [](Statement& s) -> Result<std::pair<RunNo, Seq>> {
                return std::pair(RunNo(s.integer(0)), Seq(s.integer(1)));
            });
    });
}

Result<std::vector<std::pair<Seq, RunNo>>> SqliteReader::runs_of_settlements(
    std::span<const Seq> settlements) {
    return read([&](ReadSession& session) {
        return each<std::pair<Seq, RunNo>>(*session.connection,
                                           "SELECT settled_seq, run FROM attempt WHERE settled_seq = ? AND "
                                           "settled_seq IS NOT NULL ORDER BY run",
                                           settlements, [](Statement& s) -> Result<std::pair<Seq, RunNo>> {
                                               return std::pair(Seq(s.integer(0)), RunNo(s.integer(1)));
                                           });
    });
}

Result<std::vector<InputRow>> SqliteReader::inputs_by_seq(std::span<const Seq> seqs) {
    return read([&](ReadSession& session) {
        return each<InputRow>(*session.connection,
                              "SELECT " WEIR_INPUT_COLUMNS " FROM input i WHERE i.seq = ?", seqs,
                              [&](Statement& s) { return session.rows.input(s); });
    });
}

Result<std::vector<LedgerReader::ArtifactEdge>> SqliteReader::artifacts_of_runs(std::span<const RunNo> runs) {
    return read([&](ReadSession& session) -> Result<std::vector<ArtifactEdge>> {
        WEIR_ASSIGN(edges,
                    each<ArtifactEdge>(
                        *session.connection,
                        "SELECT x.run, x.output, x.name, a.uri, x.type, x.metadata FROM run_artifact x "
                        "JOIN artifact a ON a.artifact = x.artifact WHERE x.run = ? ORDER BY x.attempt, "
                        "x.output, x.n",
                        runs, edge));
        return without_repeats(std::move(edges));
    });
}

Result<std::vector<LedgerReader::ArtifactEdge>> SqliteReader::runs_of_artifact(std::string_view uri) {
    return read([&](ReadSession& session) -> Result<std::vector<ArtifactEdge>> {
        WEIR_ASSIGN(
            query, session.connection->prepare(
                       "SELECT x.run, x.output, x.name, a.uri, x.type, x.metadata FROM artifact a CROSS JOIN "
                       "run_artifact x ON x.artifact = a.artifact WHERE a.uri = ? ORDER BY x.run, x.attempt, "
                       "x.output, x.n"));
        query.bind_text(uri);
        WEIR_ASSIGN(edges, collect(query, edge));
        return without_repeats(std::move(edges));
    });
}

Result<std::vector<HeldRow>> SqliteReader::held_of(Seq event, TriggerNo trigger) {
    return read([&](ReadSession& session) -> Result<std::vector<HeldRow>> {
        WEIR_ASSIGN(now, session.connection->prepare("SELECT " WEIR_HELD_COLUMNS
                                                     " FROM held h WHERE h.trig = ? AND h.event = ?"));
        now.bind(trigger.value).bind(event.value);
        WEIR_ASSIGN(rows, collect(now, [&](Statement& s) { return open(session, s); }));
        WEIR_ASSIGN(then, session.connection->prepare(
                              "SELECT " WEIR_HELD_COLUMNS
                              ", h.out_seq, h.why, h.dec FROM held_past h WHERE h.trig = ? AND "
                              "h.event = ?"));
        then.bind(trigger.value).bind(event.value);
        WEIR_ASSIGN(left, collect(then, [&](Statement& s) { return past(session, s); }));
        rows.insert(rows.end(), left.begin(), left.end());
        sort_held(rows);
        return rows;
    });
}

Result<std::vector<HeldRow>> SqliteReader::held_at(TriggerNo trigger, Seq at) {
    return read([&](ReadSession& session) -> Result<std::vector<HeldRow>> {
        WEIR_ASSIGN(now, session.connection->prepare(
                             "SELECT " WEIR_HELD_COLUMNS
                             " FROM held h WHERE h.trig = ? AND h.event <= ?2 AND h.in_seq <= ?2"));
        now.bind(trigger.value).bind(at.value);
        WEIR_ASSIGN(rows, collect(now, [&](Statement& s) { return open(session, s); }));
        WEIR_ASSIGN(then, session.connection->prepare(
                              "SELECT " WEIR_HELD_COLUMNS
                              ", h.out_seq, h.why, h.dec FROM held_past h WHERE h.trig = ?1 AND "
                              "h.out_seq > ?2 AND h.in_seq <= ?2"));
        then.bind(trigger.value).bind(at.value);
        WEIR_ASSIGN(left, collect(then, [&](Statement& s) { return past(session, s); }));
        rows.insert(rows.end(), left.begin(), left.end());
        sort_held(rows);
        return rows;
    });
}

Result<std::vector<DecisionRow>> SqliteReader::decisions_at(Seq seq, TriggerNo trigger) {
    return read([&](ReadSession& session) -> Result<std::vector<DecisionRow>> {
        WEIR_ASSIGN(query, session.connection->prepare(
                               "SELECT " WEIR_DECISION_COLUMNS
                               " FROM decision d WHERE d.seq = ? AND +d.trig = ? ORDER BY d.dec"));
        query.bind(seq.value).bind(trigger.value);
        return collect(query, [&](Statement& s) { return session.rows.decision(s); });
    });
}

Result<std::vector<InputRow>> SqliteReader::inputs_from(Seq from, std::size_t limit) {
    return read([&](ReadSession& session) -> Result<std::vector<InputRow>> {
        WEIR_ASSIGN(query,
                    session.connection->prepare("SELECT " WEIR_INPUT_COLUMNS
                                                ", p.bytes FROM input i LEFT JOIN payload p ON p.seq = i.seq "
                                                "WHERE i.seq >= ? ORDER BY i.seq LIMIT ?"));
        query.bind(from.value).bind(static_cast<std::int64_t>(std::min<std::size_t>(limit, 10'000)));
        return collect(query, [&](Statement& s) { return session.rows.input(s, 14); });
    });
}

Result<CountRow> SqliteReader::counts() {
    return read([&](ReadSession& session) -> Result<CountRow> {
        WEIR_ASSIGN(query,
                    session.connection->prepare("SELECT next_seq & 0xffffffffffff, decisions, runs, held, "
                                                "(SELECT count(*) FROM run WHERE state <> 6) FROM log WHERE "
                                                "log = 1"));
        WEIR_ASSIGN(found, query.step());
        if (!found) return corrupt("ledger " + options_.path + ": the row of its log is missing");
        return CountRow{query.integer(0) - 1, query.integer(1), query.integer(2), query.integer(3),
                        query.integer(4)};
    });
}

Result<Seq> SqliteReader::head() {
    return read([&](ReadSession& session) -> Result<Seq> {
        WEIR_ASSIGN(query, session.connection->prepare("SELECT next_seq - 1 FROM log WHERE log = 1"));
        WEIR_ASSIGN(found, query.step());
        if (!found) return corrupt("ledger " + options_.path + ": the row of its log is missing");
        return Seq(query.integer(0));
    });
}

Result<std::vector<GapRow>> SqliteReader::gaps() {
    return read([&](ReadSession& session) -> Result<std::vector<GapRow>> {
        WEIR_ASSIGN(query, session.connection->prepare("SELECT " WEIR_GAP_COLUMNS
                                                       " FROM gap g ORDER BY g.gap DESC LIMIT 1000"));
        WEIR_ASSIGN(rows, collect(query, [](Statement& s) -> Result<GapRow> { return Rows::gap(s); }));
        std::reverse(rows.begin(), rows.end());
        return rows;
    });
}

Result<std::vector<StreamState>> SqliteReader::streams() {
    return read([&](ReadSession& session) -> Result<std::vector<StreamState>> {
        WEIR_ASSIGN(query, session.connection->prepare("SELECT " WEIR_STREAM_COLUMNS " ORDER BY s.stream"));
        return collect(query, [](Statement& s) -> Result<StreamState> { return Rows::stream(s); });
    });
}

Result<std::vector<WatchedRow>> SqliteReader::watched() {
    return read([&](ReadSession& session) -> Result<std::vector<WatchedRow>> {
        WEIR_ASSIGN(query, session.connection->prepare(
                               "SELECT backend, place, time FROM watched ORDER BY backend, place"));
        return collect(query, [](Statement& s) -> Result<WatchedRow> {
            return WatchedRow{std::string(s.text(0)), std::string(s.text(1)), from_ns(s.integer(2))};
        });
    });
}

Result<std::vector<UncountedRow>> SqliteReader::uncounted(Instant from, Instant until) {
    constexpr std::int64_t minute_ns = 60'000'000'000;
    return read([&](ReadSession& session) -> Result<std::vector<UncountedRow>> {
        WEIR_ASSIGN(query, session.connection->prepare(
                               "SELECT minute, stream, type, source, count FROM uncounted WHERE "
                               "minute >= ? AND minute < ? ORDER BY minute, stream, type, source "
                               "LIMIT 10000"));
        query.bind(to_ns(from) / minute_ns).bind((to_ns(until) + minute_ns - 1) / minute_ns);
        return collect(query, [&](Statement& s) -> Result<UncountedRow> {
            WEIR_ASSIGN(type, session.rows.name(s.integer(2)));
            WEIR_ASSIGN(source, session.rows.name(s.integer(3)));
            return UncountedRow{s.integer(0), StreamNo(s.integer(1)), std::move(type), std::move(source),
                                s.integer(4)};
        });
    });
}

} // namespace weir::ledger::sqlite
