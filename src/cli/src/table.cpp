#include "table.hpp"

#include <algorithm>
#include <numeric>

namespace weir::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 8;

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

void Table::fit(std::size_t width) {
    widths_.resize(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        widths_[i] = std::max(widths_[i], columns_[i].title.size());
        for (const auto& row : rows_)
            widths_[i] = std::max(widths_[i], display_width(row[i]));
    }
    if (width == 0) return;
    const auto total = [&] {
        return std::accumulate(widths_.begin(), widths_.end(), gap * (columns_.size() - 1));
    };
    // The widest of those that may shrink gives way, column by column, until all fit.
    while (total() > width) {
        std::size_t widest = columns_.size();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!columns_[i].shrinks || widths_[i] <= narrowest) continue;
            if (widest == columns_.size() || widths_[i] > widths_[widest]) widest = i;
        }
        if (widest == columns_.size()) return;
        --widths_[widest];
    }
}

std::string Table::render(std::size_t width, bool with_titles) {
    fit(width);
    std::string out;
    const auto line = [&](const auto& cell_of) {
        std::string text;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const auto cell = cut(cell_of(i), widths_[i]);
            text += cell;
            if (i + 1 < columns_.size()) text.append(widths_[i] - display_width(cell) + gap, ' ');
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    };
    if (with_titles) line([&](std::size_t i) -> std::string_view { return columns_[i].title; });
    for (const auto& row : rows_)
        line([&](std::size_t i) -> std::string_view { return row[i]; });
    rows_.clear();
    return out;
}

} // namespace weir::cli
