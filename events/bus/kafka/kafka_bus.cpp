#include <weir/events/kafka_bus.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <shared_mutex>

#include <weir/base/sync.hpp>

#include "bus_parts.hpp"
#include "catalog.hpp"
#include "publisher.hpp"
#include "reader.hpp"
#include "record.hpp"

namespace weir::events {
namespace kafka {
namespace {

/// What a reader of one partition carries along.
struct Stream {
    explicit Stream(Place named) : place(std::move(named)) {}
    const Place place;
    std::string name;
    const KafkaTopicOptions* topic = nullptr;

    // read() only.
    std::optional<JsonMapping> mapping;
    Instant last{};  ///< time of the newest arrival that was read
    int damaged = 0; ///< times in a row

    std::mutex mutex; ///< over what at() and read() share
    std::optional<JsonMapping> mapping_of_at;
    std::int64_t checked = -1; ///< the position that at() saw last, when Signals::epoch() was:
    std::uint64_t checked_epoch = 0;
    bool doubted = false; ///< what is read first is behind an interruption, whenever reading begins
    std::optional<std::int64_t> start; ///< found for StreamStart::At::Time
};

class KafkaBus final : public Bus {
  public:
    KafkaBus(const Clock& clock, KafkaBusOptions options, std::unique_ptr<Probe> probe)
        : clock_(clock),
          options_(std::move(options)),
          probe_(std::move(probe)),
          catalog_(options_, *probe_, [this] { handler_.call(); }) {
        probe_->signals()->on_failure([this] { catalog_.look_soon(); });
    }
    ~KafkaBus() override { close(); }
    KafkaBus(const KafkaBus&) = delete;
    KafkaBus& operator=(const KafkaBus&) = delete;

    BusState state() const override;
    bool remote() const override { return true; }
    Result<std::vector<StreamInfo>> streams() override;
    Result<StreamInfo> look(std::string_view stream) override;
    Result<Reading> read(std::string_view stream, Position after, std::size_t events_max,
                         std::size_t bytes_max) override;
    Result<Arrival> decode(std::string_view stream, const Message& message, Position position,
                           Instant time) override;
    Result<Arrival> at(std::string_view stream, Position position) override;
    Result<Position> last_before(std::string_view stream, Instant time) override;
    Result<std::vector<Position>> publish(std::string_view stream, std::span<const Event> events) override;
    void on_append(std::function<void()> called) override { handler_.set(std::move(called)); }
    Status release(std::string_view stream, Position position) override;
    void close() override;

  private:
    using Streams = std::map<std::string, std::shared_ptr<Stream>, std::less<>>;

    Result<std::shared_ptr<Stream>> stream_of(std::string_view name);
    Result<Place> target_of(std::string_view stream) const;
    Result<std::shared_ptr<Reader>> reader();
    std::shared_ptr<Publisher> publisher();
    void doubt_handles();
    Result<Reading> begin_anew(Stream& stream, Position after, const Fault& fault);
    Status truly_gone(const Stream& stream, const Error& said);
    Result<StreamInfo> info_of(const Place& place, const TopicState& topic, const Ends& ends);
    Result<Position> start_of(const Place& place, const TopicState& topic, const Ends& ends);
    Reading reading_from(Stream& stream, Taken taken);
    [[nodiscard]] std::string_view place_name(const Stream& stream) const;
    [[nodiscard]] std::string name_of(const Place& place) const {
        return options_.name + "/" + place.topic + "/" + std::to_string(place.partition);
    }
    Error unknown(std::string_view stream) const {
        return not_found("there is no stream \"" + std::string(stream.substr(0, 300)) + "\" on the bus \"" +
                         options_.name + "\"; its streams are named " + options_.name + "/TOPIC/PARTITION");
    }

