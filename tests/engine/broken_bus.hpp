#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <weir/events/bus.hpp>

namespace weir::engine::test {

/// A remote bus in memory that loses what its test says: retention, recreated streams, numbers given out
/// again, silence.
class BrokenBus final : public events::Bus {
  public:
    explicit BrokenBus(std::string name) : name_(std::move(name)) {}

    /// "NAME/STREAM"
    std::string add_stream(const std::string& stream, const std::string& family = {}) {
        std::lock_guard lock(mutex_);
        auto& made = streams_[name_ + "/" + stream];
        made.family = family.empty() ? "" : name_ + "/" + family;
        made.incarnation = "1";
        return name_ + "/" + stream;
    }
    void append(const std::string& stream, events::Event event, Instant time) {
        add(stream, {Position(), time, std::move(event), nullptr, true});
    }
    /// A message that is no event.
    void append_poison(const std::string& stream, events::Message message, Instant time) {
        events::Arrival arrival{Position(), time, {}, nullptr, true};
        arrival.poison = std::make_shared<const events::Poison>(
            events::make_poison("expected an event", std::move(message)));
        add(stream, std::move(arrival));
    }
    /// Its data is neither validated nor compact.
    void append_unread(const std::string& stream, events::Event event, Instant time) {
        add(stream, {Position(), time, std::move(event), nullptr, false});
    }
    /// Everything up to `position` is gone.
    void retire(const std::string& stream, std::int64_t position) {
        std::lock_guard lock(mutex_);
        auto& one = streams_.at(stream);
        std::erase_if(one.kept, [&](const auto& a) { return a.position.value <= position; });
        one.first = position + 1;
    }
    /// Deleted and made anew.
    void recreate(const std::string& stream) {
        std::lock_guard lock(mutex_);
        auto& one = streams_.at(stream);
        one.kept.clear();
        one.first = 1;
        one.head = 0;
        one.incarnation = std::to_string(std::stoi(one.incarnation) + 1);
        one.interrupted = true;
    }
    /// A loss of power at the server: what came after `position` is forgotten, its numbers are given out
    /// again. `then`: what gets them, before anybody looks.
    void roll_back(const std::string& stream, std::int64_t position,
                   const std::vector<events::Event>& then = {}, Instant time = {}) {
        std::lock_guard lock(mutex_);
        auto& one = streams_.at(stream);
        std::erase_if(one.kept, [&](const auto& a) { return a.position.value > position; });
        one.head = position;
        one.interrupted = true;
        for (const auto& event : then)
            one.kept.push_back({Position(++one.head), time, event, nullptr, true});
    }
    /// Nobody can tell that the connection was lost.
    void hide_interruption(const std::string& stream) {
        std::lock_guard lock(mutex_);
        streams_.at(stream).interrupted = false;
    }
    /// Called when the answer of at() is known, before the one who asked has it.
    void during_at(std::function<void()> called) {
        std::lock_guard lock(mutex_);
        during_at_ = std::move(called);
    }
    /// What stands at a position reads otherwise: the mapping was changed.
    void read_otherwise(const std::string& stream, std::int64_t position, events::Event event) {
        std::lock_guard lock(mutex_);
        for (auto& arrival : streams_.at(stream).kept)
            if (arrival.position.value == position) {
                arrival.poison.reset();
                arrival.event = event;
            }
    }
    /// publish() is refused for reasons that a person mends.
    void deny(bool denied) {
        std::lock_guard lock(mutex_);
        denies_ = denied;
    }
    void remove_stream(const std::string& stream) {
        std::lock_guard lock(mutex_);
        streams_.erase(stream);
    }
    void be_silent(bool silent) {
        std::lock_guard lock(mutex_);
        silent_ = silent;
        for (auto& [name, stream] : streams_)
            stream.interrupted = true;
    }
    /// Looks are answered, reads are not.
    void refuse_reads(bool refuse) {
        std::lock_guard lock(mutex_);
        refuses_reads_ = refuse;
    }
    /// Events over this many bytes are refused.
    void limit(std::size_t bytes) {
        std::lock_guard lock(mutex_);
        bytes_max_ = bytes;
    }
    [[nodiscard]] std::vector<events::Event> published() const {
        std::lock_guard lock(mutex_);
        return published_;
    }

