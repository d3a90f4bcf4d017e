#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/ids.hpp>
#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/triggers/document.hpp>

namespace weir::sim {

/// The whole engine once more, slow and obvious: everything that ever happened stays in vectors, and every
/// answer is found by looking through them. Written from design section 5 alone; it shares records and CEL
/// with the product, no code that decides. Fed with the same inputs in the same order, it says what the
/// product must have decided.
///
/// Fed by: apply, remove, pause, resume, arrival, slot, max_age, settled, reopened, cancelled. Asked by:
/// verdict, firings, waits_for, complaints. `complaints()` names each input that cannot have been: a slot too
/// early or left out, an event recorded that nobody listens to or counted though somebody does, time that
/// fell.
class ReferenceEngine {
  public:
    /// A verdict in the words of `weir why`.
    struct Verdict {
        std::string verdict, reason;
        bool operator==(const Verdict&) const = default;
    };
    enum class RunStage { None, Waiting, Launched, Ended };
    /// One time that a trigger had all it needed, or failed on the way. Named by (trigger, seq, key).
    struct Firing {
        int trigger = 0;
        int version = 0;
        Seq seq;
        std::string key;
        std::string verdict; ///< fired, suppressed, failed
        std::string reason;
        std::vector<std::pair<std::string, Seq>> used; ///< leaf name and event, in leaf order; none if failed
        std::string arguments_json;
        int depth = 0;
        RunStage stage = RunStage::None;
        std::string hold;            ///< Waiting: overlap, paused, breaker
        bool ending = false;         ///< Waiting: its end is decided and comes with its own input
        std::optional<Seq> launched; ///< when it stopped waiting
    };
    struct FiringName {
        int trigger = 0;
        Seq seq;
        std::string key;
    };

    /// Brings arguments (a JSON object) to the flow's types; an error is a failed decision. `not_found`: no
    /// flow.
    using Bind = std::function<Result<std::string>(const std::string& team, const std::string& flow,
                                                   const std::string& arguments_json)>;
    explicit ReferenceEngine(std::string instance = "weir", Bind bind = {})
        : instance_(std::move(instance)), bind_(std::move(bind)) {}

    /// Registers a trigger or a new version of it; equal hash: nothing happens. Returns its number: 1,
    /// 2, 3...
    int apply(Seq seq, Instant time, const triggers::Trigger& document);
    void remove(Seq seq, Instant time, int trigger);
    void pause(Seq seq, Instant time, int trigger);
    void resume(Seq seq, Instant time, int trigger, bool replay);
    /// `seq` nothing: the arrival was only counted.
    void arrival(std::optional<Seq> seq, Instant time, const events::Event& event);
    void slot(Seq seq, Instant due, int trigger, const std::string& leaf, const events::Event& event);
    void max_age(Seq seq, Instant due, const FiringName& run);
    /// A run's attempt ended; `run` nothing: a run asked for by hand. `event`: the settlement.
    void settled(Seq seq, Instant time, const std::optional<FiringName>& run, const events::Event& event);
    void reopened(Seq seq, Instant time, const std::optional<FiringName>& run);
    void cancelled(Seq seq, Instant time, const std::optional<FiringName>& run);
    /// Any other input: only its time counts.
    void passed(Seq seq, Instant time) { begin(seq, time); }

