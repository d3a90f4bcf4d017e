#include <algorithm>
#include <set>

#include <weir/triggers/reference.hpp>

namespace weir::triggers::reference {

JoinModel::JoinModel(const When& when) : when_(when) {}

/// Every key ever offered; the empty one stands for joins without keys.
std::vector<std::string> JoinModel::keys() const {
    std::set<std::string> all;
    for (const auto& offer : offers_)
        for (const auto& hit : offer.hits)
            if (!shared(static_cast<std::size_t>(hit.leaf))) all.insert(hit.key.value_or(""));
    const bool only_shared = std::all_of(when_.leaves.begin(), when_.leaves.end(), [&](const Leaf& leaf) {
        return shared(static_cast<std::size_t>(&leaf - when_.leaves.data()));
    });
    if (only_shared) all.insert("");
    return {all.begin(), all.end()};
}

/// The newest event of the leaf for the key, unless it was used up or is too old.
std::optional<HeldEnter> JoinModel::newest(std::size_t leaf, const std::string& key, Instant now) const {
    bool used = false;
    for (auto offer = offers_.rbegin(); offer != offers_.rend(); ++offer) {
        used = used || std::count(offer->fired.begin(), offer->fired.end(), key) > 0;
        for (const auto& hit : offer->hits) {
            if (hit.leaf != static_cast<int>(leaf) || (!shared(leaf) && hit.key.value_or("") != key))
                continue;
            const bool keep = when_.leaves[leaf].keep;
            const bool old = when_.within && now - offer->time > *when_.within;
            if (!keep && (used || old)) return std::nullopt;
            return HeldEnter{hit.leaf, shared(leaf) ? std::string() : key, offer->seq, offer->time};
        }
    }
    return std::nullopt;
}

std::vector<JoinFiring> JoinModel::offer(Seq seq, Instant time, std::span<const LeafHit> hits) {
    offers_.push_back({seq, time, {hits.begin(), hits.end()}, {}});
    std::vector<JoinFiring> firings;
    for (const auto& key : keys()) {
        const bool concerned = std::any_of(hits.begin(), hits.end(), [&](const LeafHit& hit) {
            return shared(static_cast<std::size_t>(hit.leaf)) || hit.key.value_or("") == key;
        });
        JoinFiring firing{key, {}};
        for (std::size_t leaf = 0; leaf < when_.leaves.size(); ++leaf)
            if (const auto event = newest(leaf, key, time))
                firing.used.emplace_back(static_cast<int>(leaf), event->seq);
        if (concerned && firing.used.size() == when_.leaves.size()) firings.push_back(std::move(firing));
    }
    for (const auto& firing : firings)
        offers_.back().fired.push_back(firing.key);
    return firings;
}

std::vector<HeldEnter> JoinModel::held(Instant now) const {
    std::vector<HeldEnter> all;
    for (std::size_t leaf = 0; leaf < when_.leaves.size(); ++leaf) {
        for (const auto& key : shared(leaf) ? std::vector<std::string>{""} : keys())
            if (auto event = newest(leaf, key, now)) all.push_back(std::move(*event));
    }
    return all;
}

} // namespace weir::triggers::reference
