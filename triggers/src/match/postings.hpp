#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace weir::triggers::match {

/// An entry of an index: a leaf, or a pattern.
using EntryId = std::uint32_t;

/// Which entries stand under a 64-bit hash. The hash stands for the literal: two literals that share one only
/// make a candidate too many. Open addressing with linear probing; a slot holds one or two entries itself.
class Postings {
  public:
    /// True if nothing stood under the hash before.
    bool add(std::uint64_t hash, EntryId entry);
    void remove(std::uint64_t hash, EntryId entry);
    /// The entries under the hash. Valid until the next change.
    [[nodiscard]] std::span<const EntryId> find(std::uint64_t hash) const {
        if (slots_.empty()) return {};
        const auto at = position(hash);
        if (tags_[at] == empty) return {};
        const auto& slot = slots_[at];
        if (slot.values[1] == list_mark) return lists_[slot.values[0]];
        return {slot.values.data(), slot.values[1] == none ? 1U : 2U};
    }
    /// False if find() would find nothing; otherwise it mostly will, and its memory is on its way.
    [[nodiscard]] bool prefetch(std::uint64_t hash) const {
        if (slots_.empty()) return false;
        const auto mask = slots_.size() - 1;
        const auto tag = tag_of(hash);
        auto at = static_cast<std::size_t>(hash) & mask;
        while (tags_[at] != empty && tags_[at] != tag)
            at = (at + 1) & mask;
        if (tags_[at] == empty) return false;
        __builtin_prefetch(&slots_[at]);
        return true;
    }
    [[nodiscard]] std::size_t bytes() const;

  private:
    /// What stands in place of a second entry: there is none, or the first value is the number of a list.
    static constexpr EntryId none = 0xffffffff, list_mark = 0xfffffffe;
    struct Slot {
        std::uint64_t hash = 0;
        std::array<EntryId, 2> values{};
    };
    static constexpr std::uint8_t empty = 0;
    static std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>(hash >> 56 | 1); }

    /// Of the hash's slot, or of the empty one where it would go.
    [[nodiscard]] std::size_t position(std::uint64_t hash) const {
        const auto mask = slots_.size() - 1;
        const auto tag = tag_of(hash);
        auto at = static_cast<std::size_t>(hash) & mask;
        while (tags_[at] != empty && (tags_[at] != tag || slots_[at].hash != hash))
            at = (at + 1) & mask;
        return at;
    }
    void grow();
    void close_gap(std::size_t at);

    std::vector<Slot> slots_;
    /// A byte of each slot's hash, or `empty`: small enough to stay in the cache, so that what is not there,
    /// which is most of what is asked for, is answered without touching the slots.
    std::vector<std::uint8_t> tags_;
    std::size_t used_ = 0;
    std::vector<std::vector<EntryId>> lists_;
    std::vector<std::uint32_t> free_lists_;
};

} // namespace weir::triggers::match
