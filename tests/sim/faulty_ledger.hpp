#pragma once

#include <weir/ledger/ledger.hpp>

namespace weir::sim {

/// A ledger whose next commit fails when told: nothing is written, the same batch must come again.
class FaultyLedger final : public ledger::Ledger {
  public:
    explicit FaultyLedger(ledger::Ledger& inner) : inner_(inner) {}
    void fail_next() { failing_ = true; }

    Result<ledger::Epoch> take_epoch() override { return inner_.take_epoch(); }
    Result<ledger::StreamState> register_stream(const ledger::StreamState& first_sight) override {
        return inner_.register_stream(first_sight);
    }
    Result<ledger::Snapshot> snapshot() override { return inner_.snapshot(); }
    Status commit(const ledger::Batch& batch, ledger::Epoch epoch) override {
        if (std::exchange(failing_, false)) return unavailable("the simulated disk is full");
        return inner_.commit(batch, epoch);
    }
    Result<std::optional<ledger::Seen>> find_seen(std::string_view source, std::string_view id,
                                                  Instant time) override {
        return inner_.find_seen(source, id, time);
    }
    Status retain(Instant payloads_before) override { return inner_.retain(payloads_before); }
    void close() override {}

  private:
    ledger::Ledger& inner_;
    bool failing_ = false;
};

} // namespace weir::sim
