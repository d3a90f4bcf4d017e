#include <weir/config/tokens.hpp>

#include <algorithm>
#include <map>
#include <optional>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/config/secret.hpp>

namespace weir::config {
namespace {

constexpr std::string_view hash_prefix = "sha256:";
constexpr TokenLimits limits;

/// What an Authorization header may carry (RFC 6750, b64token).
bool is_token_text(std::string_view text) {
    const auto end = text.find_last_not_of('=');
    if (end == std::string_view::npos) return false;
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end) + 1, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._~+/").find(c) != std::string_view::npos;
    });
}

std::optional<Digest> digest_from_hex(std::string_view hex) {
    Digest digest{};
    if (hex.size() != digest.size() * 2) return std::nullopt;
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        digest[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return digest;
}

/// What is wrong with a principal; empty: nothing.
std::string fault_of_principal(std::string_view name) {
    const bool printable_ascii =
        std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (name.empty() || name.size() > 128 || !printable_ascii)
        return "a principal has 1 to 128 printable ASCII characters and no space";
    if (name.starts_with("local:"))
        return "a principal cannot begin with \"local:\": that is who shows no token";
    return {};
}

Scopes with_included(Scopes scopes) {
    if (scopes.admin) return {true, true, true, true};
    scopes.read = scopes.read || scopes.operate;
    return scopes;
}

class Reader {
  public:
    Reader(Problems& problems, bool& holds_plain) : problems_(problems), holds_plain_(holds_plain) {}

    void record(const Node& node, std::size_t index) {
        const auto path = "[" + std::to_string(index) + "]";
        const auto before = problems_.size();
        check_fields(node, token_table(), problems_, path);
        if (node.kind != Node::Kind::Map) return;
        const Fields fields(node, token_table());
        Token token;
        token.principal = fields.text("principal");
        if (const auto fault = fault_of_principal(token.principal); fields.has("principal") && !fault.empty())
            problems_.push_back({fields.place("principal"), path + ".principal: " + fault});
        if (const auto scopes = scopes_from(fields.texts("scopes")); scopes.ok()) token.scopes = *scopes;
        token.teams = fields.texts("teams");
        for (const auto& team : token.teams)
            if (!valid_name(team))
                problems_.push_back({fields.place("teams"),
                                     path + ".teams: \"" + printable(team, 60) + "\" is not a team's name"});
        if (const auto* text = fields.find("token"); text != nullptr && text->kind == Node::Kind::String)
            digest(text->text, fields.place("token"), path, token);
        if (problems_.size() != before) return;
        const auto [first, fresh] = seen_.emplace(token.sha256, fields.place("token"));
        if (!fresh) {
            problems_.push_back({fields.place("token"), path + ".token: the same token stands at " +
                                                            first->second.to_string() + " already"});
            return;
        }
        tokens.push_back(std::move(token));
    }

    std::vector<Token> tokens;

  private:
    void digest(const std::string& text, const Place& place, const std::string& path, Token& token) {
        const auto wrong = [&](const std::string& why) {
            problems_.push_back({place, path + ".token: " + why});
        };
        if (text.starts_with(hash_prefix)) {
            const auto read = digest_from_hex(std::string_view(text).substr(hash_prefix.size()));
            if (!read) return wrong("after sha256: stand 64 hexadecimal digits");
            token.sha256 = *read;
            return;
        }
        holds_plain_ = true;
        if (text.size() < limits.token_bytes_min || text.size() > limits.token_bytes_max)
            return wrong("a token has " + std::to_string(limits.token_bytes_min) + " to " +
                         std::to_string(limits.token_bytes_max) + " characters, this one has " +
                         std::to_string(text.size()) + "; `weir token new` makes one");
        if (!is_token_text(text))
            return wrong("a token is made of letters, digits and - . _ ~ + /; `weir token new` makes one");
        token.sha256 = weir::sha256(text);
    }

    Problems& problems_;
    bool& holds_plain_;
    std::map<Digest, Place> seen_;
};

std::string base64_url(std::string_view bytes) {
    static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    std::uint32_t held = 0;
    int bits = 0;
    for (const char c : bytes) {
        held = (held << 8) | static_cast<unsigned char>(c);
        for (bits += 8; bits >= 6; bits -= 6)
            out += letters[(held >> (bits - 6)) & 63];
    }
    if (bits > 0) out += letters[(held << (6 - bits)) & 63];
    return out;
}

std::string list_of(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words)
        out += (out.empty() ? "" : ", ") + word;
    return "[" + out + "]";
}

} // namespace

