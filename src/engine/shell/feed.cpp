#include "feed.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace weir::engine {

/// One stream being read. All but `waiting` and `gone` belong to the feed's thread.
struct Feed::Track {
    Following what;
    bool verified = false;
    bool stopped = false;
    bool failing = false; ///< whoever listens was told so
    int unreadable = 0;
    int slow_checks = 0; ///< one after another during which the thread was away
    SteadyInstant retry_at{};
    std::atomic<std::size_t> waiting{0}; ///< arrivals handed on and not taken
    std::atomic<bool> gone{false};
};

Feed::Feed(events::Bus& bus, const Clock& clock, FeedSink sink, FeedLimits limits)
    : bus_(bus), clock_(clock), sink_(std::move(sink)), limits_(limits) {}

Feed::~Feed() {
    stop();
}

void Feed::start() {
    bus_.on_append([this] {
        std::lock_guard lock(mutex_);
        appended_ = true;
        changed_.notify_one();
    });
    thread_ = std::thread([this] { work(); });
}

void Feed::stop() {
    if (!thread_.joinable()) return;
    bus_.on_append({});
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
        changed_.notify_one();
    }
    thread_.join();
}

void Feed::follow(Following what) {
    auto track = std::make_shared<Track>();
    const auto name = what.stream;
    track->what = std::move(what);
    std::lock_guard lock(mutex_);
    auto& place = tracks_[name];
    if (place) place->gone = true;
    place = std::move(track);
    changed_.notify_one();
}

void Feed::forget(const std::string& stream) {
    std::lock_guard lock(mutex_);
    const auto found = tracks_.find(stream);
    if (found == tracks_.end()) return;
    found->second->gone = true;
    tracks_.erase(found);
}

void Feed::taken(const std::string& stream, std::size_t n) {
    std::lock_guard lock(mutex_);
    const auto found = tracks_.find(stream);
    if (found == tracks_.end()) return;
    auto& waiting = found->second->waiting;
    const auto before = waiting.load();
    waiting -= std::min(n, before);
    // The reader wakes when there is room for a whole read again, not for each arrival.
    const auto mark = limits_.waiting_max / 2;
    if (before >= mark && before - std::min(n, before) < mark) {
        appended_ = true;
        changed_.notify_one();
    }
}

void Feed::ask() {
    std::lock_guard lock(mutex_);
    asked_ = true;
    changed_.notify_one();
}

void Feed::run(std::function<void(events::Bus&)> work) {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(work));
    changed_.notify_one();
}

std::vector<Feed::TrackPtr> Feed::tracks() {
    std::lock_guard lock(mutex_);
    std::vector<TrackPtr> all;
    all.reserve(tracks_.size());
    for (const auto& [name, track] : tracks_)
        all.push_back(track);
    return all;
}

void Feed::work() {
    for (;;) {
        std::vector<std::function<void(events::Bus&)>> tasks;
        {
            std::lock_guard lock(mutex_);
            if (stop_) return;
            tasks.swap(tasks_);
            appended_ = false;
        }
        (void)was_away();
        for (auto& task : tasks)
            task(bus_);
        bool progressed = look_if_due();
        for (const auto& track : tracks())
            if (!track->gone && follow_on(*track)) progressed = true;
        wait(progressed);
    }
}

void Feed::wait(bool progressed) {
    std::unique_lock lock(mutex_);
    if (progressed) return;
    auto until = next_look_;
    for (const auto& [name, track] : tracks_)
        if (!track->stopped && track->retry_at > clock_.steady_now())
            until = std::min(until, track->retry_at);
    const auto left = until - clock_.steady_now();
    if (left <= Duration::zero()) return;
    changed_.wait_for(lock, left,
                      [&] { return stop_ || appended_ || !tasks_.empty() || (asked_ && !in_trouble_); });
}

