#include <weir/engine/find.hpp>

#include <algorithm>
#include <set>

#include <weir/base/text.hpp>

namespace weir::engine {
namespace {

using ledger::InputRow;

Error no_such_event(std::string_view id, std::string_view source) {
    std::string text = "no event \"" + printable(id) + "\"";
    if (!source.empty()) text += " of source \"" + printable(source) + "\"";
    return not_found(
        text +
        " is recorded; an event is recorded once a trigger listens to its type, source and subject, "
        "any other is only counted; look for it with `weir events --since 1d`");
}

/// The newest row that is no copy of another one; failing that the newest row.
const InputRow& original(const std::vector<InputRow>& rows) {
    const auto newer = [](const InputRow& a, const InputRow& b) {
        const bool copy_a = a.duplicate_of.has_value() || a.echo;
        const bool copy_b = b.duplicate_of.has_value() || b.echo;
        return copy_a != copy_b ? copy_a : a.seq < b.seq;
    };
    return *std::max_element(rows.begin(), rows.end(), newer);
}

} // namespace

bool is_event(const InputRow& row) {
    switch (row.kind) {
        case ledger::InputKind::Arrival:
        case ledger::InputKind::Settlement: return true;
        case ledger::InputKind::TimerFired: return !row.type.empty();
        default: return false;
    }
}

Result<InputRow> find_event(ledger::LedgerReader& reader, std::string_view text) {
    WEIR_ASSIGN(rows, reader.events_by_id(text, ""));
    std::erase_if(rows, [](const InputRow& row) { return !is_event(row); });
    if (rows.empty()) {
        const auto space = text.find(' ');
        if (space == std::string_view::npos) return no_such_event(text, "");
        const auto source = text.substr(0, space);
        const auto id = text.substr(space + 1);
        WEIR_ASSIGN(exact, reader.events_by_id(id, source));
        std::erase_if(exact, [](const InputRow& row) { return !is_event(row); });
        if (exact.empty()) return no_such_event(id, source);
        rows = std::move(exact);
    }
    std::set<std::string> sources;
    for (const auto& row : rows)
        sources.insert(row.source);
    if (sources.size() > 1) {
        std::string list;
        for (const auto& source : sources)
            list += (list.empty() ? "" : ", ") + ("\"" + printable(source) + " " + printable(text) + "\"");
        return invalid("event id \"" + printable(text) + "\" is used by " + std::to_string(sources.size()) +
                       " sources; say which one: " + list);
    }
    return original(rows);
}

Result<std::vector<ledger::EventRef>> events_of_decision(ledger::LedgerReader& reader,
                                                         const ledger::DecisionRow& decision) {
    std::vector<ledger::IncludedRow> used = decision.included;
    if (used.empty()) used.push_back({decision.seq, decision.leaf});
    std::vector<Seq> seqs;
    for (const auto& one : used)
        seqs.push_back(one.seq);
    WEIR_ASSIGN(inputs, reader.inputs_by_seq(seqs));
    std::unordered_map<Seq, const InputRow*> by_seq;
    for (const auto& input : inputs)
        by_seq.emplace(input.seq, &input);
    std::vector<ledger::EventRef> refs;
    for (const auto& one : used) {
        const auto found = by_seq.find(one.seq);
        if (found == by_seq.end() || !is_event(*found->second)) continue;
        refs.push_back({one.seq, found->second->source, found->second->id, one.leaf});
    }
    return refs;
}

const std::string& TriggerNames::name(ledger::TriggerNo no) {
    const auto found = names_.find(no);
    if (found != names_.end()) return found->second;
    std::string name;
    if (no.value != 0) {
        const auto versions = reader_.trigger_versions(no);
        if (versions.ok() && !versions.value().empty()) name = versions.value().back().name;
    }
    return names_.emplace(no, std::move(name)).first->second;
}

} // namespace weir::engine
