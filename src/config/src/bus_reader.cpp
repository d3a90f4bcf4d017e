#include "bus_reader.hpp"

#include <algorithm>
#include <set>

#include <weir/base/text.hpp>
#include <weir/events/json_mapping.hpp>

#include "tables.hpp"

namespace weir::config {
namespace {

constexpr auto duration_max = std::chrono::hours(24 * 3653);

/// What the readers of one bus have in common.
class BusReader {
  public:
    BusReader(std::string path, const Paths& paths, Problems& problems)
        : path_(std::move(path)), paths_(paths), problems_(problems) {}

    EmbeddedBus embedded(const Fields& fields) {
        EmbeddedBus bus;
        auto& options = bus.options;
        duration(fields, "keep_age", path_, options.keep_age, true);
        options.keep_bytes = fields.whole("keep_bytes", options.keep_bytes);
        options.file_bytes_max = fields.whole("file_bytes_max", options.file_bytes_max);
        return bus;
    }

    NatsBus nats(const std::string& name, const Fields& fields) {
        NatsBus bus;
        auto& options = bus.options;
        options.name = name;
        options.urls = fields.texts("urls");
        for (const auto& url : options.urls)
            check_url(url, fields.place("urls"));
        options.user = fields.text("user");
        bus.password = read_reference(fields, "password", paths_);
        bus.token = read_reference(fields, "token", paths_);
        options.credentials_file = path_in(fields, "credentials_file");
        options.nkey_seed_file = path_in(fields, "nkey_seed_file");
        check_nats_login(fields);
        options.tls = tls(fields);
        for_each(fields, "streams", nats_stream_table(), [&](const Fields& one, const std::string& path) {
            options.streams.push_back(nats_stream(one, path));
        });
        std::set<std::string> streams;
        for (const auto& stream : options.streams)
            once(streams, stream.stream, fields.place("streams"), "stream");
        options.publish_stream = fields.text("publish_stream");
        among(streams, options.publish_stream, fields.place("publish_stream"), "publish_stream", "streams");
        options.publish_subject = fields.text("publish_subject", options.publish_subject);
        options.mode = mode(fields);
        options.durability = durability(fields);
        duration(fields, "timeout", path_, options.timeout);
        return bus;
    }

    KafkaBus kafka(const std::string& name, const Fields& fields) {
        KafkaBus bus;
        auto& options = bus.options;
        options.name = name;
        options.brokers = fields.texts("brokers");
        for (const auto& broker : options.brokers)
            if (broker.empty() || broker.find_first_of("@/, ") != std::string::npos)
                problem(fields.place("brokers"), ".brokers: expected host:port, one an entry");
        options.group_id = fields.text("group_id");
        options.sasl = sasl(fields);
        options.user = fields.text("user");
        bus.password = read_reference(fields, "password", paths_);
        const bool login = fields.text("sasl", "none") != "none";
        if (login != fields.has("user") || login != fields.has("password"))
            problem(login ? fields.place("sasl") : fields.place(fields.has("user") ? "user" : "password"),
                    ": `sasl` (plain, scram-sha-256 or scram-sha-512), `user` and `password` go together");
        options.tls = tls(fields);
        for_each(fields, "topics", kafka_topic_table(), [&](const Fields& one, const std::string& path) {
            options.topics.push_back(kafka_topic(one, path));
        });
        std::set<std::string> topics;
        for (const auto& topic : options.topics)
            once(topics, topic.topic, fields.place("topics"), "topic");
        options.publish_topic = fields.text("publish_topic");
        among(topics, options.publish_topic, fields.place("publish_topic"), "publish_topic", "topics");
        options.mode = mode(fields);
        options.java_partitioner = fields.flag("java_partitioner", false);
        options.durability = durability(fields);
        duration(fields, "timeout", path_, options.timeout);
        duration(fields, "refresh", path_, options.refresh);
        options.settings = settings(fields, path_);
        return bus;
    }

