#include <weir/events/wire_codec.hpp>

#include "cloudevents.pb.h"

#include <support/catch.hpp>

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

void round_trip(const Event& event) {
    const auto bytes = encode_wire(event);
    const auto back = decode_wire(bytes);
    REQUIRE(back.ok());
    CHECK(*back == event);
    CHECK(encode_wire(*back) == bytes);
}

} // namespace

TEST_CASE("a stored event is read back exactly") {
    auto event = sample();
    round_trip(event);
    for (const auto* time :
         {"2020-01-01T00:00:00Z", "2020-01-01T00:00:00+01:00", "2020-01-01T00:00:00.100Z",
          "1969-12-31T23:59:59.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:60.5-08:00",
          "2020-01-01t00:00:00z", "2016-12-31T23:59:60Z", "2020-01-01T00:00:00.123456789012Z"}) {
        event.time = time;
        INFO(time);
        round_trip(event);
    }
    event.subject = "Z\xc3\xbcrich";
    event.dataschema = "urn:x:y";
    event.set_extension("a", "true");
    event.set_extension("b", "true", AttributeType::Boolean);
    event.set_extension("c", "false", AttributeType::Boolean);
    event.set_extension("d", "5");
    event.set_extension("e", "-2147483648", AttributeType::Integer);
    event.set_extension("f", "0", AttributeType::Integer);
    event.set_extension("g", "");
    event.set_extension("weir", "w");
    round_trip(event);
    for (const auto kind : {DataKind::Json, DataKind::Text, DataKind::Binary}) {
        event.data_kind = kind;
        event.data = "1";
        event.datacontenttype = kind == DataKind::Json ? "application/json" : "";
        round_trip(event);
        if (kind == DataKind::Json) continue;
        event.data.clear();
        round_trip(event);
    }
    event.data = std::string(1024 * 1024, '\xff');
    round_trip(event);
    round_trip(sample());
}

TEST_CASE("a reader of the CloudEvents Protobuf format understands a stored event") {
    auto event = sample();
    event.time = "1969-12-31T23:59:59.5Z";
    event.datacontenttype = "application/json";
    event.data_kind = DataKind::Json;
    event.data = "{}";
    event.set_extension("n", "5", AttributeType::Integer);
    io::cloudevents::v1::CloudEvent message;
    REQUIRE(message.ParseFromString(encode_wire(event)));
    CHECK(message.id() == "A1");
    CHECK(message.source() == "/s");
    CHECK(message.spec_version() == "1.0");
    CHECK(message.type() == "t.x");
    CHECK(message.text_data() == "{}");
    CHECK(message.attributes().size() == 3);
    CHECK(message.attributes().at("n").ce_integer() == 5);
    CHECK(message.attributes().at("datacontenttype").ce_string() == "application/json");
    CHECK(message.attributes().at("time").ce_timestamp().seconds() == -1);
    CHECK(message.attributes().at("time").ce_timestamp().nanos() == 500'000'000);
}

TEST_CASE("bytes that are no event are corrupt") {
    for (const auto& bytes :
         {std::string(), std::string("x"), std::string(100, '\xff'), std::string("\x0a\x01", 2)}) {
        const auto event = decode_wire(bytes);
        REQUIRE_FALSE(event.ok());
        CHECK(event.error().kind == ErrorKind::Corrupt);
    }
    // Cut anywhere it is refused, or, cut between two fields, an event without the later ones.
    auto event = sample();
    event.time = "2020-01-01T00:00:00Z";
    event.data_kind = DataKind::Text;
    event.data = "hello";
    const auto bytes = encode_wire(event);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto cut = decode_wire(bytes.substr(0, size));
        CHECK((!cut.ok() || (cut->id == event.id && cut->data_kind == DataKind::None)));
    }
    // Invalid UTF-8 in an attribute.
    auto broken = bytes;
    broken[2] = '\xff';
    CHECK_FALSE(decode_wire(broken).ok());
}
