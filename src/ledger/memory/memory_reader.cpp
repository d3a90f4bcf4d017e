#include <algorithm>

#include "memory/reader.hpp"

namespace weir::ledger::memory {

namespace {

/// Whole rows of a deque that meet a condition, in order.
template <class Row, class Meets>
std::vector<Row> where(const std::deque<Row>& rows, Meets meets) {
    std::vector<Row> out;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(out), meets);
    return out;
}

} // namespace

Result<RunRow> Reader::run(const RunId& id) {
    std::lock_guard lock(state_.mutex);
    for (const auto& row : state_.runs)
        if (row.id == id) return row;
    return not_found("there is no run " + id.to_string());
}

Result<RunRow> Reader::run(RunNo no) {
    std::lock_guard lock(state_.mutex);
    if (const auto* row = state_.run(no)) return *row;
    return not_found("there is no run number " + std::to_string(no.value));
}

Result<std::vector<AttemptRow>> Reader::attempts(RunNo run) {
    std::lock_guard lock(state_.mutex);
    auto rows = where(state_.attempts, [&](const auto& row) { return row.run == run; });
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.attempt < b.attempt; });
    return rows;
}

Result<DecisionRow> Reader::decision(DecisionNo no) {
    std::lock_guard lock(state_.mutex);
    if (const auto* row = state_.decision(no)) return *row;
    return not_found("there is no decision number " + std::to_string(no.value));
}

Result<DecisionRow> Reader::decision(const DecisionId& id) {
    std::lock_guard lock(state_.mutex);
    for (const auto& row : state_.decisions)
        if (row.id == id) return row;
    return not_found("there is no decision " + id.to_string());
}

Result<RunRow> Reader::run_of(DecisionNo decision) {
    std::lock_guard lock(state_.mutex);
    for (auto it = state_.runs.rbegin(); it != state_.runs.rend(); ++it)
        if (it->decision == decision) return *it;
    return not_found("decision number " + std::to_string(decision.value) + " made no run");
}

Result<InputRow> Reader::input(Seq seq) {
    std::lock_guard lock(state_.mutex);
    if (const auto* row = state_.input(seq)) return *row;
    return not_found("there is no input " + std::to_string(seq.value));
}

Result<std::vector<InputRow>> Reader::events_by_id(std::string_view id, std::string_view source) {
    std::lock_guard lock(state_.mutex);
    std::vector<InputRow> rows;
    for (auto it = state_.inputs.rbegin(); it != state_.inputs.rend() && rows.size() < 100; ++it) {
        if (it->kind != InputKind::Arrival && it->kind != InputKind::Settlement) continue;
        if (it->id == id && (source.empty() || it->source == source)) rows.push_back(*it);
    }
    return rows;
}

Result<std::vector<TriggerVersionRow>> Reader::trigger_versions(std::string_view team,
                                                                std::string_view name) {
    TriggerNo no;
    {
        std::lock_guard lock(state_.mutex);
        const TriggerHead* best = nullptr;
        for (const auto& head : state_.triggers) {
            const auto& version = *state_.newest_version(head.no);
            if (version.team != team || version.name != name) continue;
            const bool live = head.state != TriggerState::Deleted;
            if (best == nullptr || live ||
                (best->state == TriggerState::Deleted && head.state_seq >= best->state_seq))
                best = &head;
        }
        if (best == nullptr)
            return not_found("there is no trigger " + std::string(team) + "/" + std::string(name));
        no = best->no;
    }
    return trigger_versions(no);
}

Result<std::vector<TriggerVersionRow>> Reader::trigger_versions(TriggerNo no) {
    std::lock_guard lock(state_.mutex);
    auto rows = where(state_.trigger_versions, [&](const auto& row) { return row.no == no; });
    if (rows.empty()) return not_found("there is no trigger number " + std::to_string(no.value));
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.version < b.version; });
    return rows;
}

Result<std::vector<TriggerStateRow>> Reader::trigger_states(TriggerNo no) {
    std::lock_guard lock(state_.mutex);
    return where(state_.trigger_states, [&](const auto& row) { return row.no == no; });
}

Result<std::vector<FlowVersionRow>> Reader::flow_versions(std::string_view team, std::string_view flow) {
    std::lock_guard lock(state_.mutex);
    auto rows = where(state_.flow_versions,
                      [&](const auto& row) { return row.flow.team == team && row.flow.flow == flow; });
    if (rows.empty()) return not_found("there is no flow " + std::string(team) + "/" + std::string(flow));
    return rows;
}

