#include "settings.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <weir/base/text.hpp>

namespace weir::events::kafka {
namespace {

/// What options say, and what the promises rest on: never from `settings`.
constexpr std::array<std::string_view, 41> own{"bootstrap.servers",
                                               "metadata.broker.list",
                                               "group.id",
                                               "group.instance.id",
                                               "group.protocol",
                                               "security.protocol",
                                               "sasl.mechanisms",
                                               "sasl.mechanism",
                                               "sasl.username",
                                               "sasl.password",
                                               "ssl.ca.location",
                                               "ssl.certificate.location",
                                               "ssl.key.location",
                                               "ssl.endpoint.identification.algorithm",
                                               "enable.ssl.certificate.verification",
                                               "enable.auto.commit",
                                               "auto.commit.enable",
                                               "enable.auto.offset.store",
                                               "auto.offset.reset",
                                               "isolation.level",
                                               "enable.partition.eof",
                                               "check.crcs",
                                               "queued.min.messages",
                                               "queued.max.messages.kbytes",
                                               "enable.idempotence",
                                               "acks",
                                               "request.required.acks",
                                               "retries",
                                               "message.send.max.retries",
                                               "max.in.flight",
                                               "max.in.flight.requests.per.connection",
                                               "message.timeout.ms",
                                               "delivery.timeout.ms",
                                               "enable.gapless.guarantee",
                                               "transactional.id",
                                               "partitioner",
                                               "message.max.bytes",
                                               "allow.auto.create.topics",
                                               "log.queue",
                                               "offset.store.method",
                                               "test.mock.num.brokers"};

std::string ms(Duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

bool valid_topic(std::string_view topic) {
    return !topic.empty() && topic.size() <= 249 && topic != "." && topic != ".." &&
           std::all_of(topic.begin(), topic.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

Status check_topics(const KafkaBusOptions& options) {
    if (options.topics.empty()) return invalid("kafka bus: no topic is named");
    std::set<std::string> seen;
    for (const auto& topic : options.topics) {
        if (!valid_topic(topic.topic))
            return invalid("kafka bus: a topic's name has 1 to 249 of a-z A-Z 0-9 . _ -, found \"" +
                           printable(topic.topic, 64) + "\"");
        if (!seen.insert(topic.topic).second)
            return invalid("kafka bus: topic \"" + topic.topic + "\" is named twice");
        if (topic.create && (topic.create->partitions < 1 || topic.create->replication < 1))
            return invalid("kafka bus: topic \"" + topic.topic +
                           "\": it is made with at least one partition and one replica");
        if (!topic.mapping) continue;
        if (const auto mapping = JsonMapping::compile(*topic.mapping); !mapping.ok())
            return mapping.error().in("kafka bus: topic \"" + topic.topic + "\"");
    }
    if (!options.publish_topic.empty() && seen.count(options.publish_topic) == 0)
        return invalid("kafka bus: publish_topic \"" + printable(options.publish_topic, 64) +
                       "\" is not among its topics");
    return {};
}

Properties common(const KafkaBusOptions& options) {
    std::string brokers;
    for (const auto& broker : options.brokers)
        brokers += (brokers.empty() ? "" : ",") + broker;
    const bool sasl = options.sasl != KafkaBusOptions::Sasl::None;
    const std::string protocol =
        options.tls.enabled ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext");
    const auto timeout =
        std::clamp<Duration>(options.timeout, std::chrono::seconds(2), std::chrono::seconds(60));
    Properties all{
        {"bootstrap.servers", brokers},
        {"security.protocol", protocol},
        {"socket.keepalive.enable", "true"},
        {"socket.timeout.ms", ms(timeout)},
        // After an outage of any length the connection is back within a second of the broker.
        {"reconnect.backoff.ms", "100"},
        {"reconnect.backoff.max.ms", "1000"},
        {"topic.metadata.propagation.max.ms", "1000"},
    };
    if (sasl) {
        const char* mechanism = options.sasl == KafkaBusOptions::Sasl::Plain         ? "PLAIN"
                                : options.sasl == KafkaBusOptions::Sasl::ScramSha256 ? "SCRAM-SHA-256"
                                                                                     : "SCRAM-SHA-512";
        all.emplace_back("sasl.mechanisms", mechanism);
        all.emplace_back("sasl.username", options.user);
        all.emplace_back("sasl.password", options.password);
    }
    if (options.tls.enabled) {
        if (!options.tls.ca_file.empty()) all.emplace_back("ssl.ca.location", options.tls.ca_file);
        if (!options.tls.certificate_file.empty())
            all.emplace_back("ssl.certificate.location", options.tls.certificate_file);
        if (!options.tls.key_file.empty()) all.emplace_back("ssl.key.location", options.tls.key_file);
        all.emplace_back("ssl.endpoint.identification.algorithm", options.tls.verify_host ? "https" : "none");
    }
    return all;
}

Properties consumer(const KafkaBusOptions& options) {
    auto all = common(options);
    all.insert(all.end(), {{"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"},
                           {"auto.offset.reset", "error"},
                           {"isolation.level", "read_committed"},
                           {"enable.partition.eof", "true"},
                           {"check.crcs", "true"},
                           {"allow.auto.create.topics", "false"},
                           {"fetch.error.backoff.ms", "200"}});
    return all;
}

void add_settings(Properties& all, const KafkaBusOptions& options) {
    for (const auto& [name, value] : options.settings)
        if (name != "debug") all.emplace_back(name, value);
}

} // namespace

Status check_options(const KafkaBusOptions& options) {
    if (options.name.empty() || !valid_name(options.name))
        return invalid("kafka bus: a bus is named by 1 to 128 of A-Z a-z 0-9 . _ -, found \"" +
                       printable(options.name, 64) + "\"");
    if (options.brokers.empty()) return invalid("kafka bus: no broker is named, as \"host:9092\"");
    for (const auto& broker : options.brokers)
        if (broker.empty() || broker.find_first_of(", \t") != std::string::npos)
            return invalid("kafka bus: a broker is named as \"host:9092\", found \"" + printable(broker, 64) +
                           "\"");
    WEIR_TRY(check_topics(options));
    if (options.timeout <= Duration::zero() || options.refresh <= Duration::zero())
        return invalid("kafka bus: timeout and refresh are more than zero");
    if (options.sasl != KafkaBusOptions::Sasl::None && (options.user.empty() || options.password.empty()))
        return invalid("kafka bus: SASL needs a user and a password");
    if (options.tls.certificate_file.empty() != options.tls.key_file.empty())
        return invalid("kafka bus: a client certificate and its key are given together");
    for (const auto& [name, value] : options.settings)
        if (std::find(own.begin(), own.end(), name) != own.end())
            return invalid("kafka bus: the setting \"" + name +
                           "\" is not free: the promises of the bus rest on it, or an option says it");
    return {};
}

Properties reader_properties(const KafkaBusOptions& options) {
    auto all = consumer(options);
    // The library's own limits are a last resort: once it has reached one it looks again a second later only.
    // The reader empties its queues at once and stops partitions whose readers are slow.
    all.insert(all.end(), {{"queued.min.messages", "100000"},
                           {"queued.max.messages.kbytes", "65536"},
                           {"fetch.wait.max.ms", "100"},
                           {"fetch.message.max.bytes", "1048576"},
                           {"fetch.max.bytes", "8388608"}});
    add_settings(all, options);
    // Among what this tells is that a partition's leader did not answer for it, which comes no other way.
    const auto debug = options.settings.find("debug");
    all.emplace_back("debug", debug == options.settings.end() ? "topic" : "topic," + debug->second);
    return all;
}

Properties probe_properties(const KafkaBusOptions& options) {
    auto all = consumer(options);
    all.insert(all.end(), {{"group.id", group_of(options)},
                           {"queued.min.messages", "100000"}, // with few it would pause for a second
                           {"queued.max.messages.kbytes", "65536"},
                           {"fetch.wait.max.ms", "20"},
                           {"fetch.message.max.bytes", "65536"},
                           {"fetch.max.bytes", "1048576"}});
    add_settings(all, options);
    return all;
}

Properties producer_properties(const KafkaBusOptions& options) {
    auto all = common(options);
    all.insert(all.end(),
               {{"enable.idempotence", "true"},
                {"acks", "all"},
                {"message.timeout.ms", "0"}, // the publisher itself gives up, and then sends all of it again
                {"linger.ms", "0.5"},
                {"batch.size", "524288"},
                {"queue.buffering.max.messages", "100000"},
                {"queue.buffering.max.kbytes", "131072"},
                {"message.max.bytes", std::to_string(record_bytes_max(options))},
                {"partitioner", options.java_partitioner ? "murmur2_random" : "consistent_random"}});
    add_settings(all, options);
    return all;
}

std::string group_of(const KafkaBusOptions& options) {
    return options.group_id.empty() ? "weir-" + options.name : options.group_id;
}

std::size_t record_bytes_max(const KafkaBusOptions& options) {
    // Structured mode escapes text and encodes bytes by base64.
    const auto frame = std::size_t{64} * 1024;
    return options.mode == MessageMode::Binary ? options.limits.bytes_max + frame
                                               : 2 * options.limits.bytes_max + frame;
}

} // namespace weir::events::kafka
