#pragma once

#include <optional>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/engine/core.hpp>
#include <weir/engine/input.hpp>

namespace weir::engine {

/// What is known of a run's newest attempt before it settles, as RunRow::report_json keeps it.
struct StoredReport {
    /// The flow's own words.
    struct Own {
        std::optional<flows::Outcome> outcome;
        std::string error;
        std::string outputs_json = "{}";
        std::vector<flows::ArtifactRecord> artifacts;
        bool operator==(const Own&) const = default;
    };
    /// The backend's.
    struct End {
        flows::Outcome outcome = flows::Outcome::Succeeded;
        std::string error;
        std::string outputs_json = "{}";
        Instant started_at{}, finished_at{};
        std::vector<flows::ArtifactRecord> inputs, outputs;
        bool operator==(const End&) const = default;
    };
    std::optional<Own> own;
    std::optional<End> end;
    bool operator==(const StoredReport&) const = default;
};

/// JSON, and back; an empty text is a report that knows nothing. `corrupt`: it was not written by encode().
std::string encode(const StoredReport& report);
Result<StoredReport> decode_report(std::string_view json);

/// What a flow has said and says now: what is said now counts where both speak of the same.
StoredReport::Own merged(StoredReport::Own before, const StoredReport::Own& now);

/// Why that is more than is kept of one attempt; empty: it is not.
std::string over_limit(const StoredReport::Own& own, const CoreLimits& limits);

/// What both say together, as the fact that settles the attempt. The outcome is the backend's; of outputs and
/// artifacts of one name the flow's own count; an error is the backend's unless it has none.
RunFactInput settlement_of(const StoredReport& report);

StoredReport::Own own_of(const ReportInput& report);
StoredReport::End end_of(const RunFactInput& fact);

/// The outcome of this name; nothing if there is none.
std::optional<flows::Outcome> outcome_of_word(std::string_view word);

} // namespace weir::engine