Result<std::vector<TimerSetRow>> Reader::open_timers(TriggerNo no) {
    std::lock_guard lock(state_.mutex);
    std::vector<TimerSetRow> rows;
    for (const auto& [key, index] : state_.timers_open)
        if (std::get<0>(key) == no) rows.push_back(state_.timers[index].set);
    return rows;
}

Result<std::vector<std::pair<Seq, DecisionNo>>> Reader::decisions_of_events(std::span<const Seq> events) {
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<Seq, DecisionNo>> rows;
    for (const auto event : events)
        for (const auto& row : state_.decisions)
            if (row.seq == event || std::any_of(row.included.begin(), row.included.end(),
                                                [&](const auto& included) { return included.seq == event; }))
                rows.emplace_back(event, row.no);
    return rows;
}

Result<std::vector<DecisionRow>> Reader::decisions_by_no(std::span<const DecisionNo> decisions) {
    std::lock_guard lock(state_.mutex);
    std::vector<DecisionRow> rows;
    for (const auto no : decisions)
        if (const auto* row = state_.decision(no)) rows.push_back(*row);
    return rows;
}

Result<std::vector<RunRow>> Reader::runs_of_decisions(std::span<const DecisionNo> decisions) {
    std::lock_guard lock(state_.mutex);
    std::vector<RunRow> rows;
    for (const auto no : decisions)
        for (const auto& row : state_.runs)
            if (row.decision == no) rows.push_back(row);
    return rows;
}

Result<std::vector<RunRow>> Reader::runs_by_no(std::span<const RunNo> runs) {
    std::lock_guard lock(state_.mutex);
    std::vector<RunRow> rows;
    for (const auto no : runs)
        if (const auto* row = state_.run(no)) rows.push_back(*row);
    return rows;
}

Result<std::vector<std::pair<RunNo, Seq>>> Reader::settlements_of_runs(std::span<const RunNo> runs) {
    std::vector<std::pair<RunNo, Seq>> rows;
    for (const auto no : runs) {
        WEIR_ASSIGN(of_run, attempts(no));
        for (const auto& attempt : of_run)
            if (attempt.settled) rows.emplace_back(no, *attempt.settled);
    }
    return rows;
}

Result<std::vector<std::pair<Seq, RunNo>>> Reader::runs_of_settlements(std::span<const Seq> settlements) {
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<Seq, RunNo>> rows;
    for (const auto seq : settlements)
        for (const auto& attempt : state_.attempts)
            if (attempt.settled == seq) rows.emplace_back(seq, attempt.run);
    return rows;
}

Result<std::vector<InputRow>> Reader::inputs_by_seq(std::span<const Seq> seqs) {
    std::lock_guard lock(state_.mutex);
    std::vector<InputRow> rows;
    for (const auto seq : seqs) {
        const auto* row = state_.input(seq);
        if (row == nullptr) continue;
        rows.push_back(*row);
        rows.back().body.clear();
    }
    return rows;
}

void Reader::add_edges(std::vector<ArtifactEdge>& edges, const AttemptRow& attempt, std::string_view uri) {
    for (const bool output : {false, true}) {
        for (const auto& artifact : output ? attempt.outputs : attempt.inputs) {
            if (!uri.empty() && artifact.uri != uri) continue;
            const bool known = std::any_of(edges.begin(), edges.end(), [&](const auto& e) {
                return e.run == attempt.run && e.output == output && e.artifact == artifact;
            });
            if (!known) edges.push_back({attempt.run, output, artifact});
        }
    }
}

Result<std::vector<LedgerReader::ArtifactEdge>> Reader::artifacts_of_runs(std::span<const RunNo> runs) {
    std::vector<ArtifactEdge> edges;
    for (const auto no : runs) {
        WEIR_ASSIGN(of_run, attempts(no));
        for (const auto& attempt : of_run)
            add_edges(edges, attempt, {});
    }
    return edges;
}

Result<std::vector<LedgerReader::ArtifactEdge>> Reader::runs_of_artifact(std::string_view uri) {
    std::lock_guard lock(state_.mutex);
    std::vector<AttemptRow> in_order(state_.attempts.begin(), state_.attempts.end());
    std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
        return std::tie(a.run, a.attempt) < std::tie(b.run, b.attempt);
    });
    std::vector<ArtifactEdge> edges;
    if (uri.empty()) return edges;
    for (const auto& attempt : in_order)
        add_edges(edges, attempt, uri);
    return edges;
}

