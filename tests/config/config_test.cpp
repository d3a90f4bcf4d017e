#include "rig.hpp"

using namespace weir;
using namespace weir::config;
using weir::config::test::good;
using weir::config::test::holds;
using weir::config::test::problem_of;
using weir::config::test::problems_of;
using weir::config::test::TempFolder;

TEST_CASE("the shortest configuration is a laptop's") {
    const auto config = good("weir: 1\n");
    CHECK(config.instance == "weir");
    CHECK(config.data == "etc/.weir");
    CHECK(config.listen.address == "127.0.0.1");
    CHECK(config.listen.port == 9347);
    CHECK(config.listen.on_loopback());
    CHECK(!config.auth.required);
    REQUIRE(config.buses.size() == 1);
    CHECK(std::holds_alternative<EmbeddedBus>(config.buses[0].kind));
    CHECK(config.publish == "embedded");
    CHECK(config.backends.local.has_value());
    CHECK(config.backends.null);
    CHECK(config.allows("anyone", "local"));
    CHECK(config.limits.payload_retention == std::chrono::hours(24 * 35));
    CHECK(!config.limits.batch);
    // JSON as well, from a folder of its own.
    CHECK(good("{\"weir\": 1, \"data\": \"/var/lib/weir\"}", "weir.json").data == "/var/lib/weir");
    CHECK(good("weir: 1\ndata: d\n", "weir.yaml").data == "d");
}

const std::string every_field = R"(weir: 1
instance: prod
data: /var/lib/weir
log_level: warn
listen: {address: 0.0.0.0, port: 80, allowed_hosts: [weir.test, '*']}
auth: {required: true, tokens: tokens.yaml}
ledger: {kind: sqlite}
buses:
  events: {kind: embedded, keep_age: 2d, keep_bytes: 5, file_bytes_max: 6}
publish: events
backends:
  local: {tasks: 3, runs: 4, kill_grace: 5s, retention: 6d, python: /usr/bin/python3}
  'null': {}
teams:
  ads: {backends: [local, 'null']}
  lab: {backends: local}
folders:
  inbox: {folder: in, existing: publish, pattern: '*.csv', type: file.came, hidden: true, temporary: true, settle: 0s}
  old: {folder: /old, existing: ignore}
apply: [triggers, /flows]
limits:
  batch: 1
  places: 2
  places_per_trigger: 3
  waiting: 4
  failures_per_hour: 5
  event_bytes: 2048
  batch_bytes: 4096
  batch_events: 8
  requests: 9
  connections: 10
  source_grace: 11s
  launch_timeout: 12s
  report_grace: 14s
  outputs_grace: 15m
  payload_retention: 13d
)";

TEST_CASE("every field is read") {
    const auto config = good(every_field);
    CHECK(config.file == "etc/weir.yaml");
    CHECK(config.instance == "prod");
    CHECK(config.data == "/var/lib/weir");
    CHECK(config.log_level == "warn");
    CHECK(config.listen.address == "0.0.0.0");
    CHECK(!config.listen.on_loopback());
    CHECK(config.listen.port == 80);
    CHECK(config.listen.allowed_hosts == std::vector<std::string>{"weir.test", "*"});
    CHECK(config.auth.required);
    CHECK(config.auth.tokens == "etc/tokens.yaml");
    CHECK(config.publish == "events");
    const auto& bus = std::get<EmbeddedBus>(config.buses.at(0).kind).options;
    CHECK(config.buses[0].name == "events");
    CHECK(bus.keep_age == std::chrono::hours(48));
    CHECK(bus.keep_bytes == 5);
    CHECK(bus.file_bytes_max == 6);
    CHECK(bus.limits.bytes_max == 2048);
    REQUIRE(config.backends.local);
    CHECK(config.backends.local->tasks_max == 3);
    CHECK(config.backends.local->runs_max == 4);
    CHECK(config.backends.local->kill_grace == std::chrono::seconds(5));
    CHECK(config.backends.local->retention == std::chrono::hours(24 * 6));
    CHECK(config.backends.local->python == "/usr/bin/python3");
    CHECK(config.backends.null);
    CHECK(config.allows("ads", "null"));
    CHECK(config.allows("lab", "local"));
    CHECK(!config.allows("lab", "null"));
    CHECK(!config.allows("core", "local"));
    REQUIRE(config.folders.size() == 2);
    const auto& inbox = config.folders[0];
    CHECK(inbox.name == "inbox");
    CHECK(inbox.directory == "etc/in");
    CHECK((inbox.publish_existing && inbox.hidden && inbox.temporary));
    CHECK(inbox.pattern == "*.csv");
    CHECK(inbox.type == "file.came");
    CHECK(inbox.settle == Duration::zero());
    CHECK(config.folders[1].directory == "/old");
    CHECK(!config.folders[1].publish_existing);
    CHECK(config.apply == std::vector<std::string>{"etc/triggers", "/flows"});
    const auto& limits = config.limits;
    CHECK((limits.batch == 1 && limits.places == 2 && limits.places_per_trigger == 3 && limits.waiting == 4));
    CHECK((limits.failures_per_hour == 5 && limits.event_bytes == 2048 && limits.batch_bytes == 4096));
    CHECK((limits.batch_events == 8 && limits.requests == 9 && limits.connections == 10));
    CHECK(limits.source_grace == std::chrono::seconds(11));
    CHECK(limits.launch_timeout == std::chrono::seconds(12));
    CHECK(limits.report_grace == std::chrono::seconds(14));
    CHECK(limits.outputs_grace == std::chrono::minutes(15));
    CHECK(limits.payload_retention == std::chrono::hours(24 * 13));
}

