#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/engine/find.hpp>

#include "question.hpp"

namespace weir::engine {
namespace detail {

std::string Question::trigger_text() const {
    return "trigger " + versions.back().team + "/" + versions.back().name;
}
std::string Question::event_text() const {
    return "event " + printable(event.id, 100) + " (" + printable(event.type, 100) + " from " +
           printable(event.source, 100) + ")";
}
WhyVerdict Question::verdict(std::string verdict, std::string reason, std::string text) const {
    WhyVerdict out;
    out.verdict = std::move(verdict);
    out.reason = std::move(reason);
    out.text = std::move(text);
    out.trigger_version = version == nullptr ? 0 : version->version;
    return out;
}

std::string at(Instant time) {
    return format_rfc3339(std::chrono::floor<std::chrono::milliseconds>(time));
}

std::string list(const std::vector<std::string>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != 0) out += i + 1 == words.size() ? " and " : ", ";
        out += words[i];
    }
    return out;
}

namespace {

Result<WhyVerdict> answer(Question& question);

/// The version was not there when the event was decided.
Result<WhyVerdict> not_registered(const Question& question) {
    const auto& first = question.versions.front();
    auto text = question.event_text() + " arrived at " + at(question.event.time) + ", ";
    if (question.event.seq < first.from) {
        const auto applied = question.reader.input(first.from);
        text += "before " + question.trigger_text() + " was registered" +
                (applied.ok() ? " at " + at(applied->time) : std::string()) +
                "; a trigger sees the events that arrive after it was applied. Publish the event again under "
                "another id if it is still wanted.";
    } else {
        const auto deleted = question.deleted ? question.reader.input(*question.deleted)
                                              : Result<ledger::InputRow>(not_found(""));
        text += "when " + question.trigger_text() + " was not registered any more" +
                (deleted.ok() ? ": it was deleted at " + at(deleted->time) : std::string()) + ".";
    }
    return question.verdict("filtered", "not_registered", text);
}

/// A copy: what became of the original is what a person wants to know.
Result<WhyVerdict> duplicate(const Question& question) {
    WEIR_ASSIGN(original, question.reader.input(*question.event.duplicate_of));
    Question first{question.reader, original, question.versions, nullptr, std::nullopt, question.log_time};
    auto text = question.event_text() + " at seq " + std::to_string(question.event.seq.value) +
                " is a duplicate of seq " + std::to_string(original.seq.value) + ", which arrived at " +
                at(original.time) + ": the same source and id within 7 days count once";
    if (question.event.conflicting)
        text += " (and its content differs: two different events were given one id)";
    auto out = question.verdict("suppressed", "duplicate", text + ".");
    if (!original.duplicate_of) {
        WEIR_ASSIGN(of_first, answer(first));
        out.text += " Of the first one: " + of_first.text;
        out.decision = of_first.decision;
        out.run = of_first.run;
    }
    return out;
}

Result<WhyVerdict> answer(Question& question) {
    for (const auto& version : question.versions) {
        if (version.from <= question.event.seq && (!version.to || question.event.seq < *version.to))
            question.version = &version;
    }
    WEIR_ASSIGN(states, question.reader.trigger_states(question.trigger()));
    for (const auto& state : states) {
        if (state.state != ledger::TriggerState::Deleted) continue;
        question.deleted = state.seq;
        if (state.seq <= question.event.seq) question.version = nullptr;
    }
    if (question.version == nullptr) return not_registered(question);
    if (question.event.echo)
        return question.verdict(
            "suppressed", "echo",
            question.event_text() +
                " is a copy of weir's own event about the end of a run, come back over a bus; the "
                "settlement itself was decided when it happened.");
    if (question.event.duplicate_of) return duplicate(question);
    WEIR_ASSIGN(decided, from_decisions(question));
    if (decided) return *decided;
    WEIR_ASSIGN(held, from_held(question));
    if (held) return *held;
    return recompute(question);
}

Result<WhyVerdict> ask(ledger::LedgerReader& reader, const ledger::InputRow& event,
                       std::vector<ledger::TriggerVersionRow> versions) {
    if (!is_event(event)) return invalid("input " + std::to_string(event.seq.value) + " is no event");
    WEIR_ASSIGN(whole, reader.input(event.seq));
    Question question{reader, std::move(whole), std::move(versions), nullptr, std::nullopt, {}};
    WEIR_ASSIGN(head, reader.head());
    WEIR_ASSIGN(newest, reader.input(head));
    question.log_time = newest.time;
    auto out = answer(question);
    if (out.ok() && !out->text.empty() && out->text.front() == 'e') out->text.front() = 'E';
    return out;
}

} // namespace
} // namespace detail

Result<WhyVerdict> why_event(ledger::LedgerReader& reader, const std::string& event, const std::string& team,
                             const std::string& trigger) {
    auto versions = reader.trigger_versions(team, trigger);
    if (!versions.ok() && versions.error().kind != ErrorKind::NotFound) return versions.error();
    if (!versions.ok() || versions->empty())
        return not_found("no trigger \"" + printable(team) + "/" + printable(trigger) +
                         "\" is or was registered; `weir triggers` lists them");
    WEIR_ASSIGN(row, find_event(reader, event));
    return detail::ask(reader, row, std::move(versions).value());
}

Result<WhyVerdict> why_event(ledger::LedgerReader& reader, const ledger::InputRow& event,
                             ledger::TriggerNo trigger) {
    WEIR_ASSIGN(versions, reader.trigger_versions(trigger));
    if (versions.empty()) return not_found("no trigger has the number " + std::to_string(trigger.value));
    return detail::ask(reader, event, std::move(versions));
}

std::string why_json(const WhyVerdict& verdict) {
    std::string out = "{";
    const auto name = [&out](std::string_view key) {
        out += (out.size() > 1 ? ", \"" : "\"") + std::string(key) + "\": ";
    };
    const auto text = [&](std::string_view key, const std::string& value) {
        name(key);
        if (value.empty()) {
            out += "null";
        } else {
            append_json_string(out, value);
        }
    };
    text("verdict", verdict.verdict);
    text("reason", verdict.reason);
    text("text", verdict.text);
    text("clause", verdict.clause);
    text("values", verdict.values);
    name("waits_for");
    out += '[';
    for (std::size_t i = 0; i < verdict.waits_for.size(); ++i) {
        if (i != 0) out += ", ";
        append_json_string(out, verdict.waits_for[i]);
    }
    out += ']';
    text("until", verdict.until ? format_rfc3339(*verdict.until) : std::string());
    text("decision", verdict.decision ? verdict.decision->to_string() : std::string());
    text("run", verdict.run ? verdict.run->to_string() : std::string());
    name("trigger_version");
    out += verdict.trigger_version == 0 ? "null" : std::to_string(verdict.trigger_version);
    name("recomputed");
    out += verdict.recomputed ? "true}" : "false}";
    return out;
}

} // namespace weir::engine
