#include "candidate_index.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weir::triggers::match {
namespace {

using Kind = CandidateIndex::Registration::Kind;
using Op = cel::Comparison::Op;

constexpr std::size_t in_literals_max = 64;
constexpr std::size_t types_max = 16;        ///< of one `in`; more are not split into partitions
constexpr std::size_t prefix_bytes_max = 64; ///< longer ones are cut: a candidate more, a length less
constexpr int level_bias = 1100;             ///< levels are exponents of two, -1074..1024, shifted above zero

// A way to index costs what it adds to an event: how likely the event has the literal (one in as many as the
// path has had) times the candidates that stand there then. Ranges have no literals; these are their fixed
// prices, above that of a path never seen, which must be tried to become known.
// So is that of an expression that this partition has not computed yet for any event.
constexpr double bin_cost = 2, half_open_cost = 10, computed_cost = 3;

std::string_view prefix_of(const Condition& condition) {
    return condition.literals.front().as_string().substr(0, prefix_bytes_max);
}

using Counts = std::vector<std::pair<std::uint16_t, std::uint32_t>>;

Counts::iterator place_of(Counts& counts, std::uint16_t extent) {
    return std::lower_bound(counts.begin(), counts.end(), extent,
                            [](const auto& each, std::uint16_t wanted) { return each.first < wanted; });
}
void count_up(Counts& counts, std::uint16_t extent) {
    auto at = place_of(counts, extent);
    if (at == counts.end() || at->first != extent) at = counts.insert(at, {extent, 0});
    ++at->second;
}
void count_down(Counts& counts, std::uint16_t extent) {
    const auto at = place_of(counts, extent);
    if (--at->second == 0) counts.erase(at);
}

std::uint16_t level_of(double low, double high) {
    const auto width = high - low;
    const int exponent = width > 0 ? std::ilogb(width) + 1 : -level_bias;
    // Below, numbers of this size stand further apart than the width; the bins need not be finer.
    const int finest = std::ilogb(std::max({std::abs(low), std::abs(high), 1e-300})) - 52;
    return static_cast<std::uint16_t>(std::max(exponent, finest) + level_bias);
}

} // namespace

std::uint64_t CandidateIndex::bin_value(std::uint16_t level, double number, int shift) {
    const double bin = std::floor(std::ldexp(number, level_bias - level)) + shift;
    return mix(std::bit_cast<std::uint64_t>(bin == 0 ? 0.0 : bin) + level);
}

std::uint32_t CandidateIndex::partition_of(const std::string& type) {
    const auto [at, is_new] = types_.emplace(type, 0);
    if (!is_new) return at->second;
    if (free_partitions_.empty()) {
        at->second = static_cast<std::uint32_t>(partitions_.size());
        partitions_.emplace_back();
    } else {
        at->second = free_partitions_.back();
        free_partitions_.pop_back();
    }
    partitions_[at->second].type = type;
    return at->second;
}

void CandidateIndex::forget_partition(std::uint32_t number) {
    auto& partition = partitions_[number];
    if (number == 0 || !partition.always.empty() || !partition.uses.empty()) return;
    types_.erase(partition.type);
    partition = Partition{};
    free_partitions_.push_back(number);
}

CandidateIndex::PathUse& CandidateIndex::use_of(std::uint32_t partition, PathId path) {
    auto& uses = partitions_[partition].uses;
    const auto found =
        std::find_if(uses.begin(), uses.end(), [&](const PathUse& use) { return use.path == path; });
    if (found != uses.end()) return *found;
    uses.emplace_back();
    uses.back().path = path;
    return uses.back();
}

void CandidateIndex::drop_use(std::uint32_t partition, PathId path) {
    std::erase_if(partitions_[partition].uses,
                  [&](const PathUse& use) { return use.path == path && use.unused(); });
}

