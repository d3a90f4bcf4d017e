#include <weir/triggers/join.hpp>

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <weir/triggers/join_table.hpp>

namespace weir::triggers {
namespace {

struct Held;

/// The held events of one key, linked; there are at most as many as leaves.
struct KeyState {
    std::unique_ptr<Held> first;
    int count = 0;
};
using Keys = std::unordered_map<std::string, KeyState>;
using KeyEntry = Keys::value_type;

struct Held {
    Seq seq;
    Instant time;
    KeyEntry* key; ///< null: shared by all keys
    std::unique_ptr<Held> sibling;
    Held* older = nullptr; ///< neighbours in its age list
    Held* newer = nullptr;
    int leaf;
};

/// Held events by age. They come in the order of time, so the oldest stands in front.
struct AgeList {
    Held* oldest = nullptr;
    Held* newest = nullptr;

    void push(Held* held) {
        held->older = newest;
        held->newer = nullptr;
        (newest != nullptr ? newest->newer : oldest) = held;
        newest = held;
    }
    void unlink(Held* held) {
        (held->older != nullptr ? held->older->newer : oldest) = held->newer;
        (held->newer != nullptr ? held->newer->older : newest) = held->older;
    }
};

HeldEnd end_of(SlotOld old, HeldEnd cleared) {
    switch (old) {
        case SlotOld::Superseded: return HeldEnd::Superseded;
        case SlotOld::Consumed: return HeldEnd::Consumed;
        case SlotOld::Expired: return HeldEnd::Expired;
        case SlotOld::Dropped: return HeldEnd::Dropped;
        case SlotOld::Cleared:
        case SlotOld::Stays: return cleared;
    }
    return cleared;
}

constexpr std::array<std::string_view, 6> end_names{"consumed", "superseded", "expired",
                                                    "reset",    "updated",    "dropped"};

/// Of the keys that an offer does not touch, how many it lets expire: the rest is left to the next one.
constexpr int swept_per_offer = 16;

} // namespace

std::string_view to_string(HeldEnd end) noexcept {
    return end_names[static_cast<std::size_t>(end)];
}

std::optional<HeldEnd> parse_held_end(std::string_view word) noexcept {
    for (std::size_t i = 0; i < end_names.size(); ++i)
        if (end_names[i] == word) return static_cast<HeldEnd>(i);
    return std::nullopt;
}

struct Join::Impl {
    struct LeafRule {
        bool keep = false;
        bool shared = false; ///< one slot for all keys
    };

    std::vector<LeafRule> leaves;
    int keyed_leaves = 0;
    std::optional<Duration> within;
    JoinLimits limits;

    Keys keys;
    std::vector<std::unique_ptr<Held>> shared; ///< by leaf; null where empty or not shared
    /// Keys that wait for shared leaves alone. Empty if there are none of these.
    std::unordered_set<KeyEntry*> ready;
    AgeList aging; ///< ended by `within`
    AgeList kept;  ///< held under a key by `keep` leaves
    std::size_t held_count = 0;

    explicit Impl(const When& when, JoinLimits l) : within(when.within), limits(l) {
        for (std::size_t i = 0; i < when.leaves.size(); ++i) {
            const bool keep = when.leaves[i].keep;
            leaves.push_back({keep, keep && !when.keys[i]});
            if (!leaves.back().shared) ++keyed_leaves;
        }
        shared.resize(leaves.size());
    }

    [[nodiscard]] bool has_shared() const { return keyed_leaves < static_cast<int>(leaves.size()); }
    [[nodiscard]] const LeafRule& rule(int leaf) const { return leaves[static_cast<std::size_t>(leaf)]; }
    [[nodiscard]] bool dead(const Held& held, Instant now) const {
        return within && !rule(held.leaf).keep && now - held.time > *within;
    }
    [[nodiscard]] AgeList& list_of(int leaf) { return rule(leaf).keep ? kept : aging; }

