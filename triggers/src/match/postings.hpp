#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::triggers::match {

/// An entry of an index: a leaf, or a pattern.
using EntryId = std::uint32_t;

/// Which entries stand under a 64-bit hash. The hash stands for the literal: two literals that share one only
/// make a candidate too many. Open addressing with linear probing; a slot holds its only entry itself.
class Postings {
  public:
    /// True if nothing stood under the hash before.
    bool add(std::uint64_t hash, EntryId entry);
    void remove(std::uint64_t hash, EntryId entry);
    /// The entries under the hash. Valid until the next change.
    [[nodiscard]] std::span<const EntryId> find(std::uint64_t hash) const {
        if (slots_.empty()) return {};
        const auto& slot = slots_[position(hash)];
        if (slot.state == State::Empty) return {};
        if (slot.state == State::One) return {&slot.value, 1};
        return lists_[slot.value];
    }
    [[nodiscard]] std::size_t bytes() const;

  private:
    enum class State : std::uint8_t { Empty, One, List };
    struct Slot {
        std::uint64_t hash = 0;
        std::uint32_t value = 0; ///< the entry, or the number of its list
        State state = State::Empty;
    };

    /// Of the hash's slot, or of the empty one where it would go.
    [[nodiscard]] std::size_t position(std::uint64_t hash) const {
        const auto mask = slots_.size() - 1;
        auto at = static_cast<std::size_t>(hash) & mask;
        while (slots_[at].state != State::Empty && slots_[at].hash != hash)
            at = (at + 1) & mask;
        return at;
    }
    void grow();
    void close_gap(std::size_t at);

    std::vector<Slot> slots_;
    std::size_t used_ = 0;
    std::vector<std::vector<EntryId>> lists_;
    std::vector<std::uint32_t> free_lists_;
};

} // namespace weir::triggers::match
