#include "sqlite/connection.hpp"

#include <sqlite3.h>

namespace weir::ledger::sqlite {

Error error_of(int code, const std::string& text, const std::string& path) {
    const auto at = "ledger " + path + ": ";
    switch (code & 0xff) {
        case SQLITE_FULL:
            return unavailable(at + "the disk is full; nothing was written, make room and it goes on");
        case SQLITE_IOERR: return unavailable(at + "input/output error (" + text + ")");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL: return unavailable(at + "locked by another process (" + text + ")");
        case SQLITE_NOMEM: return unavailable(at + "out of memory");
        case SQLITE_CANTOPEN: return unavailable(at + "cannot be opened (" + text + ")");
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH: return {ErrorKind::Denied, at + "cannot be written (" + text + ")"};
        case SQLITE_TOOBIG: return exhausted(at + "a value is too big (" + text + ")");
        case SQLITE_NOTADB: return corrupt(at + "is not an SQLite file");
        case SQLITE_CORRUPT:
            return corrupt(at + "is damaged (" + text + "); see `weir ledger verify`, then restore a backup");
        default: return internal(at + text);
    }
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(other.statement_),
      owned_(other.owned_),
      bound_(other.bound_),
      bind_code_(other.bind_code_) {
    other.statement_ = nullptr;
}

Statement::~Statement() {
    if (statement_ == nullptr) return;
    if (owned_) {
        sqlite3_finalize(statement_);
    } else {
        sqlite3_reset(statement_);
    }
}

Statement& Statement::bind(std::int64_t value) {
    bind_code_ |= sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
}

Statement& Statement::bind_text(std::string_view text) {
    const char* data = text.data() == nullptr ? "" : text.data();
    bind_code_ |= sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind_text_or_null(std::string_view text) {
    return text.empty() ? bind_null() : bind_text(text);
}

Statement& Statement::bind_blob(std::string_view bytes) {
    const char* data = bytes.data() == nullptr ? "" : bytes.data();
    bind_code_ |= sqlite3_bind_blob64(statement_, ++bound_, data, bytes.size(), SQLITE_STATIC);
    return *this;
}

Statement& Statement::bind_digest(const Digest& digest) {
    if (digest == Digest{}) return bind_null();
    return bind_blob({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Statement& Statement::bind_optional(const std::optional<std::int64_t>& value) {
    return value ? bind(*value) : bind_null();
}

Statement& Statement::bind_null() {
    bind_code_ |= sqlite3_bind_null(statement_, ++bound_);
    return *this;
}

Result<bool> Statement::step() {
    if (bind_code_ != SQLITE_OK) return connection_->error(bind_code_);
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    auto error = connection_->error(code);
    rewind();
    return error;
}

Status Statement::run() {
    WEIR_ASSIGN(row, step());
    (void)row;
    rewind();
    return {};
}

Result<std::int64_t> Statement::run_counted() {
    WEIR_TRY(run());
    return static_cast<std::int64_t>(sqlite3_changes64(connection_->handle()));
}

void Statement::rewind() {
    sqlite3_reset(statement_);
    bound_ = 0;
    bind_code_ = 0;
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::optional<std::int64_t> Statement::optional(int column) const {
    if (is_null(column)) return std::nullopt;
    return integer(column);
}

std::string_view Statement::text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Digest Statement::digest(int column) const {
    Digest digest{};
    const auto bytes = text(column);
    if (bytes.size() == digest.size()) std::copy(bytes.begin(), bytes.end(), digest.begin());
    return digest;
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionOptions& options) {
    std::unique_ptr<Connection> made(new Connection(options.path));
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |= options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (options.create) flags |= SQLITE_OPEN_CREATE;
    const char* vfs = options.vfs.empty() ? nullptr : options.vfs.c_str();
    const int code = sqlite3_open_v2(options.path.c_str(), &made->handle_, flags, vfs);
    if (code != SQLITE_OK) {
        if (made->handle_ == nullptr) return error_of(code, sqlite3_errstr(code), options.path);
        return made->error(code);
    }
    sqlite3_busy_timeout(made->handle_, options.busy_ms);
    return made;
}

Connection::~Connection() {
    for (auto& [sql, statement] : cache_)
        sqlite3_finalize(statement);
    sqlite3_close_v2(handle_);
}

Result<Statement> Connection::prepare(const char* sql) {
    auto& slot = cache_[sql];
    if (slot == nullptr) {
        const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot, nullptr);
        if (code != SQLITE_OK) return error(code);
    }
    return Statement(*this, slot, false);
}

Result<Statement> Connection::prepare_once(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size()), 0, &statement, nullptr);
    if (code != SQLITE_OK) return error(code);
    return Statement(*this, statement, true);
}

Status Connection::run(const char* sql) {
    const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code);
    return {};
}

Result<std::int64_t> Connection::number(const std::string& sql) {
    WEIR_ASSIGN(statement, prepare_once(sql));
    WEIR_ASSIGN(row, statement.step());
    if (!row) return not_found("ledger " + path_ + ": no row for " + sql);
    return statement.integer(0);
}

void Connection::roll_back() noexcept {
    if (sqlite3_get_autocommit(handle_) == 0) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Error Connection::error(int code) const {
    std::string text = sqlite3_errmsg(handle_);
    if (const int extended = sqlite3_extended_errcode(handle_); (extended & 0xff) == SQLITE_IOERR)
        text += ", code " + std::to_string(extended);
    return error_of(code, text, path_);
}

Result<Transaction> Transaction::begin(Connection& connection, bool write) {
    WEIR_ASSIGN(statement, connection.prepare(write ? "BEGIN IMMEDIATE" : "BEGIN"));
    WEIR_TRY(statement.run());
    return Transaction(connection);
}

Transaction::~Transaction() {
    if (connection_ != nullptr) connection_->roll_back();
}

Status Transaction::commit() {
    WEIR_ASSIGN(statement, connection_->prepare("COMMIT"));
    WEIR_TRY(statement.run());
    connection_ = nullptr;
    return {};
}

std::int64_t high_half(const Uuid& id) noexcept {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 8; ++i)
        bits = bits << 8 | id.bytes[i];
    return static_cast<std::int64_t>(bits);
}

std::int64_t low_half(const Uuid& id) noexcept {
    std::uint64_t bits = 0;
    for (std::size_t i = 8; i < 16; ++i)
        bits = bits << 8 | id.bytes[i];
    return static_cast<std::int64_t>(bits);
}

Uuid uuid_of(std::int64_t high, std::int64_t low) noexcept {
    Uuid id;
    for (std::size_t i = 0; i < 8; ++i) {
        id.bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(high) >> (56 - 8 * i));
        id.bytes[8 + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(low) >> (56 - 8 * i));
    }
    return id;
}

} // namespace weir::ledger::sqlite
