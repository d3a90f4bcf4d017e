#include <functional>

#include <support/catch.hpp>

#include "answers.hpp"
#include "gate.hpp"
#include "launch_table.hpp"
#include "query.hpp"
#include "timers.hpp"

using namespace weir;
using namespace weir::flows;
using namespace weir::flows::kubeflow;
using std::chrono::milliseconds;

namespace {

HttpReply reply(int status, const std::string& body, const std::string& type = "application/json") {
    HttpReply made;
    made.status = status;
    made.body = body;
    made.content_type = type;
    made.sent = true;
    return made;
}

std::string server_error(int code, const std::string& outer, const std::string& inner) {
    return "{\"code\":" + std::to_string(code) + ",\"message\":\"" + outer +
           "\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.Status\",\"code\":" +
           std::to_string(code) + ",\"message\":\"" + inner + "\"}]}";
}

} // namespace

TEST_CASE("a list asks for fewer after an answer that was too much, and for more again", "[kubeflow]") {
    ListSize size(200);
    size.failed(200, 1);
    size.failed(200, 1); // of the same time
    CHECK(size.now() == 100);
    for (std::size_t asked = size.now(); asked > 1; asked = size.now())
        size.failed(asked, 1);
    size.failed(1, 1);
    CHECK(size.now() == 1);
    for (int n = 0; n < 10; ++n) {
        CHECK(size.now() == 1);
        size.worked();
    }
    CHECK(size.now() == 2);
    for (int n = 0; n < 100; ++n)
        size.worked();
    CHECK(size.now() == 200);
    size.failed(5, 10); // what was late is so for other reasons than its number
    CHECK(size.now() == 10);
}

TEST_CASE("answers mean what the table says", "[kubeflow]") {
    const auto kind = [](int status, const std::string& body) { return sort(reply(status, body), "x").kind; };
    CHECK(kind(200, "{}") == Kind::Good);
    CHECK(kind(200, "<html>log in</html>") == Kind::NotKfp);
    CHECK(kind(302, "") == Kind::Barred);
    CHECK(kind(400, server_error(3, "o", "i")) == Kind::BadRequest);
    CHECK(kind(400, R"({"code":3,"message":"proto: syntax"})") == Kind::BadRequest);
    CHECK(kind(400, "<html>Bad Request</html>") == Kind::Strange);
    CHECK(kind(401, "") == Kind::Unidentified);
    CHECK(kind(403, server_error(7, "o", "i")) == Kind::Forbidden);
    CHECK(kind(403, "RBAC: access denied") == Kind::Barred);
    CHECK(kind(404, server_error(5, "o", "i")) == Kind::Missing);
    CHECK(kind(404, R"({"code":5,"message":"Not Found"})") == Kind::NoRoute);
    CHECK(kind(404, "404 page not found") == Kind::NoRoute);
    CHECK(kind(409, server_error(10, "o", "i")) == Kind::Conflict);
    CHECK(kind(414, "") == Kind::TooLarge);
    CHECK(kind(429, "slow down") == Kind::Throttled);
    CHECK(kind(500, server_error(13, "o", "Internal Server Error")) == Kind::ServerFault);
    CHECK(kind(500, "oops") == Kind::Busy);
    CHECK(kind(501, R"({"code":12,"message":"Method Not Allowed"})") == Kind::NoRoute);
    CHECK(kind(503, "no healthy upstream") == Kind::Busy);
    HttpReply large;
    large.sent = large.oversize = true;
    CHECK(sort(large, "x").kind == Kind::Oversize);
    CHECK_FALSE(is_outage(Kind::Oversize));
    HttpReply none;
    CHECK(sort(none, "x").kind == Kind::NotSent);
    none.sent = true;
    CHECK(sort(none, "x").kind == Kind::NoAnswer);
    none.sent = false;
    none.held_back = true;
    CHECK(sort(none, "x").kind == Kind::HeldBack);
}

TEST_CASE("reasons are for people", "[kubeflow]") {
    CHECK(
        sort(reply(400, server_error(3, "outer chain", "parameter s is not optional")), "CreateRun").reason ==
        "CreateRun: answered 400: parameter s is not optional");
    // Where the detail says nothing, the outer message does.
    CHECK(sort(reply(500, server_error(13, "pipeline not found", "Internal Server Error")), "x").reason ==
          "x: answered 500: pipeline not found");
    CHECK(sort(reply(404, "nope"), "x").reason.find("url") != std::string::npos);
    CHECK(sort(reply(200, "<html>", "text/html"), "x").reason.find("log-in") != std::string::npos);
}

