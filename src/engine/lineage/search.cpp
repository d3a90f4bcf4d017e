#include <algorithm>
#include <span>
#include <type_traits>
#include <utility>

#include <weir/base/text.hpp>
#include <weir/engine/find.hpp>
#include <weir/engine/lineage.hpp>

#include "graph.hpp"
#include "start.hpp"

namespace weir::engine {
namespace {

using detail::ArtifactStart;
using detail::Graph;
using ledger::DecisionNo;
using ledger::DecisionRow;
using ledger::InputRow;
using ledger::LedgerReader;
using ledger::RunNo;
using ledger::RunRow;

constexpr int depth_max = 1000;
constexpr std::size_t nodes_limit = 100'000;
/// Ids asked for at once: enough that a level costs few questions, few enough that a limit stops the work
/// soon.
constexpr std::size_t chunk = 500;

/// Sorted, each once: what a batch question is asked with, so that answers come in one order everywhere.
template <class Key>
void tidy(std::vector<Key>& keys) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

template <class Key>
std::span<const Key> part(const std::vector<Key>& keys, std::size_t at) {
    return {keys.data() + at, std::min(chunk, keys.size() - at)};
}

/// What stands between a decision and the events it used: (event, leaf).
std::vector<ledger::IncludedRow> used_by(const DecisionRow& decision) {
    if (!decision.included.empty()) return decision.included;
    return {{decision.seq, decision.leaf}};
}

/// One search in one direction. Everything with the same number of runs behind it is found before anything
/// with one run more, so a node's depth is the least there is.
class Search {
  public:
    Search(LedgerReader& reader, const LineageQuery& query)
        : reader_(reader), query_(query), graph_(query.nodes_max) {}

    Status start(detail::Start start) {
        return std::visit([this](auto row) { return begin(std::move(row)); }, std::move(start));
    }

    Status walk() {
        for (int hops = 0; !level_.empty(); ++hops) {
            const bool last = hops == query_.depth;
            while (!level_.empty()) {
                const auto nodes = std::exchange(level_, {});
                for (std::size_t at = 0; at < nodes.size(); at += chunk) {
                    const auto end = std::min(nodes.size(), at + chunk);
                    WEIR_TRY(expand({nodes.begin() + static_cast<std::ptrdiff_t>(at),
                                     nodes.begin() + static_cast<std::ptrdiff_t>(end)},
                                    last));
                }
            }
            level_ = std::exchange(next_level_, {});
        }
        return {};
    }

    [[nodiscard]] const Graph& graph() const { return graph_; }

  private:
    template <class Row>
    Status begin(Row row) {
        bool fresh = false;
        level_.push_back(graph_.add(std::move(row), 0, fresh));
        return {};
    }

    template <class Row>
    std::size_t add(Row row, int hops) {
        bool fresh = false;
        const auto node = graph_.add(std::move(row), hops, fresh);
        if (fresh) (std::is_same_v<Row, RunRow> ? next_level_ : level_).push_back(node);
        return node;
    }

    /// Everything next to these nodes. `last`: runs stay unexpanded and no new ones are taken in.
    Status expand(const std::vector<std::size_t>& nodes, bool last) {
        std::vector<Seq> events;
        std::vector<DecisionNo> decisions;
        std::vector<RunNo> runs;
        std::vector<std::string> artifacts;
        const int hops = graph_.nodes()[nodes.front()].hops;
        for (const auto node : nodes) {
            const auto& row = graph_.nodes()[node].row;
            if (const auto* event = std::get_if<InputRow>(&row)) events.push_back(event->seq);
            if (const auto* decision = std::get_if<DecisionRow>(&row)) decisions.push_back(decision->no);
            if (const auto* run = std::get_if<RunRow>(&row)) runs.push_back(run->no);
            if (const auto* artifact = std::get_if<ArtifactStart>(&row)) artifacts.push_back(artifact->uri);
        }
        if (!events.empty())
            WEIR_TRY(query_.up ? runs_settled_by(events, hops, last) : decided(events, hops));
        if (!decisions.empty())
            WEIR_TRY(query_.up ? causes(decisions, hops) : launched(decisions, hops, last));
        if (!runs.empty()) {
            if (last) {
                WEIR_TRY(probe(runs));
            } else {
                WEIR_TRY(query_.up ? launched_by(runs, hops) : settled(runs, hops));
                WEIR_TRY(artifacts_of(runs, hops));
            }
        }
        for (const auto& uri : artifacts)
            WEIR_TRY(runs_of(uri, hops, last));
        return {};
    }

