#include "filter.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

namespace weir::triggers::match {
namespace {

using Op = cel::Comparison::Op;
using Words = std::vector<std::uint64_t>;

enum class Literal : std::uint8_t { None, Text, Number, No, Yes };

/// The first word of a condition; a text (padded) or a number follows. An alternative is the number of its
/// words, this one included, and its conditions.
struct Head {
    PathId path = 0;
    std::uint16_t bytes = 0; ///< of the text
    Op op = Op::Equal;
    Literal literal = Literal::None;
    bool more = false; ///< the next condition is another literal for the same: one of them is enough

    [[nodiscard]] std::uint64_t word() const {
        return std::uint64_t{path} << 32 | std::uint64_t{bytes} << 16 | static_cast<std::uint64_t>(op) << 8 |
               static_cast<std::uint64_t>(literal) << 1 | (more ? 1 : 0);
    }
    static Head of(std::uint64_t word) {
        return {static_cast<PathId>(word >> 32), static_cast<std::uint16_t>(word >> 16),
                static_cast<Op>(word >> 8 & 0xff), static_cast<Literal>(word >> 1 & 0x7f), (word & 1) != 0};
    }
    [[nodiscard]] std::size_t words() const {
        return literal == Literal::Text ? 1 + (bytes + 7U) / 8U : literal == Literal::Number ? 2 : 1;
    }
};

Literal literal_kind(const cel::Value& value) {
    if (value.is_string()) return Literal::Text;
    if (value.kind() == cel::Kind::Bool) return value.as_bool() ? Literal::Yes : Literal::No;
    return number_of(value) ? Literal::Number : Literal::None;
}

bool is_order(Op op) {
    return op == Op::Less || op == Op::LessEqual || op == Op::Greater || op == Op::GreaterEqual;
}

/// Whether a filter can say what the condition says.
bool fits(const Condition& condition) {
    if (condition.op == Op::Has) return true;
    // Of an empty list there is no literal to put down.
    return !condition.literals.empty() &&
           std::all_of(condition.literals.begin(), condition.literals.end(), [&](const cel::Value& value) {
               const auto kind = literal_kind(value);
               if (kind == Literal::Text) return value.as_string().size() <= 0xffff;
               return kind == Literal::Number || (kind != Literal::None && !is_order(condition.op));
           });
}

void append(Words& out, Head head, const cel::Value* value) {
    head.literal = value == nullptr ? Literal::None : literal_kind(*value);
    if (head.literal == Literal::Text) head.bytes = static_cast<std::uint16_t>(value->as_string().size());
    const auto at = out.size();
    out.resize(at + head.words());
    out[at] = head.word();
    if (head.literal == Literal::Number) out[at + 1] = std::bit_cast<std::uint64_t>(*number_of(*value));
    if (head.bytes > 0) std::memcpy(&out[at + 1], value->as_string().data(), head.bytes);
}

void append(Words& out, const Condition& condition) {
    const auto op = condition.op == Op::In ? Op::Equal : condition.op;
    if (condition.op == Op::Has) return append(out, {condition.path, 0, op, Literal::None, false}, nullptr);
    for (std::size_t i = 0; i < condition.literals.size(); ++i)
        append(out, {condition.path, 0, op, Literal::None, i + 1 < condition.literals.size()},
               &condition.literals[i]);
}

template <class T>
bool ordered(Op op, const T& a, const T& b) {
    switch (op) {
        case Op::Less: return a < b;
        case Op::LessEqual: return a <= b;
        case Op::Greater: return a > b;
        case Op::GreaterEqual: return a >= b;
        default: return false;
    }
}

bool holds(const Head& head, const std::uint64_t* literal, const Probe::Found& found) {
    if (found.kind == Probe::Kind::Missing) return false;
    if (head.op == Op::Has) return true;
    const bool negated = head.op == Op::NotEqual;
    switch (head.literal) {
        case Literal::Text: {
            if (found.kind != Probe::Kind::Text) return negated;
            const std::string_view text(reinterpret_cast<const char*>(literal), head.bytes);
            if (head.op == Op::Equal || negated) return (found.text == text) != negated;
            if (head.op == Op::Prefix) return found.text.starts_with(text);
            if (head.op == Op::Suffix) return found.text.ends_with(text);
            return ordered(head.op, found.text, text);
        }
        case Literal::Number: {
            if (found.kind != Probe::Kind::Number) return negated;
            const auto number = std::bit_cast<double>(*literal);
            if (head.op == Op::Equal || negated) return (found.number == number) != negated;
            return ordered(head.op, found.number, number);
        }
        case Literal::No:
        case Literal::Yes: {
            if (found.kind != Probe::Kind::Bool) return negated;
            return (found.truth == (head.literal == Literal::Yes)) != negated;
        }
        case Literal::None: break;
    }
    return false;
}

} // namespace

template <class Take>
void Filter::each_path(Take take) const {
    if (words_ == 0) return;
    const auto* at = words_ > small_words ? large_.get() : small_.data();
    const auto* const end = at + *at;
    for (++at; at < end;) {
        const auto* const next = at + *at;
        for (++at; at < next;) {
            const auto head = Head::of(*at);
            take(head.path);
            at += head.words();
        }
    }
}

Filter::Filter(const std::vector<Conjunction>& alternatives, Paths& paths, bool& whole) {
    whole = false;
    Words words{0};
    bool left_out = alternatives.empty();
    for (const auto& all : alternatives) {
        const auto begin = words.size();
        words.push_back(0);
        for (const auto& condition : all) {
            if (fits(condition))
                append(words, condition);
            else
                left_out = true;
        }
        words[begin] = words.size() - begin;
        if (words.size() > words_max) return;
    }
    if (alternatives.empty()) return;
    words[0] = words.size();
    words_ = static_cast<std::uint32_t>(words.size());
    if (words_ > small_words) large_ = std::make_unique<std::uint64_t[]>(words.size());
    std::copy(words.begin(), words.end(), words_ > small_words ? large_.get() : small_.data());
    each_path([&](PathId path) { paths.hold(path); });
    whole = !left_out;
}

bool Filter::any_alternative(const std::uint64_t* at, Probe& probe) const {
    const auto* const end = at + *at;
    ++at;
    while (at < end) {
        const auto* const next = at + *at;
        ++at;
        bool met = true;
        while (met && at < next) {
            auto head = Head::of(*at);
            met = match::holds(head, at + 1, probe.at(head.path));
            at += head.words();
            // Of several literals for one operand the first that fits is enough.
            for (; head.more; at += head.words()) {
                head = Head::of(*at);
                if (!met) met = match::holds(head, at + 1, probe.at(head.path));
            }
        }
        if (met) return true;
        at = next;
    }
    return false;
}

void Filter::release(Paths& paths) const {
    each_path([&](PathId path) { paths.release(path); });
}

} // namespace weir::triggers::match