bool Feed::look_if_due() {
    const auto now = clock_.steady_now();
    {
        std::lock_guard lock(mutex_);
        // After an error whoever asks waits for the next attempt as well.
        if (now < next_look_ && (!asked_ || in_trouble_)) return false;
        asked_ = false;
    }
    const auto asked = clock_.now();
    auto infos = bus_.streams();
    if (!infos.ok()) {
        in_trouble_ = true;
        next_look_ = clock_.steady_now() + limits_.retry_every;
        sink_.unreachable({}, infos.error());
        return false;
    }
    in_trouble_ = false;
    next_look_ = clock_.steady_now() + limits_.look_every;
    compare(*infos);
    sink_.looked(asked, std::move(infos).value());
    return false;
}

/// What a look shows at once: then the place is verified before anything more is read.
void Feed::compare(const std::vector<events::StreamInfo>& infos) {
    for (const auto& track : tracks()) {
        const auto& place = track->what.place;
        const auto info = std::find_if(infos.begin(), infos.end(),
                                       [&](const auto& i) { return i.name == track->what.stream; });
        if (info == infos.end()) continue;
        if (info->incarnation != place.incarnation || std::max(info->head, info->last) < place.position ||
            (place.position.value + 1 < info->first.value && !info->overtaken))
            track->verified = false;
    }
}

bool Feed::verify(Track& track) {
    const auto info = bus_.look(track.what.stream);
    if (!info.ok()) return failed(track, info.error()), false;
    auto gap = find_gap(bus_, *info, track.what.place);
    if (!gap.ok()) return failed(track, gap.error()), false;
    if (*gap) return stop_at(track, std::move(**gap)), false;
    track.verified = true;
    return true;
}

void Feed::failed(Track& track, const Error& error) {
    track.failing = true;
    track.retry_at = clock_.steady_now() + limits_.retry_every;
    sink_.unreachable(track.what.stream, error);
}

void Feed::stop_at(Track& track, StreamGap gap) {
    track.stopped = true;
    sink_.gap(track.what, std::move(gap));
}

/// A frozen process keeps its connections: a broker answers the request that was open with what stands at the
/// same place by then, of whatever stream, and nothing else tells.
bool Feed::was_away() {
    const auto now = clock_.steady_now();
    const auto before = std::exchange(alive_, now);
    if (before == SteadyInstant{} || now - before <= limits_.away_max) return false;
    for (const auto& track : tracks())
        track->verified = false;
    return true;
}

/// Reads on. True: there may be more at once.
bool Feed::follow_on(Track& track) {
    if (track.stopped || clock_.steady_now() < track.retry_at) return false;
    if (!track.verified) {
        if (!verify(track)) return false;
        // Frozen meanwhile, or a slow broker: nothing tells. One that is always that slow is read all the
        // same.
        if (!was_away())
            track.slow_checks = 0;
        else if (++track.slow_checks < limits_.slow_checks_max)
            return true;
        track.verified = true;
    }
    if (track.waiting.load() >= limits_.waiting_max) return false;
    auto reading =
        bus_.read(track.what.stream, track.what.place.position, limits_.events_max, limits_.bytes_max);
    const bool away = was_away();
    if (reading.ok() && (reading->interrupted || away)) {
        // What came is not used: after the check it is read again from the place that was checked.
        track.verified = false;
        return true;
    }
    if (!reading.ok()) {
        track.verified = false;
        if (reading.error().kind != ErrorKind::Corrupt) return failed(track, reading.error()), false;
        if (++track.unreadable < limits_.unreadable_max) return true;
        const Position next(track.what.place.position.value + 1);
        stop_at(track, {"unreadable", next, Position(next.value - 1), reading.error().message});
        return false;
    }
    track.unreadable = 0;
    return hand_on(track, std::move(reading).value());
}

bool Feed::hand_on(Track& track, events::Reading reading) {
    auto& place = track.what.place;
    const bool recovered = std::exchange(track.failing, false);
    if (reading.arrivals.empty() && reading.upto <= place.position && !recovered) return false;
    for (auto& arrival : reading.arrivals)
        place.time = arrival.time = std::max(arrival.time, place.time);
    place.position = std::max(reading.upto, place.position);
    if (!reading.arrivals.empty()) {
        place.event = reading.arrivals.back().position;
        place.digest = events::place_digest(reading.arrivals.back());
    }
    track.waiting += reading.arrivals.size();
    const bool more = !reading.arrivals.empty();
    sink_.read(track.what, std::move(reading));
    return more;
}

} // namespace weir::engine