    // Towards the effects.

    Status decided(const std::vector<Seq>& events, int hops) {
        WEIR_ASSIGN(pairs, reader_.decisions_of_events(events));
        std::vector<DecisionNo> wanted;
        for (const auto& pair : pairs)
            wanted.push_back(pair.second);
        tidy(wanted);
        for (std::size_t at = 0; at < wanted.size(); at += chunk) {
            if (graph_.full()) {
                graph_.note_truncated();
                break;
            }
            WEIR_ASSIGN(rows, reader_.decisions_by_no(part(wanted, at)));
            std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.no < b.no; });
            for (auto& row : rows) {
                const auto used = used_by(row);
                const auto node = add(std::move(row), hops);
                for (const auto& one : used)
                    graph_.connect(graph_.event(one.seq), node, one.leaf);
            }
        }
        return {};
    }

    Status launched(const std::vector<DecisionNo>& decisions, int hops, bool last) {
        WEIR_ASSIGN(runs, reader_.runs_of_decisions(decisions));
        return take_runs(std::move(runs), hops, last, [this](std::size_t node, const RunRow& run) {
            graph_.connect(graph_.decision(run.decision), node, "launched");
        });
    }

    Status settled(const std::vector<RunNo>& runs, int hops) {
        WEIR_ASSIGN(pairs, reader_.settlements_of_runs(runs));
        std::vector<Seq> seqs;
        for (const auto& pair : pairs)
            seqs.push_back(pair.second);
        tidy(seqs);
        WEIR_ASSIGN(rows, reader_.inputs_by_seq(seqs));
        std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
        for (auto& row : rows)
            add(std::move(row), hops);
        for (const auto& [run, seq] : pairs)
            graph_.connect(graph_.run(run), graph_.event(seq), "settled");
        return {};
    }

    // Towards the causes.

