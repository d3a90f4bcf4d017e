#include "rig.hpp"

using namespace weir;
using namespace weir::server;
using weir::server::test::holds;
using weir::server::test::Json;
using weir::server::test::Rig;

namespace {

config::Token token(const std::string& text, const std::vector<std::string>& scopes,
                    std::vector<std::string> teams = {}) {
    return {text + "-bearer", *config::scopes_from(scopes), std::move(teams), sha256(text)};
}

/// The Rig's ledger and engine behind tokens, beyond loopback.
struct Guarded {
    Rig rig;
    TokenAuthorizer authorizer{{token("publisher", {"publish"}), token("reader", {"read"}),
                                token("operator", {"operate"}), token("admin", {"admin"}),
                                token("ads", {"admin"}, {"ads"}), token("core", {"admin"}, {"core", "lab"})}};
    Api api{{rig.engine, rig.story.reader(), &rig.tasks, authorizer, rig.clock}, config()};

    static ApiConfig config() {
        ApiConfig config;
        config.watch_is_open = false;
        return config;
    }
    Response ask(const std::string& bearer, const std::string& method, const std::string& target,
                 const std::string& body = {}, const std::string& type = "application/json") {
        auto request = Rig::request(method, target, body, type);
        if (!bearer.empty()) request.headers.push_back({"Authorization", "Bearer " + bearer});
        const auto admission = api.admit(request);
        auto response = api.handle(request);
        // What is refused is refused before its body is read.
        if (admission.refusal) CHECK(admission.refusal->status == response.status);
        return response;
    }
    Response get(const std::string& bearer, const std::string& target) { return ask(bearer, "GET", target); }
};

const std::string event = R"({"specversion":"1.0","type":"t","source":"/s","id":"1"})";
const std::string event_type = "application/cloudevents+json";

std::size_t rows(const Response& response) {
    return Rig::json(response)["items"].size();
}

} // namespace

TEST_CASE("who shows no token, or an unknown one, is asked for it") {
    Guarded guarded;
    const auto none = guarded.get("", "/v1/runs");
    CHECK(holds(Rig::problem(none, 401), "asks for a token"));
    REQUIRE(none.header("WWW-Authenticate") != nullptr);
    CHECK(*none.header("WWW-Authenticate") == "Bearer realm=\"weir\"");
    const auto unknown = guarded.get("nobody", "/v1/runs");
    CHECK(holds(Rig::problem(unknown, 401), "not known"));
    CHECK(holds(*unknown.header("WWW-Authenticate"), "invalid_token"));
    CHECK(!holds(unknown.body, "nobody"));
    for (const auto* header : {"reader", "Basic reader", "Bearer", "Bearer ", "Bearerreader"}) {
        INFO(header);
        auto request = Rig::request("GET", "/v1/runs");
        request.headers.push_back({"Authorization", header});
        CHECK(guarded.api.handle(request).status == 401);
    }
    auto twice = Rig::request("GET", "/v1/runs");
    twice.headers.push_back({"Authorization", "Bearer reader"});
    twice.headers.push_back({"Authorization", "Bearer admin"});
    CHECK(guarded.api.handle(twice).status == 401);
    // The scheme's name is written in any case.
    auto lower = Rig::request("GET", "/v1/runs");
    lower.headers.push_back({"authorization", "bearer reader"});
    CHECK(guarded.api.handle(lower).status == 200);
    // A wrong Host is told before tokens are looked at.
    auto foreign = Rig::request("GET", "/v1/runs");
    foreign.headers[0].value = "evil.test";
    CHECK(guarded.api.handle(foreign).status == 403);
}

