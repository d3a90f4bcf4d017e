#include "rig.hpp"

using namespace weir;
using namespace weir::server;
using weir::server::test::holds;
using weir::server::test::Rig;

TEST_CASE("unknown paths, methods and parameters are told apart, with suggestions") {
    Rig rig;
    CHECK(holds(Rig::problem(rig.get("/v1/rums"), 404), "did you mean \"/v1/runs\"?"));
    CHECK(holds(Rig::problem(rig.get("/"), 404), "nothing at /"));
    CHECK(rig.get("/v1/runs/").status == 404);
    CHECK(rig.get("/v1//runs").status == 404);
    CHECK(rig.post("/v1/runs/0190b3a2-0000-8000-8000-000000000000:explode").status == 404);

    const auto wrong = rig.api.handle(Rig::request("PATCH", "/v1/runs"));
    CHECK(holds(Rig::problem(wrong, 405), "PATCH"));
    REQUIRE(wrong.header("Allow") != nullptr);
    CHECK(*wrong.header("Allow") == "GET, HEAD, POST");
    CHECK(rig.api.handle(Rig::request("DELETE", "/v1/flows/ads/train")).status == 405);

    CHECK(holds(Rig::problem(rig.get("/v1/runs?limt=5"), 400), "did you mean \"limit\"?"));
    CHECK(holds(Rig::problem(rig.get("/healthz?x=1"), 400), "no query parameter \"x\""));
    CHECK(holds(Rig::problem(rig.get("/v1/runs?limit=5&limit=6"), 400), "comes twice"));
}

TEST_CASE("targets are taken apart strictly") {
    Rig rig;
    CHECK(holds(Rig::problem(rig.get("/v1/runs?team=%zz"), 400), "hexadecimal"));
    CHECK(holds(Rig::problem(rig.get("/v1/runs?team=%ff"), 400), "UTF-8"));
    CHECK(holds(Rig::problem(rig.get("/v1/runs?team=a%00b"), 400), "control character"));
    CHECK(holds(Rig::problem(rig.get("/v1/runs?=x"), 400), "no name"));
    CHECK(rig.get("http://127.0.0.1/v1/runs").status == 400);
    CHECK(rig.get("*").status == 400);
    CHECK(rig.get("/v1/runs?team=" + std::string(9000, 'x')).status == 414);
}

TEST_CASE("what is not built yet says so by name") {
    Rig rig;
    CHECK(holds(Rig::problem(rig.post("/v1/simulate", "{}"), 501), "/v1/simulate is not built yet"));
    CHECK(rig.post("/v1/triggers/ads/retrain:fire", "{}").status == 501);
    CHECK(rig.post("/v1/triggers/ads/retrain:backfill", "{}").status == 501);
    for (const auto* target : {"/v1/slots", "/v1/sources"})
        CHECK(rig.get(target).status == 501);
    CHECK(rig.get("/v1/lineage?start=x&format=svg").status == 501);
}

TEST_CASE("HEAD is answered where GET is") {
    Rig rig;
    CHECK(rig.api.handle(Rig::request("HEAD", "/healthz")).status == 200);
    CHECK(rig.api.handle(Rig::request("HEAD", "/v1/apply")).status == 405);
}

TEST_CASE("bodies have the limit of their route") {
    Rig rig;
    auto batch = Rig::request("POST", "/v1/events");
    batch.headers.push_back({"Content-Type", "application/cloudevents-batch+json"});
    CHECK(rig.api.admit(batch).body_bytes_max == 8 * 1024 * 1024);
    CHECK(rig.api.admit(Rig::request("POST", "/v1/events")).body_bytes_max == 1024 * 1024);
    CHECK(rig.api.admit(Rig::request("POST", "/v1/apply")).body_bytes_max == 8 * 1024 * 1024);
    CHECK(rig.api.admit(Rig::request("GET", "/v1/runs")).body_bytes_max == 0);
    CHECK(rig.api.admit(Rig::request("GET", "/v1/rums")).refusal->status == 404);
    CHECK(rig.api.handle(Rig::request("GET", "/v1/runs", "x")).status == 413);
    CHECK(rig.post("/v1/runs", std::string(2'000'000, ' ')).status == 413);
}

