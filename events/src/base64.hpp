#pragma once

#include <optional>
#include <string>
#include <string_view>

// Base64 (RFC 4648, section 4), strict. Private to the events library.
namespace weir::events {

std::string to_base64(std::string_view bytes);
/// Nothing unless the text is padded base64 without white space.
std::optional<std::string> from_base64(std::string_view text);

} // namespace weir::events