TEST_CASE("CreateRun is unknown wherever it may have had its effect", "[kubeflow]") {
    for (const Kind kind :
         {Kind::NoAnswer, Kind::ServerFault, Kind::Busy, Kind::Throttled, Kind::Strange, Kind::NotKfp})
        CHECK(after_create(kind) == CreateNext::Unknown);
    for (const Kind kind : {Kind::BadRequest, Kind::Forbidden, Kind::Conflict, Kind::TooLarge})
        CHECK(after_create(kind) == CreateNext::Refuse);
    for (const Kind kind : {Kind::NotSent, Kind::Unidentified, Kind::Barred, Kind::NoRoute})
        CHECK(after_create(kind) == CreateNext::Wait);
    CHECK(after_create(Kind::Missing) == CreateNext::Resolve);
    CHECK(after_create(Kind::HeldBack) == CreateNext::Late);
    CHECK(after_create(Kind::Good) == CreateNext::Compare);
    // Reads wait for all that may pass.
    for (const Kind kind : {Kind::NoAnswer, Kind::NotSent, Kind::Busy, Kind::Throttled, Kind::ServerFault,
                            Kind::Unidentified, Kind::NoRoute, Kind::NotKfp, Kind::Barred})
        CHECK(after_read(kind) == ReadNext::Wait);
    for (const Kind kind : {Kind::BadRequest, Kind::Forbidden, Kind::TooLarge})
        CHECK(after_read(kind) == ReadNext::Refuse);
}

TEST_CASE("every stage of a launch leads to an end", "[kubeflow]") {
    // What each stage may do; every other step is never made.
    const auto leads = [](Stage stage, Step step) { return move(stage, step).kind == Move::Kind::To; };
    for (std::size_t stage = 0; stage < stage_count; ++stage)
        for (std::size_t step = 0; step < step_count; ++step) {
            const Move next = move(static_cast<Stage>(stage), static_cast<Step>(step));
            if (next.kind == Move::Kind::Never) continue;
            INFO(to_string(static_cast<Stage>(stage)) << " " << to_string(static_cast<Step>(step)));
            // Only CreateRun can be lost, now or before a look, and only a look or its reply can accept.
            if (next.stage == Stage::End && next.answer == LaunchAnswer::Unknown) {
                CHECK(
                    (static_cast<Stage>(stage) == Stage::Create || static_cast<Stage>(stage) == Stage::Look));
                CHECK(static_cast<Step>(step) == Step::Lost);
            }
            if (next.stage == Stage::End && next.answer == LaunchAnswer::Accepted)
                CHECK(static_cast<Step>(step) == Step::Have);
            // CreateRun is entered from the stage before it alone: never twice in a row.
            if (next.stage == Stage::Create) CHECK(static_cast<Stage>(stage) == Stage::Experiment);
        }
    for (const Stage stage : {Stage::Look, Stage::Pipeline, Stage::Version, Stage::Check, Stage::Experiment,
                              Stage::Create, Stage::Stray})
        CHECK(leads(stage, Step::Refuse));
    // It is on record that one CreateRun leaves: what becomes of it ends the launch, or ends a stray.
    for (std::size_t step = 0; step < step_count; ++step)
        if (leads(Stage::Create, static_cast<Step>(step)) && static_cast<Step>(step) != Step::Other)
            CHECK(move(Stage::Create, static_cast<Step>(step)).stage == Stage::End);
    for (const Step step : {Step::Wait, Step::Stale, Step::Held})
        CHECK(move(Stage::Create, step).answer == LaunchAnswer::Postponed);
    CHECK(move(Stage::Look, Step::Lost).answer == LaunchAnswer::Unknown);
    for (std::size_t step = 0; step < step_count; ++step)
        CHECK_FALSE(leads(Stage::End, static_cast<Step>(step)));
}

