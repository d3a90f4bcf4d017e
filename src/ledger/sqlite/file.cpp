#include "sqlite/file.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace weir::ledger::sqlite {

Status refuse_address(const std::string& path) {
    for (const std::string_view scheme : {"postgres://", "postgresql://"})
        if (path.starts_with(scheme))
            return unsupported(
                "the PostgreSQL ledger is not built yet; name a file or a data folder instead");
    if (path.find("://") != std::string::npos)
        return unsupported("no ledger can be opened by address: " + path);
    return {};
}

Result<FileState> examine(Connection& connection, int version_known) {
    const auto& path = connection.path();
    const auto application = connection.number("PRAGMA application_id");
    if (!application.ok()) {
        if ((sqlite3_errcode(connection.handle()) & 0xff) == SQLITE_NOTADB)
            return invalid(path +
                           " is not a ledger of weir: it is no SQLite file, or its first page is damaged");
        return application.error();
    }
    WEIR_ASSIGN(version, connection.number("PRAGMA user_version"));
    WEIR_ASSIGN(objects, connection.number("SELECT count(*) FROM sqlite_master"));
    if (*application == 0 && version == 0 && objects == 0) return FileState::Empty;
    if (*application != schema::application_id)
        return invalid(path +
                       " is not a ledger of weir: it is an SQLite file of another program (application id " +
                       std::to_string(*application) + ")");
    if (version > version_known)
        return unsupported(path + " was written by a newer weir (schema " + std::to_string(version) +
                           "; this one knows " + std::to_string(version_known) +
                           "): use that version, or restore a backup made with this one");
    return FileState::Ours;
}

Result<std::unique_ptr<Connection>> open_existing(const std::string& path, const std::string& vfs) {
    WEIR_TRY(refuse_address(path));
    std::error_code error;
    if (vfs.empty() && !std::filesystem::is_regular_file(path, error))
        return not_found("there is no ledger " + path);
    WEIR_ASSIGN(connection, Connection::open({path, vfs, false, true, 5000}));
    WEIR_ASSIGN(state, examine(*connection, schema::migrations().back().to));
    if (state == FileState::Empty) return invalid(path + " is empty, not a ledger");
    WEIR_ASSIGN(version, connection->number("PRAGMA user_version"));
    if (version < schema::migrations().back().to)
        return unsupported(path + " has the older schema " + std::to_string(version) +
                           ": start weir with it once, which brings it up to date");
    return connection;
}

Status refuse_read_only(Connection& connection) {
    if (sqlite3_db_readonly(connection.handle(), "main") == 1)
        return Error{ErrorKind::Denied,
                     "ledger " + connection.path() +
                         " cannot be written: check its owner and mode, and that the file system "
                         "is not mounted read-only"};
    return {};
}

Status prepare_for_writing(Connection& connection) {
    // EXTRA: the switch to WAL goes through a rollback journal. Were its removal not durable, a loss of power
    // could bring it back, and rolling it back would drop the log with everything committed since.
    WEIR_TRY(connection.run("PRAGMA synchronous = EXTRA"));
    WEIR_ASSIGN(query, connection.prepare_once("PRAGMA journal_mode = WAL"));
    WEIR_ASSIGN(row, query.step());
    if (!row || query.text(0) != "wal")
        return internal("ledger " + connection.path() + ": the write-ahead log cannot be turned on");
    return connection.run(
        "PRAGMA wal_autocheckpoint = 32768; PRAGMA cache_size = -65536; "
        "PRAGMA temp_store = MEMORY;");
}

Status prepare_for_reading(Connection& connection) {
    return connection.run("PRAGMA query_only = 1; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;");
}

Status migrate(Connection& connection, std::span<const schema::Migration> table,
               Status (*fresh)(Connection& connection, const void* context), const void* context) {
    WEIR_ASSIGN(transaction, Transaction::begin(connection, true));
    WEIR_ASSIGN(from, connection.number("PRAGMA user_version"));
    for (const auto& migration : table) {
        if (migration.to <= from) continue;
        WEIR_TRY(connection.run(migration.sql));
    }
    if (from == 0) WEIR_TRY(fresh(connection, context));
    WEIR_TRY(connection.run("PRAGMA user_version = " + std::to_string(table.back().to)));
    WEIR_TRY(connection.run("PRAGMA application_id = " + std::to_string(schema::application_id)));
    return transaction.commit();
}

Status make_private_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        const int code = errno;
        const auto kind =
            code == EACCES || code == EROFS || code == EPERM ? ErrorKind::Denied : ErrorKind::Unavailable;
        return Error{kind, "ledger " + path + " cannot be written: " + std::strerror(code)};
    }
    ::close(descriptor);
    return {};
}

} // namespace weir::ledger::sqlite
