#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <weir/ledger/maintenance.hpp>

#include "sqlite/file.hpp"
#include "sqlite/folder_lock.hpp"

namespace weir::ledger {

namespace sqlite {

namespace {

constexpr int pages_a_step = 512;

bool exists(const std::string& path) {
    std::error_code error;
    return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

void remove_quietly(const std::string& path) {
    for (const auto* suffix : {"", "-journal", "-wal", "-shm"}) {
        std::error_code error;
        std::filesystem::remove(path + suffix, error);
    }
}

/// Page by page, inside one read transaction of `from`: writers go on, the copy does not notice.
Status copy_pages(Connection& from, Connection& to, const CopyProgress& progress) {
    WEIR_ASSIGN(transaction, Transaction::begin(from, false));
    WEIR_TRY(from.number("SELECT count(*) FROM sqlite_master"));
    std::unique_ptr<sqlite3_backup, int (*)(sqlite3_backup*)> backup(
        sqlite3_backup_init(to.handle(), "main", from.handle(), "main"), sqlite3_backup_finish);
    if (!backup) return to.error(sqlite3_errcode(to.handle()));
    while (true) {
        const int code = sqlite3_backup_step(backup.get(), pages_a_step);
        const std::int64_t total = sqlite3_backup_pagecount(backup.get());
        if (progress && (code == SQLITE_OK || code == SQLITE_DONE))
            progress(total - sqlite3_backup_remaining(backup.get()), total);
        if (code == SQLITE_DONE) return {};
        if (code != SQLITE_OK) return error_of(code, sqlite3_errstr(code), to.path());
    }
}

/// The rename itself is durable once the folder is.
Status name_durably(const std::string& from, const std::string& to) {
    if (std::rename(from.c_str(), to.c_str()) != 0)
        return unavailable("cannot rename " + from + " to " + to + ": " + std::strerror(errno));
    const int folder = ::open(folder_of(to).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return unavailable("cannot open the folder of " + to + ": " + std::strerror(errno));
    const int synced = ::fsync(folder);
    ::close(folder);
    if (synced != 0) return unavailable("cannot sync the folder of " + to + ": " + std::strerror(errno));
    return {};
}

/// A whole copy under `to`, or nothing there.
Status copy_to(Connection& from, const std::string& to, const CopyProgress& progress) {
    const auto partial = to + ".partial";
    remove_quietly(partial);
    const auto copied = [&]() -> Status {
        WEIR_TRY(make_private_file(partial));
        WEIR_ASSIGN(target, Connection::open({partial, {}, false, false, 5000}));
        WEIR_TRY(target->run("PRAGMA synchronous = FULL"));
        WEIR_TRY(copy_pages(from, *target, progress));
        // A plain file: it can be read from a folder that cannot be written.
        WEIR_TRY(target->run("PRAGMA journal_mode = DELETE"));
        return {};
    }();
    if (copied.ok()) return name_durably(partial, to);
    remove_quietly(partial);
    return copied;
}

} // namespace

} // namespace sqlite

Status backup_ledger(const std::string& path, const std::string& to, const CopyProgress& progress) {
    using namespace sqlite;
    WEIR_TRY(refuse_address(to));
    if (exists(to)) return conflict(to + " exists; a backup overwrites nothing: name a new file");
    WEIR_ASSIGN(from, open_existing(path, {}));
    return copy_to(*from, to, progress);
}

Status restore_ledger(const std::string& backup, const std::string& to, const CopyProgress& progress) {
    using namespace sqlite;
    WEIR_TRY(refuse_address(to));
    WEIR_ASSIGN(from, open_existing(backup, {}));
    WEIR_ASSIGN(lock, FolderLock::take(folder_of(to)));
    for (const auto* suffix : {"", "-wal", "-journal"})
        if (exists(to + suffix))
            return conflict(to + suffix +
                            " exists; a restore overwrites nothing: move it away, or name another folder");
    WEIR_ASSIGN(report, verify_ledger(backup));
    if (!report.findings.empty())
        return corrupt(
            "the backup " + backup + " is not sound, nothing was restored: " + report.findings.front() +
            (report.findings.size() > 1 ? " (and " + std::to_string(report.findings.size() - 1) + " more)"
                                        : std::string()));
    return copy_to(*from, to, progress);
}

} // namespace weir::ledger
