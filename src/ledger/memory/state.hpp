#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <weir/ledger/ledger.hpp>
#include <weir/ledger/reader.hpp>

#include "src/batch_check.hpp"

namespace weir::ledger::memory {

inline constexpr std::int64_t first_seq = (std::int64_t{1} << 48) | 1;

struct Timer {
    TimerSetRow set;
    std::optional<TimerEndRow> end;
};
struct TriggerHead {
    TriggerNo no;
    TriggerState state = TriggerState::Active;
    std::string state_reason;
    Seq state_seq;
    std::int64_t fired = 0;
};

/// Everything there is, in order of happening. Deques: what was handed out by reference stays where it is.
struct State {
    std::mutex mutex;
    std::string instance;
    std::string secret;
    Epoch epoch;
    LogState log{Seq(first_seq), {}, {}, {}, {}};
    std::optional<Error> refusal;

    std::deque<StreamState> streams;
    std::deque<InputRow> inputs; ///< [n] is input first_seq + n
    std::map<std::tuple<std::int64_t, StreamNo, std::string, std::string>, std::int64_t> uncounted;
    std::deque<DecisionRow> decisions; ///< by no
    std::deque<HeldRow> held;
    std::deque<Timer> timers;
    std::deque<RunRow> runs; ///< by no
    std::deque<AttemptRow> attempts;
    std::deque<EarlyReportRow> early_reports;
    std::map<std::pair<std::string, std::string>, Instant> watched; ///< by backend and place
    std::deque<TriggerHead> triggers;
    std::deque<TriggerVersionRow> trigger_versions;
    std::deque<TriggerStateRow> trigger_states;
    std::deque<FlowVersionRow> flow_versions;
    std::deque<AuditRow> audits;
    std::deque<OutgoingRow> outgoing;
    std::deque<GapRow> gaps;
    std::deque<DeadLetterRow> dead_letters;

    // Spare the writer the search from end to end.
    std::map<std::tuple<TriggerNo, Seq, int>, std::size_t> held_open;
    std::map<std::tuple<TriggerNo, TimerKind, std::string>, std::size_t> timers_open;
    std::map<std::pair<std::string, std::string>, std::vector<Seq>> identities;

    [[nodiscard]] const InputRow* input(Seq seq) const {
        const auto n = seq.value - first_seq;
        if (n < 0 || n >= static_cast<std::int64_t>(inputs.size())) return nullptr;
        return &inputs[static_cast<std::size_t>(n)];
    }
    /// The name of a stream; empty if there is none.
    [[nodiscard]] std::string stream_name(StreamNo no) const;
    [[nodiscard]] RunRow* run(RunNo no);
    [[nodiscard]] const DecisionRow* decision(DecisionNo no) const;
    [[nodiscard]] TriggerHead* trigger(TriggerNo no);
    [[nodiscard]] const TriggerVersionRow* newest_version(TriggerNo no) const;
};

std::unique_ptr<LedgerReader> make_reader(State& state);

} // namespace weir::ledger::memory
