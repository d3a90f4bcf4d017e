#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/engine/why.hpp>
#include <weir/events/event.hpp>
#include <weir/triggers/compiled.hpp>

namespace weir::engine::detail {

/// One event at one trigger, with what every part of the answer needs.
struct Question {
    ledger::LedgerReader& reader;
    ledger::InputRow event;
    std::vector<ledger::TriggerVersionRow> versions;    ///< all of the trigger, oldest first
    const ledger::TriggerVersionRow* version = nullptr; ///< the one in force when the event was decided
    std::optional<Seq> deleted;                         ///< when the trigger was deleted
    Instant log_time{}; ///< how far the log has come: what "now" means in an answer

    [[nodiscard]] ledger::TriggerNo trigger() const { return versions.front().no; }
    /// "trigger ads/retrain"
    [[nodiscard]] std::string trigger_text() const;
    /// "event o-17 (data.ready from /lake)", safe for a terminal
    [[nodiscard]] std::string event_text() const;
    /// A verdict that carries the version in force.
    [[nodiscard]] WhyVerdict verdict(std::string verdict, std::string reason, std::string text) const;
};

/// The trigger of a version, from its canonical document. `corrupt` if the ledger's text does not read.
Result<triggers::Trigger> trigger_of(const ledger::TriggerVersionRow& version);

/// The event of a row; nothing if its payload is no longer retained. `corrupt` if it does not read.
Result<std::optional<events::Event>> event_of(const ledger::InputRow& row);

/// What decisions say of the event: completed by it, or using it later. Nothing if there is none.
Result<std::optional<WhyVerdict>> from_decisions(const Question& question);
/// What one decision says of the event.
Result<WhyVerdict> from_decision(const Question& question, const ledger::DecisionRow& decision);
/// What the held intervals say. Nothing if the event was never held.
Result<std::optional<WhyVerdict>> from_held(const Question& question);
/// No row speaks of the event: the version in force is asked again, with the retained payload.
Result<WhyVerdict> recompute(const Question& question);

/// The state of a run as a sentence or two, with what to do about it.
std::string run_state_text(const ledger::RunRow& run);
/// "2026-11-21T10:00:00Z"
std::string at(Instant time);
/// `a`, `a and b`, `a, b and c`
std::string list(const std::vector<std::string>& words);

} // namespace weir::engine::detail
