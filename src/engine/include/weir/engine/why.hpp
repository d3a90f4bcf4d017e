#pragma once

#include <optional>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/engine/lines.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::engine {

/// What became of one event at one trigger.
struct WhyVerdict {
    std::string verdict; ///< fired, held, filtered, suppressed, expired, failed
    std::string reason;  ///< a stable word: match, joined, waiting, pattern, where, duplicate, overlap_skip,
                         ///< superseded...
    std::string text;    ///< the answer as sentences for a person
    std::string clause;  ///< filtered: source text of the clause that failed
    std::string values;  ///< filtered: what its paths were
    std::vector<std::string> waits_for; ///< held: leaf names missing
    std::optional<Instant> until;       ///< held: when it dies
    std::optional<DecisionId> decision;
    std::optional<RunId> run;
    int trigger_version = 0;
    bool recomputed = false; ///< true: evaluated now from the retained payload; false: read from the record
};

/// The answer for event x trigger. `event`: an event id, or "source id" when the id alone is ambiguous.
/// Errors: `not_found`, `invalid` (ambiguous: lists the candidates).
Result<WhyVerdict> why_event(ledger::LedgerReader& reader, const std::string& event, const std::string& team,
                             const std::string& trigger);
/// The same by place, for tests and simulation.
Result<WhyVerdict> why_event(ledger::LedgerReader& reader, const ledger::InputRow& event,
                             ledger::TriggerNo trigger);

/// One object: verdict, reason, text, clause, values, waits_for, until, decision, run, trigger_version,
/// recomputed; null where a thing does not apply.
std::string why_json(const WhyVerdict& verdict);

/// Why a run exists, or waits, or ended as it did: its trigger, the events with the values used, its state.
struct WhyRun {
    std::string text;
    std::string json; ///< run line plus decision line plus events
};
/// `waiting`: what the run's backend knows of a launch that waits inside it; nullptr: nothing.
Result<WhyRun> why_run(ledger::LedgerReader& reader, const RunId& run,
                       const flows::WaitingLaunch* waiting = nullptr);

} // namespace weir::engine
