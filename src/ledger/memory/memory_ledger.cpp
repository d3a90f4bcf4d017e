#include <weir/ledger/memory_ledger.hpp>

#include <algorithm>

#include "memory/state.hpp"
#include "src/batch_check.hpp"

namespace weir::ledger {

namespace memory {

RunRow* State::run(RunNo no) {
    const auto it =
        std::lower_bound(runs.begin(), runs.end(), no, [](const auto& row, RunNo n) { return row.no < n; });
    return it != runs.end() && it->no == no ? &*it : nullptr;
}

const DecisionRow* State::decision(DecisionNo no) const {
    const auto it = std::lower_bound(decisions.begin(), decisions.end(), no,
                                     [](const auto& row, DecisionNo n) { return row.no < n; });
    return it != decisions.end() && it->no == no ? &*it : nullptr;
}

TriggerHead* State::trigger(TriggerNo no) {
    const auto it =
        std::find_if(triggers.begin(), triggers.end(), [&](const auto& head) { return head.no == no; });
    return it == triggers.end() ? nullptr : &*it;
}

const TriggerVersionRow* State::newest_version(TriggerNo no) const {
    const TriggerVersionRow* newest = nullptr;
    for (const auto& row : trigger_versions)
        if (row.no == no && (newest == nullptr || row.version > newest->version)) newest = &row;
    return newest;
}

namespace {

Error defect(const std::string& what) {
    return internal("batch refused: " + what);
}

std::string text(std::int64_t number) {
    return std::to_string(number);
}

/// Writes one batch and can take every change back.
class Writing {
  public:
    explicit Writing(State& state) : state_(state) {}

    Status write(const Batch& batch);
    void undo() {
        for (auto it = undo_.rbegin(); it != undo_.rend(); ++it)
            (*it)();
    }

  private:
    template <class Row>
    void append(std::deque<Row>& rows, Row row) {
        rows.push_back(std::move(row));
        undo_.emplace_back([&rows] { rows.pop_back(); });
    }
    template <class Value>
    void set(Value& slot, Value value) {
        undo_.emplace_back([&slot, old = slot] { slot = old; });
        slot = std::move(value);
    }
    template <class Map>
    void put(Map& map, typename Map::key_type key, typename Map::mapped_type value) {
        undo_.emplace_back([&map, key] { map.erase(key); });
        map.emplace(std::move(key), std::move(value));
    }
    template <class Map>
    void drop(Map& map, typename Map::iterator it) {
        undo_.emplace_back([&map, old = *it] { map.insert(old); });
        map.erase(it);
    }

    void inputs(const Batch& batch);
    void positions(const Batch& batch);
    void version(const TriggerVersionRow& row);
    Status state(const TriggerStateRow& row);
    Status triggers(const Batch& batch);
    void flows(const Batch& batch);
    void decisions(const Batch& batch);
    Status held(const Batch& batch);
    Status set_timer(const TimerSetRow& row);
    bool end_timer(const TimerEndRow& row);
    Status timers(const Batch& batch);
    Status runs(const Batch& batch);
    Status attempts(const Batch& batch);
    void audits(const Batch& batch);

