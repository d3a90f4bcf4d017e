#include <weir/events/json_codec.hpp>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::events;

namespace {

const std::string base = R"("specversion":"1.0","id":"A1","source":"/s","type":"t.x")";

Result<Event> decode(const std::string& members) {
    return decode_json("{" + base + members + "}");
}

std::string refusal(const Result<Event>& result) {
    return result.ok() ? "" : result.error().message;
}
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("an event in JSON is read whole") {
    const auto event =
        decode_json(R"({ "type" : "t.x", "data" : { "a" : [ 1 , "b c" ] } , "n" : -5, "yes" : true,
        "specversion" : "1.0", "id" : "A1", "source" : "/s", "subject" : "\u00fc", "gone" : null, "time" : null })");
    REQUIRE(event.ok());
    CHECK(event->id == "A1");
    CHECK(event->subject == "\xc3\xbc");
    CHECK(event->time.empty());
    CHECK(event->data == R"({"a":[1,"b c"]})");
    CHECK(event->data_kind == DataKind::Json);
    REQUIRE(event->extensions.size() == 2);
    CHECK(event->extensions[0] == Extension{"n", "-5", AttributeType::Integer});
    CHECK(event->extensions[1] == Extension{"yes", "true", AttributeType::Boolean});
}

TEST_CASE("data stays as it was written but for white space") {
    for (const auto* data :
         {"18446744073709551615", "-9223372036854775808", "1.10", "1e2", "0.1000000000000000055",
          "18446744073709551616", "{\"n\":-123456789012345678901234567890}", "\"\\u00fc \\/ x\"",
          "[1,{\"z\":1,\"a\":2}]", "null", "true", "\"\"", "{}"}) {
        const auto event = decode(",\"data\": " + std::string(data) + " ,\"x\":\"y\"");
        INFO(data);
        REQUIRE(event.ok());
        CHECK(event->data_kind == DataKind::Json);
        CHECK(event->data == data);
        CHECK(*decode_json(encode_json(*event)) == *event);
    }
}

TEST_CASE("what data is follows from datacontenttype, wherever that stands") {
    auto event = decode(R"(,"data":"<a/>","datacontenttype":"application/xml")");
    REQUIRE(event.ok());
    CHECK(event->data_kind == DataKind::Text);
    CHECK(event->data == "<a/>");
    event = decode(R"(,"datacontenttype":"application/json","data":"{\"a\":1}")");
    REQUIRE(event.ok());
    CHECK(event->data_kind == DataKind::Json);
    CHECK(event->data == R"("{\"a\":1}")");
    event = decode(R"(,"datacontenttype":"application/octet-stream","data_base64":"AP8Q")");
    REQUIRE(event.ok());
    CHECK(event->data_kind == DataKind::Binary);
    CHECK(event->data == std::string("\0\xff\x10", 3));
    event = decode(R"(,"data_base64":"eyAiYSIgOiAxIH0=","datacontenttype":"application/json")");
    REQUIRE(event.ok());
    CHECK(event->data_kind == DataKind::Json);
    CHECK(event->data == R"({"a":1})");
    CHECK(decode(R"(,"data_base64":null)")->data_kind == DataKind::None);
    CHECK(decode(R"(,"data_base64":"")")->data_kind == DataKind::Binary);
    CHECK(decode(R"(,"data":null,"datacontenttype":"text/plain")")->data_kind == DataKind::None);
}

TEST_CASE("bad envelopes are refused by the attribute's name") {
    const auto bad = [](const std::string& members, std::string_view expected) {
        INFO(members);
        CHECK(has(refusal(decode(members)), expected));
    };
    bad(R"(,"id":"A2")", "attribute \"id\": it is there twice");
    bad(R"(,"x":1,"x":2)", "attribute \"x\": it is there twice");
    bad(R"(,"x":null,"x":2)", "attribute \"x\": it is there twice");
    bad(R"(,"x":null,"x":null)", "attribute \"x\": it is there twice");
    bad(R"(,"subject":"")", "attribute \"subject\": it must not be empty");
    bad(R"(,"subject":7)", "attribute \"subject\": expected a string, found a number");
    bad(R"(,"time":"yesterday")", "attribute \"time\": expected an RFC 3339 time");
    bad(R"(,"count":2147483648)",
        "attribute \"count\": expected an integer of 32 bits, found \"2147483648\"");
    bad(R"(,"count":1.5)", "attribute \"count\"");
    bad(R"(,"count":1e3)", "attribute \"count\"");
    bad(R"(,"list":[1])", "attribute \"list\": expected a string, an integer, true or false, found a list");
    bad(R"(,"myExt":"v")", "attribute \"myExt\": the name");
    bad(R"(,"":"v")", "the name of an attribute");
    bad(R"(,"data":1,"data_base64":"AP8Q")", "exclude each other");
    bad(R"(,"data_base64":"AP8")", "attribute \"data_base64\": expected padded base64");
    bad(R"(,"data_base64":"AP 8Q==")", "attribute \"data_base64\"");
    bad(R"(,"data_base64":"A=8Q")", "attribute \"data_base64\"");
    bad(R"(,"data_base64":"====")", "attribute \"data_base64\"");
    bad(R"(,"data_base64":7)", "attribute \"data_base64\": expected a string");
    bad(R"(,"data":{},"datacontenttype":"text/plain")", "so a string is expected, found an object");
    bad(R"(,"data_base64":"eyI=","datacontenttype":"application/json")", "malformed JSON");
    bad(R"(,"subject":"a\u0000b")", "attribute \"subject\": expected text, found a control character");
    bad(R"(,"x)" + std::string("\xff\":1"), "invalid UTF-8");
    bad(R"(,)", "malformed JSON");
}

