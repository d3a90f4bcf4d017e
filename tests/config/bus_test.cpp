#include <stdlib.h>

#include "rig.hpp"

using namespace weir;
using namespace weir::config;
using weir::config::test::good;
using weir::config::test::holds;
using weir::config::test::problem_of;
using weir::config::test::problems_of;
using weir::config::test::TempFolder;

namespace {

std::string nats(const std::string& fields) {
    return "weir: 1\nbuses:\n  main: {kind: nats, urls: 'nats://a:4222', streams: [{stream: S}]" + fields +
           "}\n";
}
std::string nats_stream(const std::string& fields) {
    return "weir: 1\nbuses:\n  main: {kind: nats, urls: 'nats://a:4222', streams: [{" + fields + "}]}\n";
}
std::string kafka(const std::string& fields) {
    return "weir: 1\nbuses:\n  main: {kind: kafka, brokers: 'a:9092', topics: [{topic: t}]" + fields + "}\n";
}
std::string kafka_topic(const std::string& fields) {
    return "weir: 1\nbuses:\n  main: {kind: kafka, brokers: 'a:9092', topics: [{" + fields + "}]}\n";
}

} // namespace

const std::string every_nats_field = R"(weir: 1
buses:
  main:
    kind: nats
    urls: [nats://a:4222, tls://b:4222]
    user: weir
    password: {env: NATS_PASSWORD}
    tls: {ca_file: ca.pem, certificate_file: c.pem, key_file: /k.pem, verify_host: false}
    streams:
      - {stream: ORDERS, subjects: [orders.>], start: earliest}
      - stream: LOG
        start: 2026-05-01T00:00:00Z
        mapping:
          type: '"log.line"'
          source: '"/log"'
          id: 'data.id'
          subject: 'subject'
          time: 'data.time'
          dataschema: '"urn:x"'
          extensions: {level: 'data.level'}
          data: 'data.body'
        create: {subjects: [log.>], age_max: 7d, bytes_max: 1000, replicas: 3, duplicates: 1m}
    publish_stream: LOG
    publish_subject: log.weir
    mode: structured
    durability: power-safe
    timeout: 3s
)";

TEST_CASE("every field of a NATS bus is read") {
    const auto config = good(every_nats_field);
    const auto& bus = std::get<NatsBus>(config.buses.at(0).kind);
    const auto& options = bus.options;
    CHECK(config.publish == "main");
    CHECK(options.name == "main");
    CHECK(options.urls == std::vector<std::string>{"nats://a:4222", "tls://b:4222"});
    CHECK(options.user == "weir");
    CHECK(options.password.empty());
    CHECK(bus.password.env == "NATS_PASSWORD");
    CHECK(!bus.token.given());
    CHECK(options.tls.enabled);
    CHECK(options.tls.ca_file == "etc/ca.pem");
    CHECK(options.tls.certificate_file == "etc/c.pem");
    CHECK(options.tls.key_file == "/k.pem");
    CHECK(!options.tls.verify_host);
    REQUIRE(options.streams.size() == 2);
    CHECK(options.streams[0].stream == "ORDERS");
    CHECK(options.streams[0].subjects == std::vector<std::string>{"orders.>"});
    CHECK(options.streams[0].start.at == events::StreamStart::At::Earliest);
    CHECK(!options.streams[0].create);
    CHECK(!options.streams[0].mapping);
    const auto& log = options.streams[1];
    CHECK(log.start.at == events::StreamStart::At::Time);
    CHECK(log.start.time == *parse_rfc3339("2026-05-01T00:00:00Z"));
    REQUIRE(log.mapping);
    CHECK(log.mapping->type == "\"log.line\"");
    CHECK(log.mapping->source == "\"/log\"");
    CHECK(log.mapping->id == "data.id");
    CHECK(log.mapping->subject == "subject");
    CHECK(log.mapping->time == "data.time");
    CHECK(log.mapping->dataschema == "\"urn:x\"");
    CHECK(log.mapping->extensions == std::map<std::string, std::string>{{"level", "data.level"}});
    CHECK(log.mapping->data == "data.body");
    REQUIRE(log.create);
    CHECK(log.create->subjects == std::vector<std::string>{"log.>"});
    CHECK(log.create->age_max == std::chrono::hours(24 * 7));
    CHECK(log.create->bytes_max == 1000);
    CHECK(log.create->replicas == 3);
    CHECK(log.create->duplicates == std::chrono::minutes(1));
    CHECK(options.publish_stream == "LOG");
    CHECK(options.publish_subject == "log.weir");
    CHECK(options.mode == events::MessageMode::Structured);
    CHECK(options.durability == events::Durability::PowerSafe);
    CHECK(options.timeout == std::chrono::seconds(3));
}

