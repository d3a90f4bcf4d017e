#include <sys/stat.h>

#include <support/catch.hpp>

#include <weir/config/tokens.hpp>

#include "folder.hpp"

using namespace weir;
using namespace weir::config;
using weir::config::test::holds;
using weir::config::test::TempFolder;

namespace {

const std::string plain = "0123456789abcdefghij";

std::vector<std::string> problems_of(const std::string& text) {
    Problems problems;
    bool holds_plain = false;
    const auto tokens = parse_tokens(text, "t.yaml", problems, holds_plain);
    CHECK((problems.empty() || tokens.empty()));
    std::vector<std::string> out;
    for (const auto& problem : problems)
        out.push_back(problem.to_string());
    return out;
}

std::string only_problem(const std::string& text) {
    const auto problems = problems_of(text);
    INFO(text);
    REQUIRE(problems.size() == 1);
    // Whatever is wrong: what may be a token is never repeated.
    CHECK(!holds(problems.front(), plain));
    return problems.front();
}

} // namespace

TEST_CASE("a token in plain and its digest are the same record") {
    const auto hash = to_hex(sha256(plain));
    for (const auto& token : {plain, "'sha256:" + hash + "'"}) {
        Problems problems;
        bool holds_plain = false;
        const auto tokens =
            parse_tokens("- {principal: ci, scopes: [publish, operate], teams: [ads, core], token: " + token +
                             "}\n- {principal: root, scopes: admin, token: " + plain + "x}\n",
                         "t.yaml", problems, holds_plain);
        REQUIRE(problems.empty());
        REQUIRE(tokens.size() == 2);
        CHECK(tokens[0].principal == "ci");
        CHECK(tokens[0].scopes == Scopes{true, true, true, false});
        CHECK(tokens[0].teams == std::vector<std::string>{"ads", "core"});
        CHECK(tokens[0].sha256 == sha256(plain));
        CHECK(tokens[1].scopes == Scopes{true, true, true, true});
        CHECK(tokens[1].teams.empty());
        CHECK(holds_plain);
    }
    bool holds_plain = false;
    Problems none;
    CHECK(
        parse_tokens("- {principal: ci, scopes: read, token: 'sha256:" + hash + "'}", "t", none, holds_plain)
            .size() == 1);
    CHECK(!holds_plain);
    CHECK(parse_tokens("", "t", none, holds_plain).empty());
    CHECK(parse_tokens("[]", "t", none, holds_plain).empty());
    CHECK(none.empty());
}

TEST_CASE("every wrong record is named with its place, and no token is repeated") {
    const auto with = [](const std::string& fields) {
        return only_problem("- {principal: ci, scopes: read, token: " + plain + "}\n- {" + fields + "}\n");
    };
    const auto other = "token: " + plain + "y";
    CHECK(holds(with("scopes: read, " + other), "t.yaml:2:3: missing [1].principal"));
    CHECK(holds(with("principal: x, " + other), "missing [1].scopes"));
    CHECK(holds(with("principal: x, scopes: read"), "missing [1].token"));
    CHECK(holds(with("principal: x, scopes: [red], " + other), "did you mean \"read\"?"));
    CHECK(holds(with("principal: x, scopes: [], " + other), "expected one or more of publish"));
    CHECK(holds(with("principal: x, scopes: read, team: ads, " + other), "did you mean \"teams\"?"));
    CHECK(holds(with("principal: x, scopes: read, teams: [], " + other), "text or a list of texts"));
    CHECK(holds(with("principal: x, scopes: read, teams: [a b], " + other), "not a team's name"));
    CHECK(holds(with("principal: 'a b', scopes: read, " + other), "no space"));
    CHECK(holds(with("principal: 'local:me', scopes: read, " + other), "shows no token"));
    CHECK(
        holds(with("principal: x, scopes: read, token: short"), "has 20 to 1024 characters, this one has 5"));
    CHECK(holds(with("principal: x, scopes: read, token: 'a space in it, and long'"), "made of letters"));
    CHECK(holds(with("principal: x, scopes: read, token: 'sha256:12'"), "64 hexadecimal digits"));
    CHECK(holds(with("principal: x, scopes: read, token: [" + plain + "]"), "expected text"));
    CHECK(holds(with("principal: x, scopes: read, token: 12345678901234567"), "expected text"));
    CHECK(!holds(with("principal: x, scopes: read, token: 12345678901234567"), "1234567"));
    CHECK(holds(with("principal: x, scopes: read, token: " + plain), "the same token stands at t.yaml:1:"));
    CHECK(holds(only_problem("tokens: []"), "expected a list of tokens"));
    CHECK(problems_of("- {principal: 'a b', scopes: red, token: x}\n- 7\n").size() == 4);
}

TEST_CASE("a tokens file is as private as what stands in it") {
    const TempFolder folder;
    const auto hashed = folder.write(
        "hashed.yaml", "- {principal: ci, scopes: read, token: 'sha256:" + to_hex(sha256(plain)) + "'}\n");
    const auto open = folder.write("plain.yaml", "- {principal: ci, scopes: read, token: " + plain + "}\n");
    ::chmod(hashed.c_str(), 0644);
    CHECK(read_tokens(hashed).ok());
    ::chmod(hashed.c_str(), 0664);
    CHECK(holds(read_tokens(hashed).error().message, "can be written by others"));
    ::chmod(open.c_str(), 0640);
    CHECK(read_tokens(open).error().kind == ErrorKind::Denied);
    CHECK(holds(read_tokens(open).error().message, "holds a token in plain"));
    ::chmod(open.c_str(), 0600);
    REQUIRE(read_tokens(open).ok());
    CHECK(read_tokens(open)->size() == 1);
    CHECK(read_tokens(folder.path() + "/none").error().kind == ErrorKind::NotFound);
    CHECK(read_tokens(folder.path()).error().kind == ErrorKind::Invalid);
    const auto wrong = folder.write("wrong.yaml", "- {principal: ci}\n- {scopes: read}\n");
    ::chmod(wrong.c_str(), 0600);
    CHECK(holds(read_tokens(wrong).error().message, "wrong.yaml:1:3: missing [0].scopes"));
    CHECK(holds(read_tokens(wrong).error().message, "wrong.yaml:2:3: missing [1].principal"));
}

TEST_CASE("a new token and its line belong together") {
    const auto made = make_token("ops@example.test", {"read", "operate"}, {"ads", "on"});
    REQUIRE(made.ok());
    CHECK(made->token.starts_with("weir_"));
    CHECK(made->token.size() == 5 + 43);
    CHECK(!holds(made->line, made->token));
    Problems problems;
    bool holds_plain = false;
    const auto tokens = parse_tokens(made->line + "\n", "t", problems, holds_plain);
    REQUIRE(problems.empty());
    REQUIRE(tokens.size() == 1);
    CHECK(!holds_plain);
    CHECK(tokens[0].sha256 == sha256(made->token));
    CHECK(tokens[0].principal == "ops@example.test");
    CHECK(tokens[0].teams == std::vector<std::string>{"ads", "on"});
    CHECK(tokens[0].scopes == Scopes{false, true, true, false});
    CHECK(make_token("a", {"read"}, {})->token != make_token("a", {"read"}, {})->token);
    CHECK(!make_token("a b", {"read"}, {}).ok());
    CHECK(!make_token("a", {}, {}).ok());
    CHECK(holds(make_token("a", {"write"}, {}).error().message, "no scope \"write\""));
    CHECK(!make_token("a", {"read"}, {"x y"}).ok());
}
