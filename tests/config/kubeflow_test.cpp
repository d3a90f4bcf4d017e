#include <cstdlib>

#include <weir/flows/document.hpp>

#include "rig.hpp"

using namespace weir;
using namespace weir::config;
using weir::config::test::good;
using weir::config::test::holds;
using weir::config::test::problem_of;
using weir::config::test::TempFolder;

namespace {

const std::string every_field = R"(weir: 1
backends:
  local: {}
  'null': {kind: 'null'}
  kfp:
    kind: kubeflow
    url: https://kfp.example.com:8443/pipeline/
    base_path: /apis/v2beta1
    tls: {ca_file: ca.pem, certificate_file: /c.pem, key_file: k.pem, verify: false}
    proxy: http://proxy.example.com:3128
    user_header: x-user
    headers: {X-Team: ml}
    secret_headers: {X-Key: {env: KFP_KEY}}
    cookies: {authservice_session: {file: session}}
    oauth2: {token_url: 'https://id.example.com/token', client_id: weir, client_secret: {env: KFP_SECRET},
             scope: s, audience: a}
    limits: {in_flight: 3, requests_per_second: 4.5, answer_bytes: 65536, parameter_bytes: 6, launches: 7,
             tracked: 8}
    timeouts: {connect: 1s, request: 2s, create: 3s, server: 0s, orphan_grace: 5s, resolve_cache: 6s,
               retry_min: 7s, retry_max: 8s}
    watch: {interval: 1s, requests_per_second: 2, batch: 3, places_interval: 4s, overlap: 0s,
            since: 2026-05-01T00:00:00Z, lost_after: 6s, places: [{team: ads}, {team: ads, experiment: e}]}
    circuit_failures: 9
  kubeflow: {url: 'http://127.0.0.1:8888', token_file: /var/run/secrets/token}
teams:
  ads:
    backends:
      - local
      - {name: kfp, namespace: ads-ml, experiment: nightly, experiments: [adhoc], service_account: runner,
         user: ads@example.com, pipeline_root: 's3://ads', display_name: '{team} {flow} {date}'}
      - kubeflow
  lab: {backends: kfp}
)";

std::string backend(const std::string& fields) {
    return problem_of("weir: 1\nbackends:\n  kubeflow: {url: 'http://h', " + fields + "}\n");
}

} // namespace

