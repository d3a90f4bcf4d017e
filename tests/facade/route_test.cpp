#include <support/catch.hpp>

#include "facade_impl.hpp"

using namespace weir;
using namespace weir::facade;

namespace {

std::string route(const std::string& method, const std::string& path) {
    const auto found = find_route(method, path);
    if (found.right == nullptr) return found.any ? "501" : "404";
    std::string out(found.right->pattern);
    for (const auto& value : found.values)
        out += " " + value;
    return out;
}

} // namespace

TEST_CASE("paths find their routes") {
    CHECK(route("GET", "runs") == "runs");
    CHECK(route("GET", "runs/abc") == "runs/{} abc");
    CHECK(route("POST", "runs/abc:terminate") == "runs/{}:terminate abc");
    CHECK(route("POST", "runs/a:b:retry") == "runs/{}:retry a:b");
    CHECK(route("POST", "pipelines/upload") == "pipelines/upload");
    CHECK(route("GET", "pipelines/upload") == "pipelines/{} upload");
    CHECK(route("GET", "pipelines/names/x") == "pipelines/names/{} x");
    CHECK(route("GET", "pipelines/p/versions/v") == "pipelines/{}/versions/{} p v");
    CHECK(route("PUT", "runs") == "501");
    CHECK(route("PATCH", "recurringruns/x") == "501");
    CHECK(route("GET", "nope") == "404");
    CHECK(route("GET", "") == "404");
    CHECK(route("GET", "runs/") == "404");
    CHECK(route("GET", "runs//x") == "404");
}

TEST_CASE("each call asks for its scope") {
    const auto scope = [](const char* method, const char* path) {
        return Facade::need(method, std::string(prefix) + path).scope;
    };
    CHECK(scope("GET", "healthz") == Scope::Open);
    CHECK(scope("GET", "runs?filter=x") == Scope::Read);
    CHECK(scope("HEAD", "runs") == Scope::Read);
    CHECK(scope("POST", "runs") == Scope::Operate);
    CHECK(scope("POST", "runs/x:terminate") == Scope::Operate);
    CHECK(scope("POST", "recurringruns/x:disable") == Scope::Operate);
    CHECK(scope("POST", "recurringruns") == Scope::Admin);
    CHECK(scope("POST", "pipelines/upload?name=x") == Scope::Admin);
    CHECK(scope("DELETE", "pipelines/x") == Scope::Admin);
    CHECK(scope("GET", "nope") == Scope::Read);
    for (const auto& each : routes())
        if (each.method != "GET") CHECK(static_cast<int>(each.scope) >= static_cast<int>(Scope::Operate));
    CHECK(Facade::need("POST", std::string(prefix) + "pipelines/upload").body_bytes_max > 32 * 1024 * 1024);
    CHECK(Facade::need("POST", std::string(prefix) + "runs").body_bytes_max == message_bytes_max);
}

TEST_CASE("who is turned away is told so in KFP's notation") {
    const auto answer = Facade::refusal(401, "no token");
    CHECK(answer.status == 401);
    const auto body = Json::parse(answer.body);
    CHECK(body["code"] == 16);
    CHECK(body["details"][0]["message"] == "no token");
    CHECK(Facade::refusal(413, "too large").status == 413);
}
