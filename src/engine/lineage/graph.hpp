#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <weir/engine/lineage.hpp>

#include "start.hpp"

namespace weir::engine::detail {

/// A node while the search runs: the row it stands for, and how many runs lie between it and the start.
struct Found {
    std::variant<ledger::InputRow, ledger::DecisionRow, ledger::RunRow, ArtifactStart> row;
    int hops = 0;
};

/// The nodes and edges found so far: everything once, at most `nodes_max` nodes.
class Graph {
  public:
    explicit Graph(std::size_t nodes_max) : nodes_max_(nodes_max) {}

    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    /// The node of this row, added if it is new (`fresh` is set then); `none` if there is no room, which is
    /// noted.
    std::size_t add(ledger::InputRow row, int hops, bool& fresh);
    std::size_t add(ledger::DecisionRow row, int hops, bool& fresh);
    std::size_t add(ledger::RunRow row, int hops, bool& fresh);
    std::size_t add(ArtifactStart row, int hops, bool& fresh);

    [[nodiscard]] std::size_t event(Seq seq) const { return find(events_, seq.value); }
    [[nodiscard]] std::size_t decision(ledger::DecisionNo no) const { return find(decisions_, no.value); }
    [[nodiscard]] std::size_t run(ledger::RunNo no) const { return find(runs_, no.value); }
    [[nodiscard]] std::size_t artifact(const std::string& uri) const {
        const auto at = artifacts_.find(uri);
        return at == artifacts_.end() ? none : at->second;
    }

    void connect(std::size_t from, std::size_t to, std::string role);
    void note_truncated() { truncated_ = true; }

    [[nodiscard]] const std::deque<Found>& nodes() const { return nodes_; }
    [[nodiscard]] const std::vector<LineageEdge>& edges() const { return edges_; }
    [[nodiscard]] bool truncated() const { return truncated_; }
    [[nodiscard]] bool full() const { return nodes_.size() >= nodes_max_; }

  private:
    using Index = std::unordered_map<std::int64_t, std::size_t>;
    static std::size_t find(const Index& index, std::int64_t key) {
        const auto at = index.find(key);
        return at == index.end() ? none : at->second;
    }
    template <class Map, class Key, class Row>
    std::size_t add_to(Map& index, const Key& key, Row row, int hops, bool& fresh);

    std::size_t nodes_max_;
    std::deque<Found> nodes_; ///< rows are large: they stay where they are
    std::vector<LineageEdge> edges_;
    std::unordered_multimap<std::uint64_t, std::size_t> connected_; ///< from and to -> index of the edge
    Index events_, decisions_, runs_;
    std::unordered_map<std::string, std::size_t> artifacts_;
    bool truncated_ = false;
};

/// Names, labels and JSON of everything found. Asks the reader for what labels need: events of decisions that
/// launched nothing, names of their triggers.
Result<Lineage> describe(ledger::LedgerReader& reader, const Graph& graph);

} // namespace weir::engine::detail
