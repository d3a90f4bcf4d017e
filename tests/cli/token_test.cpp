#include <sys/stat.h>

#include <support/catch.hpp>

#include <weir/config/tokens.hpp>

#include "rig.hpp"

using namespace weir;
using namespace weir::cli;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;
using weir::cli::test::Served;

namespace {

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

} // namespace

TEST_CASE("token new shows a token once, and its line for the file") {
    const auto made =
        invoke({"token", "new", "--principal", "alice", "--scopes", "read,operate", "--team", "ads"});
    CHECK(made.code == 0);
    const auto token = first_line(made.out);
    CHECK(token.starts_with("weir_"));
    const auto line = made.out.substr(token.size() + 1);
    CHECK(line == "- {principal: \"alice\", scopes: [read, operate], teams: [\"ads\"], token: 'sha256:" +
                      to_hex(sha256(token)) + "'}\n");
    CHECK(holds(made.err, "shown once"));
    const auto json = invoke({"token", "new", "--principal", "a", "--scopes", "admin", "--json"});
    CHECK(server::test::Json::parse(json.out)["token"].get<std::string>().starts_with("weir_"));
    CHECK(holds(invoke({"token", "new", "--principal", "a", "--scopes", "write"}).err, "no scope \"write\""));
    CHECK(invoke({"token", "new", "--principal", "a b", "--scopes", "read"}).code == 1);
    CHECK(invoke({"token", "new", "--scopes", "read"}).code == 2);
    CHECK(invoke({"token", "new", "--principal", "a"}).code == 2);
    CHECK(invoke({"token"}).code == 2);
}

TEST_CASE("token new --append keeps the file right and private") {
    const Folder folder;
    const auto path = folder.path() + "/tokens.yaml";
    const auto add = [&](const std::string& principal) {
        return invoke({"token", "new", "--principal", principal, "--scopes", "read", "--append", path});
    };
    const auto first = add("one");
    CHECK(first.code == 0);
    CHECK(!holds(first.out, "sha256"));
    CHECK(add("two").code == 0);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto tokens = config::read_tokens(path);
    REQUIRE(tokens.ok());
    REQUIRE(tokens->size() == 2);
    CHECK((*tokens)[0].sha256 == sha256(first_line(first.out)));
    CHECK((*tokens)[1].principal == "two");
    const auto before = folder.read("tokens.yaml");
    folder.write("tokens.yaml", before + "- {principal: x}\n");
    CHECK(add("three").code == 1);
    folder.write("tokens.yaml", "[]");
    CHECK(holds(add("three").err, "list in brackets"));
    // A file whose last line does not end.
    folder.write("tokens.yaml", before.substr(0, before.size() - 1));
    CHECK(add("three").code == 0);
    CHECK(config::read_tokens(path)->size() == 3);
}

TEST_CASE("client commands show the token they are given") {
    Served served;
    std::string seen;
    auto handler = served.rig.api.handler();
    const auto server =
        server::HttpServer::start("127.0.0.1", 0, {handler.admit, [&](const server::Request& request) {
                                                       const auto* header = request.header("Authorization");
                                                       seen = header == nullptr ? "none" : *header;
                                                       return handler.handle(request);
                                                   }});
    REQUIRE(server.ok());
    const auto url = "http://127.0.0.1:" + std::to_string((*server)->port());
    served.rig.api.bound_to((*server)->port());
    const auto runs = [&](std::vector<std::string> words) {
        seen.clear();
        words.insert(words.begin(), {"runs", "--server", url});
        return invoke(words);
    };
    const Folder folder;
    folder.write("token", "from-data\n");
    folder.write("other", "from-file\n");
    for (const auto* name : {"token", "other"})
        ::chmod((folder.path() + "/" + name).c_str(), 0600);
    ::unsetenv("WEIR_TOKEN");
    CHECK(runs({}).code == 0);
    CHECK(seen == "none");
    CHECK(runs({"--data", folder.path()}).code == 0);
    CHECK(seen == "Bearer from-data");
    ::setenv("WEIR_TOKEN", "from-environment", 1);
    runs({});
    CHECK(seen == "Bearer from-environment");
    runs({"--token-file", folder.path() + "/other"});
    CHECK(seen == "Bearer from-file");
    runs({"--data", folder.path()});
    CHECK(seen == "Bearer from-data");
    // A data folder without a token: the environment's.
    runs({"--data", folder.path() + "/none"});
    CHECK(seen == "Bearer from-environment");
    CHECK(runs({"--token-file", folder.path() + "/other", "--data", folder.path()}).code == 2);
    CHECK(holds(runs({"--token-file", folder.path() + "/gone"}).err, "cannot read"));
    ::chmod((folder.path() + "/other").c_str(), 0644);
    const auto open = runs({"--token-file", folder.path() + "/other"});
    CHECK(open.code == 1);
    CHECK(seen.empty());
    CHECK(holds(open.err, "chmod 600"));
    CHECK(!holds(open.err, "from-file"));
    ::setenv("WEIR_TOKEN", "two\nlines", 1);
    CHECK(runs({}).code == 1);
    ::unsetenv("WEIR_TOKEN");
}

TEST_CASE("check reads configurations beside triggers and flows") {
    const Folder folder;
    const auto config = folder.write("weir.yaml", "weir: 1\nteams: {ads: {backends: ['null']}}\n");
    const auto alone = invoke({"check", config});
    CHECK(alone.code == 0);
    CHECK(alone.out == "1 configuration is fine\n");
    folder.write("flow.yaml", "flow: train\nteam: ads\nbackend: 'null'\n");
    CHECK(invoke({"check", folder.path()}).out == "1 configuration, 0 triggers and 1 flow are fine\n");
    folder.write("flow.yaml", "flow: train\nteam: lab\nbackend: 'null'\n");
    const auto refused = invoke({"check", folder.path()});
    CHECK(refused.code == 1);
    CHECK(holds(refused.err, "flow lab/train: the team lab may not use the backend null"));
    const auto wrong = folder.write("wrong.yaml", "weir: 1\nlisen: {}\nlimits: {batch: x}\n");
    const auto problems = invoke({"check", wrong});
    CHECK(problems.code == 1);
    CHECK(holds(problems.err, "wrong.yaml:2:1: unknown key \"lisen\"; did you mean \"listen\"?"));
    CHECK(holds(problems.err, "wrong.yaml:3:17: limits.batch: expected a whole number"));
    // What is missing here is noted; what is there and cannot be used is a problem.
    const auto secret =
        folder.write("secret.yaml",
                     "weir: 1\nauth: {required: true, tokens: t.yaml}\nbuses: {m: {kind: nats, urls: "
                     "'nats://a:1', token: {env: WEIR_TEST_NONE}, streams: [{stream: S}]}}\n");
    ::unsetenv("WEIR_TEST_NONE");
    const auto noted = invoke({"check", secret});
    CHECK(noted.code == 0);
    CHECK(holds(noted.err, "WEIR_TEST_NONE is not set (here;"));
    CHECK(holds(noted.err, "t.yaml"));
    folder.write("t.yaml", "- {principal: x}\n");
    CHECK(invoke({"check", secret}).code == 1);
    // A configuration is nothing to apply.
    const auto applied = invoke({"apply", config});
    CHECK(applied.code == 1);
    CHECK(holds(applied.err, "a configuration, for `weir serve --config`"));
}
