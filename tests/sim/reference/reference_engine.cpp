#include "reference_engine.hpp"

#include "reference_schedule.hpp"
#include "reference_values.hpp"

namespace weir::sim {
namespace {

constexpr Duration identity_window = std::chrono::hours(24 * 7);

const triggers::SchedulePattern* schedule_of(const triggers::Leaf& leaf) {
    return std::get_if<triggers::SchedulePattern>(&leaf.pattern);
}

} // namespace

void ReferenceEngine::complain(Seq seq, const std::string& text) {
    complaints_.push_back("input " + std::to_string(seq.value) + ": " + text);
}

void ReferenceEngine::begin(Seq seq, Instant time) {
    if (time < now_) complain(seq, "its time is before the one of input " + std::to_string(last_.value));
    if (seq <= last_) complain(seq, "its seq does not rise");
    now_ = std::max(now_, time);
    last_ = seq;
    // Every slot that was due strictly before this instant must have come already.
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        for (auto& [leaf, due] : triggers_[i].next_slot) {
            if (triggers_[i].deleted || !due || *due >= time) continue;
            complain(seq, "the slot " + format_rfc3339(*due) + " of trigger " + std::to_string(i + 1) +
                              " leaf " + leaf + " was left out");
            due.reset();
        }
    }
}

const ReferenceEngine::Recorded* ReferenceEngine::event_at(Seq seq) const {
    for (const auto& event : events_) {
        if (event.seq == seq) return &event;
    }
    return nullptr;
}

void ReferenceEngine::set_slots(Trigger& trigger, Instant time, const triggers::Trigger* before) {
    std::map<std::string, std::optional<Instant>> next;
    for (const auto& leaf : trigger.document().when.leaves) {
        const auto* pattern = schedule_of(leaf);
        if (pattern == nullptr) continue;
        bool same = false;
        if (before != nullptr) {
            for (const auto& old : before->when.leaves)
                same = same || (old.name == leaf.name && old.pattern == leaf.pattern);
        }
        next[leaf.name] = same ? trigger.next_slot[leaf.name]
                               : ReferenceSchedule(pattern->cron, pattern->timezone).next(time);
    }
    trigger.next_slot = std::move(next);
}

void ReferenceEngine::expire(Trigger& trigger, Seq seq, Instant time) {
    for (auto& fill : trigger.fills) {
        if (!fill.ended.empty() || !dead(trigger, fill, time)) continue;
        fill.ended = "expired";
        fill.ended_at = seq;
    }
}

/// Held events stay where the leaf is the same thing still.
void ReferenceEngine::carry_fills(Trigger& trigger, Seq seq, const triggers::When& before,
                                  const triggers::When& after) {
    const auto stays = [&](const std::string& name) {
        for (std::size_t i = 0; i < before.leaves.size(); ++i) {
            for (std::size_t j = 0; j < after.leaves.size(); ++j) {
                const auto& a = before.leaves[i];
                const auto& b = after.leaves[j];
                if (a.name == name && b.name == name)
                    return a.pattern == b.pattern && a.where == b.where && a.keep == b.keep &&
                           before.keys[i] == after.keys[j] && before.kind == after.kind &&
                           before.consume == after.consume;
            }
        }
        return false;
    };
    for (auto& fill : trigger.fills) {
        if (!fill.ended.empty() || stays(fill.leaf)) continue;
        fill.ended = "updated";
        fill.ended_at = seq;
    }
}

int ReferenceEngine::apply(Seq seq, Instant time, const triggers::Trigger& document) {
    // Several documents may come with one input.
    if (seq != last_) begin(seq, time);
    for (std::size_t i = 0; i < triggers_.size(); ++i) {
        auto& trigger = triggers_[i];
        if (trigger.deleted || trigger.document().team != document.team ||
            trigger.document().name != document.name)
            continue;
        if (trigger.document().hash == document.hash) return static_cast<int>(i + 1);
        const auto before = trigger.document();
        expire(trigger, seq, time);
        carry_fills(trigger, seq, before.when, document.when);
        trigger.versions.push_back({seq, document});
        set_slots(trigger, time, &before);
        release(static_cast<int>(i + 1), seq);
        return static_cast<int>(i + 1);
    }
    triggers_.emplace_back();
    triggers_.back().versions.push_back({seq, document});
    set_slots(triggers_.back(), time, nullptr);
    return static_cast<int>(triggers_.size());
}

void ReferenceEngine::remove(Seq seq, Instant time, int trigger) {
    if (seq != last_) begin(seq, time);
    auto& gone = at(trigger);
    gone.deleted = seq;
    gone.next_slot.clear();
    expire(gone, seq, time);
    for (auto& fill : gone.fills) {
        if (!fill.ended.empty()) continue;
        fill.ended = "dropped";
        fill.ended_at = seq;
    }
    for (auto* firing : waiting(trigger))
        firing->ending = true;
}

void ReferenceEngine::pause(Seq seq, Instant time, int trigger) {
    begin(seq, time);
    at(trigger).state = State::Paused;
}

void ReferenceEngine::resume(Seq seq, Instant time, int trigger, bool replay) {
    begin(seq, time);
    at(trigger).state = State::Active;
    for (auto* firing : waiting(trigger)) {
        if (firing->hold == "overlap") continue;
        if (replay) {
            firing->hold = "overlap";
        } else {
            firing->ending = true;
        }
    }
    release(trigger, seq);
}

void ReferenceEngine::arrival(std::optional<Seq> seq, Instant time, const events::Event& event) {
    Recorded row;
    row.seq = seq.value_or(Seq{});
    row.time = time;
    row.event = event;
    row.arrival = true;
    bool met = false;
    for (const auto& trigger : triggers_) {
        if (trigger.deleted) continue;
        for (const auto& leaf : trigger.document().when.leaves)
            met = met || pattern_meets(trigger.document(), leaf, row);
    }
    if (!seq) {
        if (met)
            complaints_.push_back("event " + event.id + " was only counted though a trigger listens to it");
        return;
    }
    begin(*seq, time);
    if (!met) complain(*seq, "event " + event.id + " was recorded though no trigger listens to it");
    row.echo = event.type == "weir.run.finished" && event.source.rfind("/weir/" + instance_ + "/", 0) == 0;
    for (const auto& earlier : events_) {
        row.duplicate =
            row.duplicate || (earlier.arrival && earlier.event.source == event.source &&
                              earlier.event.id == event.id && time - earlier.time <= identity_window);
    }
    events_.push_back(row);
    if (!row.echo && !row.duplicate) match(row);
}

void ReferenceEngine::slot(Seq seq, Instant due, int trigger, const std::string& leaf,
                           const events::Event& event) {
    auto& next = at(trigger).next_slot[leaf];
    if (next != due)
        complain(seq, "a slot of leaf " + leaf + " at " + format_rfc3339(due) + ", expected " +
                          (next ? format_rfc3339(*next) : "none"));
    const triggers::SchedulePattern* pattern = nullptr;
    for (const auto& candidate : at(trigger).document().when.leaves) {
        if (candidate.name == leaf) pattern = schedule_of(candidate);
    }
    next.reset();
    begin(seq, due);
    if (pattern == nullptr) return complain(seq, "a slot of a leaf that has no schedule: " + leaf);
    at(trigger).next_slot[leaf] = ReferenceSchedule(pattern->cron, pattern->timezone).next(due);
    Recorded row;
    row.seq = seq;
    row.time = due;
    row.event = event;
    row.slot_trigger = trigger;
    row.slot_leaf = leaf;
    events_.push_back(row);
    meet(trigger, row);
}

} // namespace weir::sim
