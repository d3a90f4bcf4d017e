#include "tables.hpp"

namespace weir::config {
namespace {

Field start_field() {
    return {"start", FieldType::Text,
            "Where reading begins of what was never read: `new`, `earliest`, or a time "
            "(2026-05-01T00:00:00Z); `new` if left out."};
}

Field mapping_field() {
    return field_section("mapping", FieldType::Section, mapping_table(),
                         "How messages that are no CloudEvents become events; without it they are dead "
                         "letters.");
}

Field durability_field(std::string_view doc) {
    return field_word("durability", {"process-safe", "power-safe"}, doc);
}

Field mode_field() {
    return field_word("mode", {"binary", "structured"},
                      "How events are written: attributes in headers, or all in the body; `binary` if "
                      "left out.");
}

} // namespace

const DocumentTable& tls_table() {
    static const DocumentTable table{
        "tls",
        "TLS to the broker.",
        {{"enabled", FieldType::Flag, "true if left out."},
         {"ca_file", FieldType::Text, "Certificates of those to trust; the system's if left out."},
         {"certificate_file", FieldType::Text, "The client's certificate, with `key_file`."},
         {"key_file", FieldType::Text, "Its key; a file of its owner's (mode 0600)."},
         {"verify_host", FieldType::Flag,
          "The server's name must stand in its certificate; true if left out."}}};
    return table;
}

const DocumentTable& mapping_table() {
    static const DocumentTable table{
        "mapping",
        "CEL expressions over `data` (the parsed body), `headers`, `subject`, `key`, `stream` and "
        "`position`. "
        "Constant text is a CEL string: `'\"orders.changed\"'`.",
        {field_required({"type", FieldType::Expression, "The event's type."}),
         {"source", FieldType::Expression, "Its source; `/BUS/STREAM` if left out."},
         {"id", FieldType::Expression, "Its id; the position if left out."},
         {"subject", FieldType::Expression, "Its subject."},
         {"time", FieldType::Expression, "Its time."},
         {"dataschema", FieldType::Expression, "Its dataschema."},
         {"extensions", FieldType::TextMap, "Further attributes, by name."},
         {"data", FieldType::Expression, "Its data; the whole body if left out."}}};
    return table;
}

const DocumentTable& embedded_table() {
    static const DocumentTable table{
        "embedded bus",
        "A bus in this process: the file events.db in `data`.",
        {field_required(field_word("kind", {"embedded"}, "What it is.")),
         {"keep_age", FieldType::Period,
          "Events that the engine has taken are dropped when older; 7d if left out, 0s: never."},
         field_whole("keep_bytes", 0, std::int64_t{1} << 50,
                     "They are dropped, oldest first, over this size; 1 GiB if left out, 0: no limit."),
         field_whole("file_bytes_max", 0, std::int64_t{1} << 50,
                     "The file never grows over this; 0 or left out: no limit but the disk's.")}};
    return table;
}

const DocumentTable& nats_create_table() {
    static const DocumentTable table{
        "nats stream to create",
        "The stream is made with these settings where there is none, else taken as it is.",
        {field_required({"subjects", FieldType::Texts, "What the stream takes in."}),
         {"age_max", FieldType::Period, "Older messages go; 0s or left out: no limit."},
         field_whole("bytes_max", -1, std::int64_t{1} << 60,
                     "Over this the oldest go; -1 or left out: no limit."),
         field_whole("replicas", 1, 5, "1 if left out."),
         {"duplicates", FieldType::Period,
          "How long the server knows the ids of messages; 2m if left out."}}};
    return table;
}

const DocumentTable& nats_stream_table() {
    static const DocumentTable table{
        "nats stream",
        "A JetStream stream that weir reads.",
        {field_required({"stream", FieldType::Text, "Its name on the server."}),
         {"subjects", FieldType::Texts, "Only these (`*` and `>` allowed); all if left out."},
         start_field(),
         mapping_field(),
         field_section("create", FieldType::Section, nats_create_table(),
                       "Left out: weir makes no stream.")}};
    return table;
}

const DocumentTable& nats_table() {
    static const DocumentTable table{
        "nats bus",
        "JetStream streams of a NATS server, 2.9.10 or newer.",
        {field_required(field_word("kind", {"nats"}, "What it is.")),
         field_required({"urls", FieldType::Texts, "`nats://host:4222`; without user or password."}),
         {"user", FieldType::Text, "With `password`."},
         {"password", FieldType::Secret, "With `user`."},
         {"token", FieldType::Secret, "Instead of a user."},
         {"credentials_file", FieldType::Text, "A .creds file (mode 0600), instead of a user."},
         {"nkey_seed_file", FieldType::Text, "A file with an nkey seed (mode 0600), instead of a user."},
         field_section("tls", FieldType::Section, tls_table(), "TLS."),
         field_required(
             field_section("streams", FieldType::SectionList, nats_stream_table(), "What is read.")),
         {"publish_stream", FieldType::Text,
          "The stream that takes what is published; the first if left out."},
         {"publish_subject", FieldType::Text,
          "Events go to PUBLISH_SUBJECT.TYPE; `weir.events` if left out."},
         mode_field(),
         durability_field("What the operator vouches for (`sync_interval: always` is power-safe); "
                          "`process-safe` if left out."),
         {"timeout", FieldType::Period, "Of one request; 5s if left out."}}};
    return table;
}

const DocumentTable& kafka_create_table() {
    static const DocumentTable table{
        "kafka topic to create",
        "The topic is made with these settings where there is none, else taken as it is.",
        {field_whole("partitions", 1, 10'000, "1 if left out."),
         field_whole("replication", 1, 100, "1 if left out."),
         {"settings", FieldType::TextMap, "Of the topic: `retention.ms`..."}}};
    return table;
}

const DocumentTable& kafka_topic_table() {
    static const DocumentTable table{
        "kafka topic",
        "A topic that weir reads, all of its partitions.",
        {field_required({"topic", FieldType::Text, "Its name."}), start_field(), mapping_field(),
         field_section("create", FieldType::Section, kafka_create_table(),
                       "Left out: weir makes no topic.")}};
    return table;
}

const DocumentTable& kafka_table() {
    static const DocumentTable table{
        "kafka bus",
        "Topics of Apache Kafka, brokers 3.9 or newer.",
        {field_required(field_word("kind", {"kafka"}, "What it is.")),
         field_required({"brokers", FieldType::Texts, "`host:9092`."}),
         {"group_id", FieldType::Text,
          "Under which positions are committed for lag tools; `weir-NAME` if left out."},
         field_word("sasl", {"none", "plain", "scram-sha-256", "scram-sha-512"}, "`none` if left out."),
         {"user", FieldType::Text, "With `sasl`."},
         {"password", FieldType::Secret, "With `sasl`."},
         field_section("tls", FieldType::Section, tls_table(), "TLS."),
         field_required(
             field_section("topics", FieldType::SectionList, kafka_topic_table(), "What is read.")),
         {"publish_topic", FieldType::Text, "The topic that takes what is published; the first if left out."},
         mode_field(),
         {"java_partitioner", FieldType::Flag,
          "Partitions by murmur2, where producers in Java share the topic."},
         durability_field("What the operator vouches for; else it follows from replication and "
                          "min.insync.replicas."),
         {"timeout", FieldType::Period, "Of one request; 10s if left out."},
         {"refresh", FieldType::Period, "How often new partitions are looked for; 30s if left out."},
         {"settings", FieldType::TextMap,
          "Further librdkafka properties, as texts; those that weir sets itself are refused."}}};
    return table;
}

} // namespace weir::config
