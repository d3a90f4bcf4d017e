#include <algorithm>
#include <chrono>

#include <support/catch.hpp>

#include "records.hpp"
#include "world.hpp"

// Two buses with an order of their own each: what is decided must not depend on when weir reads them.
using namespace weir;
using namespace weir::sim;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> streams{"nats/ORDERS", "kafka/users/0"};

std::string all_of(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines)
        text += line + "\n";
    return text;
}

std::vector<std::string> decisions_in(const Plan& plan, Weather weather) {
    World world(plan, std::move(weather), memory_storage(streams));
    auto report = world.run();
    INFO(all_of(report.failures));
    CHECK(report.failures.empty());
    if (report.failures.empty()) check_exactly_once(world, report.failures);
    CHECK(report.failures.empty());
    return canonical_decisions(world.reader(), true);
}

events::Event event(const std::string& type, const std::string& source, int n, int day) {
    events::Event event;
    event.id = type + "-" + std::to_string(n);
    event.source = source;
    event.type = type;
    event.data_kind = events::DataKind::Json;
    event.data = "{\"day\":" + std::to_string(day) + "}";
    return event;
}

/// Twelve hours of orders on NATS and users on Kafka, which come in their own time.
Plan twelve_hours(std::uint64_t seed) {
    Chance chance(seed);
    Plan plan;
    plan.start = from_ns(1'790'000'000'000'000'000);
    plan.flows.push_back(make_plan(1, {}).flows.front());
    plan.triggers = {R"(trigger: join
team: t
when:
  all:
    orders: {event: orders.ready, source: /nats/*}
    users: {event: users.ready, source: /kafka/*}
  key: 'event.data.day'
  within: 40m
launch: {flow: f0, parameters: {s: 'orders.id + users.id'}, overlap: allow}
)",
                     R"(trigger: hourly
team: t
when: {schedule: '*/20 * * * *', timezone: UTC}
launch: {flow: f0, parameters: {s: 'string(schedule.slot)'}, overlap: allow}
)"};
    for (int day = 0; day < 40; ++day) {
        const auto at = plan.start + 1s + day * 17min;
        const auto orders = at + std::chrono::seconds(chance.below(1800));
        const auto users = at + std::chrono::seconds(chance.below(1800));
        plan.publications.push_back({orders, event("orders.ready", "/nats/erp", day, day), 0});
        plan.publications.push_back({users, event("users.ready", "/kafka/crm", day, day), 1});
    }
    std::stable_sort(plan.publications.begin(), plan.publications.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    plan.end = plan.start + 12h;
    return plan;
}

} // namespace

TEST_CASE("three hours without weir change nothing in a join over two buses") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        const auto plan = twelve_hours(seed);
        const auto expected = decisions_in(plan, {});
        // Not an empty comparison: most days join, some come apart by more than 40 minutes or not.
        REQUIRE(expected.size() > 36 + 10);
        Weather down;
        down.outages = {{plan.start + 3h + 100s, plan.start + 6h + 100s}};
        CHECK(decisions_in(plan, down) == expected);
        Weather slow = down;
        slow.batch_max = 7;
        slow.delay = 300;
        slow.seed = seed;
        CHECK(decisions_in(plan, slow) == expected);
    }
}

TEST_CASE("random plans over two buses decide alike in every weather without crashes") {
    std::size_t decisions = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        PlanOptions options;
        options.single_stream = true;
        options.edits = false;
        options.buses = 2;
        const auto plan = make_plan(seed, options);
        const auto expected = decisions_in(plan, {});
        decisions += expected.size();
        const auto span = plan.end - plan.start;
        Weather down;
        down.outages = {{plan.start + span / 5, plan.start + span / 2},
                        {plan.start + span * 3 / 4, plan.start + span * 7 / 8}};
        down.batch_max = seed % 2 == 0 ? 1 : 7;
        CHECK(decisions_in(plan, down) == expected);
    }
    CHECK(decisions > 1000);
}

TEST_CASE("over two buses every firing has exactly one run, whatever crashes") {
    int crashes = 0;
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        INFO("seed " << seed);
        PlanOptions options;
        options.buses = 2;
        const auto plan = make_plan(seed, options);
        Weather weather;
        weather.seed = seed * 31 + 7;
        weather.batch_max = std::vector<std::size_t>{1, 7, 1000}[seed % 3];
        weather.crash = 100;
        weather.write_failure = 20;
        weather.delay = 100;
        weather.launcher = {50, 50, 20, 100, 200, 100};
        World world(plan, weather, memory_storage(streams));
        auto report = world.run();
        crashes += report.crashes;
        if (report.failures.empty()) check_exactly_once(world, report.failures);
        INFO(all_of(report.failures));
        REQUIRE(report.failures.empty());
        const auto replayed = replayed_decisions(world.reader(), world.storage().ledger());
        REQUIRE(replayed.ok());
        CHECK(*replayed == canonical_decisions(world.reader(), true));
    }
    CHECK(crashes > 100);
}
