#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "outcome.hpp"

namespace weir::facade {

/// A value of a row under a key: a text, or nanoseconds since 1970.
using Cell = std::variant<std::string_view, std::int64_t>;

struct ListKey {
    std::string_view name;
    bool is_time = false;
    bool sorts = true;
};

/// What one listing may be filtered and sorted by. The last resort of every order is the row's id.
struct ListSchema {
    std::string_view type; ///< "Run"
    std::vector<ListKey> keys;
    std::string_view id; ///< one of the keys
};

/// What a client asked for, as it stood in the query (decoded once). Empty: not given.
struct ListRequest {
    std::string filter;
    std::string sort_by;
    std::string page_token;
    std::string page_size;
};

struct ListPage {
    std::vector<std::size_t> rows;
    std::size_t total = 0; ///< of all that match, on every page
    std::string next;      ///< empty: this was the last page
};

/// KFP's rules of filters, orders and pages (backend/src/apiserver/filter and list), over rows that are
/// asked for by number. Where the genuine server's database decides, it is MariaDB: texts compare without
/// regard to case. Times compare by whole seconds and are sorted by what is behind the point, too.
/// A page token may come alone or with the very sort_by and filter it came from; others are refused.
/// Limits: 200 rows a page, 20 by default.
Outcome<ListPage> list_rows(const ListSchema& schema, const ListRequest& request, std::size_t count,
                            const std::function<Cell(std::size_t row, std::size_t key)>& cell);

/// One round of decoding as Go's url.QueryUnescape does it: `+` is a space. Nothing: broken.
std::optional<std::string> query_unescape(std::string_view text);

} // namespace weir::facade
