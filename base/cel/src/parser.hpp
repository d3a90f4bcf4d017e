#pragma once

#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/cel/program.hpp>

#include "ast.hpp"
#include "lexer.hpp"

namespace weir::cel {

/// Reads one expression into the nodes of `impl` (recursive descent, CEL language definition, "Syntax").
/// Names of macro variables are resolved, all others stay Op::Name. Errors: `invalid` with the place;
/// `exhausted` past Limits::nesting_max.
class Parser {
  public:
    explicit Parser(Program::Impl& impl) : impl_(impl), lexer_(impl.text) {}
    Status parse();

  private:
    // Each gives nullptr after an error.
    Node* expression();
    Node* disjunction();
    Node* conjunction();
    Node* relation();
    Node* addition();
    Node* multiplication();
    Node* unary();
    Node* member();
    Node* primary();
    Node* name();
    Node* literal();
    Node* list();
    Node* map();
    Node* call(Node* receiver, const Lexeme& name);
    Node* select(Node* operand);
    Node* index(Node* operand);
    Node* macro(Node* range, const Lexeme& name);
    Node* has_macro(const Lexeme& name);
    bool arguments(std::vector<Node*>& out, Token close);

    Node* make(Op op, std::size_t begin);
    /// Sets the height and the end of a finished node; nullptr if the tree got too high.
    Node* done(Node* node);
    Node* binary(Op op, Node* a, Node* b, std::size_t at);
    bool advance();
    bool expect(Token token, std::string_view what);
    bool accept(Token token);
    Node* fail(std::size_t at, const std::string& what);
    Node* unexpected(std::string_view wanted);
    Node* too_deep(std::size_t at);
    [[nodiscard]] std::string_view text_of(const Lexeme& lexeme) const;

    Program::Impl& impl_;
    Lexer lexer_;
    Lexeme current_;
    std::size_t last_end_ = 0; ///< where the token before the current one ended
    std::size_t depth_ = 0;
    std::vector<std::string> scopes_; ///< macro variables in force, innermost last
    Status status_;
};

} // namespace weir::cel
