#include <weir/events/memory_bus.hpp>
#include <weir/ledger/memory_ledger.hpp>

#include "world.hpp"

namespace weir::sim {
namespace {

/// Bytes that survive every crash of weir; a loss of power has no meaning here.
class MemoryStorage final : public Storage {
  public:
    explicit MemoryStorage(std::vector<std::string> streams) : streams_(std::move(streams)) {}

    Status open(const Clock& clock) override {
        if (!ledger_) {
            ledger_ = ledger::make_memory_ledger("sim", std::string(32, 's'));
            for (const auto& stream : streams_) {
                events::MemoryBusOptions options;
                options.stream = stream;
                buses_.push_back(events::make_memory_bus(clock, options));
            }
        }
        return {};
    }
    void close() override {}
    void power_loss(std::uint64_t) override {}
    ledger::Ledger& ledger() override { return *ledger_; }
    ledger::LedgerReader& reader() override { return ledger_->reader(); }
    events::Bus& bus() override { return *buses_.front(); }
    std::vector<events::Bus*> buses() override {
        std::vector<events::Bus*> all;
        for (const auto& bus : buses_)
            all.push_back(bus.get());
        return all;
    }

  private:
    const std::vector<std::string> streams_;
    std::unique_ptr<ledger::MemoryLedger> ledger_;
    std::vector<std::unique_ptr<events::Bus>> buses_;
};

} // namespace

std::unique_ptr<Storage> memory_storage(const std::vector<std::string>& streams) {
    return std::make_unique<MemoryStorage>(streams);
}

} // namespace weir::sim