TEST_CASE("scopes: each route asks for one") {
    Guarded guarded;
    struct Case {
        const char* method;
        const char* target;
        const char* allowed; ///< p r o a: the letters of the scopes that may
    };
    const auto flow = std::string(R"({"flow":"ads/train"})");
    for (const auto& [method, target, allowed] : std::vector<Case>{{"POST", "/v1/events", "pa"},
                                                                   {"GET", "/v1/events", "roa"},
                                                                   {"GET", "/v1/runs", "roa"},
                                                                   {"GET", "/v1/triggers", "roa"},
                                                                   {"GET", "/v1/flows", "roa"},
                                                                   {"GET", "/v1/decisions", "roa"},
                                                                   {"GET", "/v1/audit", "roa"},
                                                                   {"GET", "/readyz", "roa"},
                                                                   {"GET", "/metrics", "roa"},
                                                                   {"GET", "/healthz", "proa-"},
                                                                   {"POST", "/v1/runs", "oa"},
                                                                   {"POST", "/v1/triggers/ads/x:pause", "oa"},
                                                                   {"DELETE", "/v1/triggers/ads/x", "a"},
                                                                   {"POST", "/v1/apply", "a"}}) {
        for (const auto& [letter, bearer] : std::vector<std::pair<char, std::string>>{
                 {'p', "publisher"}, {'r', "reader"}, {'o', "operator"}, {'a', "admin"}, {'-', ""}}) {
            INFO(method << " " << target << " as " << bearer);
            const bool is_events = std::string_view(target) == "/v1/events";
            const auto body = std::string_view(method) == "POST" ? (is_events ? event : flow) : "";
            const auto response =
                guarded.ask(bearer, method, target, body, is_events ? event_type : "application/json");
            const bool may = std::string_view(allowed).find(letter) != std::string_view::npos;
            if (may) CHECK((response.status != 401 && response.status != 403));
            if (!may) CHECK(response.status == (bearer.empty() ? 401 : 403));
        }
    }
    const auto refused = guarded.get("publisher", "/v1/runs");
    CHECK(holds(Rig::problem(refused, 403), "needs the scope `read`, which the token of publisher-bearer"));
    CHECK(holds(*refused.header("WWW-Authenticate"), "error=\"insufficient_scope\", scope=\"read\""));
    CHECK(holds(guarded.get("admin", "/metrics").body, "check=\"scope\""));
    CHECK(holds(guarded.get("admin", "/metrics").body, "check=\"token\""));
}

TEST_CASE("acts are recorded under the token's principal, whatever the header says") {
    Guarded guarded;
    auto request = Rig::request("POST", "/v1/triggers/ads/x:pause", R"({"reason":"upgrade"})");
    request.headers.push_back({"Authorization", "Bearer operator"});
    request.headers.push_back({"Weir-Principal", "local:root"});
    guarded.api.handle(request);
    REQUIRE(guarded.rig.engine.acts.size() == 1);
    CHECK(guarded.rig.engine.acts[0] == "pause ads/x by operator-bearer: upgrade");
}

TEST_CASE("a token bound to teams acts on these alone") {
    Guarded guarded;
    auto& story = guarded.rig.story;
    story.trigger("retrain");
    const auto seq = story.event("data.ready", "e1");
    const auto decision = story.decision(ledger::TriggerNo(1), seq, {{seq, ""}});
    const auto run = story.run(decision, "train", {{seq, "/lake", "e1", ""}});
    story.commit();
    const auto id = story.id_of(run).to_string();
    for (const auto& [method, target] :
         std::vector<std::pair<std::string, std::string>>{{"POST", "/v1/triggers/ads/retrain:pause"},
                                                          {"POST", "/v1/triggers/ads/retrain:resume"},
                                                          {"DELETE", "/v1/triggers/ads/retrain"},
                                                          {"GET", "/v1/triggers/ads/retrain"},
                                                          {"GET", "/v1/flows/ads/train"},
                                                          {"POST", "/v1/runs"},
                                                          {"POST", "/v1/runs/" + id + ":cancel"},
                                                          {"POST", "/v1/runs/" + id + ":retry"},
                                                          {"GET", "/v1/runs/" + id},
                                                          {"GET", "/v1/runs/" + id + "/tasks"},
                                                          {"GET", "/v1/runs/" + id + "/logs"},
                                                          {"GET", "/v1/why?run=" + id},
                                                          {"GET", "/v1/why?trigger=ads/retrain&event=e1"},
                                                          {"GET", "/v1/lineage?start=" + id},
                                                          {"GET", "/v1/runs?team=ads"},
                                                          {"GET", "/v1/runs?trigger=ads/retrain"},
                                                          {"GET", "/v1/decisions?team=ads"},
                                                          {"GET", "/v1/triggers?team=ads"},
                                                          {"GET", "/v1/flows?flow=ads/train"},
                                                          {"GET", "/v1/events?team=ads"}}) {
        INFO(method << " " << target);
        const auto body = target.ends_with("/v1/runs")    ? R"({"flow":"ads/train"})"
                          : target.ends_with(":resume")   ? R"({"waiting":"drop"})"
                          : method == std::string("POST") ? "{}"
                                                          : "";
        const auto refused = Rig::problem(guarded.ask("core", method, target, body), 403);
        CHECK(holds(refused, "this token is for the teams core, lab, not for the team ads"));
        const auto own = guarded.ask("ads", method, target, body);
        CHECK((own.status != 401 && own.status != 403));
    }
    for (const auto& act : guarded.rig.engine.acts)
        CHECK(holds(act, " by ads-bearer"));
    // What concerns every team is beyond a token that is bound.
    CHECK(holds(Rig::problem(guarded.ask("ads", "POST", "/v1/streams/events:accept-gap", "{}"), 403),
                "the whole instance"));
    CHECK(guarded.ask("admin", "POST", "/v1/streams/events:accept-gap", "{}").status != 403);
    // Events belong to nobody until a trigger meets them.
    CHECK(guarded.ask("core", "POST", "/v1/events", event, event_type).status == 202);
    // Apply carries the teams to the engine.
    guarded.ask("core", "POST", "/v1/apply", R"({"files":[{"name":"a","text":"b"}]})");
    guarded.ask("admin", "POST", "/v1/apply", R"({"files":[{"name":"a","text":"b"}]})");
    REQUIRE(guarded.rig.engine.applied.size() == 2);
    CHECK(guarded.rig.engine.applied[0].teams == std::vector<std::string>{"core", "lab"});
    CHECK(guarded.rig.engine.applied[1].teams.empty());
}

