#pragma once

#include "memory/state.hpp"
#include "src/page.hpp"

namespace weir::ledger::memory {

bool meets_name(std::string_view filter, std::string_view team, std::string_view name);

/// Searches everything from end to end.
class Reader final : public LedgerReader {
  public:
    explicit Reader(State& state) : state_(state) {}

    Result<Page<RunRow>> runs(const Query& query) override;
    Result<Page<DecisionRow>> decisions(const Query& query) override;
    Result<Page<InputRow>> events(const Query& query) override;
    Result<Page<TriggerRow>> triggers(const Query& query) override;
    Result<Page<FlowVersionRow>> flows(const Query& query) override;
    Result<Page<AuditRow>> audits(const Query& query) override;

    Result<RunRow> run(const RunId& id) override;
    Result<RunRow> run(RunNo no) override;
    Result<std::vector<AttemptRow>> attempts(RunNo run) override;
    Result<DecisionRow> decision(DecisionNo no) override;
    Result<DecisionRow> decision(const DecisionId& id) override;
    Result<RunRow> run_of(DecisionNo decision) override;
    Result<InputRow> input(Seq seq) override;
    Result<std::vector<InputRow>> events_by_id(std::string_view id, std::string_view source) override;
    Result<std::vector<TriggerVersionRow>> trigger_versions(std::string_view team,
                                                            std::string_view name) override;
    Result<std::vector<TriggerVersionRow>> trigger_versions(TriggerNo no) override;
    Result<std::vector<TriggerStateRow>> trigger_states(TriggerNo no) override;
    Result<std::vector<FlowVersionRow>> flow_versions(std::string_view team, std::string_view flow) override;
    Result<std::vector<TimerSetRow>> open_timers(TriggerNo no) override;

    Result<std::vector<std::pair<Seq, DecisionNo>>> decisions_of_events(std::span<const Seq> events) override;
    Result<std::vector<DecisionRow>> decisions_by_no(std::span<const DecisionNo> decisions) override;
    Result<std::vector<RunRow>> runs_of_decisions(std::span<const DecisionNo> decisions) override;
    Result<std::vector<RunRow>> runs_by_no(std::span<const RunNo> runs) override;
    Result<std::vector<std::pair<RunNo, Seq>>> settlements_of_runs(std::span<const RunNo> runs) override;
    Result<std::vector<std::pair<Seq, RunNo>>> runs_of_settlements(std::span<const Seq> settlements) override;
    Result<std::vector<InputRow>> inputs_by_seq(std::span<const Seq> seqs) override;
    Result<std::vector<ArtifactEdge>> artifacts_of_runs(std::span<const RunNo> runs) override;
    Result<std::vector<ArtifactEdge>> runs_of_artifact(std::string_view uri) override;

    Result<std::vector<HeldRow>> held_of(Seq event, TriggerNo trigger) override;
    Result<std::vector<HeldRow>> held_at(TriggerNo trigger, Seq at) override;
    Result<std::vector<DecisionRow>> decisions_at(Seq seq, TriggerNo trigger) override;

    Result<std::vector<InputRow>> inputs_from(Seq from, std::size_t limit) override;
    Result<CountRow> counts() override;
    Result<Seq> head() override;
    Result<std::vector<GapRow>> gaps() override;
    Result<std::vector<StreamState>> streams() override;
    Result<std::vector<WatchedRow>> watched() override;
    Result<Page<DeadLetterRow>> dead_letters(const Query& query) override;
    Result<DeadLetterRow> dead_letter(DeadLetterNo no) override;
    Result<std::vector<UncountedRow>> uncounted(Instant from, Instant until) override;

  private:
    [[nodiscard]] bool in_time(const Query& query, Seq seq) const {
        const auto* row = state_.input(seq);
        const auto time = row == nullptr ? state_.log.time : row->time;
        return (!query.since || time >= *query.since) && (!query.until || time < *query.until);
    }
    [[nodiscard]] bool is_trigger(std::string_view filter, TriggerNo no) const {
        if (filter.empty()) return true;
        const auto* version = state_.newest_version(no);
        return version != nullptr && meets_name(filter, version->team, version->name);
    }
    /// Adds edges that are not there yet.
    static void add_edges(std::vector<ArtifactEdge>& edges, const AttemptRow& attempt, std::string_view uri);

    State& state_;
};

} // namespace weir::ledger::memory
