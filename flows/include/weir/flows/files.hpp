#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>

namespace weir::flows {

/// Writes a file so that it is there whole or not at all, also after a power cut: temporary file beside it,
/// fsync, rename, fsync of the folder. `unavailable` names the file and the reason (a full disk).
Status write_durably(const std::filesystem::path& path, std::string_view bytes);
/// The same for a file that must not be there yet, whoever else makes it at this moment: `conflict` if it is.
/// `durable` false: without fsync.
Status create_file(const std::filesystem::path& path, std::string_view bytes, bool durable);
/// Writes a file without fsync: what can be made again.
Status write_plain(const std::filesystem::path& path, std::string_view bytes);
/// fsync of a folder: what was renamed into it stays.
Status sync_folder(const std::filesystem::path& path);
/// `not_found` if it is not there, `exhausted` past `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);
/// At most `bytes_max` from the file's end, beginning with a whole line if it was cut (a whole character
/// where it is all one line). As it stands: it need not be UTF-8. Empty if it is not there.
std::string read_tail(const std::filesystem::path& path, std::size_t bytes_max);
Status make_folders(const std::filesystem::path& path);
/// The last line with something in it, made printable (and UTF-8); empty if there is none.
std::string last_line(std::string_view text);

} // namespace weir::flows
