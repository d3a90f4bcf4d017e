#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/base/sync.hpp>
#include <weir/events/folder_source.hpp>
#include <weir/events/source.hpp>

#include "landed_file.hpp"
#include "seen_table.hpp"

namespace weir::events::folder {

/// A file descriptor that is closed with its owner.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept { std::swap(number_, other.number_); }
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor();
    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] bool is_open() const { return number_ >= 0; }

  private:
    int number_ = -1;
};

/// The folder source without its thread: round() is one turn. That is how tests drive it, with a manual
/// clock. Thread: round() from one; wake() and state() from any.
class Watcher {
  public:
    static Result<std::unique_ptr<Watcher>> open(FolderOptions options, const Clock& clock);

    /// Waits up to `wait` for news (less if something is due), then does what there is to do: attach to the
    /// folder, take the kernel's news, let candidates settle, hand landings to the sink.
    void round(const Sink& sink, Duration wait);
    void wake();
    [[nodiscard]] SourceState state() const;
    void close();

  private:
    struct Candidate {
        Fingerprint file;
        SteadyInstant since;
    };

    Watcher(FolderOptions options, const Clock& clock, SeenTable table, Descriptor waker);
    [[nodiscard]] Duration until_due(Duration wait) const;
    void wait_for_news(Duration wait);
    // The folder: watched or away.
    void attach();
    void detach(const std::string& why);
    void check_folder();
    Status scan();
    // News.
    void take_news();
    void take(std::uint32_t mask, std::string_view name);
    void landed(const std::string& name, const Fingerprint& file);
    void maybe_candidate(const std::string& name, const Fingerprint& file);
    void settle();
    [[nodiscard]] bool known(const std::string& name, const Fingerprint& file);
    // Handing on.
    void hand_on(const Sink& sink);
    void handed_on(std::size_t count);
    void refused(const Error& error, std::size_t count);
    void write_table();
    void trouble(std::string_view part, const std::string& why);
    void well(std::string_view part);

    const FolderOptions options_;
    const Clock& clock_;
    SeenTable table_;
    Descriptor waker_;
    Descriptor inotify_;
    std::pair<std::uint64_t, std::uint64_t> folder_identity_{}; ///< device and inode of what is watched
    SteadyInstant next_check_{};
    bool rescan_ = false;
    SteadyInstant next_scan_{};
    std::map<std::string, Candidate> candidates_;
    std::deque<SeenFile> pending_;                            ///< in the order of landing
    std::unordered_map<std::string, std::size_t> in_pending_; ///< name -> running number of its entry
    std::size_t pending_taken_ = 0;                           ///< running number of pending_.front()
    std::size_t batch_ = 0;                                   ///< events in the next call of the sink
    SteadyInstant retry_at_{};
    Duration backoff_{};
    std::map<std::string, Fingerprint> unrecorded_; ///< published, but the table could not be written yet
    std::set<std::string> to_forget_;
    struct Shown {
        std::map<std::string, std::string, std::less<>> troubles; ///< part -> what is wrong with it
        std::int64_t published = 0;
    };
    Sync<Shown> shown_;
};

} // namespace weir::events::folder
