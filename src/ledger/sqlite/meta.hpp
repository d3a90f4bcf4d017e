#pragma once

#include <string>
#include <string_view>

#include "sqlite/connection.hpp"

namespace weir::ledger::sqlite {

// Keys of the table `meta`.
inline constexpr std::string_view meta_instance = "instance";
inline constexpr std::string_view meta_secret = "secret";     ///< 32 bytes, hashed into decision ids
inline constexpr std::string_view meta_seen_key = "seen_key"; ///< 16 bytes; stays when the secret is changed
inline constexpr std::string_view meta_place = "place";

/// `corrupt` if it is missing.
Result<std::string> read_meta(Connection& connection, std::string_view key);
Status write_meta(Connection& connection, std::string_view key, std::string_view value);

/// The machine's id and the folder of the file, links resolved: where a ledger stands.
std::string place_of(const std::string& path);

} // namespace weir::ledger::sqlite
