#include <algorithm>

#include <weir/triggers/reference.hpp>

namespace weir::triggers::reference {

void Matching::add(std::int64_t trigger, std::shared_ptr<const CompiledTrigger> compiled) {
    remove(trigger);
    triggers_.emplace_back(trigger, std::move(compiled));
}

void Matching::remove(std::int64_t trigger) {
    std::erase_if(triggers_, [&](const auto& entry) { return entry.first == trigger; });
}

Matcher::Match Matching::match(const events::Event& event, Origin origin) const {
    Matcher::Match match;
    for (const auto& [id, compiled] : triggers_)
        for (int leaf = 0; leaf < compiled->leaf_count(); ++leaf) {
            EventView view(event, origin);
            if (!compiled->pattern_meets(leaf, view)) continue;
            match.pattern_met = true;
            const auto where = compiled->where(leaf, view);
            if (where.ok() && *where) match.hits.push_back({id, leaf});
        }
    std::sort(match.hits.begin(), match.hits.end());
    return match;
}

} // namespace weir::triggers::reference
