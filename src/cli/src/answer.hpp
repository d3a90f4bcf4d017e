#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <weir/base/result.hpp>

namespace weir::cli {

/// One page of a listing.
struct ListPage {
    std::vector<std::string> lines; ///< each item exactly as the server wrote it
    std::string next;
    std::int64_t after = 0;
};
/// `invalid` if this is not what a weir server sends.
Result<ListPage> read_page(std::string_view body);

/// One JSON object; `invalid` if it is none.
Result<nlohmann::json> read_object(std::string_view text);

/// A member as printable text for a table cell: strings as they are, null and missing as "", others as JSON.
std::string cell(const nlohmann::json& object, std::string_view name);
/// A time for a table: "2026-05-01 12:00:03Z"; empty for null.
std::string time_cell(const nlohmann::json& object, std::string_view name);

} // namespace weir::cli