TEST_CASE("a NATS bus: ways to log in, and what is left out") {
    const auto with = [](const std::string& fields) {
        return std::get<NatsBus>(good(nats(fields)).buses.at(0).kind);
    };
    CHECK(with(", token: {file: t}").token.file == "etc/t");
    CHECK(with(", credentials_file: a.creds").options.credentials_file == "etc/a.creds");
    CHECK(with(", nkey_seed_file: /a.nk").options.nkey_seed_file == "/a.nk");
    CHECK(!with(", tls: {enabled: false}").options.tls.enabled);
    CHECK(!with("").options.tls.enabled);
    CHECK(with(", durability: process-safe").options.durability == events::Durability::ProcessSafe);
    CHECK(!with("").options.durability);
    CHECK(with("").options.publish_subject == "weir.events");
    CHECK(with("").options.streams.at(0).start.at == events::StreamStart::At::New);
}

TEST_CASE("what is wrong about a NATS bus is named") {
    CHECK(holds(problem_of("weir: 1\nbuses: {m: {kind: nats, streams: [{stream: S}]}}\n"),
                "missing buses.m.urls"));
    CHECK(holds(problem_of("weir: 1\nbuses: {m: {kind: nats, urls: 'nats://a'}}\n"),
                "missing buses.m.streams"));
    CHECK(holds(problem_of("weir: 1\nbuses: {m: {kind: nats, urls: 'nats://a', streams: []}}\n"),
                "nothing is read"));
    for (const auto* url : {"a:4222", "http://a:4222", "nats://"})
        CHECK(holds(problem_of("weir: 1\nbuses: {m: {kind: nats, urls: '" + std::string(url) +
                               "', streams: [{stream: S}]}}\n"),
                    "is not nats://HOST:PORT"));
    const auto in_url = problem_of(
        "weir: 1\nbuses: {m: {kind: nats, urls: 'nats://me:hunter2@a', streams: [{stream: S}]}}\n");
    CHECK(holds(in_url, "does not stand in a URL"));
    CHECK(!holds(in_url, "hunter2"));
    CHECK(holds(problem_of(nats(", user: a")), "`user` and `password` go together"));
    CHECK(holds(problem_of(nats(", password: {env: A}")), "go together"));
    CHECK(holds(problem_of(nats(", token: {env: A}, nkey_seed_file: x")), "one way to log in"));
    const auto literal = problem_of(nats(", token: hunter2"));
    CHECK(holds(literal, "c.yaml:3:76: buses.main.token: a secret does not stand in this file"));
    CHECK(!holds(literal, "hunter2"));
    CHECK(holds(problem_of(nats(", tls: {key_file: x}")), "`certificate_file` and `key_file` go together"));
    CHECK(holds(problem_of(nats(", publish_stream: T")), "publish_stream: \"T\" is not among `streams`"));
    CHECK(holds(problem_of(nats(", mode: text")), "expected binary or structured"));
    CHECK(holds(problem_of(nats(", durability: safe")), "expected process-safe or power-safe"));
    CHECK(holds(problem_of(nats(", timeout: 0s")), "buses.main.timeout: expected a duration above 0"));
    CHECK(holds(problem_of(nats(", brokers: x")), "unknown key \"brokers\" in buses.main"));
    CHECK(holds(problem_of(nats_stream("stream: 'a.b'")), "not the name of a NATS stream"));
    CHECK(holds(problem_of(nats_stream("stream: S}, {stream: S")), "the stream \"S\" stands here twice"));
    CHECK(holds(problem_of(nats_stream("stream: S, start: yesterday")), "expected new, earliest or a time"));
    CHECK(holds(problem_of(nats_stream("stream: S, start: 5")), "expected text"));
    CHECK(holds(problem_of(nats_stream("stream: S, create: {}")),
                "missing buses.main.streams[0].create.subjects"));
    CHECK(holds(problem_of(nats_stream("stream: S, create: {subjects: s, replicas: 9}")), "allowed: 1 to 5"));
    CHECK(holds(problem_of(nats_stream("stream: S, mapping: {id: 'data.id'}")), "mapping.type"));
    CHECK(holds(problem_of(nats_stream("stream: S, mapping: {type: 'data.'}")), "mapping of \"type\""));
    CHECK(holds(problem_of(nats_stream("stream: S, mapping: {type: data.type, kind: x}")), "unknown key"));
}

