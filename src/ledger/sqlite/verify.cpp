#include <span>

#include <weir/ledger/maintenance.hpp>

#include "sqlite/file.hpp"

namespace weir::ledger {

namespace sqlite {

namespace {

/// An invariant; the query gives a sentence for every row that breaks it.
struct Check {
    const char* what;
    const char* sql;
};

constexpr Check checks[] = {
    {"inputs are numbered without a gap",
     "SELECT 'input ' || (a.seq + 1) || ' is missing' FROM input a WHERE a.seq + 1 < (SELECT next_seq FROM "
     "log) AND "
     "NOT EXISTS (SELECT 1 FROM input b WHERE b.seq = a.seq + 1)"},
    {"the first input has the first number",
     "SELECT 'the first input is ' || min(seq) FROM input HAVING min(seq) <> ((1 << 48) | 1)"},
    {"no input is newer than the log",
     "SELECT 'input ' || seq || ' is newer than the log, which goes on at ' || (SELECT next_seq FROM log) "
     "FROM input "
     "WHERE seq >= (SELECT next_seq FROM log)"},
    {"the log's next number follows the last input",
     "SELECT 'the log goes on at ' || next_seq || ' behind input ' || (SELECT max(seq) FROM input) FROM log "
     "WHERE "
     "next_seq <> coalesce((SELECT max(seq) FROM input), 1 << 48) + 1"},
    {"time never falls",
     "SELECT 'input ' || b.seq || ' is older than the one before' FROM input a JOIN input b ON b.seq = a.seq "
     "+ 1 WHERE "
     "b.time < a.time"},
    {"a duplicate came after its original",
     "SELECT 'input ' || seq || ' is a duplicate of ' || dup_of FROM input WHERE dup_of >= seq"},
    {"every payload has its input",
     "SELECT 'payload ' || seq || ' has no input' FROM payload WHERE seq NOT IN (SELECT seq FROM input)"},
    {"every event can be found by its identity",
     "SELECT 'event ' || seq || ' is missing from the identities' FROM input WHERE kind IN (0, 1) EXCEPT "
     "SELECT 'event ' "
     "|| seq || ' is missing from the identities' FROM seen"},
    // Behind an accepted gap, or a claim as new, positions may have begun anew.
    {"no stream was recorded beyond its position",
     "SELECT 'stream ' || s.name || ' is recorded up to ' || x.top || ', its position is ' || "
     "coalesce(p.pos, 0) FROM "
     "(SELECT i.stream, max(i.pos) AS top FROM input i LEFT JOIN (SELECT stream, max(accepted) AS seq FROM "
     "gap GROUP BY stream) g ON g.stream = i.stream WHERE i.kind = 0 AND i.seq > coalesce(g.seq, 0) AND "
     "i.seq >= (SELECT claimed FROM log) GROUP BY i.stream) x LEFT JOIN stream s ON s.stream = "
     "x.stream LEFT JOIN position p ON p.log = 1 AND p.stream = x.stream WHERE x.top > coalesce(p.pos, 0)"},
    {"every position has its stream and its newest arrival",
     "SELECT 'the position of stream ' || stream || ' is ' || pos || ', its newest arrival is at ' || event "
     "FROM position WHERE stream NOT IN (SELECT stream FROM stream) OR event > pos"},
    {"every gap has its stream and was accepted by an input",
     "SELECT 'gap ' || gap || ' of stream ' || stream || ', accepted by ' || coalesce(accepted, 'nobody') "
     "FROM gap WHERE stream NOT IN (SELECT stream FROM stream) OR accepted >= (SELECT next_seq FROM log)"},
    {"no number was given out that the log does not know of",
     "SELECT 'the log gave out ' || outgoing || ' outgoing events, ' || gap || ' gaps, ' || dead_letter || "
     "' dead letters; there are later ones' FROM log WHERE outgoing < (SELECT coalesce(max(outgoing), 0) "
     "FROM outgoing) OR gap < (SELECT coalesce(max(gap), 0) FROM gap) OR dead_letter < (SELECT "
     "coalesce(max(dead), 0) FROM dead_letter)"},
    {"every dead letter was replayed, if it was, as a recorded input",
     "SELECT 'dead letter ' || dead || ' of stream ' || stream || ' was replayed as input ' || replayed_seq "
     "FROM dead_letter WHERE replayed_seq >= (SELECT next_seq FROM log) OR (replayed IS NULL AND "
     "replayed_seq <> 0) OR (stream <> 0 AND stream NOT IN (SELECT stream FROM stream))"},
    {"every message has its dead letter",
     "SELECT 'message ' || dead || ' has no dead letter' FROM dead_message WHERE dead NOT IN (SELECT dead "
     "FROM dead_letter)"},
    {"dead letters are counted",
     "SELECT 'counted: ' || dead_kept || ' dead letters; there are ' || (SELECT count(*) FROM dead_letter) "
     "FROM log WHERE dead_kept <> (SELECT count(*) FROM dead_letter)"},
    {"decisions are numbered upwards with their inputs",
     "SELECT 'decision ' || dec || ' is of an earlier input than the one before' FROM (SELECT dec, seq, "
     "lag(seq) OVER "
     "(ORDER BY dec) AS before FROM decision) WHERE seq < before"},
    {"every decision has its input",
     "SELECT 'decision ' || dec || ' is of input ' || seq || ', which is missing' FROM decision WHERE seq "
     "NOT IN (SELECT "
     "seq FROM input)"},
    {"no decision id is given twice",
     "SELECT 'the id of decision ' || min(dec) || ' is given ' || count(*) || ' times' FROM decision GROUP "
     "BY id_hi, "
     "id_lo HAVING count(*) > 1"},
    {"every included event was there when it was used",
     "SELECT 'decision ' || i.dec || ' includes input ' || i.seq FROM included i LEFT JOIN decision d ON "
     "d.dec = i.dec "
     "WHERE d.dec IS NULL OR i.seq > d.seq"},
    {"every fired decision has exactly one run, or is manual",
     "SELECT 'decision ' || d.dec || ' fired and has ' || (SELECT count(*) FROM run r WHERE r.dec = d.dec) "
     "|| ' runs' "
     "FROM decision d WHERE d.verdict = 0 AND d.trig <> 0 AND (SELECT count(*) FROM run r WHERE r.dec = "
     "d.dec) <> 1"},
    {"no other decision has a run",
     "SELECT 'run ' || r.run || ' is of decision ' || r.dec || ', which did not fire' FROM run r LEFT JOIN "
     "decision d ON "
     "d.dec = r.dec WHERE d.dec IS NULL OR d.verdict <> 0"},
    {"no run id is given twice",
     "SELECT 'the id of run ' || min(run) || ' is given ' || count(*) || ' times' FROM run GROUP BY id_hi, "
     "id_lo HAVING "
     "count(*) > 1"},
    {"a run is settled if and only if it has an outcome",
     "SELECT 'run ' || run || ' is in state ' || state || ' with outcome ' || coalesce(outcome, 'none') FROM "
     "run WHERE "
     "(state = 6) <> (outcome IS NOT NULL)"},
    {"no run changed after the newest input",
     "SELECT 'run ' || run || ' was changed by input ' || changed FROM run WHERE changed >= (SELECT next_seq "
     "FROM log) OR "
     "changed < created_seq"},
    {"no run was sent in an epoch that is yet to come",
     "SELECT 'run ' || run || ' was sent in epoch ' || sent_epoch || ', the log is in ' || (SELECT epoch "
     "FROM log) FROM "
     "run WHERE sent_epoch > (SELECT epoch FROM log)"},
    {"every settled attempt has its settlement",
     "SELECT 'attempt ' || a.n || ' of run ' || a.run || ' settled at input ' || a.settled_seq || ', which "
     "is no "
     "settlement' FROM attempt a LEFT JOIN input i ON i.seq = a.settled_seq WHERE a.settled_seq IS NOT NULL "
     "AND "
     "(i.kind IS NULL OR i.kind <> 1)"},
    {"every settlement settles one attempt",
     "SELECT 'input ' || i.seq || ' settles ' || (SELECT count(*) FROM attempt a WHERE a.settled_seq = i.seq "
     "AND "
     "a.settled_seq IS NOT NULL) || ' attempts' FROM input i WHERE i.kind = 1 AND (SELECT count(*) FROM "
     "attempt a WHERE "
     "a.settled_seq = i.seq AND a.settled_seq IS NOT NULL) <> 1"},
    {"every attempt has its run and ends after it began",
     "SELECT 'attempt ' || n || ' of run ' || run FROM attempt WHERE run NOT IN (SELECT run FROM run) OR "
     "settled_seq < "
     "opened_seq"},
    {"what is held has its input",
     "SELECT 'trigger ' || trig || ' holds input ' || event || ', which is missing' FROM held WHERE event "
     "NOT IN (SELECT "
     "seq FROM input) OR in_seq < event"},
    {"what was held left after it came, and is not held still",
     "SELECT 'trigger ' || p.trig || ' held input ' || p.event || ' from ' || p.in_seq || ' to ' || "
     "p.out_seq FROM "
     "held_past p WHERE p.out_seq < p.in_seq OR p.out_seq >= (SELECT next_seq FROM log) OR EXISTS (SELECT 1 "
     "FROM held h "
     "WHERE h.trig = p.trig AND h.event = p.event AND h.leaf = p.leaf)"},
    {"timers end after they were set",
     "SELECT 'timer ' || timer || ' was set at ' || set_seq || ' and ended at ' || end_seq FROM timer WHERE "
     "end_seq < "
     "set_seq OR end_seq >= (SELECT next_seq FROM log)"},
    {"a trigger has one version in force, a deleted one none",
     "SELECT 'trigger ' || t.trig || ' has ' || (SELECT count(*) FROM trigger_version v WHERE v.trig = "
     "t.trig AND "
     "v.to_seq IS NULL) || ' versions in force' FROM trigger t WHERE (SELECT count(*) FROM trigger_version v "
     "WHERE v.trig "
     "= t.trig AND v.to_seq IS NULL) <> (t.state <> 3)"},
    {"a flow has one version in force",
     "SELECT 'flow ' || flow || ' has ' || count(*) || ' versions in force' FROM flow_version WHERE to_seq "
     "IS NULL GROUP "
     "BY flow HAVING count(*) <> 1"},
    {"the counters count what there is",
     "SELECT 'counted: ' || decisions || ' decisions, ' || runs || ' runs, ' || held || ' held; there are ' "
     "|| (SELECT "
     "count(*) FROM decision) || ', ' || (SELECT count(*) FROM run) || ', ' || (SELECT count(*) FROM held) "
     "FROM log WHERE "
     "decisions <> (SELECT count(*) FROM decision) OR runs <> (SELECT count(*) FROM run) OR held <> (SELECT "
     "count(*) FROM "
     "held)"},
    {"each trigger's firings are counted",
     "SELECT 'trigger ' || x.trig || ' fired ' || x.n || ' times, counted ' || coalesce(c.fired, 0) FROM "
     "(SELECT trig, "
     "count(*) AS n FROM decision WHERE verdict = 0 GROUP BY trig) x LEFT JOIN trigger_count c ON c.trig = "
     "x.trig WHERE "
     "x.n <> coalesce(c.fired, 0)"},
};

constexpr std::size_t findings_of_a_check = 10;

/// At most ten findings of one check.
Status run_check(Connection& connection, const Check& check, std::vector<std::string>& findings) {
    WEIR_ASSIGN(query, connection.prepare_once(check.sql));
    for (std::size_t n = 0; n < findings_of_a_check; ++n) {
        WEIR_ASSIGN(more, query.step());
        if (!more) return {};
        findings.push_back("not so: " + std::string(check.what) + ": " + query.string(0));
    }
    return {};
}

Status check_structure(Connection& connection, std::vector<std::string>& findings) {
    WEIR_ASSIGN(query, connection.prepare_once("PRAGMA integrity_check(10)"));
    while (true) {
        WEIR_ASSIGN(more, query.step());
        if (!more) return {};
        if (query.text(0) != "ok") findings.push_back("the file's structure: " + query.string(0));
    }
}

/// What cannot be read is a finding too; what a retry may cure is an error.
Status note(Status status, VerifyReport& report) {
    if (status.ok() || retryable(status.error().kind)) return status;
    report.findings.push_back(status.error().message);
    return {};
}

Result<VerifyReport> verify(Connection& connection, const std::function<void(const std::string&)>& on_check) {
    WEIR_ASSIGN(transaction, Transaction::begin(connection, false));
    VerifyReport report;
    const auto begin = [&](const char* what) {
        report.checks.emplace_back(what);
        if (on_check) on_check(what);
    };
    begin("the file's structure");
    WEIR_TRY(note(check_structure(connection, report.findings), report));
    for (const auto& check : checks) {
        begin(check.what);
        WEIR_TRY(note(run_check(connection, check, report.findings), report));
    }
    for (const auto& [table, count] :
         {std::pair{"input", &report.inputs}, std::pair{"decision", &report.decisions},
          std::pair{"run", &report.runs}}) {
        const auto rows = connection.number(std::string("SELECT count(*) FROM ") + table);
        if (rows.ok()) *count = *rows;
    }
    return report;
}

} // namespace

} // namespace sqlite

Result<VerifyReport> verify_ledger(const std::string& path, const std::string& vfs,
                                   const std::function<void(const std::string& check)>& on_check) {
    using namespace sqlite;
    auto connection = open_existing(path, vfs);
    if (connection.ok()) return verify(**connection, on_check);
    if (connection.error().kind != ErrorKind::Corrupt) return connection.error();
    VerifyReport report;
    report.checks.emplace_back("the file's structure");
    report.findings.push_back(connection.error().message);
    return report;
}

} // namespace weir::ledger
