#include <weir/ledger/memory_ledger.hpp>

#include <algorithm>

#include "memory/state.hpp"
#include "memory/writing.hpp"

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

std::string State::stream_name(StreamNo no) const {
    for (const auto& stream : streams)
        if (stream.no == no) return stream.name;
    return {};
}

namespace {

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
    Result<StreamState> register_stream(const StreamState& first_sight) override;
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

Result<StreamState> Impl::register_stream(const StreamState& first_sight) {
    std::lock_guard lock(state_.mutex);
    for (const auto& stream : state_.streams)
        if (stream.name == first_sight.name) return stream;
    auto made = first_sight;
    made.no = StreamNo(static_cast<std::int64_t>(state_.streams.size()) + 1);
    state_.streams.push_back(made);
    return made;
}

Status Impl::commit(const Batch& batch, Epoch epoch) {
    std::lock_guard lock(state_.mutex);
    if (epoch != state_.epoch)
        return conflict("another process took the ledger over (epoch " + std::to_string(state_.epoch.value) +
                        ", ours is " + std::to_string(epoch.value) + "); this one must end");
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
    for (auto& letter : state_.dead_letters)
        if (letter.time < payloads_before) letter.message.clear();
    return {};
}

Result<Snapshot> Impl::snapshot() {
    std::lock_guard lock(state_.mutex);
    Snapshot out;
    out.instance = state_.instance;
    out.secret = state_.secret;
    out.next_seq = state_.log.next_seq;
    out.log_time = state_.log.time;
    out.next_outgoing = OutgoingNo(state_.log.outgoing.value + 1);
    out.next_gap = GapNo(state_.log.gap.value + 1);
    out.next_dead_letter = DeadLetterNo(state_.log.dead_letter.value + 1);
    out.epoch = state_.epoch;
    if (!state_.decisions.empty()) out.next_decision = DecisionNo(state_.decisions.back().no.value + 1);
    if (!state_.runs.empty()) out.next_run = RunNo(state_.runs.back().no.value + 1);
    out.streams.assign(state_.streams.begin(), state_.streams.end());
    out.outgoing.assign(state_.outgoing.begin(), state_.outgoing.end());
    for (const auto& gap : state_.gaps) {
        if (gap.accepted) continue;
        out.gaps.push_back(gap);
        out.gaps.back().stream_name = state_.stream_name(gap.stream);
    }
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
    for (const auto& row : state_.flow_versions)
        if (std::any_of(out.runs.begin(), out.runs.end(), [&](const auto& run) {
                return run.origin == "api" && run.flow_team == row.flow.team && run.flow == row.flow.flow &&
                       run.flow_version == row.flow.version && !row.deleted;
            }))
            out.run_flows.push_back(row);
    out.early_reports.assign(state_.early_reports.begin(), state_.early_reports.end());
    return out;
}

} // namespace

} // namespace memory

std::unique_ptr<MemoryLedger> make_memory_ledger(std::string instance, std::string secret) {
    return std::make_unique<memory::Impl>(std::move(instance), std::move(secret));
}

} // namespace weir::ledger
