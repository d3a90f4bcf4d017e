#include <algorithm>
#include <set>

#include <openapi/tables.hpp>

#include <api_impl.hpp>

#include "rig.hpp"

using namespace weir;
using namespace weir::server;
using weir::server::test::Json;
using weir::server::test::Rig;

TEST_CASE("the OpenAPI document names each route that is built, and no other") {
    std::set<std::pair<std::string, std::string>> built;
    std::set<std::pair<std::string, std::string>> described;
    for (const Route& route : routes())
        if (route.answer != nullptr) built.emplace(route.method, route.pattern);
    std::set<std::string_view> ids;
    for (const auto& operation : openapi::operations()) {
        described.emplace(operation.method, operation.pattern);
        INFO(operation.id);
        CHECK(ids.insert(operation.id).second);
        CHECK(static_cast<std::size_t>(std::count(operation.pattern.begin(), operation.pattern.end(), '{')) ==
              operation.names.size());
    }
    CHECK(described == built);
}

TEST_CASE("the OpenAPI document is served, and whole") {
    Rig rig;
    const auto document = Rig::json(rig.get("/v1/openapi.json"));
    CHECK(document["openapi"] == "3.0.3");
    CHECK(document["info"]["version"] == "1.2.3");
    CHECK(document["paths"]["/v1/runs/{run}:cancel"]["post"]["operationId"] == "cancelRun");
    CHECK(document["paths"]["/healthz"]["get"]["security"] == Json::array());
    // Every reference leads somewhere, and every schema is led to.
    std::set<std::string> used;
    const std::string text = document.dump();
    const std::string lead = "\"#/components/schemas/";
    for (auto at = text.find(lead); at != std::string::npos; at = text.find(lead, at + 1)) {
        const auto name = text.substr(at + lead.size(), text.find('"', at + 1) - at - lead.size());
        INFO(name);
        CHECK(document["components"]["schemas"].contains(name));
        used.insert(name);
    }
    for (const auto& [name, schema] : document["components"]["schemas"].items()) {
        INFO(name);
        CHECK(used.count(name) == 1);
        CHECK(!schema["properties"].empty());
    }
}

TEST_CASE("what a command takes is what its body's schema names") {
    Rig rig;
    for (const auto& operation : openapi::operations()) {
        if (operation.takes != openapi::Shape::Json) continue;
        // A member that no schema names is refused with a list of those there are.
        std::string target(operation.pattern);
        for (auto at = target.find("{}"); at != std::string::npos; at = target.find("{}"))
            target.replace(at, 2,
                           operation.pattern.find("/runs/") != std::string::npos
                               ? "0190b3a2-0000-8000-8000-000000000000"
                           : operation.pattern.find("/dead-letters/") != std::string::npos ? "1"
                                                                                           : "ads");
        INFO(target);
        for (const auto& object : openapi::objects()) {
            if (object.name != operation.taken) continue;
            for (const auto& member : object.members) {
                // Of the wrong type: the member is known, its value is not.
                const auto body = "{\"" + std::string(member.name) +
                                  "\":" + (member.kind == openapi::Kind::Text ? "[]" : "\"x\"") + "}";
                const auto answer = rig.post(target, body);
                INFO(body << " " << answer.body);
                CHECK(answer.status == 400);
                CHECK(answer.body.find("did you mean") == std::string::npos);
                CHECK(answer.body.find("has no member") == std::string::npos);
            }
        }
        CHECK(rig.post(target, R"({"no_such_member":1})").status == 400);
    }
}

TEST_CASE("the checker of answers finds what departs") {
    const Json document = Json::parse(openapi_document("1.2.3"));
    const auto* page =
        R"({"items":[{"at":"today","principal":"","action":"","target":"","reason":"","seq":1}],)"
        R"("next":null,"after":0})";
    const auto said = [&](const std::string& target, int status, const std::string& body) {
        Response response;
        response.status = status;
        response.headers.push_back({"Content-Type", "application/json"});
        response.body = body;
        return test::departs_from(document, "GET", target, response);
    };
    CHECK(said("/healthz", 200, R"({"status":"ok","version":"1"})") == "");
    CHECK(said("/healthz", 200, R"({"status":"ok"})") == ": lacks \"version\"");
    CHECK(said("/healthz", 200, R"({"status":"ok","version":1})") == "/version: no text: 1");
    CHECK(said("/healthz", 200, R"({"status":"ok","version":"1","more":1})") ==
          "/more: is not in the document");
    CHECK(said("/healthz", 201, "{}") == "there is no answer 201");
    CHECK(said("/v1/runs", 200, R"({"items":[{"run":"x"}],"next":null,"after":0})")
              .starts_with("/items/0: lacks"));
    CHECK(said("/v1/audit", 200, page) == "/items/0/at: no time: today");
}
