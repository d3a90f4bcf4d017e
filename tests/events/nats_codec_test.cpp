#include <support/catch.hpp>

#include <weir/events/binding.hpp>

using namespace weir;
using namespace weir::events;

namespace {

Event full_event() {
    Event e;
    e.id = "a 1%\"é";
    e.source = "/source";
    e.type = "com.example.thing";
    e.subject = "sub ject";
    e.time = "2026-03-01T06:30:00Z";
    e.dataschema = "https://example.com/schema";
    e.datacontenttype = "application/json; charset=utf-8";
    e.data_kind = DataKind::Json;
    e.data = R"({"a":1})";
    e.set_extension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    e.set_extension("n", "7", AttributeType::Integer);
    return e;
}

Message binary(std::string body = "x") {
    Message m;
    m.headers = {{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/s"}, {"ce-type", "t"}};
    m.body = std::move(body);
    return m;
}

std::string refusal(const Message& message) {
    const auto decoded = decode_nats(message);
    REQUIRE_FALSE(decoded.ok());
    return decoded.error().message;
}

} // namespace

TEST_CASE("what is encoded for NATS is decoded again") {
    const auto event = full_event();
    const auto mode = GENERATE(MessageMode::Binary, MessageMode::Structured);
    const auto message = encode_nats(event, mode);
    auto decoded = decode_nats(message);
    INFO((decoded.ok() ? "" : decoded.error().message));
    REQUIRE(decoded.ok());
    CHECK(decoded->data_checked == (mode == MessageMode::Structured));
    if (!decoded->data_checked) REQUIRE(read_data(decoded->event).ok());
    CHECK(digest_of(decoded->event) == digest_of(event));
    CHECK(decoded->event.data_kind == DataKind::Json);
    for (const auto& [name, value] : message.headers)
        for (const char c : value)
            CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("kinds of data through NATS headers") {
    Event e;
    e.id = "1";
    e.source = "/s";
    e.type = "t";
    SECTION("none") {}
    SECTION("JSON without a content type") {
        e.data_kind = DataKind::Json;
        e.data = "[1,2]";
    }
    SECTION("text") {
        e.datacontenttype = "text/plain";
        e.data_kind = DataKind::Text;
        e.data = "grüße";
    }
    SECTION("bytes") {
        e.datacontenttype = "image/png";
        e.data_kind = DataKind::Binary;
        e.data = std::string("\0\xff", 2);
    }
    for (const auto mode : {MessageMode::Binary, MessageMode::Structured}) {
        auto decoded = decode_nats(encode_nats(e, mode));
        REQUIRE(decoded.ok());
        if (!decoded->data_checked) REQUIRE(read_data(decoded->event).ok());
        CHECK(decoded->event.data_kind == e.data_kind);
        CHECK(decoded->event.data == e.data);
        CHECK(digest_of(decoded->event) == digest_of(e));
    }
}

TEST_CASE("binary mode over NATS: headers in any case, values decoded once, data not looked at") {
    auto m = binary("{ no JSON");
    m.headers[0].first = "Ce-SpecVersion";
    m.headers[1] = {"CE-ID", "a%2520b%C3%A9"};
    m.headers.emplace_back("ce-datacontenttype", "application/json");
    m.headers.emplace_back("Content-Type", "text/plain");
    auto decoded = decode_nats(m);
    REQUIRE(decoded.ok());
    CHECK_FALSE(decoded->data_checked);
    CHECK(decoded->event.id == "a%20bé");
    CHECK(decoded->event.datacontenttype == "application/json");
    CHECK(decoded->event.data == "{ no JSON");
    CHECK(read_data(decoded->event).error().kind == ErrorKind::Invalid);
}

TEST_CASE("headers over NATS that are not CloudEvents' own") {
    auto m = binary();
    m.headers.emplace_back("Traceparent", "00-1-2-01");
    m.headers.emplace_back("Nats-Msg-Id", "left out: a dash");
    m.headers.emplace_back("id", "left out: CloudEvents' own");
    m.headers.emplace_back("note", "kept");
    m.headers.emplace_back("bad", "left out: \x01");
    m.headers.emplace_back("Content-Type", "text/plain");
    m.headers.emplace_back("ce-note", "wins");
    const auto decoded = decode_nats(m);
    REQUIRE(decoded.ok());
    const auto& event = decoded->event;
    CHECK(event.id == "1");
    CHECK(event.datacontenttype == "text/plain");
    REQUIRE(event.extensions.size() == 2);
    CHECK(event.extension("traceparent")->value == "00-1-2-01");
    CHECK(event.extension("note")->value == "wins");
}

TEST_CASE("what NATS messages are refused for") {
    auto m = binary();
    SECTION("no id") {
        m.headers.erase(m.headers.begin() + 1);
        CHECK(refusal(m).find("\"id\"") != std::string::npos);
    }
    SECTION("a header twice") {
        m.headers.emplace_back("Ce-Id", "2");
        CHECK(refusal(m).find("twice") != std::string::npos);
    }
    SECTION("an extension twice") {
        m.headers.emplace_back("ce-x", "2");
        m.headers.emplace_back("ce-X", "2");
        CHECK(refusal(m).find("twice") != std::string::npos);
    }
    SECTION("another version") {
        m.headers[0].second = "0.3";
        CHECK(decode_nats(m).error().kind == ErrorKind::Unsupported);
    }
    SECTION("a lone percent sign") {
        m.headers[1].second = "100%";
        CHECK(refusal(m).find("%25") != std::string::npos);
    }
    SECTION("bad UTF-8") {
        m.headers[1].second = "%ff";
        CHECK(refusal(m).find("UTF-8") != std::string::npos);
    }
    SECTION("a bad name") {
        m.headers.emplace_back("ce-some_thing", "1");
        CHECK(refusal(m).find("a-z") != std::string::npos);
    }
    SECTION("a bad source") {
        m.headers[2].second = "not%20a uri";
        CHECK(refusal(m).find("source") != std::string::npos);
    }
    SECTION("too large") {
        m.body.assign(1024 * 1024, 'x');
        CHECK(decode_nats(m).error().kind == ErrorKind::Exhausted);
    }
    SECTION("a long attribute") {
        m.headers[1].second.assign(20'000, 'x');
        CHECK(decode_nats(m).error().kind == ErrorKind::Exhausted);
    }
    SECTION("another format") {
        m.headers = {{"Content-Type", "application/cloudevents+avro"}};
        CHECK(decode_nats(m).error().kind == ErrorKind::Unsupported);
    }
    SECTION("no event at all") {
        CHECK(refusal({{}, "s", "", false, "hello", true}).find("mapping") != std::string::npos);
        CHECK(refusal({{}, "s", "", false, R"({"a":"\"specversion\""})", true}).find("mapping") !=
              std::string::npos);
        CHECK(refusal({{}, "s", "", false, R"({"a":{"specversion":"1.0"}})", true}).find("mapping") !=
              std::string::npos);
    }
}

TEST_CASE("structured mode over NATS") {
    const std::string body = R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"b": 2}})";
    Message m;
    m.body = body;
    SECTION("announced") {
        m.headers = {{"content-TYPE", "Application/CloudEvents+JSON; charset=utf-8"}};
    }
    SECTION("announced, with headers that do not count") {
        m.headers = {{"Content-Type", "application/cloudevents+json"}, {"ce-id", "other"}};
    }
    SECTION("not announced") {
        m.body = " \n" + body;
    }
    const auto decoded = decode_nats(m);
    INFO((decoded.ok() ? "" : decoded.error().message));
    REQUIRE(decoded.ok());
    CHECK(decoded->data_checked);
    CHECK(decoded->event.id == "1");
    CHECK(decoded->event.data == R"({"b":2})");
}
