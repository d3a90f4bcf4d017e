#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>

namespace weir::server {

/// The target of a request taken apart.
struct Target {
    /// Path segments as they stood on the wire, still percent-encoded: only a segment as a whole may be
    /// decoded.
    std::vector<std::string> segments;
    /// Query parameters, decoded, in order. A `+` is a plus sign (times have them), a space is %20.
    std::vector<std::pair<std::string, std::string>> query;

    [[nodiscard]] const std::string* find(std::string_view name) const;
};

/// Takes "/v1/runs?limit=10" apart. `invalid` for anything but an absolute path, broken percent-encoding,
/// bytes that are no UTF-8 once decoded, control characters and parameters that come twice.
Result<Target> parse_target(std::string_view target);

/// One round of percent-decoding; `invalid` as above. `what` begins the error's sentence.
Result<std::string> percent_decode(std::string_view text, std::string_view what);

} // namespace weir::server
