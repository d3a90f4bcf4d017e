#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/document.hpp>
#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>
#include <weir/triggers/document.hpp>
#include <weir/triggers/event_view.hpp>

namespace weir::triggers {

/// The event that fills a leaf when a trigger fires.
struct Used {
    int leaf = 0;
    EventView* event = nullptr;
};

/// A parameter's value at launch.
struct Argument {
    std::string name;
    cel::Value value;
};

/// A trigger with its programs. Programs are compiled when first used, so that a hundred thousand triggers
/// that never see an event cost little. Thread: one at a time (the loop's). Variables: `event` everywhere (in
/// `where` and `key` the leaf's event, in `launch` the completing one), `run` for finish leaves, in `launch`
/// also each leaf by name. A schedule leaf has `slot` and `previous_slot` besides.
class CompiledTrigger {
  public:
    /// A trigger that compile() has passed before (one read from the ledger): nothing is checked again, a
    /// broken expression shows as an error when evaluated.
    static std::shared_ptr<const CompiledTrigger> stored(Trigger trigger);

    ~CompiledTrigger();
    CompiledTrigger(const CompiledTrigger&) = delete;
    CompiledTrigger& operator=(const CompiledTrigger&) = delete;

    [[nodiscard]] const Trigger& trigger() const;
    [[nodiscard]] int leaf_count() const;

    /// True if type, source and subject (finish: flow, team, outcome) of the event meet the leaf's pattern.
    /// Always false for schedule leaves: their slots come by timers.
    [[nodiscard]] bool pattern_meets(int leaf, EventView& event) const;
    /// The first part of a pattern that the event does not meet, as `type is "a", expected b.*`; empty if it
    /// meets.
    [[nodiscard]] std::string pattern_miss(int leaf, EventView& event) const;

    /// The leaf's `where` (true if it has none). An error means "no match", and `why` shows it.
    [[nodiscard]] Result<bool> where(int leaf, EventView& event) const;
    [[nodiscard]] bool has_where(int leaf) const;
    /// The compiled `where`, which lives as long as the trigger does; null if there is none or it is broken.
    [[nodiscard]] const cel::Program* where_program(int leaf) const;
    /// where(), with every error as false: what runs on each candidate.
    [[nodiscard]] bool where_holds(int leaf, EventView& event) const;
    [[nodiscard]] cel::Explanation explain_where(int leaf, EventView& event) const;
    /// What an index can know of the leaf's `where`; no alternatives if there is none. Compiles, keeps
    /// nothing.
    [[nodiscard]] cel::Necessary necessary(int leaf) const;

    [[nodiscard]] bool has_key(int leaf) const;
    /// The leaf's join key as canonical_key() text. An error (null, missing, failing) is a recorded failure.
    [[nodiscard]] Result<std::string> key(int leaf, EventView& event) const;

    /// The launch parameters, in document order. Values may borrow from the events: use them while those
    /// live. `used` has one entry for each leaf, `completing` is the event that made the firing. The error
    /// names the parameter; it is a recorded failure.
    [[nodiscard]] Result<std::vector<Argument>> arguments(std::span<const Used> used,
                                                          EventView& completing) const;

  private:
    struct Impl;
    explicit CompiledTrigger(std::unique_ptr<Impl> impl);
    friend std::shared_ptr<const CompiledTrigger> compile(const Trigger& trigger, Problems& problems);
    std::unique_ptr<Impl> impl_;
};

/// Compiles every expression of a trigger, adding each thing wrong to `problems` with file:line:column inside
/// the expression: syntax, unknown variables, arithmetic on untyped values, cost. Null if there was any.
std::shared_ptr<const CompiledTrigger> compile(const Trigger& trigger, Problems& problems);

/// Everything that can be said about a trigger without its flow: compile() without keeping the result.
Problems check(const Trigger& trigger);

} // namespace weir::triggers
