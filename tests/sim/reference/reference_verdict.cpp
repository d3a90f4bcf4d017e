#include "reference_engine.hpp"

namespace weir::sim {
namespace {

/// What a person wants to hear first.
template <std::size_t N>
std::size_t rank(const std::string& verdict, const std::string_view (&order)[N]) {
    return static_cast<std::size_t>(std::find(std::begin(order), std::end(order), verdict) -
                                    std::begin(order));
}
constexpr std::string_view of_firings[] = {"fired", "suppressed", "failed"};
constexpr std::string_view of_fills[] = {"held", "fired", "failed", "suppressed", "expired"};

} // namespace

/// `within`: a held event older than it is dead, unless its leaf keeps. A leaf that is gone ended its events.
bool ReferenceEngine::dead(const Trigger& trigger, const Fill& fill, Instant now) const {
    const auto& when = trigger.document().when;
    if (!when.within) return false;
    for (const auto& leaf : when.leaves) {
        if (leaf.name == fill.leaf && leaf.keep) return false;
    }
    return now - fill.time > *when.within;
}

std::optional<ReferenceEngine::Verdict> ReferenceEngine::by_firings(Seq event, int trigger) const {
    const Firing* best = nullptr;
    bool completed = false;
    for (const auto& firing : firings_) {
        if (firing.trigger != trigger) continue;
        const bool completes = firing.seq == event;
        const bool uses = std::any_of(firing.used.begin(), firing.used.end(),
                                      [&](const auto& part) { return part.second == event; });
        if (!completes && !uses) continue;
        // What the event completed itself comes before what used it later.
        const bool sooner = completes && !completed;
        const bool better =
            best == nullptr || sooner ||
            (completes == completed && rank(firing.verdict, of_firings) < rank(best->verdict, of_firings));
        if (!better) continue;
        best = &firing;
        completed = completed || completes;
    }
    if (best == nullptr) return std::nullopt;
    const bool joined_later = !completed && best->verdict == "fired";
    return Verdict{best->verdict, joined_later ? "joined" : best->reason};
}

std::optional<ReferenceEngine::Verdict> ReferenceEngine::by_fills(Seq event, int trigger) const {
    std::vector<const Fill*> fills;
    for (const auto& fill : at(trigger).fills) {
        if (fill.seq == event) fills.push_back(&fill);
    }
    // Open ones first, then what left last.
    std::stable_sort(fills.begin(), fills.end(), [](const Fill* a, const Fill* b) {
        if (a->ended.empty() != b->ended.empty()) return a->ended.empty();
        return b->ended_at < a->ended_at;
    });
    std::optional<Verdict> best;
    for (const auto* fill : fills) {
        Verdict one;
        if (fill->ended.empty()) {
            one = dead(at(trigger), *fill, now_) ? Verdict{"expired", "expired"} : Verdict{"held", "waiting"};
        } else if (fill->ended == "expired") {
            one = {"expired", "expired"};
        } else if (fill->ended == "consumed") {
            const auto& firing = firings_[*fill->firing];
            one = {firing.verdict, firing.reason};
        } else {
            one = {"suppressed", fill->ended};
        }
        if (!best || rank(one.verdict, of_fills) < rank(best->verdict, of_fills)) best = one;
    }
    return best;
}

ReferenceEngine::Verdict ReferenceEngine::verdict(Seq event, int trigger) const {
    const auto* row = event_at(event);
    if (row == nullptr) return {"not_recorded", ""};
    const auto& asked = at(trigger);
    const triggers::Trigger* document = nullptr;
    for (const auto& version : asked.versions) {
        if (version.from <= event) document = &version.document;
    }
    if (document == nullptr || (asked.deleted && *asked.deleted <= event))
        return {"filtered", "not_registered"};
    if (row->echo) return {"suppressed", "echo"};
    if (row->duplicate) return {"suppressed", "duplicate"};
    if (const auto found = by_firings(event, trigger)) return *found;
    if (const auto found = by_fills(event, trigger)) return *found;
    for (const auto& leaf : document->when.leaves) {
        if (pattern_meets(*document, leaf, *row)) return {"filtered", "where"};
    }
    return {"filtered", "pattern"};
}

std::vector<std::string> ReferenceEngine::waits_for(Seq event, int trigger) const {
    const auto& asked = at(trigger);
    const Fill* held = nullptr;
    std::set<std::string> keys;
    for (const auto& fill : asked.fills) {
        if (!fill.ended.empty() || dead(asked, fill, now_)) continue;
        if (fill.seq == event && held == nullptr) held = &fill;
        if (fill.key) keys.insert(*fill.key);
    }
    if (held == nullptr) return {};
    if (held->key || keys.empty()) keys = {held->key.value_or("")};
    std::optional<std::vector<std::string>> least;
    for (const auto& key : keys) {
        std::vector<std::string> lacking;
        for (const auto& leaf : asked.document().when.leaves) {
            const bool there = std::any_of(asked.fills.begin(), asked.fills.end(), [&](const Fill& fill) {
                return fill.ended.empty() && !dead(asked, fill, now_) && fill.leaf == leaf.name &&
                       (!fill.key || *fill.key == key);
            });
            if (!there) lacking.push_back(leaf.name);
        }
        if (!least || lacking.size() < least->size()) least = lacking;
    }
    return *least;
}

} // namespace weir::sim
