#include <support/catch.hpp>

#include <weir/events/binding.hpp>

using namespace weir;
using namespace weir::events;

namespace {

Message record(std::vector<std::pair<std::string, std::string>> more = {}) {
    Message message;
    message.headers = {{"ce_specversion", "1.0"}, {"ce_id", "1"}, {"ce_source", "/s"}, {"ce_type", "t"}};
    message.headers.insert(message.headers.end(), more.begin(), more.end());
    message.subject = "topic";
    message.has_body = false;
    return message;
}

Message with_body(Message message, std::string body) {
    message.body = std::move(body);
    message.has_body = true;
    return message;
}

ErrorKind refusal(const Message& message, const DecodeContext& context = {}) {
    const auto decoded = decode_kafka(message, context);
    INFO((decoded.ok() ? "it was accepted" : decoded.error().message));
    REQUIRE_FALSE(decoded.ok());
    return decoded.error().kind;
}

} // namespace

TEST_CASE("a binary record of Kafka is an event, its data unread") {
    const auto decoded = decode_kafka(with_body(
        record(
            {{"content-type", "application/json"}, {"ce_subject", "Z\xc3\xbcrich %20"}, {"ce_myext", "v"}}),
        "{not even JSON"));
    REQUIRE(decoded.ok());
    CHECK_FALSE(decoded->data_checked);
    CHECK(decoded->event.id == "1");
    CHECK(decoded->event.source == "/s");
    CHECK(decoded->event.type == "t");
    CHECK(decoded->event.subject == "Z\xc3\xbcrich %20");
    CHECK(decoded->event.datacontenttype == "application/json");
    CHECK(decoded->event.data == "{not even JSON");
    CHECK(decoded->event.extension("myext")->value == "v");
    auto event = decoded->event;
    CHECK_FALSE(read_data(event).ok());
    auto good = decode_kafka(with_body(record({{"content-type", "application/json"}}), "{ \"a\": 1 }"));
    REQUIRE(good.ok());
    REQUIRE(read_data(good->event).ok());
    CHECK(good->event.data_kind == DataKind::Json);
    CHECK(good->event.data == "{\"a\":1}");
}

TEST_CASE("a record of Kafka without value has no data") {
    auto decoded = decode_kafka(record({{"content-type", "application/json"}}));
    REQUIRE(decoded.ok());
    REQUIRE(read_data(decoded->event).ok());
    CHECK(decoded->event.data_kind == DataKind::None);
    CHECK(decoded->event.data.empty());
}

TEST_CASE("headers of a Kafka record that are not CloudEvents' own") {
    auto decoded = decode_kafka(record({{"traceparent", "00-aa-bb-01"},
                                        {"Tenant", "acme"},
                                        {"x-dashed", "left out"},
                                        {"id", "left out"},
                                        {"ce_region", "eu"},
                                        {"region", "left out"},
                                        {"binary", std::string("\xff\xfe", 2)}}));
    REQUIRE(decoded.ok());
    const auto& event = decoded->event;
    CHECK(event.extension("traceparent")->value == "00-aa-bb-01");
    CHECK(event.extension("tenant")->value == "acme");
    CHECK(event.extension("region")->value == "eu");
    CHECK(event.extensions.size() == 3);
    CHECK(event.id == "1");
}

TEST_CASE("records of Kafka that are no events are refused") {
    CHECK(refusal(record({{"ce_id", "2"}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"CE_ID", "2"}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"ce_my_ext", "v"}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"ce_subject", ""}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"ce_subject", "\xff"}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"ce_data", "v"}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"ce_time", "yesterday"}})) == ErrorKind::Invalid);
    CHECK(refusal(record({{"content-type", "text/plain"}, {"content-type", "text/html"}})) ==
          ErrorKind::Invalid);
    CHECK(refusal(record({{"ce_ext", std::string(5000, 'x')}})) == ErrorKind::Exhausted);
    CHECK(refusal(with_body(record(), std::string(2 * 1024 * 1024, 'x'))) == ErrorKind::Exhausted);
    auto other = record();
    other.headers[0].second = "0.3";
    CHECK(refusal(other) == ErrorKind::Unsupported);
    auto none = record();
    none.headers.erase(none.headers.begin());
    CHECK(refusal(none) == ErrorKind::Invalid);
    Message plain;
    plain.body = "{\"a\":1}";
    CHECK(refusal(plain) == ErrorKind::Invalid);
}

TEST_CASE("structured records of Kafka") {
    const std::string body = R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}})";
    Message message;
    message.body = body;
    message.headers = {{"content-type", "Application/CloudEvents+JSON; charset=UTF-8"}, {"ce_id", "ignored"}};
    const auto decoded = decode_kafka(message);
    REQUIRE(decoded.ok());
    CHECK(decoded->data_checked);
    CHECK(decoded->event.id == "1");
    CHECK(decoded->event.data == "{\"a\":1}");
    for (const auto* type :
         {"application/cloudevents+avro", "application/cloudevents", "application/cloudevents-batch+json",
          "application/cloudevents+json; charset=utf-16"}) {
        message.headers[0].second = type;
        CHECK(refusal(message) == ErrorKind::Unsupported);
    }
    message.headers[0].second = "application/cloudevents+json";
    message.has_body = false;
    CHECK(refusal(message) == ErrorKind::Invalid);
}

TEST_CASE("a Kafka record without CloudEvents headers goes to the mapping") {
    auto mapping = JsonMapping::compile({.type = "data.kind", .source = "", .id = "key"});
    REQUIRE(mapping.ok());
    Message message;
    message.body = "{\"kind\":\"order\"}";
    message.key = "k7";
    message.has_key = true;
    message.headers = {{"content-type", "application/json"}};
    const DecodeContext context{&*mapping, {"kafka", "kafka/orders/0", 5, {}}, {}};
    const auto decoded = decode_kafka(message, context);
    INFO((decoded.ok() ? "" : decoded.error().message));
    REQUIRE(decoded.ok());
    CHECK(decoded->data_checked);
    CHECK(decoded->event.type == "order");
    CHECK(decoded->event.id == "k7");
    // An attempt at a CloudEvent is one, mapping or not.
    CHECK(refusal(record({{"ce_id", "2"}}), context) == ErrorKind::Invalid);
}

TEST_CASE("an event written for Kafka is the same when read") {
    Event event;
    event.id = "1";
    event.source = "/s";
    event.type = "t";
    event.subject = "100% Z\xc3\xbcrich";
    event.time = "2026-03-01T06:30:00Z";
    event.set_extension("partitionkey", "pk");
    event.datacontenttype = "application/json";
    event.data_kind = DataKind::Json;
    event.data = "{\"a\":1}";
    const auto mode = GENERATE(MessageMode::Binary, MessageMode::Structured);
    const auto message = encode_kafka(event, mode);
    CHECK(message.has_key);
    CHECK(message.key == "pk");
    auto decoded = decode_kafka(message);
    REQUIRE(decoded.ok());
    if (!decoded->data_checked) REQUIRE(read_data(decoded->event).ok());
    CHECK(decoded->event == event);
}

TEST_CASE("the key of a Kafka record is the partition key, else the subject, else the source") {
    Event event;
    event.id = "1";
    event.source = "/s";
    event.type = "t";
    CHECK(encode_kafka(event).key == "/s");
    CHECK_FALSE(encode_kafka(event).has_body);
    event.subject = "sub";
    CHECK(encode_kafka(event).key == "sub");
    event.set_extension("partitionkey", "pk");
    CHECK(encode_kafka(event).key == "pk");
}