    static Held* find(const KeyState& state, int leaf) {
        for (auto* held = state.first.get(); held != nullptr; held = held->sibling.get())
            if (held->leaf == leaf) return held;
        return nullptr;
    }
    [[nodiscard]] Held* slot(const KeyEntry* key, int leaf) const {
        return rule(leaf).shared ? shared[static_cast<std::size_t>(leaf)].get() : find(key->second, leaf);
    }

    // The two ways in which the held events change.

    void insert(KeyEntry* key, int leaf, Seq seq, Instant time) {
        auto held = std::make_unique<Held>(
            Held{seq, time, rule(leaf).shared ? nullptr : key, nullptr, nullptr, nullptr, leaf});
        ++held_count;
        if (rule(leaf).shared) {
            shared[static_cast<std::size_t>(leaf)] = std::move(held);
            return;
        }
        list_of(leaf).push(held.get());
        auto& state = key->second;
        held->sibling = std::move(state.first);
        state.first = std::move(held);
        if (++state.count == keyed_leaves && has_shared()) ready.insert(key);
    }

    void erase(Held* held) {
        --held_count;
        if (held->key == nullptr) {
            shared[static_cast<std::size_t>(held->leaf)].reset();
            return;
        }
        list_of(held->leaf).unlink(held);
        auto& state = held->key->second;
        if (state.count-- == keyed_leaves) ready.erase(held->key);
        auto* link = &state.first;
        while (link->get() != held)
            link = &(*link)->sibling;
        *link = std::move(held->sibling);
    }

    /// Does to one slot what its row of the table says.
    void apply(JoinStep& step, KeyEntry* key, int leaf, SlotInput input, Seq seq, Instant time,
               HeldEnd cleared = HeldEnd::Updated) {
        auto* held = slot(key, leaf);
        const auto& row =
            slot_row(rule(leaf).keep, held != nullptr ? SlotState::Held : SlotState::Empty, input);
        expects(row.possible, "a join took a step that its table does not have");
        if (row.old != SlotOld::Stays) {
            step.left.push_back({leaf, held->key != nullptr ? held->key->first : std::string(), held->seq,
                                 end_of(row.old, cleared)});
            erase(held);
        }
        if (row.enters) {
            step.entered.push_back({leaf, rule(leaf).shared ? std::string() : key->first, seq, time});
            insert(key, leaf, seq, time);
        }
    }

    void forget_if_empty(KeyEntry* key) {
        if (key->second.count == 0) keys.erase(keys.find(key->first));
    }

    void expire(JoinStep& step, KeyEntry* key, Instant now) {
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
            if (leaves[leaf].shared) continue;
            const auto* held = find(key->second, static_cast<int>(leaf));
            if (held != nullptr && dead(*held, now))
                apply(step, key, static_cast<int>(leaf), SlotInput::Ages, {}, now);
        }
    }

    void expire_oldest(JoinStep& step, Instant now, int limit) {
        while (limit-- > 0 && within && aging.oldest != nullptr && dead(*aging.oldest, now)) {
            auto* key = aging.oldest->key;
            apply(step, key, aging.oldest->leaf, SlotInput::Ages, {}, now);
            forget_if_empty(key);
        }
    }

    void drop_oldest_key(JoinStep& step) {
        auto* held = aging.oldest;
        if (kept.oldest != nullptr && (held == nullptr || kept.oldest->seq < held->seq)) held = kept.oldest;
        if (held == nullptr) return;
        auto* key = held->key;
        while (key->second.first)
            apply(step, key, key->second.first->leaf, SlotInput::Drops, {}, held->time);
        forget_if_empty(key);
    }

