#include <weir/base/text.hpp>
#include <weir/events/wire_codec.hpp>

#include "question.hpp"

namespace weir::engine::detail {
namespace {

using triggers::CompiledTrigger;
using triggers::EventView;

/// The header of a row as an event without data: enough for a pattern of type, source and subject.
events::Event header_of(const ledger::InputRow& row) {
    events::Event event;
    event.type = row.type;
    event.source = row.source;
    event.id = row.id;
    event.subject = row.subject;
    return event;
}

std::string expected(const triggers::Pattern& pattern) {
    std::string text;
    const auto part = [&text](std::string_view name, const std::string& value) {
        if (!value.empty()) text += (text.empty() ? "" : ", ") + std::string(name) + ": " + value;
    };
    if (const auto* event = std::get_if<triggers::EventPattern>(&pattern)) {
        part("event", event->type);
        part("source", event->source);
        part("subject", event->subject);
    } else if (const auto* finish = std::get_if<triggers::FinishPattern>(&pattern)) {
        part("finish", finish->flow);
        part("team", finish->team);
        std::string outcomes;
        for (const auto& word : finish->outcomes)
            outcomes += (outcomes.empty() ? "" : ", ") + word;
        part("outcome", '[' + outcomes + ']');
    } else {
        part("schedule", std::get<triggers::SchedulePattern>(pattern).cron);
    }
    return text;
}

/// The clauses, one a leaf; a leaf's name only where there are several.
std::string joined(const CompiledTrigger& compiled, const std::vector<std::pair<int, std::string>>& parts) {
    std::string text;
    for (const auto& [leaf, part] : parts) {
        if (!text.empty()) text += "; ";
        if (compiled.leaf_count() > 1)
            text += compiled.trigger().when.leaves[static_cast<std::size_t>(leaf)].name + ": ";
        text += part;
    }
    return text;
}

/// What asking the trigger again showed, leaf by leaf.
class Asked {
  public:
    Asked(const Question& question, const CompiledTrigger& compiled, EventView& view, bool retained)
        : question_(question), compiled_(compiled), view_(view), retained_(retained) {}

    WhyVerdict answer() {
        for (int leaf = 0; leaf < compiled_.leaf_count(); ++leaf)
            ask(leaf);
        if (!key_failures_.empty()) return key_failed();
        if (unknown_) return not_retained();
        if (filled_ > 0) return unrecorded();
        if (!where_clauses_.empty()) return where();
        return pattern();
    }

  private:
    const triggers::Leaf& document(int leaf) const {
        return compiled_.trigger().when.leaves[static_cast<std::size_t>(leaf)];
    }

    /// Slots come by timers, so no pattern says that they meet their leaf.
    [[nodiscard]] bool meets(int leaf) const {
        if (!std::holds_alternative<triggers::SchedulePattern>(document(leaf).pattern))
            return compiled_.pattern_meets(leaf, view_);
        const auto& own = compiled_.trigger();
        return question_.event.kind == ledger::InputKind::TimerFired &&
               question_.event.source == "/weir/schedules/" + own.team + "/" + own.name &&
               question_.event.subject == document(leaf).name;
    }

    void ask(int leaf) {
        const auto& asked = document(leaf);
        const bool by_header = !std::holds_alternative<triggers::FinishPattern>(asked.pattern);
        if (!retained_ && !by_header && question_.event.kind == ledger::InputKind::Settlement) {
            unknown_ = true;
            return;
        }
        if (!meets(leaf)) {
            auto miss = compiled_.pattern_miss(leaf, view_);
            if (std::holds_alternative<triggers::SchedulePattern>(asked.pattern))
                miss = "the leaf is filled by the slots of its schedule alone";
            pattern_clauses_.emplace_back(leaf, expected(asked.pattern));
            pattern_values_.emplace_back(leaf, printable(miss, 400));
            return;
        }
        if (!retained_) {
            unknown_ = true;
            return;
        }
        const auto fits = compiled_.where(leaf, view_);
        if (!fits.ok() || !fits.value()) {
            const auto why = compiled_.explain_where(leaf, view_);
            const auto& clause = why.clause.empty() && asked.where ? asked.where->text : why.clause;
            where_clauses_.emplace_back(leaf, clause);
            auto values = why.values;
            const auto error = !why.error.empty() ? why.error
                               : fits.ok()        ? std::string()
                                                  : fits.error().message;
            if (!error.empty()) values += (values.empty() ? "" : "; ") + ("error: " + error);
            where_values_.emplace_back(leaf, printable(values, 1000));
            return;
        }
        if (compiled_.has_key(leaf)) {
            const auto key = compiled_.key(leaf, view_);
            if (!key.ok()) {
                key_failures_.emplace_back(leaf, printable(key.error().message, 400));
                return;
            }
        }
        ++filled_;
    }

