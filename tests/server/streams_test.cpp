#include "rig.hpp"

#include <weir/events/message.hpp>

using namespace weir;
using namespace weir::server::test;

namespace {

engine::StreamReport report(const std::string& name, const std::string& state) {
    engine::StreamReport report;
    report.name = name;
    report.bus = "kafka";
    report.kind = "kafka";
    report.durability = "process-safe";
    report.incarnation = "c1/orders";
    report.position = Position(41);
    report.state = state;
    if (state == "stopped") report.detail = "positions 5 to 9 were removed before they were read";
    return report;
}

/// The in-memory ledger of the rig with a stopped stream and two dead letters.
void add_losses(Rig& rig) {
    auto& ledger = rig.story.ledger();
    const auto snapshot = ledger.snapshot().value();
    ledger::StreamState sight;
    sight.name = "kafka/orders/0";
    sight.kind = "bus";
    const auto stream = ledger.register_stream(sight);
    REQUIRE(stream.ok());
    ledger::Batch batch;
    batch.next_seq = snapshot.next_seq;
    batch.log_time = snapshot.log_time;
    ledger::GapRow gap;
    gap.no = snapshot.next_gap;
    gap.stream = stream->no;
    gap.kind = "retention";
    gap.from = Position(5);
    gap.to = Position(9);
    gap.detail = "positions 5 to 9 were removed before they were read";
    gap.found = from_ns(1'790'000'000'000'000'000);
    batch.gaps.push_back(gap);
    for (int i = 0; i < 2; ++i) {
        events::Message message;
        message.headers = {{"x-trace", "t"}};
        message.subject = "orders";
        message.body = i == 0 ? "not json" : std::string("\xff\x01", 2);
        ledger::DeadLetterRow letter;
        letter.no = ledger::DeadLetterNo(snapshot.next_dead_letter.value + i);
        letter.stream = stream->no;
        letter.position = Position(3 + i);
        letter.time = from_ns(1'790'000'000'000'000'000 + i);
        letter.reason = "expected an event";
        letter.message = events::encode_message(message);
        letter.bytes = 20;
        batch.dead_letters.push_back(letter);
    }
    const auto done = ledger.commit(batch, rig.story.epoch());
    INFO((done.ok() ? "" : done.error().message));
    REQUIRE(done.ok());
}

} // namespace

TEST_CASE("streams are listed with what was lost, and a gap is accepted by name") {
    Rig rig;
    add_losses(rig);
    rig.engine.stream_reports = {report("kafka/orders/0", "stopped"), report("events", "read")};
    const auto list = Rig::json(rig.get("/v1/streams"))["items"];
    REQUIRE(list.size() == 2);
    CHECK(list[0]["stream"] == "kafka/orders/0");
    CHECK(list[0]["state"] == "stopped");
    CHECK(list[0]["position"] == 41);
    REQUIRE(list[0]["gaps"].size() == 1);
    CHECK(list[0]["gaps"][0]["from"] == 5);
    CHECK(list[0]["gaps"][0]["to"] == 9);
    CHECK(list[0]["gaps"][0]["kind"] == "retention");
    CHECK(list[1]["gaps"].empty());

    const auto done =
        Rig::json(rig.post("/v1/streams/kafka%2Forders%2F0:accept-gap", R"({"reason":"known"})"));
    CHECK(done["stream"] == "kafka/orders/0");
    CHECK(rig.engine.acts.back() == "accept-gap kafka/orders/0 by local:unknown: known");
    rig.engine.failure = conflict("the stream \"events\" has no gap: it is read");
    CHECK(holds(Rig::problem(rig.post("/v1/streams/events:accept-gap", "{}"), 409), "has no gap"));
}

TEST_CASE("dead letters are listed, shown whole and replayed") {
    Rig rig;
    add_losses(rig);
    const auto list = Rig::json(rig.get("/v1/dead-letters"))["items"];
    REQUIRE(list.size() == 2);
    CHECK(list[0]["stream"] == "kafka/orders/0");
    CHECK(list[0]["reason"] == "expected an event");
    CHECK(list[0]["replayed_at"].is_null());
    CHECK(Rig::json(rig.get("/v1/dead-letters?stream=elsewhere"))["items"].empty());
    const auto number = [&](int i) { return std::to_string(list[i]["dead_letter"].get<int>()); };

    const auto text = Rig::json(rig.get("/v1/dead-letters/" + number(1)));
    CHECK(text["message"]["body"] == "not json");
    CHECK(text["message"]["headers"][0][0] == "x-trace");
    const auto bytes = Rig::json(rig.get("/v1/dead-letters/" + number(0)));
    CHECK(bytes["message"]["body_base64"] == "/wE=");

    CHECK(Rig::json(rig.post("/v1/dead-letters/" + number(0) + ":replay",
                             R"({"reason":"mended"})"))["position"] == 4);
    CHECK(holds(rig.engine.acts.back(), "replay " + number(0)));
    rig.engine.failure = invalid("the dead letter 1 is still no event: expected an event");
    CHECK(holds(Rig::problem(rig.post("/v1/dead-letters/" + number(0) + ":replay", "{}"), 400),
                "still no event"));
    CHECK(Rig::problem(rig.get("/v1/dead-letters/999"), 404).size() > 5);
    CHECK(holds(Rig::problem(rig.get("/v1/dead-letters/x"), 400), "has a number"));
}
