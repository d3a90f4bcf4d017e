#include "lexer.hpp"

#include <array>
#include <charconv>
#include <utility>

#include <weir/base/text.hpp>

namespace weir::cel {
namespace {

bool digit(char c) {
    return c >= '0' && c <= '9';
}
bool hex_digit(char c) {
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Of the int -2^63.
constexpr std::uint64_t lowest_magnitude = std::uint64_t{1} << 63;

/// Whether a decimal text that no double can hold is too large (else it is too small).
bool too_large(std::string_view text) {
    const auto e = text.find_first_of("eE");
    int exponent = 0;
    if (e != std::string_view::npos) {
        auto digits = text.substr(e + 1);
        const bool negative = digits.starts_with('-');
        if (negative || digits.starts_with('+')) digits.remove_prefix(1);
        if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec != std::errc())
            return !negative;
        if (negative) exponent = -exponent;
    }
    // The place of the first digit that counts, seen from the point.
    const auto mantissa = text.substr(0, e);
    const auto point = std::min(mantissa.find('.'), mantissa.size());
    const auto first = mantissa.find_first_of("123456789");
    if (first == std::string_view::npos) return false;
    const auto place =
        first < point ? static_cast<long>(point - first) : -static_cast<long>(first - point) + 1;
    return place + exponent > 0;
}

void append_utf8(std::string& out, std::uint32_t c) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | c >> 6);
        tail(0);
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | c >> 12);
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xf0 | c >> 18);
        tail(12);
        tail(6);
        tail(0);
    }
}

} // namespace

std::optional<double> read_double(std::string_view text) {
    auto digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end != digits.data() + digits.size() || digits.empty() || digits.front() == '-') return std::nullopt;
    if (error == std::errc::result_out_of_range) {
        if (too_large(digits)) return std::nullopt;
        value = 0;
    } else if (error != std::errc()) {
        return std::nullopt;
    }
    return negative ? -value : value;
}

std::string place_in(std::string_view text, std::size_t at) {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < at && i < text.size(); ++i) {
        if (text[i] == '\n') {
            ++line;
            column = 1;
        } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
            ++column;
        }
    }
    return std::to_string(line) + ":" + std::to_string(column);
}

Error Lexer::error(std::size_t at, const std::string& what) const {
    return invalid(place_in(text_, at) + ": " + what);
}

