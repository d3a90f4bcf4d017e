#include "probe.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <weir/base/log.hpp>

namespace weir::events::kafka {
namespace {

std::string name_of(const Place& place) {
    return "topic \"" + place.topic + "\", partition " + std::to_string(place.partition);
}

struct DestroyMetadata {
    void operator()(const struct rd_kafka_metadata* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
struct DestroyEvent {
    void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct DestroyAdminOptions {
    void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
};
struct DestroyNewTopic {
    void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct DestroyResource {
    void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
};
using Event = std::unique_ptr<rd_kafka_event_t, DestroyEvent>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, DestroyAdminOptions>;

AdminOptions admin_options(rd_kafka_t* handle, rd_kafka_admin_op_t what, Duration timeout) {
    std::array<char, 256> fault{};
    AdminOptions options(rd_kafka_AdminOptions_new(handle, what));
    (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), to_ms(timeout), fault.data(),
                                                    fault.size());
    if (what == RD_KAFKA_ADMIN_OP_CREATETOPICS)
        (void)rd_kafka_AdminOptions_set_operation_timeout(options.get(), to_ms(timeout), fault.data(),
                                                          fault.size());
    return options;
}

/// Waits for the answer to an admin request.
Result<Event> answer(const Queue& queue, const std::string& what, Duration timeout) {
    Event event(rd_kafka_queue_poll(queue.get(), to_ms(timeout) + 500));
    if (!event) return unavailable(what + ": no answer");
    if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_of(code, what);
    return event;
}

} // namespace

Result<std::unique_ptr<Probe>> Probe::make(const KafkaBusOptions& options) {
    auto signals = std::make_shared<Signals>();
    WEIR_ASSIGN(handle, make_handle(RD_KAFKA_CONSUMER, probe_properties(options), signals));
    return std::unique_ptr<Probe>(new Probe(options, std::move(signals), std::move(handle)));
}

Probe::Probe(const KafkaBusOptions& options, std::shared_ptr<Signals> signals, Handle handle)
    : options_(options), signals_(std::move(signals)), client_(std::make_shared<Client>(std::move(handle))) {}

std::shared_ptr<Probe::Client> Probe::client() const {
    std::lock_guard lock(client_mutex_);
    return client_;
}

/// A question about partitions was not answered in time. If the brokers answer others, and name a leader of
/// each of them, it is this handle that does not ask.
void Probe::doubt(Client& client, const std::vector<Place>& places) {
    constexpr Duration question = std::chrono::seconds(2);
    constexpr Duration pause = std::chrono::seconds(30); // slow brokers are no better for new handles
    const SystemClock clock;                             // a network's time is not simulated
    {
        std::lock_guard lock(client_mutex_);
        if (client_.get() != &client || clock.steady_now() - renewed_ < pause) return;
    }
    const struct rd_kafka_metadata* raw = nullptr;
    if (rd_kafka_metadata(client.handle.get(), 0, nullptr, &raw, to_ms(question)) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    const std::unique_ptr<const struct rd_kafka_metadata, DestroyMetadata> metadata(raw);
    std::set<Place> led;
    for (int i = 0; i < metadata->topic_cnt; ++i)
        for (int p = 0; p < metadata->topics[i].partition_cnt; ++p)
            if (const auto& partition = metadata->topics[i].partitions[p]; partition.leader >= 0)
                led.insert({metadata->topics[i].topic, partition.id});
    const auto has_leader = [&](const Place& place) { return led.count(place) != 0; };
    if (!std::all_of(places.begin(), places.end(), has_leader)) return;
    auto made = make_handle(RD_KAFKA_CONSUMER, probe_properties(options_), signals_);
    if (!made.ok()) return;
    std::shared_ptr<Client> before; // goes after the lock: it takes its time
    {
        std::lock_guard lock(client_mutex_);
        if (client_.get() != &client) return;
        before = std::exchange(client_, std::make_shared<Client>(std::move(*made)));
        renewed_ = clock.steady_now();
    }
    ++renewals_;
    log::info("the Kafka library holds on to what a topic was; its handles are made anew",
              {{"bus", options_.name}, {"topic", places.front().topic}});
}

Result<std::map<std::string, TopicFacts>> Probe::topics(const std::vector<std::string>& topics,
                                                        Duration timeout) {
    const auto client = this->client();
    {
        // Metadata is asked for the topics that the handle knows of: then one request is enough.
        std::lock_guard lock(client->mutex);
        for (const auto& topic : topics)
            if (client->topics.count(topic) == 0)
                client->topics.emplace(
                    topic, Topic(rd_kafka_topic_new(client->handle.get(), topic.c_str(), nullptr)));
    }
    const struct rd_kafka_metadata* raw = nullptr;
    const auto code = rd_kafka_metadata(client->handle.get(), 0, nullptr, &raw, to_ms(timeout));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(code, "asking the brokers for the topics");
    const std::unique_ptr<const struct rd_kafka_metadata, DestroyMetadata> metadata(raw);
    std::map<std::string, TopicFacts> found;
    for (int i = 0; i < metadata->topic_cnt; ++i) {
        const auto& topic = metadata->topics[i];
        if (std::find(topics.begin(), topics.end(), topic.topic) == topics.end()) continue;
        if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
        if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return error_of(topic.err, "topic \"" + std::string(topic.topic) + "\"");
        if (topic.partition_cnt == 0) continue;
        TopicFacts facts{topic.partition_cnt, topic.partitions[0].replica_cnt};
        for (int p = 0; p < topic.partition_cnt; ++p)
            facts.replication = std::min(facts.replication, topic.partitions[p].replica_cnt);
        found.emplace(topic.topic, facts);
    }
    return found;
}

Result<std::string> Probe::cluster_id(Duration timeout) {
    const auto client = this->client();
    auto* id = rd_kafka_clusterid(client->handle.get(), to_ms(timeout));
    if (id == nullptr) return unavailable("the brokers did not tell the cluster's id");
    std::string text(id);
    rd_kafka_mem_free(client->handle.get(), id);
    return text;
}

Result<std::vector<std::int64_t>> Probe::list_offsets(const std::vector<Place>& places, std::int64_t which,
                                                      Duration timeout) {
    const auto client = this->client();
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(places.size())));
    for (const auto& place : places)
        rd_kafka_topic_partition_list_add(list.get(), place.topic.c_str(), place.partition)->offset = which;
    const auto code = rd_kafka_offsets_for_times(client->handle.get(), list.get(), to_ms(timeout));
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) doubt(*client, places);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(code, "asking the brokers for offsets");
    std::vector<std::int64_t> offsets;
    for (const auto& place : places) {
        const auto* one =
            rd_kafka_topic_partition_list_find(list.get(), place.topic.c_str(), place.partition);
        if (one == nullptr) return internal(name_of(place) + ": no offset was told");
        if (one->err != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(one->err, name_of(place));
        offsets.push_back(one->offset);
    }
    return offsets;
}

Result<std::vector<Ends>> Probe::ends(const std::vector<Place>& places, Duration timeout) {
    if (places.empty()) return std::vector<Ends>();
    // Ends first: what is appended in between makes the head too old, never `first` too young.
    WEIR_ASSIGN(high, list_offsets(places, RD_KAFKA_OFFSET_END, timeout));
    WEIR_ASSIGN(low, list_offsets(places, RD_KAFKA_OFFSET_BEGINNING, timeout));
    std::vector<Ends> ends;
    for (std::size_t i = 0; i < places.size(); ++i)
        ends.push_back({low[i], std::max(low[i], high[i])});
    return ends;
}

Result<Ends> Probe::ends(const Place& place, Duration timeout) {
    // Not rd_kafka_query_watermark_offsets: if one of its two requests fails, it may tell the other's answer
    // for both and no error, and a partition with records seems to be empty.
    WEIR_ASSIGN(known, ends(std::vector<Place>{place}, timeout));
    return known.front();
}

Result<std::int64_t> Probe::offset_from(const Place& place, std::int64_t time_ms, Duration timeout) {
    // Negative times mean something else to the broker, and nothing is older than 1970.
    WEIR_ASSIGN(found, list_offsets({place}, std::max<std::int64_t>(time_ms, 0), timeout));
    WEIR_ASSIGN(known, ends(place, timeout));
    if (found.front() < 0) return known.high;
    return std::clamp(found.front(), known.low, known.high);
}

Result<Record> Probe::record_at(const Place& place, std::int64_t offset, Duration timeout) {
    const auto client = this->client();
    std::lock_guard lock(fetching_);
    const Topic topic(rd_kafka_topic_new(client->handle.get(), place.topic.c_str(), nullptr));
    const Queue queue(rd_kafka_queue_new(client->handle.get()));
    if (rd_kafka_consume_start_queue(topic.get(), place.partition, offset, queue.get()) != 0)
        return error_of(rd_kafka_last_error(), name_of(place));
    // A fetch behind the end would wait for what never comes.
    const auto known = ends(place, timeout);
    Record record;
    if (known.ok() && offset >= known->low && offset < known->high)
        record.reset(rd_kafka_consume_queue(queue.get(), to_ms(timeout)));
    (void)rd_kafka_consume_stop(topic.get(), place.partition);
    if (!known.ok()) return known.error();
    if (offset < known->low || offset >= known->high) return Record();
    if (!record)
        return unavailable(name_of(place) + ": offset " + std::to_string(offset) + " was not read in time");
    switch (record->err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            if (record->offset != offset) return Record();
            return record;
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE: return Record();
        default: return error_of(record->err, name_of(place));
    }
}

Result<std::map<std::string, std::string>> Probe::settings(const std::string& topic, Duration timeout) {
    const auto client = this->client();
    const auto what = "asking for the settings of topic \"" + topic + "\"";
    const Queue queue(rd_kafka_queue_new(client->handle.get()));
    const std::unique_ptr<rd_kafka_ConfigResource_t, DestroyResource> resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    auto* asked = resource.get();
    const auto options = admin_options(client->handle.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout);
    rd_kafka_DescribeConfigs(client->handle.get(), &asked, 1, options.get(), queue.get());
    WEIR_ASSIGN(event, answer(queue, what, timeout));
    const auto* result = rd_kafka_event_DescribeConfigs_result(event.get());
    if (result == nullptr) return internal(what + ": another answer");
    std::size_t count = 0;
    const auto* resources = rd_kafka_DescribeConfigs_result_resources(result, &count);
    std::map<std::string, std::string> found;
    for (std::size_t i = 0; i < count; ++i) {
        if (const auto code = rd_kafka_ConfigResource_error(resources[i]); code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return error_of(code, what);
        std::size_t entries = 0;
        const auto* entry = rd_kafka_ConfigResource_configs(resources[i], &entries);
        for (std::size_t k = 0; k < entries; ++k)
            if (const auto* value = rd_kafka_ConfigEntry_value(entry[k]))
                found.emplace(rd_kafka_ConfigEntry_name(entry[k]), value);
    }
    return found;
}

Status Probe::create(const KafkaTopicOptions& topic, std::map<std::string, std::string> settings,
                     Duration timeout) {
    const auto client = this->client();
    const auto what = "making topic \"" + topic.topic + "\"";
    std::array<char, 512> fault{};
    const std::unique_ptr<rd_kafka_NewTopic_t, DestroyNewTopic> made(
        rd_kafka_NewTopic_new(topic.topic.c_str(), topic.create->partitions, topic.create->replication,
                              fault.data(), fault.size()));
    if (!made) return invalid(what + ": " + fault.data());
    for (const auto& [name, value] : settings)
        if (rd_kafka_NewTopic_set_config(made.get(), name.c_str(), value.c_str()) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return invalid(what + ": setting \"" + name + "\"");
    const Queue queue(rd_kafka_queue_new(client->handle.get()));
    auto* asked = made.get();
    const auto options = admin_options(client->handle.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
    rd_kafka_CreateTopics(client->handle.get(), &asked, 1, options.get(), queue.get());
    WEIR_ASSIGN(event, answer(queue, what, timeout));
    const auto* result = rd_kafka_event_CreateTopics_result(event.get());
    if (result == nullptr) return internal(what + ": another answer");
    std::size_t count = 0;
    const auto* topics = rd_kafka_CreateTopics_result_topics(result, &count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto code = rd_kafka_topic_result_error(topics[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
        const auto* more = rd_kafka_topic_result_error_string(topics[i]);
        return error_of(code, what + (more != nullptr ? ": " + std::string(more) : std::string()));
    }
    return {};
}

void Probe::commit(const std::map<Place, std::int64_t>& offsets) {
    const auto client = this->client();
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
    for (const auto& [place, offset] : offsets)
        rd_kafka_topic_partition_list_add(list.get(), place.topic.c_str(), place.partition)->offset = offset;
    const auto code = rd_kafka_commit(client->handle.get(), list.get(), 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        log::debug("a hint of the position was not committed",
                   {{"bus", "kafka"}, {"error", rd_kafka_err2str(code)}});
}

void Probe::poll() {
    const auto client = this->client();
    (void)rd_kafka_poll(client->handle.get(), 0);
}

} // namespace weir::events::kafka
