#include <algorithm>
#include <map>
#include <optional>

#include <weir/base/clock.hpp>
#include <weir/base/json.hpp>
#include <weir/events/binding.hpp>
#include <weir/events/http_codec.hpp>
#include <weir/events/media_type.hpp>

#include "set.hpp"

namespace weir::conformance {
namespace {

using nlohmann::json;
using namespace weir::events;

/// Bytes of a base64 text, through the product: a JSON event may carry its data so.
std::string bytes_of(const std::string& base64) {
    const json envelope = {
        {"specversion", "1.0"}, {"id", "x"}, {"source", "x"}, {"type", "x"}, {"data_base64", base64}};
    const auto event = decode_json(envelope.dump(), {.bytes_max = 64 * 1024 * 1024});
    return event.ok() ? event->data : throw std::runtime_error("the case has bad base64");
}

std::string body_of(const json& message) {
    if (message.contains("body_base64")) return bytes_of(message["body_base64"].get<std::string>());
    return message.value("body", std::string());
}

/// An event of a case as one of ours.
Event event_of(const json& description) {
    Event event;
    const std::map<std::string, std::string Event::*> known{{"id", &Event::id},
                                                            {"source", &Event::source},
                                                            {"type", &Event::type},
                                                            {"subject", &Event::subject},
                                                            {"time", &Event::time},
                                                            {"datacontenttype", &Event::datacontenttype},
                                                            {"dataschema", &Event::dataschema}};
    for (const auto& [name, value] : description["attributes"].items()) {
        const auto member = known.find(name);
        if (member != known.end())
            event.*member->second = value.get<std::string>();
        else if (name != "specversion")
            event.set_extension(name, value.get<std::string>());
    }
    const auto& data = description["data"];
    if (data.contains("json")) {
        event.data_kind = DataKind::Json;
        event.data = data["json"].dump();
    } else if (data.contains("text")) {
        event.data_kind = DataKind::Text;
        event.data = data["text"].get<std::string>();
    } else if (data.contains("base64")) {
        event.data_kind = DataKind::Binary;
        event.data = bytes_of(data["base64"].get<std::string>());
    }
    return event;
}

/// Attributes as the cases write them.
json attributes_of(const Event& event) {
    json out = {{"specversion", "1.0"}, {"id", event.id}, {"source", event.source}, {"type", event.type}};
    if (!event.subject.empty()) out["subject"] = event.subject;
    if (!event.time.empty()) out["time"] = event.time;
    if (!event.datacontenttype.empty()) out["datacontenttype"] = event.datacontenttype;
    if (!event.dataschema.empty()) out["dataschema"] = event.dataschema;
    for (const auto& extension : event.extensions)
        out[extension.name] = extension.value;
    return out;
}

bool same_time(const std::string& a, const std::string& b) {
    const auto x = parse_rfc3339(a), y = parse_rfc3339(b);
    return x.ok() && y.ok() ? *x == *y : a == b;
}

bool same_attributes(json expected, json got) {
    if (expected.contains("time") && got.contains("time") &&
        same_time(expected["time"].get<std::string>(), got["time"].get<std::string>()))
        expected["time"] = got["time"];
    return expected == got;
}

std::string describe(const Event& event) {
    static constexpr const char* kinds[] = {"none", "json", "text", "binary"};
    return attributes_of(event).dump() + " data " + kinds[static_cast<std::size_t>(event.data_kind)] + " " +
           json(event.data).dump(-1, ' ', true, json::error_handler_t::replace);
}

/// JSON is compared by value. Whether bytes are text is the receiver's reading of their type, so those are
/// compared as bytes; no data is not empty data.
bool same_data(const json& expected, const Event& event) {
    if (expected.contains("none")) return event.data_kind == DataKind::None;
    if (expected.contains("json"))
        return event.data_kind == DataKind::Json && json::parse(event.data) == expected["json"];
    if (event.data_kind != DataKind::Text && event.data_kind != DataKind::Binary) return false;
    return event.data == (expected.contains("text") ? expected["text"].get<std::string>()
                                                    : bytes_of(expected["base64"].get<std::string>()));
}

/// A record of Kafka with its data read, as whoever uses it does.
Result<std::vector<Event>> decode_record(const json& description,
                                         std::vector<std::pair<std::string, std::string>> headers) {
    Message message;
    message.headers = std::move(headers);
    message.has_body = description.contains("body") || description.contains("body_base64");
    message.body = body_of(description);
    auto decoded = decode_kafka(message);
    if (!decoded.ok()) return decoded.error();
    if (!decoded->data_checked) WEIR_TRY(read_data(decoded->event));
    WEIR_TRY(check(decoded->event));
    return std::vector<Event>{decoded->event};
}

Verdict decode_case(const json& test_case) {
    std::vector<HttpHeader> headers;
    for (const auto& header : test_case["message"]["headers"])
        headers.emplace_back(header[0].get<std::string>(), header[1].get<std::string>());
    const auto events = test_case["protocol"].get<std::string>() == "kafka"
                            ? decode_record(test_case["message"], headers)
                            : decode_http(headers, body_of(test_case["message"]));
    const auto& expect = test_case["expect"];
    if (expect.contains("error")) {
        if (!events.ok()) return Verdict::pass();
        return Verdict::fail("a refusal", events->empty() ? "no event" : describe(events->front()));
    }
    if (!events.ok()) return Verdict::fail(expect["events"].dump(), "refused: " + events.error().message);
    if (events->size() != expect["events"].size())
        return Verdict::fail(std::to_string(expect["events"].size()) + " events",
                             std::to_string(events->size()) + " events");
    for (std::size_t i = 0; i < events->size(); ++i) {
        const auto& expected = expect["events"][i];
        const auto& event = (*events)[i];
        if (!same_attributes(expected["attributes"], attributes_of(event)) ||
            !same_data(expected["data"], event))
            return Verdict::fail(expected.dump(), describe(event));
    }
    return Verdict::pass();
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

std::optional<json> parsed(const std::string& text) {
    auto value = json::parse(text, nullptr, false);
    return value.is_discarded() ? std::nullopt : std::optional(std::move(value));
}

/// Extension attributes may be written as text in structured mode.
json as_text(json envelope) {
    for (auto& [name, value] : envelope.items())
        if (name != "data" && (value.is_number() || value.is_boolean())) value = value.dump();
    return envelope;
}

bool same_body(const json& expected, const std::string& body, const std::string& mode) {
    auto got = parsed(body);
    if (!got) return false;
    if (mode == "structured") return as_text(*got) == as_text(expected);
    return *got == expected;
}

Verdict compare_message(const HttpMessage& message, const json& expect, const std::string& mode) {
    std::string got;
    for (const auto& [name, value] : message.headers)
        got += name + ": " + value + " | ";
    got += message.has_body ? message.body : "(no body)";
    const auto fail = [&] { return Verdict::fail(expect.dump(), got); };
    if (expect.contains("headers")) {
        std::multimap<std::string, std::string> expected, sent;
        for (const auto& header : expect["headers"])
            expected.emplace(lower(header[0].get<std::string>()), header[1].get<std::string>());
        for (const auto& [name, value] : message.headers)
            sent.emplace(lower(name), value);
        if (expected != sent) return fail();
    }
    if (expect.contains("content_type")) {
        const auto found =
            std::find_if(message.headers.begin(), message.headers.end(),
                         [](const auto& header) { return lower(header.first) == "content-type"; });
        if (found == message.headers.end() ||
            media_type_of(found->second) != expect["content_type"].get<std::string>())
            return fail();
    }
    if (expect.contains("no_body") && message.has_body) return fail();
    if (expect.contains("body") && message.body != expect["body"].get<std::string>()) return fail();
    if (expect.contains("body_base64") && message.body != bytes_of(expect["body_base64"].get<std::string>()))
        return fail();
    if (expect.contains("body_json") && !same_body(expect["body_json"], message.body, mode)) return fail();
    return Verdict::pass();
}

Verdict encode_case(const json& test_case) {
    std::vector<Event> events;
    if (test_case.contains("event")) events.push_back(event_of(test_case["event"]));
    if (test_case.contains("events"))
        for (const auto& description : test_case["events"])
            events.push_back(event_of(description));
    const auto& expect = test_case["expect"];
    for (const auto& event : events)
        if (const auto status = check(event); !status.ok())
            return expect.contains("error")
                       ? Verdict::pass()
                       : Verdict::fail(expect.dump(), "refused: " + status.error().message);
    if (expect.contains("error")) return Verdict::fail("a refusal", "no refusal");
    const auto mode = test_case["mode"].get<std::string>();
    if (test_case["protocol"].get<std::string>() == "kafka") {
        auto record = encode_kafka(events.front(),
                                   mode == "structured" ? MessageMode::Structured : MessageMode::Binary);
        return compare_message({std::move(record.headers), std::move(record.body), record.has_body}, expect,
                               mode);
    }
    const auto message = mode == "batch"        ? encode_http_batch(events)
                         : mode == "structured" ? encode_http_structured(events.front())
                                                : encode_http_binary(events.front());
    return compare_message(message, expect, mode);
}

} // namespace

Verdict run_cloudevents(const json& test_case) {
    const auto protocol = test_case["protocol"].get<std::string>();
    if (protocol != "http" && protocol != "kafka") return Verdict::skip(protocol + " binding: not built");
    return test_case["kind"].get<std::string>() == "decode" ? decode_case(test_case) : encode_case(test_case);
}

} // namespace weir::conformance
