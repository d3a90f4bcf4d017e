#include "visible_reader.hpp"

#include <algorithm>
#include <set>

namespace weir::server {
namespace {

/// Pages of other teams' rows that one request passes over before it answers with none and a `next`.
constexpr int pages_max = 20;

} // namespace

bool VisibleReader::sees(const ledger::RunRow& row) const {
    return caller_.reaches(row.team) || caller_.reaches(row.flow_team);
}
bool VisibleReader::sees(const ledger::DecisionRow& row) const {
    return caller_.reaches(row.team);
}
bool VisibleReader::sees(const ledger::InputRow& row) const {
    return row.team.empty() || caller_.reaches(row.team);
}
bool VisibleReader::sees(const ledger::TriggerRow& row) const {
    return caller_.reaches(row.version.team);
}
bool VisibleReader::sees(const ledger::FlowVersionRow& row) const {
    return caller_.reaches(row.flow.team);
}
bool VisibleReader::sees(const ledger::AuditRow& row) const {
    return caller_.reaches(row.team);
}

template <class Row, class List>
Result<ledger::Page<Row>> VisibleReader::page(const ledger::Query& query, List list) {
    if (caller_.teams.empty()) return list(query);
    if (!query.team.empty()) WEIR_TRY(caller_.check_team(query.team));
    auto asked = query;
    for (int pages = 1;; ++pages) {
        WEIR_ASSIGN(page, list(asked));
        std::erase_if(page.rows, [this](const Row& row) { return !sees(row); });
        if (!page.rows.empty() || page.next.empty() || pages == pages_max) return page;
        asked.page = page.next;
    }
}

template <class Row>
Result<Row> VisibleReader::one(Result<Row> row) {
    if (row.ok() && !sees(*row)) WEIR_TRY(caller_.check_team(row->team));
    return row;
}

template <class Row>
Result<std::vector<Row>> VisibleReader::several(Result<std::vector<Row>> rows) {
    if (rows.ok()) std::erase_if(*rows, [this](const Row& row) { return !sees(row); });
    return rows;
}

Result<ledger::Page<ledger::RunRow>> VisibleReader::runs(const ledger::Query& query) {
    return page<ledger::RunRow>(query, [this](const auto& asked) { return all_.runs(asked); });
}

Result<ledger::Page<ledger::DecisionRow>> VisibleReader::decisions(const ledger::Query& query) {
    return page<ledger::DecisionRow>(query, [this](const auto& asked) { return all_.decisions(asked); });
}

Result<ledger::Page<ledger::InputRow>> VisibleReader::events(const ledger::Query& query) {
    return page<ledger::InputRow>(query, [this](const auto& asked) { return all_.events(asked); });
}

Result<ledger::Page<ledger::TriggerRow>> VisibleReader::triggers(const ledger::Query& query) {
    return page<ledger::TriggerRow>(query, [this](const auto& asked) { return all_.triggers(asked); });
}

Result<ledger::Page<ledger::FlowVersionRow>> VisibleReader::flows(const ledger::Query& query) {
    return page<ledger::FlowVersionRow>(query, [this](const auto& asked) { return all_.flows(asked); });
}

Result<ledger::Page<ledger::AuditRow>> VisibleReader::audits(const ledger::Query& query) {
    return page<ledger::AuditRow>(query, [this](const auto& asked) { return all_.audits(asked); });
}

Result<ledger::RunRow> VisibleReader::run(const RunId& id) {
    return one(all_.run(id));
}

Result<ledger::RunRow> VisibleReader::run(ledger::RunNo no) {
    return one(all_.run(no));
}

Result<std::vector<ledger::AttemptRow>> VisibleReader::attempts(ledger::RunNo run) {
    return all_.attempts(run);
}

Result<ledger::DecisionRow> VisibleReader::decision(ledger::DecisionNo no) {
    return one(all_.decision(no));
}

Result<ledger::DecisionRow> VisibleReader::decision(const DecisionId& id) {
    return one(all_.decision(id));
}

Result<ledger::RunRow> VisibleReader::run_of(ledger::DecisionNo decision) {
    return one(all_.run_of(decision));
}

Result<ledger::InputRow> VisibleReader::input(Seq seq) {
    return all_.input(seq);
}

Result<std::vector<ledger::InputRow>> VisibleReader::events_by_id(std::string_view id,
                                                                  std::string_view source) {
    return several(all_.events_by_id(id, source));
}

Result<std::vector<ledger::TriggerVersionRow>> VisibleReader::trigger_versions(std::string_view team,
                                                                               std::string_view name) {
    WEIR_TRY(caller_.check_team(team));
    return all_.trigger_versions(team, name);
}

Result<std::vector<ledger::TriggerVersionRow>> VisibleReader::trigger_versions(ledger::TriggerNo no) {
    return all_.trigger_versions(no);
}

Result<std::vector<ledger::TriggerStateRow>> VisibleReader::trigger_states(ledger::TriggerNo no) {
    return all_.trigger_states(no);
}

Result<std::vector<ledger::FlowVersionRow>> VisibleReader::flow_versions(std::string_view team,
                                                                         std::string_view flow) {
    WEIR_TRY(caller_.check_team(team));
    return all_.flow_versions(team, flow);
}

Result<std::vector<ledger::TimerSetRow>> VisibleReader::open_timers(ledger::TriggerNo no) {
    return all_.open_timers(no);
}

Result<std::vector<std::pair<Seq, ledger::DecisionNo>>> VisibleReader::decisions_of_events(
    std::span<const Seq> events) {
    WEIR_ASSIGN(pairs, all_.decisions_of_events(events));
    if (caller_.teams.empty() || pairs.empty()) return pairs;
    std::vector<ledger::DecisionNo> numbers;
    for (const auto& pair : pairs)
        numbers.push_back(pair.second);
    WEIR_ASSIGN(rows, decisions_by_no(numbers));
    std::set<ledger::DecisionNo> seen;
    for (const auto& row : rows)
        seen.insert(row.no);
    std::erase_if(pairs, [&](const auto& pair) { return seen.count(pair.second) == 0; });
    return pairs;
}

Result<std::vector<ledger::DecisionRow>> VisibleReader::decisions_by_no(
    std::span<const ledger::DecisionNo> decisions) {
    return several(all_.decisions_by_no(decisions));
}

Result<std::vector<ledger::RunRow>> VisibleReader::runs_of_decisions(
    std::span<const ledger::DecisionNo> decisions) {
    return several(all_.runs_of_decisions(decisions));
}

Result<std::vector<ledger::RunRow>> VisibleReader::runs_by_no(std::span<const ledger::RunNo> runs) {
    return several(all_.runs_by_no(runs));
}

Result<std::vector<std::pair<ledger::RunNo, Seq>>> VisibleReader::settlements_of_runs(
    std::span<const ledger::RunNo> runs) {
    return all_.settlements_of_runs(runs);
}

Result<std::vector<std::pair<Seq, ledger::RunNo>>> VisibleReader::runs_of_settlements(
    std::span<const Seq> settlements) {
    return all_.runs_of_settlements(settlements);
}

Result<std::vector<ledger::InputRow>> VisibleReader::inputs_by_seq(std::span<const Seq> seqs) {
    return all_.inputs_by_seq(seqs);
}

Result<std::vector<ledger::LedgerReader::ArtifactEdge>> VisibleReader::artifacts_of_runs(
    std::span<const ledger::RunNo> runs) {
    return all_.artifacts_of_runs(runs);
}

Result<std::vector<ledger::LedgerReader::ArtifactEdge>> VisibleReader::runs_of_artifact(
    std::string_view uri) {
    WEIR_ASSIGN(edges, all_.runs_of_artifact(uri));
    if (caller_.teams.empty() || edges.empty()) return edges;
    std::vector<ledger::RunNo> numbers;
    for (const auto& edge : edges)
        numbers.push_back(edge.run);
    WEIR_ASSIGN(rows, runs_by_no(numbers));
    std::set<ledger::RunNo> seen;
    for (const auto& row : rows)
        seen.insert(row.no);
    std::erase_if(edges, [&](const ArtifactEdge& edge) { return seen.count(edge.run) == 0; });
    return edges;
}

Result<std::vector<ledger::HeldRow>> VisibleReader::held_of(Seq event, ledger::TriggerNo trigger) {
    return all_.held_of(event, trigger);
}

Result<std::vector<ledger::HeldRow>> VisibleReader::held_at(ledger::TriggerNo trigger, Seq at) {
    return all_.held_at(trigger, at);
}

Result<std::vector<ledger::DecisionRow>> VisibleReader::decisions_at(Seq seq, ledger::TriggerNo trigger) {
    return several(all_.decisions_at(seq, trigger));
}

Result<std::vector<ledger::InputRow>> VisibleReader::inputs_from(Seq from, std::size_t limit) {
    return several(all_.inputs_from(from, limit));
}

Result<ledger::CountRow> VisibleReader::counts() {
    return all_.counts();
}

Result<Seq> VisibleReader::head() {
    return all_.head();
}

Result<std::vector<ledger::GapRow>> VisibleReader::gaps() {
    return all_.gaps();
}

Result<std::vector<ledger::StreamState>> VisibleReader::streams() {
    return all_.streams();
}

Result<std::vector<ledger::WatchedRow>> VisibleReader::watched() {
    return all_.watched();
}

Result<ledger::Page<ledger::DeadLetterRow>> VisibleReader::dead_letters(const ledger::Query& query) {
    return all_.dead_letters(query);
}

Result<ledger::DeadLetterRow> VisibleReader::dead_letter(ledger::DeadLetterNo no) {
    return all_.dead_letter(no);
}

Result<std::vector<ledger::UncountedRow>> VisibleReader::uncounted(Instant from, Instant until) {
    return all_.uncounted(from, until);
}

} // namespace weir::server
