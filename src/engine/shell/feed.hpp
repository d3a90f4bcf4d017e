#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>

#include "gap.hpp"

namespace weir::engine {

/// Which stream is read, and from where. A stream that is followed anew has another generation: what was on
/// its way of the old one is then dropped by who receives it.
struct Following {
    std::string stream;
    ReadPlace place;
    std::uint64_t generation = 0;
};

/// Who hears of what a feed found; called on the feed's thread.
struct FeedSink {
    /// Every stream as it was after `asked`.
    std::function<void(Instant asked, std::vector<events::StreamInfo>)> looked;
    std::function<void(const Following& what, events::Reading)> read;
    /// The stream is not read any more until it is followed anew.
    std::function<void(const Following& what, StreamGap)> gap;
    /// `stream` empty: all of the bus.
    std::function<void(std::string stream, Error)> unreachable;
};

/// Documented limits of a feed.
struct FeedLimits {
    std::size_t events_max = 1000; ///< a read
    std::size_t bytes_max = 8 * 1024 * 1024;
    std::size_t waiting_max = 4000; ///< arrivals handed on and not taken yet, per stream; then it pauses
    Duration look_every = std::chrono::seconds(1);         ///< streams are looked at, also when nobody asks
    Duration retry_every = std::chrono::milliseconds(250); ///< after an error
    /// This thread did not run for so long: the process was frozen, or waited for a network. Connections may
    /// have outlived what was read by them, so every place is checked again.
    Duration away_max = std::chrono::seconds(2);
    int slow_checks_max = 3; ///< a place whose checks each take longer than away_max is read after so many
    int unreadable_max = 3;  ///< reads that fail although nothing seems lost, before it is called a gap
};

/// Reads the streams of one remote bus on a thread of its own, and looks at them, so that the loop never
/// waits for a network. Before it reads a stream, and again after every interruption, it checks that the
/// stream is still the one that was read so far (find_gap()). Owner:  the shell; the sink is not called once
/// stop() has returned. Thread: every method from any thread. Errors: to the sink. Time: arrival times never
/// fall within what it hands on. Limits: FeedLimits.
class Feed {
  public:
    Feed(events::Bus& bus, const Clock& clock, FeedSink sink, FeedLimits limits = {});
    ~Feed();
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;

    void start();
    void stop();

    void follow(Following what);
    void forget(const std::string& stream);
    /// `n` arrivals of what was handed on were taken.
    void taken(const std::string& stream, std::size_t n);
    /// Looks at the streams as soon as possible.
    void ask();
    /// Something for the feed's own thread, which may wait for the network.
    void run(std::function<void(events::Bus&)> work);

  private:
    struct Track;
    using TrackPtr = std::shared_ptr<Track>;
    void work();
    void wait(bool progressed);
    bool look_if_due();
    void compare(const std::vector<events::StreamInfo>& infos);
    bool was_away();
    bool follow_on(Track& track);
    bool verify(Track& track);
    bool hand_on(Track& track, events::Reading reading);
    void failed(Track& track, const Error& error);
    void stop_at(Track& track, StreamGap gap);
    [[nodiscard]] std::vector<TrackPtr> tracks();

    events::Bus& bus_;
    const Clock& clock_;
    const FeedSink sink_;
    const FeedLimits limits_;
    std::mutex mutex_; ///< over what follows
    std::condition_variable changed_;
    std::map<std::string, TrackPtr> tracks_;
    std::vector<std::function<void(events::Bus&)>> tasks_;
    bool asked_ = true;
    bool appended_ = false;
    bool stop_ = false;
    SteadyInstant next_look_{}; ///< this and the next: the feed thread's
    bool in_trouble_ = false;   ///< the last look failed
    SteadyInstant alive_{};     ///< when this thread last looked at the clock; 0: not yet
    std::thread thread_;
};

} // namespace weir::engine
