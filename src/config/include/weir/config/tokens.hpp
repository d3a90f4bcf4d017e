#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/digest.hpp>
#include <weir/base/document_reader.hpp>
#include <weir/base/result.hpp>

namespace weir::config {

/// What the bearer of a token may do. `operate` includes `read`; `admin` includes all.
struct Scopes {
    bool publish = false; ///< hand in events
    bool read = false;    ///< look at anything
    bool operate = false; ///< run, cancel, retry, pause, resume
    bool admin = false;   ///< apply, delete; what concerns the whole instance, unless bound to teams

    bool operator==(const Scopes&) const = default;
};

/// "publish", "read", "operate", "admin".
const std::vector<std::string_view>& scope_words();
/// The scopes of these words; `invalid` for a word that is none, or for no word at all.
Result<Scopes> scopes_from(const std::vector<std::string>& words);

/// One record of a tokens file. The token itself is not kept: only its digest.
struct Token {
    std::string principal;          ///< 1 to 128 printable ASCII characters, as it is recorded with every act
    Scopes scopes;                  ///< those given and those they include
    std::vector<std::string> teams; ///< acts on and sees these alone; empty: every team
    Digest sha256{};
};

/// Documented limits of a tokens file.
struct TokenLimits {
    std::size_t bytes_max = 1024 * 1024;
    std::size_t tokens_max = 1000;
    std::size_t token_bytes_min = 20; ///< of a token in plain
    std::size_t token_bytes_max = 1024;
};

/// The fields of one record; drives reading and the reference.
const DocumentTable& token_table();

/// Reads a tokens file: a YAML or JSON list of records.
///   - {principal: alice, scopes: [read, operate], teams: [ads], token: 'sha256:<64 hex digits>'}
///   - {principal: ci, scopes: publish, token: <the token in plain>}
/// Every problem is added, with its place; never a token. `holds_plain`: a token stands there in plain.
std::vector<Token> parse_tokens(std::string_view text, const std::string& file, Problems& problems,
                                bool& holds_plain);

/// The same from a file. Errors: `invalid` with every problem, a line each; `denied` if others may write the
/// file, or may read one that holds a token in plain; those of read_private_file().
Result<std::vector<Token>> read_tokens(const std::string& path);

/// A token fresh from the operating system's randomness, and its line for the tokens file.
struct NewToken {
    std::string token; ///< "weir_" and 43 characters; 256 bits of chance
    std::string line;  ///< one record as parse_tokens() reads it, with the digest, without a line break
};
/// `scopes` are words; `teams` names. `invalid` for a word or name that is none.
Result<NewToken> make_token(const std::string& principal, const std::vector<std::string>& scopes,
                            const std::vector<std::string>& teams);

} // namespace weir::config