void Lexer::skip_blank() {
    for (;;) {
        const char c = at(0);
        if (at_ < text_.size() && (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f')) {
            ++at_;
        } else if (c == '/' && at(1) == '/') {
            while (at_ < text_.size() && text_[at_] != '\n')
                ++at_;
        } else {
            return;
        }
    }
}

Result<Lexeme> Lexer::next() {
    skip_blank();
    Lexeme lexeme;
    lexeme.begin = lexeme.end = static_cast<std::uint32_t>(at_);
    if (at_ >= text_.size()) return lexeme;
    const char c = at(0);
    if (digit(c) || (c == '.' && digit(at(1)))) return number();
    if (c == '"' || c == '\'') return text_literal(false, false);
    if (c == '`') return quoted_name();
    if (name_start(c)) {
        const bool bytes = c == 'b' || c == 'B';
        const std::size_t prefix = bytes ? 1 : 0;
        const bool raw = at(prefix) == 'r' || at(prefix) == 'R';
        const char quote = at(prefix + (raw ? 1 : 0));
        if ((bytes || raw) && (quote == '"' || quote == '\'')) return text_literal(bytes, raw);
        return word();
    }
    return symbol();
}

Lexeme Lexer::word() {
    Lexeme lexeme;
    lexeme.begin = static_cast<std::uint32_t>(at_);
    while (name_start(at(0)) || digit(at(0)))
        ++at_;
    lexeme.end = static_cast<std::uint32_t>(at_);
    const auto name = text_.substr(lexeme.begin, lexeme.end - lexeme.begin);
    lexeme.token = name == "true"    ? Token::True
                   : name == "false" ? Token::False
                   : name == "null"  ? Token::Null
                   : name == "in"    ? Token::In
                                     : Token::Name;
    return lexeme;
}

Result<Lexeme> Lexer::symbol() {
    static constexpr std::array<std::pair<std::string_view, Token>, 24> symbols{{
        {"==", Token::Equal},        {"!=", Token::NotEqual},  {"<=", Token::LessEqual},
        {">=", Token::GreaterEqual}, {"&&", Token::And},       {"||", Token::Or},
        {"<", Token::Less},          {">", Token::Greater},    {"!", Token::Not},
        {"?", Token::Question},      {":", Token::Colon},      {"+", Token::Plus},
        {"-", Token::Minus},         {"*", Token::Star},       {"/", Token::Slash},
        {"%", Token::Percent},       {".", Token::Dot},        {",", Token::Comma},
        {"(", Token::OpenParen},     {")", Token::CloseParen}, {"[", Token::OpenBracket},
        {"]", Token::CloseBracket},  {"{", Token::OpenBrace},  {"}", Token::CloseBrace},
    }};
    const auto rest = text_.substr(at_);
    for (const auto& [text, token] : symbols) {
        if (!rest.starts_with(text)) continue;
        Lexeme lexeme;
        lexeme.token = token;
        lexeme.begin = static_cast<std::uint32_t>(at_);
        at_ += text.size();
        lexeme.end = static_cast<std::uint32_t>(at_);
        return lexeme;
    }
    if (rest.starts_with('=')) return error(at_, "unexpected \"=\"; equality is written \"==\"");
    if (rest.starts_with('&')) return error(at_, "unexpected \"&\"; \"and\" is written \"&&\"");
    if (rest.starts_with('|')) return error(at_, "unexpected \"|\"; \"or\" is written \"||\"");
    std::size_t size = 1;
    while (at_ + size < text_.size() && (static_cast<unsigned char>(text_[at_ + size]) & 0xc0) == 0x80)
        ++size;
    return error(at_, "unexpected character \"" + printable(rest.substr(0, size)) +
                          "\"; a name has letters, digits and _" +
                          ", any other key is written in brackets: x[\"key\"]");
}

Result<Lexeme> Lexer::quoted_name() {
    Lexeme lexeme;
    lexeme.token = Token::QuotedName;
    lexeme.begin = static_cast<std::uint32_t>(at_);
    const auto close = text_.find('`', at_ + 1);
    const auto name = text_.substr(at_ + 1, close == std::string_view::npos ? close : close - at_ - 1);
    const auto allowed = [](char c) {
        return name_start(c) || digit(c) || c == '.' || c == '-' || c == '/' || c == ' ';
    };
    if (close == std::string_view::npos || name.empty())
        return error(at_, "a field name in back quotes needs letters and a closing `");
    for (std::size_t i = 0; i < name.size(); ++i)
        if (!allowed(name[i]))
            return error(at_ + 1 + i,
                         "a field name in back quotes has letters, digits, _ . - / and blanks only");
    at_ = close + 1;
    lexeme.end = static_cast<std::uint32_t>(at_);
    lexeme.value = Value::string(name);
    return lexeme;
}

Result<Lexeme> Lexer::integer(std::size_t begin, std::string_view digits, int base) {
    Lexeme lexeme;
    lexeme.token = Token::Literal;
    lexeme.begin = static_cast<std::uint32_t>(begin);
    std::uint64_t value = 0;
    const bool fits =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, base).ec == std::errc();
    const bool is_unsigned = at(0) == 'u' || at(0) == 'U';
    if (is_unsigned) ++at_;
    lexeme.end = static_cast<std::uint32_t>(at_);
    if (!fits || (!is_unsigned && value > lowest_magnitude))
        return error(begin,
                     "the number does not fit into 64 bits; write a double (with a point) for larger ones");
    lexeme.lowest = !is_unsigned && value == lowest_magnitude;
    lexeme.value = is_unsigned || lexeme.lowest ? Value::unsigned_integer(value)
                                                : Value::integer(static_cast<std::int64_t>(value));
    return lexeme;
}

Result<Lexeme> Lexer::number() {
    const auto begin = at_;
    if (at(0) == '0' && at(1) == 'x' && hex_digit(at(2))) {
        at_ += 2;
        while (hex_digit(at(0)))
            ++at_;
        return integer(begin, text_.substr(begin + 2, at_ - begin - 2), 16);
    }
    while (digit(at(0)))
        ++at_;
    bool real = false;
    if (at(0) == '.' && digit(at(1))) {
        real = true;
        ++at_;
        while (digit(at(0)))
            ++at_;
    }
    if (at(0) == 'e' || at(0) == 'E') {
        const std::size_t sign = at(1) == '+' || at(1) == '-' ? 1 : 0;
        if (digit(at(1 + sign))) {
            real = true;
            at_ += 1 + sign;
            while (digit(at(0)))
                ++at_;
        }
    }
    if (!real) return integer(begin, text_.substr(begin, at_ - begin), 10);
    const auto value = read_double(text_.substr(begin, at_ - begin));
    if (!value) return error(begin, "the number is too large for a double");
    Lexeme lexeme;
    lexeme.token = Token::Literal;
    lexeme.begin = static_cast<std::uint32_t>(begin);
    lexeme.end = static_cast<std::uint32_t>(at_);
    lexeme.value = Value::real(*value);
    return lexeme;
}

