#pragma once

#include <string>
#include <string_view>

namespace weir::cel {

/// Texts that whatever a regular expression matches must begin and end with. Empty: none known.
struct PatternLiterals {
    std::string prefix;
    std::string suffix;
    bool whole = false; ///< the expression matches `prefix` and nothing else
};

/// Reads them off a pattern that RE2 has compiled with its default options (case counts, `^` and `$` are the
/// ends of the text). Careful rather than complete: an alternation outside of groups, a flag, a quotation by
/// `\Q` or an escape that is not known here gives nothing at all.
PatternLiterals pattern_literals(std::string_view pattern);

} // namespace weir::cel
