#include "memory/writing.hpp"

#include <algorithm>

namespace weir::ledger::memory {

namespace {

Error defect(const std::string& what) {
    return internal("batch refused: " + what);
}

std::string text(std::int64_t number) {
    return std::to_string(number);
}

} // namespace

Status Writing::write(const Batch& batch) {
    WEIR_TRY(check_batch(batch, state_.log));
    set(state_.log, state_.log.after(batch));
    inputs(batch);
    positions(batch);
    WEIR_TRY(triggers(batch));
    flows(batch);
    decisions(batch);
    WEIR_TRY(held(batch));
    WEIR_TRY(timers(batch));
    WEIR_TRY(runs(batch));
    WEIR_TRY(attempts(batch));
    early_reports(batch);
    watched(batch);
    audits(batch);
    WEIR_TRY(outgoing(batch));
    WEIR_TRY(gaps(batch));
    WEIR_TRY(streams(batch));
    dead_letters(batch);
    return {};
}

void Writing::inputs(const Batch& batch) {
    for (const auto& row : batch.inputs) {
        append(state_.inputs, row);
        if (row.kind != InputKind::Arrival && row.kind != InputKind::Settlement) continue;
        auto& seqs = state_.identities[{row.source, row.id}];
        seqs.push_back(row.seq);
        undo_.emplace_back([&seqs] { seqs.pop_back(); });
    }
    for (const auto& row : batch.uncounted) {
        auto& count = state_.uncounted[{row.minute, row.stream, row.type, row.source}];
        set(count, count + row.count);
    }
}

void Writing::positions(const Batch& batch) {
    for (const auto& row : batch.positions) {
        for (auto& stream : state_.streams) {
            if (stream.no != row.stream) continue;
            set(stream.position, row.position);
            set(stream.time, row.time);
            set(stream.event, row.event);
            set(stream.digest, row.digest);
        }
    }
}

void Writing::version(const TriggerVersionRow& row) {
    if (state_.trigger(row.no) == nullptr)
        append(state_.triggers, TriggerHead{row.no, TriggerState::Active, {}, row.from, 0});
    for (auto& known : state_.trigger_versions) {
        if (known.no != row.no) continue;
        if (known.version == row.version) return set(known.to, row.to);
        if (known.version < row.version && !known.to) set(known.to, std::optional(row.from));
    }
    append(state_.trigger_versions, row);
}

Status Writing::state(const TriggerStateRow& row) {
    auto* head = state_.trigger(row.no);
    if (head == nullptr) return defect("trigger " + text(row.no.value) + " changes state and does not exist");
    set(head->state, row.state);
    set(head->state_reason, row.reason);
    set(head->state_seq, row.seq);
    append(state_.trigger_states, row);
    if (row.state != TriggerState::Deleted) return {};
    for (auto& known : state_.trigger_versions)
        if (known.no == row.no && !known.to) set(known.to, std::optional(row.seq));
    return {};
}

Status Writing::triggers(const Batch& batch) {
    auto states = batch.trigger_states.begin();
    for (const auto& row : batch.trigger_versions) {
        for (; states != batch.trigger_states.end() && states->seq < row.from; ++states)
            WEIR_TRY(state(*states));
        version(row);
    }
    for (; states != batch.trigger_states.end(); ++states)
        WEIR_TRY(state(*states));
    return {};
}

void Writing::flows(const Batch& batch) {
    for (const auto& row : batch.flow_versions) {
        for (auto& known : state_.flow_versions)
            if (known.flow.team == row.flow.team && known.flow.flow == row.flow.flow && !known.to && !row.to)
                set(known.to, std::optional(row.from));
        append(state_.flow_versions, row);
    }
}

void Writing::decisions(const Batch& batch) {
    for (const auto& row : batch.decisions) {
        append(state_.decisions, row);
        if (row.verdict != Verdict::Fired) continue;
        if (auto* head = state_.trigger(row.trigger)) set(head->fired, head->fired + 1);
    }
}

Status Writing::held(const Batch& batch) {
    for (const auto& row : batch.held_entered) {
        const std::tuple key(row.trigger, row.event, row.leaf);
        if (state_.held_open.contains(key))
            return defect("event " + text(row.event.value) + " is held already");
        put(state_.held_open, key, state_.held.size());
        append(state_.held, HeldRow{row, std::nullopt});
    }
    for (const auto& row : batch.held_left) {
        const auto it = state_.held_open.find({row.trigger, row.event, row.leaf});
        if (it == state_.held_open.end())
            return defect("event " + text(row.event.value) + " leaves leaf " + text(row.leaf) +
                          " of trigger " + text(row.trigger.value) + ", which does not hold it");
        set(state_.held[it->second].left, std::optional(row));
        drop(state_.held_open, it);
    }
    return {};
}

Status Writing::set_timer(const TimerSetRow& row) {
    const std::tuple key(row.trigger, row.kind, row.key);
    if (state_.timers_open.contains(key))
        return defect("timer \"" + row.key + "\" of trigger " + text(row.trigger.value) + " is open already");
    put(state_.timers_open, key, state_.timers.size());
    append(state_.timers, Timer{row, std::nullopt});
    return {};
}

bool Writing::end_timer(const TimerEndRow& row) {
    const auto it = state_.timers_open.find({row.trigger, row.kind, row.key});
    if (it == state_.timers_open.end() || state_.timers[it->second].set.due != row.due) return false;
    set(state_.timers[it->second].end, std::optional(row));
    drop(state_.timers_open, it);
    return true;
}

Status Writing::timers(const Batch& batch) {
    // One history from two lists: an input first ends timers, then sets them; it may end what it set itself.
    auto sets = batch.timers_set.begin();
    for (const auto& row : batch.timers_ended) {
        for (; sets != batch.timers_set.end() && sets->set < row.end; ++sets)
            WEIR_TRY(set_timer(*sets));
        while (!end_timer(row)) {
            if (sets == batch.timers_set.end() || sets->set > row.end)
                return defect("timer \"" + row.key + "\" of trigger " + text(row.trigger.value) +
                              " ends at input " + text(row.end.value) + " and is not open");
            WEIR_TRY(set_timer(*sets++));
        }
    }
    for (; sets != batch.timers_set.end(); ++sets)
        WEIR_TRY(set_timer(*sets));
    return {};
}

Status Writing::runs(const Batch& batch) {
    for (auto row : batch.runs) {
        if (!state_.runs.empty() && row.no <= state_.runs.back().no)
            return defect("run " + text(row.no.value) + " follows " + text(state_.runs.back().no.value));
        row.changed = row.created_seq;
        append(state_.runs, std::move(row));
    }
    for (const auto& row : batch.run_updates) {
        auto* run = state_.run(row.no);
        if (run == nullptr) return defect("run " + text(row.no.value) + " is updated and does not exist");
        auto next = *run;
        next.changed = row.seq;
        next.state = row.state;
        next.hold = row.hold;
        next.flow_version = row.flow_version;
        next.sent_epoch = row.sent_epoch;
        next.sent_deadline = row.sent_deadline;
        next.looks = row.looks;
        next.attempt = row.attempt;
        next.outcome = row.outcome;
        next.reason = row.reason;
        next.outputs_json = row.outputs_json;
        next.started_at = row.started_at;
        next.finished_at = row.finished_at;
        next.cancel_requested = row.cancel_requested;
        next.sends = row.sends;
        next.backend_version = row.backend_version;
        next.report_json = row.report_json;
        set(*run, std::move(next));
    }
    return {};
}

Status Writing::attempts(const Batch& batch) {
    const auto find = [&](const AttemptRow& row) {
        return std::find_if(state_.attempts.begin(), state_.attempts.end(), [&](const auto& known) {
            return known.run == row.run && known.attempt == row.attempt;
        });
    };
    const auto name = [](const AttemptRow& row) {
        return "attempt " + text(row.attempt) + " of run " + text(row.run.value);
    };
    for (const auto& row : batch.attempts_opened) {
        if (find(row) != state_.attempts.end()) return defect(name(row) + " is open already");
        AttemptRow opened;
        opened.run = row.run;
        opened.attempt = row.attempt;
        opened.opened = row.opened;
        opened.started_at = row.started_at;
        append(state_.attempts, std::move(opened));
    }
    for (const auto& row : batch.attempts_settled) {
        if (!row.settled || !row.outcome)
            return defect(name(row) + " settles without an input or an outcome");
        const auto known = find(row);
        if (known == state_.attempts.end()) {
            append(state_.attempts, row);
            continue;
        }
        if (known->settled) return defect(name(row) + " is settled already");
        auto settled = row;
        settled.opened = known->opened;
        set(*known, std::move(settled));
    }
    return {};
}

void Writing::early_reports(const Batch& batch) {
    const auto drop = [this](const RunId& run, int attempt) {
        const auto it =
            std::find_if(state_.early_reports.begin(), state_.early_reports.end(),
                         [&](const auto& row) { return row.run == run && row.attempt == attempt; });
        if (it == state_.early_reports.end()) return;
        undo_.emplace_back([this, row = *it, at = it - state_.early_reports.begin()] {
            state_.early_reports.insert(state_.early_reports.begin() + at, row);
        });
        state_.early_reports.erase(it);
    };
    for (const auto& row : batch.early_reports) {
        drop(row.run, row.attempt);
        append(state_.early_reports, row);
    }
    for (const auto& [run, attempt] : batch.early_reports_gone)
        drop(run, attempt);
}

void Writing::watched(const Batch& batch) {
    for (const auto& row : batch.watched) {
        const std::pair key(row.backend, row.place);
        if (const auto known = state_.watched.find(key); known == state_.watched.end())
            put(state_.watched, key, row.until);
        else if (known->second < row.until)
            set(known->second, row.until);
    }
}

void Writing::audits(const Batch& batch) {
    for (auto row : batch.audits) {
        if (const auto id = run_of(row)) {
            for (const auto& run : state_.runs)
                if (run.id == *id) row.team = run.team;
        } else {
            row.team = std::string(team_of(row));
        }
        append(state_.audits, std::move(row));
    }
}

Status Writing::outgoing(const Batch& batch) {
    for (const auto& row : batch.outgoing)
        append(state_.outgoing, row);
    for (const auto no : batch.outgoing_done) {
        const auto it = std::find_if(state_.outgoing.begin(), state_.outgoing.end(),
                                     [&](const auto& row) { return row.no == no; });
        if (it == state_.outgoing.end())
            return defect("outgoing event " + text(no.value) + " is done and does not wait");
        undo_.emplace_back([this, row = *it, at = it - state_.outgoing.begin()] {
            state_.outgoing.insert(state_.outgoing.begin() + at, row);
        });
        state_.outgoing.erase(it);
    }
    return {};
}

Status Writing::gaps(const Batch& batch) {
    for (auto row : batch.gaps) {
        row.stream_name.clear();
        append(state_.gaps, std::move(row));
    }
    for (const auto& row : batch.gaps_accepted) {
        const auto it = std::find_if(state_.gaps.begin(), state_.gaps.end(),
                                     [&](const auto& gap) { return gap.no == row.no && !gap.accepted; });
        if (it == state_.gaps.end()) return defect("gap " + text(row.no.value) + " is accepted and not open");
        set(it->accepted, std::optional(row.seq));
    }
    return {};
}

Status Writing::streams(const Batch& batch) {
    for (const auto& row : batch.streams) {
        const auto it = std::find_if(state_.streams.begin(), state_.streams.end(),
                                     [&](const auto& stream) { return stream.no == row.no; });
        if (it == state_.streams.end())
            return defect("stream " + text(row.no.value) + " goes on as another one and does not exist");
        set(it->incarnation, row.incarnation);
    }
    return {};
}

void Writing::dead_letters(const Batch& batch) {
    for (auto row : batch.dead_letters) {
        row.stream_name.clear();
        append(state_.dead_letters, std::move(row));
    }
    for (const auto& row : batch.dead_letters_replayed) {
        for (auto& letter : state_.dead_letters) {
            if (letter.no != row.no) continue;
            set(letter.replayed, std::optional(row.time));
            set(letter.replayed_seq, row.seq);
        }
    }
    while (static_cast<std::int64_t>(state_.dead_letters.size()) > dead_letters_max) {
        undo_.emplace_back(
            [this, row = state_.dead_letters.front()] { state_.dead_letters.push_front(row); });
        state_.dead_letters.pop_front();
    }
}

} // namespace weir::ledger::memory
