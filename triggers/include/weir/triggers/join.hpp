#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/ids.hpp>
#include <weir/triggers/document.hpp>

namespace weir::triggers {

/// A leaf that the offered event fills, under which key.
struct LeafHit {
    int leaf = 0;
    std::optional<std::string> key; ///< canonical_key() text; nothing for a leaf without key expression
};

/// Why a held event is held no longer.
enum class HeldEnd : std::uint8_t {
    Consumed,   ///< a firing used it up
    Superseded, ///< a newer event took its place (consume: latest)
    Expired,    ///< older than `within`
    Reset,      ///< the trigger was reset
    Updated,    ///< a new version of the trigger does not carry it over
    Dropped,    ///< a limit was passed and it was the oldest
};
/// "consumed", "superseded", "expired", "reset", "updated", "dropped".
std::string_view to_string(HeldEnd end) noexcept;
std::optional<HeldEnd> parse_held_end(std::string_view word) noexcept;

/// An event begins to be held by a leaf. `key` is empty for what has none.
struct HeldEnter {
    int leaf = 0;
    std::string key;
    Seq seq;
    Instant time;
    bool operator==(const HeldEnter&) const = default;
};
struct HeldLeave {
    int leaf = 0;
    std::string key;
    Seq seq; ///< of the held event
    HeldEnd why = HeldEnd::Consumed;
    bool operator==(const HeldLeave&) const = default;
};
struct JoinFiring {
    std::string key;
    std::vector<std::pair<int, Seq>> used; ///< every leaf once, in leaf order
    bool operator==(const JoinFiring&) const = default;
};
/// All that one input did to a join, in the order in which it happened.
struct JoinStep {
    std::vector<HeldEnter> entered;
    std::vector<HeldLeave> left;
    std::vector<JoinFiring> firings;
    bool operator==(const JoinStep&) const = default;
};

/// What a key has and what it still waits for.
struct Waiting {
    struct HeldEvent {
        int leaf = 0;
        Seq seq;
        Instant time;
        bool operator==(const HeldEvent&) const = default;
    };
    std::string key;
    std::vector<HeldEvent> held;  ///< in leaf order, shared `keep` events included
    std::vector<int> missing;     ///< in leaf order
    std::optional<Instant> until; ///< the first of the held events to expire does so after this instant
    bool operator==(const Waiting&) const = default;
};

struct JoinLimits {
    std::size_t held_per_leaf_key_max = 1'000; ///< `latest` holds one
    std::size_t keys_max = 1'000'000;          ///< one more: the key that waited longest is dropped, recorded
};

/// The `all` operator: fires for a key once each leaf has an event of it. A pure state machine: no clock, no
/// I/O; the same offers give the same steps.
///   within    newest minus oldest arrival time used is at most this, inclusive. An older held event is dead,
///   swept
///             or not. `keep` leaves are left out of it.
///   latest    a leaf holds the newest event of each key; the one before leaves as superseded.
///   firing    uses up the events of its own key; those of `keep` leaves stay.
///   shared    a `keep` leaf without key expression fills all keys; it completes every key that waits for it
///   alone. one event fills every leaf it meets, each under its own key.
/// The event that completes a firing is used at once and never held (no HeldEnter), unless its leaf is
/// `keep`. Thread: one at a time. Cost: O(1) amortised an event; a shared event costs the keys it completes.
class Join {
  public:
    explicit Join(const When& when, JoinLimits limits = {});
    ~Join();
    Join(Join&&) noexcept;
    Join& operator=(Join&&) noexcept;

    /// An event that fills these leaves, at its arrival time. Times never fall, seqs rise.
    JoinStep offer(Seq seq, Instant time, std::span<const LeafHit> hits);
    /// Writes the end of what is too old at `now`. Changes no later firing.
    JoinStep sweep(Instant now);
    /// All that these leaves hold leaves: a new version does not carry them over, or the trigger is deleted.
    JoinStep clear(std::span<const int> leaves, HeldEnd why);

    /// Puts a held event back as it was: in the order of seq, from the recorded intervals.
    void restore(int leaf, std::string_view key, Seq seq, Instant time);

    /// Everything held, in order of seq: what a new version of the trigger carries over.
    [[nodiscard]] std::vector<HeldEnter> held() const;

    /// The keys that hold something, sorted by key, at most `limit`, as seen at `now`.
    [[nodiscard]] std::vector<Waiting> waiting(Instant now, std::size_t limit = 1'000) const;
    [[nodiscard]] Waiting waiting(std::string_view key, Instant now) const;
    /// Held events.
    [[nodiscard]] std::size_t size() const;
    /// Keys that hold something.
    [[nodiscard]] std::size_t keys() const;
    /// The oldest arrival time among held events that `within` will end; nothing to sweep before that +
    /// within.
    [[nodiscard]] std::optional<Instant> oldest() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace weir::triggers
