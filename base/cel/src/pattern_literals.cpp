#include "pattern_literals.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::cel {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_punctuation(char c) {
    return c > ' ' && c < 0x7f && c != '_' && !is_digit(c) && !(c >= 'a' && c <= 'z') &&
           !(c >= 'A' && c <= 'Z');
}

std::size_t character_bytes(char first) {
    const auto c = static_cast<unsigned char>(first);
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

class Scanner {
  public:
    explicit Scanner(std::string_view pattern) : text_(pattern) {}

    PatternLiterals scan() {
        anchored_ = at(0) == '^';
        for (at_ = anchored_ ? 1 : 0; at_ < text_.size();)
            if (!token()) return {};
        PatternLiterals out;
        out.whole = anchored_ && ended_ && !interrupted_;
        if (ended_) out.suffix = run_;
        if (anchored_) out.prefix = interrupted_ ? first_run_ : run_;
        return out;
    }

  private:
    [[nodiscard]] char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

    /// What comes here is no literal: the run of literals ends.
    void interrupt(std::size_t bytes) {
        if (!std::exchange(interrupted_, true)) first_run_ = run_;
        run_.clear();
        at_ += bytes;
    }

    bool literal(std::string_view character, std::size_t bytes) {
        const char next = at(at_ + bytes);
        const bool repeated = next == '*' || next == '?' || next == '{' || next == '+';
        if (depth_ > 0) {
            at_ += bytes;
            return true;
        }
        // Once at least with a plus; with the others perhaps not at all.
        if (!repeated || next == '+') run_ += character;
        at_ += bytes;
        if (repeated) interrupt(0);
        return true;
    }

    /// Takes one token. False for what is not understood.
    bool token() {
        const char c = text_[at_];
        switch (c) {
            case '\\': return escape();
            case '[': return character_class();
            case '(': return open();
            case ')':
                --depth_;
                interrupt(1);
                return true;
            case '|':
                if (depth_ == 0) return false;
                interrupt(1);
                return true;
            case '{': interrupt(repetition_bytes()); return true;
            case '$':
                if (depth_ == 0 && at_ + 1 == text_.size()) {
                    ended_ = true;
                    ++at_;
                } else {
                    interrupt(1);
                }
                return true;
            case '^':
            case '.':
            case '*':
            case '+':
            case '?':
            case '}':
            case ']': interrupt(1); return true;
            default: {
                const auto bytes = std::min(character_bytes(c), text_.size() - at_);
                return literal(text_.substr(at_, bytes), bytes);
            }
        }
    }

    bool escape() {
        const char c = at(at_ + 1);
        if (is_punctuation(c)) return literal(text_.substr(at_ + 1, 1), 2);
        if (std::string_view("dDwWsSbB").find(c) == std::string_view::npos || c == '\0') return false;
        interrupt(2);
        return true;
    }

    bool character_class() {
        const char only = at(at_ + 1);
        // A class of one: the usual way to write a dot.
        if (only > ' ' && only < 0x7f && only != '^' && only != '\\' && only != '[' && only != ']' &&
            at(at_ + 2) == ']')
            return literal(text_.substr(at_ + 1, 1), 3);
        auto end = at_ + 1;
        if (at(end) == '^') ++end;
        if (at(end) == ']') ++end;
        while (end < text_.size() && text_[end] != ']') {
            if (text_[end] == '\\') {
                end += 2;
            } else if (text_[end] == '[' && at(end + 1) == ':') {
                const auto close = text_.find(":]", end + 2);
                if (close == std::string_view::npos) return false;
                end = close + 2;
            } else {
                ++end;
            }
        }
        if (end >= text_.size()) return false;
        interrupt(end + 1 - at_);
        return true;
    }

    bool open() {
        std::size_t bytes = 1;
        if (at(at_ + 1) == '?') {
            if (at(at_ + 2) != ':') return false; // flags, or a name
            bytes = 3;
        }
        ++depth_;
        interrupt(bytes);
        return true;
    }

    /// Of `{2}`, `{2,}`, `{2,3}`; anything else in braces is only braces.
    [[nodiscard]] std::size_t repetition_bytes() const {
        auto end = at_ + 1;
        const auto digits = end;
        while (is_digit(at(end)))
            ++end;
        if (end == digits) return 1;
        if (at(end) == ',') ++end;
        while (is_digit(at(end)))
            ++end;
        return at(end) == '}' ? end + 1 - at_ : 1;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
    bool anchored_ = false;
    bool ended_ = false;
    bool interrupted_ = false;
    std::string run_;       ///< the literals without a gap up to here
    std::string first_run_; ///< those that the pattern begins with
};

} // namespace

PatternLiterals pattern_literals(std::string_view pattern) {
    return Scanner(pattern).scan();
}

} // namespace weir::cel
