#include "compile.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <weir/base/text.hpp>

#include "check.hpp"
#include "eval.hpp"
#include "lexer.hpp"
#include "parser.hpp"

namespace weir::cel {
namespace {

constexpr std::array<Kind, 12> kinds{Kind::Null,   Kind::Bool,      Kind::Int,      Kind::Uint,
                                     Kind::Double, Kind::String,    Kind::Bytes,    Kind::List,
                                     Kind::Map,    Kind::Timestamp, Kind::Duration, Kind::Type};

/// The type a name stands for.
std::optional<Value> type_named(std::string_view name) {
    for (const auto kind : kinds)
        if (type_name(kind) == name) return Value::type(kind);
    return std::nullopt;
}

/// "a.b.c" of a chain of plain selections, or nothing.
std::optional<std::string> dotted(const Node& node) {
    if (node.op == Op::Name) return std::string(node.value.as_string());
    if (node.op != Op::Select) return std::nullopt;
    auto prefix = dotted(*node.a);
    if (!prefix) return std::nullopt;
    return *prefix + "." + std::string(node.value.as_string());
}

bool constant(const Node* node) {
    return node == nullptr || node->op == Op::Literal;
}

bool foldable(const Node& node) {
    switch (node.op) {
        case Op::Select:
        case Op::Has:
        case Op::Index:
        case Op::List:
        case Op::Map:
        case Op::Negate:
        case Op::Add:
        case Op::Subtract:
        case Op::Multiply:
        case Op::Divide:
        case Op::Modulo:
        case Op::Call: break;
        default: return false;
    }
    return constant(node.a) && constant(node.b) &&
           std::all_of(node.items.begin(), node.items.end(), constant);
}

std::size_t count(const Node& node) {
    std::size_t total = 1;
    for (const auto* child : {node.a, node.b, node.c})
        if (child != nullptr) total += count(*child);
    for (const auto* child : node.items)
        total += count(*child);
    return total;
}

/// Moves a node and all below it to the end of `out`, which has room for them.
Node* place(Node& node, std::vector<Node>& out) {
    Node& placed = out.emplace_back(std::move(node));
    for (auto** child : {&placed.a, &placed.b, &placed.c})
        if (*child != nullptr) *child = place(**child, out);
    placed.items.shrink_to_fit();
    for (auto*& child : placed.items)
        child = place(*child, out);
    return &placed;
}

/// Many programs are kept and few are compiled: what is kept is small and lies together.
void compact(Program::Impl& program) {
    program.nodes.reserve(count(*program.root));
    program.root = place(*program.root, program.nodes);
    program.arena.reset();
    program.variables.shrink_to_fit();
}

} // namespace

bool Resolver::fail(const Node& node, const std::string& what) {
    if (status_.ok()) status_ = invalid(place_in(program_.text, node.at) + ": " + what);
    return false;
}

Status Resolver::resolve() {
    resolve(*program_.root);
    return status_;
}

bool Resolver::resolve(Node& node) {
    if (node.op == Op::Name) return resolve_name(node, node.value.as_string());
    if (node.op == Op::Select && resolve_chain(node)) return true;
    for (auto* child : {node.a, node.b, node.c})
        if (child != nullptr && !resolve(*child)) return false;
    for (auto* child : node.items)
        if (!resolve(*child)) return false;
    return node.op != Op::Call || resolve_call(node);
}

/// A variable or type whose name has dots wins over the selection of a field: the longest first, as the
/// language definition asks ("Name Resolution").
bool Resolver::resolve_chain(Node& node) {
    const auto name = dotted(node);
    if (!name) return false;
    const auto known = [&](const Variable& v) { return v.name == *name; };
    if (std::any_of(options_.variables.begin(), options_.variables.end(), known))
        return become_variable(node, *name);
    if (const auto type = type_named(*name)) {
        node.op = Op::Literal;
        node.a = nullptr;
        node.value = *type;
        return true;
    }
    return false;
}

bool Resolver::become_variable(Node& node, std::string_view name) {
    auto& variables = program_.variables;
    const auto found = std::find(variables.begin(), variables.end(), name);
    node.slot = static_cast<std::uint16_t>(found - variables.begin());
    if (found == variables.end()) variables.emplace_back(name);
    node.op = Op::Variable;
    node.a = nullptr;
    return true;
}

bool Resolver::resolve_name(Node& node, std::string_view name) {
    const auto known = [name](const Variable& v) { return v.name == name; };
    if (std::any_of(options_.variables.begin(), options_.variables.end(), known))
        return become_variable(node, name);
    if (const auto type = type_named(name)) {
        node.op = Op::Literal;
        node.value = *type;
        return true;
    }
    if (options_.any_variable) return become_variable(node, name);
    std::vector<std::string_view> names;
    for (const auto& variable : options_.variables)
        names.emplace_back(variable.name);
    std::string list;
    for (const auto each : names)
        list += (list.empty() ? "; known are " : ", ") + std::string(each);
    const auto hint = did_you_mean(name, names);
    return fail(
        node, "unknown name \"" + printable(name, 80) + "\"" + (hint.empty() ? printable(list, 400) : hint));
}

bool Resolver::resolve_call(Node& node) {
    const auto name = node.value.as_string();
    const auto* const signature = find_function(name);
    const auto count = node.items.size() + (node.receiver ? 1 : 0);
    const bool offered =
        signature != nullptr && (signature->function != Function::ParseJson || options_.parse_json);
    const bool form = offered && (node.receiver ? signature->receiver : signature->global);
    if (form && count >= signature->arguments_min && count <= signature->arguments_max) {
        node.function = signature->function;
        return true;
    }
    if (!options_.check) return true;
    if (!offered)
        return fail(node, "unknown function " + printable(name, 80) + "()" +
                              did_you_mean(name, function_names(options_.parse_json)));
    if (!form)
        return fail(node,
                    std::string(name) + "() is written " +
                        (node.receiver ? std::string(name) + "(x)" : "x." + std::string(name) + "(...)"));
    return fail(node, std::string(name) + "() takes " +
                          std::to_string(signature->arguments_max - (node.receiver ? 1 : 0)) +
                          " argument(s), not " + std::to_string(node.items.size()));
}

Status Resolver::fold() {
    fold(*program_.root);
    return status_;
}

bool Resolver::fold(Node& node) {
    for (auto* child : {node.a, node.b, node.c})
        if (child != nullptr && !fold(*child)) return false;
    for (auto* child : node.items)
        if (!fold(*child)) return false;
    if (node.op == Op::Call && node.function == Function::Matches && !fold_pattern(node)) return false;
    if (!foldable(node) || (node.op == Op::Call && node.function == Function::Unknown)) return true;
    const NoBindings none;
    Evaluator evaluator(program_, none, options_.limits.cost_max);
    Value scratch;
    const auto* const value = evaluator.run(node, scratch);
    if (value == nullptr) {
        // A conversion that cannot succeed is a mistake; an index or divisor may stand where it is never
        // reached.
        if (!options_.check || node.op != Op::Call) return true;
        if (status_.ok()) status_ = evaluator.error();
        return false;
    }
    const Value folded = *value;
    node.op = Op::Literal;
    node.a = node.b = nullptr;
    node.items.clear();
    node.value = folded;
    return true;
}

bool Resolver::fold_pattern(Node& node) {
    const auto& pattern = *node.items.back();
    if (pattern.op != Op::Literal || !pattern.value.is_string()) return true;
    auto compiled = compile_pattern(pattern.value.as_string(), options_.limits);
    if (compiled.ok()) {
        program_.patterns.push_back(std::move(*compiled));
        node.slot = static_cast<std::uint16_t>(program_.patterns.size());
        return true;
    }
    return !options_.check || fail(pattern, compiled.error().message);
}

Result<Program> Program::compile(std::string_view text, const CompileOptions& options) {
    if (text.size() > options.limits.text_bytes_max)
        return exhausted("the expression has " + std::to_string(text.size()) + " bytes; the limit is " +
                         std::to_string(options.limits.text_bytes_max));
    if (!valid_utf8(text)) return invalid("the expression is not valid UTF-8");
    auto impl = std::make_shared<Impl>();
    impl->text = text;
    impl->limits = options.limits;
    Parser parser(*impl);
    WEIR_TRY(parser.parse());
    Resolver resolver(*impl, options);
    WEIR_TRY(resolver.resolve());
    if (options.check || options.refuse_untyped_arithmetic)
        WEIR_TRY(Checker(*impl, options).check(*impl->root));
    WEIR_TRY(resolver.fold());
    compact(*impl);
    return Program(std::move(impl));
}

} // namespace weir::cel
