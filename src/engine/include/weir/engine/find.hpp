#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/ledger/reader.hpp>

/// Small look-ups that why, lineage and the listings share. Thread: as the reader; one TriggerNames a thread.
namespace weir::engine {

/// True for the inputs that are events to triggers: arrivals, settlements, and the slots of schedules.
bool is_event(const ledger::InputRow& row);

/// The event a person means: an event id, or "source id" (split at the first space) when the id alone is
/// ambiguous. Of several arrivals of one identity the newest original is meant, not its duplicates.
/// Errors: `not_found`, saying that an event no trigger listens to is only counted; `invalid` when the id is
/// used by several sources, listing them.
Result<ledger::InputRow> find_event(ledger::LedgerReader& reader, std::string_view text);

/// Source, id and leaf of every event a decision used; a decision on a single event names that one. Commands
/// and whatever else is no event are left out.
Result<std::vector<ledger::EventRef>> events_of_decision(ledger::LedgerReader& reader,
                                                         const ledger::DecisionRow& decision);

/// Names of triggers by number, each asked for once.
class TriggerNames {
  public:
    explicit TriggerNames(ledger::LedgerReader& reader) : reader_(reader) {}
    /// The trigger's name; empty for number 0 (a manual run) and for what the ledger does not know.
    const std::string& name(ledger::TriggerNo no);
    /// Spares the question where a row at hand carries the name.
    void learn(ledger::TriggerNo no, const std::string& name) { names_.emplace(no, name); }

  private:
    ledger::LedgerReader& reader_;
    std::unordered_map<ledger::TriggerNo, std::string> names_;
};

} // namespace weir::engine