Result<std::vector<HeldRow>> Reader::held_of(Seq event, TriggerNo trigger) {
    std::lock_guard lock(state_.mutex);
    auto rows = where(state_.held, [&](const auto& row) {
        return row.entered.event == event && row.entered.trigger == trigger;
    });
    std::sort(rows.begin(), rows.end(),
              [](const auto& a, const auto& b) { return a.entered.leaf < b.entered.leaf; });
    return rows;
}

Result<std::vector<HeldRow>> Reader::held_at(TriggerNo trigger, Seq at) {
    std::lock_guard lock(state_.mutex);
    auto rows = where(state_.held, [&](const auto& row) {
        return row.entered.trigger == trigger && row.entered.in <= at && (!row.left || row.left->out > at);
    });
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return std::tie(a.entered.event, a.entered.leaf) < std::tie(b.entered.event, b.entered.leaf);
    });
    return rows;
}

Result<std::vector<DecisionRow>> Reader::decisions_at(Seq seq, TriggerNo trigger) {
    std::lock_guard lock(state_.mutex);
    return where(state_.decisions, [&](const auto& row) { return row.seq == seq && row.trigger == trigger; });
}

Result<std::vector<InputRow>> Reader::inputs_from(Seq from, std::size_t limit) {
    std::lock_guard lock(state_.mutex);
    std::vector<InputRow> rows;
    for (auto seq = std::max(from, Seq(first_seq)); rows.size() < std::min<std::size_t>(limit, 10'000);
         ++seq.value) {
        const auto* row = state_.input(seq);
        if (row == nullptr) break;
        rows.push_back(*row);
    }
    return rows;
}

Result<CountRow> Reader::counts() {
    std::lock_guard lock(state_.mutex);
    CountRow row;
    row.inputs = static_cast<std::int64_t>(state_.inputs.size());
    row.decisions = static_cast<std::int64_t>(state_.decisions.size());
    row.runs = static_cast<std::int64_t>(state_.runs.size());
    row.held_open = static_cast<std::int64_t>(state_.held_open.size());
    row.runs_unsettled = std::count_if(state_.runs.begin(), state_.runs.end(),
                                       [](const auto& run) { return run.state != RunState::Settled; });
    return row;
}

Result<Seq> Reader::head() {
    std::lock_guard lock(state_.mutex);
    return Seq(state_.log.next_seq.value - 1);
}

Result<std::vector<GapRow>> Reader::gaps() {
    constexpr std::size_t rows_max = 1000;
    std::lock_guard lock(state_.mutex);
    std::vector<GapRow> rows(state_.gaps.begin(), state_.gaps.end());
    if (rows.size() > rows_max) rows.erase(rows.begin(), rows.end() - rows_max);
    for (auto& row : rows)
        row.stream_name = state_.stream_name(row.stream);
    return rows;
}

Result<std::vector<WatchedRow>> Reader::watched() {
    std::lock_guard lock(state_.mutex);
    std::vector<WatchedRow> rows;
    for (const auto& [name, until] : state_.watched)
        rows.push_back({name.first, name.second, until});
    return rows;
}

Result<std::vector<StreamState>> Reader::streams() {
    std::lock_guard lock(state_.mutex);
    return std::vector<StreamState>(state_.streams.begin(), state_.streams.end());
}

Result<DeadLetterRow> Reader::dead_letter(DeadLetterNo no) {
    std::lock_guard lock(state_.mutex);
    for (auto row : state_.dead_letters) {
        if (row.no != no) continue;
        row.stream_name = state_.stream_name(row.stream);
        return row;
    }
    return not_found("there is no dead letter " + std::to_string(no.value) +
                     ", or it was too old to be kept");
}

Result<std::vector<UncountedRow>> Reader::uncounted(Instant from, Instant until) {
    constexpr std::int64_t minute_ns = 60'000'000'000;
    std::lock_guard lock(state_.mutex);
    std::vector<UncountedRow> rows;
    for (const auto& [key, count] : state_.uncounted) {
        const auto& [minute, stream, type, source] = key;
        if (minute < to_ns(from) / minute_ns || minute >= (to_ns(until) + minute_ns - 1) / minute_ns)
            continue;
        if (count != 0 && rows.size() < 10'000) rows.push_back({minute, stream, type, source, count});
    }
    return rows;
}

std::unique_ptr<LedgerReader> make_reader(State& state) {
    return std::make_unique<Reader>(state);
}

} // namespace weir::ledger::memory
