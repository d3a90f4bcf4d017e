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

/// Checks a whole JSON text (RFC 8259): syntax, UTF-8, no lone surrogates, numbers within the range of a
/// double (an integer may have more digits than 64 bits hold), depth, size. `invalid` names line and column
/// of the first fault; `exhausted` the limit passed. Thread-safe.
Status validate_json(std::string_view text, const JsonLimits& limits = {});

/// The text with `e0` behind each integer that 64 bits do not hold, for a parser that knows integers of 64
/// bits and floating-point numbers only: it then reads the nearest double. Empty if there is none. The text
/// need not be valid; what is not valid does not become so.
std::string with_wide_integers(std::string_view text);

/// Appends `text` as a JSON string with its quotes. Escapes what RFC 8259 demands, and U+007F; of text that
/// is no UTF-8 it writes as_utf8().
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

} // namespace weir
