#pragma once

#include <string>
#include <vector>

#include <weir/ledger/reader.hpp>

#include "sqlite/connection.hpp"
#include "sqlite/names.hpp"

namespace weir::ledger::sqlite {

// Column lists in the order in which Rows reads them; macros, so that a whole query is one constant.
#define WEIR_INPUT_COLUMNS                                                                                \
    "i.seq, i.kind, i.flags, i.time, i.late, i.stream, i.pos, i.type, i.source, i.team, i.dup_of, i.id, " \
    "i.subject, "                                                                                         \
    "i.digest"
#define WEIR_DECISION_COLUMNS                                                                            \
    "d.dec, d.id_hi, d.id_lo, d.seq, d.n, d.trig, d.version, d.semantics, d.verdict, d.reason, d.leaf, " \
    "d.team, "                                                                                           \
    "d.time, d.detail, d.occasion, d.cause, d.key, d.without"
#define WEIR_RUN_COLUMNS                                                                                    \
    "r.run, r.id_hi, r.id_lo, r.dec, r.dec_hi, r.dec_lo, r.trig, r.trigger_version, r.launch_no, r.depth, " \
    "r.created, r.created_seq, r.changed, r.state, r.sent_epoch, r.sent_deadline, r.looks, r.attempt, "     \
    "r.outcome, "                                                                                           \
    "r.started, r.finished, r.cancel_requested, r.trigger_name, r.team, r.flow_team, r.flow, r.backend, "   \
    "r.principal, r.hold, r.arguments, r.events, r.flow_version, r.reason, r.outputs, r.origin, "           \
    "r.sends, r.backend_version, r.report"
#define WEIR_HELD_COLUMNS "h.trig, h.event, h.leaf, h.leaf_name, h.in_seq, h.time, h.key"
#define WEIR_STREAM_COLUMNS                                                                        \
    "s.stream, s.name, s.kind, s.family, s.incarnation, coalesce(p.pos, 0), coalesce(p.time, 0), " \
    "coalesce(p.event, 0), p.digest FROM stream s LEFT JOIN position p ON p.log = 1 AND p.stream = s.stream"
#define WEIR_GAP_COLUMNS                                                                               \
    "g.gap, g.stream, g.kind, g.from_pos, g.to_pos, g.detail, g.found, g.accepted, (SELECT name FROM " \
    "stream s WHERE s.stream = g.stream)"
#define WEIR_DEAD_LETTER_COLUMNS                                                                      \
    "d.dead, d.stream, d.pos, d.time, d.bytes, d.cut, d.replayed, d.replayed_seq, d.reason, (SELECT " \
    "name FROM stream s WHERE s.stream = d.stream)"
#define WEIR_TIMER_COLUMNS "t.trig, t.kind, t.key, t.due, t.set_seq, t.tzdata, t.previous"
#define WEIR_TRIGGER_VERSION_COLUMNS                                                                   \
    "t.trig, t.uid, t.team, t.name, t.grp, v.version, v.hash, v.document, v.source_text, v.from_seq, " \
    "v.to_seq, "                                                                                       \
    "v.principal"
#define WEIR_FLOW_VERSION_COLUMNS                                                                       \
    "f.team, f.name, v.version, v.backend, v.parameters, v.settings, v.from_seq, v.to_seq, v.deleted, " \
    "v.principal, "                                                                                     \
    "b.bytes"

/// Makes records of result rows. Thread: that of its connection.
class Rows {
  public:
    explicit Rows(Connection& connection) : connection_(connection) {}

    Result<std::string> name(std::int64_t key) { return names_.text(connection_, key); }
    /// WEIR_INPUT_COLUMNS; `body_column`: where the payload's bytes are, if they were asked for.
    Result<InputRow> input(Statement& row, int body_column = -1);
    /// WEIR_DECISION_COLUMNS; asks for the included events.
    Result<DecisionRow> decision(Statement& row);
    /// WEIR_RUN_COLUMNS; asks for source and id of the events.
    Result<RunRow> run(Statement& row);
    Result<HeldEnterRow> held(Statement& row);
    Result<TimerSetRow> timer(Statement& row);
    Result<TriggerVersionRow> trigger_version(Statement& row);
    Result<FlowVersionRow> flow_version(Statement& row);
    /// WEIR_STREAM_COLUMNS (with their FROM).
    static StreamState stream(Statement& row);
    static GapRow gap(Statement& row);
    /// WEIR_DEAD_LETTER_COLUMNS; `message_column`: where the message's bytes are, if they were asked for.
    static DeadLetterRow dead_letter(Statement& row, int message_column = -1);

  private:
    Status read_included(DecisionRow& row);
    Status read_events(std::string_view json, RunRow& row);

    Connection& connection_;
    NameTexts names_;
};

/// Collects what `make(row)` gives for every row of a query.
template <class Make>
auto collect(Statement& query, Make make) -> Result<std::vector<typename decltype(make(query))::value_type>> {
    std::vector<typename decltype(make(query))::value_type> rows;
    while (true) {
        WEIR_ASSIGN(more, query.step());
        if (!more) return rows;
        WEIR_ASSIGN(row, make(query));
        rows.push_back(std::move(row));
    }
}

} // namespace weir::ledger::sqlite
