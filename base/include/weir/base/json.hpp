#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <weir/base/result.hpp>

namespace weir {

/// Limits that every JSON text from outside is held to before anything of it is recorded.
struct JsonLimits {
    std::size_t bytes_max = 1024 * 1024;
    std::size_t depth_max = 128;
};

/// Checks a whole JSON text (RFC 8259): syntax, UTF-8, no lone surrogates, numbers in range, depth, size.
/// `invalid` names line and column of the first fault; `exhausted` the limit passed. Thread-safe.
Status validate_json(std::string_view text, const JsonLimits& limits = {});

/// Appends `text` (valid UTF-8) as a JSON string with its quotes. Escapes what RFC 8259 demands, and U+007F.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

} // namespace weir