TEST_CASE("JSON bodies are read strictly") {
    Rig rig;
    const auto start = [&](const std::string& body) { return Rig::problem(rig.post("/v1/runs", body), 400); };
    CHECK(holds(start("{"), "body"));
    CHECK(holds(start("[]"), "expected a JSON object"));
    CHECK(holds(start("flow: ads/train"), "body"));
    CHECK(holds(start(R"({"flow":"ads/train","reasn":"x"})"), "did you mean \"reason\"?"));
    CHECK(holds(start(R"({"flow":"a","flow":"b"})"), "flow"));
    CHECK(holds(start(R"({"flow":7})"), "must be a string"));
    CHECK(holds(start(R"({"flow":"ads/train","parameters":[1]})"), "must be an object"));
    CHECK(holds(start("{\"flow\":\"\xff\"}"), "UTF-8"));
    CHECK(holds(start(R"({"flow":"not a name"})"), "TEAM/NAME"));
    CHECK(holds(start("{}"), "\"flow\" is missing"));
    std::string deep(10'000, '[');
    deep += std::string(10'000, ']');
    CHECK(rig.post("/v1/runs", R"({"flow":"ads/train","parameters":{"x":)" + deep + "}}").status == 422);
    CHECK(rig.post("/v1/runs", R"({"flow":"ads/train"})", "text/plain").status == 415);
    CHECK(rig.engine.acts.empty());
}

TEST_CASE("health, readiness and metrics") {
    Rig rig;
    CHECK(Rig::json(rig.get("/healthz"))["version"] == "1.2.3");
    rig.engine.ready = {{"ledger", true, "power-safe"}, {"source folder inbox", true, ""}};
    CHECK(Rig::json(rig.get("/readyz"))["ready"] == true);
    rig.engine.ready[1] = {"source folder inbox", false, "the folder is gone"};
    const auto not_ready = Rig::json(rig.get("/readyz"), 503);
    CHECK(not_ready["ready"] == false);
    CHECK(not_ready["items"][0]["detail"] == "power-safe");
    CHECK(not_ready["items"][1]["detail"] == "the folder is gone");

    rig.engine.ready[1].required = false;
    const auto serving = Rig::json(rig.get("/readyz"));
    CHECK(serving["ready"] == true);
    CHECK(serving["items"][1]["ready"] == false);
    CHECK(serving["items"][1]["required"] == false);

    rig.engine.values = {{"events_recorded_total", "Events.", true, {{"stream", "a\"b"}}, 3},
                         {"events_held", "Held.", false, {}, 2},
                         {"events_recorded_total", "Events.", true, {{"stream", "c"}}, 4}};
    const auto text = rig.get("/metrics").body;
    CHECK(holds(text, "# TYPE weir_events_recorded_total counter\n"));
    CHECK(holds(text, "weir_events_recorded_total{stream=\"a\\\"b\"} 3\n"));
    CHECK(holds(text, "weir_events_recorded_total{stream=\"c\"} 4\n"));
    CHECK(holds(text, "# TYPE weir_events_held gauge\nweir_events_held 2\n"));
    CHECK(holds(text, R"(weir_http_requests_total{method="GET",route="/readyz",status="503"} 1)"));
    CHECK(text.find("# TYPE weir_events_recorded_total") == text.rfind("# TYPE weir_events_recorded_total"));
}

TEST_CASE("errors of the engine have the status of their kind") {
    Rig rig;
    const auto path = "/v1/triggers/ads/retrain:pause";
    const std::pair<ErrorKind, int> kinds[] = {
        {ErrorKind::Invalid, 400},     {ErrorKind::NotFound, 404},    {ErrorKind::Conflict, 409},
        {ErrorKind::Unavailable, 503}, {ErrorKind::Cancelled, 503},   {ErrorKind::Denied, 403},
        {ErrorKind::Exhausted, 422},   {ErrorKind::Unsupported, 501}, {ErrorKind::Internal, 500}};
    for (const auto& [kind, status] : kinds) {
        rig.engine.failure = Error(kind, "said so \xff");
        const auto response = rig.post(path, "{}");
        CHECK(Rig::problem(response, status) == "said so \\xff");
        CHECK((response.header("Retry-After") != nullptr) == (status == 503));
    }
}

TEST_CASE("a caller's name is taken from its header, never beyond `local:`") {
    Rig rig;
    auto request = Rig::request("POST", "/v1/triggers/ads/retrain:pause", R"({"reason":"upgrade"})");
    const auto principal = [&](const std::string& said) {
        auto with = request;
        with.headers.push_back({"Weir-Principal", said});
        rig.engine.acts.clear();
        rig.api.handle(with);
        return rig.engine.acts.empty() ? std::string() : rig.engine.acts[0];
    };
    CHECK(principal("local:alice") == "pause ads/retrain by local:alice: upgrade");
    CHECK(principal("alice") == "pause ads/retrain by local:alice: upgrade");
    CHECK(principal("token:root") == "pause ads/retrain by local:token:root: upgrade");
    CHECK(principal("").empty());
    CHECK(principal("a b").empty());
    rig.engine.acts.clear();
    rig.api.handle(request);
    CHECK(rig.engine.acts[0] == "pause ads/retrain by local:unknown: upgrade");
}
