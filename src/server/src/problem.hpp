#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/server/http.hpp>

namespace weir::server {

/// A failure as RFC 9457 problem+json: {"type": "urn:weir:problem:NAME", "title", "status", "detail"}.
/// `name` is a stable lower-case word with hyphens; title is derived from it.
Response problem(int status, std::string_view name, std::string_view detail,
                 const std::vector<std::string>& problems = {});
/// The same for an error of the house: the kind gives status and name.
Response problem(const Error& error);
int status_of(ErrorKind kind) noexcept;

/// 200 with this JSON text.
Response json_response(std::string body, int status = 200);
Response text_response(std::string body);

} // namespace weir::server
