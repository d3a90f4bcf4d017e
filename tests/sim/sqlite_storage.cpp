#include <atomic>

#include <support/fault_vfs.hpp>

#include <weir/events/embedded_bus.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "world.hpp"

namespace weir::sim {
namespace {

using support::PowerLoss;

/// The real ledger and the real bus, in files on a disk that can lose power.
class SqliteStorage final : public Storage {
  public:
    SqliteStorage() : disk_("sim-disk-" + std::to_string(++made_)) {}
    ~SqliteStorage() override { close(); }

    Status open(const Clock& clock) override {
        ledger::SqliteLedgerOptions ledger;
        ledger.path = "/ledger.db";
        ledger.vfs = disk_.name();
        ledger.instance = "sim";
        ledger.place = "the simulation";
        WEIR_ASSIGN(opened, ledger::open_sqlite_ledger(ledger));
        ledger_ = std::move(opened);
        events::EmbeddedBusOptions bus;
        bus.vfs = disk_.name();
        WEIR_ASSIGN(bus_opened, events::open_embedded_bus("/events.db", clock, bus));
        bus_ = std::move(bus_opened);
        return {};
    }
    void close() override {
        if (!ledger_) return;
        // As SIGKILL leaves it: nothing is flushed on the way out.
        disk_.kill();
        bus_.reset();
        ledger_.reset();
    }
    void power_loss(std::uint64_t seed) override {
        disk_.power_loss(seed % 3 == 0   ? PowerLoss::DropAll
                         : seed % 3 == 1 ? PowerLoss::KeepSome
                                         : PowerLoss::Torn,
                         seed);
    }
    ledger::Ledger& ledger() override { return *ledger_; }
    ledger::LedgerReader& reader() override { return ledger_->reader(); }
    events::Bus& bus() override { return *bus_; }

  private:
    static inline std::atomic<int> made_{0};
    support::FaultDisk disk_;
    std::unique_ptr<ledger::SqliteLedger> ledger_;
    std::unique_ptr<events::Bus> bus_;
};

} // namespace

std::unique_ptr<Storage> sqlite_storage() {
    return std::make_unique<SqliteStorage>();
}

} // namespace weir::sim
