#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include <weir/engine/input.hpp>
#include <weir/engine/why.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/flows/arguments.hpp>

#include "records.hpp"
#include "reference_engine.hpp"
#include "world.hpp"

namespace weir::sim {
namespace {

using FiringName = ReferenceEngine::FiringName;

/// Feeds the reference model with what the ledger recorded and what it only counted.
class Feeder {
  public:
    Feeder(World& world, const Plan& plan)
        : world_(world),
          plan_(plan),
          model_("sim", [this](const auto& team, const auto& flow, const auto& arguments) {
              return bind(team, flow, arguments);
          }) {
        for (const auto& decision : all_decisions(world.reader()))
            decisions_[decision.no] = decision;
        for (const auto& run : all_runs(world.reader())) {
            runs_[run.id.to_string()] = run;
            run_numbers_[run.no] = run;
        }
        inputs_ = all_inputs(world.reader());
        for (const auto& input : inputs_)
            if (input.kind == ledger::InputKind::Arrival) recorded_[input.position.value] = true;
        arrivals_ = world.arrivals();
    }

    ReferenceEngine& feed() {
        for (const auto& row : inputs_) {
            counted_before(row.time);
            one(row);
        }
        return model_;
    }
    [[nodiscard]] const std::vector<ledger::InputRow>& inputs() const { return inputs_; }

  private:
    Result<std::string> bind(const std::string& team, const std::string& flow,
                             const std::string& arguments) const {
        for (const auto& known : plan_.flows)
            if (known.team == team && known.flow == flow)
                return flows::bind_arguments(known.parameters, arguments);
        return not_found("no such flow");
    }

    void counted_before(Instant time) {
        while (next_arrival_ < arrivals_.size()) {
            const auto& arrival = arrivals_[next_arrival_];
            if (recorded_.count(arrival.position.value) != 0) {
                ++next_arrival_;
                continue;
            }
            if (arrival.time > time) return;
            model_.arrival(std::nullopt, std::max(arrival.time, last_), arrival.event);
            ++next_arrival_;
        }
    }

    [[nodiscard]] std::optional<FiringName> firing_of(const ledger::RunRow& run) const {
        if (run.trigger.value == 0) return std::nullopt;
        const auto& decision = decisions_.at(run.decision);
        return FiringName{static_cast<int>(decision.trigger.value), decision.seq, decision.key};
    }

    void one(const ledger::InputRow& row) {
        last_ = row.time;
        auto input = engine::decode_input(row);
        expects(input.ok(), input.ok() ? "" : input.error().message);
        events::Event event;
        if (!row.type.empty()) event = events::decode_wire(row.body).value();
        switch (row.kind) {
            case ledger::InputKind::Arrival: return model_.arrival(row.seq, row.time, event);
            case ledger::InputKind::Settlement:
                return model_.settled(row.seq, row.time, firing_of(runs_.at(event.subject)), event);
            case ledger::InputKind::TimerFired: {
                if (row.type.empty()) break; // of a run, no slot
                const auto due =
                    parse_rfc3339(nlohmann::json::parse(event.data).at("slot").get<std::string>());
                return model_.slot(row.seq, *due, static_cast<int>(row.position.value), row.subject, event);
            }
            default: break;
        }
        if (const auto* apply = std::get_if<engine::ApplyInput>(&input->what)) {
            if (apply->triggers.empty()) model_.passed(row.seq, row.time);
            for (const auto& trigger : apply->triggers) {
                const auto& document = trigger.compiled->trigger();
                names_[document.name] = model_.apply(row.seq, row.time, document);
            }
        } else if (const auto* removed = std::get_if<engine::DeleteTriggerInput>(&input->what)) {
            model_.remove(row.seq, row.time, names_.at(removed->name));
        } else if (const auto* paused = std::get_if<engine::PauseInput>(&input->what)) {
            model_.pause(row.seq, row.time, names_.at(paused->name));
        } else if (const auto* resumed = std::get_if<engine::ResumeInput>(&input->what)) {
            model_.resume(row.seq, row.time, names_.at(resumed->name), resumed->replay);
        } else if (const auto* cancel = std::get_if<engine::CancelInput>(&input->what)) {
            model_.cancelled(row.seq, row.time, firing_of(run_numbers_.at(cancel->run)));
        } else if (const auto* retry = std::get_if<engine::RetryInput>(&input->what)) {
            model_.reopened(row.seq, row.time, firing_of(retry->run));
        } else if (const auto* fact = std::get_if<engine::RunFactInput>(&input->what);
                   fact != nullptr && fact->reopened) {
            model_.reopened(row.seq, row.time, firing_of(*fact->reopened));
        } else {
            model_.passed(row.seq, row.time);
        }
    }