  private:
    void problem(const Place& place, const std::string& message) {
        problems_.push_back({place, path_ + message});
    }
    void duration(const Fields& fields, std::string_view name, const std::string& path, Duration& into,
                  bool zero = false) {
        read_duration(fields, name, path, into, problems_, zero);
    }
    std::string path_in(const Fields& fields, std::string_view name) {
        const auto text = fields.text(name);
        return text.empty() ? text : paths_.of(text);
    }

    template <class Each>
    void for_each(const Fields& fields, std::string_view name, const DocumentTable& table, Each each) {
        const auto* list = fields.find(name);
        if (list == nullptr || list->kind != Node::Kind::List) return;
        if (list->items.empty()) problem(list->place, "." + std::string(name) + ": nothing is read");
        for (std::size_t i = 0; i < list->items.size(); ++i)
            each(Fields(list->items[i], table),
                 path_ + "." + std::string(name) + "[" + std::to_string(i) + "]");
    }

    /// A secret in a URL would be shown wherever the URL is.
    void check_url(const std::string& url, const Place& place) {
        const auto scheme = url.find("://");
        const auto name = url.substr(0, scheme == std::string::npos ? 0 : scheme);
        if (url.find('@') != std::string::npos)
            problem(place,
                    ".urls: a user or password does not stand in a URL; use `user` and `password`, or "
                    "`token`");
        else if ((name != "nats" && name != "tls") || url.size() == scheme + 3)
            problem(place,
                    ".urls: \"" + printable(url, 100) + "\" is not nats://HOST:PORT or tls://HOST:PORT");
    }

    void check_nats_login(const Fields& fields) {
        if (fields.has("user") != fields.has("password"))
            problem(fields.place(fields.has("user") ? "user" : "password"),
                    ": `user` and `password` go together");
        int ways = 0;
        Place last;
        for (const auto* way : {"user", "token", "credentials_file", "nkey_seed_file"}) {
            if (!fields.has(way)) continue;
            ++ways;
            last = fields.place(way);
        }
        if (ways > 1)
            problem(last,
                    ": one way to log in is enough: `user` and `password`, `token`, "
                    "`credentials_file` or `nkey_seed_file`");
    }

    events::Tls tls(const Fields& fields) {
        events::Tls out;
        const auto* node = fields.find("tls");
        if (node == nullptr || node->kind != Node::Kind::Map) return out;
        const Fields inner(*node, tls_table());
        out.enabled = inner.flag("enabled", true);
        out.ca_file = path_in(inner, "ca_file");
        out.certificate_file = path_in(inner, "certificate_file");
        out.key_file = path_in(inner, "key_file");
        out.verify_host = inner.flag("verify_host", true);
        if (out.certificate_file.empty() != out.key_file.empty())
            problem(node->place, ".tls: `certificate_file` and `key_file` go together");
        return out;
    }

    events::StreamStart start(const Fields& fields, const std::string& path) {
        events::StreamStart out;
        const auto text = fields.text("start", "new");
        if (text == "new") return out;
        if (text == "earliest") {
            out.at = events::StreamStart::At::Earliest;
            return out;
        }
        const auto time = parse_rfc3339(text);
        if (!time.ok()) {
            problems_.push_back({fields.place("start"),
                                 path +
                                     ".start: expected new, earliest or a time (2026-05-01T00:00:00Z), "
                                     "found \"" +
                                     printable(text, 60) + "\""});
            return out;
        }
        out.at = events::StreamStart::At::Time;
        out.time = *time;
        return out;
    }

    std::optional<events::JsonMappingSettings> mapping(const Fields& fields, const std::string& path) {
        const auto* node = fields.find("mapping");
        if (node == nullptr || node->kind != Node::Kind::Map) return std::nullopt;
        const Fields inner(*node, mapping_table());
        events::JsonMappingSettings out;
        out.type = inner.text("type");
        out.source = inner.text("source");
        out.id = inner.text("id");
        out.subject = inner.text("subject");
        out.time = inner.text("time");
        out.dataschema = inner.text("dataschema");
        out.data = inner.text("data");
        out.extensions = text_map(inner, "extensions");
        if (out.type.empty()) return out;
        if (const auto compiled = events::JsonMapping::compile(out); !compiled.ok())
            problems_.push_back({node->place, path + ".mapping: " + compiled.error().message});
        return out;
    }