const std::vector<std::string_view>& scope_words() {
    static const std::vector<std::string_view> words{"publish", "read", "operate", "admin"};
    return words;
}

Result<Scopes> scopes_from(const std::vector<std::string>& words) {
    if (words.empty()) return invalid("a token without a scope may do nothing");
    Scopes scopes;
    for (const auto& word : words) {
        if (word == "publish") {
            scopes.publish = true;
        } else if (word == "read") {
            scopes.read = true;
        } else if (word == "operate") {
            scopes.operate = true;
        } else if (word == "admin") {
            scopes.admin = true;
        } else {
            return invalid("there is no scope \"" + printable(word, 60) + "\"" +
                           did_you_mean(word, scope_words()) + "; expected publish, read, operate or admin");
        }
    }
    return with_included(scopes);
}

const DocumentTable& token_table() {
    static const DocumentTable table = [] {
        DocumentTable t{"token", "A record of a tokens file, which is a list of them.", {}};
        t.fields.push_back({"principal", FieldType::Text,
                            "Who the bearer is; recorded with every act. 1 to 128 printable characters.",
                            true});
        t.fields.push_back({"scopes", FieldType::Words,
                            "What the bearer may do; `operate` includes `read`, `admin` includes all.", true,
                            scope_words()});
        t.fields.push_back({"teams", FieldType::Texts,
                            "The bearer acts on and sees these teams alone; every team if left out."});
        t.fields.push_back({"token", FieldType::Hidden,
                            "`sha256:` and the token's digest in hexadecimal, or the token itself; then "
                            "nobody but the file's owner may read the file.",
                            true});
        return t;
    }();
    return table;
}

std::vector<Token> parse_tokens(std::string_view text, const std::string& file, Problems& problems,
                                bool& holds_plain) {
    const auto before = problems.size();
    const auto documents = read_documents(text, file, problems);
    if (problems.size() != before) return {};
    Reader reader(problems, holds_plain);
    for (const auto& document : documents) {
        if (document.kind != Node::Kind::List) {
            problems.push_back({document.place,
                                "expected a list of tokens (`- {principal: ..., scopes: "
                                "[...], token: ...}`), found " +
                                    document.describe()});
            continue;
        }
        for (std::size_t i = 0; i < document.items.size() && i < limits.tokens_max; ++i)
            reader.record(document.items[i], i);
        if (document.items.size() > limits.tokens_max)
            problems.push_back(
                {document.place, "more than " + std::to_string(limits.tokens_max) + " tokens"});
    }
    if (problems.size() != before) return {};
    return std::move(reader.tokens);
}

Result<std::vector<Token>> read_tokens(const std::string& path) {
    WEIR_ASSIGN(file, read_private_file(path, limits.bytes_max));
    const auto shown = printable(path, 400);
    if (file.privacy == Privacy::OthersWrite)
        return Error(ErrorKind::Denied,
                     "the tokens file " + shown + " can be written by others than its owner; `chmod 600` it");
    Problems problems;
    bool holds_plain = false;
    auto tokens = parse_tokens(file.text, path, problems, holds_plain);
    if (holds_plain && file.privacy != Privacy::Owner)
        return Error(ErrorKind::Denied, "the tokens file " + shown +
                                            " holds a token in plain and can be read by others than its "
                                            "owner; `chmod 600` it, or write the token as sha256:...");
    if (problems.empty()) return tokens;
    std::string all;
    for (const auto& problem : problems)
        all += (all.empty() ? "" : "\n") + problem.to_string();
    return invalid(std::move(all));
}

Result<NewToken> make_token(const std::string& principal, const std::vector<std::string>& scopes,
                            const std::vector<std::string>& teams) {
    if (const auto fault = fault_of_principal(principal); !fault.empty()) return invalid(fault);
    if (const auto read = scopes_from(scopes); !read.ok()) return read.error();
    for (const auto& team : teams)
        if (!valid_name(team)) return invalid("\"" + printable(team, 60) + "\" is not a team's name");
    NewToken out;
    out.token = "weir_" + base64_url(random_bytes(32));
    out.line = "- {principal: " + json_string(principal) + ", scopes: " + list_of(scopes);
    if (!teams.empty()) {
        // In quotes: a team may be called `on` or `1`.
        std::vector<std::string> quoted;
        for (const auto& team : teams)
            quoted.push_back(json_string(team));
        out.line += ", teams: " + list_of(quoted);
    }
    out.line += ", token: '" + std::string(hash_prefix) + to_hex(weir::sha256(out.token)) + "'}";
    return out;
}

} // namespace weir::config
