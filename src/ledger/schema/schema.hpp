#pragma once

#include <cstdint>
#include <span>

/// The SQL of the ledger's schema, one entry a version.
namespace weir::ledger::schema {

/// Stands in the header of the SQLite file: "weir".
inline constexpr std::int32_t application_id = 0x77656972;

/// The one log of a single process. A seq is log << 48 | n, n from 1.
inline constexpr std::int64_t log_number = 1;
inline constexpr std::int64_t first_seq = (log_number << 48) | 1;

/// Brings the schema from version `to - 1` to version `to`. Run inside a transaction that the runner opens.
struct Migration {
    int to = 0;
    const char* sql = nullptr;
};

/// All of them, in order, without gaps; the last one's `to` is the version this build reads and writes.
std::span<const Migration> migrations();

} // namespace weir::ledger::schema
