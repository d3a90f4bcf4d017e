#pragma once

#include <string>
#include <string_view>

#include <weir/events/event.hpp>

namespace weir::events {

/// The media type alone, in lower case: "Application/JSON; charset=utf-8" gives "application/json".
std::string media_type_of(std::string_view content_type);
/// The value of its charset parameter in lower case, without quotes; empty if there is none.
std::string charset_of(std::string_view content_type);
/// True if the media type has the form `*/json` or `*/*+json` (CloudEvents JSON format 1.0.2, section 3.1.1).
bool declares_json(std::string_view content_type);
/// How bytes that came with this content type (empty: none) are to be read: Json if it says so, Text if it
/// names a text in UTF-8 or ASCII and the bytes are that, None if there are no bytes, else Binary. Looks at
/// no more of the bytes than that: JSON still has to be validated.
DataKind data_kind_of(std::string_view content_type, std::string_view bytes);

} // namespace weir::events
