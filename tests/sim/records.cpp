#include "records.hpp"

#include <algorithm>

#include <weir/engine/core.hpp>
#include <weir/events/wire_codec.hpp>

namespace weir::sim {
namespace {

template <class Row, class List>
std::vector<Row> all(List list) {
    std::vector<Row> rows;
    ledger::Query query;
    query.limit = 1000;
    for (;;) {
        auto page = list(query);
        expects(page.ok(), page.ok() ? "" : page.error().message);
        for (auto& row : page->rows)
            rows.push_back(std::move(row));
        if (page->next.empty()) break;
        query.page = page->next;
    }
    std::reverse(rows.begin(), rows.end());
    return rows;
}

/// Names of triggers and identities of inputs, for lines that mean the same in every simulation.
struct Names {
    std::map<ledger::TriggerNo, std::string> triggers;
    std::map<Seq, std::string> inputs;
};

std::string line_of(const ledger::DecisionRow& row, const ledger::RunRow* run, Names& names, bool with_ids) {
    std::string line = names.triggers[row.trigger] + " v" + std::to_string(row.version) + " " +
                       std::string(to_string(row.verdict)) + " " + row.reason + " key=" + row.key +
                       " leaf=" + row.leaf + " n=" + std::to_string(row.n) + " of " + names.inputs[row.seq];
    for (const auto& included : row.included)
        line += " " + included.leaf + "=" + names.inputs[included.seq];
    if (run != nullptr) line += " arguments=" + run->arguments_json + " depth=" + std::to_string(run->depth);
    if (with_ids) line += " id=" + row.id.to_string() + " run=" + (run == nullptr ? "" : run->id.to_string());
    return line;
}

std::string identity_of(const ledger::InputRow& row) {
    if (row.kind == ledger::InputKind::Arrival)
        return "arrival " + std::to_string(row.position.value) + " " + row.source + " " + row.id;
    if (row.kind == ledger::InputKind::TimerFired) return "slot " + row.source + " " + row.id;
    if (row.kind == ledger::InputKind::Settlement) return "settlement " + row.id;
    return "command";
}

} // namespace

std::vector<ledger::DecisionRow> all_decisions(ledger::LedgerReader& reader) {
    return all<ledger::DecisionRow>([&](const ledger::Query& query) { return reader.decisions(query); });
}

std::vector<ledger::RunRow> all_runs(ledger::LedgerReader& reader) {
    return all<ledger::RunRow>([&](const ledger::Query& query) { return reader.runs(query); });
}

std::vector<ledger::InputRow> all_inputs(ledger::LedgerReader& reader) {
    std::vector<ledger::InputRow> rows;
    Seq from{};
    for (;;) {
        auto part = reader.inputs_from(from, 1000);
        expects(part.ok(), part.ok() ? "" : part.error().message);
        if (part->empty()) return rows;
        from = Seq(part->back().seq.value + 1);
        for (auto& row : *part)
            rows.push_back(std::move(row));
    }
}

std::vector<std::string> canonical_decisions(ledger::LedgerReader& reader, bool with_ids) {
    Names names;
    for (const auto& input : all_inputs(reader))
        names.inputs[input.seq] = identity_of(input);
    std::map<ledger::DecisionNo, ledger::RunRow> runs;
    for (auto& run : all_runs(reader)) {
        names.triggers[run.trigger] = run.trigger_name;
        runs[run.decision] = std::move(run);
    }
    std::vector<std::string> lines;
    for (const auto& row : all_decisions(reader)) {
        if (names.triggers[row.trigger].empty())
            if (const auto versions = reader.trigger_versions(row.trigger);
                versions.ok() && !versions->empty())
                names.triggers[row.trigger] = versions->front().name;
        const auto run = runs.find(row.no);
        lines.push_back(line_of(row, run == runs.end() ? nullptr : &run->second, names, with_ids));
    }
    return lines;
}

Result<std::vector<std::string>> replayed_decisions(ledger::LedgerReader& reader, ledger::Ledger& ledger) {
    WEIR_ASSIGN(now, ledger.snapshot());
    // Places decide when a request leaves, never what: with enough of them nothing that was sent then is left
    // to wait now.
    engine::CoreConfig config{now.instance, now.secret, {}};
    config.limits.places = config.limits.places_per_trigger = 1'000'000;
    engine::Core core(std::move(config));
    ledger::Snapshot empty;
    empty.instance = now.instance;
    empty.secret = now.secret;
    WEIR_TRY(core.restore(empty));
    Names names;
    std::vector<std::string> lines;
    for (const auto& row : all_inputs(reader)) {
        names.inputs[row.seq] = identity_of(row);
        WEIR_ASSIGN(input, engine::decode_input(row));
        if (auto* arrival = std::get_if<engine::ArrivalInput>(&input.what)) {
            for (const auto& stream : now.streams) {
                if (stream.no != arrival->stream) continue;
                arrival->stream_name = stream.name;
                arrival->incarnation = stream.incarnation;
            }
        }
        ledger::Batch batch;
        (void)core.step(std::move(input), row.seq, {}, batch);
        for (const auto& version : batch.trigger_versions)
            names.triggers[version.no] = version.name;
        for (const auto& decision : batch.decisions) {
            const auto run = std::find_if(batch.runs.begin(), batch.runs.end(),
                                          [&](const auto& r) { return r.decision == decision.no; });
            lines.push_back(line_of(decision, run == batch.runs.end() ? nullptr : &*run, names, true));
        }
    }
    return lines;
}

} // namespace weir::sim
