#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include <weir/server/http.hpp>

namespace weir::server::test {

/// What is wrong with an answer by the OpenAPI document, as "/items/0/run: ..."; empty: nothing, or its route
/// is not in there. Knows the words of schemas that the document uses. An object may hold nothing that its
/// schema does not name, so that a member that was added is described, too.
std::string departs_from(const nlohmann::json& document, const std::string& method, const std::string& target,
                         const Response& response);

} // namespace weir::server::test