TEST_CASE("every field of a Kafka bus is read") {
    const auto config = good(R"(weir: 1
buses:
  local: {kind: embedded}
  lake:
    kind: kafka
    brokers: [a:9092, b:9092]
    group_id: weir
    sasl: scram-sha-512
    user: weir
    password: {file: kafka.password}
    tls: {}
    topics:
      - {topic: orders, start: earliest, create: {partitions: 6, replication: 3, settings: {retention.ms: '1000'}}}
      - {topic: raw, mapping: {type: 'data.type'}}
    publish_topic: orders
    mode: structured
    java_partitioner: true
    durability: process-safe
    timeout: 4s
    refresh: 5s
    settings: {client.id: weir}
publish: lake
)");
    CHECK(config.publish == "lake");
    const auto& bus = std::get<KafkaBus>(config.buses.at(1).kind);
    const auto& options = bus.options;
    CHECK(options.name == "lake");
    CHECK(options.brokers == std::vector<std::string>{"a:9092", "b:9092"});
    CHECK(options.group_id == "weir");
    CHECK(options.sasl == events::KafkaBusOptions::Sasl::ScramSha512);
    CHECK(options.user == "weir");
    CHECK(bus.password.file == "etc/kafka.password");
    CHECK(options.tls.enabled);
    CHECK(options.tls.verify_host);
    REQUIRE(options.topics.size() == 2);
    CHECK(options.topics[0].topic == "orders");
    CHECK(options.topics[0].start.at == events::StreamStart::At::Earliest);
    REQUIRE(options.topics[0].create);
    CHECK(options.topics[0].create->partitions == 6);
    CHECK(options.topics[0].create->replication == 3);
    CHECK(options.topics[0].create->settings == std::map<std::string, std::string>{{"retention.ms", "1000"}});
    REQUIRE(options.topics[1].mapping);
    CHECK(options.topics[1].mapping->type == "data.type");
    CHECK(options.publish_topic == "orders");
    CHECK(options.mode == events::MessageMode::Structured);
    CHECK(options.java_partitioner);
    CHECK(options.durability == events::Durability::ProcessSafe);
    CHECK(options.timeout == std::chrono::seconds(4));
    CHECK(options.refresh == std::chrono::seconds(5));
    CHECK(options.settings == std::map<std::string, std::string>{{"client.id", "weir"}});
    using Sasl = events::KafkaBusOptions::Sasl;
    for (const auto& [word, sasl] : std::vector<std::pair<std::string, Sasl>>{
             {"plain", Sasl::Plain}, {"scram-sha-256", Sasl::ScramSha256}}) {
        const auto made = good(kafka(", sasl: " + word + ", user: a, password: {env: A}"));
        CHECK(std::get<KafkaBus>(made.buses.at(0).kind).options.sasl == sasl);
    }
    CHECK(std::get<KafkaBus>(good(kafka(", sasl: none")).buses.at(0).kind).options.sasl == Sasl::None);
}

