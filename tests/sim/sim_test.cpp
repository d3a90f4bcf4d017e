#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

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
    // Seeds that found something once. 500254: an update to a longer `within` brought a dead held event back.
    // 1718: a look's answer that was long on its way was taken for news.
    all.push_back(500254);
    // 1338: a dropped firing took the place of the one that overlap latest keeps.
    all.push_back(1338);
    all.push_back(1718);
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

/// How many crashes the long tier must survive; WEIR_CRASHES says another number.
long crashes_wanted() {
    const char* text = std::getenv("WEIR_CRASHES");
    return text != nullptr ? std::strtol(text, nullptr, 10) : 100'000;
}

/// One seed in foul weather with all checks. What is wrong is in the report.
Report survive(std::uint64_t seed, bool on_disk, std::size_t& decisions) {
    const auto plan = make_plan(seed, {});
    auto weather = foul(seed);
    // From a rare crash to one at every third point.
    weather.crash = std::vector<std::uint64_t>{20, 150, 350}[seed / 3 % 3];
    if (on_disk) weather.power_loss = 500;
    World world(plan, weather, on_disk ? sqlite_storage() : memory_storage());
    auto report = world.run();
    if (report.failures.empty() && world.arrivals().size() != plan.publications.size())
        report.failures.push_back("the bus lost or repeated an accepted event");
    if (report.failures.empty()) check_exactly_once(world, report.failures);
    if (report.failures.empty()) check_against_reference(world, plan, report.failures);
    if (!report.failures.empty()) return report;
    const auto expected = canonical_decisions(world.reader(), true);
    decisions += expected.size();
    const auto replayed = replayed_decisions(world.reader(), world.storage().ledger());
    if (!replayed.ok())
        report.failures.push_back("the replay: " + replayed.error().message);
    else if (*replayed != expected)
        report.failures.push_back("a replay decides something else");
    return report;
}

/// A weir by hand, over storage that others use as well.
struct HandMade {
    HandMade(Storage& storage, SimClock& clock, SimLauncher& launcher) {
        engine::ShellPorts ports{clock, storage.ledger(), {&storage.bus()}, {}, {}, {}, {}};
        ports.backends["sim"] = {&launcher, &launcher};
        ports.post = [this](std::function<void()> task) { posts.push_back(std::move(task)); };
        ports.commit_on = [](const std::function<void()>& task) { task(); };
        ports.mint_uid = [] { return TriggerUid{}; };
        shell = std::make_unique<engine::Shell>(std::move(ports), engine::ShellConfig{});
    }
    void turn() {
        (void)shell->turn();
        while (!posts.empty()) {
            const auto task = std::move(posts.front());
            posts.pop_front();
            task();
        }
    }
    std::deque<std::function<void()>> posts;
    std::unique_ptr<engine::Shell> shell;
};

std::string version_of_document(const std::string& description) {
    return "trigger: tr0\nteam: t\ndescription: " + description +
           "\nwhen: {event: data.*}\nlaunch: {flow: f0, parameters: {s: 'event.id'}, overlap: allow}\n";
}

std::vector<std::string> fired_ids(const Plan& plan) {
    World world(plan, {}, memory_storage());
    const auto report = world.run();
    CHECK(report.failures.empty());
    std::vector<std::string> ids;
    for (const auto& decision : all_decisions(world.reader()))
        ids.push_back(decision.cause + " " + decision.id.to_string());
    return ids;
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
    std::ptrdiff_t tried_again = 0;
    for (const auto seed : seeds(60)) {
        INFO("WEIR_SEED=" << seed);
        const auto plan = make_plan(seed, {});
        World world(plan, foul(seed), memory_storage());
        auto report = world.run();
        if (report.failures.empty()) check_exactly_once(world, report.failures);
        if (report.failures.empty()) check_against_reference(world, plan, report.failures);
        crashes += report.crashes;
        const auto runs = all_runs(world.reader());
        tried_again +=
            std::count_if(runs.begin(), runs.end(), [](const auto& run) { return run.attempt > 1; });
        INFO(all_of(report.failures));
        REQUIRE(report.failures.empty());
        const auto replayed = replayed_decisions(world.reader(), world.storage().ledger());
        REQUIRE(replayed.ok());
        CHECK(all_of(*replayed) == all_of(canonical_decisions(world.reader(), true)));
    }
    CHECK((crashes > 10 || std::getenv("WEIR_SEED") != nullptr));
    CHECK((tried_again > 10 || std::getenv("WEIR_SEED") != nullptr));
}