    events::NatsStreamOptions nats_stream(const Fields& fields, const std::string& path) {
        events::NatsStreamOptions out;
        out.stream = fields.text("stream");
        if (fields.has("stream") &&
            (out.stream.empty() || out.stream.find_first_of(" .*>/\\\t") != std::string::npos))
            problems_.push_back({fields.place("stream"), path + ".stream: \"" + printable(out.stream, 60) +
                                                             "\" is not the name of a NATS stream"});
        out.subjects = fields.texts("subjects");
        out.start = start(fields, path);
        out.mapping = mapping(fields, path);
        const auto* node = fields.find("create");
        if (node == nullptr || node->kind != Node::Kind::Map) return out;
        const Fields inner(*node, nats_create_table());
        events::NatsStreamOptions::Create create;
        create.subjects = inner.texts("subjects");
        duration(inner, "age_max", path + ".create", create.age_max, true);
        create.bytes_max = inner.whole("bytes_max", create.bytes_max);
        create.replicas = static_cast<int>(inner.whole("replicas", create.replicas));
        duration(inner, "duplicates", path + ".create", create.duplicates);
        out.create = std::move(create);
        return out;
    }

    events::KafkaTopicOptions kafka_topic(const Fields& fields, const std::string& path) {
        events::KafkaTopicOptions out;
        out.topic = fields.text("topic");
        const bool legal = std::all_of(out.topic.begin(), out.topic.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                   c == '_' || c == '-';
        });
        if (fields.has("topic") && (out.topic.empty() || out.topic.size() > 249 || !legal))
            problems_.push_back({fields.place("topic"), path + ".topic: \"" + printable(out.topic, 60) +
                                                            "\" is not the name of a Kafka topic"});
        out.start = start(fields, path);
        out.mapping = mapping(fields, path);
        const auto* node = fields.find("create");
        if (node == nullptr || node->kind != Node::Kind::Map) return out;
        const Fields inner(*node, kafka_create_table());
        events::KafkaTopicOptions::Create create;
        create.partitions = static_cast<int>(inner.whole("partitions", create.partitions));
        create.replication = static_cast<int>(inner.whole("replication", create.replication));
        create.settings = text_map(inner, "settings");
        out.create = std::move(create);
        return out;
    }

    static std::map<std::string, std::string> text_map(const Fields& fields, std::string_view name) {
        std::map<std::string, std::string> out;
        const auto* node = fields.find(name);
        if (node == nullptr) return out;
        for (const auto& [key, value] : node->members)
            if (value.kind == Node::Kind::String) out[key.text] = value.text;
        return out;
    }

    /// Properties with a field of their own, or that hold a secret, are not set here.
    std::map<std::string, std::string> settings(const Fields& fields, const std::string& path) {
        static const std::vector<std::pair<std::string_view, std::string_view>> own{
            {"bootstrap.servers", "brokers"}, {"metadata.broker.list", "brokers"},
            {"group.id", "group_id"},         {"security.protocol", "sasl and tls"},
            {"sasl.mechanism", "sasl"},       {"sasl.mechanisms", "sasl"},
            {"sasl.username", "user"},        {"sasl.password", "password"},
            {"ssl.ca.location", "tls"},       {"ssl.certificate.location", "tls"},
            {"ssl.key.location", "tls"},      {"partitioner", "java_partitioner"}};
        const auto* node = fields.find("settings");
        auto out = text_map(fields, "settings");
        for (const auto& [key, _] : out) {
            const auto found =
                std::find_if(own.begin(), own.end(), [&](const auto& one) { return one.first == key; });
            const bool secret = key.find("password") != std::string::npos ||
                                key.find("secret") != std::string::npos || key.ends_with(".pem") ||
                                key == "sasl.oauthbearer.config";
            if (found != own.end())
                problems_.push_back({node->find(key)->place, path + ".settings: " + key +
                                                                 " is set by the field `" +
                                                                 std::string(found->second) + "`"});
            else if (secret)
                problems_.push_back({node->find(key)->place, path + ".settings: " + printable(key, 60) +
                                                                 " holds a secret, which does not stand in "
                                                                 "this file"});
        }
        return out;
    }

