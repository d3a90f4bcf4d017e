#include "reference_engine.hpp"

namespace weir::sim {

using Overlap = triggers::Launch::Overlap;

namespace {

bool one_waits(Overlap overlap) {
    return overlap == Overlap::Latest || overlap == Overlap::CancelRunning;
}

} // namespace

std::vector<ReferenceEngine::Firing*> ReferenceEngine::waiting(int trigger) {
    std::vector<Firing*> out;
    for (auto& firing : firings_) {
        if (firing.trigger == trigger && firing.stage == RunStage::Waiting && !firing.ending)
            out.push_back(&firing);
    }
    return out;
}

bool ReferenceEngine::busy(int trigger) const {
    return std::any_of(firings_.begin(), firings_.end(), [&](const Firing& firing) {
        return firing.trigger == trigger && firing.stage == RunStage::Launched;
    });
}

ReferenceEngine::Firing* ReferenceEngine::named(const FiringName& name) {
    for (auto& firing : firings_) {
        if (firing.trigger == name.trigger && firing.seq == name.seq && firing.key == name.key &&
            firing.verdict == "fired")
            return &firing;
    }
    return nullptr;
}

/// Whether a firing launches, waits or is suppressed, by the trigger's state first and its overlap then.
void ReferenceEngine::launch(Firing& firing) {
    const auto& trigger = at(firing.trigger);
    const auto& launch = trigger.document().launch;
    const auto held_back = waiting(firing.trigger).size();
    const auto wait = [&](const char* hold) {
        firing.stage = RunStage::Waiting;
        firing.hold = hold;
    };
    const auto suppress = [&](const char* reason) {
        firing.verdict = "suppressed";
        firing.reason = reason;
    };
    if (trigger.state == State::Paused) return wait("paused");
    if (trigger.state == State::Tripped) return wait("breaker");
    if (launch.overlap == Overlap::Skip && busy(firing.trigger)) return suppress("overlap_skip");
    if (launch.overlap == Overlap::Queue && (busy(firing.trigger) || held_back > 0)) {
        if (held_back >= static_cast<std::size_t>(launch.queue_max)) return suppress("queue_full");
        return wait("overlap");
    }
    if (one_waits(launch.overlap) && (busy(firing.trigger) || held_back > 0)) {
        for (auto* older : waiting(firing.trigger))
            older->ending = true;
        return wait("overlap");
    }
    firing.stage = RunStage::Launched;
    firing.launched = firing.seq;
}

/// A run ended, or the trigger changed: the oldest that waits may go.
void ReferenceEngine::release(int trigger, Seq seq) {
    if (at(trigger).deleted || at(trigger).state != State::Active) return;
    const auto overlap = at(trigger).document().launch.overlap;
    auto held_back = waiting(trigger);
    if (one_waits(overlap))
        for (std::size_t i = 0; i + 1 < held_back.size(); ++i)
            held_back[i]->ending = true;
    for (auto* firing : waiting(trigger)) {
        if ((overlap == Overlap::Queue || one_waits(overlap)) && busy(trigger)) return;
        if (overlap == Overlap::Skip && busy(trigger)) {
            firing->ending = true;
            continue;
        }
        firing->stage = RunStage::Launched;
        firing->hold.clear();
        firing->launched = seq;
    }
}

void ReferenceEngine::max_age(Seq seq, Instant due, const FiringName& run) {
    begin(seq, due);
    auto* firing = named(run);
    if (firing == nullptr || firing->stage != RunStage::Waiting)
        return complain(seq, "a waiting time is over for a run that does not wait");
    firing->ending = true;
}

void ReferenceEngine::settled(Seq seq, Instant time, const std::optional<FiringName>& run,
                              const events::Event& event) {
    begin(seq, time);
    Recorded row;
    row.seq = seq;
    row.time = time;
    row.event = event;
    events_.push_back(row);
    if (run) {
        auto* firing = named(*run);
        if (firing == nullptr ||
            (firing->stage != RunStage::Waiting && firing->stage != RunStage::Launched)) {
            complain(seq, "a run settles that is not open");
        } else {
            if (firing->stage == RunStage::Waiting && !firing->ending)
                complain(seq, "a waiting run settles though nothing ended it");
            if (depth_of(row) != firing->depth)
                complain(seq, "its depth is " + std::to_string(depth_of(row)) + ", expected " +
                                  std::to_string(firing->depth));
            firing->stage = RunStage::Ended;
            firing->ending = false;
            release(firing->trigger, seq);
        }
    }
    match(row);
}

void ReferenceEngine::reopened(Seq seq, Instant time, const std::optional<FiringName>& run) {
    begin(seq, time);
    auto* firing = run ? named(*run) : nullptr;
    if (firing != nullptr) firing->stage = RunStage::Launched;
}

void ReferenceEngine::cancelled(Seq seq, Instant time, const std::optional<FiringName>& run) {
    begin(seq, time);
    auto* firing = run ? named(*run) : nullptr;
    if (firing != nullptr && firing->stage == RunStage::Waiting) firing->ending = true;
}

} // namespace weir::sim