    Status launched_by(const std::vector<RunNo>& runs, int hops) {
        std::vector<DecisionNo> wanted;
        for (const auto no : runs) {
            const auto decision = run_row(no).decision;
            if (decision.value != 0) wanted.push_back(decision);
        }
        tidy(wanted);
        WEIR_ASSIGN(rows, reader_.decisions_by_no(wanted));
        std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.no < b.no; });
        for (auto& row : rows)
            add(std::move(row), hops);
        for (const auto no : runs)
            graph_.connect(graph_.decision(run_row(no).decision), graph_.run(no), "launched");
        return {};
    }

    Status causes(const std::vector<DecisionNo>& decisions, int hops) {
        std::vector<Seq> seqs;
        for (const auto no : decisions) {
            for (const auto& one : used_by(decision_row(no)))
                seqs.push_back(one.seq);
        }
        tidy(seqs);
        for (std::size_t at = 0; at < seqs.size() && !graph_.full(); at += chunk) {
            WEIR_ASSIGN(rows, reader_.inputs_by_seq(part(seqs, at)));
            std::erase_if(rows, [](const InputRow& row) { return !is_event(row); });
            std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
            for (auto& row : rows)
                add(std::move(row), hops);
        }
        for (const auto no : decisions) {
            for (const auto& one : used_by(decision_row(no)))
                graph_.connect(graph_.event(one.seq), graph_.decision(no), one.leaf);
        }
        return {};
    }

    Status runs_settled_by(const std::vector<Seq>& events, int hops, bool last) {
        WEIR_ASSIGN(pairs, reader_.runs_of_settlements(events));
        std::vector<RunNo> wanted;
        for (const auto& pair : pairs)
            wanted.push_back(pair.second);
        tidy(wanted);
        WEIR_ASSIGN(runs, reader_.runs_by_no(wanted));
        return take_runs(std::move(runs), hops, last, [this, &pairs](std::size_t node, const RunRow& run) {
            for (const auto& [seq, no] : pairs) {
                if (no == run.no) graph_.connect(node, graph_.event(seq), "settled");
            }
        });
    }

    // Artifacts, either way.

    Status artifacts_of(const std::vector<RunNo>& runs, int hops) {
        WEIR_ASSIGN(edges, reader_.artifacts_of_runs(runs));
        for (auto& edge : edges) {
            if (edge.output == query_.up) continue;
            const auto node = add(ArtifactStart{edge.artifact.uri, edge.artifact.type, edge.artifact.name,
                                                edge.artifact.metadata_json},
                                  hops);
            const auto run = graph_.run(edge.run);
            if (edge.output) {
                graph_.connect(run, node, "made");
            } else {
                graph_.connect(node, run, "used");
            }
        }
        return {};
    }

    Status runs_of(const std::string& uri, int hops, bool last) {
        WEIR_ASSIGN(edges, reader_.runs_of_artifact(uri));
        std::vector<RunNo> wanted;
        for (const auto& edge : edges) {
            if (edge.output == query_.up) wanted.push_back(edge.run);
        }
        tidy(wanted);
        WEIR_ASSIGN(runs, reader_.runs_by_no(wanted));
        return take_runs(std::move(runs), hops, last, [this, &uri](std::size_t node, const RunRow&) {
            if (query_.up) {
                graph_.connect(node, graph_.artifact(uri), "made");
            } else {
                graph_.connect(graph_.artifact(uri), node, "used");
            }
        });
    }

    template <class Connect>
    Status take_runs(std::vector<RunRow> runs, int hops, bool last, Connect connect) {
        std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.no < b.no; });
        for (auto& run : runs) {
            auto node = graph_.run(run.no);
            if (node == Graph::none && last) {
                graph_.note_truncated();
                continue;
            }
            if (node == Graph::none) node = add(std::move(run), hops + 1);
            if (node != Graph::none) connect(node, std::get<RunRow>(graph_.nodes()[node].row));
        }
        return {};
    }

    /// Whether anything lies beyond runs that are not expanded any more.
    Status probe(const std::vector<RunNo>& runs) {
        if (graph_.truncated()) return {};
        if (query_.up) {
            const bool caused =
                std::any_of(runs.begin(), runs.end(), [&](RunNo no) { return !run_row(no).events.empty(); });
            if (caused) graph_.note_truncated();
        } else {
            WEIR_ASSIGN(pairs, reader_.settlements_of_runs(runs));
            std::vector<Seq> seqs;
            for (const auto& pair : pairs)
                seqs.push_back(pair.second);
            WEIR_ASSIGN(decisions, reader_.decisions_of_events(seqs));
            if (!decisions.empty()) graph_.note_truncated();
        }
        if (graph_.truncated()) return {};
        WEIR_ASSIGN(edges, reader_.artifacts_of_runs(runs));
        if (std::any_of(edges.begin(), edges.end(),
                        [&](const auto& edge) { return edge.output != query_.up; }))
            graph_.note_truncated();
        return {};
    }

    const RunRow& run_row(RunNo no) const { return std::get<RunRow>(graph_.nodes()[graph_.run(no)].row); }
    const DecisionRow& decision_row(DecisionNo no) const {
        return std::get<DecisionRow>(graph_.nodes()[graph_.decision(no)].row);
    }

    LedgerReader& reader_;
    const LineageQuery& query_;
    Graph graph_;
    std::vector<std::size_t> level_;      ///< to be expanded, same number of runs behind them
    std::vector<std::size_t> next_level_; ///< runs found meanwhile: one more
};

} // namespace

Result<Lineage> trace_lineage(LedgerReader& reader, const LineageQuery& query) {
    if (query.depth < 0 || query.depth > depth_max)
        return invalid("depth " + std::to_string(query.depth) + " is outside of 0 to " +
                       std::to_string(depth_max));
    if (query.nodes_max < 1 || query.nodes_max > nodes_limit)
        return invalid("nodes_max " + std::to_string(query.nodes_max) + " is outside of 1 to " +
                       std::to_string(nodes_limit));
    WEIR_ASSIGN(start, detail::find_start(reader, query.start));
    Search search(reader, query);
    WEIR_TRY(search.start(std::move(start)));
    WEIR_TRY(search.walk());
    return detail::describe(reader, search.graph());
}

} // namespace weir::engine