    const Clock& clock_;
    const KafkaBusOptions options_;
    AppendHandler handler_;
    std::atomic<bool> closed_{false};
    /// Held shared by every call, alone by the end of close().
    mutable std::shared_mutex using_;
    const std::unique_ptr<Probe> probe_;
    Catalog catalog_;
    Sync<Streams> streams_;
    std::mutex making_; ///< of the two
    std::shared_ptr<Reader> reader_;
    std::shared_ptr<Publisher> publisher_;
    std::uint64_t renewals_ = 0; ///< of the probe, that these two have followed
};

BusState KafkaBus::state() const {
    BusState state;
    state.name = options_.name;
    state.kind = "kafka";
    const auto link = catalog_.link();
    state.connected = link.connected && !closed_.load();
    state.detail = closed_.load() ? "closed" : link.detail;
    state.reconnects = link.reconnects;
    state.durability = Durability::PowerSafe;
    for (const auto& [name, topic] : catalog_.known())
        if (durability_of(options_, topic) == Durability::ProcessSafe)
            state.durability = Durability::ProcessSafe;
    if (options_.durability)
        state.durability_note = "said by the configuration";
    else if (state.durability == Durability::PowerSafe)
        state.durability_note =
            "every topic has at least 3 replicas, of which at least 2 acknowledge: safe "
            "unless they lose power together";
    else
        state.durability_note =
            "a broker acknowledges before its disk does, and a topic has less than 3 "
            "replicas or min.insync.replicas under 2";
    return state;
}

Result<std::shared_ptr<Stream>> KafkaBus::stream_of(std::string_view name) {
    if (closed_.load()) return bus_closed();
    auto known = streams_.with([&](Streams& all) {
        const auto found = all.find(name);
        return found == all.end() ? nullptr : found->second;
    });
    if (known) return known;
    WEIR_ASSIGN(place, target_of(name));
    if (place.partition < 0) return unknown(name);
    WEIR_TRY(catalog_.ready(options_.timeout));
    auto topic = catalog_.known(place.topic);
    if (topic && (!topic->exists || place.partition >= topic->partitions)) {
        WEIR_ASSIGN(fresh, catalog_.fresh(options_.timeout));
        topic = fresh[place.topic];
    }
    if (!topic || !topic->exists || place.partition >= topic->partitions) return unknown(name);
    auto made = std::make_shared<Stream>(place);
    made->name = name;
    made->topic = topic->options;
    if (made->topic->mapping) {
        WEIR_ASSIGN(one, JsonMapping::compile(*made->topic->mapping));
        WEIR_ASSIGN(other, JsonMapping::compile(*made->topic->mapping));
        made->mapping = std::move(one);
        made->mapping_of_at = std::move(other);
    }
    return streams_.with([&](Streams& all) { return all.emplace(name, std::move(made)).first->second; });
}

/// "NAME/TOPIC/PARTITION", or partition -1: "NAME/TOPIC" or "", the default topic.
Result<Place> KafkaBus::target_of(std::string_view stream) const {
    if (stream.empty())
        return Place{options_.publish_topic.empty() ? options_.topics.front().topic : options_.publish_topic,
                     -1};
    const auto whole = stream;
    if (stream.substr(0, options_.name.size() + 1) != options_.name + "/") return unknown(whole);
    stream.remove_prefix(options_.name.size() + 1);
    const auto slash = stream.find('/');
    Place place{std::string(stream.substr(0, slash)), -1};
    const auto configured = [&](const KafkaTopicOptions& topic) { return topic.topic == place.topic; };
    if (std::none_of(options_.topics.begin(), options_.topics.end(), configured)) return unknown(whole);
    if (slash == std::string_view::npos) return place;
    const auto digits = stream.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.partition);
    if (error != std::errc() || std::to_string(place.partition) != digits || place.partition < 0)
        return unknown(whole);
    return place;
}

/// The probe found its handle stale: those of reader and publisher are as old. Under making_.
void KafkaBus::doubt_handles() {
    const auto renewals = probe_->renewals();
    if (std::exchange(renewals_, renewals) == renewals) return;
    if (reader_) {
        reader_->signals()->on_failure({});
        reader_->close();
    }
    // Whoever still sends by the old one ends first.
    reader_.reset();
    publisher_.reset();
    streams_.with([](Streams& all) {
        for (auto& [name, stream] : all) {
            std::lock_guard lock(stream->mutex);
            stream->checked = -1; // the epochs of another reader
            stream->doubted = true;
        }
    });
}

Result<std::shared_ptr<Reader>> KafkaBus::reader() {
    std::lock_guard lock(making_);
    doubt_handles();
    if (!reader_) {
        WEIR_ASSIGN(made, Reader::make(options_, [this] { handler_.call(); }));
        reader_ = std::move(made);
        reader_->signals()->on_failure([this] { catalog_.look_soon(); });
    }
    return reader_;
}

std::shared_ptr<Publisher> KafkaBus::publisher() {
    std::lock_guard lock(making_);
    doubt_handles();
    if (!publisher_) publisher_ = std::make_shared<Publisher>(options_);
    return publisher_;
}

Result<Position> KafkaBus::start_of(const Place& place, const TopicState& topic, const Ends& ends) {
    const auto& start = topic.options->start;
    if (start.at == StreamStart::At::Earliest) return Position(ends.low);
    if (start.at == StreamStart::At::New)
        // What was put into a partition before it was noticed is new as well.
        return Position(place.partition < topic.partitions_at_first ? ends.high : ends.low);
    WEIR_ASSIGN(stream, stream_of(name_of(place)));
    {
        std::lock_guard lock(stream->mutex);
        if (stream->start) return Position(std::clamp(*stream->start, ends.low, ends.high));
    }
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(start.time).time_since_epoch().count();
    WEIR_ASSIGN(offset, probe_->offset_from(place, ms + 1, options_.timeout));
    std::lock_guard lock(stream->mutex);
    stream->start = offset;
    return Position(offset);
}

Result<StreamInfo> KafkaBus::info_of(const Place& place, const TopicState& topic, const Ends& ends) {
    WEIR_ASSIGN(start, start_of(place, topic, ends));
    return StreamInfo{name_of(place),
                      options_.name + "/" + place.topic,
                      catalog_.cluster() + "/" + place.topic,
                      Position(ends.low + 1),
                      Position(ends.high),
                      start,
                      durability_of(options_, topic),
                      topic.removes};
}

Result<std::vector<StreamInfo>> KafkaBus::streams() {
    std::shared_lock lock(using_);
    if (closed_.load()) return bus_closed();
    WEIR_ASSIGN(topics, catalog_.fresh(options_.timeout));
    std::vector<Place> places;
    for (const auto& [name, topic] : topics)
        for (int p = 0; topic.exists && p < topic.partitions; ++p)
            places.push_back({name, p});
    WEIR_ASSIGN(ends, probe_->ends(places, options_.timeout));
    std::vector<StreamInfo> all;
    for (std::size_t i = 0; i < places.size(); ++i) {
        WEIR_ASSIGN(info, info_of(places[i], topics[places[i].topic], ends[i]));
        all.push_back(std::move(info));
    }
    return all;
}

/// The library forgets a topic for a moment while it asks for it anew: the brokers know better. `unavailable`
/// if they have it.
Status KafkaBus::truly_gone(const Stream& stream, const Error& said) {
    WEIR_ASSIGN(fresh, catalog_.fresh(options_.timeout));
    const auto& topic = fresh[stream.place.topic];
    if (topic.exists && stream.place.partition < topic.partitions) return unavailable(said.message);
    return {};
}

Result<StreamInfo> KafkaBus::look(std::string_view name) {
    std::shared_lock lock(using_);
    WEIR_ASSIGN(stream, stream_of(name));
    const auto ends = probe_->ends(stream->place, options_.timeout);
    if (!ends.ok() && ends.error().kind == ErrorKind::NotFound) WEIR_TRY(truly_gone(*stream, ends.error()));
    if (!ends.ok()) return ends.error();
    const auto topic = catalog_.known(stream->place.topic);
    return info_of(stream->place, *topic, *ends);
}

Result<Reading> KafkaBus::read(std::string_view name, Position after, std::size_t events_max,
                               std::size_t bytes_max) {
    std::shared_lock lock(using_);
    WEIR_ASSIGN(stream, stream_of(name));
    if (after.value < 0) return invalid("a position is not negative");
    if (events_max == 0) return Reading{{}, after, false};
    WEIR_ASSIGN(source, reader());
    auto taken = source->take(stream->place, after.value, events_max, bytes_max);
    if (!taken.begun || taken.fault.kind != Fault::Kind::None) return begin_anew(*stream, after, taken.fault);
    if (taken.records.empty() && taken.upto == after.value && !taken.interrupted) {
        if (!catalog_.connected())
            return unavailable("bus \"" + options_.name + "\": " + catalog_.link().detail);
        if (!catalog_.there(stream->place)) {
            const auto gone = unknown(name);
            WEIR_TRY(truly_gone(*stream, gone));
            return gone;
        }
    }
    return reading_from(*stream, std::move(taken));
}

Result<Arrival> KafkaBus::decode(std::string_view name, const Message& message, Position position,
                                 Instant time) {
    std::shared_lock lock(using_);
    WEIR_ASSIGN(stream, stream_of(name));
    // A mapping of its own: the stream's belong to who reads.
    std::optional<JsonMapping> mapping;
    if (stream->topic->mapping) {
        WEIR_ASSIGN(compiled, JsonMapping::compile(*stream->topic->mapping));
        mapping = std::move(compiled);
    }
    const DecodeContext context{mapping ? &*mapping : nullptr,
                                {options_.name, place_name(*stream), position.value, time},
                                options_.limits};
    return decoded_arrival(decode_kafka(message, context), message, position, time);
}

/// "TOPIC/PARTITION"
std::string_view KafkaBus::place_name(const Stream& stream) const {
    return std::string_view(stream.name).substr(options_.name.size() + 1);
}

Reading KafkaBus::reading_from(Stream& stream, Taken taken) {
    Reading reading;
    reading.interrupted = taken.interrupted;
    reading.upto = Position(taken.upto);
    reading.arrivals.reserve(taken.records.size());
    const auto now = clock_.now();
    const DecodeContext context{stream.mapping ? &*stream.mapping : nullptr,
                                {options_.name, place_name(stream), 0, {}},
                                options_.limits};
    for (const auto& record : taken.records) {
        auto& arrival = reading.arrivals.emplace_back();
        read_record(*record, stream.place.topic, context, now, arrival);
        // Producers set CreateTime, and their clocks differ.
        arrival.time = stream.last = std::max(stream.last, arrival.time);
        stream.damaged = 0;
    }
    return reading;
}

/// Checks that `after` is a place where reading can begin, and begins there.
Result<Reading> KafkaBus::begin_anew(Stream& stream, Position after, const Fault& fault) {
    constexpr int damaged_max = 3;
    if (fault.kind != Fault::Kind::None) {
        // The reader tells a fault once, and what follows here may fail.
        std::lock_guard lock(stream.mutex);
        stream.doubted = true;
    }
    if (fault.kind == Fault::Kind::Denied)
        return Error{ErrorKind::Denied, "stream \"" + stream.name + "\": " + fault.reason};
    if (fault.kind == Fault::Kind::Damaged && ++stream.damaged > damaged_max)
        return corrupt("stream \"" + stream.name + "\": position " + std::to_string(fault.offset + 1) +
                       " cannot be read: " + fault.reason);
    WEIR_ASSIGN(source, reader());
    auto epoch = source->signals()->epoch();
    {
        std::lock_guard lock(stream.mutex);
        if (stream.checked == after.value) epoch = stream.checked_epoch;
    }
    const auto ends = probe_->ends(stream.place, options_.timeout);
    if (!ends.ok()) {
        if (ends.error().kind != ErrorKind::NotFound)
            return ends.error().in("stream \"" + stream.name + "\"");
        WEIR_TRY(truly_gone(stream, ends.error()));
        catalog_.look_soon();
        return unknown(stream.name);
    }
    if (after.value < ends->low)
        return positions_gone(stream.name, Position(after.value + 1), Position(ends->low));
    if (after.value > ends->high) return beyond_head(stream.name, after, Position(ends->high));
    bool interrupted = false;
    {
        std::lock_guard lock(stream.mutex);
        interrupted = std::exchange(stream.doubted, false);
    }
    stream.last = {};
    source->begin(stream.place, after.value, epoch, interrupted);
    return Reading{{}, after, interrupted};
}

Result<Arrival> KafkaBus::at(std::string_view name, Position position) {
    std::shared_lock lock(using_);
    WEIR_ASSIGN(stream, stream_of(name));
    if (position.value < 1) return nothing_at(name, position);
    WEIR_ASSIGN(source, reader());
    const auto epoch = source->signals()->epoch();
    auto record = probe_->record_at(stream->place, position.value - 1, options_.timeout);
    if (!record.ok() && record.error().kind != ErrorKind::NotFound) return record.error();
    // A topic that is merely forgotten for a moment has lost nothing.
    if (!record.ok()) WEIR_TRY(truly_gone(*stream, record.error()));
    if (!record.ok() || !*record) return nothing_at(name, position);
    std::lock_guard holding(stream->mutex);
    stream->checked = position.value;
    stream->checked_epoch = epoch;
    const DecodeContext context{stream->mapping_of_at ? &*stream->mapping_of_at : nullptr,
                                {options_.name, place_name(*stream), 0, {}},
                                options_.limits};
    Arrival arrival;
    read_record(**record, stream->place.topic, context, clock_.now(), arrival);
    return arrival;
}

Result<Position> KafkaBus::last_before(std::string_view name, Instant time) {
    std::shared_lock lock(using_);
    WEIR_ASSIGN(stream, stream_of(name));
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
    WEIR_ASSIGN(offset, probe_->offset_from(stream->place, ms + 1, options_.timeout));
    return Position(offset);
}

Result<std::vector<Position>> KafkaBus::publish(std::string_view stream, std::span<const Event> events) {
    std::shared_lock lock(using_);
    if (closed_.load()) return bus_closed();
    WEIR_ASSIGN(place, target_of(stream));
    WEIR_TRY(check_all(events, options_.limits));
    if (events.empty()) return std::vector<Position>();
    WEIR_TRY(catalog_.ready(options_.timeout));
    if (!catalog_.there(place)) WEIR_TRY(catalog_.fresh(options_.timeout));
    // It is configured: whoever has something to publish keeps it until the topic is there again.
    if (!catalog_.there(place))
        return unavailable("bus \"" + options_.name + "\": there is no topic \"" + place.topic +
                           "\" with such a partition now");
    const auto topic = catalog_.known(place.topic);
    std::vector<Message> messages;
    messages.reserve(events.size());
    for (const auto& event : events) {
        auto& message = messages.emplace_back(encode_kafka(event, options_.mode));
        std::size_t bytes = message.key.size() + message.body.size() + 128;
        for (const auto& [name, value] : message.headers)
            bytes += name.size() + value.size() + 8;
        if (topic->record_bytes_max != 0 && bytes > topic->record_bytes_max)
            return exhausted("event " + std::to_string(messages.size()) + ": a record of about " +
                             std::to_string(bytes) + " bytes; topic \"" + place.topic + "\" takes " +
                             std::to_string(topic->record_bytes_max) + ": raise its max.message.bytes");
    }
    const auto sender = publisher();
    WEIR_ASSIGN(offsets, sender->send(place.topic, place.partition, messages));
    std::vector<Position> positions;
    positions.reserve(offsets.size());
    for (const auto offset : offsets)
        positions.emplace_back(offset + 1);
    handler_.call();
    return positions;
}

Status KafkaBus::release(std::string_view name, Position position) {
    std::shared_lock lock(using_);
    WEIR_ASSIGN(stream, stream_of(name));
    // A committed offset is the next one to be read.
    if (position.value > 0) catalog_.hint(stream->place, position.value);
    return {};
}

void KafkaBus::close() {
    if (closed_.exchange(true)) return;
    handler_.close();
    probe_->signals()->on_failure({});
    catalog_.close();
    {
        std::lock_guard lock(making_);
        if (reader_) reader_->signals()->on_failure({});
        if (reader_) reader_->close();
        if (publisher_) publisher_->close();
    }
    // Calls that are on their way end within the timeout.
    std::unique_lock lock(using_);
    reader_.reset();
    publisher_.reset();
}

} // namespace
} // namespace kafka

Result<std::unique_ptr<Bus>> open_kafka_bus(const Clock& clock, KafkaBusOptions options) {
    WEIR_TRY(kafka::check_options(options));
    WEIR_ASSIGN(probe, kafka::Probe::make(options));
    // Wrong properties of the other two would else be seen late.
    for (const bool reads : {true, false}) {
        // It connects at once, and tells until it is gone: the signals outlive it.
        const auto signals = std::make_shared<kafka::Signals>();
        const auto handle = kafka::make_handle(
            reads ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER,
            reads ? kafka::reader_properties(options) : kafka::producer_properties(options), signals);
        if (!handle.ok()) return handle.error();
    }
    return std::unique_ptr<Bus>(
        std::make_unique<kafka::KafkaBus>(clock, std::move(options), std::move(probe)));
}

} // namespace weir::events
