#include <algorithm>
#include <vector>

#include <weir/triggers/cron.hpp>

#include "set.hpp"

namespace weir::conformance {
namespace {

using triggers::Cron;
using triggers::Schedule;

std::string joined(const std::vector<std::string>& instants) {
    std::string out;
    for (const auto& instant : instants)
        out += (out.empty() ? "" : " ") + instant;
    return out.empty() ? "no slot" : out;
}

std::string slots(const Schedule& schedule, Instant start, std::size_t count) {
    std::vector<std::string> found;
    for (auto slot = schedule.next(start); slot && found.size() < count; slot = schedule.next(*slot))
        found.push_back(format_rfc3339(*slot));
    return joined(found);
}

Verdict run_invalid(const nlohmann::json& test_case) {
    const auto parsed = Cron::parse(test_case.at("expr").get<std::string>());
    return parsed.ok() ? Verdict::fail("an error", "taken as a cron expression") : Verdict::pass();
}

/// Where libraries differ the design chooses; the one that agrees with it is the witness.
Verdict run_dst(const nlohmann::json& test_case, const Schedule& schedule, Instant start) {
    std::string others;
    for (const auto& [library, told] : test_case.at("oracles").items()) {
        if (!told.is_array()) continue;
        const auto expected = joined(told.get<std::vector<std::string>>());
        const auto got = slots(schedule, start, told.size());
        if (got == expected) return Verdict::pass();
        if (test_case.value("unanimous", false)) return Verdict::fail(expected, got);
    }
    return Verdict::skip("the libraries differ, and the rule of the product is none of theirs");
}

} // namespace

Verdict run_cron(const nlohmann::json& test_case) {
    const auto kind = test_case.value("kind", std::string());
    if (kind == "invalid") return run_invalid(test_case);
    if (kind != "plain" && kind != "dst") return Verdict::skip("kind " + kind + " is not known");
    const auto schedule =
        Schedule::parse(test_case.at("expr").get<std::string>(), test_case.at("zone").get<std::string>());
    if (!schedule.ok()) return Verdict::fail("a schedule", schedule.error().message);
    const auto start = parse_rfc3339(test_case.at("start").get<std::string>());
    if (!start.ok()) return Verdict::fail("a start instant", start.error().message);
    if (kind == "dst") return run_dst(test_case, *schedule, *start);
    const auto expected = test_case.at("next").get<std::vector<std::string>>();
    const auto got = slots(*schedule, *start, expected.size());
    return got == joined(expected) ? Verdict::pass() : Verdict::fail(joined(expected), got);
}

} // namespace weir::conformance
