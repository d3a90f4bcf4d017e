#include <weir/triggers/matcher.hpp>

#include <algorithm>
#include <unordered_map>

#include "match/candidate_index.hpp"

namespace weir::triggers {
namespace {

using match::CandidateIndex;
using match::Conjunction;
using match::EntryId;
using match::PathId;
using Comparison = cel::Comparison;

using Comparisons = std::vector<cel::Comparison>;

void add_glob(Comparisons& out, std::vector<std::string> path, const std::string& glob) {
    const auto star = glob.find('*');
    if (star == std::string::npos)
        out.push_back({std::move(path), Comparison::Op::Equal, {cel::Value::string(glob)}, {}});
    else if (star > 0)
        out.push_back(
            {std::move(path), Comparison::Op::Prefix, {cel::Value::string(glob.substr(0, star))}, {}});
}

/// What a leaf's pattern asks, as far as an index can use it.
Comparisons pattern_conditions(const Pattern& pattern) {
    Comparisons out;
    if (const auto* event = std::get_if<EventPattern>(&pattern)) {
        add_glob(out, {"type"}, event->type);
        if (!event->source.empty()) add_glob(out, {"source"}, event->source);
        if (!event->subject.empty()) add_glob(out, {"subject"}, event->subject);
    } else if (const auto* finish = std::get_if<FinishPattern>(&pattern)) {
        out.push_back({{"type"}, Comparison::Op::Equal, {cel::Value::borrowed(finish_type)}, {}});
        add_glob(out, {"data", "flow"}, finish->flow);
        add_glob(out, {"data", "team"}, finish->team);
        std::vector<cel::Value> outcomes;
        for (const auto& outcome : finish->outcomes)
            outcomes.push_back(cel::Value::string(outcome));
        out.push_back({{"data", "outcome"}, Comparison::Op::In, std::move(outcomes), {}});
    }
    return out;
}

/// A path of an expression as one of the event: `run` is the settlement's data. False: none that can be
/// looked up.
bool to_event(cel::Comparison& comparison) {
    auto& path = comparison.path;
    if (!comparison.computed.empty()) return true;
    if (path.size() < 2) return false;
    if (path[0] != "run") {
        path.erase(path.begin());
        return true;
    }
    path[0] = "data";
    if (path[1] != "id") return true;
    // The run's own id is put over a member of that name.
    if (path.size() > 2) return false;
    path.clear();
    comparison.computed = "run.id";
    return true;
}

/// The operands of comparisons by their numbers, held as long as this lives.
class Operands {
  public:
    explicit Operands(match::Paths& paths) : paths_(paths) {}
    ~Operands() {
        for (const auto id : held_)
            paths_.release(id);
    }
    Operands(const Operands&) = delete;
    Operands& operator=(const Operands&) = delete;

    /// False if an operand cannot have a number: then the comparison is left out.
    bool add(Conjunction& out, cel::Comparison comparison) {
        const auto id = paths_.acquire(comparison.path, comparison.computed);
        if (!id) return false;
        held_.push_back(*id);
        out.push_back({*id, comparison.op, std::move(comparison.literals)});
        return true;
    }
    Conjunction all(Comparisons comparisons) {
        Conjunction out;
        for (auto& comparison : comparisons)
            add(out, std::move(comparison));
        return out;
    }

