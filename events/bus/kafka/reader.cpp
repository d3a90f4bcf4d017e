#include "reader.hpp"

#include <array>
#include <chrono>

#include <weir/base/log.hpp>

namespace weir::events::kafka {
namespace {

constexpr std::size_t batch_max = 1000;
constexpr int batches_in_a_row = 8; ///< of one partition, before the others have their turn
/// Nothing is missed between wake-ups; this bounds what a bug could cost.
constexpr Duration look_pause = std::chrono::seconds(1);

std::size_t bytes_of(const rd_kafka_message_t& message) {
    return message.len + message.key_len + 64;
}

} // namespace

struct Reader::Part {
    Part(Reader& owner, Place name) : reader(owner), place(std::move(name)) {}

    Reader& reader;
    const Place place;
    std::atomic<bool> ready{false}; ///< its queue is not empty

    // Under Reader::mutex_.
    struct Begin {
        std::int64_t offset = 0;
        std::uint64_t epoch = 0;
        bool interrupted = false;
    };
    std::optional<Begin> begin; ///< asked for and not done yet
    std::deque<Item> items;
    std::size_t bytes = 0;
    /// The next take() may go on anywhere from `low` to `tail`: nothing stands between.
    std::int64_t low = 0, tail = 0;
    bool slow = false; ///< not fetched until there is room
    Fault fault;