Result<Lexeme> Lexer::text_literal(bool bytes, bool raw) {
    Lexeme lexeme;
    lexeme.token = Token::Literal;
    lexeme.begin = static_cast<std::uint32_t>(at_);
    at_ += (bytes ? 1U : 0U) + (raw ? 1U : 0U);
    const char quote = at(0);
    const bool triple = at(1) == quote && at(2) == quote;
    at_ += triple ? 3 : 1;
    const auto begin = at_;
    for (;; ++at_) {
        if (at_ >= text_.size()) return error(lexeme.begin, "the string has no closing quote");
        const char c = text_[at_];
        if (c == '\\' && !raw) {
            ++at_;
        } else if (c == quote && (!triple || (at(1) == quote && at(2) == quote))) {
            break;
        } else if (!triple && (c == '\n' || c == '\r')) {
            return error(at_, "a line break inside a string; write \\n, or use three quotes");
        }
    }
    const auto end = at_;
    at_ += triple ? 3 : 1;
    lexeme.end = static_cast<std::uint32_t>(at_);
    std::string content;
    if (raw) {
        for (std::size_t i = begin; i < end; ++i)
            if (text_[i] != '\r')
                content += text_[i];
            else if (i + 1 == end || text_[i + 1] != '\n')
                content += '\n';
    } else {
        WEIR_ASSIGN(plain, unescape(begin, end, bytes));
        content = std::move(plain);
    }
    lexeme.value = bytes ? Value::bytes(content) : Value::string(content);
    return lexeme;
}

Result<std::string> Lexer::unescape(std::size_t begin, std::size_t end, bool bytes) const {
    std::string out;
    out.reserve(end - begin);
    for (std::size_t i = begin; i < end;) {
        const char c = text_[i];
        if (c == '\r') { // line breaks of any kind count as one \n
            out += '\n';
            i += i + 1 < end && text_[i + 1] == '\n' ? 2 : 1;
        } else if (c != '\\') {
            out += c;
            ++i;
        } else {
            bool is_byte = false;
            WEIR_ASSIGN(code, escape(i, end, bytes, is_byte));
            if (is_byte && bytes)
                out += static_cast<char>(code);
            else
                append_utf8(out, code);
        }
    }
    return out;
}

Result<std::uint32_t> Lexer::escape(std::size_t& at, std::size_t end, bool bytes, bool& is_byte) const {
    static constexpr std::string_view from = "abfnrtv\\?\"'`", to = "\a\b\f\n\r\t\v\\?\"'`";
    const auto begin = at;
    const char kind = at + 1 < end ? text_[at + 1] : '\0';
    at += 2;
    if (const auto i = from.find(kind); kind != '\0' && i != std::string_view::npos)
        return static_cast<std::uint32_t>(to[i]);
    std::size_t size = 0;
    int base = 16;
    if (kind == 'x' || kind == 'X') {
        size = 2;
        is_byte = true;
    } else if (kind == 'u' || kind == 'U') {
        size = kind == 'u' ? 4 : 8;
        if (bytes) return error(begin, "\\u and \\U are not for bytes; write \\x");
    } else if (kind >= '0' && kind <= '3') {
        --at;
        size = 3;
        base = 8;
        is_byte = true;
    } else {
        return error(begin,
                     "unknown escape in a string; a backslash itself is written \\\\, or use r\"...\"");
    }
    std::uint32_t code = 0;
    const auto* const first = text_.data() + at;
    if (at + size > end || std::from_chars(first, first + size, code, base).ptr != first + size)
        return error(begin, "an escape in a string needs " + std::to_string(size) +
                                (base == 8 ? " octal digits" : " hexadecimal digits"));
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return error(begin, "the escape names no Unicode character");
    at += size;
    return code;
}

} // namespace weir::cel
