#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include <weir/base/document.hpp>
#include <weir/flows/ir.hpp>

namespace weir::flows::ir {

/// Reads fields of the IR's tree, collecting what is wrong.
class Reader {
  public:
    explicit Reader(Problems& problems) : problems_(problems) {}

    void fault(const Place& place, std::string message) { problems_.push_back({place, std::move(message)}); }
    /// True if `node` is a map with no other keys than `known`.
    bool map(const Node& node, std::string_view what, std::initializer_list<std::string_view> known);
    /// True if `node` is a map; its keys are names.
    bool map(const Node& node, std::string_view what);
    bool list(const Node& node, std::string_view what);
    /// The string in a field, or empty if it is not there.
    std::string text(const Node& node, std::string_view key);
    std::string required_text(const Node& node, std::string_view key, std::string_view what);
    bool flag(const Node& node, std::string_view key);
    std::int64_t whole(const Node& node, std::string_view key, std::int64_t otherwise);
    Duration duration(const Node& node, std::string_view key, Duration otherwise);
    /// Any value, numbers by value (2.0 is 2).
    cel::Value value(const Node& node);
    std::vector<std::string> texts(const Node& node, std::string_view what);
    [[nodiscard]] std::size_t faults() const { return problems_.size(); }

  private:
    Problems& problems_;
};

void read_component(Reader& reader, const Node& node, Component& component);
void read_dag(Reader& reader, const Node& node, Dag& dag, std::string_view what);
void read_executor(Reader& reader, const Node& node, Executor& executor, Pipeline& pipeline);
void read_artifact_type(Reader& reader, const Node& node, ArtifactType& type);

/// References, cycles, nesting, conditions. Fills Task::downstream.
void check_pipeline(Reader& reader, Pipeline& pipeline);

} // namespace weir::flows::ir