TEST_CASE("every field of a Kubeflow backend and of a binding is read") {
    const auto config = good(every_field);
    CHECK(config.backends.local.has_value());
    CHECK(config.backends.null);
    CHECK(config.backends.names() == std::vector<std::string_view>{"local", "null", "kfp", "kubeflow"});
    const auto& kfp = config.backends.kubeflow.at("kfp");
    const auto& options = kfp.options;
    CHECK(options.name == "kfp");
    CHECK(options.url == "https://kfp.example.com:8443/pipeline");
    CHECK(options.tls.ca_file == "etc/ca.pem");
    CHECK(options.tls.certificate_file == "/c.pem");
    CHECK(options.tls.key_file == "etc/k.pem");
    CHECK(!options.tls.verify);
    CHECK(options.proxy == "http://proxy.example.com:3128");
    CHECK(options.user_header == "x-user");
    REQUIRE(options.headers.size() == 1);
    CHECK(options.headers[0] == std::pair<std::string, std::string>("X-Team", "ml"));
    REQUIRE(kfp.secret_headers.size() == 1);
    CHECK(kfp.secret_headers[0].second.env == "KFP_KEY");
    REQUIRE(kfp.cookies.size() == 1);
    CHECK(kfp.cookies[0].second.file == "etc/session");
    REQUIRE(options.oauth2.has_value());
    CHECK(options.oauth2->token_url == "https://id.example.com/token");
    CHECK(options.oauth2->client_id == "weir");
    CHECK(options.oauth2->scope == "s");
    CHECK(options.oauth2->audience == "a");
    CHECK(kfp.client_secret.env == "KFP_SECRET");
    CHECK(options.limits == flows::kubeflow::LimitOptions{3, 4.5, 65536, 6, 7, 8});
    using std::chrono::seconds;
    CHECK(options.timeouts == flows::kubeflow::TimeoutOptions{seconds(1), seconds(2), seconds(3), seconds(0),
                                                              seconds(5), seconds(6), seconds(7),
                                                              seconds(8)});
    CHECK(options.watch.interval == seconds(1));
    CHECK(options.watch.requests_per_second == 2);
    CHECK(options.watch.batch == 3);
    CHECK(options.watch.places_interval == seconds(4));
    CHECK(options.watch.overlap == seconds(0));
    CHECK(format_rfc3339(*options.watch.since) == "2026-05-01T00:00:00Z");
    CHECK(options.watch.lost_after == seconds(6));
    REQUIRE(options.watch.places.size() == 2);
    CHECK(options.watch.places[1] == flows::kubeflow::WatchedPlace{"ads", "e"});
    CHECK(options.circuit_failures == 9);
    CHECK(config.backends.kubeflow.at("kubeflow").options.token_file == "/var/run/secrets/token");

    const auto binding = config.binding("ads", "kfp");
    REQUIRE(binding.has_value());
    CHECK(binding->namespace_ == "ads-ml");
    CHECK(binding->experiment == "nightly");
    CHECK(binding->experiments == std::vector<std::string>{"adhoc"});
    CHECK(binding->service_account == "runner");
    CHECK(binding->user == "ads@example.com");
    CHECK(binding->pipeline_root == "s3://ads");
    CHECK(binding->display_name == "{team} {flow} {date}");
    CHECK(config.binding("lab", "kfp") == flows::kubeflow::Binding{});
    CHECK(!config.binding("lab", "kubeflow").has_value());
    CHECK(!config.binding("other", "kfp").has_value());
    CHECK(config.check_backend("ads", "kubeflow").ok());
    CHECK(config.check_backend("lab", "kubeflow").error().kind == ErrorKind::Denied);
    CHECK(holds(config.check_backend("ads", "kubeflw").error().message,
                "did you mean \"kubeflow\"?; there are: local, null, kfp, kubeflow"));
}

TEST_CASE("what the adapter is opened with has the secrets and the bindings") {
    ::setenv("WEIR_TEST_KEY", "k3y", 1);
    ::setenv("WEIR_TEST_SECRET", "s3cret", 1);
    const TempFolder folder;
    folder.write("session", "cook1e\n");
    const auto config = good(
        "weir: 1\nbackends:\n  kubeflow:\n    url: https://h\n"
        "    secret_headers: {X-Key: {env: WEIR_TEST_KEY}}\n    cookies: {s: {file: '" +
        folder.path() +
        "/session'}}\n    oauth2: {token_url: 'https://id/t', client_id: c, client_secret: "
        "{env: WEIR_TEST_SECRET}}\n");
    const auto options = kubeflow_options(config, config.backends.kubeflow.at("kubeflow"));
    REQUIRE(options.ok());
    CHECK(options->headers == std::vector<std::pair<std::string, std::string>>{{"X-Key", "k3y"}});
    CHECK(options->cookies == std::vector<std::pair<std::string, std::string>>{{"s", "cook1e"}});
    CHECK(options->oauth2->client_secret == "s3cret");
    REQUIRE(options->bindings.size() == 1);
    CHECK(options->bindings.at("*") == flows::kubeflow::Binding{});
    CHECK(check_outside(config).problems.empty());
    CHECK(check_outside(config).warnings.empty());

    const auto teams = good(every_field);
    ::setenv("KFP_KEY", "k", 1);
    ::setenv("KFP_SECRET", "s", 1);
    auto kfp = teams.backends.kubeflow.at("kfp");
    kfp.cookies.clear();
    const auto bound = kubeflow_options(teams, kfp);
    REQUIRE(bound.ok());
    REQUIRE(bound->bindings.size() == 2);
    CHECK(bound->bindings.at("ads").namespace_ == "ads-ml");
    CHECK(bound->bindings.at("lab").namespace_.empty());
    ::unsetenv("KFP_KEY");
    const auto without = kubeflow_options(teams, kfp);
    REQUIRE(!without.ok());
    CHECK(holds(without.error().message, "KFP_KEY"));
    ::unsetenv("KFP_SECRET");
    // All that is missing outside of the file is told.
    const auto outside = check_outside(teams);
    std::string all;
    for (const auto& warning : outside.warnings)
        all += warning + "\n";
    for (const auto* part : {"KFP_KEY", "KFP_SECRET", "session", "ca.pem", "c.pem", "k.pem"})
        CHECK(holds(all, part));
    for (const auto* name : {"WEIR_TEST_KEY", "WEIR_TEST_SECRET"})
        ::unsetenv(name);
}

