#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/ledger/reader.hpp>

namespace weir::ledger {

enum class Listing : std::uint8_t { Runs, Decisions, Events, Triggers, Flows, Audits, DeadLetters };

/// Where a page ended: the key of its last row. Rows are never renumbered, so a page begun stays right while
/// rows are added.
struct PageKey {
    std::int64_t first = 0;  ///< what the listing is ordered by
    std::int64_t second = 0; ///< orders equal firsts
    bool operator==(const PageKey&) const = default;
    auto operator<=>(const PageKey&) const = default;
};

/// Opaque text; it belongs to this listing and these filters alone.
std::string page_token(Listing listing, const Query& query, PageKey key);
/// Nothing for the first page. `invalid` for a token that page_token() did not make for this listing and
/// filters.
Result<std::optional<PageKey>> read_page_token(Listing listing, const Query& query);

/// Refuses a limit outside of 1 to 1000, a filter the listing does not have, and words that are none.
Status check_query(Listing listing, const Query& query);

/// "team/name" or "name": the team is empty in the second case.
struct TeamName {
    std::string_view team;
    std::string_view name;
};
TeamName split_team(std::string_view text) noexcept;

std::optional<Verdict> verdict_from(std::string_view word) noexcept;
std::optional<TriggerState> trigger_state_from(std::string_view word) noexcept;
std::optional<flows::Outcome> outcome_from(std::string_view word) noexcept;

} // namespace weir::ledger
