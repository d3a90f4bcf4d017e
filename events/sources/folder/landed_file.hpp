#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <weir/events/event.hpp>
#include <weir/events/folder_source.hpp>

namespace weir::events::folder {

/// What tells one state of a file from another.
struct Fingerprint {
    std::int64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0; ///< since 1970
    bool operator==(const Fingerprint&) const = default;
};

/// True if files of this name are to be published.
bool wanted(std::string_view name, const FolderOptions& options);

/// The event for a file that has landed. The same file in the same state gives the same event.
Event event_of(std::string_view name, const Fingerprint& file, const FolderOptions& options);

/// Bytes as UTF-8: what is not becomes U+FFFD.
std::string as_utf8(std::string_view bytes);

} // namespace weir::events::folder