TEST_CASE("what is wrong is named with its place and what was expected") {
    const auto with = [](const std::string& line) { return problem_of("weir: 1\n" + line + "\n"); };
    CHECK(problem_of("data: x\n") == "c.yaml:1:1: missing weir: What this file is: always 1.");
    CHECK(holds(problem_of("weir: 2\n"), "c.yaml:1:7: weir: 2 is out of range"));
    CHECK(holds(problem_of(""), "begins with `weir: 1`"));
    CHECK(holds(problem_of("weir: 1\n---\nweir: 1\n"), "one document"));
    CHECK(holds(problem_of("[]"), "expected a map of fields"));
    CHECK(with("lisen: {}") == "c.yaml:2:1: unknown key \"lisen\"; did you mean \"listen\"?");
    CHECK(with("listen: {prot: 1}") == "c.yaml:2:10: unknown key \"prot\" in listen; did you mean \"port\"?");
    CHECK(with("listen: {port: 65536}") ==
          "c.yaml:2:16: listen.port: 65536 is out of range; allowed: 0 to 65535");
    CHECK(holds(with("listen: {port: '80'}"), "expected a whole number"));
    CHECK(holds(with("listen: {address: weir.test}"),
                "c.yaml:2:19: listen.address: \"weir.test\" is not an IP"));
    CHECK(holds(with("instance: a/b"), "not a name"));
    CHECK(holds(with("log_level: loud"), "expected debug, info, warn, error or off"));
    CHECK(holds(with("data: postgresql://db/weir"), "PostgreSQL is not built yet"));
    CHECK(holds(with("data: ''"), "expected a folder"));
    CHECK(with("ledger: {kind: postgres}") == "c.yaml:2:16: not built yet: ledger.kind: postgres");
    CHECK(holds(with("ledger: {kind: postgers}"), "expected sqlite"));
    CHECK(holds(with("backends: {kubeflow: {}}"), "missing backends.kubeflow.url"));
    CHECK(holds(with("backends: {local: {tasks: 0}}"), "allowed: 1 to 10000"));
    CHECK(holds(with("limits: {source_grace: 0s}"), "expected a duration above 0"));
    CHECK(holds(with("limits: {source_grace: 5}"), "expected a duration as text"));
    CHECK(holds(with("limits: {breakers: 5}"), "unknown key \"breakers\""));
    CHECK(holds(with("folders: {in box: {folder: x}}"), "not a name"));
    CHECK(holds(with("folders: {inbox: {}}"), "missing folders.inbox.folder"));
    CHECK(holds(with("folders: {inbox: {folder: x, existing: maybe}}"), "expected ignore or publish"));
    CHECK(holds(with("buses: {}"), "there must be one"));
    CHECK(holds(with("publish: nowhere"), "c.yaml:2:10: publish: there is no bus \"nowhere\""));
    CHECK(holds(with("buses: {a: {kind: embedded}, b: {kind: embedded}}\npublish: a"), "one embedded bus"));
    CHECK(holds(with("buses: {a: {kind: embeded}}"), "did you mean \"embedded\"?"));
    CHECK(holds(with("buses: {a: {}}"), "missing buses.a.kind: embedded, nats or kafka"));
    // All of them at once, in the order in which they stand.
    const auto several =
        problems_of("weir: 1\nlisten: {port: x}\nlimits: {batch: 0}\nteams: {ads: {backend: x}}\n");
    REQUIRE(several.size() == 4);
    CHECK(holds(several[0], "c.yaml:2:16: "));
    CHECK(holds(several[1], "c.yaml:3:17: "));
    CHECK(holds(several[2], "c.yaml:4:14: missing teams.ads.backends"));
    CHECK(holds(several[3], "c.yaml:4:15: unknown key \"backend\""));
}

