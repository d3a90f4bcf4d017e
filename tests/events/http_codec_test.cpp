#include <weir/events/http_codec.hpp>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::events;

namespace {

using Headers = std::vector<HttpHeader>;

Headers binary(Headers more = {}) {
    Headers headers{{"ce-specversion", "1.0"}, {"ce-id", "A1"}, {"ce-source", "/s"}, {"ce-type", "t.x"}};
    headers.insert(headers.end(), more.begin(), more.end());
    return headers;
}

Result<Event> decode(const Headers& headers, std::string_view body = "") {
    auto events = decode_http(headers, body);
    if (!events.ok()) return events.error();
    REQUIRE(events->size() == 1);
    return std::move(events->front());
}

std::string refusal(const Headers& headers, std::string_view body = "") {
    const auto events = decode_http(headers, body);
    return events.ok() ? "" : events.error().message;
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the content type chooses the mode") {
    CHECK(http_mode_of("") == HttpMode::Binary);
    CHECK(http_mode_of("application/json") == HttpMode::Binary);
    CHECK(http_mode_of("Application/CloudEvents+JSON; charset=utf-8") == HttpMode::Structured);
    CHECK(http_mode_of("application/cloudevents-batch+json") == HttpMode::Batch);
}

TEST_CASE("header values are unquoted, then decoded once") {
    const auto value = [](std::string_view wire) { return *decode_header_value(wire); };
    CHECK(value("a%20b") == "a b");
    CHECK(value("\"a b\"") == "a b");
    CHECK(value("\"a%20b \\\"c\\\" \\\\\"") == "a b \"c\" \\");
    CHECK(value("100%2525") == "100%25");
    CHECK(value("%c3%BC%61") ==
          "\xc3\xbc"
          "a");
    CHECK(value(" \t x \t") == "x");
    CHECK(value("a\"b\"") == "a\"b\"");
    CHECK(value("\"\"").empty());
    CHECK(value("\xc3\xbc") == "\xc3\xbc");
    for (const auto* bad : {"%", "%4", "%zz", "a%", "\"open", "\"a\"b", "\"", "\"a\\\"", "%80", "%C0%A0",
                            "%ED%A0%80", "\xff", "%F4%90%80%80"}) {
        INFO(bad);
        CHECK_FALSE(decode_header_value(bad).ok());
    }
    CHECK(encode_header_value("Euro \xe2\x82\xac \"%\"~!") == "Euro%20%E2%82%AC%20%22%25%22~!");
}

TEST_CASE("bad messages in binary mode are refused by name") {
    CHECK(has(refusal({{"content-type", "application/json"}}, "{}"), "not a CloudEvent"));
    CHECK(has(refusal({{"ce-id", "A1"}}), "\"specversion\""));
    CHECK(has(refusal(binary({{"CE-ID", "A2"}})), "attribute \"id\": its header is there twice"));
    CHECK(has(refusal(binary({{"ce-my_ext", "v"}})), "attribute \"my_ext\""));
    CHECK(has(refusal(binary({{"ce-", "v"}})), "the name of an attribute"));
    CHECK(has(refusal(binary({{"ce-subject", ""}})), "attribute \"subject\": it must not be empty"));
    CHECK(has(refusal(binary({{"ce-subject", "%E2%82"}})), "attribute \"subject\": invalid UTF-8"));
    CHECK(has(refusal(binary({{"ce-subject", "%00"}})),
              "attribute \"subject\": expected text, found a control"));
    CHECK(has(refusal(binary({{"ce-datacontenttype", "a/b"}})), "never ce-datacontenttype"));
    CHECK(has(refusal(binary({{"ce-data", "x"}})), "attribute \"data\""));
    CHECK(has(refusal(binary({{"ce-time", "x"}})), "attribute \"time\""));
    CHECK(has(refusal(binary({{"content-type", "json"}}), "x"), "\"datacontenttype\""));
    CHECK(has(refusal(binary({{"content-type", "application/json"}}), "{"), "malformed JSON"));
    CHECK(has(refusal(binary({{"content-type", "application/json"}}), "\xff"), "invalid UTF-8"));
    CHECK(has(refusal(binary({{"content-type", "a/b"}, {"content-type", "c/d"}})),
              "Content-Type is there twice"));
    Headers many = binary();
    for (int i = 0; i < 100; ++i)
        many.emplace_back("ce-x" + std::to_string(i), "v");
    CHECK(decode_http(many, "").error().kind == ErrorKind::Exhausted);
    CHECK(decode_http(binary({{"ce-x", std::string(5000, 'x')}}), "").error().kind == ErrorKind::Exhausted);
    CHECK(decode_http(binary({{"ce-x", std::string(50000, 'x')}}), "").error().kind == ErrorKind::Exhausted);
    CHECK(decode_http(binary(), std::string(2 * 1024 * 1024, 'x')).error().kind == ErrorKind::Exhausted);
    CHECK(decode_http(binary(), std::string(9 * 1024 * 1024, 'x')).error().kind == ErrorKind::Exhausted);
}

TEST_CASE("data in binary mode is what its type says") {
    CHECK(decode(binary({{"content-type", "application/json"}}), "")->data_kind == DataKind::None);
    auto event = decode(binary({{"content-type", "application/json"}}), " { \"a\" : 1 }\n");
    REQUIRE(event.ok());
    CHECK(event->data == "{\"a\":1}");
    CHECK(event->data_kind == DataKind::Json);
    CHECK(decode(binary(), "{}")->data_kind == DataKind::Binary);
    CHECK(decode(binary({{"content-type", "text/plain"}}), "{}")->data_kind == DataKind::Text);
}

TEST_CASE("structured and batch mode look at the body alone") {
    const std::string body = R"({"specversion":"1.0","id":"A1","source":"/s","type":"t.x"})";
    const auto event = decode({{"ce-id", "other"}, {"Content-Type", "application/cloudevents+json"}}, body);
    REQUIRE(event.ok());
    CHECK(event->id == "A1");
    CHECK(decode_http(Headers{{"content-type", "application/cloudevents-batch+json"}},
                      "[" + body + "," + body + "]")
              ->size() == 2);
    CHECK(decode_http(Headers{{"content-type", "application/cloudevents-batch+json"}}, "[]")->empty());
    for (const auto* type :
         {"application/cloudevents+nope", "application/cloudevents", "application/cloudevents+protobuf",
          "application/cloudevents-batch+xml", "application/cloudevents+json; charset=utf-16"}) {
        const auto result = decode_http(Headers{{"content-type", type}}, body);
        INFO(type);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().kind == ErrorKind::Unsupported);
    }
}

TEST_CASE("what is sent in any mode is read back") {
    Event event;
    event.id = "\xe4\xb8\x96 100% \"x\"";
    event.source = "/s";
    event.type = "t.x";
    event.subject = "a\\b";
    event.time = "2020-01-01T00:00:00Z";
    event.dataschema = "urn:x:y";
    event.datacontenttype = "application/json";
    event.data_kind = DataKind::Json;
    event.data = "{\"a\":1}";
    event.set_extension("ext", "v w");
    REQUIRE(check(event).ok());
    for (const auto& message : {encode_http_binary(event), encode_http_structured(event)})
        CHECK(*decode(message.headers, message.body) == event);
    const std::vector<Event> events{event, event};
    const auto batch = encode_http_batch(events);
    CHECK(*decode_http(batch.headers, batch.body) == events);
    event.datacontenttype.clear();
    const auto implied = encode_http_binary(event);
    CHECK(implied.headers.back() == HttpHeader{"content-type", "application/json"});
    CHECK(digest_of(*decode(implied.headers, implied.body)) == digest_of(event));
}