  private:
    match::Paths& paths_;
    std::vector<PathId> held_;
};

/// What the index and the filter make of a leaf's condition.
struct Lifted {
    std::vector<Conjunction> alternatives;
    bool exact = false; ///< nothing is left to evaluate
};

Lifted lift(cel::Necessary necessary, Operands& operands) {
    Lifted out{{}, necessary.exact};
    for (auto& alternative : necessary.alternatives) {
        auto& all = out.alternatives.emplace_back();
        for (auto& comparison : alternative)
            if (!to_event(comparison) || !operands.add(all, std::move(comparison))) out.exact = false;
    }
    return out;
}

/// One text per pattern, so that thousands of triggers with the same one are looked at once.
std::string pattern_text(const Pattern& pattern) {
    std::string out;
    if (const auto* event = std::get_if<EventPattern>(&pattern)) {
        for (const auto& part : {event->type, event->source, event->subject})
            append_field(out, part);
    } else if (const auto* finish = std::get_if<FinishPattern>(&pattern)) {
        for (const auto& part : {finish->flow, finish->team})
            append_field(out, part);
        for (const auto& outcome : finish->outcomes)
            append_field(out, outcome);
    }
    return out;
}

} // namespace

struct Matcher::Impl {
    /// What an event's candidate is looked at by; all of it in two neighbouring cache lines, for these lie
    /// far apart.
    struct alignas(128) LeafEntry {
        std::int64_t trigger = 0;
        std::uint64_t seen = 0; ///< the event it was last a candidate of
        int leaf = 0;
        EntryId pattern = 0;
        bool has_where = false;
        bool exact = false;                  ///< `filter` says all that `where` says
        match::Filter filter;                ///< what `where` asks for at least
        const cel::Program* where = nullptr; ///< once it was needed
        const CompiledTrigger* compiled = nullptr;
    };
    /// A pattern that some leaves share; one of them stands for it.
    struct PatternEntry {
        std::uint64_t seen = 0; ///< the event for which `met` holds
        bool met = false;
        std::vector<EntryId> leaves;
        CandidateIndex::Registrations registrations;
    };
    struct TriggerEntry {
        std::shared_ptr<const CompiledTrigger> compiled;
        std::vector<std::pair<EntryId, CandidateIndex::Registrations>> leaves;
    };

    match::Paths paths;
    match::Probe probe{paths};
    CandidateIndex leaves{paths};
    CandidateIndex patterns{paths};
    std::vector<LeafEntry> entries;
    std::vector<EntryId> free_entries;
    std::vector<PatternEntry> pattern_entries;
    std::vector<EntryId> free_patterns;
    std::unordered_map<std::string, EntryId> pattern_ids;
    std::unordered_map<std::int64_t, TriggerEntry> triggers;
    std::vector<EntryId> candidates; ///< of the event at hand
    std::uint64_t event_number = 0;
    std::uint64_t evaluated = 0;

    template <class Entry>
    static EntryId make(std::vector<Entry>& all, std::vector<EntryId>& unused) {
        if (unused.empty()) {
            all.emplace_back();
            return static_cast<EntryId>(all.size() - 1);
        }
        const auto id = unused.back();
        unused.pop_back();
        return id;
    }

    [[nodiscard]] static const Pattern& pattern_of(const LeafEntry& entry) {
        return entry.compiled->trigger().when.leaves[static_cast<std::size_t>(entry.leaf)].pattern;
    }

    void add_leaf(std::int64_t trigger, TriggerEntry& owner, int leaf) {
        const auto id = make(entries, free_entries);
        auto& entry = entries[id];
        entry = LeafEntry{};
        entry.trigger = trigger;
        entry.leaf = leaf;
        entry.has_where = owner.compiled->has_where(leaf);
        entry.compiled = owner.compiled.get();
        Operands operands(paths);
        auto lifted = lift(owner.compiled->necessary(leaf), operands);
        bool whole = false;
        entry.filter = match::Filter(lifted.alternatives, paths, whole);
        entry.exact = lifted.exact && whole;
        const auto pattern = operands.all(pattern_conditions(pattern_of(entry)));
        if (lifted.alternatives.empty()) lifted.alternatives.emplace_back();
        for (auto& all : lifted.alternatives)
            all.insert(all.begin(), pattern.begin(), pattern.end());
        owner.leaves.emplace_back(id, leaves.add(id, lifted.alternatives));
        const auto [known, is_new] = pattern_ids.emplace(pattern_text(pattern_of(entry)), 0);
        if (is_new) {
            known->second = make(pattern_entries, free_patterns);
            pattern_entries[known->second].registrations = patterns.add(known->second, {pattern});
        }
        entry.pattern = known->second;
        pattern_entries[entry.pattern].leaves.push_back(id);
    }

    void remove_leaf(EntryId id, const CandidateIndex::Registrations& registrations) {
        auto& entry = entries[id];
        auto& pattern = pattern_entries[entry.pattern];
        const auto found = std::find(pattern.leaves.rbegin(), pattern.leaves.rend(), id);
        *found = pattern.leaves.back();
        pattern.leaves.pop_back();
        if (pattern.leaves.empty()) {
            pattern_ids.erase(pattern_text(pattern_of(entry)));
            patterns.remove(entry.pattern, pattern.registrations);
            pattern = PatternEntry{};
            free_patterns.push_back(entry.pattern);
        }
        leaves.remove(id, registrations);
        entry.filter.release(paths);
        entry = LeafEntry{};
        free_entries.push_back(id);
    }

