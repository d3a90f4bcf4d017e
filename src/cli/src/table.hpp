#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

struct ColumnStyle {
    std::string title;
    bool shrinks = false; ///< gives way when the terminal is narrow
    int drops = 0;        ///< left out when that is not enough, higher ones first; 0: never
};

/// Rows for a person: columns aligned, two spaces between them, the last one not padded.
/// What is in a cell must be printable already (weir::printable). Widths count code points.
class Table {
  public:
    explicit Table(std::vector<ColumnStyle> columns) : columns_(std::move(columns)) {}

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// All lines, cut to `width` columns (0: never cut). Widths are kept for the next call, so that rows that
    /// come later stand below those before. The rows are taken out.
    std::string render(std::size_t width, bool with_titles);

  private:
    void fit(std::size_t width);
    bool shrink();
    bool drop();
    [[nodiscard]] std::size_t total() const;

    std::vector<ColumnStyle> columns_;
    std::vector<std::vector<std::string>> rows_;
    std::vector<std::size_t> widths_;
    std::vector<bool> dropped_;
};

/// Code points of a UTF-8 text.
std::size_t display_width(std::string_view text);

} // namespace weir::cli
