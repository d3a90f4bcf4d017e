#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <weir/cel/program.hpp>
#include <weir/cel/value.hpp>

namespace re2 {
class RE2;
}

namespace weir::cel {

enum class Op : std::uint8_t {
    Literal,
    Name,        ///< not resolved yet: `value` is its text
    Variable,    ///< `slot` in Impl::variables
    Local,       ///< of a macro: `slot`
    Select,      ///< a.value
    Has,         ///< has(a.value)
    Index,       ///< a[b]
    List,        ///< items
    Map,         ///< items: key, value, key, value...
    And,         ///< items, two or more
    Or,          ///< items, two or more
    Not,         ///< !a
    Negate,      ///< -a
    Conditional, ///< a ? b : c
    Add,         ///< a + b, and so on
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Call, ///< function(a, items...) or a.function(items...)
    All,  ///< a.all(slot, b)
    Exists,
    ExistsOne,
    Transform, ///< a.map(slot, b) or a.map(slot, c, b)
    Filter,    ///< a.filter(slot, b)
};

enum class Function : std::uint8_t {
    Unknown,
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    Bool,
    Bytes,
    Double,
    Dyn,
    Duration,
    Int,
    String,
    Timestamp,
    Type,
    Uint,
    ParseJson,
    GetFullYear,
    GetMonth,
    GetDayOfYear,
    GetDayOfMonth,
    GetDate,
    GetDayOfWeek,
    GetHours,
    GetMinutes,
    GetSeconds,
    GetMilliseconds,
};

/// How a function may be called; the receiver counts as an argument.
struct Signature {
    std::string_view name;
    Function function;
    bool global;
    bool receiver;
    std::uint8_t arguments_min;
    std::uint8_t arguments_max;
};

/// The signature of a name, or nullptr.
const Signature* find_function(std::string_view name) noexcept;
/// All names, for "did you mean".
std::vector<std::string_view> function_names(bool parse_json);

/// Macros inside one another, at most: each needs a place for its variable while it runs.
constexpr std::size_t locals_max = 16;

/// One node of the tree that is evaluated.
struct Node {
    Op op = Op::Literal;
    Function function = Function::Unknown;
    bool receiver = false; ///< Call: written a.function()
    bool absolute = false; ///< Name: written with a leading dot
    std::uint16_t slot =
        0; ///< Variable, Local and macros: where its value is; Matches: its pattern, from 1; 0: none
    std::uint16_t height = 1;
    std::uint32_t begin = 0; ///< source text
    std::uint32_t end = 0;
    std::uint32_t at = 0; ///< where an error of this node is reported: its operator or name
    Node* a = nullptr;
    Node* b = nullptr;
    Node* c = nullptr;
    std::vector<Node*> items;
    Value value; ///< Literal; Select, Has: the field; Name, Call: the name
};

struct Program::Impl {
    std::string text;
    Limits limits;
    /// While compiling: where nodes are made; addresses are stable. Afterwards gone.
    std::unique_ptr<std::deque<Node>> arena = std::make_unique<std::deque<Node>>();
    std::vector<Node> nodes; ///< the finished tree, one piece of memory
    Node* root = nullptr;
    std::vector<std::shared_ptr<const re2::RE2>> patterns; ///< of matches() with a constant pattern
    std::vector<std::string> variables;
    std::size_t locals = 0; ///< slots that nested macros need
};

} // namespace weir::cel
