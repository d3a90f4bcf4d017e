#include <weir/triggers/join.hpp>

#include <algorithm>
#include <string>

#include <support/catch.hpp>
#include <weir/triggers/join_table.hpp>
#include <weir/triggers/reference.hpp>

#include "random.hpp"

using namespace weir;
using namespace weir::triggers;
using namespace std::chrono_literals;

namespace {

enum LeafKind { Plain, Keyed, Kept, KeptKeyed };

When join_of(std::initializer_list<LeafKind> kinds, std::optional<Duration> within = {}) {
    When when;
    when.kind = When::Kind::All;
    when.within = within;
    for (const auto kind : kinds) {
        Leaf leaf;
        leaf.name = "l" + std::to_string(when.leaves.size());
        leaf.keep = kind == Kept || kind == KeptKeyed;
        when.leaves.push_back(leaf);
        when.keys.push_back(kind == Keyed || kind == KeptKeyed ? std::optional(Expression{"k", {}})
                                                               : std::nullopt);
    }
    return when;
}

Instant at(int second) {
    return from_ns(std::int64_t{second} * 1'000'000'000);
}

/// Offers one event and writes down what came of it: "+leaf:key@seq", "-leaf:key@seq why", "!key(seq,seq)".
struct Driver {
    Join join;
    int seq = 0;
    std::string offer(int second, std::vector<LeafHit> hits) {
        return told(join.offer(Seq(++seq), at(second), hits));
    }
    static std::string told(const JoinStep& step) {
        std::string out;
        for (const auto& f : step.firings) {
            out += "!" + f.key + "(";
            for (const auto& [leaf, used] : f.used)
                out += (leaf > 0 ? "," : "") + std::to_string(used.value);
            out += ") ";
        }
        for (const auto& l : step.left)
            out += "-" + std::to_string(l.leaf) + ":" + l.key + "@" + std::to_string(l.seq.value) + " " +
                   std::string(to_string(l.why)) + " ";
        for (const auto& e : step.entered)
            out += "+" + std::to_string(e.leaf) + ":" + e.key + "@" + std::to_string(e.seq.value) + " ";
        return out;
    }
};

} // namespace

TEST_CASE("all of two leaves: any of them completes, the completing event is not held") {
    Driver d{Join(join_of({Plain, Plain}))};
    CHECK(d.offer(1, {{0, {}}}) == "+0:@1 ");
    CHECK(d.offer(2, {{0, {}}}) == "-0:@1 superseded +0:@2 ");
    CHECK(d.offer(3, {{1, {}}}) == "!(2,3) -0:@2 consumed ");
    CHECK(d.join.size() == 0);
    CHECK(d.join.keys() == 0);
    CHECK(d.offer(4, {{1, {}}}) == "+1:@4 ");
    CHECK(d.offer(5, {{0, {}}}) == "!(5,4) -1:@4 consumed ");
    // One event fills every leaf it meets.
    CHECK(d.offer(6, {{0, {}}, {1, {}}}) == "!(6,6) ");
    CHECK(d.offer(7, {{0, {}}}) == "+0:@7 ");
    CHECK(d.offer(8, {{0, {}}, {1, {}}}) == "!(8,8) -0:@7 superseded ");
}

TEST_CASE("keys wait apart, and a firing uses up its own only") {
    Driver d{Join(join_of({Keyed, Keyed}))};
    CHECK(d.offer(1, {{0, "a"}}) == "+0:a@1 ");
    CHECK(d.offer(2, {{1, "b"}}) == "+1:b@2 ");
    CHECK(d.join.waiting("a", at(2)) == Waiting{"a", {{0, Seq(1), at(1)}}, {1}, {}});
    CHECK(d.join.waiting(at(2)).size() == 2);
    CHECK(d.offer(3, {{1, "a"}}) == "!a(1,3) -0:a@1 consumed ");
    CHECK(d.join.keys() == 1);
    // An event may have another key for each leaf that it meets; firings come in the order of their keys.
    CHECK(d.offer(4, {{1, "c"}}) == "+1:c@4 ");
    CHECK(d.offer(5, {{0, "c"}, {1, "d"}}) == "!c(5,4) -1:c@4 consumed +1:d@5 ");
    CHECK(d.offer(6, {{0, "d"}, {1, "b"}}) == "!d(6,5) -1:b@2 superseded -1:d@5 consumed +1:b@6 ");
}

TEST_CASE("within is inclusive, and what is too old is dead, swept or not") {
    Driver d{Join(join_of({Plain, Plain}, 10s))};
    d.offer(0, {{0, {}}});
    CHECK(d.offer(10, {{1, {}}}) == "!(1,2) -0:@1 consumed ");
    d.offer(20, {{0, {}}});
    CHECK(d.join.waiting({}, at(30)).until == at(30));
    CHECK(d.join.waiting(at(31)).empty());
    CHECK(d.offer(31, {{1, {}}}) == "-0:@3 expired +1:@4 ");
    // Of a superseded and dead event, dead is what counts.
    CHECK(d.offer(50, {{1, {}}}) == "-1:@4 expired +1:@5 ");
    CHECK(Driver::told(d.join.sweep(at(60))) == "");
    CHECK(d.join.oldest() == at(50));
    CHECK(Driver::told(d.join.sweep(from_ns(to_ns(at(60)) + 1))) == "-1:@5 expired ");
    CHECK(d.join.size() == 0);
    CHECK_FALSE(d.join.oldest());
}

TEST_CASE("keep: survives firings, ignores within, is shared when it has no key") {
    Driver d{Join(join_of({Keyed, Kept}, 10s))};
    CHECK(d.offer(0, {{0, "b"}}) == "+0:b@1 ");
    CHECK(d.offer(1, {{0, "a"}}) == "+0:a@2 ");
    // It completes every key that waits for it alone.
    CHECK(d.offer(2, {{1, {}}}) == "!a(2,3) !b(1,3) -0:a@2 consumed -0:b@1 consumed +1:@3 ");
    CHECK(d.join.size() == 1);
    CHECK(d.offer(100, {{0, "a"}}) == "!a(4,3) ");
    CHECK(d.offer(101, {{1, {}}}) == "-1:@3 superseded +1:@5 ");
    CHECK(d.offer(102, {{0, "c"}, {1, {}}}) == "!c(6,6) -1:@5 superseded +1:@6 ");
    const auto waiting = d.join.waiting("z", at(103));
    CHECK(waiting.held == std::vector<Waiting::HeldEvent>{{1, Seq(6), at(102)}});
    CHECK(waiting.missing == std::vector<int>{0});
    CHECK_FALSE(waiting.until);

    // An event that waits for a keep leaf ages as any other.
    Driver e{Join(join_of({Keyed, Kept}, 10s))};
    e.offer(0, {{0, "a"}});
    CHECK(e.offer(11, {{1, {}}}) == "-0:a@1 expired +1:@2 ");

    // With a key of its own a keep leaf holds one event a key.
    Driver f{Join(join_of({Keyed, KeptKeyed}, 10s))};
    CHECK(f.offer(0, {{1, "a"}}) == "+1:a@1 ");
    CHECK(f.offer(50, {{0, "b"}}) == "+0:b@2 ");
    CHECK(f.offer(51, {{0, "a"}}) == "!a(3,1) ");
    CHECK(f.offer(52, {{0, "a"}}) == "!a(4,1) ");

    // All leaves keep: once all are there, every event fires.
    Driver g{Join(join_of({Kept, Kept}))};
    CHECK(g.offer(0, {{0, {}}}) == "+0:@1 ");
    CHECK(g.offer(1, {{1, {}}}) == "!(1,2) +1:@2 ");
    CHECK(g.offer(2, {{0, {}}}) == "!(3,2) -0:@1 superseded +0:@3 ");
    CHECK(g.join.waiting(at(3)).size() == 1);
}

TEST_CASE("past the limit of keys the one that waited longest is dropped, recorded") {
    Driver d{Join(join_of({Keyed, KeptKeyed}), JoinLimits{1'000, 2})};
    d.offer(0, {{0, "a"}});
    d.offer(1, {{1, "b"}});
    CHECK(d.offer(2, {{0, "c"}}) == "-0:a@1 dropped +0:c@3 ");
    CHECK(d.offer(3, {{0, "d"}}) == "-1:b@2 dropped +0:d@4 ");
    CHECK(d.join.keys() == 2);
}

TEST_CASE("restored from what was recorded, a join goes on as before") {
    const auto when = join_of({Keyed, Keyed, Kept}, 100s);
    Driver a{Join(when)};
    a.offer(0, {{0, "x"}});
    a.offer(1, {{0, "y"}});
    a.offer(2, {{1, "y"}});
    Driver b{Join(when)};
    b.seq = a.seq;
    b.join.restore(0, "x", Seq(1), at(0));
    b.join.restore(0, "y", Seq(2), at(1));
    b.join.restore(1, "y", Seq(3), at(2));
    CHECK(b.join.waiting(at(3)) == a.join.waiting(at(3)));
    CHECK(b.offer(50, {{2, {}}}) == a.offer(50, {{2, {}}}));
    CHECK(b.offer(100, {{1, "x"}}) == a.offer(100, {{1, "x"}}));
    CHECK(a.join.size() == 1);
}

TEST_CASE("leaves that a new version lacks give up what they hold") {
    Driver d{Join(join_of({Keyed, KeptKeyed, Kept}))};
    d.offer(0, {{0, "a"}});
    d.offer(1, {{1, "a"}});
    d.offer(2, {{0, "b"}});
    const std::vector<int> gone{0};
    CHECK(Driver::told(d.join.clear(gone, HeldEnd::Updated)) == "-0:a@1 updated -0:b@3 updated ");
    CHECK(d.join.size() == 1);
    d.offer(3, {{2, {}}});
    const std::vector<int> rest{1, 2};
    CHECK(Driver::told(d.join.clear(rest, HeldEnd::Reset)) == "-1:a@2 reset -2:@4 reset ");
    CHECK(d.join.size() == 0);
}

TEST_CASE("the words of held ends are stable and read back") {
    for (const auto end : {HeldEnd::Consumed, HeldEnd::Superseded, HeldEnd::Expired, HeldEnd::Reset,
                           HeldEnd::Updated, HeldEnd::Dropped})
        CHECK(parse_held_end(to_string(end)) == end);
    CHECK_FALSE(parse_held_end("lost"));
}

// Walks the whole table: for each row a join is brought into the row's state, given its input, and must do
// what the row says. Leaf 0 is the one looked at, leaf 1 the other one of the same key.
TEST_CASE("every row of the state table is what a join does") {
    for (const auto& row : slot_table) {
        const auto index = static_cast<std::size_t>(&row - slot_table.data());
        INFO("row " << index);
        CHECK(&slot_row(row.keep, row.state, row.input) == &row);
        if (!row.possible) {
            // Only what is held can be used, age or be dropped, and `keep` does not age.
            const bool arrives = row.input == SlotInput::Waits || row.input == SlotInput::Completes;
            CHECK(
                ((row.state == SlotState::Empty && !arrives) || (row.keep && row.input == SlotInput::Ages)));
            continue;
        }
        Driver d{Join(join_of({row.keep ? KeptKeyed : Keyed, Keyed}, 10s), JoinLimits{1'000, 1})};
        if (row.state == SlotState::Held) d.offer(0, {{0, "k"}});
        JoinStep step;
        const Seq seq(100);
        const std::vector<int> leaf_zero{0};
        const std::vector<LeafHit> first{{0, "k"}}, both{{0, "k"}, {1, "k"}}, second{{1, "k"}},
            other{{1, "other"}};
        switch (row.input) {
            case SlotInput::Waits: step = d.join.offer(seq, at(1), first); break;
            case SlotInput::Completes: step = d.join.offer(seq, at(1), both); break;
            case SlotInput::Fires: step = d.join.offer(seq, at(1), second); break;
            case SlotInput::Ages: step = d.join.sweep(at(11)); break;
            case SlotInput::Drops: step = d.join.offer(seq, at(1), other); break;
            case SlotInput::Clears: step = d.join.clear(leaf_zero, HeldEnd::Updated); break;
        }
        const auto entered = std::count_if(step.entered.begin(), step.entered.end(),
                                           [](const auto& e) { return e.leaf == 0; });
        CHECK(entered == (row.enters ? 1 : 0));
        const auto left =
            std::find_if(step.left.begin(), step.left.end(), [](const auto& l) { return l.leaf == 0; });
        CHECK((left != step.left.end()) == (row.old != SlotOld::Stays));
        if (left != step.left.end()) {
            CHECK(left->seq == Seq(1));
            const HeldEnd expected = row.old == SlotOld::Superseded ? HeldEnd::Superseded
                                     : row.old == SlotOld::Consumed ? HeldEnd::Consumed
                                     : row.old == SlotOld::Expired  ? HeldEnd::Expired
                                     : row.old == SlotOld::Dropped  ? HeldEnd::Dropped
                                                                    : HeldEnd::Updated;
            CHECK(left->why == expected);
        }
        const auto waiting = d.join.waiting("k", at(1));
        const bool held =
            std::any_of(waiting.held.begin(), waiting.held.end(), [](const auto& h) { return h.leaf == 0; });
        CHECK(held == (row.next == SlotState::Held));
        const bool fires = row.input == SlotInput::Completes || row.input == SlotInput::Fires;
        CHECK(step.firings.size() == (fires ? 1U : 0U));
    }
}

TEST_CASE("a join does what the reference model says, on random traces") {
    for (int seed = 0; seed < test::seeds(300, 20'000); ++seed) {
        test::Random random(static_cast<std::uint64_t>(seed));
        When when = join_of({});
        when.within = random.chance(60) ? std::optional<Duration>(random.below(20) * 1s + 1s) : std::nullopt;
        const bool keyed = random.chance(70);
        const int leaves = 1 + random.below(4);
        for (int i = 0; i < leaves; ++i) {
            const bool keep = random.chance(30);
            Leaf leaf;
            leaf.name = "l" + std::to_string(i);
            leaf.keep = keep;
            when.leaves.push_back(leaf);
            const bool has_key = keyed && (!keep || random.chance(40));
            when.keys.push_back(has_key ? std::optional(Expression{"k", {}}) : std::nullopt);
        }
        Join join(when);
        reference::JoinModel model(when);
        std::vector<HeldEnter> recorded;
        int second = 0;
        for (int step = 1; step <= 60; ++step) {
            second += random.below(4);
            std::vector<LeafHit> hits;
            for (int leaf = 0; leaf < leaves; ++leaf)
                if (random.chance(40))
                    hits.push_back({leaf, when.keys[static_cast<std::size_t>(leaf)]
                                              ? std::optional<std::string>(
                                                    std::string(1, static_cast<char>('a' + random.below(3))))
                                              : std::nullopt});
            if (hits.empty()) continue;
            const auto got = join.offer(Seq(step), at(second), hits);
            INFO("seed " << seed << " step " << step);
            REQUIRE(got.firings == model.offer(Seq(step), at(second), hits));
            // What was recorded, entry by entry, must add up to what is held.
            recorded.insert(recorded.end(), got.entered.begin(), got.entered.end());
            const auto forget = [&](const JoinStep& gone) {
                for (const auto& left : gone.left) {
                    const auto found =
                        std::find_if(recorded.begin(), recorded.end(), [&](const HeldEnter& e) {
                            return e.leaf == left.leaf && e.key == left.key && e.seq == left.seq;
                        });
                    REQUIRE(found != recorded.end());
                    recorded.erase(found);
                }
            };
            forget(got);
            REQUIRE(recorded.size() == join.size());
            if (random.chance(10)) forget(join.sweep(at(second)));
            auto alive = recorded;
            std::erase_if(alive, [&](const HeldEnter& e) {
                return when.within && !when.leaves[static_cast<std::size_t>(e.leaf)].keep &&
                       at(second) - e.time > *when.within;
            });
            std::sort(alive.begin(), alive.end(), [](const auto& a, const auto& b) {
                return std::tie(a.leaf, a.key) < std::tie(b.leaf, b.key);
            });
            REQUIRE(alive == model.held(at(second)));
            if (random.chance(10)) { // a restart
                std::sort(recorded.begin(), recorded.end(),
                          [](const auto& a, const auto& b) { return a.seq < b.seq; });
                Join again(when);
                for (const auto& e : recorded)
                    again.restore(e.leaf, e.key, e.seq, e.time);
                join = std::move(again);
            }
        }
    }
}
