#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/cel/value.hpp>

namespace weir::cel {

/// What is known about a variable before anything runs.
enum class VariableType {
    Dynamic, ///< JSON or anything else: checked when evaluated
    Event,   ///< a CloudEvent: id, source, type, subject... are strings, time a timestamp, data dynamic
    String,
    Int,
    Bool,
    Timestamp,
};

struct Variable {
    std::string name;
    VariableType type = VariableType::Dynamic;
};

/// Documented limits of one expression.
struct Limits {
    std::size_t text_bytes_max = 16 * 1024;
    std::size_t nesting_max = 64; ///< of the parsed tree; a chain of && or || counts once, one of + each time
    std::size_t macros_max = 8;   ///< of all(), map()... inside one another; not more than 16
    std::size_t pattern_bytes_max = 4096; ///< of a regular expression
    std::uint64_t cost_max = 1'000'000;   ///< evaluation steps: an operator or call is 1, a
                                        ///< string or list operation adds its bytes / 64 (an element is 16),
                                        ///< a regular expression that is not constant 250
};

struct CompileOptions {
    std::vector<Variable> variables;
    bool any_variable =
        false; ///< unknown names are Dynamic instead of an error (KFP conditions, conformance)
    /// Refuse `- * / %`, and `+` with a number literal, on an operand whose type is not known:
    /// JSON numbers may be int or double, so a trigger must say int() or double().
    bool refuse_untyped_arithmetic = false;
    /// Refuse what can only fail: operands of the wrong type where types are known, unknown functions,
    /// malformed constant patterns, times and numbers. Without it they are errors of the evaluation, which
    /// && and || may absorb (CEL's "parse only" evaluation).
    bool check = true;
    bool parse_json = false; ///< the function parseJson(string), for KFP conditions
    Limits limits;
};

/// Variables by name for one evaluation.
class Bindings {
  public:
    virtual ~Bindings() = default;
    /// The variable's value, or nullptr if it has none. Called at most once a use; valid during the
    /// evaluation.
    [[nodiscard]] virtual const Value* find(std::string_view name) const = 0;
};

/// A fixed list of variables; small enough that a linear search wins.
class SimpleBindings final : public Bindings {
  public:
    void set(std::string name, Value value);
    [[nodiscard]] const Value* find(std::string_view name) const override;

  private:
    std::vector<std::pair<std::string, Value>> values_;
};

/// A comparison lifted out of an expression for indexes: `path == literal`, `path in [literals]`,
/// `path.startsWith(literal)`, `path >= literal`, `has(path)`... A path is variable.field.field. What is
/// compared may also be computed, as in `size(event.data.files) == 3`: then there is its text instead of a
/// path.
struct Comparison {
    enum class Op {
        Equal,
        In,
        Prefix,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        NotEqual, ///< there, and not equal
        Suffix,
        Has, ///< no literal
    };
    std::vector<std::string> path;
    Op op = Op::Equal;
    std::vector<Value> literals;
    std::string computed; ///< an expression over the same variables, where `path` is empty
};

/// What must hold for an expression to be true, as far as an index can use it: any of the alternatives, each
/// being all of its comparisons. Never misses: an event that fails every alternative cannot make the
/// expression true. No alternatives at all: nothing is known, evaluate always.
struct Necessary {
    std::vector<std::vector<Comparison>> alternatives;
    /// The expression is true if and only if an alternative holds: nothing is left to evaluate. Comparisons
    /// hold as CEL says (numbers across kinds, Value::equals, order); a missing path makes any of them fail.
    bool exact = false;
};

/// Why an expression is not true: the smallest clause (an operand of &&, || or !) that decides it.
struct Explanation {
    std::string clause; ///< source text of the clause
    std::string
        values; ///< what its paths were, as `event.data.table = "users"`; missing ones as `... is missing`
    std::string error; ///< the evaluation error, if that is why
};

/// A compiled expression. Immutable, cheap to copy; evaluate() may run on many threads at once.
/// Source of the rules: the CEL language definition (google/cel-spec) and its simple conformance tests.
/// Errors: compile: `invalid` "line:column: what, expected what"; `exhausted` past a limit.
///         evaluate: `invalid` for CEL errors (no such key, overflow...), `exhausted` past cost_max.
class Program {
  public:
    static Result<Program> compile(std::string_view text, const CompileOptions& options);

    /// The value may share texts borrowed by the bindings' values, so it is as short-lived as they are.
    [[nodiscard]] Result<Value> evaluate(const Bindings& bindings) const;
    /// Evaluates a condition: anything but a bool is an `invalid` error.
    [[nodiscard]] Result<bool> test(const Bindings& bindings) const;
    /// test(), with every error as false: no allocation, for what runs on each event.
    [[nodiscard]] bool matches(const Bindings& bindings) const;
    /// evaluate(), with every error as nothing: an error allocates nothing either.
    [[nodiscard]] std::optional<Value> value(const Bindings& bindings) const;
    /// Says why test() gave false or failed with these bindings.
    [[nodiscard]] Explanation explain(const Bindings& bindings) const;

    [[nodiscard]] const std::string& text() const;
    /// Free variables, in order of first use.
    [[nodiscard]] const std::vector<std::string>& variables() const;
    /// Every path used, as variable.field.field, deduplicated; `has(x.y)` alone does not count.
    [[nodiscard]] std::vector<std::vector<std::string>> paths() const;
    /// Paths whose presence the expression tests by has().
    [[nodiscard]] std::vector<std::vector<std::string>> guarded_paths() const;
    [[nodiscard]] Necessary necessary() const;

    struct Impl;

  private:
    explicit Program(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<const Impl> impl_;
};

} // namespace weir::cel