/// What a condition by itself offers; cost infinite if nothing.
CandidateIndex::Choice CandidateIndex::weigh(std::uint32_t partition, const Condition& condition,
                                             const Registrations& out) {
    Choice choice{&condition, 0, 0, false, false, std::numeric_limits<double>::infinity()};
    const PathUse* use = nullptr;
    for (const auto& each : partitions_[partition].uses)
        if (each.path == condition.path) use = &each;
    const auto price = [&](std::uint32_t kind, std::uint64_t value) {
        if (use == nullptr) return paths_.is_computed(condition.path) ? computed_cost : 1.0;
        const auto hash = slot_hash(partition, condition.path, kind, value);
        // Where the entry stands already for another alternative it costs nothing more.
        for (const auto& at : out)
            if (at.hash == hash) return 0.0;
        const auto seen = kind == 0 ? use->distinct : use->distinct_prefixes;
        return static_cast<double>(postings_.find(hash).size() + 1) / (1.0 + seen);
    };
    const auto& literals = condition.literals;
    const bool hashable = std::all_of(literals.begin(), literals.end(),
                                      [](const cel::Value& literal) { return value_hash(literal) != 0; });
    if ((condition.op == Op::Equal || condition.op == Op::In) && hashable &&
        literals.size() <= in_literals_max) {
        choice.cost = 0;
        for (const auto& literal : literals)
            choice.cost += price(0, value_hash(literal));
    } else if (condition.op == Op::Prefix && !prefix_of(condition).empty()) {
        choice.cost = price(1, text_hash(prefix_of(condition)));
    }
    return choice;
}

/// The bounds that a conjunction sets for numbers, by path.
std::vector<CandidateIndex::Choice> CandidateIndex::ranges(const Conjunction& all) {
    std::vector<Choice> found;
    for (const auto& condition : all) {
        const bool is_low = condition.op == Op::Greater || condition.op == Op::GreaterEqual;
        if (!is_low && condition.op != Op::Less && condition.op != Op::LessEqual) continue;
        const auto bound = number_of(condition.literals.front());
        if (!bound) continue;
        auto at = std::find_if(found.begin(), found.end(), [&](const Choice& choice) {
            return choice.condition->path == condition.path;
        });
        if (at == found.end()) at = found.insert(at, Choice{&condition, 0, 0, false, false, 0});
        // Bounds count as inclusive here: a candidate too many at the very edge.
        if (is_low) {
            at->low = at->has_low ? std::max(at->low, *bound) : *bound;
            at->has_low = true;
        } else {
            at->high = at->has_high ? std::min(at->high, *bound) : *bound;
            at->has_high = true;
        }
        at->cost = at->has_low && at->has_high ? bin_cost : half_open_cost;
    }
    return found;
}

CandidateIndex::Choice CandidateIndex::best(std::uint32_t partition, const Conjunction& all,
                                            const Registrations& out) {
    auto choices = ranges(all);
    for (const auto& condition : all)
        if (partition == 0 || condition.path != Paths::type)
            choices.push_back(weigh(partition, condition, out));
    Choice best{nullptr, 0, 0, false, false, std::numeric_limits<double>::infinity()};
    for (const auto& choice : choices)
        if (choice.cost < best.cost) best = choice;
    return best;
}

void CandidateIndex::put_down(const Registration& at, Registrations& out) {
    paths_.hold(at.path);
    out.push_back(at);
}

void CandidateIndex::register_range(EntryId entry, std::uint32_t partition, const Choice& choice,
                                    Registrations& out) {
    const auto path = choice.condition->path;
    auto& use = use_of(partition, path);
    if (choice.has_low && choice.has_high) {
        const auto level = level_of(choice.low, std::max(choice.low, choice.high));
        const auto hash = slot_hash(partition, path, 2, bin_value(level, choice.low, 0));
        count_up(use.bins, level);
        postings_.add(hash, entry);
        return put_down({hash, 0, partition, path, level, Kind::Bin}, out);
    }
    const double bound = choice.has_low ? choice.low : choice.high;
    (choice.has_low ? use.at_least : use.at_most).emplace(bound, entry);
    put_down({0, bound, partition, path, 0, choice.has_low ? Kind::AtLeast : Kind::AtMost}, out);
}

