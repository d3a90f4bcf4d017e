#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/ids.hpp>
#include <weir/triggers/compiled.hpp>
#include <weir/triggers/join.hpp>
#include <weir/triggers/matcher.hpp>

/// Slow, obvious models of what the engine does fast. Tests and the simulation compare the two; nothing else
/// uses them, and they use nothing of the fast ones but plain records.
namespace weir::triggers::reference {

/// Matching: every leaf of every trigger is tried on every event.
class Matching {
  public:
    void add(std::int64_t trigger, std::shared_ptr<const CompiledTrigger> compiled);
    void remove(std::int64_t trigger);
    [[nodiscard]] Matcher::Match match(const events::Event& event, Origin origin) const;

  private:
    std::vector<std::pair<std::int64_t, std::shared_ptr<const CompiledTrigger>>> triggers_;
};

/// A join that keeps all its offers and finds out anew, for each, what is held and what fires.
class JoinModel {
  public:
    explicit JoinModel(const When& when);
    /// The firings of this offer.
    std::vector<JoinFiring> offer(Seq seq, Instant time, std::span<const LeafHit> hits);
    /// What is held at `now`: expired events left out. Sorted by leaf, then key.
    [[nodiscard]] std::vector<HeldEnter> held(Instant now) const;

  private:
    struct Offer {
        Seq seq;
        Instant time;
        std::vector<LeafHit> hits;
        std::vector<std::string> fired; ///< the keys that fired with it
    };
    [[nodiscard]] bool shared(std::size_t leaf) const { return when_.leaves[leaf].keep && !when_.keys[leaf]; }
    [[nodiscard]] std::optional<HeldEnter> newest(std::size_t leaf, const std::string& key,
                                                  Instant now) const;
    [[nodiscard]] std::vector<std::string> keys() const;

    When when_;
    std::vector<Offer> offers_;
};

/// The slots of a cron expression in (after, until], found by looking at every minute; `zone` as IANA name.
/// Fields and zones are read by the product's own parser and the date library.
std::vector<Instant> slots(std::string_view cron, std::string_view zone, Instant after, Instant until);

} // namespace weir::triggers::reference
