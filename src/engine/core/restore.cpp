#include <algorithm>

#include <weir/engine/core.hpp>

#include "run_states.hpp"
#include "step.hpp"

namespace weir::engine {
namespace {

Result<std::shared_ptr<const triggers::CompiledTrigger>> read_stored(const ledger::TriggerVersionRow& row) {
    Problems problems;
    auto documents =
        triggers::read_triggers(row.document_json, "ledger:" + row.team + "/" + row.name, problems);
    if (!problems.empty() || documents.size() != 1)
        return corrupt("the stored trigger " + row.team + "/" + row.name + " does not read: " +
                       (problems.empty() ? "not one document" : problems.front().to_string()));
    return triggers::CompiledTrigger::stored(std::move(documents.front()));
}

} // namespace

Status Core::restore(const ledger::Snapshot& snapshot) {
    config_.instance = snapshot.instance;
    config_.secret = snapshot.secret;
    next_trigger_ = snapshot.next_trigger;
    next_decision_ = snapshot.next_decision;
    next_run_ = snapshot.next_run;
    last_time_ = snapshot.log_time;
    last_sweep_ = snapshot.log_time;
    for (const auto& flow : snapshot.flows)
        flows_[{flow.flow.team, flow.flow.flow}] = std::make_shared<const flows::FlowVersion>(flow.flow);
    for (const auto& open : snapshot.triggers) {
        WEIR_ASSIGN(compiled, read_stored(open.version));
        auto& trigger = triggers_[open.version.no];
        trigger.no = open.version.no;
        trigger.uid = open.version.uid;
        trigger.version = open.version.version;
        trigger.compiled = compiled;
        trigger.state = open.state;
        trigger.state_reason = open.state_reason;
        trigger.failed_hour = to_ns(snapshot.log_time) / 3'600'000'000'000;
        trigger.failed_in_hour = open.failed_in_hour;
        trigger.fired_minute = to_ns(snapshot.log_time) / 60'000'000'000;
        trigger.fired_in_minute = open.fired_in_minute;
        const auto& when = compiled->trigger().when;
        if (when.kind == triggers::When::Kind::All) trigger.join = std::make_unique<triggers::Join>(when);
        trigger.leaf_numbers.assign(when.leaves.size(), -1);
        by_name_[{open.version.team, open.version.name}] = trigger.no;
        matcher_.add(trigger.no.value, compiled);
    }
    WEIR_TRY(restore_held(snapshot));
    for (const auto& timer : snapshot.timers) {
        const TimerName name{timer.trigger, timer.kind, timer.key};
        timers_[name] = timer;
        due_.emplace(timer.due, name);
    }
    restore_runs(snapshot);
    return {};
}

Status Core::restore_held(const ledger::Snapshot& snapshot) {
    for (const auto& event : snapshot.held_events) {
        auto& held = held_[event.seq];
        held.wire = event.body;
        held.time = event.time;
    }
    std::vector<const ledger::HeldEnterRow*> rows;
    rows.reserve(snapshot.held.size());
    for (const auto& open : snapshot.held)
        rows.push_back(&open.row);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto* a, const auto* b) { return a->event < b->event; });
    for (const auto* row : rows) {
        const auto found = triggers_.find(row->trigger);
        if (found == triggers_.end() || !found->second.join)
            return corrupt("an event is held by a trigger that is no join: trigger " +
                           std::to_string(row->trigger.value));
        auto& trigger = found->second;
        const auto& leaves = trigger.compiled->trigger().when.leaves;
        const auto leaf = std::find_if(leaves.begin(), leaves.end(),
                                       [&](const auto& l) { return l.name == row->leaf_name; });
        const auto content = held_.find(row->event);
        if (leaf == leaves.end() || content == held_.end())
            return corrupt("the held event " + std::to_string(row->event.value) + " has no " +
                           (leaf == leaves.end() ? "leaf " + row->leaf_name : std::string("payload")));
        const auto index = static_cast<std::size_t>(leaf - leaves.begin());
        trigger.join->restore(static_cast<int>(index), row->key, row->event, row->time);
        trigger.leaf_numbers[index] = row->leaf;
        ++content->second.holders;
    }
    std::erase_if(held_, [](const auto& entry) { return entry.second.holders == 0; });
    for (auto& [no, trigger] : triggers_)
        for (auto& number : trigger.leaf_numbers)
            for (int candidate = 0; number < 0; ++candidate)
                if (std::count(trigger.leaf_numbers.begin(), trigger.leaf_numbers.end(), candidate) == 0)
                    number = candidate;
    return {};
}

void Core::restore_runs(const ledger::Snapshot& snapshot) {
    for (const auto& run : snapshot.runs) {
        runs_[run.no] = run;
        run_ids_[run.id] = run.no;
        const auto trigger = triggers_.find(run.trigger);
        const bool known = trigger != triggers_.end();
        const bool takes = takes_place(run.state, run.sends);
        if (takes) ++places_[run.backend];
        if (known && takes) ++trigger->second.places;
        if (known && unfinished(run.state)) ++trigger->second.unfinished;
        if (known && run.state == ledger::RunState::Waiting) trigger->second.waiting.push_back(run.no);
        if (run.state == ledger::RunState::Ready && run.hold != postponed) ready_.push_back(run);
        if (run.origin != "api") continue;
        for (const auto& version : snapshot.run_flows)
            if (version.flow.team == run.flow_team && version.flow.flow == run.flow &&
                version.flow.version == run.flow_version)
                run_flows_[run.no] = std::make_shared<const flows::FlowVersion>(version.flow);
    }
    for (const auto& report : snapshot.early_reports) {
        early_reports_[{report.run, report.attempt}] = report;
        early_reports_bytes_ += report.body.size();
    }
}

} // namespace weir::engine
