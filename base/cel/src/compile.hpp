#pragma once

#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>

#include "ast.hpp"

namespace weir::cel {

/// Ties names to variables, types and functions, and replaces constant parts by their values.
/// Errors: `invalid` with the place, for unknown names and, where options.check asks for it, for what can
/// only fail.
class Resolver {
  public:
    Resolver(Program::Impl& program, const CompileOptions& options) : program_(program), options_(options) {}
    Status resolve();
    Status fold();

  private:
    bool resolve(Node& node);
    bool resolve_chain(Node& node);
    bool resolve_name(Node& node, std::string_view name);
    bool resolve_call(Node& node);
    bool fold(Node& node);
    bool fold_pattern(Node& node);
    bool become_variable(Node& node, std::string_view name);
    bool fail(const Node& node, const std::string& what);

    Program::Impl& program_;
    const CompileOptions& options_;
    Status status_;
};

} // namespace weir::cel
