// Streams, their gaps, what goes out to them and what came in that is no event.
#include <support/catch.hpp>

#include "ledger_contract.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::contract;

namespace {

/// A ledger with two streams, its epoch taken.
struct Ready {
    explicit Ready(Harness& harness) : harness_(harness), epoch_(harness.ledger().take_epoch().value()) {
        REQUIRE(harness.ledger().register_stream({.name = "kafka/t/0", .kind = "bus"}).ok());
        REQUIRE(harness.ledger().register_stream({.name = "kafka/t/1", .kind = "bus"}).ok());
    }
    void commit(const Batch& batch) {
        const auto status = harness_.ledger().commit(batch, epoch_);
        INFO((status.ok() ? std::string() : status.error().message));
        REQUIRE(status.ok());
    }

  private:
    Harness& harness_;
    Epoch epoch_;
};

std::string letters_of(Harness& harness, const Query& query) {
    const auto page = harness.reader().dead_letters(query);
    if (!page.ok()) return page.error().message;
    std::string out;
    for (const auto& row : page->rows)
        out += (out.empty() ? "" : " ") + std::to_string(row.no.value);
    return out + (page->next.empty() ? "" : " ...");
}

/// As listings and readers give it.
DeadLetterRow named(DeadLetterRow row, const std::string& stream) {
    row.stream_name = stream;
    return row;
}

} // namespace

TEST_CASE("a stream is registered on first sight as it is described, and stays so") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        StreamState first_sight;
        first_sight.no = StreamNo(77); // ignored
        first_sight.name = "kafka/t/0";
        first_sight.kind = "bus";
        first_sight.family = "kafka/t";
        first_sight.incarnation = "i1";
        first_sight.position = Position(42);
        first_sight.time = at(7);
        first_sight.event = Position(40);
        first_sight.digest = sha256("forty");
        auto expected = first_sight;
        expected.no = StreamNo(1);
        CHECK(differ(harness->ledger().register_stream(first_sight).value(), expected) == "");
        StreamState second;
        second.name = "internal";
        second.kind = "internal";
        auto plain = second;
        plain.no = StreamNo(2);
        CHECK(differ(harness->ledger().register_stream(second).value(), plain) == "");
        auto changed = first_sight;
        changed.kind = "other";
        changed.family = "other";
        changed.incarnation = "i2";
        changed.position = Position(1);
        changed.digest = sha256("other");
        for (int round = 0; round < 2; ++round) {
            CHECK(differ(harness->ledger().register_stream(changed).value(), expected) == "");
            const auto streams = harness->reader().streams().value();
            REQUIRE(streams.size() == 2);
            CHECK(differ(streams[0], expected) == "");
            CHECK(differ(streams[1], plain) == "");
            CHECK(differ(harness->ledger().snapshot().value().streams.at(0), expected) == "");
            harness->reopen();
        }
    }
}

TEST_CASE("a gap stays open until a command accepts it, then its stream goes on as another one") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        auto found = batch_of({arrival(1, "a")});
        found.positions = {{StreamNo(1), Position(1001), at(1), Position(1001), sha256("a")}};
        found.gaps = {gap(1), gap(2, 2)};
        ready.commit(found);
        CHECK(harness->ledger().snapshot().value().gaps.size() == 2);
        auto accepted = batch_of({fact(2, InputKind::Command)});
        accepted.gaps_accepted = {{GapNo(1), seq(2)}};
        accepted.streams = {{StreamNo(1), "made anew"}};
        accepted.positions = {{StreamNo(1), Position(3), at(2), {}, {}}};
        ready.commit(accepted);
        for (int round = 0; round < 2; ++round) {
            const auto snapshot = harness->ledger().snapshot().value();
            auto open = gap(2, 2);
            open.stream_name = "kafka/t/1";
            REQUIRE(snapshot.gaps.size() == 1);
            CHECK(differ(snapshot.gaps[0], open) == "");
            CHECK(snapshot.next_gap == GapNo(3));
            CHECK(snapshot.streams[0].incarnation == "made anew");
            CHECK(snapshot.streams[0].position == Position(3));
            CHECK(snapshot.streams[0].event == Position(0));
            CHECK(snapshot.streams[0].digest == Digest{});
            auto closed = gap(1);
            closed.accepted = seq(2);
            closed.stream_name = "kafka/t/0";
            const auto rows = harness->reader().gaps().value();
            REQUIRE(rows.size() == 2);
            CHECK(differ(rows[0], closed) == "");
            CHECK(differ(rows[1], open) == "");
            harness->reopen();
        }
    }
}