TEST_CASE("what is wrong with a Kubeflow backend is told with its place") {
    CHECK(backend("token_file: a, token: {env: A}") ==
          "c.yaml:3:43: backends.kubeflow.token_file: `token`, `token_file` and `oauth2` are ways to one "
          "thing; "
          "one is enough");
    CHECK(holds(backend("token: s3cret"), "token: a secret does not stand in this file"));
    CHECK(!holds(backend("token: s3cret"), "s3cret"));
    CHECK(holds(backend("cookies: {a: b}"), "cookies.a: a secret does not stand in this file"));
    CHECK(holds(backend("headers: {Authorization: x}"), "comes from `token`, `token_file` or `oauth2`"));
    CHECK(holds(backend("headers: {Cookie: x}"), "comes from `cookies`"));
    CHECK(holds(backend("headers: {Kubeflow-Userid: x}"), "comes from the team's binding"));
    CHECK(holds(backend("headers: {X: ''}"), "expected a line of text"));
    CHECK(holds(backend("headers: {'a b': x}"), "is not the name of a header"));
    CHECK(holds(backend("headers: {X: a}, secret_headers: {x: {env: A}}"), "stands here twice"));
    CHECK(holds(backend("tls: {ca_file: x}"), "`url` says http"));
    CHECK(holds(backend("base_path: apis"), "begins with /"));
    CHECK(holds(backend("limits: {in_flight: 0}"), "limits.in_flight: 0 is out of range"));
    CHECK(holds(backend("limits: {requests_per_second: -1}"), "limits.requests_per_second: out of range"));
    CHECK(holds(backend("watch: {requests_per_second: 0}"), "watch.requests_per_second: out of range"));
    CHECK(holds(backend("watch: {batch: 201}"), "201 is out of range; allowed: 1 to 200"));
    CHECK(holds(backend("watch: {interval: 1ms}"), "at least 10ms"));
    CHECK(holds(backend("watch: {since: yesterday}"), "watch.since: expected a time"));
    CHECK(holds(backend("watch: {places: [{}]}"), "missing backends.kubeflow.watch.places[0].team"));
    CHECK(holds(backend("timeouts: {request: 0s}"), "timeouts.request: expected a duration above 0"));
    CHECK(holds(backend("timeouts: {retry_min: 1m}"), "`retry_max` is not less than `retry_min`"));
    CHECK(holds(backend("oauth2: {token_url: 'x', client_id: c, client_secret: {env: A}}"),
                "token_url: \"x\" is not"));
    CHECK(holds(backend("user_headr: x"), "did you mean \"user_header\"?"));
    const auto url = [](const std::string& text) {
        return problem_of("weir: 1\nbackends: {kubeflow: {url: '" + text + "'}}\n");
    };
    CHECK(holds(url("kfp.example.com"), "is not http://HOST"));
    CHECK(holds(url("https://u:p@kfp"), "a user or password does not stand in a URL"));
    CHECK(!holds(url("https://u:p@kfp"), "u:p"));
    CHECK(holds(url("https:///x"), "is not http://HOST"));
    CHECK(holds(url("https://h?x"), "holds ?"));
    CHECK(holds(problem_of("weir: 1\nbackends: {x: {kind: local}}\n"), "the only ones of it"));
    CHECK(
        holds(problem_of("weir: 1\nbackends: {local: {kind: kubeflow, url: 'http://h'}}\n"), "called like"));
    CHECK(holds(problem_of("weir: 1\nbackends: {lokal: {}}\n"),
                "missing backends.lokal.kind: local, null or kubeflow; did you mean \"local\"?"));
}

