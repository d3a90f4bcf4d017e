#include <map>
#include <set>

#include "records.hpp"
#include "world.hpp"

namespace weir::sim {
namespace {

bool reaches_backend(flows::Outcome outcome) {
    return outcome == flows::Outcome::Succeeded || outcome == flows::Outcome::Failed;
}

void check_runs(World& world, std::vector<std::string>& failures) {
    std::map<ledger::DecisionNo, int> runs_of;
    std::set<RunId> known;
    const auto& records = world.launcher().records();
    for (const auto& run : all_runs(world.reader())) {
        ++runs_of[run.decision];
        if (!known.insert(run.id).second) failures.push_back("two rows of run " + run.id.to_string());
        if (run.state != ledger::RunState::Settled || !run.outcome) {
            failures.push_back("run " + run.id.to_string() + " is left " + std::string(to_string(run.state)));
            continue;
        }
        const auto record = records.find(run.id);
        if (reaches_backend(*run.outcome) != (record != records.end()) &&
            *run.outcome != flows::Outcome::Cancelled)
            failures.push_back(
                "run " + run.id.to_string() + " ended " + std::string(to_string(*run.outcome)) +
                (record == records.end() ? " but the backend never had it" : " but the backend has it"));
        if (record != records.end() && record->second.request.arguments_json != run.arguments_json)
            failures.push_back("run " + run.id.to_string() + " was created with other arguments");
        if (record != records.end() && record->second.attempt != run.attempt)
            failures.push_back("run " + run.id.to_string() + " is in attempt " + std::to_string(run.attempt) +
                               " for the ledger and " + std::to_string(record->second.attempt) +
                               " for the backend");
    }
    for (const auto& [id, record] : records) {
        if (record.creates != 1)
            failures.push_back("run " + id.to_string() + " was created " + std::to_string(record.creates) +
                               " times");
        if (known.count(id) == 0)
            failures.push_back("the backend has a run that the ledger lacks: " + id.to_string());
    }
    std::set<DecisionId> ids;
    for (const auto& decision : all_decisions(world.reader())) {
        const int expected = decision.verdict == ledger::Verdict::Fired ? 1 : 0;
        if (runs_of[decision.no] != expected)
            failures.push_back("decision " + decision.id.to_string() + " has " +
                               std::to_string(runs_of[decision.no]) + " runs");
        if (!ids.insert(decision.id).second)
            failures.push_back("two decisions with the id " + decision.id.to_string());
    }
}

void check_inputs(World& world, std::vector<std::string>& failures) {
    std::set<std::pair<ledger::StreamNo, Position>> positions;
    std::optional<std::int64_t> last;
    Instant time{};
    std::set<std::string> settled;
    for (const auto& input : all_inputs(world.reader())) {
        if (last && input.seq.value != *last + 1)
            failures.push_back("a gap in seq after " + std::to_string(*last));
        last = input.seq.value;
        if (input.time < time) failures.push_back("time falls at seq " + std::to_string(input.seq.value));
        time = input.time;
        if (input.kind == ledger::InputKind::Arrival &&
            !positions.insert({input.stream, input.position}).second)
            failures.push_back("position " + std::to_string(input.position.value) + " was taken twice");
        if (input.kind == ledger::InputKind::Settlement && !settled.insert(input.id).second)
            failures.push_back("a second settlement " + input.id);
    }
}

} // namespace

void check_exactly_once(World& world, std::vector<std::string>& failures) {
    check_runs(world, failures);
    check_inputs(world, failures);
    for (const auto& seen : world.launcher().faults_seen)
        failures.push_back(seen);
}

} // namespace weir::sim
