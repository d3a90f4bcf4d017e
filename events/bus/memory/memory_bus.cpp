#include <weir/events/memory_bus.hpp>

#include <algorithm>
#include <deque>
#include <mutex>

#include "bus_parts.hpp"

namespace weir::events {
namespace {

class MemoryBus final : public Bus {
  public:
    MemoryBus(const Clock& clock, MemoryBusOptions options) : clock_(clock), options_(std::move(options)) {}

    BusState state() const override {
        return {"memory", "memory", true, {}, Durability::ProcessSafe, "gone with the process", 0};
    }
    bool remote() const override { return false; }

    Result<std::vector<StreamInfo>> streams() override {
        WEIR_ASSIGN(info, look(options_.stream));
        return std::vector<StreamInfo>{std::move(info)};
    }

    Result<StreamInfo> look(std::string_view stream) override {
        std::lock_guard lock(mutex_);
        WEIR_TRY(usable(stream));
        return StreamInfo{options_.stream, {},          options_.incarnation,    Position(head_ - size() + 1),
                          Position(head_), Position(0), Durability::ProcessSafe, false};
    }

    Result<Reading> read(std::string_view stream, Position after, std::size_t events_max,
                         std::size_t bytes_max) override {
        std::lock_guard lock(mutex_);
        WEIR_TRY(usable(stream));
        if (after.value < 0) return invalid("a position is not negative");
        if (after.value > head_) return beyond_head(options_.stream, after, Position(head_));
        const auto first = head_ - size() + 1;
        if (after.value + 1 < first)
            return positions_gone(options_.stream, Position(after.value + 1), Position(first - 1));
        std::vector<Arrival> out;
        std::size_t bytes = 0;
        for (auto at = after.value + 1; at <= head_ && out.size() < events_max && bytes < bytes_max; ++at) {
            out.push_back(kept_[static_cast<std::size_t>(at - first)]);
            bytes += weight(out.back().event);
        }
        return reading_of(std::move(out), after);
    }

    Result<Arrival> at(std::string_view stream, Position position) override {
        std::lock_guard lock(mutex_);
        WEIR_TRY(usable(stream));
        const auto first = head_ - size() + 1;
        if (position.value < first || position.value > head_) return nothing_at(options_.stream, position);
        return kept_[static_cast<std::size_t>(position.value - first)];
    }

    Result<Position> last_before(std::string_view stream, Instant time) override {
        std::lock_guard lock(mutex_);
        WEIR_TRY(usable(stream));
        const auto after = std::upper_bound(kept_.begin(), kept_.end(), time,
                                            [](Instant t, const Arrival& one) { return t < one.time; });
        return Position(head_ - (kept_.end() - after));
    }

    Result<std::vector<Position>> publish(std::string_view stream, std::span<const Event> events) override {
        WEIR_TRY(check_all(events, options_.limits));
        std::vector<Position> positions;
        {
            std::lock_guard lock(mutex_);
            WEIR_TRY(usable(stream.empty() ? std::string_view(options_.stream) : stream));
            drop();
            if (kept_.size() + events.size() > options_.events_max)
                return unavailable("the bus holds " + std::to_string(kept_.size()) + " events of at most " +
                                   std::to_string(options_.events_max));
            time_ = std::max(time_, clock_.now());
            for (const auto& event : events) {
                positions.emplace_back(++head_);
                kept_.push_back({positions.back(), time_, event, nullptr, true});
            }
        }
        if (!positions.empty()) handler_.call();
        return positions;
    }

    void on_append(std::function<void()> called) override { handler_.set(std::move(called)); }

    Status release(std::string_view stream, Position position) override {
        std::lock_guard lock(mutex_);
        WEIR_TRY(usable(stream));
        released_ = std::max(released_, std::min(position.value, head_));
        drop();
        return {};
    }

    void close() override {
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
        }
        handler_.close();
    }

  private:
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(kept_.size()); }

    Status usable(std::string_view stream) const {
        if (closed_) return bus_closed();
        if (stream != options_.stream) return no_such_stream(stream, options_.stream);
        return {};
    }

    void drop() {
        const auto oldest = clock_.now() - options_.keep_age;
        while (kept_.size() > 1 && kept_.front().position.value <= released_) {
            const bool aged = options_.keep_age > Duration::zero() && kept_.front().time < oldest;
            const bool surplus = options_.keep_events > 0 && kept_.size() > options_.keep_events;
            if (!aged && !surplus) return;
            kept_.pop_front();
        }
    }

    const Clock& clock_;
    const MemoryBusOptions options_;
    std::mutex mutex_;
    std::deque<Arrival> kept_;
    std::int64_t head_ = 0;
    std::int64_t released_ = 0;
    Instant time_{};
    bool closed_ = false;
    AppendHandler handler_;
};

} // namespace

std::unique_ptr<Bus> make_memory_bus(const Clock& clock, MemoryBusOptions options) {
    return std::make_unique<MemoryBus>(clock, std::move(options));
}

} // namespace weir::events
