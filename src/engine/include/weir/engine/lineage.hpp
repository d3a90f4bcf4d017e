#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::engine {

/// A thing in the graph of what caused what.
struct LineageNode {
    enum class Kind : std::uint8_t { Event, Decision, Run, Artifact };
    Kind kind = Kind::Event;
    std::string id;    ///< event: "source id" as shown; decision, run: UUID; artifact: URI
    std::string label; ///< one line for a person
    std::string json;  ///< the row as it stands in listings
};
/// `from` caused `to` (indexes into nodes): event -> decision -> run -> settlement event; run -> artifact ->
/// run.
struct LineageEdge {
    std::size_t from = 0;
    std::size_t to = 0;
    std::string role; ///< leaf name, "launched", "settled", "made", "used"
};
struct Lineage {
    std::vector<LineageNode> nodes; ///< nodes[0] is where the search began
    std::vector<LineageEdge> edges;
    bool truncated = false; ///< a limit was reached; the graph goes on
};

struct LineageQuery {
    std::string
        start; ///< a run id, an event id (or "source id"), "team/flow" (its newest run), a URI, a decision id
    bool up = false; ///< towards the causes; else towards the effects
    int depth = 10;  ///< runs between the start and the farthest node
    std::size_t nodes_max = 10'000;
};

/// Bounded breadth-first search over the ledger's recorded edges; never inferred from times.
/// Errors: `not_found` naming what was looked for; `invalid` for an ambiguous start, listing the candidates,
/// and for a limit out of range. Limits: depth 0 to 1,000, nodes_max 1 to 100,000. Runs at the depth are
/// shown, what lies beyond them is not.
Result<Lineage> trace_lineage(ledger::LedgerReader& reader, const LineageQuery& query);

/// A tree for a terminal: box-drawing characters, payload text made printable, repeated nodes named once and
/// referred to afterwards.
std::string lineage_tree(const Lineage& lineage, bool up);
/// {"nodes": [...], "edges": [...], "truncated": false}
std::string lineage_json(const Lineage& lineage);

} // namespace weir::engine
