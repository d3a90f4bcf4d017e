#pragma once

#include <string>
#include <string_view>

namespace weir::server {

/// The API as an OpenAPI 3.0.3 document (OpenAPI Specification 3.0.3), compact JSON, the same bytes each
/// time: the routes that are built, what they take and give. 3.0 and not 3.1 since generators of clients read
/// it best. Thread-safe.
std::string openapi_document(std::string_view version);

} // namespace weir::server
