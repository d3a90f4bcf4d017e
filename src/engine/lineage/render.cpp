#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/engine/lineage.hpp>

namespace weir::engine {
namespace {

using Kind = LineageNode::Kind;

std::string_view to_string(Kind kind) {
    switch (kind) {
        case Kind::Event: return "event";
        case Kind::Decision: return "decision";
        case Kind::Run: return "run";
        case Kind::Artifact: return "artifact";
    }
    return "event";
}

/// Lines of a tree. A line is a step of the story, not a row of a table: a trigger stands on one line with
/// the run it launched, and the end of a run is left out between the run and what it set off.
class Tree {
  public:
    Tree(const Lineage& lineage, bool up)
        : lineage_(lineage),
          up_(up),
          next_(lineage.nodes.size()),
          settlement_(lineage.nodes.size()),
          marks_(lineage.nodes.size()) {
        for (const auto& edge : lineage.edges) {
            next_[up ? edge.to : edge.from].push_back({up ? edge.from : edge.to, edge.role, ""});
            if (edge.role == "settled" && edge.to != 0) settlement_[edge.to] = true;
        }
        std::vector<int> parents(lineage.nodes.size(), 0);
        if (!parents.empty()) parents[0] = 1; // where the tree begins; a cycle may come back to it
        for (std::size_t i = 0; i < lineage.nodes.size(); ++i) {
            if (settlement_[i]) continue;
            for (const auto& child : children(i))
                ++parents[child.node];
        }
        for (const int count : parents)
            shared_.push_back(count > 1);
    }

    std::string text() {
        if (lineage_.nodes.empty()) return {};
        // An explicit stack: a chain of runs may be longer than the thread's stack is deep.
        std::vector<Line> stack{{{0, "", ""}, "", "", true, true}};
        while (!stack.empty()) {
            const auto line = std::move(stack.back());
            stack.pop_back();
            const auto end = write(line);
            if (end == nothing) continue;
            const auto below = children(end);
            const auto prefix = line.root ? "" : line.prefix + (line.last ? "   " : "│  ");
            for (std::size_t i = below.size(); i-- > 0;) {
                const bool last = i + 1 == below.size();
                stack.push_back({below[i], prefix, last ? "└─ " : "├─ ", false, last});
            }
        }
        if (lineage_.truncated)
            out_ += "... and more: a limit was reached (--depth, or the number of nodes)\n";
        return std::move(out_);
    }

  private:
    struct Next {
        std::size_t node;
        std::string role;
        std::string note; ///< which attempt's end lies between, where a run has several
    };
    struct Line {
        Next at;
        std::string prefix;
        std::string branch;
        bool root = false;
        bool last = true;
    };
    static constexpr std::size_t nothing = static_cast<std::size_t>(-1);

    /// What hangs below a node, with settlements passed through.
    [[nodiscard]] std::vector<Next> children(std::size_t node) const {
        std::vector<Next> out;
        const auto ends = std::count_if(next_[node].begin(), next_[node].end(),
                                        [&](const Next& next) { return settlement_[next.node]; });
        for (const auto& next : next_[node]) {
            if (!settlement_[next.node]) {
                out.push_back(next);
                continue;
            }
            const auto& end = lineage_.nodes[next.node].label;
            for (const auto& beyond : next_[next.node]) {
                const auto& label = lineage_.nodes[beyond.node].label;
                const bool several = up_ ? label.find("  attempt ") != std::string::npos : ends > 1;
                out.push_back({beyond.node, up_ ? next.role : beyond.role, several ? end : ""});
            }
        }
        return out;
    }

    /// Writes a line and returns the node whose children hang below it; `nothing` if they were shown before.
    std::size_t write(const Line& line) {
        out_ += line.prefix + line.branch;
        const auto& role = line.at.role;
        if (!role.empty() && role != "launched" && role != "settled") out_ += printable(role, 60) + ": ";
        auto node = line.at.node;
        for (bool first = true;; first = false) {
            if (!first) out_ += up_ ? "  <-  " : "  ->  ";
            if (marks_[node] != 0) {
                out_ += "see [" + std::to_string(marks_[node]) + "]: " + lineage_.nodes[node].label + '\n';
                return nothing;
            }
            if (shared_[node]) {
                marks_[node] = ++count_;
                out_ += '[' + std::to_string(count_) + "] ";
            }
            out_ += lineage_.nodes[node].label;
            if (first && !line.at.note.empty()) out_ += "  (" + line.at.note + ")";
            const auto follow = continuation(node);
            if (follow == nothing) break;
            node = follow;
        }
        out_ += '\n';
        return node;
    }

    /// A trigger and the one run it launched; going up, the end of a run that a search began with and that
    /// run.
    [[nodiscard]] std::size_t continuation(std::size_t node) const {
        const auto below = children(node);
        if (below.size() != 1) return nothing;
        return below.front().role == (up_ ? "settled" : "launched") ? below.front().node : nothing;
    }

    const Lineage& lineage_;
    bool up_;
    std::vector<std::vector<Next>> next_;
    std::vector<bool> settlement_; ///< the end of a run, unless the search began with it
    std::vector<int> marks_;       ///< number given to a shared node where it was first shown
    std::vector<bool> shared_;     ///< reached over more than one way
    int count_ = 0;
    std::string out_;
};

} // namespace

std::string lineage_tree(const Lineage& lineage, bool up) {
    return Tree(lineage, up).text();
}

std::string lineage_json(const Lineage& lineage) {
    std::string out = "{\"nodes\": [";
    for (std::size_t i = 0; i < lineage.nodes.size(); ++i) {
        const auto& node = lineage.nodes[i];
        if (i != 0) out += ", ";
        out += "{\"n\": " + std::to_string(i) + ", \"kind\": \"" + std::string(to_string(node.kind)) +
               "\", \"id\": ";
        append_json_string(out, node.id);
        out += ", \"label\": ";
        append_json_string(out, node.label);
        out += ", \"row\": " + (node.json.empty() ? std::string("null") : node.json) + '}';
    }
    out += "], \"edges\": [";
    for (std::size_t i = 0; i < lineage.edges.size(); ++i) {
        const auto& edge = lineage.edges[i];
        if (i != 0) out += ", ";
        out += "{\"from\": " + std::to_string(edge.from) + ", \"to\": " + std::to_string(edge.to) +
               ", \"role\": ";
        append_json_string(out, edge.role);
        out += '}';
    }
    out += "], \"truncated\": ";
    out += lineage.truncated ? "true}" : "false}";
    return out;
}

} // namespace weir::engine
