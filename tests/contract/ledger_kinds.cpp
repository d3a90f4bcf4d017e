// The kinds of ledger there are: in memory, and SQLite on a disk that can fill up.
#include <support/fault_vfs.hpp>
#include <weir/ledger/memory_ledger.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "ledger_contract.hpp"

namespace weir::ledger::contract {

namespace {

class MemoryHarness final : public Harness {
  public:
    Ledger& ledger() override { return *ledger_; }
    LedgerReader& reader() override { return ledger_->reader(); }
    void reopen() override {}
    void fill() override { ledger_->refuse_commits(unavailable("no room")); }
    void make_room() override { ledger_->refuse_commits(std::nullopt); }

  private:
    std::unique_ptr<MemoryLedger> ledger_ = make_memory_ledger();
};

class SqliteHarness final : public Harness {
  public:
    SqliteHarness() : disk_("ledger-contract") { open(); }
    Ledger& ledger() override { return *ledger_; }
    LedgerReader& reader() override { return ledger_->reader(); }
    void reopen() override {
        ledger_.reset();
        open();
    }
    void fill() override { disk_.set_capacity(disk_.size()); }
    void make_room() override { disk_.heal(); }

  private:
    void open() {
        SqliteLedgerOptions options;
        options.path = "/ledger.db";
        options.vfs = disk_.name();
        ledger_ = open_sqlite_ledger(options).value();
    }
    support::FaultDisk disk_;
    std::unique_ptr<SqliteLedger> ledger_;
};

} // namespace

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> all = {
        {"memory", [] { return std::make_unique<MemoryHarness>(); }},
        {"sqlite", [] { return std::make_unique<SqliteHarness>(); }},
    };
    return all;
}

} // namespace weir::ledger::contract
