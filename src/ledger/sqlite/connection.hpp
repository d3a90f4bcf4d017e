#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <weir/base/digest.hpp>
#include <weir/base/ids.hpp>
#include <weir/base/result.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace weir::ledger::sqlite {

/// What an SQLite result code means here: `unavailable` for a full disk, I/O errors, locks and memory;
/// `corrupt`, `denied` (read-only), `exhausted` (too big); everything else is a defect (`internal`).
Error error_of(int code, const std::string& text, const std::string& path);

class Connection;

/// A prepared statement while it is used. Values are bound left to right; text and blobs are not copied and
/// must live until the statement was run or rewound. Given back when it goes.
class Statement {
  public:
    Statement(Connection& connection, sqlite3_stmt* statement, bool owned)
        : connection_(&connection), statement_(statement), owned_(owned) {}
    Statement(Statement&& other) noexcept;
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    Statement& bind(std::int64_t value);
    Statement& bind_text(std::string_view text);
    /// NULL for empty text.
    Statement& bind_text_or_null(std::string_view text);
    Statement& bind_blob(std::string_view bytes);
    /// NULL for a digest of all zeros.
    Statement& bind_digest(const Digest& digest);
    Statement& bind_optional(const std::optional<std::int64_t>& value);
    Statement& bind_null();

    /// True: a row is there.
    Result<bool> step();
    /// Runs to the end, expecting no rows, and rewinds for the next values.
    Status run();
    /// Runs to the end and rewinds; how many rows were changed.
    Result<std::int64_t> run_counted();
    void rewind();

    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] int small(int column) const { return static_cast<int>(integer(column)); }
    [[nodiscard]] std::optional<std::int64_t> optional(int column) const;
    /// Valid until the next step(), rewind() or end.
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] std::string string(int column) const { return std::string(text(column)); }
    [[nodiscard]] Digest digest(int column) const;

  private:
    Connection* connection_;
    sqlite3_stmt* statement_;
    bool owned_;
    int bound_ = 0;
    int bind_code_ = 0;
};

struct ConnectionOptions {
    std::string path;
    std::string vfs; ///< empty: the default one
    bool create = false;
    bool read_only = false; ///< no writes are possible
    int busy_ms = 5000;
};

/// One SQLite connection with its cache of prepared statements. Thread: one at a time.
class Connection {
  public:
    static Result<std::unique_ptr<Connection>> open(const ConnectionOptions& options);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// A cached statement; `sql` must be a constant, it is known by its address. One use of it at a time.
    Result<Statement> prepare(const char* sql);
    /// A statement of its own, for SQL put together at run time.
    Result<Statement> prepare_once(const std::string& sql);
    /// Runs SQL without values, several statements too.
    Status run(const char* sql);
    Status run(const std::string& sql) { return run(sql.c_str()); }
    /// The first column of the first row as a number. `not_found` without a row.
    Result<std::int64_t> number(const std::string& sql);
    /// Undoes what is open, if anything is.
    void roll_back() noexcept;

    [[nodiscard]] Error error(int code) const;
    [[nodiscard]] sqlite3* handle() const { return handle_; }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    explicit Connection(std::string path) : path_(std::move(path)) {}

    std::string path_;
    sqlite3* handle_ = nullptr;
    std::unordered_map<const char*, sqlite3_stmt*> cache_;
};

/// BEGIN ... COMMIT; rolls back when it goes without commit().
class Transaction {
  public:
    /// `write`: takes the write lock at once.
    static Result<Transaction> begin(Connection& connection, bool write);
    Transaction(Transaction&& other) noexcept : connection_(other.connection_) {
        other.connection_ = nullptr;
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    /// After a failure everything is rolled back.
    Status commit();

  private:
    explicit Transaction(Connection& connection) : connection_(&connection) {}
    Connection* connection_;
};

// A UUID as two integers, so that indexes over it stay small.
std::int64_t high_half(const Uuid& id) noexcept;
std::int64_t low_half(const Uuid& id) noexcept;
Uuid uuid_of(std::int64_t high, std::int64_t low) noexcept;

} // namespace weir::ledger::sqlite
