#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "json.hpp"
#include "listing.hpp"

namespace weir::facade {

/// One condition; all of a filter's must hold.
struct Predicate {
    std::size_t key = 0; ///< place among the schema's keys
    std::string operation;
    std::vector<std::string> texts; ///< several for IN
    std::vector<std::int64_t> seconds;
    bool numeric = false; ///< `seconds` counts
};

/// Reads a filter that was decoded once by HTTP already: KFP decodes it a second time.
Outcome<std::vector<Predicate>> read_filter(const ListSchema& schema, const std::string& text);
bool meets(const Predicate& predicate, const Cell& cell);

/// -1, 0, 1 without regard to case (ASCII).
int compare_texts(std::string_view a, std::string_view b) noexcept;
/// SQL's LIKE: `%` is any run of characters, `_` any one, case does not count.
bool like(std::string_view text, std::string_view pattern) noexcept;

} // namespace weir::facade
