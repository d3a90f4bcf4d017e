#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// True if the bytes are UTF-8 (no surrogates, no overlong forms).
bool valid_utf8(std::string_view text) noexcept;

/// The candidate nearest to `word` by edit distance, if near enough to be a slip of the pen; else empty.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);
/// `; did you mean "x"?` or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

/// Text from outside as UTF-8: each byte that is none becomes visible, as \xe9.
std::string as_utf8(std::string_view text);

/// Text from a payload made safe for a terminal, and UTF-8: control characters, escapes and bytes that are no
/// UTF-8 become visible. At most `bytes_max`, then "...", never cut inside of a character.
std::string printable(std::string_view text, std::size_t bytes_max = 200);

/// All but the unreserved characters percent-encoded (RFC 3986, 2.3): a segment of a path, a value of a
/// query.
std::string percent_encode(std::string_view text);

/// `pattern` with `*` standing for any run of characters, anchored at both ends.
bool glob_match(std::string_view pattern, std::string_view text) noexcept;

/// A name of a trigger, team or flow: 1 to 128 of A-Z a-z 0-9 . _ -, first one a letter or digit.
bool valid_name(std::string_view name) noexcept;

/// A place in a file, for error messages: "file:line:column".
struct Place {
    std::string file;
    int line = 0;   ///< from 1; 0: unknown
    int column = 0; ///< from 1; 0: unknown
    [[nodiscard]] std::string to_string() const;
};

} // namespace weir
