#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/flows/records.hpp>

/// Lists inside a row are stored as JSON text.
namespace weir::ledger::sqlite {

std::string parameters_text(const std::vector<flows::Parameter>& parameters);
/// `corrupt` if the text is none that parameters_text() writes.
Result<std::vector<flows::Parameter>> parameters_from(std::string_view text);

/// ["a", "b"]
Result<std::vector<std::string>> texts_from(std::string_view text);
/// [[seq, "leaf"], ...]
Result<std::vector<std::pair<std::int64_t, std::string>>> events_from(std::string_view text);

} // namespace weir::ledger::sqlite
