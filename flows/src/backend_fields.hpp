#pragma once

#include <string_view>

#include <weir/base/document_reader.hpp>

namespace weir::flows {

/// Says which fields of a flow document make no sense for its backend.
void check_backend_fields(const Fields& fields, std::string_view backend, Problems& problems);

} // namespace weir::flows
