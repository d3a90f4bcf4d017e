#include <core/identity.hpp>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::engine;

namespace {

const Instant at = from_ns(1'790'000'000'000'000'000);
const TriggerUid uid{Uuid::time_led(at, sha256("uid"))};

Cause cause() {
    return arrival_cause("events", "one", Position(7), "/s", "id", at);
}

} // namespace

TEST_CASE("a decision's id is a function of its cause") {
    CHECK(decision_id("secret", uid, "live", cause(), 0) == decision_id("secret", uid, "live", cause(), 0));
    const auto id = decision_id("secret", uid, "live", cause(), 0);
    CHECK(decision_id("other", uid, "live", cause(), 0) != id);
    CHECK(decision_id("secret", TriggerUid{}, "live", cause(), 0) != id);
    CHECK(decision_id("secret", uid, "backfill:1", cause(), 0) != id);
    CHECK(decision_id("secret", uid, "live", cause(), 1) != id);
    CHECK(decision_id("secret", uid, "live", arrival_cause("events", "two", Position(7), "/s", "id", at),
                      0) != id);
    CHECK(decision_id("secret", uid, "live", arrival_cause("events", "one", Position(8), "/s", "id", at),
                      0) != id);
    CHECK(decision_id("secret", uid, "live", arrival_cause("events", "one", Position(7), "/s", "x", at), 0) !=
          id);
}

TEST_CASE("source and id cannot be shifted into each other") {
    CHECK(arrival_cause("e", "i", Position(1), "/ab", "c", at).text !=
          arrival_cause("e", "i", Position(1), "/a", "bc", at).text);
}

TEST_CASE("a run's id is led by its cause's time and follows from decision and launch number") {
    const auto decision = decision_id("secret", uid, "live", cause(), 0);
    CHECK(run_id(decision, 1, at) == run_id(decision, 1, at));
    CHECK(run_id(decision, 2, at) != run_id(decision, 1, at));
    CHECK(run_id(decision, 1, at).uuid < run_id(decision, 1, at + std::chrono::seconds(1)).uuid);
    CHECK(run_id(decision, 1, at).to_string()[14] == '8');
}