    // The reader's thread only.
    Topic topic;
    Queue queue;
    bool fetching = false;
    bool started = false;    ///< and the library not stirred yet
    std::int64_t next = 0;   ///< offset
    std::uint64_t epoch = 0; ///< what is in the queue came since
    bool mark = false;       ///< the next item is the first after an interruption
};

Result<std::unique_ptr<Reader>> Reader::make(const KafkaBusOptions& options, std::function<void()> news) {
    auto signals = std::make_shared<Signals>();
    WEIR_ASSIGN(handle, make_handle(RD_KAFKA_CONSUMER, reader_properties(options), signals));
    return std::unique_ptr<Reader>(new Reader(std::move(signals), std::move(handle), std::move(news)));
}

Reader::Reader(std::shared_ptr<Signals> signals, Handle handle, std::function<void()> news)
    : signals_(std::move(signals)),
      handle_(std::move(handle)),
      news_(std::move(news)),
      thread_([this] { run(); }) {}

Reader::~Reader() {
    close();
}

void Reader::close() {
    {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
}

void Reader::wake() {
    {
        std::lock_guard lock(wake_mutex_);
        wanted_ = true;
    }
    woken_.notify_one();
}

void Reader::on_ready(rd_kafka_t*, void* part) {
    auto* one = static_cast<Part*>(part);
    one->ready.store(true);
    one->reader.wake();
}

bool Reader::full(const Part& part) const {
    if (records_ < records_max && bytes_ < bytes_max) return false;
    return part.items.size() >= records_max / parts_.size() || part.bytes >= bytes_max / parts_.size();
}

Taken Reader::take(const Place& place, std::int64_t after, std::size_t records, std::size_t bytes) {
    Taken taken;
    bool room = false;
    {
        std::lock_guard lock(mutex_);
        const auto found = parts_.find(place);
        if (found == parts_.end() || closed_) return taken;
        auto& part = *found->second;
        if (after < part.low || after > part.tail) return taken;
        taken.begun = true;
        taken.upto = part.tail;
        std::size_t weight = 0;
        bool some = false;
        while (!part.items.empty()) {
            auto& item = part.items.front();
            if (item.record && (taken.records.size() >= records || (weight > 0 && weight >= bytes))) break;
            if (item.interrupted && some) break;
            taken.interrupted = taken.interrupted || item.interrupted;
            some = true;
            taken.upto = std::max(taken.upto, item.upto);
            weight += item.bytes;
            part.bytes -= item.bytes;
            bytes_ -= item.bytes;
            --records_;
            if (item.record) {
                part.low = item.upto;
                taken.records.push_back(std::move(item.record));
            }
            part.items.pop_front();
        }
        part.tail = std::max(part.tail, taken.upto);
        if (!some && part.fault.kind != Fault::Kind::None) taken.fault = part.fault;
        room = part.slow && part.items.size() <= records_max / parts_.size() / 2 &&
               part.bytes <= bytes_max / parts_.size() / 2;
    }
    if (room) wake();
    return taken;
}

void Reader::begin(const Place& place, std::int64_t after, std::uint64_t epoch, bool interrupted) {
    std::deque<Item> dropped;
    {
        std::lock_guard lock(mutex_);
        if (closed_) return;
        auto& part = parts_[place];
        if (!part) part = std::make_shared<Part>(*this, place);
        part->begin = Part::Begin{after, epoch, interrupted};
        records_ -= part->items.size();
        bytes_ -= part->bytes;
        part->bytes = 0;
        part->low = part->tail = after;
        part->slow = false;
        part->fault = {};
        dropped.swap(part->items);
    }
    wake();
}

void Reader::run() {
    const Queue main(rd_kafka_queue_get_main(handle_.get()));
    rd_kafka_queue_cb_event_enable(
        main.get(), [](rd_kafka_t*, void* reader) { static_cast<Reader*>(reader)->wake(); }, this);
    std::vector<std::shared_ptr<Part>> parts;
    bool again = false;
    while (true) {
        if (!again) {
            std::unique_lock lock(wake_mutex_);
            woken_.wait_for(lock, look_pause, [this] { return wanted_; });
            wanted_ = false;
        }
        {
            std::lock_guard lock(mutex_);
            if (closed_) break;
            if (parts.size() != parts_.size()) {
                parts.clear();
                for (const auto& [place, part] : parts_)
                    parts.push_back(part);
            }
        }
        (void)rd_kafka_poll(handle_.get(), 0);
        again = false;
        for (const auto& part : parts)
            again = serve(*part) || again;
    }
    for (const auto& part : parts)
        stop(*part);
    std::lock_guard lock(mutex_);
    for (const auto& [place, part] : parts_) {
        part->items.clear();
        part->topic.reset();
    }
    rd_kafka_queue_cb_event_enable(main.get(), nullptr, nullptr);
}

/// True: there is more to do at once.
bool Reader::serve(Part& part) {
    std::optional<Part::Begin> begin;
    bool resume = false;
    {
        std::lock_guard lock(mutex_);
        begin.swap(part.begin);
        if (!begin && part.slow && part.items.size() <= records_max / parts_.size() / 2 &&
            part.bytes <= bytes_max / parts_.size() / 2) {
            part.slow = false;
            resume = true;
        }
    }
    if (begin || resume) {
        stop(part);
        const auto epoch = signals_->epoch();
        part.mark = begin ? begin->interrupted || begin->epoch != epoch : part.mark || part.epoch != epoch;
        part.epoch = epoch;
        start(part, begin ? begin->offset : part.next);
    }
    if (!part.fetching || !part.ready.exchange(false)) return false;
    return drain(part);
}

bool Reader::drain(Part& part) {
    std::array<rd_kafka_message_t*, batch_max> messages{};
    for (int i = 0; i < batches_in_a_row; ++i) {
        const auto count =
            rd_kafka_consume_batch_queue(part.queue.get(), 0, messages.data(), messages.size());
        if (count <= 0) return false;
        if (!pass_on(part, messages.data(), static_cast<std::size_t>(count))) return false;
    }
    part.ready.store(true);
    return true;
}

/// False: the partition is not fetched any more, or from another place.
bool Reader::pass_on(Part& part, rd_kafka_message_t** messages, std::size_t count) {
    std::vector<Record> records;
    records.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        records.emplace_back(messages[i]);
    // What lay in the queue may have come partly before and partly after an interruption. It is fetched
    // again, so that the place where the interruption lies is known.
    if (const auto epoch = signals_->epoch(); epoch != part.epoch) {
        stop(part);
        part.epoch = epoch;
        part.mark = true;
        start(part, part.next);
        return false;
    }
    std::vector<Item> items;
    items.reserve(count);
    bool going = true;
    for (auto& record : records) {
        Item item;
        going = item_of(part, std::move(record), item);
        if (item.upto > 0 || item.record) items.push_back(std::move(item));
        if (!going) break;
    }
    bool told = false, slow = false;
    {
        std::lock_guard lock(mutex_);
        if (part.begin) return false; // of the place before
        told = part.items.empty() && (!items.empty() || !going);
        for (auto& item : items) {
            ++records_;
            bytes_ += item.bytes;
            part.bytes += item.bytes;
            part.items.push_back(std::move(item));
        }
        slow = part.slow = going && full(part);
    }
    if (slow || !going) stop(part);
    if (told) news_();
    return going && !slow;
}

/// False: the partition has a fault, or is fetched again.
bool Reader::item_of(Part& part, Record record, Item& item) {
    const auto fail = [&](Fault::Kind kind) {
        Fault fault{kind, part.next, rd_kafka_message_errstr(record.get())};
        std::lock_guard lock(mutex_);
        if (!part.begin) part.fault = std::move(fault);
        return false;
    };
    switch (record->err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            if (record->offset < part.next) return true;
            part.next = record->offset + 1;
            item.upto = part.next;
            item.bytes = bytes_of(*record);
            item.record = std::move(record);
            break;
        case RD_KAFKA_RESP_ERR__PARTITION_EOF: item.upto = record->offset; break;
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: return fail(Fault::Kind::Range);
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return fail(Fault::Kind::Gone);
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return fail(Fault::Kind::Denied);
        case RD_KAFKA_RESP_ERR__BAD_MSG:
        case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
        case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
        case RD_KAFKA_RESP_ERR__UNDERFLOW:
            // The library would go on behind it.
            return fail(Fault::Kind::Damaged);
        default:
            signals_->failed(std::string(rd_kafka_err2name(record->err)) + ": " +
                             rd_kafka_message_errstr(record.get()));
            return true;
    }
    item.interrupted = part.mark;
    part.mark = false;
    return true;
}

void Reader::start(Part& part, std::int64_t offset) {
    if (!part.topic) part.topic.reset(rd_kafka_topic_new(handle_.get(), part.place.topic.c_str(), nullptr));
    part.queue.reset(rd_kafka_queue_new(handle_.get()));
    part.ready.store(false);
    rd_kafka_queue_cb_event_enable(part.queue.get(), &Reader::on_ready, &part);
    part.next = offset;
    part.fetching =
        rd_kafka_consume_start_queue(part.topic.get(), part.place.partition, offset, part.queue.get()) == 0;
    if (part.fetching) return;
    Fault fault{Fault::Kind::Gone, offset, rd_kafka_err2str(rd_kafka_last_error())};
    rd_kafka_queue_cb_event_enable(part.queue.get(), nullptr, nullptr);
    part.queue.reset();
    {
        std::lock_guard lock(mutex_);
        if (!part.begin) part.fault = std::move(fault);
    }
    news_();
}

void Reader::stop(Part& part) {
    if (!part.fetching) return;
    part.fetching = false;
    (void)rd_kafka_consume_stop(part.topic.get(), part.place.partition);
    rd_kafka_queue_cb_event_enable(part.queue.get(), nullptr, nullptr);
    part.queue.reset();
}

} // namespace weir::events::kafka
