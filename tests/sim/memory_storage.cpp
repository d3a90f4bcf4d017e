#include <weir/events/memory_bus.hpp>
#include <weir/ledger/memory_ledger.hpp>

#include "world.hpp"

namespace weir::sim {
namespace {

/// Bytes that survive every crash of weir; a loss of power has no meaning here.
class MemoryStorage final : public Storage {
  public:
    Status open(const Clock& clock) override {
        if (!ledger_) {
            ledger_ = ledger::make_memory_ledger("sim", std::string(32, 's'));
            bus_ = events::make_memory_bus(clock);
        }
        return {};
    }
    void close() override {}
    void power_loss(std::uint64_t) override {}
    ledger::Ledger& ledger() override { return *ledger_; }
    ledger::LedgerReader& reader() override { return ledger_->reader(); }
    events::Bus& bus() override { return *bus_; }

  private:
    std::unique_ptr<ledger::MemoryLedger> ledger_;
    std::unique_ptr<events::Bus> bus_;
};

} // namespace

std::unique_ptr<Storage> memory_storage() {
    return std::make_unique<MemoryStorage>();
}

} // namespace weir::sim
