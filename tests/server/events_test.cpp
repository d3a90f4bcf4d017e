#include "rig.hpp"

using namespace weir;
using namespace weir::server;
using weir::server::test::holds;
using weir::server::test::Rig;

namespace {

const std::string structured = "application/cloudevents+json";
const std::string batched = "application/cloudevents-batch+json";

std::string event(const std::string& id, const std::string& data = "{}") {
    return R"({"specversion":"1.0","type":"data.ready","source":"/lake","id":")" + id + R"(","data":)" +
           data + "}";
}

Request binary(const std::string& body) {
    auto request = Rig::request("POST", "/v1/events", body);
    request.headers.push_back({"ce-specversion", "1.0"});
    request.headers.push_back({"ce-type", "data.ready"});
    request.headers.push_back({"ce-source", "/lake"});
    request.headers.push_back({"ce-id", "b1"});
    return request;
}

} // namespace

TEST_CASE("events are taken in all three modes") {
    Rig rig;
    auto answer = Rig::json(rig.post("/v1/events", event("s1"), structured), 202);
    CHECK(answer["accepted"] == 1);
    CHECK(answer["id"] == "s1");
    CHECK(Rig::json(rig.api.handle(binary(R"({"table": "orders"})")), 202)["source"] == "/lake");
    CHECK(Rig::json(rig.post("/v1/events", "[" + event("1") + "," + event("2") + "]", batched),
                    202)["accepted"] == 2);
    CHECK(Rig::json(rig.post("/v1/events", "[]", batched), 202)["accepted"] == 0);
    REQUIRE(rig.engine.published.size() == 4);
    CHECK(rig.engine.published[0].id == "s1");
    CHECK(rig.engine.published[1].data == R"({"table":"orders"})");
    CHECK(rig.engine.published[3].id == "2");
}

TEST_CASE("integers of any length are taken, and kept as they were written") {
    Rig rig;
    const std::string data = R"({"n":123456789012345678901234567890,"m":-18446744073709551616})";
    Rig::json(rig.post("/v1/events", event("1", data), structured), 202);
    Rig::json(rig.post("/v1/events", "[" + event("2", data) + "]", batched), 202);
    Rig::json(rig.api.handle(binary(data)), 202);
    REQUIRE(rig.engine.published.size() == 3);
    for (const auto& published : rig.engine.published)
        CHECK(published.data == data);
    const auto beyond = event("4", "{\"n\":1" + std::string(400, '0') + "}");
    CHECK(rig.post("/v1/events", beyond, structured).status == 400);
    CHECK(rig.engine.published.size() == 3);
}

