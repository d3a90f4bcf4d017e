#include <weir/events/embedded_bus.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include <weir/base/crash_point.hpp>
#include <weir/base/digest.hpp>
#include <weir/base/sync.hpp>
#include <weir/events/wire_codec.hpp>

#include "bus_parts.hpp"
#include "store.hpp"

namespace weir::events {
namespace {

/// One transaction holds at most about this, however many callers wait.
constexpr std::size_t commit_events_max = 20'000;
constexpr std::size_t commit_bytes_max = 32 * 1024 * 1024;
constexpr Duration retention_pause = std::chrono::seconds(1);

/// One publish() on its way. Lives on its caller's stack.
struct Request {
    std::vector<std::string> encoded;
    std::size_t bytes = 0;
    bool done = false;
    Status outcome;
    std::int64_t first = 0; ///< position of encoded[0] once done
};

/// What is known without asking the file.
struct Ends {
    std::int64_t first = 1;
    std::int64_t head = 0;
    Instant time{}; ///< of head
};

class EmbeddedBus final : public Bus {
  public:
    EmbeddedBus(const Clock& clock, std::string path, EmbeddedBusOptions options, embedded::Store store)
        : clock_(clock),
          path_(std::move(path)),
          options_(std::move(options)),
          store_(std::move(store)),
          ends_(ends_of(store_)) {}
    ~EmbeddedBus() override { close(); }
    EmbeddedBus(const EmbeddedBus&) = delete;
    EmbeddedBus& operator=(const EmbeddedBus&) = delete;

    BusState state() const override {
        return {"embedded",
                "embedded",
                !closed_.load(),
                closed_.load() ? "closed" : "the file " + path_,
                Durability::PowerSafe,
                "every publish() is synced to disk before it returns",
                0};
    }
    bool remote() const override { return false; }

    Result<std::vector<StreamInfo>> streams() override {
        WEIR_ASSIGN(info, look(options_.stream));
        return std::vector<StreamInfo>{std::move(info)};
    }

    Result<StreamInfo> look(std::string_view stream) override {
        WEIR_TRY(usable(stream));
        const auto ends = ends_.with([](const Ends& e) { return e; });
        return StreamInfo{options_.stream,     {},          store_.incarnation(),  Position(ends.first),
                          Position(ends.head), Position(0), Durability::PowerSafe, false};
    }

    Result<Reading> read(std::string_view stream, Position after, std::size_t events_max,
                         std::size_t bytes_max) override;
    Result<Arrival> at(std::string_view stream, Position position) override;
    Result<Position> last_before(std::string_view stream, Instant time) override;
    Result<std::vector<Position>> publish(std::string_view stream, std::span<const Event> events) override;
    void on_append(std::function<void()> called) override { handler_.set(std::move(called)); }
    Status release(std::string_view stream, Position position) override;
    void close() override;

  private:
    static Ends ends_of(const embedded::Store& store) {
        return {store.opened().first, store.opened().head, store.opened().time};
    }

    Status usable(std::string_view stream) {
        if (closed_.load()) return bus_closed();
        if (stream != options_.stream) return no_such_stream(stream, options_.stream);
        return {};
    }

    Result<Request> make_request(std::span<const Event> events) const;
    void commit_waiting(std::unique_lock<std::mutex>& lock);
    Status commit(const std::vector<Request*>& batch);
    Status resync();
    Status drop_some(std::int64_t released);

    const Clock& clock_;
    const std::string path_;
    const EmbeddedBusOptions options_;
    embedded::Store store_;
    Sync<Ends> ends_;
    std::atomic<bool> closed_{false};
    AppendHandler handler_;