TEST_CASE("what is wrong with a binding is told with its place") {
    const auto binding = [](const std::string& fields) {
        return problem_of(
            "weir: 1\nbackends: {kubeflow: {url: 'http://h'}}\n"
            "teams: {ads: {backends: [{name: kubeflow, " +
            fields + "}]}}\n");
    };
    CHECK(binding("namespace: Ads") ==
          "c.yaml:3:54: teams.ads.backends[0].namespace: \"Ads\" is not the name of a "
          "namespace (a-z 0-9 -, at most 63)");
    CHECK(holds(binding("user: ''"), "user: it is empty"));
    CHECK(holds(binding("user: \"a\\nb\""), "a control character"));
    CHECK(holds(binding("experiment: " + std::string(129, 'x')), "more than 128 characters"));
    CHECK(holds(binding("display_name: '{run_id}'"), "there is no {run_id}"));
    CHECK(holds(binding("namespce: x"), "did you mean \"namespace\"?"));
    CHECK(holds(binding("experiments: ['']"), "experiments: it is empty"));
    const auto with = [](const std::string& lines) {
        return problem_of("weir: 1\nbackends: {local: {}, kubeflow: {url: 'http://h'" + lines + "\n");
    };
    CHECK(holds(with("}}\nteams: {ads: {backends: local}}"),
                "no team may use the Kubeflow backend \"kubeflow\""));
    CHECK(holds(with(", watch: {places: [{team: lab}]}}}\nteams: {ads: {backends: kubeflow}}"),
                "watch.places: the team \"lab\" may not use this backend"));
}

TEST_CASE("a flow may choose the experiments that its team's binding allows") {
    const auto config = good(every_field);
    const auto check = [&](const std::string& team, const std::string& lines) {
        Problems problems;
        const auto flows =
            flows::read_flows("flow: t\nteam: " + team + "\npipeline: p\n" + lines, "f.yaml", {}, problems);
        REQUIRE(flows.size() == 1);
        return config.check_flow(flows[0]);
    };
    CHECK(check("ads", "backend: kfp\n").ok());
    CHECK(check("ads", "backend: kfp\nexperiment: nightly\n").ok());
    CHECK(check("ads", "backend: kfp\nexperiment: adhoc\n").ok());
    const auto refused = check("ads", "backend: kfp\nexperiment: mine\n");
    CHECK(refused.error().kind == ErrorKind::Denied);
    CHECK(holds(refused.error().message, "may not choose the experiment \"mine\" on the backend kfp"));
    CHECK(!check("lab", "backend: kfp\nexperiment: adhoc\n").ok());
    CHECK(!check("lab", "backend: kubeflow\n").ok());
    CHECK(!check("ads", "backend: elsewhere\n").ok());
}

TEST_CASE("a reload takes who may use a backend; what runs are made with waits for a restart") {
    const auto with = [](const std::string& teams) {
        return good("weir: 1\nbackends: {local: {}, kubeflow: {url: 'http://h'}}\n" + teams);
    };
    auto running = with(
        "teams: {ads: {backends: [local, {name: kubeflow, namespace: a}]}, "
        "lab: {backends: [{name: kubeflow, namespace: l}]}, new: {backends: local}}\n");
    const auto fresh = with(
        "teams: {ads: {backends: [{name: kubeflow, namespace: b}]}, lab: {backends: local}, "
        "new: {backends: [local, kubeflow]}}\n");
    const auto changes = changes_between(running, fresh);
    CHECK(changes.live == std::vector<std::string>{"teams"});
    CHECK(changes.restart == std::vector<std::string>{"teams.bindings"});
    running.take_teams(fresh);
    CHECK(running.binding("ads", "kubeflow")->namespace_ == "a");
    CHECK(!running.allows("ads", "local"));
    CHECK(!running.allows("lab", "kubeflow"));
    CHECK(running.allows("lab", "local"));
    CHECK(!running.allows("new", "kubeflow"));
    const auto only_less = with("teams: {ads: {backends: [{name: kubeflow, namespace: a}]}}\n");
    CHECK(changes_between(running, only_less).restart.empty());
    CHECK(changes_between(running, with("")).restart == std::vector<std::string>{"teams.bindings"});
    running.take_teams(with(""));
    CHECK(!running.allows("lab", "kubeflow"));
}
