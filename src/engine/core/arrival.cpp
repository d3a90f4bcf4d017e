#include <algorithm>
#include <charconv>

#include <weir/events/wire_codec.hpp>

#include "step.hpp"

namespace weir::engine {

int depth_of(const events::Event& event) {
    const auto* attribute = event.extension("weirdepth");
    if (attribute == nullptr) return 0;
    int depth = 0;
    const auto& text = attribute->value;
    std::from_chars(text.data(), text.data() + text.size(), depth);
    return std::max(depth, 0);
}

void Core::Step::decide(const ArrivalInput& arrival) {
    const auto& event = *arrival.event;
    std::string wire = events::encode_wire(event);
    record_event(ledger::InputKind::Arrival, event, wire);
    auto& row = batch.inputs.back();
    row.stream = arrival.stream;
    row.position = arrival.position;
    row.digest = arrival.digest;
    row.duplicate_of = arrival.duplicate_of;
    row.conflicting = arrival.conflicting;
    row.echo = arrival.echo;
    // A duplicate is recorded and explained, and decides nothing: its first coming did.
    if (arrival.duplicate_of || arrival.echo) return;
    triggers::EventView view(event);
    Completing completing{view, std::move(wire),
                          arrival_cause(arrival.stream_name, arrival.incarnation, arrival.position,
                                        event.source, event.id, input.time - input.late_by),
                          depth_of(event)};
    match(completing);
}

void Core::Step::match(Completing& event) {
    triggers::Matcher::Match match;
    core.matcher_.match(event.view, match);
    for (std::size_t i = 0; i < match.hits.size();) {
        const auto no = match.hits[i].trigger;
        std::vector<int> leaves;
        for (; i < match.hits.size() && match.hits[i].trigger == no; ++i)
            leaves.push_back(match.hits[i].leaf);
        meet(core.triggers_.at(ledger::TriggerNo(no)), event, leaves);
    }
}

void Core::Step::meet(Trigger& trigger, Completing& event, const std::vector<int>& leaves) {
    if (trigger.join) return offer(trigger, event, leaves);
    const auto& leaf = trigger.compiled->trigger().when.leaves.front();
    Firing firing{
        trigger,   std::holds_alternative<triggers::SchedulePattern>(leaf.pattern) ? "slot" : "match",
        {},        {{0, leaf.name, seq, &event.view}},
        leaf.name, event.depth,
        false};
    fire(firing, event);
}

void Core::Step::offer(Trigger& trigger, Completing& event, const std::vector<int>& leaves) {
    const auto& names = trigger.compiled->trigger().when.leaves;
    std::vector<triggers::LeafHit> hits;
    for (const int leaf : leaves) {
        if (!trigger.compiled->has_key(leaf)) {
            hits.push_back({leaf, std::nullopt});
            continue;
        }
        auto key = trigger.compiled->key(leaf, event.view);
        if (key.ok())
            hits.push_back({leaf, std::move(key).value()});
        else
            fail(trigger, event, names[static_cast<std::size_t>(leaf)].name, "key_failed",
                 key.error().message);
    }
    if (hits.empty()) return;
    const auto step = trigger.join->offer(seq, input.time, hits);
    write_entered(trigger, step, event);
    // Contents are needed until every firing is bound; only then may held events be let go of.
    DecisionsByKey decisions;
    for (const auto& joined : step.firings)
        if (const auto decision = fire_join(trigger, event, joined)) decisions[joined.key] = *decision;
    write_left(trigger, step, decisions);
}

std::optional<ledger::DecisionNo> Core::Step::fire_join(Trigger& trigger, Completing& event,
                                                        const triggers::JoinFiring& joined) {
    const auto& leaves = trigger.compiled->trigger().when.leaves;
    Firing firing{trigger, "joined", joined.key, {}, {}, event.depth, true};
    std::vector<std::unique_ptr<events::Event>> contents;
    std::vector<std::unique_ptr<triggers::EventView>> views;
    for (const auto& [leaf, held] : joined.used) {
        const auto& name = leaves[static_cast<std::size_t>(leaf)].name;
        auto* view = &event.view;
        if (held != seq) {
            auto decoded = events::decode_wire(core.held_.at(held).wire);
            expects(decoded.ok(), "a held event does not decode");
            contents.push_back(std::make_unique<events::Event>(std::move(decoded).value()));
            views.push_back(std::make_unique<triggers::EventView>(*contents.back()));
            view = views.back().get();
            firing.depth = std::max(firing.depth, depth_of(*contents.back()));
        } else if (firing.leaf.empty()) {
            firing.leaf = name;
        }
        firing.events.push_back({leaf, name, held, view});
    }
    return fire(firing, event);
}

void Core::Step::write_entered(Trigger& trigger, const triggers::JoinStep& step, const Completing& event) {
    const auto& leaves = trigger.compiled->trigger().when.leaves;
    for (const auto& entered : step.entered) {
        const auto leaf = static_cast<std::size_t>(entered.leaf);
        batch.held_entered.push_back({trigger.no, trigger.leaf_numbers[leaf], leaves[leaf].name, entered.key,
                                      entered.seq, seq, entered.time});
        hold(entered.seq, event.wire, input.time);
    }
}

void Core::Step::write_left(Trigger& trigger, const triggers::JoinStep& step,
                            const DecisionsByKey& decisions) {
    for (const auto& left : step.left) {
        std::optional<ledger::DecisionNo> decision;
        if (const auto made = decisions.find(left.key);
            left.why == triggers::HeldEnd::Consumed && made != decisions.end())
            decision = made->second;
        batch.held_left.push_back({trigger.no, trigger.leaf_numbers[static_cast<std::size_t>(left.leaf)],
                                   left.seq, seq, std::string(to_string(left.why)), decision});
        let_go(left.seq);
    }
}

void Core::Step::sweep() {
    core.last_time_ = input.time;
    // Expiry changes no decision; once a minute of input time is often enough to bound memory.
    if (input.time - core.last_sweep_ < std::chrono::minutes(1)) return;
    core.last_sweep_ = input.time;
    for (auto& [no, trigger] : core.triggers_) {
        if (!trigger.join) continue;
        const auto within = trigger.compiled->trigger().when.within;
        const auto oldest = trigger.join->oldest();
        if (!within || !oldest || *oldest + *within >= input.time) continue;
        write_left(trigger, trigger.join->sweep(input.time), {});
    }
}

} // namespace weir::engine
