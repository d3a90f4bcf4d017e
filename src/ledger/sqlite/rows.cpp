#include "sqlite/rows.hpp"

#include "sqlite/json_rows.hpp"

namespace weir::ledger::sqlite {

namespace {

template <class Enum>
Enum as(std::int64_t value) {
    return static_cast<Enum>(value);
}

} // namespace

Result<InputRow> Rows::input(Statement& row, int body_column) {
    InputRow out;
    out.seq = Seq(row.integer(0));
    out.kind = as<InputKind>(row.integer(1));
    const auto flags = row.integer(2);
    out.conflicting = (flags & 1) != 0;
    out.echo = (flags & 2) != 0;
    out.time = from_ns(row.integer(3));
    out.late_by = Duration(row.integer(4));
    out.stream = StreamNo(row.integer(5));
    out.position = Position(row.integer(6));
    WEIR_ASSIGN(type, name(row.integer(7)));
    WEIR_ASSIGN(source, name(row.integer(8)));
    WEIR_ASSIGN(team, name(row.integer(9)));
    out.type = std::move(type);
    out.source = std::move(source);
    out.team = std::move(team);
    if (const auto of = row.optional(10)) out.duplicate_of = Seq(*of);
    out.id = row.string(11);
    out.subject = row.string(12);
    out.digest = row.digest(13);
    if (body_column >= 0) out.body = row.string(body_column);
    return out;
}

Result<DecisionRow> Rows::decision(Statement& row) {
    DecisionRow out;
    out.no = DecisionNo(row.integer(0));
    out.id = DecisionId{uuid_of(row.integer(1), row.integer(2))};
    out.seq = Seq(row.integer(3));
    out.n = row.small(4);
    out.trigger = TriggerNo(row.integer(5));
    out.version = row.small(6);
    out.semantics = row.small(7);
    out.verdict = as<Verdict>(row.integer(8));
    WEIR_ASSIGN(reason, name(row.integer(9)));
    WEIR_ASSIGN(leaf, name(row.integer(10)));
    WEIR_ASSIGN(team, name(row.integer(11)));
    out.reason = std::move(reason);
    out.leaf = std::move(leaf);
    out.team = std::move(team);
    out.time = from_ns(row.integer(12));
    out.detail = row.string(13);
    if (!row.is_null(14)) out.occasion = row.string(14);
    out.cause = row.string(15);
    out.key = row.string(16);
    if (!row.is_null(17)) {
        WEIR_ASSIGN(without, texts_from(row.text(17)));
        out.without = std::move(without);
    }
    WEIR_TRY(read_included(out));
    return out;
}

Status Rows::read_included(DecisionRow& row) {
    WEIR_ASSIGN(query, connection_.prepare("SELECT seq, leaf FROM included WHERE dec = ? ORDER BY n"));
    query.bind(row.no.value);
    WEIR_ASSIGN(rows, collect(query, [&](Statement& s) -> Result<IncludedRow> {
                    WEIR_ASSIGN(leaf, name(s.integer(1)));
                    return IncludedRow{Seq(s.integer(0)), std::move(leaf)};
                }));
    row.included = std::move(rows);
    return {};
}

Result<RunRow> Rows::run(Statement& row) {
    RunRow out;
    out.no = RunNo(row.integer(0));
    out.id = RunId{uuid_of(row.integer(1), row.integer(2))};
    out.decision = DecisionNo(row.integer(3));
    out.decision_id = DecisionId{uuid_of(row.integer(4), row.integer(5))};
    out.trigger = TriggerNo(row.integer(6));
    out.trigger_version = row.small(7);
    out.launch_no = row.small(8);
    out.depth = row.small(9);
    out.created = from_ns(row.integer(10));
    out.created_seq = Seq(row.integer(11));
    out.changed = Seq(row.integer(12));
    out.state = as<RunState>(row.integer(13));
    out.sent_epoch = Epoch(row.integer(14));
    out.sent_deadline = from_ns(row.integer(15));
    out.looks = row.small(16);
    out.attempt = row.small(17);
    if (const auto outcome = row.optional(18)) out.outcome = as<flows::Outcome>(*outcome);
    out.started_at = from_ns(row.integer(19));
    out.finished_at = from_ns(row.integer(20));
    out.cancel_requested = from_ns(row.integer(21));
    int column = 22;
    for (auto* text :
         {&out.trigger_name, &out.team, &out.flow_team, &out.flow, &out.backend, &out.principal, &out.hold}) {
        WEIR_ASSIGN(value, name(row.integer(column++)));
        *text = std::move(value);
    }
    out.arguments_json = row.string(29);
    out.flow_version = row.string(31);
    out.reason = row.string(32);
    out.outputs_json = row.string(33);
    WEIR_ASSIGN(origin, name(row.integer(34)));
    out.origin = std::move(origin);
    out.sends = row.small(35);
    out.backend_version = row.string(36);
    out.report_json = row.string(37);
    WEIR_TRY(read_events(row.text(30), out));
    return out;
}

Status Rows::read_events(std::string_view json, RunRow& row) {
    if (json == "[]") return {};
    WEIR_ASSIGN(events, events_from(json));
    WEIR_ASSIGN(look, connection_.prepare("SELECT source, id FROM input WHERE seq = ?"));
    for (auto& [seq, role] : events) {
        EventRef event{Seq(seq), {}, {}, std::move(role)};
        WEIR_ASSIGN(found, look.bind(seq).step());
        if (found) {
            WEIR_ASSIGN(source, name(look.integer(0)));
            event.source = std::move(source);
            event.id = look.string(1);
        }
        look.rewind();
        row.events.push_back(std::move(event));
    }
    return {};
}

StreamState Rows::stream(Statement& row) {
    StreamState out;
    out.no = StreamNo(row.integer(0));
    out.name = row.string(1);
    out.kind = row.string(2);
    out.family = row.string(3);
    out.incarnation = row.string(4);
    out.position = Position(row.integer(5));
    out.time = from_ns(row.integer(6));
    out.event = Position(row.integer(7));
    out.digest = row.digest(8);
    return out;
}

GapRow Rows::gap(Statement& row) {
    GapRow out;
    out.no = GapNo(row.integer(0));
    out.stream = StreamNo(row.integer(1));
    out.kind = row.string(2);
    out.from = Position(row.integer(3));
    out.to = Position(row.integer(4));
    out.detail = row.string(5);
    out.found = from_ns(row.integer(6));
    if (const auto accepted = row.optional(7)) out.accepted = Seq(*accepted);
    out.stream_name = row.string(8);
    return out;
}

DeadLetterRow Rows::dead_letter(Statement& row, int message_column) {
    DeadLetterRow out;
    out.no = DeadLetterNo(row.integer(0));
    out.stream = StreamNo(row.integer(1));
    out.position = Position(row.integer(2));
    out.time = from_ns(row.integer(3));
    out.bytes = row.integer(4);
    out.cut = row.integer(5) != 0;
    if (const auto replayed = row.optional(6)) out.replayed = from_ns(*replayed);
    out.replayed_seq = Seq(row.integer(7));
    out.reason = row.string(8);
    out.stream_name = row.string(9);
    if (message_column >= 0) out.message = row.string(message_column);
    return out;
}

Result<HeldEnterRow> Rows::held(Statement& row) {
    HeldEnterRow out;
    out.trigger = TriggerNo(row.integer(0));
    out.event = Seq(row.integer(1));
    out.leaf = row.small(2);
    WEIR_ASSIGN(leaf_name, name(row.integer(3)));
    out.leaf_name = std::move(leaf_name);
    out.in = Seq(row.integer(4));
    out.time = from_ns(row.integer(5));
    out.key = row.string(6);
    return out;
}

Result<TimerSetRow> Rows::timer(Statement& row) {
    TimerSetRow out;
    out.trigger = TriggerNo(row.integer(0));
    out.kind = as<TimerKind>(row.integer(1));
    out.key = row.string(2);
    out.due = from_ns(row.integer(3));
    out.set = Seq(row.integer(4));
    out.tzdata = row.string(5);
    out.previous = from_ns(row.integer(6));
    return out;
}

Result<TriggerVersionRow> Rows::trigger_version(Statement& row) {
    TriggerVersionRow out;
    out.no = TriggerNo(row.integer(0));
    const auto uid = row.text(1);
    if (uid.size() != out.uid.uuid.bytes.size())
        return corrupt("ledger " + connection_.path() + ": trigger " + std::to_string(out.no.value) +
                       " has an uid of the wrong size");
    std::copy(uid.begin(), uid.end(), out.uid.uuid.bytes.begin());
    WEIR_ASSIGN(team, name(row.integer(2)));
    WEIR_ASSIGN(trigger_name, name(row.integer(3)));
    out.team = std::move(team);
    out.name = std::move(trigger_name);
    out.group = row.small(4);
    out.version = row.small(5);
    out.hash = row.string(6);
    out.document_json = row.string(7);
    out.source_text = row.string(8);
    out.from = Seq(row.integer(9));
    if (const auto to = row.optional(10)) out.to = Seq(*to);
    WEIR_ASSIGN(principal, name(row.integer(11)));
    out.principal = std::move(principal);
    return out;
}

Result<FlowVersionRow> Rows::flow_version(Statement& row) {
    FlowVersionRow out;
    WEIR_ASSIGN(team, name(row.integer(0)));
    WEIR_ASSIGN(flow, name(row.integer(1)));
    WEIR_ASSIGN(backend, name(row.integer(3)));
    WEIR_ASSIGN(parameters, parameters_from(row.text(4)));
    WEIR_ASSIGN(principal, name(row.integer(9)));
    out.flow.team = std::move(team);
    out.flow.flow = std::move(flow);
    out.flow.version = row.string(2);
    out.flow.backend = std::move(backend);
    out.flow.parameters = std::move(parameters);
    out.flow.settings_json = row.string(5);
    out.from = Seq(row.integer(6));
    if (const auto to = row.optional(7)) out.to = Seq(*to);
    out.deleted = row.integer(8) != 0;
    out.principal = std::move(principal);
    out.flow.pipeline = row.string(10);
    return out;
}

} // namespace weir::ledger::sqlite