    static events::MessageMode mode(const Fields& fields) {
        return fields.text("mode") == "structured" ? events::MessageMode::Structured
                                                   : events::MessageMode::Binary;
    }
    static std::optional<events::Durability> durability(const Fields& fields) {
        const auto word = fields.text("durability");
        if (word.empty()) return std::nullopt;
        return word == "power-safe" ? events::Durability::PowerSafe : events::Durability::ProcessSafe;
    }
    static events::KafkaBusOptions::Sasl sasl(const Fields& fields) {
        using Sasl = events::KafkaBusOptions::Sasl;
        const auto word = fields.text("sasl", "none");
        if (word == "plain") return Sasl::Plain;
        if (word == "scram-sha-256") return Sasl::ScramSha256;
        if (word == "scram-sha-512") return Sasl::ScramSha512;
        return Sasl::None;
    }

    void once(std::set<std::string>& seen, const std::string& name, const Place& place,
              const std::string& what) {
        if (!name.empty() && !seen.insert(name).second)
            problem(place, ": the " + what + " \"" + printable(name, 100) + "\" stands here twice");
    }
    void among(const std::set<std::string>& names, const std::string& name, const Place& place,
               const std::string& field, const std::string& list) {
        if (name.empty() || names.count(name) != 0) return;
        const std::vector<std::string_view> known(names.begin(), names.end());
        problem(place, "." + field + ": \"" + printable(name, 100) + "\" is not among `" + list + "`" +
                           did_you_mean(name, known));
    }

    std::string path_;
    const Paths& paths_;
    Problems& problems_;
};

} // namespace

Paths::Paths(const std::string& file) : folder_(file.substr(0, file.rfind('/') + 1)) {}

std::string Paths::of(const std::string& path) const {
    return path.starts_with('/') ? path : folder_ + path;
}

Secret read_reference(const Node& node, const Paths& paths) {
    Secret secret;
    if (node.kind != Node::Kind::Map) return secret;
    const auto text = [&](std::string_view key) {
        const auto* value = node.find(key);
        return value != nullptr && value->kind == Node::Kind::String ? value->text : std::string();
    };
    secret.env = text("env");
    if (const auto file = text("file"); !file.empty()) secret.file = paths.of(file);
    secret.place = node.place;
    return secret;
}

Secret read_reference(const Fields& fields, std::string_view name, const Paths& paths) {
    const auto* node = fields.find(name);
    return node == nullptr ? Secret{} : read_reference(*node, paths);
}

void read_duration(const Fields& fields, std::string_view name, const std::string& path, Duration& into,
                   Problems& problems, bool zero) {
    const auto given = fields.duration(name);
    if (!given) return;
    if (*given > duration_max || (*given == Duration::zero() && !zero))
        problems.push_back({fields.place(name), path + "." + std::string(name) + ": expected a duration " +
                                                    (zero ? "of" : "above 0 and of") + " at most 3653d"});
    into = *given;
}

std::optional<BusConfig> read_bus(const std::string& name, const Node& node, const Paths& paths,
                                  Problems& problems) {
    BusReader reader("buses." + name, paths, problems);
    const auto* kind = node.find("kind");
    const auto word = kind == nullptr ? std::string() : kind->text;
    if (word == "nats") return BusConfig{name, reader.nats(name, Fields(node, nats_table()))};
    if (word == "kafka") return BusConfig{name, reader.kafka(name, Fields(node, kafka_table()))};
    if (word == "embedded") return BusConfig{name, reader.embedded(Fields(node, embedded_table()))};
    return std::nullopt;
}

} // namespace weir::config