    [[nodiscard]] WhyVerdict verdict(std::string verdict, std::string reason, std::string text) const {
        auto out = question_.verdict(std::move(verdict), std::move(reason), std::move(text));
        out.recomputed = true;
        return out;
    }

    [[nodiscard]] WhyVerdict pattern() const {
        const auto values = joined(compiled_, pattern_values_);
        auto out = verdict("filtered", "pattern",
                           question_.event_text() + " is not what " + question_.trigger_text() +
                               " listens to: " + values + ".");
        out.clause = joined(compiled_, pattern_clauses_);
        out.values = values;
        return out;
    }

    [[nodiscard]] WhyVerdict where() const {
        auto out = verdict("filtered", "where", "");
        out.clause = joined(compiled_, where_clauses_);
        out.values = joined(compiled_, where_values_);
        out.text =
            question_.event_text() + " met the pattern of " + question_.trigger_text() +
            ", but its `where` turned it away: " + printable(out.clause, 1000) +
            (out.values.empty() ? "." : "; the event says " + out.values + ".") +
            " Try another text of it with `weir eval`, then `weir apply`; events already decided are not "
            "decided again.";
        return out;
    }

    [[nodiscard]] WhyVerdict key_failed() const {
        auto out = verdict("failed", "key_failed", "");
        out.values = joined(compiled_, key_failures_);
        out.text = question_.event_text() + " met " + question_.trigger_text() +
                   ", but its `key` failed, so it did not enter the join: " + out.values +
                   ". (The ledger keeps the first 100 failures of an hour; this one was computed again.)";
        return out;
    }

    [[nodiscard]] WhyVerdict not_retained() const {
        return verdict(
            "filtered", "payload_dropped",
            question_.event_text() + " met the pattern of " + question_.trigger_text() +
                ". No decision and no held event was recorded, so its `where` turned it away (or a "
                "failure past the 100 stored in an hour); which clause cannot be said any more: the "
                "payload is no longer retained.");
    }

    /// Pattern, where and keys hold, yet nothing was recorded.
    WhyVerdict unrecorded() const {
        if (compiled_.trigger().when.kind == triggers::When::Kind::Single) {
            std::vector<triggers::Used> used{{0, &view_}};
            const auto arguments = compiled_.arguments(used, view_);
            if (!arguments.ok()) {
                auto out =
                    verdict("failed", "parameters_failed",
                            question_.event_text() + " met " + question_.trigger_text() +
                                ", but its parameters failed: " + printable(arguments.error().message, 400) +
                                ". (The ledger keeps the first 100 failures of an hour; this one was "
                                "computed again.)");
                out.values = printable(arguments.error().message, 400);
                return out;
            }
        }
        return verdict(
            "failed", "unrecorded",
            question_.event_text() + " meets " + question_.trigger_text() +
                ", yet the ledger holds no decision on it. Failures past the first 100 of an hour are "
                "only counted; if `weir decisions --trigger` shows fewer, this is a defect of weir: "
                "please report it with `weir ledger verify`.");
    }

    const Question& question_;
    const CompiledTrigger& compiled_;
    EventView& view_;
    bool retained_;
    bool unknown_ = false; ///< a leaf's answer needs the payload, which is gone
    int filled_ = 0;
    std::vector<std::pair<int, std::string>> pattern_clauses_, pattern_values_, where_clauses_, where_values_,
        key_failures_;
};

} // namespace

Result<triggers::Trigger> trigger_of(const ledger::TriggerVersionRow& version) {
    Problems problems;
    auto read = triggers::read_triggers(version.document_json, version.name, problems, version.team);
    if (read.size() != 1)
        return corrupt("the recorded document of trigger " + version.team + "/" + version.name + " version " +
                       std::to_string(version.version) + " does not read" +
                       (problems.empty() ? std::string() : ": " + problems.front().to_string()));
    return std::move(read.front());
}

Result<std::optional<events::Event>> event_of(const ledger::InputRow& row) {
    if (row.body.empty()) return std::optional<events::Event>();
    WEIR_ASSIGN(event, events::decode_wire(row.body));
    return std::optional<events::Event>(std::move(event));
}

Result<WhyVerdict> recompute(const Question& question) {
    WEIR_ASSIGN(trigger, trigger_of(*question.version));
    WEIR_ASSIGN(event, event_of(question.event));
    const bool retained = event.has_value();
    const auto asked = retained ? std::move(*event) : header_of(question.event);
    EventView view(asked, question.event.kind == ledger::InputKind::Settlement ? triggers::Origin::Settled
                                                                               : triggers::Origin::Arrived);
    const auto compiled = CompiledTrigger::stored(std::move(trigger));
    return Asked(question, *compiled, view, retained).answer();
}

} // namespace weir::engine::detail
