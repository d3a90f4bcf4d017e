#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/base/document.hpp>

namespace weir::detail {

/// Reads a text that validate_json() has passed.
std::vector<Node> read_json_document(std::string_view text, std::string_view file, Problems& problems,
                                     const DocumentLimits& limits);
std::vector<Node> read_yaml_documents(std::string_view text, std::string_view file, Problems& problems,
                                      const DocumentLimits& limits);

/// Sets kind and value of a scalar that was written without quotes, by the YAML 1.2 core schema (JSON
/// numbers, true, false and null are a part of it). Returns what is wrong with it, or nothing.
std::string_view resolve_plain(Node& node);

/// The message for a key that a map has already, from line `first`.
std::string twice(std::string_view key, int first);

} // namespace weir::detail
