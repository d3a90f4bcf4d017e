#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <weir/triggers/compiled.hpp>
#include <weir/triggers/event_view.hpp>

namespace weir::triggers {

/// Which triggers an event concerns. Indexed: literals of the patterns and of `where` (type, then equality on
/// paths and on what is computed, lists, prefixes, ranges) choose the candidates, and only those are looked
/// at, so the cost of an event follows its candidates, not the number of triggers. A `where` is evaluated
/// only as far as its literals leave it open. Schedule leaves are not in it: their slots come by timers.
/// Thread: one at a time (the loop's). Errors: none; a `where` that fails is no match.
class Matcher {
  public:
    /// A leaf that an event fills: pattern met and `where` true.
    struct Hit {
        std::int64_t trigger = 0;
        int leaf = 0;
        auto operator<=>(const Hit&) const = default;
    };
    struct Match {
        std::vector<Hit> hits;    ///< sorted by trigger, then leaf
        bool pattern_met = false; ///< some leaf's type/source/subject pattern is met, whatever `where` says
    };

    Matcher();
    ~Matcher();
    Matcher(Matcher&&) noexcept;
    Matcher& operator=(Matcher&&) noexcept;

    /// Adds a trigger under an id; if the id is there already, it is replaced.
    void add(std::int64_t trigger, std::shared_ptr<const CompiledTrigger> compiled);
    /// Does nothing if there is no such trigger.
    void remove(std::int64_t trigger);
    [[nodiscard]] std::size_t size() const;

    Match match(EventView& event);
    /// The same without allocating once `out` has grown.
    void match(EventView& event, Match& out);

    /// For benchmarks and tests: candidates looked at since the start, and the index's own memory (estimate).
    [[nodiscard]] std::uint64_t evaluations() const;
    [[nodiscard]] std::size_t index_bytes() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::triggers