    /// What became of the event recorded at `event` at this trigger, as of the newest input.
    [[nodiscard]] Verdict verdict(Seq event, int trigger) const;
    /// Of a held event: leaves that its key lacks.
    [[nodiscard]] std::vector<std::string> waits_for(Seq event, int trigger) const;
    [[nodiscard]] const std::vector<Firing>& firings() const { return firings_; }
    [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
    [[nodiscard]] int trigger_count() const { return static_cast<int>(triggers_.size()); }
    [[nodiscard]] std::vector<Seq> recorded() const {
        std::vector<Seq> out;
        for (const auto& event : events_)
            out.push_back(event.seq);
        return out;
    }

  private:
    struct Recorded {
        Seq seq;
        Instant time;
        events::Event event;
        bool arrival = false;
        bool duplicate = false;
        bool echo = false;
        int slot_trigger = 0;
        std::string slot_leaf;
    };
    /// An event in a leaf, from the moment it filled it; `ended` says how it left.
    struct Fill {
        std::string leaf;
        std::optional<std::string> key; ///< nothing: shared by all keys
        Seq seq;
        Instant time;
        std::string ended;
        Seq ended_at;
        std::optional<std::size_t> firing; ///< consumed by it
    };
    struct Version {
        Seq from;
        triggers::Trigger document;
    };
    enum class State { Active, Paused, Tripped };
    struct Trigger {
        std::vector<Version> versions;
        std::optional<Seq> deleted;
        State state = State::Active;
        std::vector<Fill> fills;
        std::map<std::string, std::optional<Instant>> next_slot; ///< by leaf
        [[nodiscard]] const triggers::Trigger& document() const { return versions.back().document; }
    };

    // reference_engine.cpp: inputs
    void begin(Seq seq, Instant time);
    void complain(Seq seq, const std::string& text);
    Trigger& at(int trigger) { return triggers_[static_cast<std::size_t>(trigger - 1)]; }
    [[nodiscard]] const Trigger& at(int trigger) const {
        return triggers_[static_cast<std::size_t>(trigger - 1)];
    }
    [[nodiscard]] const Recorded* event_at(Seq seq) const;
    void set_slots(Trigger& trigger, Instant time, const triggers::Trigger* before);
    /// Held events that are too old at `time` end as expired, whatever else would have ended them.
    void expire(Trigger& trigger, Seq seq, Instant time);
    void carry_fills(Trigger& trigger, Seq seq, const triggers::When& before, const triggers::When& after);

    // reference_matching.cpp: what an event meets, what a trigger fires
    [[nodiscard]] static bool pattern_meets(const triggers::Trigger& trigger, const triggers::Leaf& leaf,
                                            const Recorded& event);
    [[nodiscard]] static bool where_holds(const triggers::Leaf& leaf, const Recorded& event);
    void match(const Recorded& event);
    void meet(int trigger, const Recorded& event);
    void join(int trigger, const Recorded& event,
              const std::vector<std::pair<std::size_t, std::optional<std::string>>>& hits);
    struct Using {
        std::string leaf;
        const Recorded* event;
    };
    std::size_t fire(int trigger, const Recorded& completing, const std::string& key,
                     const std::string& reason, const std::vector<Using>& used);
    std::size_t fail(int trigger, const Recorded& completing, const std::string& key,
                     const std::string& reason);
    [[nodiscard]] Result<std::string> arguments(const triggers::Trigger& trigger, const Recorded& completing,
                                                const std::vector<Using>& used) const;
    [[nodiscard]] int depth_of(const Recorded& event) const;

    // reference_runs.cpp: overlap, pause, the ends of runs
    void launch(Firing& firing);
    void release(int trigger, Seq seq);
    [[nodiscard]] std::vector<Firing*> waiting(int trigger);
    [[nodiscard]] bool busy(int trigger) const;
    Firing* named(const FiringName& name);

    // reference_verdict.cpp
    [[nodiscard]] std::optional<Verdict> by_firings(Seq event, int trigger) const;
    [[nodiscard]] std::optional<Verdict> by_fills(Seq event, int trigger) const;
    [[nodiscard]] bool dead(const Trigger& trigger, const Fill& fill, Instant now) const;

    std::string instance_;
    Bind bind_;
    std::vector<Recorded> events_;
    std::vector<Trigger> triggers_;
    std::vector<Firing> firings_;
    std::vector<std::string> complaints_;
    Instant now_{};
    Seq last_{};
};

} // namespace weir::sim
