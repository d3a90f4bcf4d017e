#pragma once

#include <optional>
#include <string>
#include <vector>

#include <weir/ledger/reader.hpp>

#include "api_impl.hpp"

namespace weir::server {

/// The filters of a listing as its route's query parameters give them. Times are RFC 3339 or a duration
/// before now ("2h"); `trigger` and `flow` may be TEAM/NAME; `limit` is 1 to 1000.
Result<ledger::Query> read_query(const Call& call, Instant now);

/// One page: {"items": [...], "next": "...", "after": n}. `next` is null at the end and stands in a Link
/// header too. `after`: on the last page, everything up to this seq has been shown; give it as `after=` to go
/// on.
Response listing(const Call& call, const std::vector<std::string>& lines, const std::string& next, Seq after);

/// A name with its team before it: "ads/train", or "train" in the team `default`.
struct TeamName {
    std::string team;
    std::string name;
};
/// `what` is "trigger" or "flow", for the error.
Result<TeamName> read_team_name(std::string_view text, std::string_view what);
Result<RunId> read_run_id(std::string_view text);
/// Refuses a word that is not one of `words`, with a suggestion. An empty one is fine.
Status check_word(std::string_view what, std::string_view word, const std::vector<std::string_view>& words);

} // namespace weir::server