TEST_CASE("teams name backends that are there") {
    const auto with = [](const std::string& lines) { return problem_of("weir: 1\n" + lines + "\n"); };
    CHECK(
        holds(with("teams: {ads: {backends: [locl]}}"),
              "c.yaml:2:26: teams.ads.backends: there is no backend \"locl\" here; did you mean \"local\"?"));
    CHECK(
        holds(with("backends: {'null': {}}\nteams: {ads: {backends: local}}"), "no backend \"local\" here"));
    CHECK(
        holds(with("teams: {ads: {backends: local, default_backend: x}}"), "not built yet: default_backend"));
    CHECK(holds(with("teams: {ads: {backends: local, namespace: x}}"), "unknown key \"namespace\""));
    CHECK(holds(with("teams: {ads: {backends: [local, local]}}"), "stands here twice"));
    CHECK(holds(with("teams: {ads: {backends: [{name: local, namespace: x}]}}"), "takes no binding"));
    CHECK(!good("weir: 1\nteams: {}\n").allows("ads", "local"));
    const auto config = good("weir: 1\nbackends: {local: {}}\nteams: {ads: {backends: local}}\n");
    CHECK(config.check_backend("ads", "local").ok());
    CHECK(config.check_backend("lab", "local").error().kind == ErrorKind::Denied);
    CHECK(config.check_backend("ads", "null").error().kind == ErrorKind::Invalid);
}

TEST_CASE("beyond loopback nothing is served without tokens") {
    CHECK(holds(problem_of("weir: 1\nlisten: {address: 0.0.0.0}\n"),
                "c.yaml:2:19: listen.address: 0.0.0.0 is beyond loopback"));
    CHECK(holds(problem_of("weir: 1\nlisten: {address: 10.0.0.1}\nauth: {required: false}\n"),
                "beyond loopback"));
    CHECK(holds(problem_of("weir: 1\nlisten: {allowed_hosts: '*'}\n"), "any host"));
    CHECK(holds(problem_of("weir: 1\nauth: {tokens: t.yaml}\n"), "without `required: true`"));
    good("weir: 1\nlisten: {address: '::'}\nauth: {required: true, tokens: t}\n");
    good("weir: 1\nlisten: {address: '::1'}\n");
    good("weir: 1\nlisten: {address: 127.1.2.3}\n");
    CHECK(*is_loopback("localhost"));
    CHECK(!*is_loopback("::ffff:127.0.0.1"));
    CHECK(!is_loopback("").ok());
    CHECK(!is_loopback("127.0.0.1 ").ok());
}

TEST_CASE("what a reload may change, and what needs a restart") {
    const std::string base =
        "weir: 1\nlimits: {batch: 5, payload_retention: 1d}\nauth: {required: true, tokens: a}\n";
    const auto running = good(base);
    const auto to = [&](const std::string& text) { return changes_between(running, good(text)); };
    CHECK(to(base).live.empty());
    CHECK(to("# other words\nauth: {tokens: a, required: true}\nlimits: {payload_retention: 1d, batch: "
             "5}\nweir: 1\n")
              .restart.empty());
    auto changes = to(base + "log_level: debug\nteams: {ads: {backends: local}}\n");
    CHECK(changes.live == std::vector<std::string>{"log_level", "teams"});
    CHECK(changes.restart.empty());
    changes = to(
        "weir: 1\nlimits: {batch: 6, payload_retention: 2d}\nauth: {required: true, tokens: b}\ndata: d\n");
    CHECK(changes.live == std::vector<std::string>{"auth.tokens", "limits.payload_retention"});
    CHECK(changes.restart == std::vector<std::string>{"limits.batch", "data"});
    CHECK(to("weir: 1\nauth: {required: true, tokens: a}\n").restart ==
          std::vector<std::string>{"limits.batch"});
}

TEST_CASE("a file is read whole or not at all") {
    const TempFolder folder;
    const auto path = folder.write("weir.yaml", "weir: 1\ndata: d\n", 0644);
    REQUIRE(read_config(path).ok());
    CHECK(read_config(path)->data == folder.path() + "/d");
    CHECK(read_config(folder.path() + "/none").error().kind == ErrorKind::NotFound);
    const auto wrong = folder.write("wrong.yaml", "weir: 1\nx: 1\ny: 2\n");
    CHECK(read_config(wrong).error().message ==
          wrong + ":2:1: unknown key \"x\"\n" + wrong + ":3:1: unknown key \"y\"");
    CHECK(holds(read_config(folder.write("torn.yaml", "weir: 1\nlisten: {port\n")).error().message,
                "torn.yaml:"));
}

TEST_CASE("the table gives the JSON Schema and the reference") {
    const auto schema = json_schema(config_table());
    for (const auto* name : {"nats bus", "kafka bus", "embedded bus", "mapping", "tls", "limits", "team"})
        CHECK(holds(schema, "\"#/$defs/" + std::string(name) + "\""));
    CHECK(holds(schema, "service_account"));
    for (const auto* name : {"kubeflow backend", "kubeflow watch", "kubeflow place", "oauth2", "binding"})
        CHECK(holds(schema, "\"#/$defs/" + std::string(name) + "\""));
    const auto reference = reference_text(config_table());
    CHECK(holds(reference, "| `payload_retention` |"));
    CHECK(holds(reference, "Known by name, not built yet: `kind: postgres`."));
}
