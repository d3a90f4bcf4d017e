#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/cel/value.hpp>
#include <weir/engine/find.hpp>

#include "question.hpp"

namespace weir::engine::detail {
namespace {

using ledger::DecisionRow;
using ledger::Verdict;

int rank(Verdict verdict) {
    switch (verdict) {
        case Verdict::Fired: return 0;
        case Verdict::Suppressed: return 1;
        case Verdict::Failed: return 2;
    }
    return 2;
}

/// What a person wants to hear first: a firing, then what kept one from launching; the earliest of each.
bool better(const DecisionRow& a, const DecisionRow& b) {
    if (rank(a.verdict) != rank(b.verdict)) return rank(a.verdict) < rank(b.verdict);
    return a.no < b.no;
}

std::string others(const Question& question, const DecisionRow& row,
                   const std::vector<ledger::EventRef>& events) {
    std::vector<std::string> names;
    for (const auto& ref : events) {
        if (ref.seq == question.event.seq) continue;
        names.push_back("`" + ref.role + "` " + printable(ref.id, 60));
    }
    std::string text;
    if (!names.empty()) text += " with " + list(names);
    if (!row.key.empty()) text += " on key " + printable(cel::key_json(row.key), 120);
    return text;
}

/// What a suppressed or failed decision says, and what can be done.
std::string outcome_text(const DecisionRow& row, const std::string& trigger) {
    const auto detail = row.detail.empty() ? std::string() : ": " + printable(row.detail, 600);
    if (row.verdict == Verdict::Failed) return "the decision failed (" + row.reason + ")" + detail;
    if (row.reason == "overlap_skip")
        return "the firing was suppressed: a run of " + trigger +
               " was unfinished and `overlap` is skip; `overlap: queue` would make it wait" + detail;
    if (row.reason == "queue_full")
        return "the firing was suppressed: the queue of waiting launches was full (`queue: {limit: N}` "
               "raises it)" +
               detail;
    return "the firing was suppressed (" + row.reason + ")" + detail;
}

Result<WhyVerdict> answer(const Question& question, const DecisionRow& row, bool completing,
                          std::size_t more) {
    auto out =
        question.verdict(std::string(ledger::to_string(row.verdict)), completing ? row.reason : "joined", "");
    // Of what a later decision did not launch, its own reason says more than "joined".
    if (row.verdict != Verdict::Fired) out.reason = row.reason;
    out.trigger_version = row.version;
    out.decision = row.id;
    WEIR_ASSIGN(events, events_of_decision(question.reader, row));
    out.text = question.event_text() + (completing ? " completed " : " was used by ") +
               question.trigger_text() + " version " + std::to_string(row.version) + " at " + at(row.time) +
               others(question, row, events) + ".";
    if (row.verdict == Verdict::Fired) {
        auto run = question.reader.run_of(row.no);
        if (run.ok()) {
            out.run = run->id;
            out.text += " It launched run " + run->id.to_string() + " of flow " + run->flow_team + "/" +
                        run->flow + ", which " + run_state_text(run.value());
        } else if (run.error().kind != ErrorKind::NotFound) {
            return run.error();
        }
    } else {
        auto text = outcome_text(row, question.trigger_text());
        if (!text.empty()) text[0] = static_cast<char>(text[0] == 't' ? 'T' : text[0]);
        out.text += ' ' + text + '.';
    }
    if (!row.without.empty())
        out.text += " It was decided without streams " + list(row.without) + ", which could not be reached.";
    if (more > 0)
        out.text += " The event is part of " + std::to_string(more) + " more decision" +
                    (more > 1 ? "s" : "") + " of this trigger.";
    return out;
}

} // namespace

Result<WhyVerdict> from_decision(const Question& question, const DecisionRow& decision) {
    return answer(question, decision, decision.seq == question.event.seq, 0);
}

Result<std::optional<WhyVerdict>> from_decisions(const Question& question) {
    WEIR_ASSIGN(rows, question.reader.decisions_at(question.event.seq, question.trigger()));
    const bool completing = !rows.empty();
    const Seq seqs[] = {question.event.seq};
    WEIR_ASSIGN(pairs, question.reader.decisions_of_events(seqs));
    std::vector<ledger::DecisionNo> numbers;
    for (const auto& pair : pairs)
        numbers.push_back(pair.second);
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    WEIR_ASSIGN(all, question.reader.decisions_by_no(numbers));
    std::erase_if(all, [&](const DecisionRow& row) { return row.trigger != question.trigger(); });
    if (!completing) rows = all;
    if (rows.empty()) return std::optional<WhyVerdict>();
    const auto& best = *std::min_element(rows.begin(), rows.end(), better);
    const auto total = std::max(all.size(), rows.size());
    auto made = answer(question, best, completing, total - 1);
    if (!made.ok()) return made.error();
    return std::optional<WhyVerdict>(std::move(made).value());
}

} // namespace weir::engine::detail