    [[nodiscard]] events::BusState state() const override {
        std::lock_guard lock(mutex_);
        return {name_,    "broken", !silent_, silent_ ? "silent" : "", events::Durability::ProcessSafe,
                "a test", 0};
    }
    [[nodiscard]] bool remote() const override { return true; }
    Result<std::vector<events::StreamInfo>> streams() override {
        std::lock_guard lock(mutex_);
        if (silent_) return silence();
        std::vector<events::StreamInfo> all;
        for (const auto& [name, stream] : streams_)
            all.push_back(info(name, stream));
        return all;
    }
    Result<events::StreamInfo> look(std::string_view stream) override {
        std::lock_guard lock(mutex_);
        WEIR_ASSIGN(found, find(stream));
        return info(std::string(stream), *found);
    }
    Result<events::Reading> read(std::string_view name, Position after, std::size_t events_max,
                                 std::size_t) override {
        std::lock_guard lock(mutex_);
        WEIR_ASSIGN(stream, find(name));
        if (refuses_reads_) return unavailable("reads are refused");
        if (after.value > stream->head) return corrupt("behind the end");
        if (after.value + 1 < stream->first) return corrupt("gone");
        events::Reading reading;
        reading.upto = after;
        reading.interrupted = std::exchange(stream->interrupted, false);
        for (const auto& arrival : stream->kept) {
            if (arrival.position <= after || reading.arrivals.size() >= events_max) continue;
            reading.arrivals.push_back(arrival);
            reading.upto = arrival.position;
        }
        return reading;
    }
    Result<events::Arrival> at(std::string_view name, Position position) override {
        Result<events::Arrival> answer = not_found("nothing there");
        std::function<void()> called;
        {
            std::lock_guard lock(mutex_);
            WEIR_ASSIGN(stream, find(name));
            for (const auto& arrival : stream->kept)
                if (arrival.position == position) answer = arrival;
            called = during_at_;
        }
        if (called) called();
        return answer;
    }
    Result<Position> last_before(std::string_view name, Instant time) override {
        std::lock_guard lock(mutex_);
        WEIR_ASSIGN(stream, find(name));
        Position last(stream->first - 1);
        for (const auto& arrival : stream->kept)
            if (arrival.time <= time) last = arrival.position;
        return last;
    }
    Result<events::Arrival> decode(std::string_view, const events::Message& message, Position position,
                                   Instant time) override {
        events::Arrival arrival{position, time, {}, nullptr, true};
        if (message.body != "mended")
            arrival.poison =
                std::make_shared<const events::Poison>(events::make_poison("still none", message));
        arrival.event.id = "from-letter";
        arrival.event.source = "/letter";
        arrival.event.type = "data.ready";
        return arrival;
    }
    Result<std::vector<Position>> publish(std::string_view, std::span<const events::Event> events) override {
        std::lock_guard lock(mutex_);
        if (silent_) return silence();
        if (denies_) return Error(ErrorKind::Denied, "no right to publish");
        for (const auto& event : events)
            if (events::weight(event) > bytes_max_) return exhausted("too large for this bus");
        published_.insert(published_.end(), events.begin(), events.end());
        return std::vector<Position>(events.size());
    }
    void on_append(std::function<void()> called) override {
        std::lock_guard lock(handler_mutex_);
        handler_ = std::move(called);
    }
    Status release(std::string_view, Position) override { return {}; }
    void close() override {}

  private:
    struct Stream {
        std::string family, incarnation;
        std::int64_t first = 1, head = 0;
        std::vector<events::Arrival> kept;
        bool interrupted = false;
    };
    static Error silence() { return unavailable("the bus is silent"); }
    Result<Stream*> find(std::string_view name) {
        if (silent_) return silence();
        const auto found = streams_.find(std::string(name));
        if (found == streams_.end()) return not_found("no such stream");
        return &found->second;
    }
    static events::StreamInfo info(const std::string& name, const Stream& stream) {
        events::StreamInfo info;
        info.name = name;
        info.family = stream.family;
        info.incarnation = stream.incarnation;
        info.first = Position(stream.first);
        info.head = Position(stream.head);
        info.start = Position(stream.head); // new
        return info;
    }
    void add(const std::string& name, events::Arrival arrival) {
        {
            std::lock_guard lock(mutex_);
            auto& stream = streams_.at(name);
            arrival.position = Position(++stream.head);
            stream.kept.push_back(std::move(arrival));
        }
        std::lock_guard lock(handler_mutex_);
        if (handler_) handler_();
    }

    const std::string name_;
    mutable std::mutex mutex_;
    std::map<std::string, Stream> streams_;
    std::vector<events::Event> published_;
    std::size_t bytes_max_ = 1 << 20;
    bool silent_ = false;
    bool refuses_reads_ = false;
    bool denies_ = false;
    std::mutex handler_mutex_;
    std::function<void()> handler_;
    std::function<void()> during_at_;
};

} // namespace weir::engine::test