TEST_CASE("bad events are refused clearly and nothing is published") {
    Rig rig;
    const auto post = [&](const std::string& body, const std::string& type) {
        return rig.post("/v1/events", body, type);
    };
    CHECK(post("{", structured).status == 400);
    CHECK(post(R"({"specversion":"1.0","source":"/lake","id":"1"})", structured).status == 400);
    CHECK(post(event(""), structured).status == 400);
    CHECK(post("{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"/\xff\",\"id\":\"1\"}", structured)
              .status == 400);
    CHECK(post(R"({"specversion":"0.3","type":"t","source":"/","id":"1"})", structured).status == 415);
    CHECK(post(event("1"), "application/cloudevents+avro").status == 415);
    CHECK(post("{}", "application/json").status == 400);
    CHECK(post(event("1", std::string(10'000, '[') + std::string(10'000, ']')), structured).status == 413);
    CHECK(post(event("1", "\"" + std::string(1'100'000, 'x') + "\""), structured).status == 413);
    CHECK(post("[" + event("1") + "," + event("") + "]", batched).status == 400);
    CHECK(rig.engine.published.empty());
}

TEST_CASE("one identity twice in a batch: fine if the same, refused if not") {
    Rig rig;
    const auto twice = [&](const std::string& data) {
        return rig.post("/v1/events", "[" + event("1") + "," + event("2") + "," + event("1", data) + "]",
                        batched);
    };
    const auto detail = Rig::problem(twice(R"({"other":1})"), 409);
    CHECK(holds(detail, "events 1 and 3"));
    CHECK(rig.engine.published.empty());
    CHECK(Rig::json(twice("{}"), 202)["accepted"] == 3);
}

TEST_CASE("when the bus cannot take events, the caller is asked to come back") {
    Rig rig;
    rig.engine.failure = unavailable("the disk is full");
    const auto response = rig.post("/v1/events", event("1"), structured);
    CHECK(Rig::problem(response, 503) == "the disk is full");
    CHECK(response.header("Retry-After") != nullptr);
}

TEST_CASE("events are listed, filtered and paged") {
    Rig rig;
    for (int i = 0; i < 5; ++i)
        rig.story.event(i % 2 == 0 ? "data.ready" : "data.late", "e" + std::to_string(i));
    rig.story.commit();
    const auto all = Rig::json(rig.get("/v1/events"));
    REQUIRE(all["items"].size() == 5);
    CHECK(all["items"][0]["id"] == "e4");
    CHECK(all["next"].is_null());
    CHECK(Rig::json(rig.get("/v1/events?type=data.late"))["items"].size() == 2);
    CHECK(Rig::json(rig.get("/v1/events?type=data.*&source=%2Flake&id=e3"))["items"].size() == 1);
    CHECK(Rig::json(rig.get("/v1/events?team=ads"))["items"].empty());

    // Page by page, by the Link header as a browser of APIs would.
    std::string target = "/v1/events?limit=2&type=data.*";
    std::vector<std::string> seen;
    for (int pages = 0; !target.empty() && pages < 10; ++pages) {
        const auto response = rig.get(target);
        const auto page = Rig::json(response);
        for (const auto& item : page["items"])
            seen.push_back(item["id"]);
        const auto* link = response.header("Link");
        CHECK((link == nullptr) == page["next"].is_null());
        target = link == nullptr ? "" : link->substr(1, link->find('>') - 1);
    }
    CHECK(seen == std::vector<std::string>{"e4", "e3", "e2", "e1", "e0"});
    CHECK(rig.get("/v1/events?page=nonsense").status == 400);
    CHECK(rig.get("/v1/events?limit=0").status == 400);
    CHECK(rig.get("/v1/events?limit=1001").status == 400);
    CHECK(rig.get("/v1/events?limit=x").status == 400);
}

TEST_CASE("times are RFC 3339 or durations before now") {
    Rig rig;
    rig.story.event("data.ready", "e0"); // one minute after story_begin; the clock stands an hour after it
    rig.story.commit();
    CHECK(Rig::json(rig.get("/v1/events?since=2h"))["items"].size() == 1);
    CHECK(Rig::json(rig.get("/v1/events?since=1m"))["items"].empty());
    CHECK(Rig::json(rig.get("/v1/events?until=1m"))["items"].size() == 1);
    CHECK(Rig::json(rig.get("/v1/events?since=2020-01-01T00:00:00+02:00"))["items"].size() == 1);
    CHECK(holds(Rig::problem(rig.get("/v1/events?since=yesterday"), 400), "a time"));
}

TEST_CASE("watching by `after` shows each event once") {
    Rig rig;
    rig.story.event("data.ready", "e0");
    rig.story.commit();
    const auto first = Rig::json(rig.get("/v1/events"));
    const auto after = [](const auto& page) {
        return std::to_string(page["after"].template get<std::int64_t>());
    };
    CHECK(Rig::json(rig.get("/v1/events?after=" + after(first)))["items"].empty());
    rig.story.event("data.ready", "e1");
    rig.story.event("data.ready", "e2");
    rig.story.commit();
    const auto second = Rig::json(rig.get("/v1/events?after=" + after(first)));
    REQUIRE(second["items"].size() == 2);
    CHECK(second["items"][0]["id"] == "e1");
    CHECK(Rig::json(rig.get("/v1/events?after=" + after(second)))["items"].empty());
}

TEST_CASE("one event, by its place or its id") {
    Rig rig;
    const auto seq = rig.story.event("data.ready", "odd/id:1", R"({"n":1})");
    rig.story.event("data.ready", "twice", "{}", "/a");
    rig.story.event("data.ready", "twice", "{}", "/b");
    rig.story.commit();
    const auto by_seq = Rig::json(rig.get("/v1/events/" + std::to_string(seq.value)));
    CHECK(by_seq["id"] == "odd/id:1");
    CHECK(by_seq["data"]["n"] == 1);
    CHECK(Rig::json(rig.get("/v1/events/odd%2Fid%3A1"))["seq"] == seq.value);
    CHECK(Rig::json(rig.get("/v1/events/odd%2Fid:1?data=false")).contains("data") == false);
    CHECK(holds(Rig::problem(rig.get("/v1/events/twice"), 400), "\"/a\""));
    CHECK(Rig::json(rig.get("/v1/events/twice?source=%2Fb"))["source"] == "/b");
    CHECK(rig.get("/v1/events/none").status == 404);
    CHECK(rig.get("/v1/events/999999").status == 404);
}

TEST_CASE("an id that came again is shown as its original") {
    Rig rig;
    const auto original = rig.story.make_event("data.ready", "e0");
    const auto seq = rig.story.event(original);
    rig.story.duplicate(original, seq);
    rig.story.commit();
    CHECK(Rig::json(rig.get("/v1/events/e0"))["seq"] == seq.value);
}
