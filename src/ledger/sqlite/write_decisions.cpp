#include <algorithm>

#include <weir/base/json.hpp>

#include "sqlite/writer.hpp"

namespace weir::ledger::sqlite {

namespace {

std::string json_list(const std::vector<std::string>& texts) {
    if (texts.empty()) return {};
    std::string out = "[";
    for (const auto& text : texts) {
        if (out.size() > 1) out += ',';
        append_json_string(out, text);
    }
    return out += ']';
}

} // namespace

Status Writer::write_decisions(const Batch& batch) {
    if (batch.decisions.empty()) return {};
    WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO decision(dec, id_hi, id_lo, seq, n, trig, version, "
                                             "semantics, verdict, reason, leaf, "
                                             "team, time, detail, occasion, cause, key, without) "
                                             "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    for (const auto& row : batch.decisions) {
        WEIR_ASSIGN(reason, names_.key(*connection_, row.reason));
        WEIR_ASSIGN(leaf, names_.key(*connection_, row.leaf));
        WEIR_ASSIGN(team, names_.key(*connection_, row.team));
        insert.bind(row.no.value)
            .bind(high_half(row.id.uuid))
            .bind(low_half(row.id.uuid))
            .bind(row.seq.value)
            .bind(row.n)
            .bind(row.trigger.value)
            .bind(row.version)
            .bind(row.semantics)
            .bind(static_cast<int>(row.verdict))
            .bind(reason)
            .bind(leaf)
            .bind(team)
            .bind(to_ns(row.time));
        const auto without = json_list(row.without);
        insert.bind_text_or_null(row.detail)
            .bind_text_or_null(row.occasion == "live" ? std::string_view() : std::string_view(row.occasion))
            .bind_text_or_null(row.cause)
            .bind_text_or_null(row.key)
            .bind_text_or_null(without);
        WEIR_TRY(insert.run());
        if (!row.included.empty()) WEIR_TRY(write_included(row));
    }
    return {};
}

Status Writer::write_included(const DecisionRow& row) {
    WEIR_ASSIGN(insert, connection_->prepare("INSERT INTO included(dec, n, seq, leaf) VALUES(?, ?, ?, ?)"));
    std::int64_t n = 0;
    for (const auto& included : row.included) {
        WEIR_ASSIGN(leaf, names_.key(*connection_, included.leaf));
        WEIR_TRY(insert.bind(row.no.value).bind(n++).bind(included.seq.value).bind(leaf).run());
    }
    return {};
}

Status Writer::write_fired(const Batch& batch) {
    fired_.clear();
    for (const auto& row : batch.decisions)
        if (row.verdict == Verdict::Fired) fired_.push_back(row.trigger.value);
    if (fired_.empty()) return {};
    std::sort(fired_.begin(), fired_.end());
    WEIR_ASSIGN(upsert,
                connection_->prepare("INSERT INTO trigger_count(trig, fired) VALUES(?, ?) ON CONFLICT(trig) "
                                     "DO UPDATE SET fired = fired + excluded.fired"));
    for (auto first = fired_.begin(); first != fired_.end();) {
        const auto last = std::upper_bound(first, fired_.end(), *first);
        WEIR_TRY(upsert.bind(*first).bind(last - first).run());
        first = last;
    }
    return {};
}

Status Writer::write_held(const Batch& batch) {
    if (!batch.held_entered.empty()) {
        WEIR_ASSIGN(insert,
                    connection_->prepare("INSERT INTO held(trig, event, leaf, leaf_name, in_seq, time, key) "
                                         "VALUES(?, ?, ?, ?, ?, ?, ?)"));
        for (const auto& row : batch.held_entered) {
            WEIR_ASSIGN(leaf_name, names_.key(*connection_, row.leaf_name));
            WEIR_TRY(insert.bind(row.trigger.value)
                         .bind(row.event.value)
                         .bind(row.leaf)
                         .bind(leaf_name)
                         .bind(row.in.value)
                         .bind(to_ns(row.time))
                         .bind_text(row.key)
                         .run());
        }
    }
    if (batch.held_left.empty()) return {};
    WEIR_ASSIGN(
        move, connection_->prepare(
                  "INSERT INTO held_past SELECT trig, event, leaf, leaf_name, in_seq, time, key, ?4, ?5, ?6 "
                  "FROM held WHERE trig = ?1 AND event = ?2 AND leaf = ?3"));
    WEIR_ASSIGN(remove, connection_->prepare("DELETE FROM held WHERE trig = ? AND event = ? AND leaf = ?"));
    for (const auto& row : batch.held_left) {
        WEIR_ASSIGN(why, names_.key(*connection_, row.why));
        move.bind(row.trigger.value).bind(row.event.value).bind(row.leaf).bind(row.out.value).bind(why);
        if (row.decision)
            move.bind(row.decision->value);
        else
            move.bind_null();
        WEIR_ASSIGN(moved, move.run_counted());
        if (moved != 1)
            return defect("event " + std::to_string(row.event.value) + " leaves leaf " +
                          std::to_string(row.leaf) + " of trigger " + std::to_string(row.trigger.value) +
                          ", which does not hold it");
        WEIR_TRY(remove.bind(row.trigger.value).bind(row.event.value).bind(row.leaf).run());
    }
    return {};
}

Status Writer::set_timer(const TimerSetRow& row) {
    WEIR_ASSIGN(insert,
                connection_->prepare("INSERT INTO timer(trig, kind, key, due, set_seq, tzdata, previous) "
                                     "VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
    WEIR_ASSIGN(set, insert.bind(row.trigger.value)
                         .bind(static_cast<int>(row.kind))
                         .bind_text(row.key)
                         .bind(to_ns(row.due))
                         .bind(row.set.value)
                         .bind_text(row.tzdata)
                         .bind(to_ns(row.previous))
                         .run_counted());
    if (set == 1) return {};
    return defect("timer \"" + row.key + "\" of trigger " + std::to_string(row.trigger.value) +
                  " is open already");
}

Result<bool> Writer::end_timer(const TimerEndRow& row) {
    WEIR_ASSIGN(update,
                connection_->prepare("UPDATE timer SET end_seq = ?, why = ? WHERE trig = ? AND kind = ? AND "
                                     "key = ? AND due = ? AND end_seq IS NULL"));
    WEIR_ASSIGN(ended, update.bind(row.end.value)
                           .bind_text(row.why)
                           .bind(row.trigger.value)
                           .bind(static_cast<int>(row.kind))
                           .bind_text(row.key)
                           .bind(to_ns(row.due))
                           .run_counted());
    return ended == 1;
}

Status Writer::write_timers(const Batch& batch) {
    // Two lists, one history: an input's ends come before what it sets; what it set itself may end after.
    std::size_t set = 0, end = 0;
    while (set < batch.timers_set.size() || end < batch.timers_ended.size()) {
        const bool ends_left = end < batch.timers_ended.size();
        const bool sets_left = set < batch.timers_set.size();
        if (ends_left && (!sets_left || batch.timers_ended[end].end <= batch.timers_set[set].set)) {
            const auto& row = batch.timers_ended[end];
            WEIR_ASSIGN(ended, end_timer(row));
            if (ended) {
                ++end;
                continue;
            }
            if (!sets_left || batch.timers_set[set].set > row.end)
                return defect("timer \"" + row.key + "\" of trigger " + std::to_string(row.trigger.value) +
                              " ends at input " + std::to_string(row.end.value) + " and is not open");
        }
        WEIR_TRY(set_timer(batch.timers_set[set]));
        ++set;
    }
    return {};
}

} // namespace weir::ledger::sqlite
