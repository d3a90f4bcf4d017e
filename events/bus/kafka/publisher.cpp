#include "publisher.hpp"

#include <algorithm>
#include <array>

#include <weir/base/clock.hpp>
#include <weir/base/log.hpp>

namespace weir::events::kafka {
namespace {

constexpr Duration poll_pause = std::chrono::milliseconds(50);

std::string refusal(const std::string& topic) {
    return "publishing to topic \"" + topic + "\"";
}

} // namespace

Publisher::Publisher(const KafkaBusOptions& options) : options_(options), thread_([this] { run(); }) {}

Publisher::~Publisher() {
    close();
}

void Publisher::close() {
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

Result<std::vector<std::int64_t>> Publisher::send(const std::string& topic, std::int32_t partition,
                                                  const std::vector<Message>& messages) {
    Call call;
    call.topic = &topic;
    call.partition = partition;
    call.messages = &messages;
    std::unique_lock lock(mutex_);
    if (closed_) return unavailable("the bus is closed");
    if (waiting_records_ > 0 && waiting_records_ + messages.size() > waiting_max)
        return unavailable(std::to_string(waiting_records_) + " records wait to be published; the limit is " +
                           std::to_string(waiting_max));
    waiting_.push_back(&call);
    waiting_records_ += messages.size();
    changed_.notify_all();
    changed_.wait(lock, [&] { return call.done; });
    if (!call.outcome.ok()) return call.outcome.error();
    return std::move(call.offsets);
}

void Publisher::run() {
    while (true) {
        std::vector<Call*> calls;
        bool closed = false;
        {
            std::unique_lock lock(mutex_);
            const auto wanted = [this] { return closed_ || !waiting_.empty(); };
            if (handle_)
                // An idle producer has things to tell as well.
                changed_.wait_for(lock, std::chrono::seconds(1), wanted);
            else
                changed_.wait(lock, wanted);
            std::size_t records = 0;
            while (!waiting_.empty() && (calls.empty() || records < waiting_max / 2)) {
                records += waiting_.front()->messages->size();
                calls.push_back(waiting_.front());
                waiting_.pop_front();
            }
            waiting_records_ -= records;
            closed = closed_;
        }
        if (calls.empty() && closed) break;
        if (calls.empty()) {
            (void)rd_kafka_poll(handle_.get(), 0);
            continue;
        }
        send_all(calls);
        {
            std::lock_guard lock(mutex_);
            for (auto* call : calls)
                call->done = true;
        }
        changed_.notify_all();
    }
    throw_away();
}

void Publisher::on_report(rd_kafka_t* handle, const rd_kafka_message_t* message, void*) {
    auto* slot = static_cast<Slot*>(message->_private);
    slot->code = message->err;
    slot->offset = message->offset;
    switch (message->err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR: slot->state = Slot::State::Done; break;
        case RD_KAFKA_RESP_ERR__FATAL:
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
        case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT: slot->state = Slot::State::Unsent; break;
        default:
            // After a fatal error every record has it, sent or not: the next producer sends it again.
            slot->state = rd_kafka_fatal_error(handle, nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR
                              ? Slot::State::Unsent
                              : Slot::State::Refused;
    }
}

rd_kafka_resp_err_t Publisher::produce_one(const Call& call, Slot& slot) {
    const auto& message = *slot.message;
    auto* headers = rd_kafka_headers_new(message.headers.size());
    for (const auto& [name, value] : message.headers)
        (void)rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                                  static_cast<ssize_t>(value.size()));
    slot.state = Slot::State::Sent;
    // The library wants pointers that are not const, and copies what they point to. No value is a null
    // pointer; a value of no bytes is not.
    const auto code = rd_kafka_producev(
        handle_.get(), RD_KAFKA_V_TOPIC(call.topic->c_str()), RD_KAFKA_V_PARTITION(call.partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(message.has_key ? const_cast<char*>(message.key.c_str()) : nullptr,
                       message.key.size()),
        RD_KAFKA_V_VALUE(message.has_body ? const_cast<char*>(message.body.c_str()) : nullptr,
                         message.body.size()),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(&slot), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers);
        slot.state = Slot::State::Unsent;
    }
    return code;
}

/// Hands over what is not sent, from `next` on. False: a fatal error.
bool Publisher::produce(const std::vector<Call*>& calls, std::size_t& next) {
    for (; next < slots_.size(); ++next) {
        auto& slot = slots_[next];
        if (slot.state != Slot::State::Unsent) continue;
        const auto code = produce_one(*calls[slot.call], slot);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return true;
        if (code == RD_KAFKA_RESP_ERR__FATAL) return false;
        slot.state = Slot::State::Refused;
        slot.code = code;
    }
    return true;
}

void Publisher::send_all(const std::vector<Call*>& calls) {
    slots_.clear();
    for (std::size_t c = 0; c < calls.size(); ++c)
        for (const auto& message : *calls[c]->messages) {
            Slot slot;
            slot.message = &message;
            slot.call = c;
            slots_.push_back(slot);
        }
    const SystemClock clock; // a network's time is not simulated
    const auto deadline = clock.steady_now() + options_.timeout;
    std::string late;
    std::size_t next = 0;
    const auto open = [this] {
        return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
            return slot.state == Slot::State::Unsent || slot.state == Slot::State::Sent;
        });
    };
    while (open() && !closed_.load() && clock.steady_now() < deadline) {
        if (!handle_) {
            auto made = make_handle(RD_KAFKA_PRODUCER, producer_properties(options_), signals_, on_report);
            if (!made.ok()) {
                late = made.error().message;
                break;
            }
            handle_ = std::move(made).value();
        }
        const bool sound = produce(calls, next);
        (void)rd_kafka_poll(handle_.get(), to_ms(poll_pause));
        std::array<char, 512> reason{};
        if (!sound ||
            rd_kafka_fatal_error(handle_.get(), reason.data(), reason.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            log::warn("the producer had a fatal error and is made anew",
                      {{"bus", options_.name}, {"error", std::string_view(reason.data())}});
            ++fatal_errors_;
            throw_away();
            next = 0;
        }
    }
    if (open()) {
        if (late.empty()) late = "no acknowledgement within " + format_duration(options_.timeout);
        if (const auto failure = signals_->failure(); !failure.empty()) late += " (" + failure + ")";
        throw_away(); // what is on its way still must not come after what the caller sends next
    }
    finish(calls, late);
}

/// Ends the producer; what it did not acknowledge is unsent then.
void Publisher::throw_away() {
    if (!handle_) return;
    (void)rd_kafka_purge(handle_.get(),
                         RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (int i = 0; i < 20 && rd_kafka_outq_len(handle_.get()) > 0; ++i)
        (void)rd_kafka_poll(handle_.get(), to_ms(poll_pause));
    handle_.reset();
    for (auto& slot : slots_)
        if (slot.state == Slot::State::Sent) slot.state = Slot::State::Unsent;
}

void Publisher::finish(const std::vector<Call*>& calls, const std::string& late) {
    for (const auto& slot : slots_) {
        auto& call = *calls[slot.call];
        if (!call.outcome.ok()) continue;
        if (slot.state == Slot::State::Done)
            call.offsets.push_back(slot.offset);
        else if (slot.state == Slot::State::Refused)
            call.outcome = error_of(slot.code, refusal(*call.topic));
        else
            call.outcome = unavailable(refusal(*call.topic) + ": " +
                                       (closed_.load() ? std::string("the bus is closed") : late));
    }
    slots_.clear();
}

} // namespace weir::events::kafka
