#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "memory/state.hpp"

namespace weir::ledger::memory {

/// Writes one batch and can take every change back.
class Writing {
  public:
    explicit Writing(State& state) : state_(state) {}

    Status write(const Batch& batch);
    void undo() {
        for (auto it = undo_.rbegin(); it != undo_.rend(); ++it)
            (*it)();
    }

  private:
    template <class Row>
    void append(std::deque<Row>& rows, Row row) {
        rows.push_back(std::move(row));
        undo_.emplace_back([&rows] { rows.pop_back(); });
    }
    template <class Value>
    void set(Value& slot, Value value) {
        undo_.emplace_back([&slot, old = slot] { slot = old; });
        slot = std::move(value);
    }
    template <class Map>
    void put(Map& map, typename Map::key_type key, typename Map::mapped_type value) {
        undo_.emplace_back([&map, key] { map.erase(key); });
        map.emplace(std::move(key), std::move(value));
    }
    template <class Map>
    void drop(Map& map, typename Map::iterator it) {
        undo_.emplace_back([&map, old = *it] { map.insert(old); });
        map.erase(it);
    }

    void inputs(const Batch& batch);
    void positions(const Batch& batch);
    void version(const TriggerVersionRow& row);
    Status state(const TriggerStateRow& row);
    Status triggers(const Batch& batch);
    void flows(const Batch& batch);
    void decisions(const Batch& batch);
    Status held(const Batch& batch);
    Status set_timer(const TimerSetRow& row);
    bool end_timer(const TimerEndRow& row);
    Status timers(const Batch& batch);
    Status runs(const Batch& batch);
    Status attempts(const Batch& batch);
    void early_reports(const Batch& batch);
    void watched(const Batch& batch);
    void audits(const Batch& batch);
    Status outgoing(const Batch& batch);
    Status gaps(const Batch& batch);
    Status streams(const Batch& batch);
    void dead_letters(const Batch& batch);

    State& state_;
    std::vector<std::function<void()>> undo_;
};

} // namespace weir::ledger::memory
