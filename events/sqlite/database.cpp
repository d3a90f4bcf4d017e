#include "database.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::events::sqlite {
namespace {

Error error_of(sqlite3* handle, int code, std::string_view doing) {
    const char* file = handle != nullptr ? sqlite3_db_filename(handle, "main") : nullptr;
    std::string message(doing);
    message += ": ";
    if (file != nullptr && *file != 0) message += std::string(file) + ": ";
    if ((code & 0xff) == SQLITE_FULL)
        return {kind_of(code), message + "the disk is full; nothing was written, make room and try again"};
    message += handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    // "disk I/O error" alone does not say which one.
    if ((code & 0xff) == SQLITE_IOERR) message += " (code " + std::to_string(code) + ")";
    return {kind_of(code), std::move(message)};
}

/// Makes an empty file that only its owner may read, unless there is one. SQLite gives its side files the
/// same rights.
Status make_private_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        ::close(descriptor);
        return {};
    }
    const int problem = errno;
    if (problem == EEXIST) {
        struct stat found {};
        if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) return invalid("it is not a file");
        return {};
    }
    const auto kind = problem == EACCES || problem == EROFS     ? ErrorKind::Denied
                      : problem == ENOENT || problem == ENOTDIR ? ErrorKind::NotFound
                                                                : ErrorKind::Unavailable;
    return Error{kind, "cannot create it: " + std::string(std::strerror(problem))};
}

Status check_ours(Database& database, const FileKind& kind, bool& empty) {
    WEIR_ASSIGN(application_id, database.number("PRAGMA application_id"));
    WEIR_ASSIGN(tables, database.number("SELECT count(*) FROM sqlite_master"));
    empty = application_id == 0 && tables == 0;
    if (empty) return {};
    if (application_id != kind.application_id)
        return invalid("it is a database, but not an " + std::string(kind.what) +
                       " of weir; name another path or move the file away");
    WEIR_ASSIGN(schema, database.number("PRAGMA user_version"));
    if (schema > kind.schema)
        return unsupported("it was written by a newer weir (schema " + std::to_string(schema) +
                           ", this one knows up to " + std::to_string(kind.schema) + "); use that one");
    return {};
}

Result<Database> open_checked(const std::string& path, const FileKind& kind, const std::string& vfs) {
    if (vfs.empty()) WEIR_TRY(make_private_file(path));
    WEIR_ASSIGN(database, Database::open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs));
    if (database.is_read_only())
        return Error{ErrorKind::Denied, "it cannot be written: check its rights and its disk"};
    bool empty = false;
    if (auto ours = check_ours(database, kind, empty); !ours.ok()) {
        if (ours.error().kind != ErrorKind::Corrupt) return ours.error();
        return invalid("it is not an " + std::string(kind.what) + " of weir, or damaged (" +
                       ours.error().message + "); name another path or move the file away");
    }
    // EXTRA is FULL in WAL mode. But turning to WAL is itself a change with a rollback journal, whose removal
    // only EXTRA makes durable: a journal that came back after a loss of power would undo the file's first
    // page.
    WEIR_TRY(database.run("PRAGMA synchronous=EXTRA"));
    WEIR_TRY(database.run("PRAGMA journal_mode=WAL"));
    if (empty) {
        auto made =
            database.run("BEGIN IMMEDIATE; PRAGMA application_id=" + std::to_string(kind.application_id) +
                         "; PRAGMA user_version=" + std::to_string(kind.schema) + ";" +
                         std::string(kind.create) + "; COMMIT");
        if (!made.ok()) {
            database.roll_back();
            return made.error();
        }
    }
    // Where writing fails in some other way, better now than at the first event.
    if (auto writable = database.run("BEGIN IMMEDIATE; ROLLBACK"); !writable.ok()) {
        database.roll_back();
        return writable.error();
    }
    return database;
}

} // namespace

ErrorKind kind_of(int code) noexcept {
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return ErrorKind::Corrupt;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH: return ErrorKind::Denied;
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_CANTOPEN:
        case SQLITE_PROTOCOL: return ErrorKind::Unavailable;
        case SQLITE_CONSTRAINT: return ErrorKind::Conflict;
        case SQLITE_TOOBIG: return ErrorKind::Exhausted;
        default: return ErrorKind::Internal;
    }
}

Statement& Statement::bind(int place, std::int64_t value) {
    sqlite3_bind_int64(statement_, place, value);
    return *this;
}

Statement& Statement::bind_bytes(int place, std::string_view bytes) {
    sqlite3_bind_blob64(statement_, place, bytes.data() != nullptr ? bytes.data() : "", bytes.size(),
                        SQLITE_STATIC);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) {
        sqlite3_reset(statement_);
        return false;
    }
    auto error = error_of(database_, sqlite3_extended_errcode(database_), "SQLite");
    sqlite3_reset(statement_);
    return error;
}

Status Statement::run() {
    WEIR_ASSIGN(row, step());
    if (row) sqlite3_reset(statement_);
    return {};
}

std::string_view Statement::bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data == nullptr ? std::string_view() : std::string_view(data, size);
}

Result<Database> Database::open(const std::string& path, int flags, const std::string& vfs) {
    Database database;
    database.path_ = path;
    const int code = sqlite3_open_v2(path.c_str(), &database.handle_, flags | SQLITE_OPEN_NOMUTEX,
                                     vfs.empty() ? nullptr : vfs.c_str());
    if (code != SQLITE_OK) return error_of(database.handle_, code, "cannot open it");
    sqlite3_extended_result_codes(database.handle_, 1);
    return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return error_of(handle_, sqlite3_extended_errcode(handle_), "SQLite");
    return Statement(handle_, statement);
}

Status Database::run(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
    return error_of(handle_, sqlite3_extended_errcode(handle_), "SQLite");
}

Result<std::int64_t> Database::number(std::string_view sql) {
    WEIR_ASSIGN(statement, prepare(sql));
    WEIR_ASSIGN(row, statement.step());
    return row ? statement.integer(0) : 0;
}

void Database::roll_back() {
    if (handle_ != nullptr && in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Database::close() {
    if (handle_ != nullptr) sqlite3_close(handle_);
    handle_ = nullptr;
}

Result<Database> open_file(const std::string& path, const FileKind& kind, const std::string& vfs) {
    auto database = open_checked(path, kind, vfs);
    if (!database.ok()) return database.error().in(path);
    return database;
}

Result<FileLock> FileLock::take(const std::string& path) {
    const auto lock_path = path + ".lock";
    FileLock lock;
    lock.descriptor_ = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock.descriptor_ < 0) {
        const int problem = errno;
        const auto kind = problem == EACCES || problem == EROFS     ? ErrorKind::Denied
                          : problem == ENOENT || problem == ENOTDIR ? ErrorKind::NotFound
                                                                    : ErrorKind::Unavailable;
        return Error{kind, lock_path + ": " + std::strerror(problem)};
    }
    if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
        std::array<char, 24> holder{};
        const auto size = ::pread(lock.descriptor_, holder.data(), holder.size() - 1, 0);
        std::string who = size > 0 ? " (process " + std::string(holder.data()) + ")" : "";
        return conflict(path + " is in use by another weir" + who + "; stop that one or name another path");
    }
    const auto pid = std::to_string(::getpid());
    // Only for the message above, so it does not matter if it cannot be written.
    if (::ftruncate(lock.descriptor_, 0) == 0 && ::pwrite(lock.descriptor_, pid.data(), pid.size(), 0) < 0)
        return lock;
    return lock;
}

void FileLock::release() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

} // namespace weir::events::sqlite