TEST_CASE("specversion is required and must be 1.0") {
    CHECK(has(refusal(decode_json(R"({"id":"A1","source":"/s","type":"t"})")), "\"specversion\""));
    CHECK(has(refusal(decode_json(R"({"specversion":null,"id":"A1","source":"/s","type":"t"})")),
              "\"specversion\""));
    CHECK(has(refusal(decode_json(R"({"specversion":1.0,"id":"A1","source":"/s","type":"t"})")),
              "found a number"));
    const auto old = decode_json(R"({"specversion":"0.3","id":"A1","source":"/s","type":"t"})");
    REQUIRE_FALSE(old.ok());
    CHECK(old.error().kind == ErrorKind::Unsupported);
}

TEST_CASE("what is no event is refused") {
    for (const auto* text : {"", " \n", "1", "null", "[]", "\"x\"", "{", "{\"specversion\":", "nul"}) {
        INFO(text);
        CHECK_FALSE(decode_json(text).ok());
        if (std::string(text) != "[]") CHECK_FALSE(decode_json_batch(text).ok());
    }
    CHECK(has(refusal(decode_json("[]")), "expected an event, which is a JSON object, found a list"));
    CHECK(has(refusal(decode_json("{\"a\":\n\n  x}")), "line 3"));
    CHECK(decode_json("\xef\xbb\xbf{" + base + "}").ok());
}

TEST_CASE("depth and size are limited") {
    const auto nested = [](int depth) {
        return decode(",\"data\":" + std::string(static_cast<std::size_t>(depth), '[') +
                      std::string(static_cast<std::size_t>(depth), ']'));
    };
    CHECK(nested(128).ok());
    REQUIRE_FALSE(nested(129).ok());
    CHECK(nested(129).error().kind == ErrorKind::Exhausted);
    CHECK(nested(10'000).error().kind == ErrorKind::Exhausted);
    const auto large = decode(",\"data\":\"" + std::string(1024 * 1024, 'x') + "\"");
    REQUIRE_FALSE(large.ok());
    CHECK(large.error().kind == ErrorKind::Exhausted);
    std::string many;
    for (int i = 0; i < 65; ++i)
        many += ",\"x" + std::to_string(i) + "\":1";
    CHECK(decode(many).error().kind == ErrorKind::Exhausted);
}

TEST_CASE("a batch is all or nothing and may be empty") {
    CHECK(decode_json_batch("[]")->empty());
    const auto one = "{" + base + "}";
    const auto two = decode_json_batch("[" + one + ", " + one + "]");
    REQUIRE(two.ok());
    CHECK(two->size() == 2);
    CHECK(*decode_json_batch(encode_json_batch(*two)) == *two);
    const auto bad = decode_json_batch("[" + one + ",{\"specversion\":\"1.0\"}]");
    REQUIRE_FALSE(bad.ok());
    CHECK(has(bad.error().message, "event 2: attribute \"id\""));
    CHECK(has(decode_json_batch("[[" + one + "]]").error().message, "event 1: expected an event"));
    CHECK(has(decode_json_batch(one).error().message, "expected a batch"));
    const auto many = decode_json_batch("[" + one + "," + one + "]", {.events_max = 1});
    REQUIRE_FALSE(many.ok());
    CHECK(many.error().kind == ErrorKind::Exhausted);
}

TEST_CASE("what is written can be read back") {
    auto event = *decode(
        R"(,"subject":"a\"b","time":"2020-01-01T00:00:00+01:00","dataschema":"urn:x:y","n":0,"no":false)");
    CHECK(
        encode_json(event) ==
        "{" + base +
            R"(,"subject":"a\"b","time":"2020-01-01T00:00:00+01:00","dataschema":"urn:x:y","n":0,"no":false})");
    event.data_kind = DataKind::Binary;
    event.data = std::string("\0\x01\x02\x03", 4);
    CHECK(*decode_json(encode_json(event)) == event);
    for (std::size_t size = 0; size < 10; ++size) {
        event.data = std::string(size, '\xfb');
        CHECK(*decode_json(encode_json(event)) == event);
    }
    event.data_kind = DataKind::Text;
    event.data = "line\nline \x7f \xf0\x9f\x8c\x8a";
    event.datacontenttype = "text/plain";
    CHECK(*decode_json(encode_json(event)) == event);
}
