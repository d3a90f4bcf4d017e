#include "graph.hpp"

#include <algorithm>

namespace weir::engine::detail {

template <class Map, class Key, class Row>
std::size_t Graph::add_to(Map& index, const Key& key, Row row, int hops, bool& fresh) {
    fresh = false;
    const auto known = index.find(key);
    if (known != index.end()) return known->second;
    if (full()) {
        truncated_ = true;
        return none;
    }
    fresh = true;
    const auto at = nodes_.size();
    index.emplace(key, at);
    nodes_.push_back({std::move(row), hops});
    return at;
}

std::size_t Graph::add(ledger::InputRow row, int hops, bool& fresh) {
    const auto key = row.seq.value;
    return add_to(events_, key, std::move(row), hops, fresh);
}
std::size_t Graph::add(ledger::DecisionRow row, int hops, bool& fresh) {
    const auto key = row.no.value;
    return add_to(decisions_, key, std::move(row), hops, fresh);
}
std::size_t Graph::add(ledger::RunRow row, int hops, bool& fresh) {
    const auto key = row.no.value;
    return add_to(runs_, key, std::move(row), hops, fresh);
}
std::size_t Graph::add(ArtifactStart row, int hops, bool& fresh) {
    const auto key = row.uri;
    return add_to(artifacts_, key, std::move(row), hops, fresh);
}

void Graph::connect(std::size_t from, std::size_t to, std::string role) {
    if (from == none || to == none) return;
    const auto pair = static_cast<std::uint64_t>(from) << 32 | static_cast<std::uint64_t>(to);
    const auto [begin, end] = connected_.equal_range(pair);
    if (std::any_of(begin, end, [&](const auto& known) { return edges_[known.second].role == role; })) return;
    connected_.emplace(pair, edges_.size());
    edges_.push_back({from, to, std::move(role)});
}

} // namespace weir::engine::detail