TEST_CASE("the same where absence proves nothing, and flows report themselves") {
    int crashes = 0;
    std::map<std::string, int> seen;
    for (const auto seed : seeds(60)) {
        INFO("WEIR_SEED=" << seed);
        PlanOptions options;
        options.one_waits = seed % 2 == 0;
        auto plan = make_plan(seed, options);
        for (auto& flow : plan.flows)
            if (flow.flow != "f0") flow.settings_json = "{\"reports\":true}";
        auto weather = foul(seed);
        auto& launcher = weather.launcher;
        launcher.remote = true;
        launcher.late_effect = launcher.postponed = launcher.flap = 50;
        World world(plan, weather, memory_storage());
        auto report = world.run();
        if (report.failures.empty()) check_exactly_once(world, report.failures);
        if (report.failures.empty()) check_against_reference(world, plan, report.failures);
        crashes += report.crashes;
        for (const auto& run : all_runs(world.reader())) {
            seen["resent"] += run.sends > 1;
            seen["reported"] += run.outputs_json.find("own") != std::string::npos;
        }
        INFO(all_of(report.failures));
        REQUIRE(report.failures.empty());
        const auto replayed = replayed_decisions(world.reader(), world.storage().ledger());
        REQUIRE(replayed.ok());
        CHECK(all_of(*replayed) == all_of(canonical_decisions(world.reader(), true)));
    }
    if (std::getenv("WEIR_SEED") != nullptr) return;
    CHECK(crashes > 10);
    CHECK(seen["resent"] > 10);
    CHECK(seen["reported"] > 10);
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

TEST_CASE("an older weir on the same ledger is refused and decides nothing more") {
    for (const bool on_disk : {false, true}) {
        INFO((on_disk ? "SQLite" : "memory"));
        SimClock clock(from_ns(1'790'000'000'000'000'000));
        SimLauncher launcher(clock, 1, {});
        const auto storage = on_disk ? sqlite_storage() : memory_storage();
        REQUIRE(storage->open(clock).ok());
        HandMade older(*storage, clock, launcher), newer(*storage, clock, launcher);
        REQUIRE(older.shell->open().ok());
        older.turn();
        REQUIRE(newer.shell->open().ok());
        older.shell->submit(engine::PauseInput{"t", "none", "sim", "test"}, {});
        engine::ApplyInput apply;
        apply.flows = {std::make_shared<const flows::FlowVersion>(make_plan(1, {}).flows.front())};
        older.shell->submit(apply, {});
        older.turn();
        CHECK(older.shell->fatal().has_value());
        CHECK(all_inputs(storage->reader()).empty());
        newer.shell->submit(apply, {});
        newer.turn();
        CHECK_FALSE(newer.shell->fatal().has_value());
        CHECK(all_inputs(storage->reader()).size() == 1);
    }
}

TEST_CASE("a decision keeps its identity when its trigger was edited before the event came again") {
    auto plan = make_plan(3, {.publications = 20, .edits = false, .single_stream = true});
    plan.triggers = {version_of_document("one")};
    const auto expected = fired_ids(plan);
    REQUIRE(expected.size() > 5);
    Edit edit;
    edit.at = plan.start + Duration(1);
    edit.documents = {version_of_document("two")};
    plan.edits = {edit};
    CHECK(fired_ids(plan) == expected);
}

// Long tier, run only when asked for by its tag; WEIR_FIRST_SEED says where to begin.
TEST_CASE("seeds without end until enough crashes were survived", "[.][long]") {
    const long wanted = crashes_wanted();
    std::uint64_t seed = 1'000;
    if (const char* first = std::getenv("WEIR_FIRST_SEED"); first != nullptr)
        seed = std::strtoull(first, nullptr, 10);
    long seeds = 0, crashes = 0, power_losses = 0, write_failures = 0;
    std::size_t decisions = 0;
    const SystemClock clock;
    auto told = clock.steady_now();
    for (; crashes < wanted; ++seed, ++seeds) {
        // One in eight on the disk: it costs more, and most of what can go wrong is the engine's.
        const auto report = survive(seed, seed % 8 == 0, decisions);
        INFO("WEIR_CRASHES=1 WEIR_FIRST_SEED=" << seed << "\n" << all_of(report.failures));
        REQUIRE(report.failures.empty());
        crashes += report.crashes;
        power_losses += report.power_losses;
        write_failures += report.write_failures;
        const auto now = clock.steady_now();
        if (now - told < std::chrono::seconds(30) && crashes < wanted) continue;
        told = now;
        std::printf("%ld seeds, %ld crashes, %ld power losses, %ld failed writes, %zu decisions\n", seeds + 1,
                    crashes, power_losses, write_failures, decisions);
        std::fflush(stdout);
    }
    CHECK(crashes >= wanted);
}