TEST_CASE("what is wrong about a Kafka bus is named") {
    CHECK(holds(problem_of("weir: 1\nbuses: {m: {kind: kafka, topics: [{topic: t}]}}\n"),
                "missing buses.m.brokers"));
    CHECK(holds(problem_of("weir: 1\nbuses: {m: {kind: kafka, brokers: 'a,b', topics: [{topic: t}]}}\n"),
                "one an entry"));
    CHECK(holds(problem_of(kafka(", sasl: plain")), "go together"));
    CHECK(holds(problem_of(kafka(", user: a")), "go together"));
    CHECK(holds(problem_of(kafka(", sasl: gssapi, user: a, password: {env: A}")), "expected none, plain"));
    CHECK(holds(problem_of(kafka(", publish_topic: u")), "is not among `topics`"));
    CHECK(holds(problem_of(kafka(", refresh: 9999d")), "at most 3653d"));
    CHECK(holds(problem_of(kafka(", settings: {linger.ms: 5}")), "expected text"));
    CHECK(holds(problem_of(kafka(", settings: {bootstrap.servers: 'x'}")), "is set by the field `brokers`"));
    CHECK(holds(problem_of(kafka(", settings: {sasl.password: hunter2}")), "is set by the field `password`"));
    for (const auto* key : {"ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"}) {
        const auto refused = problem_of(kafka(", settings: {" + std::string(key) + ": hunter2}"));
        CHECK(holds(refused, "holds a secret"));
        CHECK(!holds(refused, "hunter2"));
    }
    CHECK(holds(problem_of(kafka_topic("topic: 'a b'")), "not the name of a Kafka topic"));
    CHECK(holds(problem_of(kafka_topic("topic: t}, {topic: t")), "stands here twice"));
    CHECK(holds(problem_of(kafka_topic("topic: t, create: {partitions: 0}")), "allowed: 1 to 10000"));
    CHECK(holds(problem_of("weir: 1\nbuses: {a: {kind: embedded}, b: {kind: kafka, brokers: 'a:1', topics: "
                           "[{topic: t}]}}\n"),
                "missing publish"));
}

TEST_CASE("secrets are read when a bus is opened, and looked for by check") {
    const TempFolder folder;
    folder.write("password", "s3cret\n");
    folder.write("open", "s3cret\n", 0644);
    const auto file = folder.path() + "/weir.yaml";
    const auto of = [&](const std::string& text) { return good(text, file); };
    const auto right = of(kafka(", sasl: plain, user: a, password: {file: password}"));
    const auto& bus = std::get<KafkaBus>(right.buses.at(0).kind);
    CHECK(with_secrets(bus)->password == "s3cret");
    CHECK(bus.options.password.empty());
    CHECK(check_outside(right).problems.empty());
    CHECK(check_outside(right).warnings.empty());
    const auto open = of(kafka(", sasl: plain, user: a, password: {file: open}"));
    REQUIRE(check_outside(open).problems.size() == 1);
    CHECK(holds(check_outside(open).problems[0], "chmod 600"));
    CHECK(!with_secrets(std::get<KafkaBus>(open.buses.at(0).kind)).ok());
    ::unsetenv("WEIR_TEST_SECRET");
    const auto unset = of(nats(", token: {env: WEIR_TEST_SECRET}"));
    REQUIRE(check_outside(unset).warnings.size() == 1);
    CHECK(holds(check_outside(unset).warnings[0],
                "weir.yaml:3:76: the environment variable WEIR_TEST_SECRET is not set"));
    CHECK(check_outside(unset).problems.empty());
    ::setenv("WEIR_TEST_SECRET", "t0ken", 1);
    CHECK(with_secrets(std::get<NatsBus>(unset.buses.at(0).kind))->token == "t0ken");
    ::unsetenv("WEIR_TEST_SECRET");
    const auto files =
        of(nats(", credentials_file: open, tls: {ca_file: open, certificate_file: none, key_file: open}"));
    CHECK(check_outside(files).problems.size() == 2);
    CHECK(check_outside(files).warnings.size() == 1);
    const auto tokens = of("weir: 1\nauth: {required: true, tokens: tokens.yaml}\n");
    CHECK(check_outside(tokens).warnings.size() == 1);
    folder.write("tokens.yaml", "- {principal: x}\n");
    CHECK(check_outside(tokens).problems.size() == 1);
}
