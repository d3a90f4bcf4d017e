#include <weir/events/event.hpp>

#include <support/catch.hpp>

#include <weir/events/media_type.hpp>

using namespace weir;
using namespace weir::events;

namespace {

Event sample() {
    Event event;
    event.id = "A1";
    event.source = "/s";
    event.type = "t.x";
    return event;
}

/// The message of the refusal; empty if there was none.
std::string refusal(const Event& event, const EventLimits& limits = {}) {
    const auto status = check(event, limits);
    return status.ok() ? "" : status.error().message;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("an event needs id, source and type, and each refusal names the attribute") {
    CHECK(refusal(sample()).empty());
    for (auto member : {&Event::id, &Event::source, &Event::type}) {
        auto event = sample();
        (event.*member).clear();
        CHECK(has(refusal(event), member == &Event::id       ? "\"id\""
                                  : member == &Event::source ? "\"source\""
                                                             : "\"type\""));
    }
}

TEST_CASE("source is a URI-reference") {
    for (const auto* good :
         {"/s", ".", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "https://a.b:80/c?d=e#f",
          "mailto:x@y.z", "//host/p", "1-555-123-4567", "http://[::1]:8080/", "a/b:c", "?q", "#f", "/a%20b",
          "http://u:p@h/", "http://h:/"}) {
        auto event = sample();
        event.source = good;
        INFO(good);
        CHECK(refusal(event).empty());
    }
    for (const auto* bad :
         {"a b", "http://[::1", "/a%2", "/a%zz", "1:2", ":x", "/\xc3\xbc", "<x>", "/a#b#c", "//h:x/", "/a\\b",
          "http://[]/", "http://[::1]x/", "http://a@b@c/", "/\"", "/[x]"}) {
        auto event = sample();
        event.source = bad;
        INFO(bad);
        CHECK(has(refusal(event), "attribute \"source\": expected a URI-reference, found"));
    }
}

TEST_CASE("dataschema is absolute, time is RFC 3339, datacontenttype a media type") {
    const auto with = [](std::string Event::*member, const char* value) {
        auto event = sample();
        event.*member = value;
        return refusal(event);
    };
    CHECK(with(&Event::dataschema, "https://a/b").empty());
    CHECK(has(with(&Event::dataschema, "/b"), "\"dataschema\""));
    for (const auto* good : {"2018-04-05T03:56:24Z", "2018-04-05t03:56:24.123456789012+01:00",
                             "0001-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "2000-02-29T00:00:00-00:00"})
        CHECK(with(&Event::time, good).empty());
    for (const auto* bad :
         {"now", "2018-04-05", "2018-04-05T03:56:24", "2018-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
          "2018-04-05T24:00:00Z", "2018-13-01T00:00:00Z", "2018-04-05T03:56:24.Z", "99999"})
        CHECK(has(with(&Event::time, bad), "\"time\""));
    for (const auto* good :
         {"application/json", "text/plain; charset=utf-8", "application/vnd.x+json;a=\"b;c\""})
        CHECK(with(&Event::datacontenttype, good).empty());
    for (const auto* bad : {"json", "/json", "text/", "text/plain, text/html", "a b/c", ";", "text/plain/x"})
        CHECK(has(with(&Event::datacontenttype, bad), "\"datacontenttype\""));
}

TEST_CASE("attribute texts hold no control characters, non-characters or broken UTF-8") {
    for (const auto* bad : {"a\nb", "a\x7f", "\xc2\x85", "\xef\xbf\xbf", "\xef\xb7\x90", "\xf0\x9f\xbf\xbe",
                            "\xff", "\xed\xa0\x80"}) {
        auto event = sample();
        event.subject = bad;
        CHECK(has(refusal(event), "attribute \"subject\""));
    }
    auto event = sample();
    event.subject = "Z\xc3\xbcrich \xf0\x9f\x8c\x8e";
    CHECK(refusal(event).empty());
}

TEST_CASE("extensions have plain names, fitting values and are sorted") {
    auto event = sample();
    event.set_extension("b", "1", AttributeType::Integer);
    event.set_extension("a", "true", AttributeType::Boolean);
    event.set_extension("c", "");
    event.set_extension("b", "-2147483648", AttributeType::Integer);
    CHECK(refusal(event).empty());
    REQUIRE(event.extensions.size() == 3);
    CHECK(event.extensions[0].name == "a");
    REQUIRE(event.extension("b") != nullptr);
    CHECK(event.extension("b")->value == "-2147483648");
    CHECK(event.extension("d") == nullptr);
    for (const auto* bad : {"my_ext", "Upper", "", "\xc3\xbc", "data", "id", "specversion"}) {
        auto other = sample();
        other.set_extension(bad, "v");
        INFO(bad);
        CHECK_FALSE(refusal(other).empty());
    }
    for (const auto* bad : {"2147483648", "01", "+1", "-0", "", "1.0", "x", "-", " 1"}) {
        auto other = sample();
        other.set_extension("n", bad, AttributeType::Integer);
        INFO(bad);
        CHECK(has(refusal(other), "attribute \"n\": expected an integer"));
    }
    auto other = sample();
    other.set_extension("n", "yes", AttributeType::Boolean);
    CHECK(has(refusal(other), "true or false"));
    other.extensions = {{"b", "1"}, {"a", "1"}};
    CHECK_FALSE(refusal(other).empty());
    other.extensions = {{"a", "1"}, {"a", "1"}};
    CHECK(has(refusal(other), "twice"));
}

TEST_CASE("data and its content type agree") {
    auto event = sample();
    event.data = "{\"a\":1}";
    CHECK_FALSE(refusal(event).empty());
    event.data_kind = DataKind::Json;
    CHECK(refusal(event).empty());
    event.datacontenttype = "text/plain";
    CHECK(has(refusal(event), "it is JSON, but datacontenttype"));
    event.data_kind = DataKind::Text;
    CHECK(refusal(event).empty());
    event.datacontenttype = "application/json";
    CHECK(has(refusal(event), "must be JSON"));
    event.data_kind = DataKind::Json;
    event.data = "{\"a\":";
    CHECK(has(refusal(event), "data: malformed JSON"));
}

TEST_CASE("every limit holds, and says what it is") {
    const EventLimits limits{.bytes_max = 1000,
                             .attribute_bytes_max = 20,
                             .name_bytes_max = 8,
                             .extensions_max = 2,
                             .json_depth_max = 3};
    const auto kind = [&](const Event& event) {
        const auto status = check(event, limits);
        REQUIRE_FALSE(status.ok());
        return status.error().kind;
    };
    auto event = sample();
    event.data_kind = DataKind::Binary;
    event.data = std::string(1000, 'x');
    CHECK(kind(event) == ErrorKind::Exhausted);
    event = sample();
    event.subject = std::string(21, 'x');
    CHECK(kind(event) == ErrorKind::Exhausted);
    event = sample();
    event.set_extension("abcdefghi", "x");
    CHECK(kind(event) == ErrorKind::Exhausted);
    event = sample();
    for (const auto* name : {"a", "b", "c"})
        event.set_extension(name, "x");
    CHECK(kind(event) == ErrorKind::Exhausted);
    event = sample();
    event.data_kind = DataKind::Json;
    event.data = "[[[[1]]]]";
    CHECK(kind(event) == ErrorKind::Exhausted);
}

TEST_CASE("the digest changes with everything that an event says and with nothing else") {
    auto event = sample();
    event.data_kind = DataKind::Json;
    event.data = "{}";
    event.set_extension("n", "5", AttributeType::Integer);
    const auto digest = digest_of(event);
    for (auto member : {&Event::id, &Event::source, &Event::type, &Event::subject, &Event::dataschema,
                        &Event::time, &Event::datacontenttype, &Event::data}) {
        auto other = event;
        other.*member += "x";
        CHECK(digest_of(other) != digest);
    }
    auto other = event;
    other.set_extension("n", "6");
    CHECK(digest_of(other) != digest);
    other = event;
    other.data_kind = DataKind::None;
    other.data.clear();
    CHECK(digest_of(other) != digest);
    // What another binding may change.
    other = event;
    other.set_extension("n", "5");
    CHECK(digest_of(other) == digest);
    other = event;
    other.datacontenttype = "application/json";
    CHECK(digest_of(other) == digest);
    // A fixed value: stored digests must mean the same in every later version.
    CHECK(to_hex(digest_of(sample())) == "180379548489a7165390f955a4bb81ee9db37207c7fa0c9fd058cc095307ccc7");
}

TEST_CASE("media types say how data is read") {
    CHECK(media_type_of(" Application/JSON ; charset=x") == "application/json");
    CHECK(charset_of("text/plain; a=\"x;charset=no\"; Charset=\"ISO-8859-1\"") == "iso-8859-1");
    CHECK(charset_of("text/plain").empty());
    CHECK(declares_json("application/vnd.x+json;charset=utf-8"));
    CHECK(declares_json("text/json"));
    CHECK_FALSE(declares_json("application/jsonx"));
    CHECK_FALSE(declares_json("json"));
    CHECK(data_kind_of("application/json", "") == DataKind::None);
    CHECK(data_kind_of("", "x") == DataKind::Binary);
    CHECK(data_kind_of("text/plain", "x") == DataKind::Text);
    CHECK(data_kind_of("text/plain", "\xff") == DataKind::Binary);
    CHECK(data_kind_of("text/plain; charset=us-ascii", "\xc3\xbc") == DataKind::Binary);
    CHECK(data_kind_of("text/plain; charset=iso-8859-1", "x") == DataKind::Binary);
    CHECK(data_kind_of("application/octet-stream", "x") == DataKind::Binary);
    CHECK(data_kind_of("application/xml; charset=utf-8", "<a/>") == DataKind::Text);
}
