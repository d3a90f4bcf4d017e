#include "reference_engine.hpp"
#include "reference_values.hpp"

namespace weir::sim {
namespace {

/// What a leaf's expressions see of its event.
cel::Value seen_by(const triggers::Leaf& leaf, const events::Event& event) {
    if (std::holds_alternative<triggers::SchedulePattern>(leaf.pattern)) return reference_slot(event);
    return reference_event(event);
}

/// What a leaf's own expressions may name.
void bind_leaf(cel::SimpleBindings& bindings, const triggers::Leaf& leaf, const events::Event& event) {
    bindings.set("event", seen_by(leaf, event));
    if (leaf.name != "event") bindings.set(leaf.name, seen_by(leaf, event));
    if (std::holds_alternative<triggers::FinishPattern>(leaf.pattern))
        bindings.set("run", reference_run(event));
}

} // namespace

bool ReferenceEngine::pattern_meets(const triggers::Trigger& trigger, const triggers::Leaf& leaf,
                                    const Recorded& row) {
    const auto& event = row.event;
    if (const auto* pattern = std::get_if<triggers::EventPattern>(&leaf.pattern)) {
        const auto part = [](const std::string& asked, const std::string& text) {
            return asked.empty() || reference_glob(asked, text);
        };
        return row.slot_trigger == 0 && part(pattern->type, event.type) &&
               part(pattern->source, event.source) && part(pattern->subject, event.subject);
    }
    if (const auto* pattern = std::get_if<triggers::FinishPattern>(&leaf.pattern)) {
        if (row.arrival || event.type != "weir.run.finished") return false;
        const auto data = reference_data(event);
        const auto outcome = reference_text(data, "outcome");
        return reference_glob(pattern->flow, reference_text(data, "flow")) &&
               reference_text(data, "team") == pattern->team &&
               std::find(pattern->outcomes.begin(), pattern->outcomes.end(), outcome) !=
                   pattern->outcomes.end();
    }
    return row.slot_trigger != 0 && row.slot_leaf == leaf.name &&
           row.event.source == "/weir/schedules/" + trigger.team + "/" + trigger.name;
}

bool ReferenceEngine::where_holds(const triggers::Leaf& leaf, const Recorded& event) {
    if (!leaf.where) return true;
    cel::SimpleBindings bindings;
    bind_leaf(bindings, leaf, event.event);
    const auto value = reference_evaluate(leaf.where->text, bindings);
    return value.ok() && value->kind() == cel::Kind::Bool && value->as_bool();
}

void ReferenceEngine::match(const Recorded& event) {
    const auto copy = event;
    for (int trigger = 1; trigger <= trigger_count(); ++trigger) {
        if (!at(trigger).deleted) meet(trigger, copy);
    }
}

void ReferenceEngine::meet(int trigger, const Recorded& event) {
    const auto document = at(trigger).document();
    std::vector<std::pair<std::size_t, std::optional<std::string>>> hits;
    for (std::size_t i = 0; i < document.when.leaves.size(); ++i) {
        const auto& leaf = document.when.leaves[i];
        if (!pattern_meets(document, leaf, event) || !where_holds(leaf, event)) continue;
        if (document.when.kind == triggers::When::Kind::Single) {
            const bool slot = event.slot_trigger != 0;
            fire(trigger, event, "", slot ? "slot" : "match", {{leaf.name, &event}});
            return;
        }
        if (!document.when.keys[i]) {
            hits.emplace_back(i, std::nullopt);
            continue;
        }
        cel::SimpleBindings bindings;
        bind_leaf(bindings, leaf, event.event);
        const auto value = reference_evaluate(document.when.keys[i]->text, bindings);
        const auto key = value.ok() ? cel::canonical_key(value.value()) : Result<std::string>(value.error());
        if (key.ok()) {
            hits.emplace_back(i, key.value());
        } else {
            fail(trigger, event, "", "key_failed");
        }
    }
    if (!hits.empty()) join(trigger, event, hits);
}

void ReferenceEngine::join(int trigger, const Recorded& event,
                           const std::vector<std::pair<std::size_t, std::optional<std::string>>>& hits) {
    const auto document = at(trigger).document();
    const auto& leaves = document.when.leaves;
    auto& fills = at(trigger).fills;
    const auto end = [&](Fill& fill, const std::string& why) {
        fill.ended = why;
        fill.ended_at = event.seq;
    };
    expire(at(trigger), event.seq, event.time);
    // consume: latest. The newest of each leaf and key takes the place of the one before.
    std::set<std::string> keys{""};
    bool shared = false;
    for (const auto& [leaf, key] : hits) {
        for (auto& fill : fills) {
            if (fill.ended.empty() && fill.leaf == leaves[leaf].name && fill.key == key &&
                fill.seq != event.seq)
                end(fill, "superseded");
        }
        fills.push_back({leaves[leaf].name, key, event.seq, event.time, "", {}, std::nullopt});
        if (key) keys.insert(*key);
        shared = shared || !key;
    }
    // What is shared may complete any key that holds something.
    if (shared) {
        for (const auto& fill : fills) {
            if (fill.ended.empty() && fill.key) keys.insert(*fill.key);
        }
    }
    for (const auto& key : keys) {
        std::vector<std::size_t> used;
        bool here = false;
        for (const auto& leaf : leaves) {
            for (std::size_t i = 0; i < fills.size(); ++i) {
                if (!fills[i].ended.empty() || fills[i].leaf != leaf.name) continue;
                if (fills[i].key && *fills[i].key != key) continue;
                used.push_back(i);
                here = here || fills[i].seq == event.seq;
                break;
            }
        }
        if (used.size() != leaves.size() || !here) continue;
        std::vector<Using> parts;
        for (const auto i : used)
            parts.push_back({fills[i].leaf, fills[i].seq == event.seq ? &event : event_at(fills[i].seq)});
        const auto firing = fire(trigger, event, key, "joined", parts);
        for (std::size_t i = 0; i < used.size(); ++i) {
            if (leaves[i].keep) continue;
            auto& fill = at(trigger).fills[used[i]];
            end(fill, "consumed");
            fill.firing = firing;
        }
    }
}

int ReferenceEngine::depth_of(const Recorded& event) const {
    const auto* attribute = event.event.extension("weirdepth");
    if (attribute == nullptr) return 0;
    const auto& text = attribute->value;
    const bool digits =
        !text.empty() && text.size() < 9 && text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::stoi(text) : 0;
}

Result<std::string> ReferenceEngine::arguments(const triggers::Trigger& trigger, const Recorded& completing,
                                               const std::vector<Using>& used) const {
    cel::SimpleBindings bindings;
    int finishes = 0;
    for (const auto& leaf : trigger.when.leaves)
        finishes += std::holds_alternative<triggers::FinishPattern>(leaf.pattern) ? 1 : 0;
    bool named = false;
    for (std::size_t i = 0; i < used.size(); ++i) {
        const auto& leaf = trigger.when.leaves[i];
        const auto& event = used[i].event->event;
        if (used[i].event->seq == completing.seq && !named) bindings.set("event", seen_by(leaf, event));
        named = named || used[i].event->seq == completing.seq;
        if (leaf.name != "event") bindings.set(leaf.name, seen_by(leaf, event));
        if (finishes == 1 && std::holds_alternative<triggers::FinishPattern>(leaf.pattern))
            bindings.set("run", reference_run(event));
    }
    std::vector<std::pair<std::string, cel::Value>> members;
    for (const auto& parameter : trigger.launch.parameters) {
        if (parameter.constant) {
            WEIR_ASSIGN(constant, cel::from_json(parameter.constant_json));
            members.emplace_back(parameter.name, std::move(constant));
            continue;
        }
        WEIR_ASSIGN(value, reference_evaluate(parameter.expression.text, bindings));
        members.emplace_back(parameter.name, std::move(value));
    }
    return cel::to_json(cel::Value::object(std::move(members)));
}

std::size_t ReferenceEngine::fail(int trigger, const Recorded& completing, const std::string& key,
                                  const std::string& reason) {
    Firing firing;
    firing.trigger = trigger;
    firing.version = static_cast<int>(at(trigger).versions.size());
    firing.seq = completing.seq;
    firing.key = key;
    firing.verdict = "failed";
    firing.reason = reason;
    firings_.push_back(std::move(firing));
    return firings_.size() - 1;
}

std::size_t ReferenceEngine::fire(int trigger, const Recorded& completing, const std::string& key,
                                  const std::string& reason, const std::vector<Using>& used) {
    const auto& document = at(trigger).document();
    auto bound = arguments(document, completing, used);
    if (bind_) {
        const auto team = document.launch.flow_team(document.team);
        const auto flow = document.launch.flow_name();
        // Whether there is a flow at all is asked before its parameters are.
        auto fits = bind_(team, flow, bound.ok() ? bound.value() : "{}");
        if (!fits.ok() && fits.error().kind == ErrorKind::NotFound)
            return fail(trigger, completing, key, "flow_missing");
        if (bound.ok()) bound = std::move(fits);
    }
    if (!bound.ok()) return fail(trigger, completing, key, "parameters_failed");

    Firing firing;
    firing.trigger = trigger;
    firing.version = static_cast<int>(at(trigger).versions.size());
    firing.seq = completing.seq;
    firing.key = key;
    firing.verdict = "fired";
    firing.reason = reason;
    firing.arguments_json = bound.value();
    for (const auto& part : used) {
        firing.used.emplace_back(part.leaf, part.event->seq);
        firing.depth = std::max(firing.depth, depth_of(*part.event));
    }
    firing.depth += 1;
    if (firing.depth > document.breakers.depth && at(trigger).state == State::Active)
        at(trigger).state = State::Tripped;
    const auto minute_of = [](Instant t) { return to_ns(t) / 60'000'000'000; };
    int fired_before = 0;
    for (const auto& earlier : firings_) {
        const auto* event = event_at(earlier.seq);
        if (earlier.trigger == trigger && earlier.verdict == "fired" && event != nullptr &&
            minute_of(event->time) == minute_of(completing.time))
            ++fired_before;
    }
    if (fired_before >= document.breakers.firings_per_minute && at(trigger).state == State::Active)
        at(trigger).state = State::Tripped;
    launch(firing);
    firings_.push_back(std::move(firing));
    return firings_.size() - 1;
}

} // namespace weir::sim
