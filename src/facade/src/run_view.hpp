#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/facade/records.hpp>
#include <weir/flows/launcher.hpp>
#include <weir/ledger/records.hpp>

#include "json.hpp"

namespace weir::facade {

/// A run of the ledger together with what a client said of it, as KFP's clients see it. Pure.
struct RunView {
    ledger::RunRow row;
    std::optional<RunNote> note; ///< none: weir made the run
    std::string shown_id;
    std::string display_name;
    std::string experiment;
    std::string recurring;
    std::string_view state;
    Instant created{};
    Instant finished{}; ///< 1970: it has not ended
};

/// KFP's word for how a run fares. One that was cancelled, refused or lost has FAILED, one that is asked to
/// end is CANCELING; a retry is RUNNING at once.
std::string_view runtime_state(const ledger::RunRow& row) noexcept;

/// The trigger of a recurring run, and back; empty: the name is no such trigger's.
std::string trigger_of_recurring(const std::string& recurring);
std::string recurring_of_trigger(const std::string& trigger);

RunView make_view(ledger::RunRow row, std::optional<RunNote> note, const std::string& default_experiment);

/// What a list leaves out.
struct RunDetails {
    std::vector<ledger::AttemptRow> attempts;
    std::vector<flows::TaskRecord> tasks;
};

/// The message Run. `spec`: of a run whose spec came along, or null.
Json run_json(const RunView& view, const RunDetails& details, const Json& spec);

/// What view=FULL adds to it, `tasks`: the pipeline itself (type ROOT) with its outputs, then its tasks.
/// `outputs_json` of the row must have been read. The shape: KFP pull request 13986.
Json full_tasks(const RunView& view, const RunDetails& details);

} // namespace weir::facade
