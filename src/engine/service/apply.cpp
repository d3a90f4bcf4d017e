#include "apply.hpp"

#include <algorithm>
#include <set>

#include <weir/flows/document.hpp>

namespace weir::engine {
namespace {

using Action = ApplyChange::Action;

std::string team_of(const ApplyRequest& request) {
    return request.default_team.empty() ? "default" : request.default_team;
}

void read_triggers(const SourceFile& file, const ApplyRequest& request, ApplyPlan& plan) {
    for (auto& trigger : triggers::read_triggers(file.text, file.name, plan.problems, team_of(request))) {
        auto compiled = triggers::compile(trigger, plan.problems);
        if (compiled) plan.input.triggers.push_back({std::move(compiled), {}, file.text});
    }
}

void read_flows(const SourceFile& file, const ApplyRequest& request, const std::string& path,
                ApplyPlan& plan) {
    const auto loader = [&](const std::string& name) -> Result<std::string> {
        // The client reads pipelines beside their document and sends them under the name the document uses.
        for (const auto& candidate : {file.name.substr(0, file.name.rfind('/') + 1) + name, name})
            if (const auto found = request.extra.find(candidate); found != request.extra.end())
                return found->second;
        return not_found("the pipeline file \"" + name + "\" did not come along with its document");
    };
    for (auto& flow : flows::read_flows(file.text, file.name, loader, plan.problems, team_of(request))) {
        for (const auto& fault : flows::check_runnable(flow, path))
            plan.problems.push_back(
                {{file.name, 0, 0}, "flow " + flow.team + "/" + flow.flow + ": " + fault});
        plan.input.flows.push_back(std::make_shared<const flows::FlowVersion>(std::move(flow)));
    }
}

void refuse_twice(ApplyPlan& plan) {
    std::set<std::string> seen;
    const auto once = [&](const std::string& kind, const std::string& team, const std::string& name,
                          const Place& place) {
        if (!seen.insert(kind + " " + team + "/" + name).second)
            plan.problems.push_back(
                {place, "the " + kind + " " + team + "/" + name + " stands here a second time"});
    };
    for (const auto& trigger : plan.input.triggers) {
        const auto& document = trigger.compiled->trigger();
        once("trigger", document.team, document.name, document.place);
    }
    for (const auto& flow : plan.input.flows)
        once("flow", flow->team, flow->flow, {});
}

std::string owner_of(const flows::FlowVersion& flow) {
    const auto settings = flows::read_settings(flow.settings_json);
    if (!settings.ok()) return {};
    for (const auto& [key, value] : settings->labels)
        if (key == "owner") return value;
    return {};
}

void plan_flows(ApplyPlan& plan, const Core& core) {
    std::vector<std::shared_ptr<const flows::FlowVersion>> changed;
    for (auto& flow : plan.input.flows) {
        const auto current = core.flow(flow->team, flow->flow);
        auto action = Action::Created;
        std::vector<std::string> notes;
        if (current) action = current->version == flow->version ? Action::Unchanged : Action::Updated;
        if (action == Action::Updated && current->parameters != flow->parameters)
            notes.push_back(
                "its parameters change; triggers that do not fit them any more fail when they fire");
        plan.report.changes.push_back(
            {action, "flow", flow->team, flow->flow, flow->version, std::move(notes)});
        if (action != Action::Unchanged) changed.push_back(std::move(flow));
    }
    plan.input.flows = std::move(changed);
}

void plan_triggers(ApplyPlan& plan, const Shell& shell,
                   const std::vector<std::shared_ptr<const flows::FlowVersion>>& own_flows) {
    const auto& core = shell.core();
    std::vector<TriggerApply> changed;
    for (auto& trigger : plan.input.triggers) {
        const auto& document = trigger.compiled->trigger();
        const auto flow_team = document.launch.flow_team(document.team);
        const auto flow_name = document.launch.flow_name();
        auto flow = core.flow(flow_team, flow_name);
        for (const auto& own : own_flows)
            if (own->team == flow_team && own->flow == flow_name) flow = own;
        const auto names = core.flow_names(flow_team);
        check_binding(*trigger.compiled, flow.get(),
                      did_you_mean(flow_name, std::vector<std::string_view>(names.begin(), names.end())),
                      plan.problems);
        const auto current = core.trigger(document.team, document.name);
        auto action = Action::Created;
        std::vector<std::string> notes;
        int version = 1;
        if (current) {
            const bool same = current->hash == document.hash;
            action = same ? Action::Unchanged : Action::Updated;
            version = current->version + (same ? 0 : 1);
            if (!same && current->held > 0)
                notes.push_back(std::to_string(current->held) +
                                " events are held; those whose leaf changed leave, recorded as updated");
            if (current->state != ledger::TriggerState::Active)
                notes.push_back("it is " + std::string(to_string(current->state)) + " and stays so");
        }
        plan.report.changes.push_back(
            {action, "trigger", document.team, document.name, std::to_string(version), std::move(notes)});
        if (action == Action::Unchanged) continue;
        trigger.uid_if_new = shell.mint_uid();
        changed.push_back(std::move(trigger));
    }
    plan.input.triggers = std::move(changed);
}

bool reaches(const ApplyPlan& plan, const std::string& team) {
    return plan.teams.empty() || std::find(plan.teams.begin(), plan.teams.end(), team) != plan.teams.end();
}

void plan_prune(ApplyPlan& plan, const Core& core) {
    const auto asked = [&](const std::string& kind, const std::string& team, const std::string& name) {
        return std::any_of(plan.report.changes.begin(), plan.report.changes.end(), [&](const auto& change) {
            return change.kind == kind && change.team == team && change.name == name;
        });
    };
    for (const auto& name : core.trigger_names()) {
        if (!reaches(plan, name.team)) continue;
        const auto& labels = core.document(name.team, name.name)->labels;
        const auto owner = labels.find("owner");
        if (owner == labels.end() || owner->second != plan.owner || asked("trigger", name.team, name.name))
            continue;
        plan.input.delete_triggers.push_back(name);
        plan.report.changes.push_back({Action::Deleted, "trigger", name.team, name.name, {}, {}});
    }
    for (const auto& flow : core.flows()) {
        if (!reaches(plan, flow->team)) continue;
        if (owner_of(*flow) != plan.owner || asked("flow", flow->team, flow->flow)) continue;
        plan.input.delete_flows.push_back({flow->team, flow->flow});
        plan.report.changes.push_back({Action::Deleted, "flow", flow->team, flow->flow, {}, {}});
    }
}

void report_problems(ApplyPlan& plan) {
    for (const auto& problem : plan.problems)
        plan.report.problems.push_back(problem.to_string());
}

} // namespace

ApplyPlan read_apply(const ApplyRequest& request, const std::string& path) {
    ApplyPlan plan;
    plan.prune = request.prune;
    plan.owner = request.owner;
    plan.teams = request.teams;
    plan.input.principal = request.actor.principal;
    plan.input.reason = request.actor.reason;
    if (request.prune && request.owner.empty())
        plan.problems.push_back(
            {{"request", 0, 0}, "prune needs an owner: it deletes what carries the label owner"});
    for (const auto& file : request.files) {
        Problems unread;
        const auto documents = read_documents(file.text, file.name, unread);
        if (!unread.empty()) {
            plan.problems.insert(plan.problems.end(), unread.begin(), unread.end());
            continue;
        }
        const auto triggers = std::count_if(documents.begin(), documents.end(), triggers::is_trigger);
        const auto flows = std::count_if(documents.begin(), documents.end(), [](const Node& node) {
            return node.find("flow") != nullptr && !triggers::is_trigger(node);
        });
        if (flows > 0) read_flows(file, request, path, plan);
        if (triggers > 0 || (flows == 0 && !documents.empty())) read_triggers(file, request, plan);
    }
    refuse_twice(plan);
    report_problems(plan);
    return plan;
}

void check_flows(ApplyPlan& plan, const std::function<Status(const flows::FlowVersion&)>& allowed) {
    for (const auto& flow : plan.input.flows)
        if (const auto status = allowed(*flow); !status.ok())
            plan.report.problems.push_back("flow " + flow->team + "/" + flow->flow + ": " +
                                           status.error().message);
}

Status check_teams(const ApplyPlan& plan) {
    const auto check = [&](const std::string& what, const std::string& team) -> Status {
        if (reaches(plan, team)) return {};
        return Error(ErrorKind::Denied, what + " belongs to the team " + team +
                                            ", which the token does not reach; nothing was changed");
    };
    for (const auto& flow : plan.input.flows)
        WEIR_TRY(check("the flow " + flow->team + "/" + flow->flow, flow->team));
    for (const auto& trigger : plan.input.triggers) {
        const auto& document = trigger.compiled->trigger();
        const auto name = "the trigger " + document.team + "/" + document.name;
        WEIR_TRY(check(name, document.team));
        const auto flow_team = document.launch.flow_team(document.team);
        WEIR_TRY(
            check("the flow " + flow_team + "/" + document.launch.flow_name() + " that " + name + " launches",
                  flow_team));
    }
    return {};
}

void finish_plan(ApplyPlan& plan, const Shell& shell) {
    const auto own_flows = plan.input.flows;
    plan_flows(plan, shell.core());
    plan_triggers(plan, shell, own_flows);
    if (plan.prune) plan_prune(plan, shell.core());
    report_problems(plan);
    if (!plan.report.problems.empty()) plan.report.changes.clear();
}

} // namespace weir::engine
