#include <cstdlib>

#include <support/catch.hpp>

#include "records.hpp"
#include "world.hpp"

using namespace weir;
using namespace weir::sim;

namespace {

/// WEIR_SEED replays one seed; WEIR_SEEDS says how many; the long tier takes thousands.
std::vector<std::uint64_t> seeds(std::uint64_t few) {
    if (const char* one = std::getenv("WEIR_SEED"); one != nullptr) return {std::strtoull(one, nullptr, 10)};
    std::uint64_t count = few;
    if (const char* text = std::getenv("WEIR_SEEDS"); text != nullptr)
        count = std::strtoull(text, nullptr, 10);
    std::vector<std::uint64_t> all;
    for (std::uint64_t i = 1; i <= count; ++i)
        all.push_back(i);
    return all;
}

Weather foul(std::uint64_t seed) {
    Weather weather;
    weather.seed = seed * 31 + 7;
    weather.batch_max = std::vector<std::size_t>{1, 7, 1000}[seed % 3];
    weather.crash = 20;
    weather.write_failure = 20;
    weather.delay = 100;
    weather.launcher = {50, 50, 20, 100, 200, 100};
    return weather;
}

std::string all_of(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

std::vector<std::string> decisions_in(const Plan& plan, Weather weather) {
    World world(plan, std::move(weather), memory_storage());
    const auto report = world.run();
    INFO(all_of(report.failures));
    CHECK(report.failures.empty());
    return canonical_decisions(world.reader(), true);
}

} // namespace

TEST_CASE("in foul weather every firing has exactly one run, and a replay decides the same") {
    int crashes = 0;
    for (const auto seed : seeds(60)) {
        INFO("WEIR_SEED=" << seed);
        const auto plan = make_plan(seed, {});
        World world(plan, foul(seed), memory_storage());
        auto report = world.run();
        if (report.failures.empty()) check_exactly_once(world, report.failures);
        if (report.failures.empty()) check_against_reference(world, plan, report.failures);
        crashes += report.crashes;
        INFO(all_of(report.failures));
        REQUIRE(report.failures.empty());
        const auto replayed = replayed_decisions(world.reader(), world.storage().ledger());
        REQUIRE(replayed.ok());
        CHECK(all_of(*replayed) == all_of(canonical_decisions(world.reader(), true)));
    }
    CHECK((crashes > 10 || std::getenv("WEIR_SEED") != nullptr));
}

TEST_CASE("the same on SQLite over a disk that loses power") {
    int crashes = 0, power_losses = 0;
    for (const auto seed : seeds(25)) {
        INFO("WEIR_SEED=" << seed);
        const auto plan = make_plan(seed, {});
        auto weather = foul(seed);
        weather.power_loss = 500;
        World world(plan, weather, sqlite_storage());
        auto report = world.run();
        if (report.failures.empty() && world.arrivals().size() != plan.publications.size())
            report.failures.push_back("the bus lost or repeated an accepted event");
        if (report.failures.empty()) check_exactly_once(world, report.failures);
        if (report.failures.empty()) check_against_reference(world, plan, report.failures);
        crashes += report.crashes;
        power_losses += report.power_losses;
        INFO(all_of(report.failures));
        REQUIRE(report.failures.empty());
        const auto replayed = replayed_decisions(world.reader(), world.storage().ledger());
        REQUIRE(replayed.ok());
        CHECK(all_of(*replayed) == all_of(canonical_decisions(world.reader(), true)));
    }
    CHECK((power_losses > 5 || std::getenv("WEIR_SEED") != nullptr));
}

TEST_CASE("batch sizes and delays change no decision") {
    for (const auto seed : seeds(30)) {
        INFO("WEIR_SEED=" << seed);
        const auto plan = make_plan(seed, {.publications = 60, .edits = true, .single_stream = true});
        Weather fair;
        const auto expected = all_of(decisions_in(plan, fair));
        for (const std::size_t batch : {1, 7}) {
            Weather other;
            other.batch_max = batch;
            CHECK(all_of(decisions_in(plan, other)) == expected);
        }
        Weather slow;
        slow.seed = seed + 1000;
        slow.delay = 500;
        slow.batch_max = 7;
        CHECK(all_of(decisions_in(plan, slow)) == expected);
    }
}

TEST_CASE("a stop of weir anywhere changes no decision of a single stream") {
    for (const auto seed : seeds(30)) {
        INFO("WEIR_SEED=" << seed);
        const auto plan = make_plan(seed, {.publications = 60, .edits = false, .single_stream = true});
        const auto expected = all_of(decisions_in(plan, {}));
        Chance chance(seed);
        for (int i = 0; i < 3; ++i) {
            Weather stopped;
            const auto span = static_cast<std::uint64_t>((plan.end - plan.start).count());
            const auto from =
                plan.start + Duration(static_cast<std::int64_t>(1'000'000 + chance.below(span)));
            stopped.outages.push_back({from, from + std::chrono::seconds(1 + chance.below(900))});
            CHECK(all_of(decisions_in(plan, stopped)) == expected);
        }
    }
}
