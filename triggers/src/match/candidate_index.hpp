#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <weir/cel/program.hpp>

#include "filter.hpp"
#include "postings.hpp"
#include "probe.hpp"

namespace weir::triggers::match {

/// Finds the entries whose conditions an event may meet. Each entry is any of some conjunctions; of each
/// conjunction the one comparison that leaves the fewest candidates is indexed, within the partition of its
/// event type: equality and `in` by hash, prefixes by hash and length, ranges by hash of bins as wide as
/// themselves, half-open ranges in order. What offers nothing to index is a candidate for every event of its
/// type, or of all.
class CandidateIndex {
  public:
    explicit CandidateIndex(Paths& paths) : paths_(paths) { partitions_.emplace_back(); }

    /// Where an entry stands, for taking it out again.
    struct Registration {
        enum class Kind : std::uint8_t { Always, Hash, Prefix, Bin, AtLeast, AtMost };
        std::uint64_t hash = 0; ///< Hash, Prefix, Bin
        double bound = 0;       ///< AtLeast, AtMost
        std::uint32_t partition = 0;
        PathId path = 0;
        std::uint16_t extent = 0; ///< Prefix: length; Bin: level
        Kind kind = Kind::Always;
    };
    using Registrations = std::vector<Registration>;

    /// The numbers of the conditions' operands must be held meanwhile; the index holds those it uses.
    Registrations add(EntryId entry, const std::vector<Conjunction>& alternatives);
    void remove(EntryId entry, const Registrations& registrations);

    /// Calls `take(entry)` for each candidate, some more than once, until it returns false.
    template <class Take>
    void candidates(std::string_view type, Probe& probe, Take&& take) const {
        Wanted wanted(postings_);
        const auto own = types_.find(type);
        if (own != types_.end() && !candidates_in(own->second, probe, wanted, take)) return;
        if (candidates_in(0, probe, wanted, take)) wanted.flush(take);
    }

    [[nodiscard]] std::size_t bytes() const;

  private:
    /// Extents and how many have each, in order: few, and walked for every event.
    using Counts = std::vector<std::pair<std::uint16_t, std::uint32_t>>;

    /// How entries of a partition ask for one path.
    struct PathUse {
        PathId path = 0;
        std::uint32_t equal = 0;    ///< how many by hash
        std::uint32_t distinct = 0; ///< how many literals these had, ever
        std::uint32_t distinct_prefixes = 0;
        Counts prefixes;                         ///< by length
        Counts bins;                             ///< by level
        std::multimap<double, EntryId> at_least; ///< the value must be at least this
        std::multimap<double, EntryId> at_most;
        [[nodiscard]] bool only_equal() const {
            return prefixes.empty() && bins.empty() && at_least.empty() && at_most.empty();
        }
        [[nodiscard]] bool unused() const { return equal == 0 && only_equal(); }
    };
    struct Partition {
        std::string type;
        std::vector<EntryId> always;
        std::vector<PathUse> uses;
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    /// A way to index a conjunction.
    struct Choice {
        const Condition* condition = nullptr;
        double low = 0, high = 0; ///< of a range
        bool has_low = false, has_high = false;
        double cost = 0; ///< candidates to be expected
    };

    static std::uint64_t slot_hash(std::uint32_t partition, PathId path, std::uint32_t kind,
                                   std::uint64_t value) {
        return mix(value ^ mix((std::uint64_t{partition} << 32 | path) * 64 + kind + 0x9e3779b97f4a7c15U));
    }
    static std::uint64_t bin_value(std::uint16_t level, double number, int shift);

    std::uint32_t partition_of(const std::string& type);
    PathUse& use_of(std::uint32_t partition, PathId path);
    void drop_use(std::uint32_t partition, PathId path);
    void forget_partition(std::uint32_t partition);
    Choice best(std::uint32_t partition, const Conjunction& all, const Registrations& out);
    Choice weigh(std::uint32_t partition, const Condition& condition, const Registrations& out);
    static std::vector<Choice> ranges(const Conjunction& all);
    void register_one(EntryId entry, std::uint32_t partition, const Conjunction& all, Registrations& out);
    void put_down(const Registration& at, Registrations& out);
    void register_range(EntryId entry, std::uint32_t partition, const Choice& choice, Registrations& out);

    /// The hashes that an event is looked up by: all of them first, then what stands there, so that the
    /// memory of one is on its way while another one is made.
    class Wanted {
      public:
        explicit Wanted(const Postings& postings) : postings_(postings) {}
        /// False when `take` has had enough.
        template <class Take>
        bool add(std::uint64_t hash, Take& take) {
            if (!postings_.prefetch(hash)) return true;
            hashes_[count_++] = hash;
            return count_ < hashes_.size() || flush(take);
        }
        template <class Take>
        bool flush(Take& take) {
            const auto count = std::exchange(count_, 0);
            for (std::size_t i = 0; i < count; ++i)
                for (const auto entry : postings_.find(hashes_[i]))
                    if (!take(entry)) return false;
            return true;
        }

      private:
        const Postings& postings_;
        std::size_t count_ = 0;
        std::array<std::uint64_t, 32> hashes_;
    };

    template <class Take>
    bool candidates_in(std::uint32_t number, Probe& probe, Wanted& wanted, Take& take) const {
        const auto& partition = partitions_[number];
        for (const auto entry : partition.always)
            if (!take(entry)) return false;
        for (const auto& use : partition.uses) {
            if (use.equal > 0) {
                const auto hash = probe.hash_at(use.path);
                if (hash != 0 && !wanted.add(slot_hash(number, use.path, 0, hash), take)) return false;
                if (use.only_equal()) continue;
            }
            const auto& found = probe.at(use.path);
            if (found.kind == Probe::Kind::Text) {
                for (const auto& [length, count] : use.prefixes) {
                    if (length > found.text.size()) break;
                    const auto hash = text_hash(found.text.substr(0, length));
                    if (!wanted.add(slot_hash(number, use.path, 1, hash), take)) return false;
                }
            } else if (found.kind == Probe::Kind::Number &&
                       !in_ranges(number, use, found.number, wanted, take)) {
                return false;
            }
        }
        return true;
    }

    template <class Take>
    bool in_ranges(std::uint32_t number, const PathUse& use, double value, Wanted& wanted, Take& take) const {
        // A range as wide as its bins begins in the bin of the value or in the one before.
        for (const auto& [level, count] : use.bins)
            for (const int shift : {0, -1})
                if (!wanted.add(slot_hash(number, use.path, 2, bin_value(level, value, shift)), take))
                    return false;
        for (auto at = use.at_least.begin(); at != use.at_least.end() && at->first <= value; ++at)
            if (!take(at->second)) return false;
        for (auto at = use.at_most.lower_bound(value); at != use.at_most.end(); ++at)
            if (!take(at->second)) return false;
        return true;
    }

    Paths& paths_;
    Postings postings_;
    /// Number 0 is for entries that ask for no one type.
    std::vector<Partition> partitions_;
    std::vector<std::uint32_t> free_partitions_;
    std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> types_;
};

} // namespace weir::triggers::match
