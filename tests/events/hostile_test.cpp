#include <random>

#include <support/catch.hpp>

#include <weir/events/http_codec.hpp>
#include <weir/events/json_codec.hpp>
#include <weir/events/wire_codec.hpp>

using namespace weir;
using namespace weir::events;

// Random bytes and random changes to good messages: each is refused with a message, or is an event that
// passes check() and survives every codec. Fixed seeds, so that a failure comes back.

namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t n) {
    return n == 0 ? 0 : random() % n;
}

std::string noise(Random& random, std::size_t size) {
    std::string bytes(size, '\0');
    for (auto& byte : bytes)
        byte = static_cast<char>(random());
    return bytes;
}

/// One to eight changes: bytes flipped, cut out, doubled, put in.
std::string mutated(Random& random, std::string text) {
    static const std::string pieces[] = {"\"",        "{",     "}",    "[",
                                         "]",         ",",     ":",    "\\",
                                         "null",      "1e999", "-",    "\\ud800",
                                         "%",         "%00",   "\xff", "\xed\xa0\x80",
                                         "\"id\":1,", "=",     "\n",   std::string("\0", 1)};
    for (std::size_t n = 1 + below(random, 8); n > 0; --n) {
        const auto at = below(random, text.size() + 1);
        switch (below(random, 5)) {
            case 0:
                if (at < text.size()) text[at] = static_cast<char>(random());
                break;
            case 1: text.erase(at, below(random, 9)); break;
            case 2: text.insert(at, text.substr(below(random, text.size() + 1), below(random, 20))); break;
            case 3: text.insert(at, pieces[below(random, std::size(pieces))]); break;
            default: text.resize(at);
        }
    }
    return text;
}

void must_be_sound(const Event& event) {
    const auto status = check(event);
    INFO((status.ok() ? "" : status.error().message));
    REQUIRE(status.ok());
    const auto wire = decode_wire(encode_wire(event));
    REQUIRE(wire.ok());
    REQUIRE(*wire == event);
    const auto json = decode_json(encode_json(event));
    INFO(encode_json(event));
    REQUIRE(json.ok());
    REQUIRE((json->data_kind == DataKind::None) == (event.data_kind == DataKind::None));
    const auto message = encode_http_binary(event);
    const auto http = decode_http(message.headers, message.body);
    INFO((http.ok() ? "" : http.error().message));
    REQUIRE(http.ok());
    REQUIRE(http->front().id == event.id);
    REQUIRE(http->front().data == event.data);
}

const std::string good =
    R"({"specversion":"1.0","id":"A1","source":"/s?a=b#c","type":"t.x","subject":"Z\u00fcrich","time":"2020-01-01T00:00:00.5+01:00",)"
    R"("dataschema":"urn:x:y","datacontenttype":"application/json","n":-5,"yes":true,"data":{"a":[1,2.5,"x",null,{"b":"\ud83d\ude00"}]}})";

} // namespace

TEST_CASE("hostile JSON never does worse than a refusal") {
    Random random(20'260'301);
    int taken = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto text = i % 10 == 0 ? noise(random, below(random, 200)) : mutated(random, good);
        const auto event = decode_json(text);
        INFO(i << ": " << text);
        if (!event.ok()) {
            REQUIRE_FALSE(event.error().message.empty());
            REQUIRE(event.error().kind != ErrorKind::Internal);
            continue;
        }
        ++taken;
        must_be_sound(*event);
    }
    CHECK(taken > 100);
}

TEST_CASE("hostile batches never do worse than a refusal") {
    Random random(7);
    const auto batch = "[" + good + "," + good + "]";
    for (int i = 0; i < 5'000; ++i) {
        const auto events = decode_json_batch(mutated(random, batch));
        if (!events.ok()) {
            REQUIRE(events.error().kind != ErrorKind::Internal);
            continue;
        }
        for (const auto& event : *events)
            must_be_sound(event);
    }
}

TEST_CASE("hostile headers and bodies never do worse than a refusal") {
    Random random(11);
    const std::vector<HttpHeader> headers{
        {"ce-specversion", "1.0"},     {"ce-id", "A%20\"1"},
        {"ce-source", "/s"},           {"ce-type", "t.x"},
        {"ce-subject", "\"a \\\"b\""}, {"ce-time", "2020-01-01T00:00:00Z"},
        {"ce-ext", "Z%C3%BCrich"},     {"content-type", "application/json"}};
    int taken = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto message = headers;
        std::string body = "{\"a\":1}";
        for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
            auto& header = message[below(random, message.size())];
            switch (below(random, 4)) {
                case 0: header.first = mutated(random, header.first); break;
                case 1:
                    body = below(random, 2) == 0 ? noise(random, below(random, 50)) : mutated(random, body);
                    break;
                default: header.second = mutated(random, header.second);
            }
        }
        const auto events = decode_http(message, body);
        if (!events.ok()) {
            REQUIRE_FALSE(events.error().message.empty());
            REQUIRE(events.error().kind != ErrorKind::Internal);
            continue;
        }
        ++taken;
        for (const auto& event : *events)
            must_be_sound(event);
    }
    CHECK(taken > 100);
}

TEST_CASE("hostile stored bytes never do worse than a refusal") {
    Random random(13);
    const auto bytes = encode_wire(*decode_json(good));
    int taken = 0;
    for (int i = 0; i < 50'000; ++i) {
        const auto event =
            decode_wire(i % 10 == 0 ? noise(random, below(random, 200)) : mutated(random, bytes));
        if (!event.ok()) {
            REQUIRE(event.error().kind == ErrorKind::Corrupt);
            continue;
        }
        ++taken;
        // Not every such event passes check(), but it has what the rest of weir leans on.
        REQUIRE_FALSE(event->id.empty());
        REQUIRE(decode_wire(encode_wire(*event)).ok());
    }
    CHECK(taken > 100);
}