TEST_CASE("filters are encoded twice", "[kubeflow]") {
    const Query query =
        Query().add("page_size", "200").add("namespace", "").add("sort_by", "created_at desc");
    CHECK(query.text() == "?page_size=200&sort_by=created_at%20desc");
    CHECK(Query().filter("{\"a\":\"+\"}").text() == "?filter=%257B%2522a%2522%253A%2522%252B%2522%257D");
    CHECK(Filter().equals("display_name", "q\"uote").json() ==
          R"({"predicates":[{"operation":"EQUALS","key":"display_name","string_value":"q\"uote"}]})");
    CHECK(
        Filter().one_of("run_id", {"a", "b"}).not_before("finished_at", from_ns(1'500'000'000)).json() ==
        R"({"predicates":[{"operation":"IN","key":"run_id","string_values":{"values":["a","b"]}},)"
        R"({"operation":"GREATER_THAN_EQUALS","key":"finished_at","timestamp_value":"1970-01-01T00:00:01Z"}]})");
    CHECK(looks_like_id("0190a8f0-0000-8000-8000-000000000000"));
    CHECK_FALSE(looks_like_id("train"));
}

TEST_CASE("waits double within their bounds", "[kubeflow]") {
    Backoff backoff(milliseconds(100), milliseconds(1000), 7);
    Duration ceiling = milliseconds(100);
    for (int tries = 1; tries < 10; ++tries) {
        const auto wait = backoff.after(tries);
        CHECK(wait <= ceiling);
        CHECK(wait >= ceiling / 2);
        ceiling = std::min<Duration>(ceiling * 2, milliseconds(1000));
    }
}

TEST_CASE("the circuit opens, asks once and closes", "[kubeflow]") {
    Breaker breaker(3, milliseconds(100), milliseconds(400));
    SteadyInstant now{};
    CHECK_FALSE(breaker.failed(now));
    CHECK_FALSE(breaker.failed(now));
    breaker.succeeded();
    CHECK_FALSE(breaker.failed(now));
    CHECK_FALSE(breaker.failed(now));
    CHECK(breaker.failed(now));
    CHECK_FALSE(breaker.lets_pass());
    CHECK_FALSE(breaker.may_probe(now));
    for (const int wait : {100, 200, 400, 400}) {
        now += milliseconds(wait - 1);
        CHECK_FALSE(breaker.may_probe(now));
        now += milliseconds(1);
        CHECK(breaker.may_probe(now));
        CHECK_FALSE(breaker.may_probe(now));
        CHECK(breaker.circuit() == Circuit::Probing);
        CHECK(breaker.failed(now));
    }
    now += milliseconds(400);
    CHECK(breaker.may_probe(now));
    breaker.succeeded();
    CHECK(breaker.lets_pass());
}

TEST_CASE("a pace spreads requests", "[kubeflow]") {
    Pace pace(4);
    SteadyInstant now{};
    pace.took(now);
    CHECK(pace.next() == now + milliseconds(250));
    now += milliseconds(1000);
    pace.took(now); // what was not used is not made up for
    CHECK(pace.next() == now + milliseconds(250));
    Pace free(0);
    free.took(now);
    CHECK(free.next() <= now);
}

TEST_CASE("timers run in order, and what they add later", "[kubeflow]") {
    Timers timers;
    std::string ran;
    const SteadyInstant start{};
    timers.at(start + milliseconds(2), [&] { ran += "b"; });
    timers.at(start, [&] {
        ran += "a";
        timers.at(start, [&] { ran += "c"; });
    });
    timers.run(start + milliseconds(5));
    CHECK(ran == "ab");
    timers.run(start + milliseconds(5));
    CHECK(ran == "abc");
    CHECK_FALSE(timers.next());
}

TEST_CASE("options that cannot be meant are named", "[kubeflow]") {
    KubeflowOptions options;
    options.url = "http://127.0.0.1:8888";
    options.bindings["ads"] = {};
    CHECK(check_options(options).ok());
    const auto fault = [&](const std::function<void(KubeflowOptions&)>& spoil) {
        KubeflowOptions spoilt = options;
        spoil(spoilt);
        const auto checked = check_options(spoilt);
        return checked.ok() ? std::string("fine") : checked.error().message;
    };
    CHECK(fault([](auto& o) { o.url = "kubeflow:8888"; }).starts_with("url"));
    CHECK(fault([](auto& o) { o.url = "http:///x"; }).starts_with("url"));
    CHECK(fault([](auto& o) { o.url = ""; }).starts_with("url"));
    CHECK(fault([](auto& o) { o.bindings.clear(); }).starts_with("bindings"));
    CHECK(fault([](auto& o) { o.watch.batch = 201; }).starts_with("watch.batch"));
    CHECK(fault([](auto& o) { o.limits.in_flight = 0; }).starts_with("limits.in_flight"));
    CHECK(fault([](auto& o) { o.tls.ca_file = "/nowhere.pem"; }).starts_with("tls.ca_file"));
    CHECK(fault([](auto& o) { o.headers = {{"kubeflow-userid", "x"}}; }).starts_with("headers"));
    CHECK(fault([](auto& o) { o.headers = {{"X-A", "a\r\nB: c"}}; }).starts_with("headers"));
    CHECK(fault([](auto& o) { o.token = "a", o.token_file = "b"; }).starts_with("token"));
    CHECK(fault([](auto& o) { o.bindings["ads"].user = "a\nb"; }).starts_with("bindings.ads.user"));
    CHECK(
        fault([](auto& o) { o.bindings["ads"].display_name = ""; }).starts_with("bindings.ads.display_name"));
    CHECK(fault([](auto& o) { o.watch.places = {{"other", ""}}; }).starts_with("watch.places"));
}
