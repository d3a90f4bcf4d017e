#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/events/source.hpp>

namespace weir::events {

/// What is done with files that lie in the folder when the source sees it for the first time ever. Files that
/// came while weir was down are published either way.
enum class Existing : std::uint8_t { Ignore, Publish };

struct FolderOptions {
    std::string name;          ///< of the source: events come from `/folder/NAME`
    std::string folder;        ///< made absolute; sub-folders are not looked into
    std::string state_path;    ///< SQLite file (0600) with what was published; one per source
    std::string pattern = "*"; ///< of the file name, `*` for any run of characters
    std::string event_type = "weir.file.landed";
    Existing existing = Existing::Ignore;
    bool hidden = false;    ///< also names that begin with a dot
    bool temporary = false; ///< also what programs write before they rename: NAME~, #NAME#, .tmp .part
                            ///< .partial .crdownload .swp .swx .filepart .download
    Duration settle = std::chrono::seconds(2); ///< how long a file found by a scan must not change
    std::size_t pending_max =
        10'000;                  ///< landings waiting for the sink; what comes then is found by a scan later
    std::size_t batch_max = 256; ///< events in one call of the sink
};

/// Watches one folder: every regular file that lands in it becomes one event. Landed means that a writer
/// closed it or that it was moved (or linked) there; at the start, after the kernel's queue overflowed and
/// after the folder was away, a scan finds what was missed, and such a file counts once size and time stayed
/// the same for `settle`. A file that is written again has landed again. The event: id = hash of source,
/// path, inode, size and modification time, so that a crash between publishing and noting it repeats the same
/// id; subject = file name; time = its modification time; data = {path, name, size, modified, folder, uri}.
/// In a name that is not UTF-8 the odd bytes show as U+FFFD, data has `"name_exact": false`, and `uri`
/// (percent-encoded) is exact. Owner:  the application; `clock` outlives the source. Thread: start(), stop(),
/// state() from any thread; one thread of its own from start() to stop(). Errors: from here: `invalid`
/// options, `conflict`: the state file is in use, `invalid`, `unsupported`, `denied`:
///         it is not ours, newer, not writable. A folder that is missing or goes away shows in state() and is
///         looked for every second. A sink that is `unavailable` or `timeout` is asked again after 0.2 s to 5
///         s. An event that the sink refuses for good is logged, shown in state() and skipped.
/// Time:   steady time of `clock` for settling and waiting.
/// Limits: options above. Symbolic links are not followed. Changes made by another machine on a network file
/// system
///         are not told by the kernel: only scans find them.
Result<std::unique_ptr<Source>> make_folder_source(FolderOptions options, const Clock& clock);

} // namespace weir::events