    /// Looks at each pattern once for an event, whatever number of leaves has it.
    bool pattern_meets(EntryId id, EventView& event) {
        auto& pattern = pattern_entries[id];
        if (std::exchange(pattern.seen, event_number) != event_number) {
            const auto& entry = entries[pattern.leaves.front()];
            pattern.met = entry.compiled->pattern_meets(entry.leaf, event);
        }
        return pattern.met;
    }

    bool where_holds(LeafEntry& entry, EventView& event) {
        if (!entry.has_where) return true;
        if (!entry.filter.holds(probe)) return false;
        if (entry.exact) return true;
        if (entry.where == nullptr) entry.where = entry.compiled->where_program(entry.leaf);
        return entry.where != nullptr && entry.where->matches(match::EventBindings(event));
    }

    void match(EventView& event, Match& out) {
        out.hits.clear();
        out.pattern_met = false;
        ++event_number;
        probe.start(event);
        const auto& type = event.event().type;
        // All of them first, so that the memory of each is on its way while another one is looked at.
        candidates.clear();
        leaves.candidates(type, probe, [&](EntryId id) {
            const auto* const entry = reinterpret_cast<const char*>(&entries[id]);
            __builtin_prefetch(entry, 1);
            __builtin_prefetch(entry + 64);
            candidates.push_back(id);
            return true;
        });
        for (const auto id : candidates) {
            auto& entry = entries[id];
            if (std::exchange(entry.seen, event_number) == event_number) continue;
            ++evaluated;
            if (!pattern_meets(entry.pattern, event)) continue;
            out.pattern_met = true;
            if (where_holds(entry, event)) out.hits.push_back({entry.trigger, entry.leaf});
        }
        if (out.hits.size() > 1) std::sort(out.hits.begin(), out.hits.end());
        if (out.pattern_met) return;
        patterns.candidates(type, probe, [&](EntryId id) {
            out.pattern_met = pattern_meets(id, event);
            return !out.pattern_met;
        });
    }
};

Matcher::Matcher() : impl_(std::make_unique<Impl>()) {}
Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

void Matcher::add(std::int64_t trigger, std::shared_ptr<const CompiledTrigger> compiled) {
    remove(trigger);
    auto& owner = impl_->triggers[trigger];
    owner.compiled = std::move(compiled);
    const auto& all = owner.compiled->trigger().when.leaves;
    for (std::size_t leaf = 0; leaf < all.size(); ++leaf)
        if (!std::holds_alternative<SchedulePattern>(all[leaf].pattern))
            impl_->add_leaf(trigger, owner, static_cast<int>(leaf));
    owner.leaves.shrink_to_fit();
}

void Matcher::remove(std::int64_t trigger) {
    const auto found = impl_->triggers.find(trigger);
    if (found == impl_->triggers.end()) return;
    for (const auto& [id, registrations] : found->second.leaves)
        impl_->remove_leaf(id, registrations);
    impl_->triggers.erase(found);
}

std::size_t Matcher::size() const {
    return impl_->triggers.size();
}

Matcher::Match Matcher::match(EventView& event) {
    Match out;
    impl_->match(event, out);
    return out;
}

void Matcher::match(EventView& event, Match& out) {
    impl_->match(event, out);
}

std::uint64_t Matcher::evaluations() const {
    return impl_->evaluated;
}

std::size_t Matcher::index_bytes() const {
    constexpr std::size_t node = 64; // of a hash table, with what an allocation costs
    auto bytes = impl_->leaves.bytes() + impl_->patterns.bytes() + impl_->paths.bytes() +
                 impl_->entries.capacity() * sizeof(Impl::LeafEntry) +
                 impl_->pattern_entries.capacity() * sizeof(Impl::PatternEntry) +
                 impl_->pattern_ids.size() * node * 2 + impl_->triggers.size() * node * 2;
    for (const auto& [id, trigger] : impl_->triggers) {
        bytes += trigger.leaves.capacity() * sizeof(trigger.leaves.front());
        for (const auto& leaf : trigger.leaves)
            bytes += leaf.second.capacity() * sizeof(CandidateIndex::Registration);
    }
    for (const auto& entry : impl_->entries)
        bytes += entry.filter.bytes();
    for (const auto& pattern : impl_->pattern_entries)
        bytes += pattern.leaves.capacity() * sizeof(EntryId);
    return bytes;
}

} // namespace weir::triggers
