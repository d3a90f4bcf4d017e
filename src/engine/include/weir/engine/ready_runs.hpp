#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <weir/ledger/records.hpp>

namespace weir::engine {

/// Runs that wait for a place, oldest first. A trigger that has used up its places, or a backend that is
/// away, may have thousands of them: they are kept by both, so that whoever looks for one to send passes by
/// all of them at once.
class ReadyRuns {
  public:
    /// A place in the order of all ready runs.
    using Order = std::int64_t;
    using Entry = std::pair<Order, ledger::RunNo>;

    /// Runs for one backend of one trigger. Runs asked for by hand stand under trigger 0.
    using Lane = std::pair<std::string, ledger::TriggerNo>;

    [[nodiscard]] static Lane lane_of(const ledger::RunRow& run) { return {run.backend, run.trigger}; }
    [[nodiscard]] bool empty() const { return where_.empty(); }
    [[nodiscard]] bool empty(const Lane& lane) const { return by_lane_.count(lane) == 0; }
    void push_back(const ledger::RunRow& run) { put(run, last_++); }
    void push_front(const ledger::RunRow& run) { put(run, --first_); }

    /// Nothing happens if the run is not here.
    void erase(ledger::RunNo run) {
        const auto found = where_.find(run.value);
        if (found == where_.end()) return;
        const auto [lane, order] = found->second;
        lane->second.erase(order);
        if (lane->second.empty()) by_lane_.erase(lane);
        where_.erase(found);
    }

    /// The lane's first ready run after that place in the order.
    [[nodiscard]] std::optional<Entry> after(const Lane& lane, Order order) const {
        const auto found = by_lane_.find(lane);
        if (found == by_lane_.end()) return std::nullopt;
        const auto next = found->second.upper_bound(order);
        if (next == found->second.end()) return std::nullopt;
        return *next;
    }

    using Lanes = std::map<Lane, std::map<Order, ledger::RunNo>>;
    /// Lane -> its ready runs; the lanes of a backend side by side.
    [[nodiscard]] const Lanes& by_lane() const { return by_lane_; }
    /// The first lane of the backend after this one's.
    [[nodiscard]] Lanes::const_iterator next_backend(Lanes::const_iterator lane) const {
        return by_lane_.upper_bound(
            {lane->first.first, ledger::TriggerNo(std::numeric_limits<std::int64_t>::max())});
    }

  private:
    void put(const ledger::RunRow& run, Order order) {
        const auto lane = by_lane_.try_emplace(lane_of(run)).first;
        lane->second.emplace(order, run.no);
        where_[run.no.value] = {lane, order};
    }

    Lanes by_lane_;
    std::unordered_map<std::int64_t, std::pair<Lanes::iterator, Order>> where_;
    Order first_ = 0, last_ = 0;
};

} // namespace weir::engine
