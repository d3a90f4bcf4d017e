#include "watcher.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_set>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

namespace weir::events::folder {
namespace {

using namespace std::chrono_literals;

constexpr Duration check_every = 1s;
constexpr Duration look_every = 250ms;          ///< at candidates
constexpr std::size_t candidates_max = 100'000; ///< what is over is found by the next scan
constexpr Duration backoff_first = 200ms;
constexpr Duration backoff_max = 5s;
constexpr std::uint32_t watched = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::string reason(int problem) {
    if (problem == ENOENT) return "it does not exist; it is looked for every second";
    if (problem == ENOTDIR) return "it is not a folder";
    if (problem == ENOSPC) return "the system's limit of watches is reached (fs.inotify.max_user_watches)";
    if (problem == EMFILE)
        return "the system's limit of inotify instances is reached (fs.inotify.max_user_instances)";
    return std::strerror(problem);
}

Fingerprint fingerprint_of(const struct stat& found) {
    // Seconds that an Instant cannot hold end at its ends.
    constexpr std::int64_t second = 1'000'000'000;
    const auto seconds = std::clamp<std::int64_t>(found.st_mtim.tv_sec, -9'000'000'000, 9'000'000'000);
    return {static_cast<std::int64_t>(found.st_ino), static_cast<std::int64_t>(found.st_size),
            seconds * second + found.st_mtim.tv_nsec};
}

/// Nothing unless it is a regular file.
std::optional<struct stat> regular_file(const std::string& folder, const std::string& name) {
    struct stat found {};
    if (::lstat((folder + "/" + name).c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
    return found;
}

} // namespace

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

Result<std::unique_ptr<Watcher>> Watcher::open(FolderOptions options, const Clock& clock) {
    if (!valid_name(options.name))
        return invalid("a folder source needs a name of letters, digits, . _ and -, found \"" +
                       printable(options.name, 64) + "\"");
    const auto context = "source " + options.name;
    if (options.folder.empty()) return invalid("a folder to watch is needed").in(context);
    if (options.state_path.empty()) return invalid("a path for its state file is needed").in(context);
    if (options.pattern.empty()) return invalid("the pattern of file names is empty").in(context);
    if (options.settle < Duration::zero()) return invalid("settle is negative").in(context);
    if (options.batch_max == 0 || options.pending_max == 0)
        return invalid("batch_max and pending_max are at least 1").in(context);
    std::error_code problem;
    auto path = std::filesystem::absolute(options.folder, problem).lexically_normal();
    if (problem) return invalid("folder: " + problem.message()).in(context);
    if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
    options.folder = path.string();
    if (auto good = check(event_of("x", {}, options)); !good.ok()) return good.error().in(context);
    auto table = SeenTable::open(options.state_path, options.folder);
    if (!table.ok()) return table.error().in(context);
    Descriptor waker(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!waker.is_open()) return unavailable(std::string("eventfd: ") + std::strerror(errno)).in(context);
    return std::unique_ptr<Watcher>(
        new Watcher(std::move(options), clock, std::move(table).value(), std::move(waker)));
}

Watcher::Watcher(FolderOptions options, const Clock& clock, SeenTable table, Descriptor waker)
    : options_(std::move(options)),
      clock_(clock),
      table_(std::move(table)),
      waker_(std::move(waker)),
      batch_(options_.batch_max) {}

void Watcher::round(const Sink& sink, Duration wait) {
    wait_for_news(until_due(wait));
    if (inotify_.is_open())
        take_news();
    else if (clock_.steady_now() >= next_check_)
        attach();
    if (inotify_.is_open()) check_folder();
    if (rescan_ && inotify_.is_open() && pending_.empty() && candidates_.size() < candidates_max / 2 &&
        clock_.steady_now() >= next_scan_) {
        if (auto scanned = scan(); !scanned.ok()) detach(scanned.error().message);
    }
    settle();
    write_table();
    hand_on(sink);
}

void Watcher::wake() {
    const std::uint64_t one = 1;
    // A counter that is full wakes as well.
    if (::write(waker_.number(), &one, sizeof one) < 0) return;
}

SourceState Watcher::state() const {
    SourceState state{options_.name, "folder", true, {}, 0};
    shown_.with([&](const Shown& shown) {
        state.published = shown.published;
        state.healthy = shown.troubles.empty();
        for (const auto& [part, why] : shown.troubles)
            state.detail += (state.detail.empty() ? "" : "; ") + why;
    });
    if (state.healthy) state.detail = "watches " + as_utf8(options_.folder) + " for " + options_.pattern;
    return state;
}

void Watcher::close() {
    inotify_ = {};
    table_.close();
}

void Watcher::trouble(std::string_view part, const std::string& why) {
    const bool fresh = shown_.with([&](Shown& shown) {
        auto& text = shown.troubles[std::string(part)];
        return std::exchange(text, why) != why;
    });
    if (fresh) log::warn("a folder source is in trouble", {{"source", options_.name}, {"detail", why}});
}

void Watcher::well(std::string_view part) {
    const bool changed =
        shown_.with([&](Shown& shown) { return shown.troubles.erase(std::string(part)) > 0; });
    if (changed) log::info("a folder source is well again", {{"source", options_.name}, {"part", part}});
}

Duration Watcher::until_due(Duration wait) const {
    const auto now = clock_.steady_now();
    wait = std::min(wait, std::max<Duration>(next_check_ - now, 0ns));
    if (!candidates_.empty()) wait = std::min<Duration>(wait, look_every);
    if (!pending_.empty()) wait = std::min(wait, std::max<Duration>(retry_at_ - now, 0ns));
    return std::max<Duration>(wait, 0ns);
}

void Watcher::wait_for_news(Duration wait) {
    std::array<pollfd, 2> files{{{waker_.number(), POLLIN, 0}, {inotify_.number(), POLLIN, 0}}};
    // Upwards, so that what is due in part of a millisecond is not asked for in a tight loop.
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    if (::poll(files.data(), files.size(), static_cast<int>(std::min<std::int64_t>(ms, 60'000))) <= 0) return;
    std::uint64_t count = 0;
    if ((files[0].revents & POLLIN) != 0 && ::read(waker_.number(), &count, sizeof count) < 0) return;
}

void Watcher::attach() {
    next_check_ = clock_.steady_now() + check_every;
    Descriptor inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    struct stat found {};
    // First the watch, then the scan: what comes in between is seen twice rather than not at all.
    if (!inotify.is_open() || ::inotify_add_watch(inotify.number(), options_.folder.c_str(), watched) < 0 ||
        ::stat(options_.folder.c_str(), &found) != 0) {
        const int problem = errno;
        // A folder that is not there when it is first looked for is empty: all that appears in it later has
        // landed.
        if (problem == ENOENT && !table_.initialised()) {
            if (auto noted = table_.initialise({}); !noted.ok())
                return trouble("table", "its state cannot be written: " + noted.error().message);
        }
        return trouble("folder", "folder " + as_utf8(options_.folder) + ": " + reason(problem));
    }
    inotify_ = std::move(inotify);
    folder_identity_ = {found.st_dev, found.st_ino};
    if (auto scanned = scan(); !scanned.ok()) return detach(scanned.error().message);
    well("folder");
}

void Watcher::detach(const std::string& why) {
    inotify_ = {};
    candidates_.clear();
    next_check_ = clock_.steady_now() + check_every;
    trouble("folder", "folder " + as_utf8(options_.folder) + ": " + why);
}

/// A mount over the folder, or another folder moved to its place, is told by no watch.
void Watcher::check_folder() {
    if (clock_.steady_now() < next_check_) return;
    next_check_ = clock_.steady_now() + check_every;
    struct stat found {};
    if (::stat(options_.folder.c_str(), &found) != 0) return detach(reason(errno));
    if (folder_identity_ == std::pair<std::uint64_t, std::uint64_t>(found.st_dev, found.st_ino)) return;
    detach("it was replaced by another one");
    attach();
}

Status Watcher::scan() {
    rescan_ = false;
    next_scan_ = clock_.steady_now() + check_every;
    DIR* listing = ::opendir(options_.folder.c_str());
    if (listing == nullptr) return unavailable(reason(errno));
    std::vector<SeenFile> files;
    std::unordered_set<std::string> names;
    errno = 0;
    while (const auto* entry = ::readdir(listing)) {
        const std::string name = entry->d_name;
        if (wanted(name, options_))
            if (const auto found = regular_file(options_.folder, name)) {
                files.emplace_back(name, fingerprint_of(*found));
                names.insert(name);
            }
        errno = 0;
    }
    const int problem = errno;
    ::closedir(listing);
    if (problem != 0) return unavailable(reason(problem));
    if (!table_.initialised()) {
        const bool ignore = options_.existing == Existing::Ignore;
        WEIR_TRY(table_.initialise(ignore ? std::span<const SeenFile>(files) : std::span<const SeenFile>()));
        if (ignore) return {};
    }
    WEIR_TRY(table_.sweep([&](std::string_view name) { return !names.contains(std::string(name)); }));
    for (const auto& [name, file] : files)
        maybe_candidate(name, file);
    return {};
}

void Watcher::take_news() {
    // Aligned as the kernel writes it. One name has at most 255 bytes, so a few hundred events fit.
    alignas(inotify_event) std::array<char, 64 * 1024> buffer;
    // Bounded, so that a folder in which much happens does not keep the sink from its events.
    for (int turns = 0; turns < 16 && inotify_.is_open(); ++turns) {
        const auto size = ::read(inotify_.number(), buffer.data(), buffer.size());
        if (size <= 0) return;
        for (std::size_t at = 0;
             at + sizeof(inotify_event) <= static_cast<std::size_t>(size) && inotify_.is_open();) {
            inotify_event head{};
            std::memcpy(&head, buffer.data() + at, sizeof head);
            const char* name = buffer.data() + at + sizeof head;
            take(head.mask, std::string_view(name, ::strnlen(name, head.len)));
            at += sizeof head + head.len;
        }
    }
}

void Watcher::take(std::uint32_t mask, std::string_view news_name) {
    if ((mask & IN_Q_OVERFLOW) != 0) {
        log::warn("more happened in a watched folder than the kernel could tell: it is scanned",
                  {{"source", options_.name}});
        rescan_ = true;
        return;
    }
    if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0)
        return detach("it was moved away or deleted; it is looked for every second");
    if ((mask & IN_ISDIR) != 0 || !wanted(news_name, options_)) return;
    const std::string name(news_name);
    if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
        candidates_.erase(name);
        unrecorded_.erase(name);
        to_forget_.insert(name);
        return;
    }
    const auto found = regular_file(options_.folder, name);
    if (!found) return;
    const auto file = fingerprint_of(*found);
    if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0)
        landed(name, file);
    else if (found->st_nlink > 1)
        maybe_candidate(name, file); // a second link: no writer will close it here
}

bool Watcher::known(const std::string& name, const Fingerprint& file) {
    if (const auto at = unrecorded_.find(name); at != unrecorded_.end() && at->second == file) return true;
    if (to_forget_.contains(name)) return false;
    const auto seen = table_.find(name);
    if (!seen.ok()) {
        // Better twice with the same id than not at all.
        trouble("table", "its state cannot be read: " + seen.error().message);
        return false;
    }
    return *seen == file;
}

void Watcher::landed(const std::string& name, const Fingerprint& file) {
    candidates_.erase(name);
    if (known(name, file)) return;
    if (const auto at = in_pending_.find(name); at != in_pending_.end()) {
        pending_[at->second - pending_taken_].second = file;
        return;
    }
    if (pending_.size() >= options_.pending_max) {
        rescan_ = true;
        return;
    }
    in_pending_.emplace(name, pending_taken_ + pending_.size());
    pending_.emplace_back(name, file);
}

void Watcher::maybe_candidate(const std::string& name, const Fingerprint& file) {
    if (in_pending_.contains(name) || known(name, file)) return;
    if (candidates_.size() >= candidates_max) {
        rescan_ = true;
        return;
    }
    const auto [at, fresh] = candidates_.try_emplace(name, Candidate{file, clock_.steady_now()});
    if (!fresh && at->second.file != file) at->second = {file, clock_.steady_now()};
}

void Watcher::settle() {
    const auto now = clock_.steady_now();
    std::vector<SeenFile> settled;
    for (auto at = candidates_.begin(); at != candidates_.end();) {
        auto& [name, candidate] = *at;
        if (now - candidate.since < options_.settle) {
            ++at;
            continue;
        }
        if (pending_.size() + settled.size() >= options_.pending_max) break; // the others stay candidates
        const auto found = regular_file(options_.folder, name);
        const auto file = found ? fingerprint_of(*found) : Fingerprint();
        if (found && file != candidate.file) {
            candidate = {file, now};
            ++at;
            continue;
        }
        if (found) settled.emplace_back(name, file);
        at = candidates_.erase(at);
    }
    for (const auto& [name, file] : settled)
        landed(name, file);
}

void Watcher::write_table() {
    if (!to_forget_.empty()) {
        const std::vector<std::string> names(to_forget_.begin(), to_forget_.end());
        if (auto written = table_.forget(names); !written.ok())
            return trouble("table", "its state cannot be written: " + written.error().message);
        to_forget_.clear();
        well("table");
    }
    if (unrecorded_.empty()) return;
    const std::vector<SeenFile> files(unrecorded_.begin(), unrecorded_.end());
    if (auto written = table_.record(files); !written.ok())
        return trouble("table", "its state cannot be written: " + written.error().message);
    unrecorded_.clear();
    well("table");
}

void Watcher::hand_on(const Sink& sink) {
    while (!pending_.empty() && clock_.steady_now() >= retry_at_ &&
           unrecorded_.size() < options_.pending_max) {
        const auto count = std::min(batch_, pending_.size());
        std::vector<Event> events;
        events.reserve(count);
        for (std::size_t i = 0; i < count; ++i)
            events.push_back(event_of(pending_[i].first, pending_[i].second, options_));
        const auto taken = sink(events);
        if (!taken.ok()) return refused(taken.error(), count);
        handed_on(count);
    }
}

void Watcher::handed_on(std::size_t count) {
    well("sink");
    backoff_ = {};
    retry_at_ = {};
    batch_ = options_.batch_max;
    shown_.with([&](Shown& shown) { shown.published += static_cast<std::int64_t>(count); });
    for (; count > 0; --count) {
        unrecorded_[pending_.front().first] = pending_.front().second;
        in_pending_.erase(pending_.front().first);
        pending_.pop_front();
        ++pending_taken_;
    }
    write_table();
}

void Watcher::refused(const Error& error, std::size_t count) {
    if (retryable(error.kind)) {
        backoff_ = backoff_ == Duration::zero() ? backoff_first : std::min(backoff_ * 2, backoff_max);
        retry_at_ = clock_.steady_now() + backoff_;
        return trouble("sink", "its events are not taken just now: " + error.message);
    }
    if (count > 1) {
        // One of them is the bad one: they are handed on one by one until it is found.
        batch_ = 1;
        return;
    }
    const auto name = pending_.front().first;
    log::error("an event was refused and is left out",
               {{"source", options_.name}, {"file", printable(name)}, {"error", error.message}});
    trouble("event", "the event of file \"" + printable(name) + "\" was refused: " + error.message);
    in_pending_.erase(name);
    pending_.pop_front();
    ++pending_taken_;
}

} // namespace weir::events::folder