    std::mutex mutex_; ///< over what follows; `writing_` means that one thread has the writing side of store_
    std::condition_variable changed_;
    std::deque<Request*> waiting_;
    bool writing_ = false;
    bool unsure_ = false; ///< a commit failed: what the file holds is read again before the next one
    std::int64_t released_ = 0;
    SteadyInstant next_retention_{};
};

Result<Reading> EmbeddedBus::read(std::string_view stream, Position after, std::size_t events_max,
                                  std::size_t bytes_max) {
    WEIR_TRY(usable(stream));
    if (after.value < 0) return invalid("a position is not negative");
    const auto ends = ends_.with([](const Ends& e) { return e; });
    if (after.value > ends.head) return beyond_head(options_.stream, after, Position(ends.head));
    if (after.value + 1 < ends.first)
        return positions_gone(options_.stream, Position(after.value + 1), Position(ends.first - 1));
    if (after.value == ends.head || events_max == 0) return Reading{{}, after, false};
    auto arrivals = store_.read(after.value, ends.head, events_max, bytes_max);
    if (arrivals.ok()) return reading_of(std::move(arrivals).value(), after);
    // Retention may have passed by in between; then that is the better answer.
    const auto first = ends_.with([](const Ends& e) { return e.first; });
    if (arrivals.error().kind == ErrorKind::Corrupt && after.value + 1 < first)
        return positions_gone(options_.stream, Position(after.value + 1), Position(first - 1));
    return arrivals.error().in("stream \"" + options_.stream + "\"");
}

Result<Arrival> EmbeddedBus::at(std::string_view stream, Position position) {
    WEIR_TRY(usable(stream));
    const auto ends = ends_.with([](const Ends& e) { return e; });
    if (position.value < ends.first || position.value > ends.head)
        return nothing_at(options_.stream, position);
    WEIR_ASSIGN(one, store_.read(position.value - 1, position.value, 1, 1));
    return std::move(one.front());
}

Result<Position> EmbeddedBus::last_before(std::string_view stream, Instant time) {
    WEIR_TRY(usable(stream));
    const auto ends = ends_.with([](const Ends& e) { return e; });
    // Times never fall: halving finds the last one.
    auto low = ends.first - 1, high = ends.head;
    while (low < high) {
        const auto middle = low + (high - low + 1) / 2;
        WEIR_ASSIGN(one, store_.read(middle - 1, middle, 1, 1));
        if (one.front().time <= time)
            low = middle;
        else
            high = middle - 1;
    }
    return Position(low);
}

Result<Request> EmbeddedBus::make_request(std::span<const Event> events) const {
    if (events.size() > options_.publish_events_max)
        return exhausted(std::to_string(events.size()) + " events in one call; the limit is " +
                         std::to_string(options_.publish_events_max));
    WEIR_TRY(check_all(events, options_.limits));
    Request request;
    for (const auto& event : events)
        request.bytes += weight(event);
    if (request.bytes > options_.publish_bytes_max)
        return exhausted(std::to_string(request.bytes) + " bytes in one call; the limit is " +
                         std::to_string(options_.publish_bytes_max));
    request.encoded.reserve(events.size());
    for (const auto& event : events)
        request.encoded.push_back(encode_wire(event));
    return request;
}

Result<std::vector<Position>> EmbeddedBus::publish(std::string_view stream, std::span<const Event> events) {
    WEIR_TRY(usable(stream.empty() ? std::string_view(options_.stream) : stream));
    if (events.empty()) return std::vector<Position>();
    WEIR_ASSIGN(request, make_request(events));
    {
        std::unique_lock lock(mutex_);
        if (closed_.load()) return bus_closed();
        waiting_.push_back(&request);
        // Whoever finds nobody writing writes for all who wait, until its own events are in.
        while (!request.done) {
            if (writing_)
                changed_.wait(lock);
            else
                commit_waiting(lock);
        }
    }
    if (!request.outcome.ok()) return request.outcome.error();
    std::vector<Position> positions;
    positions.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i)
        positions.emplace_back(request.first + static_cast<std::int64_t>(i));
    handler_.call();
    return positions;
}

void EmbeddedBus::commit_waiting(std::unique_lock<std::mutex>& lock) {
    std::vector<Request*> batch;
    std::size_t count = 0, bytes = 0;
    while (!waiting_.empty()) {
        auto* next = waiting_.front();
        if (!batch.empty() &&
            (count + next->encoded.size() > commit_events_max || bytes + next->bytes > commit_bytes_max))
            break;
        waiting_.pop_front();
        count += next->encoded.size();
        bytes += next->bytes;
        batch.push_back(next);
    }
    writing_ = true;
    lock.unlock();
    const auto outcome = commit(batch);
    lock.lock();
    writing_ = false;
    unsure_ = unsure_ || !outcome.ok();
    for (auto* request : batch) {
        request->outcome = outcome;
        request->done = true;
    }
    changed_.notify_all();
}

/// Only while writing_ is ours.
Status EmbeddedBus::commit(const std::vector<Request*>& batch) {
    WEIR_TRY(resync());
    const auto before = ends_.with([](const Ends& e) { return e; });
    const auto time = std::max(before.time, clock_.now());
    std::int64_t position = before.head;
    auto transaction = store_.begin();
    if (!transaction.ok()) return transaction.error();
    for (auto* request : batch) {
        request->first = position + 1;
        for (const auto& bytes : request->encoded)
            if (auto added = store_.append(++position, time, bytes); !added.ok()) {
                store_.roll_back();
                return added.error();
            }
    }
    crash_point("bus_before_commit");
    if (auto committed = store_.commit(); !committed.ok()) {
        store_.roll_back();
        return committed.error();
    }
    crash_point("bus_after_commit");
    ends_.with([&](Ends& e) {
        e.head = position;
        e.time = time;
    });
    return {};
}

/// After a failed commit: whether it took effect after all is known only to the file.
Status EmbeddedBus::resync() {
    {
        std::lock_guard lock(mutex_);
        if (!unsure_) return {};
    }
    WEIR_ASSIGN(found, store_.look());
    const auto head = ends_.with([](const Ends& e) { return e.head; });
    if (found.head < head)
        return corrupt("the file ends at position " + std::to_string(found.head) + ", but " +
                       std::to_string(head) + " was durable");
    ends_.with([&](Ends& e) { e = {found.first, found.head, std::max(e.time, found.time)}; });
    std::lock_guard lock(mutex_);
    unsure_ = false;
    return {};
}

Status EmbeddedBus::release(std::string_view stream, Position position) {
    WEIR_TRY(usable(stream));
    const auto head = ends_.with([](const Ends& e) { return e.head; });
    std::unique_lock lock(mutex_);
    released_ = std::max(released_, std::min(position.value, head));
    // Not due, or somebody writes just now: the next call will do.
    if (closed_.load() || writing_ || clock_.steady_now() < next_retention_) return {};
    next_retention_ = clock_.steady_now() + retention_pause;
    const auto released = released_;
    writing_ = true;
    lock.unlock();
    const auto dropped = drop_some(released);
    lock.lock();
    writing_ = false;
    changed_.notify_all();
    if (!dropped.ok()) return dropped.error().in("dropping old events");
    return {};
}

/// Only while writing_ is ours. The newest event stays, so that head and time survive.
Status EmbeddedBus::drop_some(std::int64_t released) {
    const auto ends = ends_.with([](const Ends& e) { return e; });
    const auto last = std::min(released, ends.head - 1);
    if (last < ends.first) return {};
    WEIR_ASSIGN(cut, store_.find_cut({.first = ends.first,
                                      .last = last,
                                      .head = ends.head,
                                      .older_than = options_.keep_age > Duration::zero()
                                                        ? clock_.now() - options_.keep_age
                                                        : from_ns(INT64_MIN),
                                      .bytes_max = options_.keep_bytes}));
    if (cut.first_kept == ends.first) return {};
    WEIR_TRY(store_.drop_before(cut.first_kept));
    ends_.with([&](Ends& e) { e.first = cut.first_kept; });
    if (cut.more) {
        std::lock_guard lock(mutex_);
        next_retention_ = {};
    }
    return {};
}

void EmbeddedBus::close() {
    std::unique_lock lock(mutex_);
    closed_.store(true);
    changed_.wait(lock, [this] { return !writing_ && waiting_.empty(); });
    lock.unlock();
    handler_.close();
    store_.close();
}

} // namespace

Result<std::unique_ptr<Bus>> open_embedded_bus(const std::string& path, const Clock& clock,
                                               EmbeddedBusOptions options) {
    if (options.stream.empty()) return invalid("the stream of an embedded bus needs a name");
    if (options.incarnation.empty()) options.incarnation = to_hex(sha256(random_bytes(32))).substr(0, 32);
    WEIR_ASSIGN(store, embedded::Store::open(path, options));
    return std::unique_ptr<Bus>(
        std::make_unique<EmbeddedBus>(clock, path, std::move(options), std::move(store)));
}

} // namespace weir::events
