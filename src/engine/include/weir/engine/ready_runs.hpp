#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include <weir/ledger/records.hpp>

namespace weir::engine {

/// Runs that wait for a place, oldest first. A trigger that has used up its places may have thousands of
/// them: they are kept by trigger, so that whoever looks for one to send passes by all of them at once.
class ReadyRuns {
  public:
    /// A place in the order of all ready runs.
    using Order = std::int64_t;
    using Entry = std::pair<Order, ledger::RunNo>;

    [[nodiscard]] bool empty() const { return where_.empty(); }
    void push_back(ledger::TriggerNo trigger, ledger::RunNo run) { put(trigger, run, last_++); }
    void push_front(ledger::TriggerNo trigger, ledger::RunNo run) { put(trigger, run, --first_); }

    /// Nothing happens if the run is not here.
    void erase(ledger::RunNo run) {
        const auto found = where_.find(run.value);
        if (found == where_.end()) return;
        const auto [trigger, order] = found->second;
        auto& runs = by_trigger_.at(trigger);
        runs.erase(order);
        if (runs.empty()) by_trigger_.erase(trigger);
        where_.erase(found);
    }

    /// The trigger's first ready run after that place in the order.
    [[nodiscard]] std::optional<Entry> after(ledger::TriggerNo trigger, Order order) const {
        const auto found = by_trigger_.find(trigger);
        if (found == by_trigger_.end()) return std::nullopt;
        const auto next = found->second.upper_bound(order);
        if (next == found->second.end()) return std::nullopt;
        return *next;
    }

    /// Trigger -> its ready runs. Runs asked for by hand stand under trigger 0.
    [[nodiscard]] const std::map<ledger::TriggerNo, std::map<Order, ledger::RunNo>>& by_trigger() const {
        return by_trigger_;
    }

  private:
    void put(ledger::TriggerNo trigger, ledger::RunNo run, Order order) {
        by_trigger_[trigger].emplace(order, run);
        where_[run.value] = {trigger, order};
    }

    std::map<ledger::TriggerNo, std::map<Order, ledger::RunNo>> by_trigger_;
    std::unordered_map<std::int64_t, std::pair<ledger::TriggerNo, Order>> where_;
    Order first_ = 0, last_ = 0;
};

} // namespace weir::engine
