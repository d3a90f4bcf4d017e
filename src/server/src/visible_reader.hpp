#pragma once

#include <weir/ledger/reader.hpp>
#include <weir/server/authorizer.hpp>

namespace weir::server {

/// The ledger as a caller may see it: what belongs to a team out of reach is left out of listings and of the
/// edges that why and lineage follow, and `denied` where it was asked for by its name. A run belongs to the
/// team of its trigger and to that of its flow; an event from a bus belongs to nobody, a settlement to the
/// team of its flow. What a visible decision used shows, whosever it is: input rows asked for by seq are not
/// held back here. Thread: one request's.
class VisibleReader final : public ledger::LedgerReader {
  public:
    VisibleReader(ledger::LedgerReader& all, const Caller& caller) : all_(all), caller_(caller) {}

    Result<ledger::Page<ledger::RunRow>> runs(const ledger::Query& query) override;
    Result<ledger::Page<ledger::DecisionRow>> decisions(const ledger::Query& query) override;
    Result<ledger::Page<ledger::InputRow>> events(const ledger::Query& query) override;
    Result<ledger::Page<ledger::TriggerRow>> triggers(const ledger::Query& query) override;
    Result<ledger::Page<ledger::FlowVersionRow>> flows(const ledger::Query& query) override;
    Result<ledger::Page<ledger::AuditRow>> audits(const ledger::Query& query) override;

    Result<ledger::RunRow> run(const RunId& id) override;
    Result<ledger::RunRow> run(ledger::RunNo no) override;
    Result<std::vector<ledger::AttemptRow>> attempts(ledger::RunNo run) override;
    Result<ledger::DecisionRow> decision(ledger::DecisionNo no) override;
    Result<ledger::DecisionRow> decision(const DecisionId& id) override;
    Result<ledger::RunRow> run_of(ledger::DecisionNo decision) override;
    Result<ledger::InputRow> input(Seq seq) override;
    Result<std::vector<ledger::InputRow>> events_by_id(std::string_view id, std::string_view source) override;
    Result<std::vector<ledger::TriggerVersionRow>> trigger_versions(std::string_view team,
                                                                    std::string_view name) override;
    Result<std::vector<ledger::TriggerVersionRow>> trigger_versions(ledger::TriggerNo no) override;
    Result<std::vector<ledger::TriggerStateRow>> trigger_states(ledger::TriggerNo no) override;
    Result<std::vector<ledger::FlowVersionRow>> flow_versions(std::string_view team,
                                                              std::string_view flow) override;
    Result<std::vector<ledger::TimerSetRow>> open_timers(ledger::TriggerNo no) override;

    Result<std::vector<std::pair<Seq, ledger::DecisionNo>>> decisions_of_events(
        std::span<const Seq> events) override;
    Result<std::vector<ledger::DecisionRow>> decisions_by_no(
        std::span<const ledger::DecisionNo> decisions) override;
    Result<std::vector<ledger::RunRow>> runs_of_decisions(
        std::span<const ledger::DecisionNo> decisions) override;
    Result<std::vector<ledger::RunRow>> runs_by_no(std::span<const ledger::RunNo> runs) override;
    Result<std::vector<std::pair<ledger::RunNo, Seq>>> settlements_of_runs(
        std::span<const ledger::RunNo> runs) override;
    Result<std::vector<std::pair<Seq, ledger::RunNo>>> runs_of_settlements(
        std::span<const Seq> settlements) override;
    Result<std::vector<ledger::InputRow>> inputs_by_seq(std::span<const Seq> seqs) override;
    Result<std::vector<ArtifactEdge>> artifacts_of_runs(std::span<const ledger::RunNo> runs) override;
    Result<std::vector<ArtifactEdge>> runs_of_artifact(std::string_view uri) override;

    Result<std::vector<ledger::HeldRow>> held_of(Seq event, ledger::TriggerNo trigger) override;
    Result<std::vector<ledger::HeldRow>> held_at(ledger::TriggerNo trigger, Seq at) override;
    Result<std::vector<ledger::DecisionRow>> decisions_at(Seq seq, ledger::TriggerNo trigger) override;
    Result<std::vector<ledger::InputRow>> inputs_from(Seq from, std::size_t limit) override;
    Result<ledger::CountRow> counts() override;
    Result<Seq> head() override;
    Result<std::vector<ledger::GapRow>> gaps() override;
    Result<std::vector<ledger::StreamState>> streams() override;
    Result<std::vector<ledger::WatchedRow>> watched() override;
    /// Messages of a bus belong to nobody, as events do.
    Result<ledger::Page<ledger::DeadLetterRow>> dead_letters(const ledger::Query& query) override;
    Result<ledger::DeadLetterRow> dead_letter(ledger::DeadLetterNo no) override;
    Result<std::vector<ledger::UncountedRow>> uncounted(Instant from, Instant until) override;

  private:
    [[nodiscard]] bool sees(const ledger::RunRow& row) const;
    [[nodiscard]] bool sees(const ledger::DecisionRow& row) const;
    [[nodiscard]] bool sees(const ledger::InputRow& row) const;
    [[nodiscard]] bool sees(const ledger::TriggerRow& row) const;
    [[nodiscard]] bool sees(const ledger::FlowVersionRow& row) const;
    [[nodiscard]] bool sees(const ledger::AuditRow& row) const;
    /// One page, with what may be seen of it; further ones while nothing of it may be.
    template <class Row, class List>
    Result<ledger::Page<Row>> page(const ledger::Query& query, List list);
    template <class Row>
    Result<Row> one(Result<Row> row);
    template <class Row>
    Result<std::vector<Row>> several(Result<std::vector<Row>> rows);

    ledger::LedgerReader& all_;
    const Caller& caller_;
};

} // namespace weir::server
