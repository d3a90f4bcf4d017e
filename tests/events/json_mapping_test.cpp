#include <support/catch.hpp>

#include <weir/events/binding.hpp>
#include <weir/events/json_mapping.hpp>

using namespace weir;
using namespace weir::events;

namespace {

JsonMapping compile(const JsonMappingSettings& settings) {
    auto mapping = JsonMapping::compile(settings);
    INFO((mapping.ok() ? "" : mapping.error().message));
    REQUIRE(mapping.ok());
    return std::move(mapping).value();
}

std::string compile_error(const JsonMappingSettings& settings) {
    const auto mapping = JsonMapping::compile(settings);
    REQUIRE_FALSE(mapping.ok());
    CHECK(mapping.error().kind == ErrorKind::Invalid);
    return mapping.error().message;
}

Message json(std::string body) {
    Message m;
    m.subject = "orders.eu";
    m.headers = {{"kind", "order"}, {"X-Trace", "t1"}};
    m.body = std::move(body);
    return m;
}

const MessagePlace place{"nats", "ORDERS", 42, from_ns(1'700'000'000'000'000'000)};

} // namespace

TEST_CASE("plain JSON becomes an event with no more than a type") {
    const auto mapping = compile({.type = "'ads.order'"});
    const auto event = mapping.map(json(R"({ "id": 7 })"), place);
    REQUIRE(event.ok());
    CHECK(event->type == "ads.order");
    CHECK(event->source == "/nats/ORDERS");
    CHECK(event->id == "42");
    CHECK(event->data == R"({"id":7})");
    CHECK(event->data_kind == DataKind::Json);
    CHECK(check(*event).ok());
}

TEST_CASE("every attribute can be mapped, from data, headers, subject, stream and position") {
    JsonMappingSettings settings;
    settings.type = "'order.' + headers.kind";
    settings.source = "'/' + stream + '/' + subject";
    settings.id = "string(data.id) + '@' + string(position)";
    settings.subject = "data.customer";
    settings.time = "timestamp(data.at)";
    settings.dataschema = "has(data.schema) ? data.schema : null";
    settings.extensions = {{"trace", "headers['X-Trace']"},
                           {"big", "data.amount > 100"},
                           {"amount", "data.amount"},
                           {"none", "null"}};
    settings.data = "data.body";
    const auto mapping = compile(settings);
    const auto event = mapping.map(
        json(
            R"({"id":7,"customer":"c1","at":"2026-03-01T06:30:00+01:00","amount":250,"body":[1,{"x":"é"}]})"),
        place);
    INFO((event.ok() ? "" : event.error().message));
    REQUIRE(event.ok());
    CHECK(event->type == "order.order");
    CHECK(event->source == "/ORDERS/orders.eu");
    CHECK(event->id == "7@42");
    CHECK(event->subject == "c1");
    CHECK(event->time == "2026-03-01T05:30:00Z");
    CHECK(event->dataschema.empty());
    CHECK(event->data == R"([1,{"x":"é"}])");
    REQUIRE(event->extensions.size() == 3);
    CHECK(event->extension("amount")->type == AttributeType::Integer);
    CHECK(event->extension("amount")->value == "250");
    CHECK(event->extension("big")->type == AttributeType::Boolean);
    CHECK(event->extension("big")->value == "true");
    CHECK(event->extension("trace")->value == "t1");
}

TEST_CASE("a wrong mapping is refused with the attribute's name") {
    CHECK(compile_error({}).find("\"type\"") != std::string::npos);
    CHECK(compile_error({.type = "'a' +"}).find("\"type\": 1:") != std::string::npos);
    CHECK(compile_error({.type = "nobody.knows"}).find("\"type\"") != std::string::npos);
    CHECK(compile_error({.type = "'a'", .id = "data.("}).find("\"id\"") != std::string::npos);
    CHECK(compile_error({.type = "'a'", .extensions = {{"No", "1"}}}).find("\"No\"") != std::string::npos);
    CHECK(compile_error({.type = "'a'", .extensions = {{"data", "1"}}}).find("\"data\"") !=
          std::string::npos);
    CHECK(compile_error({.type = "'a'", .data = "["}).find("\"data\"") != std::string::npos);
}

TEST_CASE("messages that a mapping makes no event of") {
    const auto fault = [](const JsonMappingSettings& settings, const std::string& body) {
        const auto event = compile(settings).map(json(body), place);
        REQUIRE_FALSE(event.ok());
        CHECK(event.error().kind == ErrorKind::Invalid);
        return event.error().message;
    };
    CHECK(fault({.type = "'a'"}, "no JSON").find("mapping") != std::string::npos);
    CHECK(fault({.type = "'a'"}, "").find("mapping") != std::string::npos);
    CHECK(fault({.type = "data.type"}, "{}").find("\"type\"") != std::string::npos);
    CHECK(fault({.type = "data.type"}, R"({"type":7})").find("string() makes one") != std::string::npos);
    CHECK(fault({.type = "data.type"}, R"({"type":null})").find("\"type\"") != std::string::npos);
    CHECK(fault({.type = "data.type"}, R"({"type":""})").find("empty") != std::string::npos);
    CHECK(fault({.type = "'a'", .subject = "data.s"}, R"({"s":""})").find("null") != std::string::npos);
    CHECK(fault({.type = "'a'", .source = "data.s"}, R"({"s":"a b"})").find("source") != std::string::npos);
    CHECK(fault({.type = "'a'", .time = "data.s"}, R"({"s":"noon"})").find("time") != std::string::npos);
    CHECK(fault({.type = "'a'", .extensions = {{"x", "data.l"}}}, R"({"l":[1]})").find("\"x\"") !=
          std::string::npos);
}

TEST_CASE("bindings ask the mapping only for what is no CloudEvent") {
    const auto mapping = compile({.type = "'mapped'"});
    DecodeContext context;
    context.mapping = &mapping;
    context.place = place;
    const auto mapped = decode_nats(json("[1]"), context);
    REQUIRE(mapped.ok());
    CHECK(mapped->data_checked);
    CHECK(mapped->event.type == "mapped");
    const auto event =
        decode_nats(json(R"({"specversion":"1.0","id":"1","source":"/s","type":"own"})"), context);
    REQUIRE(event.ok());
    CHECK(event->event.type == "own");
    CHECK(decode_nats(json("nothing"), context).error().kind == ErrorKind::Invalid);
}
