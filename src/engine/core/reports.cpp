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
        const bool follows =
            report.next_attempt > 0 && (report.attempt == 0 || report.attempt >= report.next_attempt);
        if (!report.settled || follows) return keep_early(report);
        // What is settled stays as it is; that somebody says otherwise, or more, is kept.
        record(ledger::InputKind::RunFact);
        return;
    }
    // The flow is ahead of what its backend has told.
    if (report.attempt > std::max(known->attempt, 1)) return keep_early(report);
    auto& run = core.runs_.at(known->no);
    auto kept = stored(run);
    const auto own = kept.own ? merged(*kept.own, own_of(report)) : own_of(report);
    if (kept.own == own) {
        result.recorded = false;
        return;
    }
    const bool old = report.attempt != 0 && report.attempt < run.attempt;
    if (!old)
        if (auto fault = over_limit(own, core.config_.limits); !fault.empty())
            return refuse(ErrorKind::Exhausted, std::move(fault));
    record(ledger::InputKind::RunFact);
    if (old) return;
    kept.own = own;
    run.report_json = encode(kept);
    if (run.state == ledger::RunState::Ended) settle_ended(run);
    write(run);
}

std::vector<Core::Step::EarlyKey> Core::Step::outdated_early() const {
    std::vector<EarlyKey> keys;
    for (const auto& [key, row] : core.early_reports_)
        if (row.time + core.config_.limits.early_reports_age <= input.time) keys.push_back(key);
    return keys;
}

void Core::Step::put_early(ledger::EarlyReportRow row) {
    const EarlyKey key{row.run, row.attempt};
    auto& kept = core.early_reports_[key];
    core.early_reports_bytes_ += row.body.size();
    core.early_reports_bytes_ -= kept.body.size();
    std::erase(batch.early_reports_gone, key);
    batch.early_reports.push_back(row);
    kept = std::move(row);
}

void Core::Step::drop_early(const EarlyKey& key) {
    const auto found = core.early_reports_.find(key);
    core.early_reports_bytes_ -= found->second.body.size();
    core.early_reports_.erase(found);
    batch.early_reports_gone.push_back(key);
}

void Core::Step::drop_early(const ledger::RunRow& run) {
    auto& kept = core.early_reports_;
    const bool last = next_attempt_of(run) == 0;
    for (auto it = kept.lower_bound({run.id, 0}); it != kept.end() && it->first.first == run.id;) {
        const auto key = (it++)->first;
        if (last || key.second <= run.attempt) drop_early(key);
    }
}

void Core::Step::keep_early(const ReportInput& report) {
    const auto& limits = core.config_.limits;
    const auto& kept = core.early_reports_;
    const EarlyKey key{report.run, report.attempt};
    const auto outdated = outdated_early();
    auto count = kept.size() - outdated.size();
    auto bytes = core.early_reports_bytes_;
    for (const auto& old : outdated)
        bytes -= kept.at(old).body.size();
    auto own = own_of(report);
    const auto found = kept.find(key);
    const bool adds =
        found != kept.end() && std::find(outdated.begin(), outdated.end(), key) == outdated.end();
    if (adds) {
        const auto before = decode_report(found->second.body);
        expects(before.ok() && before->own, "a report that was kept does not read");
        own = merged(*before->own, own);
        bytes -= found->second.body.size();
        --count;
    }
    auto body = encode(StoredReport{own, std::nullopt});
    if (adds && found->second.body == body) {
        result.recorded = false;
        return;
    }
    if (auto fault = over_limit(own, limits); !fault.empty())
        return refuse(ErrorKind::Exhausted, std::move(fault));
    if (count >= limits.early_reports_max || bytes + body.size() > limits.early_reports_bytes_max)
        return refuse(ErrorKind::Unavailable,
                      "too many reports are kept of runs and attempts that are not known yet (" +
                          std::to_string(kept.size()) + " reports, " +
                          std::to_string(core.early_reports_bytes_) + " bytes); try again later");
    record(ledger::InputKind::RunFact);
    for (const auto& old : outdated)
        drop_early(old);
    put_early({report.run, report.attempt, input.time, std::move(body)});
}

/// What was said of this attempt before it was known is said of it now. A report without a number is of the
/// attempt that was the newest then: of this one if it came after the start.
void Core::Step::take_early(ledger::RunRow& run, int attempt, Instant started) {
    auto& kept = core.early_reports_;
    std::optional<StoredReport::Own> own;
    for (auto it = kept.lower_bound({run.id, 0});
         it != kept.end() && it->first.first == run.id && it->first.second <= attempt;) {
        const auto key = it->first;
        if (key.second == attempt || (key.second == 0 && it->second.time >= started)) {
            const auto said = decode_report(it->second.body);
            expects(said.ok() && said->own, "a report that was kept does not read");
            own = own ? merged(*own, *said->own) : *said->own;
        }
        ++it;
        drop_early(key);
    }
    if (!own) return;
    auto report = stored(run);
    report.own = report.own ? merged(*own, *report.own) : *own;
    run.report_json = encode(report);
}

void Core::Step::open_reports(ledger::RunRow& run, const RunFactInput& fact) {
    if (fact.kind != RunFactInput::Kind::Started && fact.kind != RunFactInput::Kind::Ended) return;
    const bool opened = run.attempt >= fact.attempt &&
                        (run.state == ledger::RunState::Running || run.state == ledger::RunState::Ended);
    if (opened) return;
    // What was reported before the first start was seen is of this attempt; later it is of the one before.
    if (fact.attempt > std::max(run.attempt, 1)) run.report_json.clear();
    take_early(run, fact.attempt, fact.attempt > 1 ? fact.started_at : Instant{});
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
