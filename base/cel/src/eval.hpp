#pragma once

#include <array>
#include <string>

#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>

#include "ast.hpp"
#include "operators.hpp"

namespace weir::cel {

/// Why an evaluation ended without a value; made into words by Evaluator::error().
struct Failure {
    Fault fault = Fault::None;
    Kind left = Kind::Null; ///< types of the operands, where the fault is about them
    Kind right = Kind::Null;
    bool binary = false;
    const Node* node = nullptr;
    Value detail; ///< the key, index, text... the fault is about
};

/// Evaluates the nodes of one program once. Recursion is bounded by Limits::nesting_max.
/// Thread: one evaluation each; the program itself is only read.
class Evaluator {
  public:
    Evaluator(const Program::Impl& program, const Bindings& bindings, std::uint64_t cost_max)
        : program_(program), bindings_(bindings), cost_left_(cost_max) {}

    /// The value of a node, or nullptr after a failure. It lies in `scratch`, in the bindings, in the program
    /// or in what `scratch` owns: it lives as long as the shortest of these.
    const Value* run(const Node& node, Value& scratch);

    [[nodiscard]] Error error() const;
    [[nodiscard]] const Failure& failure() const { return failure_; }

  private:
    const Value* variable(const Node& node);
    const Value* select(const Node& node, Value& scratch);
    const Value* has(const Node& node, Value& scratch);
    const Value* index(const Node& node, Value& scratch);
    const Value* list(const Node& node, Value& scratch);
    const Value* map(const Node& node, Value& scratch);
    const Value* logic(const Node& node, bool decisive, Value& scratch);
    const Value* negation(const Node& node, Value& scratch);
    const Value* conditional(const Node& node, Value& scratch);
    const Value* arithmetic(const Node& node, Value& scratch);
    const Value* equality(const Node& node, Value& scratch);
    const Value* ordering(const Node& node, Value& scratch);
    const Value* membership(const Node& node, Value& scratch);
    const Value* call(const Node& node, Value& scratch);
    const Value* text_function(const Node& node, const Value& text, const Value& other, Value& scratch);
    const Value* matching(const Node& node, const Value& text, const Value& pattern, Value& scratch);
    const Value* parse_json(const Node& node, const Value& text, Value& scratch);
    const Value* size(const Node& node, const Value& of, Value& scratch);
    const Value* quantifier(const Node& node, bool decisive, Value& scratch);
    const Value* exactly_one(const Node& node, Value& scratch);
    const Value* transform(const Node& node, Value& scratch);
    const Value* filter(const Node& node, Value& scratch);
    /// Calls `each` with every element (a map's keys) until it gives false. False after a failure.
    template <class Each>
    bool iterate(const Node& node, Each each);

    bool equal(const Node& node, const Value& a, const Value& b, bool& same);
    bool charge(const Node& node, std::size_t bytes);
    const Value* fail(const Node& node, Fault fault);
    const Value* fail(const Node& node, Fault fault, const Value& detail);
    const Value* no_overload(const Node& node, const Value& a);
    const Value* no_overload(const Node& node, const Value& a, const Value& b);
    [[nodiscard]] std::string words() const;
    [[nodiscard]] std::string source(const Node& node) const;

    const Program::Impl& program_;
    const Bindings& bindings_;
    std::uint64_t cost_left_;
    std::array<const Value*, locals_max> locals_{};
    Failure failure_;
};

/// No variable at all.
class NoBindings final : public Bindings {
  public:
    [[nodiscard]] const Value* find(std::string_view) const override { return nullptr; }
};

/// Compiles a pattern within the limits; the error is the library's words.
Result<std::shared_ptr<const re2::RE2>> compile_pattern(std::string_view pattern, const Limits& limits);

} // namespace weir::cel
