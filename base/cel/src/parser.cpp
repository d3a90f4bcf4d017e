#include "parser.hpp"

#include <algorithm>
#include <array>

#include <weir/base/text.hpp>

namespace weir::cel {
namespace {

constexpr std::array<std::string_view, 18> reserved{
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while", "in"};

bool is_reserved(std::string_view name) {
    return std::find(reserved.begin(), reserved.end(), name) != reserved.end();
}

bool is_macro(std::string_view name) {
    return name == "all" || name == "exists" || name == "exists_one" || name == "existsOne" ||
           name == "map" || name == "filter";
}

} // namespace

std::string_view Parser::text_of(const Lexeme& lexeme) const {
    return std::string_view(impl_.text).substr(lexeme.begin, lexeme.end - lexeme.begin);
}

Node* Parser::fail(std::size_t at, const std::string& what) {
    if (status_.ok()) status_ = lexer_.error(at, what);
    return nullptr;
}

Node* Parser::too_deep(std::size_t at) {
    if (status_.ok())
        status_ = exhausted(place_in(impl_.text, at) + ": the expression is nested deeper than " +
                            std::to_string(impl_.limits.nesting_max) + " levels; split it");
    return nullptr;
}

Node* Parser::unexpected(std::string_view wanted) {
    if (current_.token == Token::End)
        return fail(current_.begin, "the expression ends here, expected " + std::string(wanted));
    const auto found = text_of(current_);
    std::string hint;
    if (found == "and") hint = "; \"and\" is written \"&&\"";
    if (found == "or") hint = "; \"or\" is written \"||\"";
    if (std::string_view(impl_.text).substr(0, last_end_).ends_with("not"))
        hint = "; \"not\" is written \"!\"";
    return fail(current_.begin,
                "unexpected \"" + printable(found, 40) + "\", expected " + std::string(wanted) + hint);
}

bool Parser::advance() {
    last_end_ = current_.end;
    auto next = lexer_.next();
    if (!next.ok()) {
        if (status_.ok()) status_ = next.error();
        return false;
    }
    current_ = std::move(*next);
    return true;
}

bool Parser::accept(Token token) {
    return current_.token == token && advance();
}

bool Parser::expect(Token token, std::string_view what) {
    if (!status_.ok()) return false;
    if (current_.token != token) return unexpected(what) != nullptr;
    return advance();
}

Node* Parser::make(Op op, std::size_t begin) {
    auto& node = impl_.arena->emplace_back();
    node.op = op;
    node.begin = node.at = static_cast<std::uint32_t>(begin);
    return &node;
}

Node* Parser::done(Node* node) {
    if (!status_.ok()) return nullptr;
    std::uint16_t height = 0;
    for (const auto* child : {node->a, node->b, node->c})
        if (child != nullptr) height = std::max(height, child->height);
    for (const auto* child : node->items)
        height = std::max(height, child->height);
    node->height = static_cast<std::uint16_t>(height + 1);
    node->end = static_cast<std::uint32_t>(last_end_);
    return node->height > impl_.limits.nesting_max ? too_deep(node->at) : node;
}

Node* Parser::binary(Op op, Node* a, Node* b, std::size_t at) {
    if (a == nullptr || b == nullptr) return nullptr;
    Node* const node = make(op, a->begin);
    node->at = static_cast<std::uint32_t>(at);
    node->a = a;
    node->b = b;
    return done(node);
}

Status Parser::parse() {
    if (!advance()) return status_;
    if (current_.token == Token::End) return lexer_.error(0, "the expression is empty");
    impl_.root = expression();
    if (impl_.root != nullptr && current_.token != Token::End) unexpected("an operator or the end");
    return status_;
}

Node* Parser::expression() {
    if (++depth_ > impl_.limits.nesting_max) return too_deep(current_.begin);
    Node* node = disjunction();
    if (node != nullptr && current_.token == Token::Question) {
        Node* const conditional = make(Op::Conditional, node->begin);
        conditional->at = current_.begin;
        conditional->a = node;
        if (!advance() || (conditional->b = disjunction()) == nullptr || !expect(Token::Colon, "\":\"") ||
            (conditional->c = expression()) == nullptr)
            return nullptr;
        node = done(conditional);
    }
    --depth_;
    return node;
}

Node* Parser::disjunction() {
    Node* const first = conjunction();
    if (first == nullptr || current_.token != Token::Or) return first;
    Node* const node = make(Op::Or, first->begin);
    node->at = current_.begin;
    node->items.push_back(first);
    while (accept(Token::Or)) {
        Node* const next = conjunction();
        if (next == nullptr) return nullptr;
        node->items.push_back(next);
    }
    return done(node);
}

Node* Parser::conjunction() {
    Node* const first = relation();
    if (first == nullptr || current_.token != Token::And) return first;
    Node* const node = make(Op::And, first->begin);
    node->at = current_.begin;
    node->items.push_back(first);
    while (accept(Token::And)) {
        Node* const next = relation();
        if (next == nullptr) return nullptr;
        node->items.push_back(next);
    }
    return done(node);
}

Node* Parser::relation() {
    const auto op_of = [](Token token) {
        switch (token) {
            case Token::Equal: return Op::Equal;
            case Token::NotEqual: return Op::NotEqual;
            case Token::Less: return Op::Less;
            case Token::LessEqual: return Op::LessEqual;
            case Token::Greater: return Op::Greater;
            case Token::GreaterEqual: return Op::GreaterEqual;
            case Token::In: return Op::In;
            default: return Op::Literal;
        }
    };
    Node* node = addition();
    while (node != nullptr && op_of(current_.token) != Op::Literal) {
        const auto op = op_of(current_.token);
        const auto at = current_.begin;
        if (!advance()) return nullptr;
        node = binary(op, node, addition(), at);
    }
    return node;
}

Node* Parser::addition() {
    Node* node = multiplication();
    while (node != nullptr && (current_.token == Token::Plus || current_.token == Token::Minus)) {
        const auto op = current_.token == Token::Plus ? Op::Add : Op::Subtract;
        const auto at = current_.begin;
        if (!advance()) return nullptr;
        node = binary(op, node, multiplication(), at);
    }
    return node;
}

Node* Parser::multiplication() {
    const auto op_of = [](Token token) {
        return token == Token::Star      ? Op::Multiply
               : token == Token::Slash   ? Op::Divide
               : token == Token::Percent ? Op::Modulo
                                         : Op::Literal;
    };
    Node* node = unary();
    while (node != nullptr && op_of(current_.token) != Op::Literal) {
        const auto op = op_of(current_.token);
        const auto at = current_.begin;
        if (!advance()) return nullptr;
        node = binary(op, node, unary(), at);
    }
    return node;
}

Node* Parser::unary() {
    const auto begin = current_.begin;
    const auto token = current_.token;
    if (token != Token::Not && token != Token::Minus) return member();
    std::size_t count = 0;
    while (current_.token == token) {
        ++count;
        if (!advance()) return nullptr;
    }
    // A minus right before a number belongs to it: -9223372036854775808 is an int.
    const bool number =
        current_.token == Token::Literal &&
        (current_.value.kind() == Kind::Int || current_.value.kind() == Kind::Double || current_.lowest);
    if (token == Token::Minus && number) {
        if (current_.lowest) {
            current_.value = Value::integer(INT64_MIN);
            current_.lowest = false;
        } else if (current_.value.kind() == Kind::Int) {
            current_.value = Value::integer(-current_.value.as_int());
        } else {
            current_.value = Value::real(-current_.value.as_double());
        }
        current_.begin = begin;
        --count;
    }
    Node* const operand = member();
    if (operand == nullptr || count % 2 == 0) return operand; // --x is x
    Node* const node = make(token == Token::Not ? Op::Not : Op::Negate, begin);
    node->a = operand;
    return done(node);
}

Node* Parser::member() {
    Node* node = primary();
    while (node != nullptr) {
        if (current_.token == Token::Dot)
            node = select(node);
        else if (current_.token == Token::OpenBracket)
            node = index(node);
        else if (current_.token == Token::OpenBrace && (node->op == Op::Name || node->op == Op::Select))
            return fail(current_.begin,
                        "message construction is not supported, as there are no protobuf types; write a map: "
                        "{\"field\": value}");
        else
            return node;
    }
    return nullptr;
}

Node* Parser::select(Node* operand) {
    if (!advance()) return nullptr;
    if (current_.token == Token::Question)
        return fail(current_.begin, "optional selection (.?) is not built; use has()");
    if (current_.token != Token::Name && current_.token != Token::QuotedName)
        return unexpected("a field name after \".\"");
    const Lexeme field = current_;
    if (!advance()) return nullptr;
    if (field.token == Token::Name && current_.token == Token::OpenParen)
        return is_macro(text_of(field)) ? macro(operand, field) : call(operand, field);
    Node* const node = make(Op::Select, operand->begin);
    node->at = field.begin;
    node->a = operand;
    node->value = field.token == Token::Name ? Value::string(text_of(field)) : field.value;
    return done(node);
}

Node* Parser::index(Node* operand) {
    Node* const node = make(Op::Index, operand->begin);
    node->at = current_.begin;
    node->a = operand;
    if (!advance()) return nullptr;
    if (current_.token == Token::Question)
        return fail(current_.begin, "optional indexing ([?]) is not built; use \"in\"");
    node->b = expression();
    if (node->b == nullptr || !expect(Token::CloseBracket, "\"]\"")) return nullptr;
    return done(node);
}

Node* Parser::call(Node* receiver, const Lexeme& name) {
    Node* const node = make(Op::Call, receiver != nullptr ? receiver->begin : name.begin);
    node->at = name.begin;
    node->a = receiver;
    node->receiver = receiver != nullptr;
    node->value = Value::string(text_of(name));
    if (!advance() || !arguments(node->items, Token::CloseParen)) return nullptr;
    return done(node);
}

bool Parser::arguments(std::vector<Node*>& out, Token close) {
    while (current_.token != close) {
        Node* const item = expression();
        if (item == nullptr) return false;
        out.push_back(item);
        if (current_.token == close) break;
        if (!expect(Token::Comma, close == Token::CloseParen ? "\",\" or \")\"" : "\",\" or \"]\""))
            return false;
        if (close == Token::CloseParen && current_.token == close)
            return unexpected("an argument") != nullptr;
    }
    return advance();
}

Node* Parser::macro(Node* range, const Lexeme& name) {
    const auto word = text_of(name);
    const auto op = word == "all"      ? Op::All
                    : word == "exists" ? Op::Exists
                    : word == "map"    ? Op::Transform
                    : word == "filter" ? Op::Filter
                                       : Op::ExistsOne;
    Node* const node = make(op, range->begin);
    node->at = name.begin;
    node->a = range;
    node->slot = static_cast<std::uint16_t>(scopes_.size());
    if (!advance()) return nullptr;
    const Lexeme variable = current_;
    const std::string form =
        std::string(word) + "(name, " + (op == Op::Transform ? "expression)" : "condition)");
    if (variable.token != Token::Name || is_reserved(text_of(variable)))
        return unexpected("the name of a variable: " + form);
    if (!advance() || !expect(Token::Comma, "\",\": " + form)) return nullptr;
    if (scopes_.size() >= std::min(impl_.limits.macros_max, locals_max)) {
        if (status_.ok())
            status_ = exhausted(place_in(impl_.text, name.begin) + ": more than " +
                                std::to_string(scopes_.size()) + " macros inside one another");
        return nullptr;
    }
    scopes_.emplace_back(text_of(variable));
    impl_.locals = std::max(impl_.locals, scopes_.size());
    node->b = expression();
    if (node->b != nullptr && current_.token == Token::Comma) {
        if (op != Op::Transform)
            return fail(current_.begin, "macros with two variables are not built, expected \")\": " + form);
        if (!advance()) return nullptr;
        node->c = node->b;
        node->b = expression();
    }
    scopes_.pop_back();
    if (node->b == nullptr || !expect(Token::CloseParen, "\")\": " + form)) return nullptr;
    return done(node);
}

Node* Parser::has_macro(const Lexeme& name) {
    if (!advance()) return nullptr;
    const auto begin = current_.begin;
    Node* const operand = expression();
    if (operand == nullptr) return nullptr;
    if (operand->op != Op::Select) return fail(begin, "has() asks for a field, as in has(event.data.owner)");
    if (!expect(Token::CloseParen, "\")\"")) return nullptr;
    operand->op = Op::Has;
    operand->begin = name.begin;
    return done(operand);
}

Node* Parser::primary() {
    switch (current_.token) {
        case Token::Literal:
        case Token::True:
        case Token::False:
        case Token::Null: return literal();
        case Token::OpenBracket: return list();
        case Token::OpenBrace: return map();
        case Token::Name:
        case Token::Dot: return name();
        case Token::OpenParen: {
            const auto begin = current_.begin;
            if (!advance()) return nullptr;
            Node* const node = expression();
            if (node == nullptr || !expect(Token::CloseParen, "\")\"")) return nullptr;
            node->begin = begin;
            node->end = static_cast<std::uint32_t>(last_end_);
            return node;
        }
        default: return unexpected("a value, a name, \"(\", \"[\" or \"{\"");
    }
}

Node* Parser::literal() {
    Node* const node = make(Op::Literal, current_.begin);
    if (current_.lowest) return fail(current_.begin, "the number does not fit into 64 bits");
    if (current_.token == Token::Literal)
        node->value = current_.value;
    else if (current_.token != Token::Null)
        node->value = Value::boolean(current_.token == Token::True);
    return advance() ? done(node) : nullptr;
}

Node* Parser::name() {
    const auto begin = current_.begin;
    const bool absolute = current_.token == Token::Dot;
    if (absolute && !advance()) return nullptr;
    if (current_.token != Token::Name) return unexpected("a name");
    const Lexeme found = current_;
    const auto text = text_of(found);
    if (is_reserved(text)) return fail(found.begin, "\"" + std::string(text) + "\" is a reserved word");
    if (!advance()) return nullptr;
    if (current_.token == Token::OpenParen)
        return text == "has" && !absolute ? has_macro(found) : call(nullptr, found);
    Node* const node = make(Op::Name, begin);
    node->absolute = absolute;
    node->value = Value::string(text);
    const auto scope = std::find(scopes_.rbegin(), scopes_.rend(), text);
    if (!absolute && scope != scopes_.rend()) {
        node->op = Op::Local;
        node->slot = static_cast<std::uint16_t>(scopes_.rend() - scope - 1);
    }
    return done(node);
}

Node* Parser::list() {
    Node* const node = make(Op::List, current_.begin);
    if (!advance()) return nullptr;
    if (current_.token == Token::Question) return fail(current_.begin, "optional elements (?) are not built");
    if (current_.token == Token::Comma) { // the grammar has [,] as an empty list
        if (!advance()) return nullptr;
        return expect(Token::CloseBracket, "\"]\"") ? done(node) : nullptr;
    }
    return arguments(node->items, Token::CloseBracket) ? done(node) : nullptr;
}

Node* Parser::map() {
    Node* const node = make(Op::Map, current_.begin);
    if (!advance()) return nullptr;
    while (current_.token != Token::CloseBrace) {
        if (current_.token == Token::Question)
            return fail(current_.begin, "optional entries (?) are not built");
        Node* const key = expression();
        if (key == nullptr || !expect(Token::Colon, "\":\"")) return nullptr;
        Node* const value = expression();
        if (value == nullptr) return nullptr;
        node->items.push_back(key);
        node->items.push_back(value);
        if (current_.token != Token::CloseBrace && !expect(Token::Comma, "\",\" or \"}\"")) return nullptr;
    }
    return advance() ? done(node) : nullptr;
}

} // namespace weir::cel
