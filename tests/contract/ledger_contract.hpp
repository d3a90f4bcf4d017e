#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <weir/ledger/ledger.hpp>
#include <weir/ledger/reader.hpp>

/// One suite over every kind of ledger. Who builds an executable of it gives the kinds.
namespace weir::ledger::contract {

/// A ledger under test.
class Harness {
  public:
    virtual ~Harness() = default;
    virtual Ledger& ledger() = 0;
    virtual LedgerReader& reader() = 0;
    /// Ends the ledger and opens it again, as a new process would.
    virtual void reopen() = 0;
    /// From now on no commit finds room; and there is room again.
    virtual void fill() = 0;
    virtual void make_room() = 0;
};

struct Kind {
    std::string name;
    std::function<std::unique_ptr<Harness>()> make;
};

/// The kinds this executable runs the suite over.
const std::vector<Kind>& kinds();

// Rows with every field set to something of its own, so that a lost or swapped field shows.

inline constexpr std::int64_t first = (std::int64_t{1} << 48) | 1;
/// A time on the first day of the traces: `ns` after 2025-06-01T00:00:00Z.
Instant at(std::int64_t ns);
/// Input number n, from 1.
Seq seq(std::int64_t n);
RunId run_id(std::int64_t n);
DecisionId decision_id(std::int64_t n);
TriggerUid trigger_uid(std::int64_t n);

InputRow arrival(std::int64_t n, const std::string& id, const std::string& source = "/s",
                 const std::string& type = "t");
/// An input that is no event.
InputRow fact(std::int64_t n, InputKind kind = InputKind::RunFact);
InputRow settlement(std::int64_t n, std::int64_t run, const std::string& team = "ads");
DecisionRow decision(std::int64_t no, std::int64_t n, std::int64_t trigger = 1);
RunRow run(std::int64_t no, std::int64_t decision, std::int64_t n);
RunUpdateRow update(std::int64_t no, std::int64_t n, RunState state);
AttemptRow opened(std::int64_t run, int attempt, std::int64_t n);
AttemptRow settled(std::int64_t run, int attempt, std::int64_t opened, std::int64_t n);
TriggerVersionRow trigger(std::int64_t no, const std::string& name, int version, std::int64_t n);
FlowVersionRow flow(const std::string& name, const std::string& version, std::int64_t n);
HeldEnterRow enter(std::int64_t trigger, int leaf, std::int64_t n);
HeldLeaveRow leave(std::int64_t trigger, int leaf, std::int64_t event, std::int64_t n,
                   const std::string& why = "consumed");
TimerSetRow timer(std::int64_t trigger, const std::string& key, std::int64_t due_ns, std::int64_t n);
TimerEndRow timer_end(const TimerSetRow& timer, std::int64_t n, const std::string& why = "fired");
OutgoingRow outgoing(std::int64_t no);
/// Found between positions, not accepted.
GapRow gap(std::int64_t no, std::int64_t stream = 1);
DeadLetterRow dead_letter(std::int64_t no, std::int64_t stream = 1);

/// A batch of these inputs (which may be none, behind input `last`).
Batch batch_of(std::vector<InputRow> inputs, std::int64_t last = 0);

// Every field compared; the first difference as text, empty if there is none.
std::string differ(const InputRow& a, const InputRow& b);
std::string differ(const DecisionRow& a, const DecisionRow& b);
std::string differ(const RunRow& a, const RunRow& b);
std::string differ(const AttemptRow& a, const AttemptRow& b);
std::string differ(const TriggerVersionRow& a, const TriggerVersionRow& b);
std::string differ(const FlowVersionRow& a, const FlowVersionRow& b);
std::string differ(const HeldEnterRow& a, const HeldEnterRow& b);
std::string differ(const HeldLeaveRow& a, const HeldLeaveRow& b);
std::string differ(const TimerSetRow& a, const TimerSetRow& b);
std::string differ(const IncludedRow& a, const IncludedRow& b);
std::string differ(const EventRef& a, const EventRef& b);
std::string differ(const StreamState& a, const StreamState& b);
std::string differ(const OpenTrigger& a, const OpenTrigger& b);
std::string differ(const OpenHeld& a, const OpenHeld& b);
std::string differ(const HeldEvent& a, const HeldEvent& b);
std::string differ(const OutgoingRow& a, const OutgoingRow& b);
std::string differ(const GapRow& a, const GapRow& b);
std::string differ(const DeadLetterRow& a, const DeadLetterRow& b);
std::string differ(const Snapshot& a, const Snapshot& b);

/// `row` as it reads after `update`.
RunRow updated(RunRow row, const RunUpdateRow& update);

} // namespace weir::ledger::contract
