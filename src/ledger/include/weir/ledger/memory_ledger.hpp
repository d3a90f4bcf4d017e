#pragma once

#include <memory>
#include <optional>
#include <string>

#include <weir/base/result.hpp>
#include <weir/ledger/ledger.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::ledger {

/// The ledger in plain containers, searched from end to end: slow, obvious, gone with the process. For tests,
/// simulation and offline commands; the contract suite holds it and the SQLite one to the same promises.
/// Owner:  whoever made it. A "restart" keeps the object and takes a new epoch.
/// Thread: any.
/// Limits: memory.
class MemoryLedger : public Ledger {
  public:
    /// The reading side, valid as long as the ledger.
    [[nodiscard]] virtual LedgerReader& reader() = 0;
    /// Until called with nothing, every commit fails with this and writes nothing: a full disk, say.
    virtual void refuse_commits(std::optional<Error> error) = 0;
};

/// `secret`: 32 bytes, chosen at random if empty.
std::unique_ptr<MemoryLedger> make_memory_ledger(std::string instance = "weir", std::string secret = {});

} // namespace weir::ledger
