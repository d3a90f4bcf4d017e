// What backends and flows say of the end of runs (design, section 4, Settlement).

#include <algorithm>

#include <weir/base/text.hpp>
#include <weir/flows/document.hpp>

#include "step.hpp"
#include "stored_report.hpp"

namespace weir::engine {
namespace {

bool reports_itself(const flows::FlowVersion& flow) {
    // Most flows do not: their settings need no reading.
    if (flow.settings_json.find("\"reports\"") == std::string::npos) return false;
    const auto settings = flows::read_settings(flow.settings_json);
    return settings.ok() && settings->reports;
}

/// A trigger that waits for the success of this flow and hands its outputs on.
bool wants_outputs(const triggers::Trigger& trigger, const ledger::RunRow& run) {
    const auto& leaves = trigger.when.leaves;
    const bool listens = std::any_of(leaves.begin(), leaves.end(), [&](const auto& leaf) {
        const auto* finish = std::get_if<triggers::FinishPattern>(&leaf.pattern);
        return finish != nullptr && finish->team == run.flow_team && glob_match(finish->flow, run.flow);
    });
    const auto& parameters = trigger.launch.parameters;
    return listens && std::any_of(parameters.begin(), parameters.end(), [](const auto& parameter) {
               return !parameter.constant && parameter.expression.text.find("outputs") != std::string::npos;
           });
}

StoredReport stored(const ledger::RunRow& run) {
    auto report = decode_report(run.report_json);
    expects(report.ok(), "a run's stored report does not read");
    return std::move(report).value();
}

} // namespace

bool Core::Step::outputs_wanted(const ledger::RunRow& run) const {
    return std::any_of(core.triggers_.begin(), core.triggers_.end(), [&](const auto& entry) {
        return wants_outputs(entry.second.compiled->trigger(), run);
    });
}

std::optional<Instant> Core::Step::awaits_report(const ledger::RunRow& run, const RunFactInput& fact) const {
    if (fact.outcome != flows::Outcome::Succeeded && fact.outcome != flows::Outcome::Failed)
        return std::nullopt;
    const auto flow = core.flow_of(run);
    if (!flow || !reports_itself(*flow) || stored(run).own) return std::nullopt;
    const auto& limits = core.config_.limits;
    const bool outputs = fact.outcome == flows::Outcome::Succeeded && outputs_wanted(run);
    // While weir was down, no report could come in.
    return std::max(input.time, fact.until) + (outputs ? limits.outputs_grace : limits.report_grace);
}

void Core::Step::end(ledger::RunRow& run, const RunFactInput& fact, std::optional<Instant> until) {
    auto report = stored(run);
    report.end = end_of(fact);
    auto json = encode(report);
    record(ledger::InputKind::RunFact);
    const bool opened = run.attempt >= fact.attempt &&
                        (run.state == ledger::RunState::Running || run.state == ledger::RunState::Ended);
    run.attempt = fact.attempt;
    if (fact.started_at != Instant{}) run.started_at = fact.started_at;
    if (!opened) open_attempt(run);
    run.report_json = std::move(json);
    enter(run, ledger::RunState::Ended);
    if (until) set_timer({{}, ledger::TimerKind::Report, run.id.to_string(), *until, seq, {}, {}});
    if (!until) settle_ended(run);
    write(run);
}

/// What has ended settles with what is known of it.
void Core::Step::settle_ended(const ledger::RunRow& run) {
    auto fact = settlement_of(stored(run));
    fact.run = run.no;
    fact.attempt = run.attempt;
    result.followups.push_back(std::move(fact));
}

/// The attempt that waits for its report ends with what is known of it: the next one has begun.
void Core::Step::next_attempt(const ledger::RunRow& run, const RunFactInput& fact) {
    auto next = fact;
    next.run_id = run.id.to_string();
    next.reopened = std::make_shared<const ledger::RunRow>(run);
    result.recorded = false;
    settle_ended(run);
    result.followups.push_back(std::move(next));
}

RunFactInput Core::Step::told(const ledger::RunRow& run, const RunFactInput& fact) const {
    auto report = stored(run);
    if (fact.kind != RunFactInput::Kind::Ended || !report.own) return fact;
    report.end = end_of(fact);
    auto merged = settlement_of(report);
    merged.run = fact.run;
    merged.run_id = fact.run_id;
    merged.attempt = fact.attempt;
    return merged;
}

void Core::Step::report(const ReportInput& report) {
    const auto* known = core.run(report.run);
    if (known == nullptr) {
        if (!report.settled) return keep_early(report);
        // What is settled stays as it is; that somebody says otherwise, or more, is kept.
        record(ledger::InputKind::RunFact);
        return;
    }
    auto& run = core.runs_.at(known->no);
    const bool never_left = run.state == ledger::RunState::Waiting || run.state == ledger::RunState::Ready;
    const bool old = report.attempt != 0 && report.attempt < run.attempt;
    auto kept = stored(run);
    const auto own = kept.own ? merged(*kept.own, own_of(report)) : own_of(report);
    if (kept.own == own && !never_left) {
        result.recorded = false;
        return;
    }
    record(ledger::InputKind::RunFact);
    if (never_left || old) return;
    kept.own = own;
    run.report_json = encode(kept);
    if (run.state == ledger::RunState::Ended) {
        auto fact = settlement_of(kept);
        fact.run = run.no;
        fact.attempt = run.attempt;
        result.followups.push_back(std::move(fact));
    }
    write(run);
}

void Core::Step::keep_early(const ReportInput& report) {
    auto& kept = core.early_reports_;
    for (auto it = kept.begin(); it != kept.end();) {
        if (it->second.time + core.config_.limits.early_reports_age > input.time) {
            ++it;
            continue;
        }
        batch.early_reports_gone.push_back(it->first);
        it = kept.erase(it);
    }
    const auto found = kept.find(report.run);
    auto own = own_of(report);
    if (found != kept.end())
        if (const auto before = decode_report(found->second.body); before.ok() && before->own)
            own = merged(*before->own, own);
    const auto body = encode(StoredReport{own, std::nullopt});
    if (found != kept.end() && found->second.body == body) {
        result.recorded = false;
        return;
    }
    if (found == kept.end() && kept.size() >= core.config_.limits.early_reports_max)
        return refuse(ErrorKind::Unavailable, "too many reports are kept of runs that are not known yet (" +
                                                  std::to_string(kept.size()) + "); try again later");
    record(ledger::InputKind::RunFact);
    ledger::EarlyReportRow row{report.run, input.time, body};
    std::erase(batch.early_reports_gone, report.run);
    batch.early_reports.push_back(row);
    kept[report.run] = std::move(row);
}

void Core::Step::run_timer(const ledger::TimerSetRow& timer) {
    record(ledger::InputKind::TimerFired);
    end_timer({timer.trigger, timer.kind, timer.key}, "fired");
    const auto* known = run_named(timer.key);
    if (known == nullptr) return;
    auto& run = core.runs_.at(known->no);
    if (timer.kind == ledger::TimerKind::Report && run.state == ledger::RunState::Ended) settle_ended(run);
    if (timer.kind == ledger::TimerKind::Postponed && run.hold == postponed) {
        run.hold.clear();
        core.ready_.push_back(run);
        write(run);
    }
}

void Core::Step::end_run_timers(const ledger::RunRow& run) {
    const auto id = run.id.to_string();
    for (const auto kind : {ledger::TimerKind::Report, ledger::TimerKind::Postponed})
        end_timer({{}, kind, id}, "settled");
}

} // namespace weir::engine