void CandidateIndex::register_one(EntryId entry, std::uint32_t partition, const Conjunction& all,
                                  Registrations& out) {
    const auto choice = best(partition, all, out);
    if (choice.condition == nullptr) {
        partitions_[partition].always.push_back(entry);
        out.push_back({0, 0, partition, 0, 0, Kind::Always});
        return;
    }
    if (choice.has_low || choice.has_high) return register_range(entry, partition, choice, out);
    const auto path = choice.condition->path;
    auto& use = use_of(partition, path);
    if (choice.condition->op == Op::Prefix) {
        const auto prefix = prefix_of(*choice.condition);
        const auto length = static_cast<std::uint16_t>(prefix.size());
        const auto hash = slot_hash(partition, path, 1, text_hash(prefix));
        count_up(use.prefixes, length);
        if (postings_.add(hash, entry)) ++use.distinct_prefixes;
        return put_down({hash, 0, partition, path, length, Kind::Prefix}, out);
    }
    for (const auto& literal : choice.condition->literals) {
        const auto hash = slot_hash(partition, path, 0, value_hash(literal));
        // Another alternative of the entry may stand there already; then it is a candidate as it is.
        if (std::any_of(out.begin(), out.end(), [&](const Registration& at) { return at.hash == hash; }))
            continue;
        ++use.equal;
        if (postings_.add(hash, entry)) ++use.distinct;
        put_down({hash, 0, partition, path, 0, Kind::Hash}, out);
    }
}

CandidateIndex::Registrations CandidateIndex::add(EntryId entry,
                                                  const std::vector<Conjunction>& alternatives) {
    Registrations out;
    for (const auto& all : alternatives) {
        const auto one_type = std::find_if(all.begin(), all.end(), [](const Condition& condition) {
            return condition.path == Paths::type && (condition.op == Op::Equal || condition.op == Op::In) &&
                   condition.literals.size() <= types_max &&
                   std::all_of(condition.literals.begin(), condition.literals.end(),
                               [](const cel::Value& literal) { return literal.is_string(); });
        });
        if (one_type == all.end()) {
            register_one(entry, 0, all, out);
            continue;
        }
        for (const auto& literal : one_type->literals)
            register_one(entry, partition_of(std::string(literal.as_string())), all, out);
    }
    out.shrink_to_fit();
    return out;
}

void CandidateIndex::remove(EntryId entry, const Registrations& registrations) {
    const auto take_out = [&](std::multimap<double, EntryId>& from, double bound) {
        const auto [first, last] = from.equal_range(bound);
        const auto found = std::find_if(first, last, [&](const auto& each) { return each.second == entry; });
        if (found != last) from.erase(found);
    };
    for (const auto& at : registrations) {
        if (at.kind == Kind::Always) {
            auto& always = partitions_[at.partition].always;
            const auto found = std::find(always.rbegin(), always.rend(), entry);
            if (found != always.rend()) {
                *found = always.back();
                always.pop_back();
            }
        } else {
            auto& use = use_of(at.partition, at.path);
            if (at.kind == Kind::AtLeast) take_out(use.at_least, at.bound);
            if (at.kind == Kind::AtMost) take_out(use.at_most, at.bound);
            if (at.kind == Kind::Hash) --use.equal;
            if (at.kind == Kind::Prefix) count_down(use.prefixes, at.extent);
            if (at.kind == Kind::Bin) count_down(use.bins, at.extent);
            if (at.kind == Kind::Hash || at.kind == Kind::Prefix || at.kind == Kind::Bin)
                postings_.remove(at.hash, entry);
            drop_use(at.partition, at.path);
            paths_.release(at.path);
        }
        forget_partition(at.partition);
    }
}

std::size_t CandidateIndex::bytes() const {
    // Tree and table nodes: their payload and what an allocation costs besides.
    constexpr std::size_t node = 64;
    auto bytes = postings_.bytes() + partitions_.capacity() * sizeof(Partition) + types_.size() * node * 2;
    for (const auto& partition : partitions_) {
        bytes += partition.always.capacity() * sizeof(EntryId) + partition.uses.capacity() * sizeof(PathUse);
        for (const auto& use : partition.uses)
            bytes += (use.at_least.size() + use.at_most.size()) * node +
                     (use.prefixes.capacity() + use.bins.capacity()) * sizeof(Counts::value_type);
    }
    return bytes;
}

} // namespace weir::triggers::match
