#pragma once

#include <string>
#include <vector>

#include <weir/engine/engine.hpp>

namespace weir::app {

/// Reads files and folders as an apply request, with the pipelines that flow documents name.
/// Errors: what cannot be read, each by file:line:column.
Result<engine::ApplyRequest> read_documents_to_apply(const std::vector<std::string>& paths);

} // namespace weir::app
