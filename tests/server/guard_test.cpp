#include "rig.hpp"

using namespace weir::server;
using weir::server::test::holds;
using weir::server::test::Rig;

namespace {

int status_with(Rig& rig, std::vector<Header> headers, const std::string& target = "/healthz") {
    return rig.api.handle({"GET", target, std::move(headers), "", ""}).status;
}

} // namespace

TEST_CASE("only requests that name this server are answered") {
    Rig rig;
    rig.api.bound_to(9347);
    for (const auto* host : {"127.0.0.1:9347", "localhost:9347", "LOCALHOST:9347", "[::1]:9347",
                             "weir.test:9347", "proxy.test:8443"}) {
        INFO(host);
        CHECK(status_with(rig, {{"Host", host}}) == 200);
    }
    for (const auto* host : {"evil.test:9347", "127.0.0.1", "127.0.0.1:80", "localhost.evil.test:9347",
                             "127.0.0.1:9347@evil.test", "proxy.test:9347", "", ":9347", "[::1",
                             "localhost:9347:9347", "weir.test.evil:9347"}) {
        INFO(host);
        CHECK(status_with(rig, {{"Host", host}}) == 403);
    }
    CHECK(status_with(rig, {}) == 400);
    CHECK(status_with(rig, {{"Host", "localhost:9347"}, {"host", "evil.test"}}) == 400);
}

TEST_CASE("before the port is known, any port will do") {
    Rig rig;
    CHECK(status_with(rig, {{"Host", "localhost:1"}}) == 200);
    CHECK(status_with(rig, {{"Host", "evil.test:1"}}) == 403);
}

TEST_CASE("web pages of other origins are refused on every route") {
    Rig rig;
    rig.api.bound_to(9347);
    const Header host{"Host", "localhost:9347"};
    for (const auto* target : {"/healthz", "/metrics", "/v1/runs", "/v1/nothing"}) {
        INFO(target);
        CHECK(status_with(rig, {host, {"Origin", "http://evil.test"}}, target) == 403);
        CHECK(status_with(rig, {host, {"Origin", "null"}}, target) == 403);
        CHECK(status_with(rig, {host, {"Origin", "http://localhost:3000"}}, target) == 403);
        CHECK(status_with(rig, {host, {"Origin", "https://localhost:9347"}}, target) == 403);
        CHECK(status_with(rig, {host, {"Origin", ""}}, target) == 403);
        CHECK(status_with(rig, {host, {"Sec-Fetch-Site", "cross-site"}}, target) == 403);
        CHECK(status_with(rig, {host, {"Sec-Fetch-Site", "same-site"}}, target) == 403);
        CHECK(status_with(rig, {host, {"Origin", "http://localhost:9347"}, {"Origin", "http://evil.test"}},
                          target) == 403);
    }
    CHECK(status_with(rig, {host, {"Origin", "http://localhost:9347"}, {"Sec-Fetch-Site", "same-origin"}}) ==
          200);
    CHECK(status_with(rig, {host, {"Sec-Fetch-Site", "none"}}) == 200);
}

TEST_CASE("a page that posts events or starts runs changes nothing") {
    Rig rig;
    auto request = Rig::request("POST", "/v1/runs", R"({"flow":"ads/train"})");
    request.headers.push_back({"Origin", "http://evil.test"});
    CHECK(holds(Rig::problem(rig.api.handle(request), 403), "another origin"));
    CHECK(rig.engine.acts.empty());
    // The same without reading a body.
    CHECK(rig.api.admit(request).refusal.has_value());
}

TEST_CASE("refusals are counted") {
    Rig rig;
    status_with(rig, {{"Host", "evil.test"}});
    CHECK(holds(rig.get("/metrics").body, "weir_http_refused_total{check=\"host_or_origin\"} 1"));
}
