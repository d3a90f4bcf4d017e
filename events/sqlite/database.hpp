#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include <weir/base/result.hpp>

// A thin cover over SQLite for the small files that the events library and the façade keep. Theirs alone.
namespace weir::events::sqlite {

/// The house's kind for a result code: full disk, I/O error, lock, no memory: `unavailable`; damage:
/// `corrupt`; read-only: `denied`.
ErrorKind kind_of(int code) noexcept;

/// A prepared statement. Values given to bind_*() must live until the next step() is done.
/// Thread: the one that uses its database.
class Statement {
  public:
    Statement() = default;
    Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
    Statement(Statement&& other) noexcept { *this = std::move(other); }
    Statement& operator=(Statement&& other) noexcept {
        std::swap(database_, other.database_);
        std::swap(statement_, other.statement_);
        return *this;
    }
    ~Statement() { sqlite3_finalize(statement_); }

    Statement& bind(int place, std::int64_t value);
    Statement& bind_bytes(int place, std::string_view bytes);
    /// True: there is a row. Resets itself at the end and on an error.
    Result<bool> step();
    /// step() of a statement that gives no rows.
    Status run();
    void reset() { sqlite3_reset(statement_); }

    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    [[nodiscard]] bool is_null(int column) const {
        return sqlite3_column_type(statement_, column) == SQLITE_NULL;
    }
    /// Valid until the next step().
    [[nodiscard]] std::string_view bytes(int column) const;

  private:
    sqlite3* database_ = nullptr;
    sqlite3_stmt* statement_ = nullptr;
};

/// One connection.
/// Thread: one at a time.
class Database {
  public:
    Database() = default;
    Database(Database&& other) noexcept { *this = std::move(other); }
    Database& operator=(Database&& other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(path_, other.path_);
        return *this;
    }
    ~Database() { close(); }

    /// `vfs`: name of a registered SQLite VFS, empty for the operating system's.
    static Result<Database> open(const std::string& path, int flags, const std::string& vfs);
    Result<Statement> prepare(std::string_view sql);
    /// Runs statements that give no rows.
    Status run(const std::string& sql);
    /// The first column of the first row.
    Result<std::int64_t> number(std::string_view sql);
    [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
    /// SQLite opens a file that it may not write all the same.
    [[nodiscard]] bool is_read_only() const { return sqlite3_db_readonly(handle_, "main") == 1; }
    /// Ends a transaction that failed, whatever state it was left in.
    void roll_back();
    /// Every statement must be gone.
    void close();
    [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    sqlite3* handle_ = nullptr;
    std::string path_;
};

/// What makes a file one of ours.
struct FileKind {
    std::string_view what;           ///< "event bus": for messages
    std::int32_t application_id = 0; ///< SQLite's mark in the file's header
    std::int32_t schema = 1;         ///< newest schema this build knows
    std::string_view create;         ///< makes schema `schema` in an empty file
};

/// Opens a file of this kind in WAL mode with FULL synchronisation, or makes one (0600) if there is none.
/// Errors: `invalid`: not ours; `unsupported`: a newer schema; `denied`: not readable or writable; `corrupt`;
/// `unavailable`: disk full, I/O error, locked. A file that is refused is not changed.
Result<Database> open_file(const std::string& path, const FileKind& kind, const std::string& vfs);

/// Keeps every other process away from a file, by a lock on `<path>.lock`. Ends with the process, however it
/// ends.
class FileLock {
  public:
    FileLock() = default;
    FileLock(FileLock&& other) noexcept { std::swap(descriptor_, other.descriptor_); }
    FileLock& operator=(FileLock&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~FileLock() { release(); }
    /// `conflict` names the process that holds it.
    static Result<FileLock> take(const std::string& path);
    void release();

  private:
    int descriptor_ = -1;
};

} // namespace weir::events::sqlite