    World& world_;
    const Plan& plan_;
    ReferenceEngine model_;
    std::map<ledger::DecisionNo, ledger::DecisionRow> decisions_;
    std::map<std::string, ledger::RunRow> runs_;
    std::map<ledger::RunNo, ledger::RunRow> run_numbers_;
    std::vector<ledger::InputRow> inputs_;
    std::map<std::int64_t, bool> recorded_;
    std::vector<events::Arrival> arrivals_;
    std::size_t next_arrival_ = 0;
    Instant last_{};
    std::map<std::string, int> names_;
};

std::string line(int trigger, Seq seq, const std::string& key, const std::string& verdict,
                 const std::string& reason, const std::vector<std::pair<std::string, Seq>>& used,
                 const std::string& arguments) {
    std::string text = "trigger " + std::to_string(trigger) + " seq " + std::to_string(seq.value) + " key " +
                       key + " " + verdict + " " + reason;
    for (const auto& [leaf, event] : used)
        text += " " + leaf + "=" + std::to_string(event.value);
    return text + " " + arguments;
}

std::vector<std::string> engine_lines(World& world) {
    std::map<ledger::DecisionNo, std::string> arguments;
    for (const auto& run : all_runs(world.reader()))
        arguments[run.decision] = run.arguments_json;
    std::vector<std::string> lines;
    for (const auto& row : all_decisions(world.reader())) {
        if (row.trigger.value == 0) continue;
        std::vector<std::pair<std::string, Seq>> used;
        for (const auto& included : row.included)
            used.emplace_back(included.leaf, included.seq);
        if (used.empty() && row.verdict != ledger::Verdict::Failed) used.emplace_back(row.leaf, row.seq);
        lines.push_back(line(static_cast<int>(row.trigger.value), row.seq, row.key,
                             std::string(to_string(row.verdict)), row.reason, used, arguments[row.no]));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
}

std::vector<std::string> model_lines(const ReferenceEngine& model) {
    std::vector<std::string> lines;
    for (const auto& firing : model.firings())
        lines.push_back(
            line(firing.trigger, firing.seq, firing.key, firing.verdict, firing.reason,
                 firing.verdict == "failed" ? std::vector<std::pair<std::string, Seq>>{} : firing.used,
                 firing.verdict == "fired" ? firing.arguments_json : ""));
    std::sort(lines.begin(), lines.end());
    return lines;
}

} // namespace

void check_against_reference(World& world, const Plan& plan, std::vector<std::string>& failures) {
    Feeder feeder(world, plan);
    auto& model = feeder.feed();
    for (const auto& complaint : model.complaints())
        failures.push_back("the reference model: " + complaint);
    const auto engine = engine_lines(world), expected = model_lines(model);
    std::vector<std::string> missing, extra;
    std::set_difference(expected.begin(), expected.end(), engine.begin(), engine.end(),
                        std::back_inserter(missing));
    std::set_difference(engine.begin(), engine.end(), expected.begin(), expected.end(),
                        std::back_inserter(extra));
    for (const auto& text : missing)
        failures.push_back("the reference model decides, the engine does not: " + text);
    for (const auto& text : extra)
        failures.push_back("the engine decides, the reference model does not: " + text);

    for (const auto& input : feeder.inputs()) {
        const bool event =
            input.kind == ledger::InputKind::Arrival || input.kind == ledger::InputKind::Settlement;
        for (int trigger = 1; event && trigger <= model.trigger_count(); ++trigger) {
            const auto why = engine::why_event(world.reader(), input, ledger::TriggerNo(trigger));
            const auto verdict = model.verdict(input.seq, trigger);
            const auto got = why.ok() ? why->verdict + " " + why->reason : "error: " + why.error().message;
            if (got == verdict.verdict + " " + verdict.reason) continue;
            failures.push_back("why says \"" + got + "\", the reference model \"" + verdict.verdict + " " +
                               verdict.reason + "\" for seq " + std::to_string(input.seq.value) + " (" +
                               input.id + ") and trigger " + std::to_string(trigger));
        }
    }
}

} // namespace weir::sim
