#pragma once

#include <vector>

#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>

#include "ast.hpp"

namespace weir::cel {

/// What is known of a value before anything runs.
struct Static {
    bool known = false;
    Kind kind = Kind::Null;
    bool event = false;         ///< a CloudEvent: a map whose members have types
    bool element_known = false; ///< List: all elements are of one kind
    Kind element = Kind::Null;
};

/// Finds what can only fail: a light checker that speaks where types are known and is silent elsewhere.
/// Equality of types that can never be equal is refused as well, as it is always a mistake.
class Checker {
  public:
    Checker(const Program::Impl& program, const CompileOptions& options);
    Status check(const Node& root);

  private:
    Static type_of(const Node& node);
    Static variable(const Node& node) const;
    Static member(const Node& node, const Static& operand, std::string_view name);
    Static index(const Node& node);
    Static list(const Node& node);
    Static arithmetic(const Node& node);
    Static comparison(const Node& node);
    Static call(const Node& node);
    Static macro(const Node& node);
    Static conditional(const Node& node);
    void want_bool(const Node& node);
    void refuse_untyped(const Node& node, const Static& a, const Static& b);
    void fail(const Node& node, const std::string& what);
    [[nodiscard]] std::string source(const Node& node) const;

    const Program::Impl& program_;
    const CompileOptions& options_;
    std::vector<Static> locals_;
    Status status_;
};

} // namespace weir::cel
