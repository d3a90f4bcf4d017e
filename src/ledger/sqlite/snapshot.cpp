#include "sqlite/snapshot.hpp"

#include <algorithm>
#include <unordered_map>

#include "sqlite/meta.hpp"
#include "sqlite/rows.hpp"

namespace weir::ledger::sqlite {

namespace {

/// Reads one snapshot; each method one family of rows.
class Reading {
  public:
    explicit Reading(Connection& connection) : connection_(connection), rows_(connection) {}

    Status log(Snapshot& out);
    Status streams(Snapshot& out);
    Status outgoing(Snapshot& out);
    Status triggers(Snapshot& out);
    Status recent_decisions(Snapshot& out);
    Status flows(Snapshot& out);
    Status held(Snapshot& out);
    Status held_events(Snapshot& out);
    Status timers(Snapshot& out);
    Status runs(Snapshot& out);
    Status run_flows(Snapshot& out);
    Status early_reports(Snapshot& out);

  private:
    Connection& connection_;
    Rows rows_;
};

Status Reading::log(Snapshot& out) {
    WEIR_ASSIGN(instance, read_meta(connection_, meta_instance));
    WEIR_ASSIGN(secret, read_meta(connection_, meta_secret));
    out.instance = std::move(instance);
    out.secret = std::move(secret);
    WEIR_ASSIGN(query,
                connection_.prepare(
                    "SELECT epoch, next_seq, time, (SELECT coalesce(max(dec), 0) FROM decision), "
                    "(SELECT coalesce(max(run), 0) FROM run), "
                    "(SELECT coalesce(max(trig), 0) FROM trigger), outgoing, gap, dead_letter FROM log "
                    "WHERE log = 1"));
    WEIR_ASSIGN(found, query.step());
    if (!found) return corrupt("ledger " + connection_.path() + ": the row of its log is missing");
    out.epoch = Epoch(query.integer(0));
    out.next_seq = Seq(query.integer(1));
    out.log_time = from_ns(query.integer(2));
    out.next_decision = DecisionNo(query.integer(3) + 1);
    out.next_run = RunNo(query.integer(4) + 1);
    out.next_trigger = TriggerNo(query.integer(5) + 1);
    out.next_outgoing = OutgoingNo(query.integer(6) + 1);
    out.next_gap = GapNo(query.integer(7) + 1);
    out.next_dead_letter = DeadLetterNo(query.integer(8) + 1);
    return {};
}

Status Reading::streams(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare("SELECT " WEIR_STREAM_COLUMNS " ORDER BY s.stream"));
    WEIR_ASSIGN(rows, collect(query, [](Statement& s) -> Result<StreamState> { return Rows::stream(s); }));
    out.streams = std::move(rows);
    WEIR_ASSIGN(open, connection_.prepare("SELECT " WEIR_GAP_COLUMNS
                                          " FROM gap g WHERE g.accepted IS NULL ORDER BY g.gap"));
    WEIR_ASSIGN(gaps, collect(open, [](Statement& s) -> Result<GapRow> { return Rows::gap(s); }));
    out.gaps = std::move(gaps);
    return {};
}

Status Reading::outgoing(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare("SELECT outgoing, bytes FROM outgoing ORDER BY outgoing"));
    WEIR_ASSIGN(rows, collect(query, [](Statement& s) -> Result<OutgoingRow> {
                    return OutgoingRow{OutgoingNo(s.integer(0)), s.string(1)};
                }));
    out.outgoing = std::move(rows);
    return {};
}

Status Reading::triggers(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare(
                           "SELECT " WEIR_TRIGGER_VERSION_COLUMNS
                           ", t.state, t.state_reason FROM trigger t JOIN trigger_version v "
                           "ON v.trig = t.trig AND v.version = (SELECT max(version) FROM "
                           "trigger_version WHERE trig = t.trig) WHERE t.state <> 3 ORDER BY t.trig"));
    WEIR_ASSIGN(
        rows, collect(query, [&](Statement& s) -> Result<OpenTrigger> {
            WEIR_ASSIGN(version, rows_.trigger_version(s));
            return OpenTrigger{std::move(version), static_cast<TriggerState>(s.integer(12)), s.string(13)};
        }));
    out.triggers = std::move(rows);
    return {};
}

/// What the breakers and the cap on failures count: firings back to the minute of the log's time, failures
/// back to its hour (by an index over failures alone: they are few).
Status Reading::recent_decisions(Snapshot& out) {
    constexpr std::int64_t minute = 60'000'000'000, hour = 60 * minute;
    const auto now = to_ns(out.log_time);
    std::unordered_map<std::int64_t, OpenTrigger*> triggers;
    for (auto& open : out.triggers)
        triggers[open.version.no.value] = &open;
    const auto count = [&](const char* sql, std::int64_t unit, int OpenTrigger::*counter) -> Status {
        WEIR_ASSIGN(query, connection_.prepare(sql));
        while (true) {
            WEIR_ASSIGN(found, query.step());
            if (!found || query.integer(1) / unit != now / unit) return {};
            const auto trigger = triggers.find(query.integer(0));
            if (trigger != triggers.end() && query.integer(2) != 0) ++(trigger->second->*counter);
        }
    };
    WEIR_TRY(count("SELECT trig, time, verdict = 0 FROM decision ORDER BY dec DESC", minute,
                   &OpenTrigger::fired_in_minute));
    return count("SELECT trig, time, 1 FROM decision WHERE verdict = 2 ORDER BY dec DESC", hour,
                 &OpenTrigger::failed_in_hour);
}

