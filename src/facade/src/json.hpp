#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <weir/base/clock.hpp>
#include <weir/base/document.hpp>

#include "outcome.hpp"

namespace weir::facade {

/// Members are kept sorted: their order means nothing, and a map of any size is read in good time.
using Json = nlohmann::json;

/// Reads a JSON text: whole, UTF-8, at most `bytes_max` bytes, 64 deep, no name twice. What is wrong with it
/// is a fault of the gateway.
Outcome<Json> parse_json(std::string_view text, std::size_t bytes_max);
/// Reads back what the façade wrote itself.
Json stored_json(const std::string& text);
/// A document's node (YAML or JSON) as JSON.
Json json_of(const Node& node);

/// The value as it comes out of a google.protobuf.Struct: every number is a double, whole ones are written
/// without a point.
Json as_struct(const Json& value);

/// RFC 3339 in UTC, as KFP writes times: whole seconds.
std::string time_text(Instant time);
/// The same with up to six digits after the point: clients order versions by it.
std::string precise_time_text(Instant time);

std::string to_text(const Json& value);

} // namespace weir::facade
