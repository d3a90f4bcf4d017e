#pragma once

#include <map>
#include <mutex>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::facade {

/// Runs as the ledger has them, without what only one run's answer needs: lists may be sorted by anything,
/// so they want all of them at hand. Reads what changed since it was last asked.
/// Thread: any. Limits: the 100,000 newest runs.
class RunIndex {
  public:
    explicit RunIndex(ledger::LedgerReader& reader) : reader_(reader) {}

    /// Rows as of now, in no order.
    Result<std::vector<ledger::RunRow>> rows();

  private:
    Status read_all();
    Status read_changed();
    void take(ledger::RunRow row);

    ledger::LedgerReader& reader_;
    std::mutex mutex_;
    std::map<ledger::RunNo, ledger::RunRow> rows_;
    Seq seen_;
    bool read_ = false;
};

} // namespace weir::facade
