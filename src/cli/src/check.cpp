#include <map>

#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>
#include <weir/cli/documents.hpp>
#include <weir/config/config.hpp>
#include <weir/engine/binding.hpp>
#include <weir/flows/document.hpp>
#include <weir/triggers/compiled.hpp>
#include <weir/triggers/document.hpp>

#include "commands.hpp"

namespace weir::cli {
namespace {

/// The checks of `weir apply` without a server: documents, pipelines, expressions, and triggers against the
/// flows that are known here.
class Checker {
  public:
    explicit Checker(const ApplyOptions& options)
        : team_(options.team.empty() ? "default" : options.team),
          flows_are_complete_(!options.flow_paths.empty()) {}

    /// What stands outside of a configuration is looked at too: what is missing here may be there where weir
    /// will run, and is only noted.
    void add_configs(const Gathered& gathered) {
        for (const auto& file : gathered.configs) {
            ++config_count_;
            auto config = config::parse_config(file.text, file.name, problems_);
            if (!config) continue;
            const auto outside = config::check_outside(*config);
            for (const auto& warning : outside.warnings)
                notes_.push_back(warning + " (here; `weir serve` refuses to start like this)");
            for (const auto& problem : outside.problems)
                outside_.push_back(problem);
            configs_.push_back(std::move(*config));
        }
    }

    void add_flows(const Gathered& gathered) {
        for (const auto& file : gathered.files) {
            if (!file.has_flow) continue;
            const auto loader = [&](const std::string& path) -> Result<std::string> {
                for (const auto& name : {file.name.substr(0, file.name.rfind('/') + 1) + path, path}) {
                    if (const auto found = gathered.extra.find(name); found != gathered.extra.end())
                        return found->second;
                }
                return not_found("cannot read the pipeline file \"" + path + "\"");
            };
            for (auto& flow : flows::read_flows(file.text, file.name, loader, problems_, team_)) {
                const auto name = flow.team + "/" + flow.flow;
                check_backend(flow, file.name);
                if (!flows_.try_emplace(name, std::move(flow)).second)
                    problems_.push_back(
                        {{file.name, 0, 0}, "the flow " + name + " stands here a second time"});
                ++flow_count_;
            }
        }
    }

    void add_triggers(const Gathered& gathered) {
        std::map<std::string, Place> seen;
        for (const auto& file : gathered.files) {
            if (file.has_flow && !file.is_mixed) continue;
            for (const auto& trigger : triggers::read_triggers(file.text, file.name, problems_, team_)) {
                const auto name = trigger.team + "/" + trigger.name;
                if (!seen.try_emplace(name, trigger.place).second)
                    problems_.push_back(
                        {trigger.place, "the trigger " + name + " stands here a second time"});
                check_trigger(trigger);
                ++trigger_count_;
            }
        }
    }

    [[nodiscard]] const Problems& problems() const { return problems_; }
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
    /// Problems that name their place themselves.
    [[nodiscard]] const std::vector<std::string>& outside() const { return outside_; }
    [[nodiscard]] std::string summary() const {
        const auto configs =
            std::to_string(config_count_) + (config_count_ == 1 ? " configuration" : " configurations");
        if (trigger_count_ + flow_count_ == 0)
            return configs + (config_count_ == 1 ? " is fine" : " are fine");
        return (config_count_ == 0 ? "" : configs + ", ") + std::to_string(trigger_count_) +
               (trigger_count_ == 1 ? " trigger" : " triggers") + " and " + std::to_string(flow_count_) +
               (flow_count_ == 1 ? " flow" : " flows") + " are fine";
    }

  private:
    /// A flow's team may use its backend, in every configuration that is checked along with it.
    void check_backend(const flows::FlowVersion& flow, const std::string& file) {
        for (const auto& config : configs_) {
            const auto allowed = config.check_flow(flow);
            if (!allowed.ok())
                problems_.push_back({{file, 0, 0},
                                     "flow " + flow.team + "/" + flow.flow + ": " + allowed.error().message +
                                         " (" + config.file + ")"});
        }
    }

    void check_trigger(const triggers::Trigger& trigger) {
        const auto compiled = triggers::compile(trigger, problems_);
        if (!compiled) return;
        const auto flow = trigger.launch.flow_team(trigger.team) + "/" + trigger.launch.flow_name();
        const auto found = flows_.find(flow);
        if (found == flows_.end() && !flows_are_complete_) {
            notes_.push_back(
                trigger.place.to_string() + ": the flow " + flow +
                " is not among these files, so the parameters are not checked (--flows PATH names more)");
            return;
        }
        std::vector<std::string_view> names;
        for (const auto& [name, _] : flows_)
            names.push_back(name);
        engine::check_binding(*compiled, found == flows_.end() ? nullptr : &found->second,
                              did_you_mean(flow, names), problems_);
    }

    std::string team_;
    bool flows_are_complete_;
    std::map<std::string, flows::FlowVersion> flows_;
    Problems problems_;
    std::vector<std::string> notes_;
    std::vector<config::Config> configs_;
    std::vector<std::string> outside_;
    std::size_t config_count_ = 0;
    std::size_t flow_count_ = 0;
    std::size_t trigger_count_ = 0;
};

} // namespace

Result<int> check(const Environment&, const ApplyOptions& options) {
    WEIR_ASSIGN(gathered, gather(options.paths));
    WEIR_ASSIGN(more, gather(options.flow_paths));
    auto lines = gathered.problems;
    lines.insert(lines.end(), more.problems.begin(), more.problems.end());
    Checker checker(options);
    checker.add_configs(gathered);
    checker.add_configs(more);
    checker.add_flows(gathered);
    checker.add_flows(more);
    checker.add_triggers(gathered);
    for (const auto& problem : checker.problems())
        lines.push_back(problem.to_string());
    lines.insert(lines.end(), checker.outside().begin(), checker.outside().end());
    if (gathered.files.empty() && gathered.configs.empty() && lines.empty())
        return invalid(
            "no documents found; expected *.yaml, *.yml or *.json with `trigger:`, `flow:` or `weir:`");
    for (const auto& text : checker.notes())
        note(text);
    for (const auto& line : lines)
        note(line);
    if (!lines.empty()) {
        complain(std::to_string(lines.size()) + (lines.size() == 1 ? " problem" : " problems"));
        return exit_failed;
    }
    print(checker.summary() + "\n");
    return exit_done;
}

} // namespace weir::cli
