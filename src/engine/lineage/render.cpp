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

/// Lines of a tree. What has one obvious continuation stands on one line: a trigger with the run it launched,
/// the end of a run with what it set off; so a line is a step of the story, not a row of a table.
class Tree {
  public:
    Tree(const Lineage& lineage, bool up) : lineage_(lineage), up_(up), next_(lineage.nodes.size()) {
        for (const auto& edge : lineage.edges) {
            const auto from = up ? edge.to : edge.from;
            next_[from].push_back({up ? edge.from : edge.to, edge.role});
        }
        std::vector<int> parents(lineage.nodes.size(), 0);
        for (const auto& edge : lineage.edges)
            ++parents[up ? edge.from : edge.to];
        marks_.assign(lineage.nodes.size(), 0);
        for (std::size_t i = 0; i < parents.size(); ++i)
            shared_.push_back(parents[i] > 1);
    }

    std::string text() {
        if (lineage_.nodes.empty()) return {};
        // An explicit stack: a chain of runs may be longer than the thread's stack is deep.
        std::vector<Line> stack{{0, "", "", "", true}};
        while (!stack.empty()) {
            const auto line = std::move(stack.back());
            stack.pop_back();
            const auto end = write(line);
            if (end == nothing) continue;
            const auto below = children(end);
            for (std::size_t i = below.size(); i-- > 0;) {
                const bool last = i + 1 == below.size();
                stack.push_back({below[i].node, below[i].role,
                                 line.root ? "" : line.prefix + (line.last ? "   " : "│  "),
                                 last ? "└─ " : "├─ ", false, last});
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
    };
    struct Line {
        std::size_t node;
        std::string role;
        std::string prefix;
        std::string branch;
        bool root = false;
        bool last = true;
    };
    static constexpr std::size_t nothing = static_cast<std::size_t>(-1);

    [[nodiscard]] Kind kind(std::size_t node) const { return lineage_.nodes[node].kind; }
    [[nodiscard]] static bool structural(const std::string& role) {
        return role == "launched" || role == "settled" || role == "made" || role == "used";
    }

    /// The ends of attempts that set nothing off say no more than the run's own line.
    [[nodiscard]] std::vector<Next> children(std::size_t node) const {
        auto all = next_[node];
        if (!up_ && kind(node) == Kind::Run)
            std::erase_if(
                all, [&](const Next& n) { return kind(n.node) == Kind::Event && next_[n.node].empty(); });
        return all;
    }

    /// Writes a line and returns the node whose children hang below it; `nothing` if they were shown before.
    std::size_t write(const Line& line) {
        out_ += line.prefix + line.branch;
        if (!line.role.empty() && (!structural(line.role) || line.role == "made" || line.role == "used"))
            out_ += printable(line.role, 60) + ": ";
        auto node = line.node;
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
            const auto follow = continuation(node);
            if (follow == nothing) break;
            node = follow;
        }
        out_ += '\n';
        return node;
    }

    [[nodiscard]] std::size_t continuation(std::size_t node) const {
        if (next_[node].size() != 1) return nothing;
        const auto& only = next_[node].front();
        const bool joined = up_ ? only.role == "settled" : only.role == "launched";
        return joined ? only.node : nothing;
    }

    const Lineage& lineage_;
    bool up_;
    std::vector<std::vector<Next>> next_;
    std::vector<bool> shared_; ///< reached over more than one edge
    std::vector<int> marks_;   ///< number given to a shared node where it was first shown
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
