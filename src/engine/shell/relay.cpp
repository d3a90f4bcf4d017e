#include "relay.hpp"

#include <algorithm>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/events/wire_codec.hpp>

namespace weir::engine {

Relay::Relay(events::Bus& bus, const Clock& clock, Sink sink, RelayLimits limits)
    : bus_(bus), clock_(clock), sink_(std::move(sink)), limits_(limits) {}

Relay::~Relay() {
    stop();
}

void Relay::start() {
    thread_ = std::thread([this] { work(); });
}

void Relay::stop() {
    if (!thread_.joinable()) return;
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
        changed_.notify_one();
    }
    thread_.join();
}

void Relay::add(std::vector<ledger::OutgoingRow> rows) {
    if (rows.empty()) return;
    std::lock_guard lock(mutex_);
    for (auto& row : rows)
        rows_.push_back(std::move(row));
    changed_.notify_one();
}

std::string Relay::trouble() const {
    std::lock_guard lock(mutex_);
    return trouble_;
}

void Relay::work() {
    for (;;) {
        std::deque<ledger::OutgoingRow> rows;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return stop_ || !rows_.empty(); });
            if (stop_) return;
            rows.swap(rows_);
        }
        send(rows);
        std::lock_guard lock(mutex_);
        if (stop_) return; // what is left stands in the ledger
    }
}

void Relay::send(std::deque<ledger::OutgoingRow>& rows) {
    while (!rows.empty()) {
        std::size_t n = 0, bytes = 0;
        while (n < rows.size() && n < limits_.events_max && (n == 0 || bytes < limits_.bytes_max))
            bytes += rows[n++].body.size();
        if (!publish(rows, n)) {
            std::lock_guard lock(mutex_);
            if (stop_) return;
        }
    }
}

bool Relay::publish(std::deque<ledger::OutgoingRow>& rows, std::size_t n) {
    std::vector<events::Event> batch;
    for (std::size_t i = 0; i < n; ++i) {
        auto event = events::decode_wire(rows[i].body);
        expects(event.ok(), "an outgoing event does not decode");
        batch.push_back(std::move(event).value());
    }
    crash_point("before_relay");
    const auto positions = bus_.publish("", batch);
    crash_point("after_relay");
    if (!positions.ok()) {
        // Rights, topics and streams are mended by people: only the event itself can be hopeless.
        const auto kind = positions.error().kind;
        const bool hopeless = kind == ErrorKind::Invalid || kind == ErrorKind::Exhausted;
        if (!hopeless) return wait_after(positions.error()), false;
        // One of them is refused: each on its own, so that the others go out.
        if (n > 1) {
            for (std::size_t i = 0; i < n;) {
                if (publish(rows, 1)) {
                    ++i;
                    continue;
                }
                std::lock_guard lock(mutex_);
                if (stop_) return false;
            }
            return true;
        }
        sink_.refused(std::move(rows.front()), positions.error());
        rows.pop_front();
        return true;
    }
    std::vector<ledger::OutgoingNo> published;
    for (std::size_t i = 0; i < n; ++i) {
        published.push_back(rows.front().no);
        rows.pop_front();
    }
    sink_.published(std::move(published));
    backoff_ = {};
    std::lock_guard lock(mutex_);
    trouble_.clear();
    return true;
}

void Relay::wait_after(const Error& error) {
    backoff_ = std::clamp(backoff_ * 2, limits_.retry_min, limits_.retry_max);
    std::unique_lock lock(mutex_);
    if (trouble_.empty())
        log::warn("events do not go out just now; they are kept and tried again", {{"error", error.message}});
    trouble_ = error.message;
    changed_.wait_for(lock, backoff_, [&] { return stop_; });
}

} // namespace weir::engine