TEST_CASE("of many gaps the newest are listed, oldest first") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        auto batch = batch_of({fact(1)});
        for (std::int64_t no = 1; no <= 1007; ++no)
            batch.gaps.push_back(gap(no));
        ready.commit(batch);
        const auto rows = harness->reader().gaps().value();
        REQUIRE(rows.size() == 1000);
        CHECK(rows.front().no == GapNo(8));
        CHECK(rows.back().no == GapNo(1007));
        CHECK(harness->ledger().snapshot().value().gaps.size() == 1007);
    }
}

TEST_CASE("what goes out waits in order until the bus has it, and no number is given out twice") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        const auto waiting = [&] {
            std::string out;
            const auto snapshot = harness->ledger().snapshot().value();
            for (const auto& row : snapshot.outgoing) {
                CHECK(differ(row, outgoing(row.no.value)) == "");
                out += std::to_string(row.no.value) + " ";
            }
            return out + "next " + std::to_string(snapshot.next_outgoing.value);
        };
        // Without an input: accepted from a client.
        auto batch = batch_of({});
        batch.outgoing = {outgoing(1), outgoing(2), outgoing(3)};
        ready.commit(batch);
        CHECK(waiting() == "1 2 3 next 4");
        batch = batch_of({});
        batch.outgoing = {outgoing(4)};
        batch.outgoing_done = {OutgoingNo(2), OutgoingNo(1)};
        ready.commit(batch);
        CHECK(waiting() == "3 4 next 5");
        batch = batch_of({});
        batch.outgoing_done = {OutgoingNo(4), OutgoingNo(3)};
        ready.commit(batch);
        CHECK(waiting() == "next 5");
        harness->reopen();
        CHECK(waiting() == "next 5");
        batch = batch_of({});
        batch.outgoing = {outgoing(4)};
        const auto epoch = harness->ledger().take_epoch().value();
        CHECK(harness->ledger().commit(batch, epoch).error().kind == ErrorKind::Internal);
        batch.outgoing = {outgoing(5)};
        CHECK(harness->ledger().commit(batch, epoch).ok());
        CHECK(waiting() == "5 next 6");
    }
}

TEST_CASE("dead letters are listed newest first, without their messages, and read whole one by one") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        auto batch = batch_of({});
        // The last two are older than those before: another stream's clock.
        batch.dead_letters = {dead_letter(1), dead_letter(2, 2), dead_letter(3), dead_letter(4, 0),
                              dead_letter(5, 2)};
        batch.dead_letters[3].time = at(1);
        batch.dead_letters[4].time = at(2);
        ready.commit(batch);
        CHECK(letters_of(*harness, {}) == "5 4 3 2 1");
        CHECK(letters_of(*harness, {.limit = 2}) == "5 4 ...");
        CHECK(letters_of(*harness, {.source = "kafka/t/1"}) == "5 2");
        CHECK(letters_of(*harness, {.source = "none"}) == "");
        CHECK(letters_of(*harness, {.team = "ads"}) == "");
        CHECK(letters_of(*harness, {.since = at(2)}) == "5 3 2");
        CHECK(letters_of(*harness, {.since = at(2), .until = at(3)}) == "5 2");
        CHECK(letters_of(*harness, {.after = Seq(2)}) == "3 4 5");
        CHECK(letters_of(*harness, {.after = Seq(2), .limit = 1}) == "3 ...");
        const auto page = harness->reader().dead_letters({.limit = 2}).value();
        CHECK(letters_of(*harness, {.page = page.next, .limit = 2}) == "3 2 ...");
        CHECK(harness->reader().dead_letters({.team = "ads", .page = page.next}).error().kind ==
              ErrorKind::Invalid);
        for (const auto& wrong : {Query{.trigger = "t"}, Query{.flow = "f"}, Query{.state = "s"},
                                  Query{.type = "t"}, Query{.id = "i"}, Query{.limit = 0}})
            CHECK(harness->reader().dead_letters(wrong).error().kind == ErrorKind::Invalid);
        auto bodiless = named(dead_letter(3), "kafka/t/0");
        bodiless.message.clear();
        CHECK(differ(harness->reader().dead_letters({}).value().rows.at(2), bodiless) == "");
        harness->reopen();
        CHECK(differ(harness->reader().dead_letter(DeadLetterNo(3)).value(),
                     named(dead_letter(3), "kafka/t/0")) == "");
        CHECK(harness->reader().dead_letter(DeadLetterNo(4)).value().stream_name == "");
        CHECK(harness->reader().dead_letter(DeadLetterNo(6)).error().kind == ErrorKind::NotFound);
    }
}

