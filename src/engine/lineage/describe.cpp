#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cel/value.hpp>
#include <weir/engine/find.hpp>
#include <weir/engine/lines.hpp>

#include "graph.hpp"

namespace weir::engine::detail {
namespace {

using ledger::DecisionRow;
using ledger::InputRow;
using ledger::RunRow;

/// To the millisecond: the rest is for programs.
std::string at(Instant time) {
    return format_rfc3339(std::chrono::floor<std::chrono::milliseconds>(time));
}

/// " in 545ms", " in 3.5s", " in 2m10s"
std::string duration_between(Instant from, Instant to) {
    if (to_ns(from) == 0 || to <= from) return {};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(to - from);
    if (ms < std::chrono::seconds(1)) return " in " + format_duration(Duration(ms));
    if (ms < std::chrono::seconds(10))
        return " in " + std::to_string(ms.count() / 1000) + "." + std::to_string(ms.count() % 1000 / 100) +
               "s";
    return " in " + format_duration(std::chrono::duration_cast<std::chrono::seconds>(ms));
}

/// Turns rows into nodes for a person and for a program.
class Describer {
  public:
    Describer(ledger::LedgerReader& reader, const Graph& graph)
        : reader_(reader), graph_(graph), names_(reader) {
        for (const auto& found : graph.nodes()) {
            if (const auto* run = std::get_if<RunRow>(&found.row)) {
                names_.learn(run->trigger, run->trigger_name);
                run_of_.emplace(run->decision.value, run);
            } else if (const auto* event = std::get_if<InputRow>(&found.row)) {
                learn(*event);
            }
        }
    }

    Result<Lineage> all() {
        WEIR_TRY(learn_events_of_decisions());
        Lineage out;
        out.nodes.reserve(graph_.nodes().size());
        for (const auto& found : graph_.nodes())
            out.nodes.push_back(std::visit([this](const auto& row) { return node(row); }, found.row));
        out.edges = graph_.edges();
        out.truncated = graph_.truncated();
        return out;
    }

  private:
    struct Identity {
        std::string source;
        std::string id;
    };

    void learn(const InputRow& row) {
        if (is_event(row)) events_.emplace(row.seq.value, Identity{row.source, row.id});
    }

    /// Events used by decisions whose run is not part of the graph, in as few questions as possible.
    Status learn_events_of_decisions() {
        std::vector<Seq> unknown;
        for (const auto& found : graph_.nodes()) {
            const auto* decision = std::get_if<DecisionRow>(&found.row);
            if (decision == nullptr || run_of_.count(decision->no.value) != 0) continue;
            for (const auto& one : decision->included) {
                if (events_.count(one.seq.value) == 0) unknown.push_back(one.seq);
            }
            if (decision->included.empty() && events_.count(decision->seq.value) == 0)
                unknown.push_back(decision->seq);
        }
        std::sort(unknown.begin(), unknown.end());
        unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
        if (unknown.empty()) return {};
        WEIR_ASSIGN(rows, reader_.inputs_by_seq(unknown));
        for (const auto& row : rows)
            learn(row);
        return {};
    }

    LineageNode node(const InputRow& event) {
        LineageNode out;
        out.kind = LineageNode::Kind::Event;
        out.id = event.source + " " + event.id;
        if (event.kind == ledger::InputKind::Settlement) {
            const auto slash = event.id.rfind('/');
            const auto attempt = slash == std::string::npos ? std::string("?") : event.id.substr(slash + 1);
            out.label = "attempt " + printable(attempt, 10) + " ended " + at(event.time);
        } else if (event.kind == ledger::InputKind::TimerFired) {
            out.label = "slot of schedule " + printable(event.id, 100);
        } else {
            out.label = "event " + printable(event.type, 100);
            if (!event.subject.empty()) out.label += "  " + printable(event.subject, 100);
            out.label += "  id " + printable(event.id, 100) + "  from " + printable(event.source, 100) +
                         "  " + at(event.time);
            if (event.duplicate_of) out.label += "  (duplicate)";
        }
        out.json = event_line(event, false);
        return out;
    }

    LineageNode node(const DecisionRow& decision) {
        LineageNode out;
        out.kind = LineageNode::Kind::Decision;
        out.id = decision.id.to_string();
        const auto& name = names_.name(decision.trigger);
        if (decision.trigger.value == 0) {
            out.label = "asked for by hand";
        } else {
            out.label = "trigger " + decision.team + "/" + name + " v" + std::to_string(decision.version) +
                        " " + std::string(ledger::to_string(decision.verdict)) + " (" +
                        printable(decision.reason, 60) + ")";
        }
        if (!decision.key.empty()) out.label += "  key " + printable(cel::key_json(decision.key), 80);
        if (decision.trigger.value != 0 && events_of(decision).empty())
            out.label += "  " + printable(decision.cause, 120);
        const auto run = run_of_.find(decision.no.value);
        out.json = decision_line(decision, name, events_of(decision),
                                 run == run_of_.end() ? std::nullopt : std::optional(run->second->id));
        return out;
    }

    std::vector<ledger::EventRef> events_of(const DecisionRow& decision) {
        const auto run = run_of_.find(decision.no.value);
        if (run != run_of_.end()) return run->second->events;
        std::vector<ledger::EventRef> refs;
        const auto take = [&](Seq seq, const std::string& leaf) {
            const auto found = events_.find(seq.value);
            if (found != events_.end()) refs.push_back({seq, found->second.source, found->second.id, leaf});
        };
        for (const auto& one : decision.included)
            take(one.seq, one.leaf);
        if (decision.included.empty()) take(decision.seq, decision.leaf);
        return refs;
    }

    LineageNode node(const RunRow& run) {
        LineageNode out;
        out.kind = LineageNode::Kind::Run;
        out.id = run.id.to_string();
        const auto state = run.outcome ? flows::to_string(*run.outcome) : ledger::to_string(run.state);
        out.label = "run " + run.flow_team + "/" + run.flow + " " + out.id + "  " + std::string(state) +
                    duration_between(run.started_at, run.finished_at);
        if (run.attempt > 1) out.label += "  attempt " + std::to_string(run.attempt);
        if (!run.principal.empty()) out.label += "  by " + printable(run.principal, 60);
        out.json = run_line(run);
        return out;
    }

    LineageNode node(const ArtifactStart& artifact) {
        LineageNode out;
        out.kind = LineageNode::Kind::Artifact;
        out.id = artifact.uri;
        out.label = "artifact " + printable(artifact.uri, 200);
        if (!artifact.type.empty()) out.label += "  " + printable(artifact.type, 60);
        out.json = "{\"uri\": " + json_string(artifact.uri) + ", \"type\": " + json_string(artifact.type) +
                   ", \"name\": " + json_string(artifact.name) + ", \"metadata\": ";
        append_json_value(out.json, artifact.metadata_json);
        out.json += '}';
        return out;
    }

    ledger::LedgerReader& reader_;
    const Graph& graph_;
    TriggerNames names_;
    std::unordered_map<std::int64_t, Identity> events_;
    std::unordered_map<std::int64_t, const RunRow*> run_of_;
};

} // namespace

Result<Lineage> describe(ledger::LedgerReader& reader, const Graph& graph) {
    return Describer(reader, graph).all();
}

} // namespace weir::engine::detail