    State& state_;
    std::vector<std::function<void()>> undo_;
};

Status Writing::write(const Batch& batch) {
    WEIR_TRY(check_batch(batch, state_.next_seq, state_.log_time));
    set(state_.next_seq, batch.next_seq);
    set(state_.log_time, batch.log_time);
    inputs(batch);
    positions(batch);
    WEIR_TRY(triggers(batch));
    flows(batch);
    decisions(batch);
    WEIR_TRY(held(batch));
    WEIR_TRY(timers(batch));
    WEIR_TRY(runs(batch));
    WEIR_TRY(attempts(batch));
    audits(batch);
    for (const auto& row : batch.outgoing)
        append(state_.outgoing, row);
    for (const auto& row : batch.gaps)
        append(state_.gaps, row);
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
            if (known.flow.team == row.flow.team && known.flow.flow == row.flow.flow && !known.to)
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

class Impl final : public MemoryLedger {
  public:
    Impl(std::string instance, std::string secret) : reader_(make_reader(state_)) {
        state_.instance = std::move(instance);
        state_.secret = secret.empty() ? random_bytes(32) : std::move(secret);
    }

    Result<Epoch> take_epoch() override {
        std::lock_guard lock(state_.mutex);
        return state_.epoch = Epoch(state_.epoch.value + 1);
    }
    Result<StreamState> register_stream(const std::string& name, const std::string& kind,
                                        const std::string& incarnation) override;
    Result<Snapshot> snapshot() override;
    Status commit(const Batch& batch, Epoch epoch) override;
    Result<std::optional<Seen>> find_seen(std::string_view source, std::string_view id,
                                          Instant time) override;
    Status retain(Instant payloads_before) override;
    void close() override {}
    LedgerReader& reader() override { return *reader_; }
    void refuse_commits(std::optional<Error> error) override {
        std::lock_guard lock(state_.mutex);
        state_.refusal = std::move(error);
    }

  private:
    State state_;
    std::unique_ptr<LedgerReader> reader_;
};

Result<StreamState> Impl::register_stream(const std::string& name, const std::string& kind,
                                          const std::string& incarnation) {
    std::lock_guard lock(state_.mutex);
    for (const auto& stream : state_.streams)
        if (stream.name == name) return stream;
    StreamState made;
    made.no = StreamNo(static_cast<std::int64_t>(state_.streams.size()) + 1);
    made.name = name;
    made.kind = kind;
    made.incarnation = incarnation;
    state_.streams.push_back(made);
    return made;
}

Status Impl::commit(const Batch& batch, Epoch epoch) {
    std::lock_guard lock(state_.mutex);
    if (epoch != state_.epoch)
        return conflict("another process took the ledger over (epoch " + text(state_.epoch.value) +
                        ", ours is " + text(epoch.value) + "); this one must end");
    if (state_.refusal) return *state_.refusal;
    Writing writing(state_);
    auto status = writing.write(batch);
    if (!status.ok()) writing.undo();
    return status;
}

Result<std::optional<Seen>> Impl::find_seen(std::string_view source, std::string_view id, Instant time) {
    std::lock_guard lock(state_.mutex);
    const auto it = state_.identities.find({std::string(source), std::string(id)});
    if (it == state_.identities.end()) return std::optional<Seen>();
    for (const auto seq : it->second) {
        const auto* row = state_.input(seq);
        if (row->time >= time - std::chrono::hours(7 * 24) && row->time <= time)
            return std::optional<Seen>(Seen{seq, row->digest});
    }
    return std::optional<Seen>();
}

Status Impl::retain(Instant payloads_before) {
    std::lock_guard lock(state_.mutex);
    std::vector<Seq> pinned;
    for (const auto& [key, index] : state_.held_open)
        pinned.push_back(std::get<1>(key));
    for (const auto& run : state_.runs) {
        if (run.state == RunState::Settled) continue;
        for (const auto& event : run.events)
            pinned.push_back(event.seq);
        const auto* decision = state_.decision(run.decision);
        if (decision == nullptr) continue;
        pinned.push_back(decision->seq);
        for (const auto& included : decision->included)
            pinned.push_back(included.seq);
    }
    std::sort(pinned.begin(), pinned.end());
    for (auto& row : state_.inputs)
        if (row.time < payloads_before && !std::binary_search(pinned.begin(), pinned.end(), row.seq))
            row.body.clear();
    return {};
}

Result<Snapshot> Impl::snapshot() {
    std::lock_guard lock(state_.mutex);
    Snapshot out;
    out.instance = state_.instance;
    out.secret = state_.secret;
    out.next_seq = state_.next_seq;
    out.log_time = state_.log_time;
    out.epoch = state_.epoch;
    if (!state_.decisions.empty()) out.next_decision = DecisionNo(state_.decisions.back().no.value + 1);
    if (!state_.runs.empty()) out.next_run = RunNo(state_.runs.back().no.value + 1);
    out.streams.assign(state_.streams.begin(), state_.streams.end());
    for (const auto& head : state_.triggers) {
        if (head.no >= out.next_trigger) out.next_trigger = TriggerNo(head.no.value + 1);
        if (head.state == TriggerState::Deleted) continue;
        out.triggers.push_back({*state_.newest_version(head.no), head.state, head.state_reason});
    }
    constexpr std::int64_t minute = 60'000'000'000, hour = 60 * minute;
    const auto now = to_ns(out.log_time);
    for (auto it = state_.decisions.rbegin(); it != state_.decisions.rend(); ++it) {
        const auto at = to_ns(it->time);
        if (at / hour != now / hour) break;
        for (auto& open : out.triggers) {
            if (open.version.no != it->trigger) continue;
            if (it->verdict == Verdict::Failed) ++open.failed_in_hour;
            if (it->verdict == Verdict::Fired && at / minute == now / minute) ++open.fired_in_minute;
        }
    }
    std::sort(out.triggers.begin(), out.triggers.end(),
              [](const auto& a, const auto& b) { return a.version.no < b.version.no; });
    for (const auto& row : state_.flow_versions)
        if (!row.to && !row.deleted) out.flows.push_back(row);
    std::map<Seq, bool> events;
    for (const auto& [key, index] : state_.held_open) {
        out.held.push_back({state_.held[index].entered});
        events[std::get<1>(key)] = true;
    }
    for (const auto& [seq, held] : events)
        out.held_events.push_back({seq, state_.input(seq)->time, state_.input(seq)->body});
    for (const auto& [key, index] : state_.timers_open)
        out.timers.push_back(state_.timers[index].set);
    for (const auto& run : state_.runs)
        if (run.state != RunState::Settled) out.runs.push_back(run);
    return out;
}

} // namespace

} // namespace memory

std::unique_ptr<MemoryLedger> make_memory_ledger(std::string instance, std::string secret) {
    return std::make_unique<memory::Impl>(std::move(instance), std::move(secret));
}

} // namespace weir::ledger
