#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/cel/value.hpp>

namespace weir::cel {

enum class Token : std::uint8_t {
    End,
    Name,       ///< an identifier, reserved words among them
    QuotedName, ///< `field-name` in back quotes
    Literal,    ///< a string, bytes or number
    True,
    False,
    Null,
    In,
    Equal,
    NotEqual,
    LessEqual,
    GreaterEqual,
    Less,
    Greater,
    And,
    Or,
    Not,
    Question,
    Colon,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Dot,
    Comma,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
};

struct Lexeme {
    Token token = Token::End;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    Value value;         ///< Literal; an int literal that only fits with a minus before it is the uint 2^63
    bool lowest = false; ///< the int literal 9223372036854775808
};

/// "line:column" of a byte, both from 1; a column is a character.
std::string place_in(std::string_view text, std::size_t at);

/// Cuts an expression into tokens (CEL language definition, "Syntax").
/// Errors: `invalid` "line:column: what, expected what".
class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}
    Result<Lexeme> next();
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] Error error(std::size_t at, const std::string& what) const;

  private:
    void skip_blank();
    [[nodiscard]] char at(std::size_t ahead) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    Result<Lexeme> number();
    Result<Lexeme> integer(std::size_t begin, std::string_view digits, int base);
    Result<Lexeme> text_literal(bool bytes, bool raw);
    Result<Lexeme> quoted_name();
    Result<std::string> unescape(std::size_t begin, std::size_t end, bool bytes) const;
    Result<std::uint32_t> escape(std::size_t& at, std::size_t end, bool bytes, bool& is_byte) const;
    Lexeme word();
    Result<Lexeme> symbol();

    std::string_view text_;
    std::size_t at_ = 0;
};

/// The double a decimal text stands for; nothing if it is malformed or too large. Too small ones are zero.
std::optional<double> read_double(std::string_view text);

} // namespace weir::cel