TEST_CASE("a dead letter that was replayed says when, and as what input") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        auto batch = batch_of({});
        batch.dead_letters = {dead_letter(1), dead_letter(2)};
        ready.commit(batch);
        batch = batch_of({arrival(1, "a")});
        batch.positions = {{StreamNo(1), Position(1001), at(1), Position(1001), {}}};
        // The third went meanwhile: nothing to note.
        batch.dead_letters_replayed = {
            {DeadLetterNo(1), at(9), seq(1)}, {DeadLetterNo(2), at(9), {}}, {DeadLetterNo(3), at(9), {}}};
        ready.commit(batch);
        for (int round = 0; round < 2; ++round) {
            auto one = named(dead_letter(1), "kafka/t/0");
            one.replayed = at(9);
            one.replayed_seq = seq(1);
            CHECK(differ(harness->reader().dead_letter(DeadLetterNo(1)).value(), one) == "");
            auto two = named(dead_letter(2), "kafka/t/0");
            two.replayed = at(9);
            CHECK(differ(harness->reader().dead_letter(DeadLetterNo(2)).value(), two) == "");
            CHECK(letters_of(*harness, {}) == "2 1");
            harness->reopen();
        }
    }
}

TEST_CASE("retention drops the messages of old dead letters and leaves what was wrong with them") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        auto batch = batch_of({});
        batch.dead_letters = {dead_letter(1), dead_letter(5), dead_letter(6)};
        batch.dead_letters[2].time = at(2);
        ready.commit(batch);
        REQUIRE(harness->ledger().retain(at(5)).ok());
        auto bodiless = named(dead_letter(1), "kafka/t/0");
        bodiless.message.clear();
        CHECK(differ(harness->reader().dead_letter(DeadLetterNo(1)).value(), bodiless) == "");
        CHECK(harness->reader().dead_letter(DeadLetterNo(5)).value().message == dead_letter(5).message);
        CHECK(harness->reader().dead_letter(DeadLetterNo(6)).value().message.empty());
        CHECK(letters_of(*harness, {}) == "6 5 1");
    }
}

TEST_CASE("how far a watched place is done with moves on, and never back") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        const auto text = [&] {
            std::string out;
            const auto rows = harness->reader().watched().value();
            for (const auto& row : rows)
                out +=
                    row.backend + " " + row.place + " " + std::to_string((row.until - at(0)).count()) + "\n";
            return out;
        };
        CHECK(text().empty());
        auto batch = batch_of({});
        batch.watched = {{"kf", "ads/b", at(7)}, {"kf", "ads/", at(5)}, {"other", "ads/", at(6)}};
        CHECK_FALSE(batch.empty());
        ready.commit(batch);
        const std::string before = "kf ads/ 5\nkf ads/b 7\nother ads/ 6\n";
        CHECK(text() == before);
        batch.watched = {{"kf", "ads/", at(4)}};
        ready.commit(batch);
        CHECK(text() == before);
        harness->fill();
        batch.watched = {{"kf", "ads/", at(9)}, {"new", "ads/", at(9)}};
        CHECK_FALSE(harness->ledger().commit(batch, Epoch(1)).ok());
        CHECK(text() == before);
        harness->make_room();
        ready.commit(batch);
        harness->reopen();
        CHECK(text() == "kf ads/ 9\nkf ads/b 7\nnew ads/ 9\nother ads/ 6\n");
    }
}

TEST_CASE("of too many dead letters the oldest go, and their numbers are not given out again") {
    for (const auto& kind : kinds()) {
        INFO(kind.name);
        const auto harness = kind.make();
        Ready ready(*harness);
        constexpr std::int64_t a_batch = 20'000, kept = 100'000;
        std::int64_t no = 0;
        for (int i = 0; i < 6; ++i) {
            auto batch = batch_of({});
            for (std::int64_t n = 0; n < a_batch; ++n)
                batch.dead_letters.push_back(dead_letter(++no));
            if (i == 5) batch.dead_letters.resize(3), no = 5 * a_batch + 3;
            ready.commit(batch);
            const auto gone = std::max<std::int64_t>(0, no - kept);
            CHECK(harness->reader().dead_letter(DeadLetterNo(gone)).error().kind == ErrorKind::NotFound);
            CHECK(harness->reader().dead_letter(DeadLetterNo(gone + 1)).value().message ==
                  dead_letter(gone + 1).message);
            CHECK(harness->reader().dead_letter(DeadLetterNo(no)).ok());
        }
        harness->reopen();
        CHECK(harness->ledger().snapshot().value().next_dead_letter == DeadLetterNo(kept + 4));
        CHECK(letters_of(*harness, {.until = at(7)}) == "6 5 4");
    }
}