    /// True if every leaf has an event for the key, those that `filled` marks from the event just offered.
    [[nodiscard]] bool complete(const KeyEntry* key, const std::vector<bool>& filled) const {
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf)
            if (!filled[leaf] && slot(key, static_cast<int>(leaf)) == nullptr) return false;
        return true;
    }

    void fire(JoinStep& step, KeyEntry* key, const std::vector<bool>& filled, Seq seq, Instant time) {
        JoinFiring firing{key->first, {}};
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            const int leaf = static_cast<int>(i);
            firing.used.emplace_back(leaf, filled[i] ? seq : slot(key, leaf)->seq);
            // Shared slots take the offered event once, whatever number of keys fires with it.
            if (filled[i] && leaves[i].shared) continue;
            apply(step, key, leaf, filled[i] ? SlotInput::Completes : SlotInput::Fires, seq, time);
        }
        step.firings.push_back(std::move(firing));
    }

    JoinStep offer(Seq seq, Instant time, std::span<const LeafHit> hits);
};

JoinStep Join::Impl::offer(Seq seq, Instant time, std::span<const LeafHit> hits) {
    JoinStep step;
    std::vector<KeyEntry*> touched;
    std::vector<std::pair<KeyEntry*, int>> filled_keyed;
    std::vector<bool> filled_shared(leaves.size());
    bool any_shared = false;
    for (const auto& hit : hits) {
        if (rule(hit.leaf).shared) {
            filled_shared[static_cast<std::size_t>(hit.leaf)] = any_shared = true;
            continue;
        }
        auto* key = &*keys.try_emplace(hit.key.value_or(std::string())).first;
        if (std::find(touched.begin(), touched.end(), key) == touched.end()) touched.push_back(key);
        filled_keyed.emplace_back(key, hit.leaf);
    }
    for (auto* key : touched)
        expire(step, key, time);
    const auto hit_keys = touched.size();
    if (any_shared) {
        // Without any keyed leaf there is one key, which holds nothing and is always waiting.
        if (keyed_leaves == 0) touched.push_back(&*keys.try_emplace(std::string()).first);
        const std::vector<KeyEntry*> waiting(ready.begin(), ready.end());
        for (auto* key : waiting)
            if (std::find(touched.begin(), touched.begin() + static_cast<std::ptrdiff_t>(hit_keys), key) ==
                touched.begin() + static_cast<std::ptrdiff_t>(hit_keys)) {
                expire(step, key, time);
                touched.push_back(key);
            }
        for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf)
            if (filled_shared[leaf])
                apply(step, nullptr, static_cast<int>(leaf), SlotInput::Waits, seq, time);
    }
    std::sort(touched.begin(), touched.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    for (auto* key : touched) {
        auto filled = filled_shared;
        for (const auto& [hit_key, leaf] : filled_keyed)
            if (hit_key == key) filled[static_cast<std::size_t>(leaf)] = true;
        if (complete(key, filled)) {
            fire(step, key, filled, seq, time);
        } else {
            for (const auto& [hit_key, leaf] : filled_keyed)
                if (hit_key == key) apply(step, key, leaf, SlotInput::Waits, seq, time);
        }
    }
    for (auto* key : touched)
        forget_if_empty(key);
    while (keys.size() > limits.keys_max) {
        const auto before = keys.size();
        drop_oldest_key(step);
        if (keys.size() == before) break;
    }
    expire_oldest(step, time, swept_per_offer);
    return step;
}

Join::Join(const When& when, JoinLimits limits) : impl_(std::make_unique<Impl>(when, limits)) {}
Join::~Join() = default;
Join::Join(Join&&) noexcept = default;
Join& Join::operator=(Join&&) noexcept = default;

JoinStep Join::offer(Seq seq, Instant time, std::span<const LeafHit> hits) {
    return impl_->offer(seq, time, hits);
}

JoinStep Join::sweep(Instant now) {
    JoinStep step;
    impl_->expire_oldest(step, now, std::numeric_limits<int>::max());
    return step;
}

