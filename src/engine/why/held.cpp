#include <algorithm>
#include <map>
#include <set>

#include <weir/base/text.hpp>
#include <weir/cel/value.hpp>

#include "question.hpp"

namespace weir::engine::detail {
namespace {

using ledger::HeldRow;

std::string held_as(const HeldRow& row) {
    auto text = "as `" + row.entered.leaf_name + "`";
    if (!row.entered.key.empty()) text += " of key " + printable(cel::key_json(row.entered.key), 120);
    return text;
}

/// When a held event dies of age: nothing for leaves without a limit.
std::optional<Instant> dies_after(const triggers::Trigger& trigger, const ledger::HeldEnterRow& row) {
    if (!trigger.when.within) return std::nullopt;
    for (const auto& leaf : trigger.when.leaves) {
        if (leaf.name == row.leaf_name && leaf.keep) return std::nullopt;
    }
    return row.time + *trigger.when.within;
}

/// The leaves that a key still lacks. A shared event waits for whichever key gets complete first: the one
/// that lacks least.
std::vector<std::string> missing(const triggers::Trigger& trigger, const std::vector<HeldRow>& open,
                                 const HeldRow& row, Instant now) {
    std::map<std::string, std::set<std::string>> held;
    std::set<std::string> shared;
    for (const auto& other : open) {
        const auto end = dies_after(trigger, other.entered);
        if (other.left || (end && *end < now)) continue;
        if (other.entered.key.empty()) {
            shared.insert(other.entered.leaf_name);
        } else {
            held[other.entered.key].insert(other.entered.leaf_name);
        }
    }
    const auto lacking = [&](const std::set<std::string>& has) {
        std::vector<std::string> out;
        for (const auto& leaf : trigger.when.leaves) {
            if (has.count(leaf.name) == 0 && shared.count(leaf.name) == 0) out.push_back(leaf.name);
        }
        return out;
    };
    if (!row.entered.key.empty() || held.empty()) return lacking(held[row.entered.key]);
    std::vector<std::string> least = lacking(held.begin()->second);
    for (const auto& [key, has] : held) {
        auto now_lacking = lacking(has);
        if (now_lacking.size() < least.size()) least = std::move(now_lacking);
    }
    return least;
}

Result<WhyVerdict> still_held(const Question& question, const HeldRow& row) {
    // What counts is the version in force now: held events outlive versions that keep their leaf as it was.
    WEIR_ASSIGN(trigger, trigger_of(question.versions.back()));
    const auto end = dies_after(trigger, row.entered);
    if (end && *end < question.log_time) {
        return question.verdict("expired", "expired",
                                question.event_text() + " was held " + held_as(row) + " by " +
                                    question.trigger_text() + " and died at " + at(*end) +
                                    ": nothing completed it within " + format_duration(*trigger.when.within) +
                                    ".");
    }
    WEIR_ASSIGN(head, question.reader.head());
    WEIR_ASSIGN(open, question.reader.held_at(question.trigger(), head));
    auto out = question.verdict("held", "waiting", "");
    out.waits_for = missing(trigger, open, row, question.log_time);
    out.until = end;
    std::vector<std::string> names;
    for (const auto& name : out.waits_for)
        names.push_back("`" + name + "`");
    out.text = question.event_text() + " is held " + held_as(row) + " by " + question.trigger_text() +
               ", since " + at(row.entered.time) + ".";
    if (!names.empty()) {
        out.text += " It waits for " + list(names);
        if (!row.entered.key.empty()) out.text += " with the same key";
        out.text += out.until ? ", until " + at(*out.until) + "." : ".";
    } else if (out.until) {
        out.text += " It is kept until " + at(*out.until) + ".";
    }
    return out;
}

/// Whether an event was dead of age when something else ended its row: then that was only the tidying up.
Result<bool> died_before(const Question& question, const HeldRow& row, Instant out) {
    const ledger::TriggerVersionRow* in_force = nullptr;
    for (const auto& version : question.versions) {
        if (version.from < row.left->out) in_force = &version;
    }
    if (in_force == nullptr) return false;
    WEIR_ASSIGN(trigger, trigger_of(*in_force));
    const auto end = dies_after(trigger, row.entered);
    return end && *end < out;
}

Result<WhyVerdict> left(const Question& question, const HeldRow& row) {
    auto why = row.left->why;
    WEIR_ASSIGN(out_input, question.reader.input(row.left->out));
    if (why != "consumed") {
        WEIR_ASSIGN(dead, died_before(question, row, out_input.time));
        if (dead) why = "expired";
    }
    const auto begin = question.event_text() + " was held " + held_as(row) + " by " +
                       question.trigger_text() + " from " + at(row.entered.time) + " to " +
                       at(out_input.time);
    if (why == "expired")
        return question.verdict("expired", "expired",
                                begin + ": nothing completed it within the trigger's `within`.");
    if (why == "superseded")
        return question.verdict(
            "suppressed", "superseded",
            begin +
                ": a newer event took its place (`consume: latest` keeps the newest of each "
                "key): " +
                printable(out_input.id, 100) + " from " + printable(out_input.source, 100) + ".");
    if (why == "updated")
        return question.verdict("suppressed", "updated",
                                begin +
                                    ": the trigger was changed then, and the new version does not carry this "
                                    "leaf's held events over.");
    if (why == "dropped" && question.deleted == row.left->out)
        return question.verdict("suppressed", "dropped", begin + ": the trigger was deleted then.");
    if (why == "dropped")
        return question.verdict(
            "suppressed", "dropped",
            begin + ": the limit of held events or keys was passed and it was the oldest.");
    if (why == "reset") return question.verdict("suppressed", "reset", begin + ": the trigger was reset.");
    if (why == "consumed" && row.left->decision) {
        WEIR_ASSIGN(decision, question.reader.decision(*row.left->decision));
        return from_decision(question, decision);
    }
    if (why == "consumed")
        return question.verdict("failed", "unrecorded",
                                begin +
                                    ", when a firing used it up whose decision failed and is not stored (the "
                                    "first 100 failures of an hour are).");
    return question.verdict("suppressed", why, begin + ": " + printable(why) + ".");
}

} // namespace

Result<std::optional<WhyVerdict>> from_held(const Question& question) {
    WEIR_ASSIGN(rows, question.reader.held_of(question.event.seq, question.trigger()));
    if (rows.empty()) return std::optional<WhyVerdict>();
    // An event may have filled several leaves. The best news is the answer: what still may fire, then what
    // was used, then what left last. Rows that died of age count as expired whether or not their end was
    // written.
    std::stable_sort(rows.begin(), rows.end(), [](const HeldRow& a, const HeldRow& b) {
        if (a.left.has_value() != b.left.has_value()) return !a.left.has_value();
        return a.left && b.left->out < a.left->out;
    });
    static constexpr std::string_view order[] = {"held", "fired", "failed", "suppressed", "expired"};
    const auto rank = [](const WhyVerdict& verdict) {
        return std::find(std::begin(order), std::end(order), verdict.verdict) - std::begin(order);
    };
    std::optional<WhyVerdict> best;
    for (const auto& row : rows) {
        auto made = row.left ? left(question, row) : still_held(question, row);
        if (!made.ok()) return made.error();
        if (!best || rank(made.value()) < rank(*best)) best = std::move(made).value();
    }
    return best;
}

} // namespace weir::engine::detail