Status Reading::flows(Snapshot& out) {
    WEIR_ASSIGN(query,
                connection_.prepare("SELECT " WEIR_FLOW_VERSION_COLUMNS
                                    " FROM flow_version v JOIN flow f ON f.flow = v.flow LEFT JOIN blob b "
                                    "ON b.id = v.ir WHERE v.to_seq IS NULL AND v.deleted = 0 ORDER BY v.id"));
    WEIR_ASSIGN(rows, collect(query, [&](Statement& s) { return rows_.flow_version(s); }));
    out.flows = std::move(rows);
    return {};
}

Status Reading::held(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare("SELECT " WEIR_HELD_COLUMNS
                                           " FROM held h ORDER BY h.trig, h.event, h.leaf"));
    WEIR_ASSIGN(rows, collect(query, [&](Statement& s) -> Result<OpenHeld> {
                    WEIR_ASSIGN(row, rows_.held(s));
                    return OpenHeld{std::move(row)};
                }));
    out.held = std::move(rows);
    return {};
}

Status Reading::held_events(Snapshot& out) {
    std::vector<Seq> events;
    events.reserve(out.held.size());
    for (const auto& held : out.held)
        events.push_back(held.row.event);
    std::sort(events.begin(), events.end());
    events.erase(std::unique(events.begin(), events.end()), events.end());
    WEIR_ASSIGN(
        query, connection_.prepare("SELECT i.time, p.bytes FROM input i LEFT JOIN payload p ON p.seq = i.seq "
                                   "WHERE i.seq = ?"));
    out.held_events.reserve(events.size());
    for (const auto seq : events) {
        WEIR_ASSIGN(found, query.bind(seq.value).step());
        if (!found)
            return corrupt("ledger " + connection_.path() + ": input " + std::to_string(seq.value) +
                           " is held and missing");
        out.held_events.push_back({seq, from_ns(query.integer(0)), query.string(1)});
        query.rewind();
    }
    return {};
}

Status Reading::timers(Snapshot& out) {
    WEIR_ASSIGN(query,
                connection_.prepare("SELECT " WEIR_TIMER_COLUMNS " FROM timer t WHERE t.end_seq IS NULL "
                                    "ORDER BY t.trig, t.kind, t.key"));
    WEIR_ASSIGN(rows, collect(query, [&](Statement& s) { return rows_.timer(s); }));
    out.timers = std::move(rows);
    return {};
}

Status Reading::runs(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare("SELECT " WEIR_RUN_COLUMNS
                                           " FROM run r WHERE r.state <> 6 ORDER BY r.run"));
    WEIR_ASSIGN(rows, collect(query, [&](Statement& s) { return rows_.run(s); }));
    out.runs = std::move(rows);
    return {};
}

Status Reading::run_flows(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare(
                           "SELECT " WEIR_FLOW_VERSION_COLUMNS
                           " FROM run r JOIN name n ON n.id = r.origin JOIN flow f ON f.team = r.flow_team "
                           "AND f.name = r.flow JOIN flow_version v ON v.flow = f.flow AND v.version = "
                           "r.flow_version LEFT JOIN blob b ON b.id = v.ir WHERE r.state <> 6 AND n.text = "
                           "'api' AND v.deleted = 0 GROUP BY v.id ORDER BY v.id"));
    WEIR_ASSIGN(rows, collect(query, [&](Statement& s) { return rows_.flow_version(s); }));
    out.run_flows = std::move(rows);
    return {};
}

Status Reading::early_reports(Snapshot& out) {
    WEIR_ASSIGN(query, connection_.prepare(
                           "SELECT id_hi, id_lo, attempt, time, body FROM early_report ORDER BY time"));
    WEIR_ASSIGN(rows, collect(query, [](Statement& s) -> Result<EarlyReportRow> {
                    return EarlyReportRow{RunId{uuid_of(s.integer(0), s.integer(1))},
                                          static_cast<int>(s.integer(2)), from_ns(s.integer(3)), s.string(4)};
                }));
    out.early_reports = std::move(rows);
    return {};
}

} // namespace

Result<Snapshot> read_snapshot(Connection& connection) {
    WEIR_ASSIGN(transaction, Transaction::begin(connection, false));
    Snapshot out;
    Reading reading(connection);
    WEIR_TRY(reading.log(out));
    WEIR_TRY(reading.streams(out));
    WEIR_TRY(reading.outgoing(out));
    WEIR_TRY(reading.triggers(out));
    WEIR_TRY(reading.recent_decisions(out));
    WEIR_TRY(reading.flows(out));
    WEIR_TRY(reading.held(out));
    WEIR_TRY(reading.held_events(out));
    WEIR_TRY(reading.timers(out));
    WEIR_TRY(reading.runs(out));
    WEIR_TRY(reading.run_flows(out));
    WEIR_TRY(reading.early_reports(out));
    WEIR_TRY(transaction.commit());
    return out;
}

} // namespace weir::ledger::sqlite