JoinStep Join::clear(std::span<const int> leaves, HeldEnd why) {
    JoinStep step;
    for (const int leaf : leaves) {
        if (impl_->rule(leaf).shared) {
            if (impl_->slot(nullptr, leaf) != nullptr)
                impl_->apply(step, nullptr, leaf, SlotInput::Clears, {}, {}, why);
            continue;
        }
        std::vector<KeyEntry*> holding;
        const auto& list = impl_->list_of(leaf);
        for (auto* held = list.oldest; held != nullptr; held = held->newer)
            if (held->leaf == leaf) holding.push_back(held->key);
        for (auto* key : holding) {
            impl_->apply(step, key, leaf, SlotInput::Clears, {}, {}, why);
            impl_->forget_if_empty(key);
        }
    }
    return step;
}

void Join::restore(int leaf, std::string_view key, Seq seq, Instant time) {
    KeyEntry* entry = nullptr;
    if (!impl_->rule(leaf).shared) entry = &*impl_->keys.try_emplace(std::string(key)).first;
    expects(impl_->slot(entry, leaf) == nullptr, "a held event restored twice");
    impl_->insert(entry, leaf, seq, time);
}

Waiting Join::waiting(std::string_view key, Instant now) const {
    Waiting waiting{std::string(key), {}, {}, std::nullopt};
    const auto found = impl_->keys.find(waiting.key);
    for (std::size_t i = 0; i < impl_->leaves.size(); ++i) {
        const int leaf = static_cast<int>(i);
        const Held* held = nullptr;
        if (impl_->rule(leaf).shared || found != impl_->keys.end())
            held = impl_->slot(found != impl_->keys.end() ? &*found : nullptr, leaf);
        if (held == nullptr || impl_->dead(*held, now)) {
            waiting.missing.push_back(leaf);
            continue;
        }
        waiting.held.push_back({leaf, held->seq, held->time});
        if (impl_->within && !impl_->rule(leaf).keep) {
            const auto end = held->time + *impl_->within;
            if (!waiting.until || end < *waiting.until) waiting.until = end;
        }
    }
    return waiting;
}

std::vector<Waiting> Join::waiting(Instant now, std::size_t limit) const {
    std::vector<std::string_view> keys;
    for (const auto& [key, state] : impl_->keys)
        for (const auto* held = state.first.get(); held != nullptr; held = held->sibling.get())
            if (!impl_->dead(*held, now)) {
                keys.push_back(key);
                break;
            }
    // Where there is one key at most, shared events alone are worth telling too.
    const bool unkeyed = keys.empty() && std::any_of(impl_->shared.begin(), impl_->shared.end(),
                                                     [](const auto& held) { return held != nullptr; });
    if (unkeyed) keys.push_back({});
    const auto shown = std::min(limit, keys.size());
    std::partial_sort(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(shown), keys.end());
    std::vector<Waiting> all;
    for (std::size_t i = 0; i < shown; ++i)
        all.push_back(waiting(keys[i], now));
    return all;
}

std::vector<HeldEnter> Join::held() const {
    std::vector<HeldEnter> all;
    all.reserve(impl_->held_count);
    for (const auto* list : {&impl_->aging, &impl_->kept})
        for (const auto* held = list->oldest; held != nullptr; held = held->newer)
            all.push_back({held->leaf, held->key == nullptr ? std::string() : std::string(held->key->first),
                           held->seq, held->time});
    for (const auto& held : impl_->shared)
        if (held) all.push_back({held->leaf, {}, held->seq, held->time});
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return std::tie(a.seq, a.leaf) < std::tie(b.seq, b.leaf); });
    return all;
}

std::size_t Join::size() const {
    return impl_->held_count;
}
std::size_t Join::keys() const {
    return impl_->keys.size();
}

std::optional<Instant> Join::oldest() const {
    if (!impl_->within || impl_->aging.oldest == nullptr) return std::nullopt;
    return impl_->aging.oldest->time;
}

} // namespace weir::triggers
