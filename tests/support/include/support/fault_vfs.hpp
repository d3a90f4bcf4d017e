#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::support {

/// What can go wrong with one operation on a file.
enum class DiskOp : std::uint8_t { Write, Sync, Truncate, Read };

/// How an operation fails.
enum class DiskFault : std::uint8_t {
    Full,  ///< SQLITE_FULL (writes); part of the bytes may have been written
    Error, ///< SQLITE_IOERR_*; part of the bytes may have been written, a failed sync makes nothing durable
    Power, ///< the power goes before the operation: from now on every operation fails until power_loss()
};

/// What survives of the writes that were not yet synced when the power went.
enum class PowerLoss : std::uint8_t {
    DropAll,  ///< nothing
    KeepSome, ///< each write wholly or not at all, by chance
    Torn,     ///< each 512-byte sector of each write by chance, in any mixture
};

/// A disk of its own in memory, reached by SQLite through a VFS named after it. Rollback journals and WAL
/// both work, with any number of connections in this process. Knows what is durable (synced) and what is only
/// written.
///   FaultDisk disk("disk-7");
///   sqlite3_open_v2("/ledger.db", &db, flags, "disk-7");
///   disk.fail(DiskOp::Sync, 3, DiskFault::Power);   // the third sync from now
///   ...
///   disk.power_loss(PowerLoss::Torn, seed);         // then open anew
/// Model: a file's bytes become durable by its sync; a created file's name by the file's first sync, a
/// removal at once if SQLite asks for the folder's sync, else by chance. After a failed sync its bytes are
/// never durable unless written again (as on Linux). So a database needs `PRAGMA synchronous = EXTRA` before
/// `journal_mode = WAL`: with FULL the removal of the rollback journal that makes the switch is not durable,
/// and its return undoes the switch. Reads by SQLite see everything written. Thread: any; one lock a disk.
/// Time:   none is read, nothing sleeps; the VFS's clock stands at 2025-06-01, its chance comes from the
/// seed. Limits: memory; SQLite's memory-mapped reading is refused.
class FaultDisk {
  public:
    /// `name` must not be the name of a VFS yet.
    explicit FaultDisk(std::string name, std::uint64_t seed = 1);
    /// Connections must be closed; what they hold is freed with the last of them.
    ~FaultDisk();
    FaultDisk(const FaultDisk&) = delete;
    FaultDisk& operator=(const FaultDisk&) = delete;

    [[nodiscard]] const std::string& name() const;

    /// The n-th operation of this kind from now (from 1) fails; `times` in a row, 0: for ever. Replaces an
    /// earlier order for the same kind. Power ignores `times`.
    void fail(DiskOp op, std::uint64_t n, DiskFault fault, std::uint64_t times = 1);
    /// Each write, sync and truncation fails with a chance of one in `one_in`, Full or Error by chance. 0:
    /// none.
    void fail_at_random(std::uint64_t one_in);
    /// Takes back all orders to fail (not a power that is off).
    void heal();
    /// Writes that would make the files bigger than this together fail with Full.
    void set_capacity(std::uint64_t bytes);
    /// Opening for writing fails; SQLite falls back to reading.
    void set_read_only(bool read_only);

    /// The power goes (or went) and comes back: what was not durable is lost as `how` says, every open file
    /// is dead (its operations fail, closing works), locks and shared memory are gone.
    void power_loss(PowerLoss how, std::uint64_t seed);
    /// The process that has files open ends, as by SIGKILL: everything written stays, synced or not; every
    /// open file is dead, locks and shared memory are gone.
    void kill();
    /// True after a Power fault until power_loss().
    [[nodiscard]] bool power_is_off() const;

    /// Operations so far, also those that failed.
    [[nodiscard]] std::uint64_t count(DiskOp op) const;
    /// Bytes of all files together, as written.
    [[nodiscard]] std::uint64_t size() const;
    [[nodiscard]] std::vector<std::string> files() const;
    /// The bytes as written; empty if there is no such file.
    [[nodiscard]] std::string read_file(std::string_view file) const;
    /// Makes or replaces a file, durable.
    void write_file(std::string_view file, std::string_view bytes);
    void remove_file(std::string_view file);
    /// Makes this disk's files a durable copy of another's, as written there. Open files here are dead.
    void copy_from(const FaultDisk& other);

    struct State;

  private:
    std::shared_ptr<State> state_;
};

} // namespace weir::support
