#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include <weir/base/result.hpp>
#include <weir/ledger/ledger.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::ledger {

/// Where a ledger is and how it is opened.
struct SqliteLedgerOptions {
    /// The file, usually DATA/ledger.db. Beside it: ledger.db-wal, ledger.db-shm, and `lock`, which keeps a
    /// second weir out of the folder. The folder must exist. All files are 0600.
    std::string path;
    /// Name of a registered SQLite VFS; empty: the machine's files. With a name there is no lock file, and
    /// modes are the VFS's affair.
    std::string vfs;
    bool create = true;            ///< make an empty ledger if there is none
    std::string instance = "weir"; ///< name of a ledger that is made; an existing one keeps its own
    /// Where this ledger stands; empty: the machine's id and the folder. One that was made elsewhere is
    /// moved().
    std::string place;
    int busy_ms = 5000;          ///< longest wait for another process's lock
    std::size_t readers_max = 4; ///< connections for reading, opened when needed
    /// Take the ledger over from a process that has the folder but does not answer any more (frozen,
    /// hanging): its lock is passed by, and taken once it is free. Whoever had it loses its epoch with
    /// take_epoch(): its next commit is refused. Not with a `vfs`.
    /// take_epoch() then fails with `conflict`, naming the process and what to do, when it finds SQLite's
    /// write lock taken for busy_ms by a process that runs. One that was stopped (SIGSTOP) in the middle of a
    /// commit, is this very program and has the lock file open is killed instead, and an error is logged: it
    /// could neither be refused nor waited for. checkpoint() tries to take the folder's lock again.
    bool take_over = false;
};

/// What a ledger found elsewhere is taken to be.
enum class Claim {
    Moved, ///< the same weir at a new place: same secret, so the ids go on as they were
    New,   ///< a copy beside the original: new secret, reading goes on at the heads given
};

/// The ledger in one SQLite file: the write port and the reading side.
/// Owner:  the application.
/// Thread: as Ledger says; reader(), checkpoint() and moved() from any thread.
/// Errors: as there. After `unavailable` from commit() everything can be called again.
/// Limits: names (types, sources, teams, leaves) are interned for ever; the filters in front of the look-up
///         for duplicates take at most 64 MiB; a commit writes the write-ahead log back into the file only
///         when it passes 128 MiB and nobody called checkpoint().
class SqliteLedger : public Ledger {
  public:
    /// The reading side, valid as long as the ledger.
    [[nodiscard]] virtual LedgerReader& reader() = 0;
    /// The ledger was made or last claimed at another place: nothing may be launched until claim().
    [[nodiscard]] virtual bool moved() const = 0;
    /// Settles a move. `New`: each stream named in `heads` goes on behind its head; outgoing events, launches
    /// that wait and runs that have not ended are the original's affair: they are settled here as `lost`,
    /// with that reason, and decide nothing. Their open attempts get the outcome and no settlement, as no
    /// input says so; the timers of waiting runs end. Schedules, held events and gaps go on. Needs no epoch:
    /// call before take_epoch(), from the writing thread.
    virtual Status claim(Claim how, std::span<const PositionRow> heads = {}) = 0;
    /// Under take_over: ends the process that has the folder if it is stopped (another file of the folder is
    /// locked by it as well). `conflict` if it runs: then it has to be ended first.
    virtual Status end_frozen_holder() = 0;
    /// Writes the write-ahead log back into the file, as far as readers let it, beside running commits. Call
    /// when idle. Returns the pages still to be written back.
    virtual Result<std::int64_t> checkpoint() = 0;
};

/// Opens a ledger, bringing an older schema up to date in one transaction.
/// Errors, after which nothing is changed:
///   `unsupported`  a postgres:// address, or a newer schema
///   `not_found`    no folder, or no file and not `create`
///   `conflict`     another weir has the folder; its process id is named
///   `invalid`      a file that is not ours
///   `denied`       it cannot be written
///   `corrupt`      it is damaged
///   `unavailable`  disk full, I/O error
Result<std::unique_ptr<SqliteLedger>> open_sqlite_ledger(const SqliteLedgerOptions& options);

} // namespace weir::ledger
