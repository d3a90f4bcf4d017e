#include "table.hpp"

#include <algorithm>

namespace weir::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 10;

bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

/// The first `width` code points; an ellipsis stands for the rest.
std::string cut(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    std::string out;
    std::size_t taken = 0;
    for (const char c : text) {
        if (begins_character(c) && ++taken >= width) break;
        out += c;
    }
    return out + "…";
}

} // namespace

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::size_t Table::total() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (!dropped_[i]) sum += widths_[i] + (sum > 0 ? gap : 0);
    }
    return sum;
}

/// The widest of those that may shrink gives way by one.
bool Table::shrink() {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (!columns_[i].shrinks || dropped_[i] || widths_[i] <= narrowest) continue;
        if (widest == columns_.size() || widths_[i] > widths_[widest]) widest = i;
    }
    if (widest == columns_.size()) return false;
    --widths_[widest];
    return true;
}

bool Table::drop() {
    std::size_t first = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns_[i].drops == 0 || dropped_[i]) continue;
        if (first == columns_.size() || columns_[i].drops > columns_[first].drops) first = i;
    }
    if (first == columns_.size()) return false;
    dropped_[first] = true;
    return true;
}

void Table::fit(std::size_t width) {
    widths_.resize(columns_.size());
    dropped_.resize(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        widths_[i] = std::max(widths_[i], columns_[i].title.size());
        for (const auto& row : rows_)
            widths_[i] = std::max(widths_[i], display_width(row[i]));
    }
    if (width == 0) return;
    const auto wanted = widths_;
    while (total() > width) {
        if (shrink()) continue;
        if (!drop()) return;
        // With a column less there may be room again.
        widths_ = wanted;
    }
}

std::string Table::render(std::size_t width, bool with_titles) {
    fit(width);
    std::string out;
    const auto line = [&](const auto& cell_of) {
        std::string text;
        std::size_t reached = 0;
        std::size_t begins = 0;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (dropped_[i]) continue;
            text.append(begins - reached, ' ');
            const auto cell = cut(cell_of(i), widths_[i]);
            text += cell;
            reached = begins + display_width(cell);
            begins += widths_[i] + gap;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += (width == 0 ? text : cut(text, width)) + "\n";
    };
    if (with_titles) line([&](std::size_t i) -> std::string_view { return columns_[i].title; });
    for (const auto& row : rows_)
        line([&](std::size_t i) -> std::string_view { return row[i]; });
    rows_.clear();
    return out;
}

} // namespace weir::cli
