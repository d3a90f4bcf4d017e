#pragma once

#include <memory>
#include <span>
#include <string>

#include "schema/schema.hpp"
#include "sqlite/connection.hpp"

/// What makes an SQLite file a ledger.
namespace weir::ledger::sqlite {

/// "the PostgreSQL ledger is not built yet" for a postgres:// address.
Status refuse_address(const std::string& path);

/// A connection for reading a ledger that is there, of a schema this build knows. Errors: as
/// open_sqlite_ledger().
Result<std::unique_ptr<Connection>> open_existing(const std::string& path, const std::string& vfs);

/// What a file turned out to be; everything else is an error.
enum class FileState { Empty, Ours };
/// Reads the header and the schema's version. Errors: as open_sqlite_ledger().
Result<FileState> examine(Connection& connection, int version_known);

/// Writes the write-ahead log of a ledger that nobody has open again, byte for byte, and syncs it. After a
/// sync that failed the kernel may show bytes that are on no disk; a process that begins anew would take them
/// for committed and never sync them, and after a loss of power the rest of the log would be cut off behind
/// them.
/// Returns the size of the log in bytes.
Result<std::int64_t> secure_log(const std::string& path, const std::string& vfs);
/// A log found at the start that is bigger than this is written back at once, so that starts stay quick.
inline constexpr std::int64_t log_bytes_kept = 256 << 10;

/// `denied` if the file can only be read.
Status refuse_read_only(Connection& connection);
/// Sets up a connection for writing: WAL, durable commits, no automatic checkpoints below 128 MiB.
Status prepare_for_writing(Connection& connection);
/// The same for reading beside a writer.
Status prepare_for_reading(Connection& connection);

/// Brings the schema to the newest version of `table` in one transaction; `fresh(connection)` fills in what a
/// new file needs, inside it.
Status migrate(Connection& connection, std::span<const schema::Migration> table,
               Status (*fresh)(Connection& connection, const void* context), const void* context);

/// Makes the file with mode 0600 if there is none: SQLite gives its other files the same mode.
Status make_private_file(const std::string& path);

} // namespace weir::ledger::sqlite