TEST_CASE("a token bound to teams sees these alone") {
    Guarded guarded;
    auto& story = guarded.rig.story;
    const auto ads = story.trigger("retrain");
    story.trigger("other", "{}", "core");
    const auto seq = story.event("data.ready", "e1");
    const auto decision = story.decision(ads, seq, {{seq, ""}});
    const auto run = story.run(decision, "train", {{seq, "/lake", "e1", ""}});
    story.commit();
    const auto ended = story.settle(run);
    story.commit();
    for (const auto& [target, for_ads, for_core] : std::vector<std::tuple<std::string, int, int>>{
             {"/v1/runs", 1, 0},
             {"/v1/decisions", 1, 0},
             {"/v1/triggers", 1, 1},
             {"/v1/events", 2, 1}, // the arrival is nobody's, the settlement is ads'
             {"/v1/events?limit=1", 1, 1}}) {
        INFO(target);
        CHECK(static_cast<int>(rows(guarded.get("ads", target))) == for_ads);
        CHECK(static_cast<int>(rows(guarded.get("core", target))) == for_core);
    }
    CHECK(rows(guarded.get("admin", "/v1/triggers")) == 2);
    CHECK(Rig::json(guarded.get("core", "/v1/triggers"))["items"][0]["team"] == "core");
    // By seq and by id.
    const auto at = "/v1/events/" + std::to_string(ended.value);
    CHECK(guarded.get("ads", at).status == 200);
    CHECK(guarded.get("core", at).status == 403);
    const auto id = story.id_of(run).to_string() + "%2F1";
    CHECK(guarded.get("ads", "/v1/events/" + id).status == 200);
    CHECK(guarded.get("core", "/v1/events/" + id).status == 404);
    // Lineage ends where other teams begin.
    const auto down = "/v1/lineage?start=e1&direction=down&format=json";
    const auto whole = Rig::json(guarded.get("ads", down));
    const auto cut = Rig::json(guarded.get("core", down));
    CHECK(whole["nodes"].size() > 1);
    CHECK(cut["nodes"].size() == 1);
    CHECK(!holds(cut.dump(), "train"));
}

TEST_CASE("tokens are replaced while requests go on") {
    Guarded guarded;
    CHECK(guarded.get("reader", "/v1/runs").status == 200);
    guarded.authorizer.replace({token("other", {"read"})});
    CHECK(guarded.get("reader", "/v1/runs").status == 401);
    CHECK(guarded.get("other", "/v1/runs").status == 200);
    guarded.authorizer.replace({});
    CHECK(guarded.get("other", "/v1/runs").status == 401);
    CHECK(guarded.get("", "/healthz").status == 200);
}

TEST_CASE("on loopback readiness and metrics ask for nothing") {
    Rig rig;
    const TokenAuthorizer nobody({});
    Api api({rig.engine, rig.story.reader(), &rig.tasks, nobody, rig.clock}, Rig::config());
    for (const auto* target : {"/healthz", "/readyz", "/metrics"})
        CHECK(api.handle(Rig::request("GET", target)).status == 200);
    CHECK(api.handle(Rig::request("GET", "/v1/runs")).status == 401);
}

TEST_CASE("any Host, where tokens are asked for; an Origin must be the Host asked") {
    Rig rig;
    auto config = Rig::config();
    config.allowed_hosts = {"*"};
    Api api({rig.engine, rig.story.reader(), &rig.tasks, rig.authorizer, rig.clock}, config);
    api.bound_to(9347);
    const auto status = [&](std::vector<Header> headers) {
        return api.handle({"GET", "/healthz", std::move(headers), "", ""}).status;
    };
    CHECK(status({{"Host", "10.1.2.3:9347"}}) == 200);
    CHECK(status({{"Host", "weir.example.test"}}) == 200);
    CHECK(status({{"Host", ""}}) == 403);
    CHECK(status({{"Host", "a.test"}, {"Origin", "http://a.test"}}) == 200);
    CHECK(status({{"Host", "a.test"}, {"Origin", "http://b.test"}}) == 403);
    CHECK(status({{"Host", "a.test"}, {"Origin", "null"}}) == 403);
}
