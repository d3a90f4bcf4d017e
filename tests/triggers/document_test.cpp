#include <weir/triggers/document.hpp>

#include <string>

#include <support/catch.hpp>
#include <weir/base/json.hpp>

using namespace weir;
using namespace weir::triggers;

namespace {

const std::string retrain = R"(trigger: retrain
team: ads
when:
  all:
    orders: {event: data.ready, where: 'event.data.table == "orders"'}
    users:  {event: data.ready, where: 'event.data.table == "users"'}
    model:  {finish: feature-build, outcome: [succeeded], keep: true}
  key: 'event.data.date'
  within: 6h
  consume: latest
launch:
  flow: train
  parameters:
    date: 'orders.data.date'
    rows: 'int(orders.data.rows) + int(users.data.rows)'
    mode: {value: full}
    depth: 3
    grid: {a: [1, 2.5], b: null}
  overlap: queue
)";

std::string problems_of(std::string_view text) {
    Problems problems;
    const auto triggers = read_triggers(text, "t", problems, "home");
    CHECK(triggers.empty() == !problems.empty());
    std::string out;
    for (const auto& problem : problems)
        out += problem.to_string() + "\n";
    return out;
}

Trigger read(std::string_view text) {
    Problems problems;
    auto triggers = read_triggers(text, "t", problems, "home");
    INFO((problems.empty() ? std::string() : problems.front().to_string()));
    REQUIRE(problems.empty());
    REQUIRE(triggers.size() == 1);
    return triggers[0];
}

/// A small trigger with these lines in its `when`.
std::string with_when(const std::string& when) {
    return "trigger: t\nlaunch: {flow: f}\nwhen: " + when + "\n";
}

void says(const std::string& all, std::string_view part) {
    INFO(all << "\nshould say\n" << part);
    CHECK(all.find(part) != std::string::npos);
}

} // namespace

TEST_CASE("a join reads as it is written") {
    const auto trigger = read(retrain);
    CHECK(trigger.name == "retrain");
    CHECK(trigger.team == "ads");
    CHECK(trigger.when.kind == When::Kind::All);
    REQUIRE(trigger.when.leaves.size() == 3);
    CHECK(trigger.when.leaves[0].name == "orders");
    CHECK(std::get<EventPattern>(trigger.when.leaves[0].pattern).type == "data.ready");
    REQUIRE(trigger.when.leaves[0].where);
    CHECK(trigger.when.leaves[0].where->text == "event.data.table == \"orders\"");
    CHECK(trigger.when.leaves[0].where->place.to_string() == "t:5:41");
    CHECK(std::get<FinishPattern>(trigger.when.leaves[2].pattern) ==
          FinishPattern{"feature-build", {"succeeded"}, "ads"});
    CHECK(trigger.when.leaves[2].keep);
    REQUIRE(trigger.when.keys.size() == 3);
    CHECK(trigger.when.keys[0]->text == "event.data.date");
    CHECK(trigger.when.keys[1]->text == "event.data.date");
    CHECK_FALSE(trigger.when.keys[2]);
    CHECK(trigger.when.within == std::chrono::hours(6));
    CHECK(trigger.launch.flow == "train");
    CHECK(trigger.launch.flow_team("ads") == "ads");
    CHECK(trigger.launch.overlap == Launch::Overlap::Queue);
    for (const std::string word : {"allow", "skip", "queue", "latest", "cancel_running"}) {
        const auto other = read("trigger: t\nwhen: {event: a}\nlaunch: {flow: f, overlap: " + word + "}\n");
        CHECK(to_string(other.launch.overlap) == word);
    }
    CHECK(trigger.launch.queue_max == 100);
    REQUIRE(trigger.launch.parameters.size() == 5);
    CHECK_FALSE(trigger.launch.parameters[1].constant);
    CHECK(trigger.launch.parameters[2].constant_json == "\"full\"");
    CHECK(trigger.launch.parameters[3].constant_json == "3");
    CHECK(trigger.launch.parameters[4].constant_json == "{\"a\":[1,2.5],\"b\":null}");
    CHECK(trigger.breakers == Breakers{1000, 32});
}

TEST_CASE("the canonical text reads back as the same trigger") {
    for (const auto& text : {retrain, with_when("{event: a, source: '/x/*', subject: s, where: 'true'}"),
                             with_when("{finish: b/f*, outcome: lost}"),
                             with_when("{schedule: '0 6 * * *', timezone: Europe/Zurich}"),
                             std::string("trigger: t\ndescription: it \"is\"\nlabels: {b: x, a: y}\nwhen: "
                                         "{event: e}\nlaunch: {flow: u/f, overlap: queue, "
                                         "queue: {limit: 5, max_age: 90s}, parameters: {m: {value: {value: "
                                         "1}}, l: {value: x}, v: {value: 5}}}\n"
                                         "limits: {depth: 4, firings_per_minute: 9}\nstart: new\n")}) {
        const auto first = read(text);
        INFO(first.canonical_json);
        CHECK(validate_json(first.canonical_json).ok());
        const auto second = read(first.canonical_json);
        CHECK(second.canonical_json == first.canonical_json);
        CHECK(second.hash == first.hash);
        CHECK(second.when.keys == first.when.keys);
        CHECK(second.launch.parameters.size() == first.launch.parameters.size());
    }
    // Spelling does not count, content does.
    CHECK(read(with_when("{event: a}")).hash ==
          read("{\"when\":{\"event\":\"a\"},\"launch\":{\"flow\":\"f\"},\"trigger\":\"t\",\"team\":\"home\"}")
              .hash);
    CHECK(read(with_when("{event: a}")).hash != read(with_when("{event: b}")).hash);
}

TEST_CASE("single leaves are named by their operator") {
    CHECK(read(with_when("{event: a}")).when.leaves[0].name == "event");
    CHECK(read(with_when("{finish: a}")).when.leaves[0].name == "finish");
    const auto schedule = read(with_when("{schedule: '0 6 * * *'}"));
    CHECK(schedule.when.leaves[0].name == "schedule");
    CHECK(std::get<SchedulePattern>(schedule.when.leaves[0].pattern).timezone == "UTC");
    CHECK(schedule.when.keys.size() == 1);
    CHECK(read(with_when("{finish: a, outcome: [lost, failed, lost]}")).when.leaves[0].pattern ==
          Pattern(FinishPattern{"a", {"failed", "lost"}, "home"}));
}

TEST_CASE("what is not built is refused by its name") {
    for (const std::string name :
         {"any", "at_least", "sequence", "count", "absent", "unless", "debounce", "throttle", "rate_limit",
          "batch", "concurrency", "priority", "dedupe", "reset"})
        says(problems_of(with_when("{event: a, " + name + ": 1}")), "t:3:18: not built yet: " + name);
    for (const std::string name :
         {"debounce", "throttle", "rate_limit", "batch", "concurrency", "priority", "dedupe", "reset"}) {
        says(problems_of(with_when("{event: a}") + name + ": 1\n"), "t:4:1: not built yet: " + name);
        says(problems_of("trigger: t\nwhen: {event: a}\nlaunch: {flow: f, " + name + ": 1}\n"),
             "t:3:19: not built yet: " + name);
    }
    says(problems_of(with_when("{all: {a: {event: e}}, consume: each}")),
         "not built yet: when.consume: each");
    says(problems_of(with_when("{all: {a: {event: e}}, consume: all}")), "not built yet: when.consume: all");
    says(problems_of(with_when("{all: {a: {event: e}}, clock: event}")), "not built yet: when.clock: event");
    says(problems_of(with_when("{all: {a: {any: []}}}")), "not built yet: any");
    says(problems_of(with_when("{all: {a: {all: {}}}}")), "not built yet: all");
    says(problems_of(with_when("{event: a}") + "start: earliest\n"), "not built yet: start: earliest");
    says(problems_of(with_when("{event: a}") + "start: '2026-01-01T00:00:00Z'\n"),
         "not built yet: start: 2026-01-01");
}

TEST_CASE("a wrong trigger is refused with place and reason, all of them at once") {
    const auto several = problems_of("trigger: a b\nteem: x\nwhen: {evnt: a}\nlaunch: {flow: 5}\n");
    says(several, "t:1:10: trigger: \"a b\" is not a name");
    says(several, "t:2:1: unknown key \"teem\"; did you mean \"team\"?");
    says(several, "t:3:8: unknown key \"evnt\" in when; did you mean \"event\"?");
    says(several, "t:4:16: launch.flow: expected a name as text, found the number 5");

    says(problems_of("when: {event: a}\nlaunch: {flow: f}\n"), "missing trigger");
    says(problems_of("trigger: t\nlaunch: {flow: f}\n"), "missing when");
    says(problems_of("trigger: t\nwhen: {event: a}\n"), "missing launch");
    says(problems_of("- 1\n"), "the trigger: expected a map of fields, found a list");
    says(problems_of(with_when("{}")), "t:3:7: when: expected one of event, finish, schedule or all");
    says(problems_of(with_when("{event: a, finish: b}")),
         "t:3:18: when: event and finish cannot stand together");
    says(problems_of(with_when("{event: a, all: {x: {event: b}}}")), "t:3:8: when.event: not beside all");
    says(problems_of(with_when("{event: a, within: 5m}")), "t:3:18: when.within: only together with all");
    says(problems_of(with_when("{event: a, key: 'x'}")), "when.key: only together with all");
    says(problems_of(with_when("{event: a, outcome: failed}")), "when.outcome: only together with finish");
    says(problems_of(with_when("{finish: a, source: b}")), "when.source: only together with event");
    says(problems_of(with_when("{event: a, timezone: UTC}")), "when.timezone: only together with schedule");
    says(problems_of(with_when("{finish: a, outcome: done}")), "when.outcome: expected cancelled, failed");
    says(problems_of(with_when("{finish: 'a b'}")), "when.finish: expected a flow's name");
    says(problems_of(with_when("{finish: a/b, team: c}")), "finish names a team already");
    says(problems_of(with_when("{event: ''}")), "when.event: expected 1 to 1024 bytes");
    says(problems_of(with_when("{event: a, where: ''}")), "when.where: the expression is empty");
    says(problems_of(with_when("{event: a, where: true}")), "best in single quotes");
    says(problems_of(with_when("{event: a, where: !has(event.data.x)}")),
         "single quotes: '!has(event.data.x)'");
    says(problems_of(with_when("{schedule: '61 * * * *'}")),
         "t:3:18: when.schedule: cron: minute \"61\": expected 0 to 59");
    says(problems_of(with_when("{schedule: '0 0 * * *', timezone: Europe/Berln}")),
         "time zone \"Europe/Berln\" is not known; did you mean \"Europe/Berlin\"?");
    says(problems_of(with_when("{all: {}}")), "when.all: at least one leaf is needed");
    says(problems_of(with_when("{all: {event: {event: a}}}")), "\"event\" cannot name a leaf");
    says(problems_of(with_when("{all: {a-b: {event: a}}}")), "\"a-b\" cannot name a leaf");
    says(problems_of(with_when("{all: [{event: a}]}")),
         "when.all: expected a map of named entries, found a list");
    says(problems_of(with_when("{all: {a: {event: e}}, within: 0s}")),
         "when.within: must be longer than zero");
    says(problems_of(with_when("{all: {a: {event: e}}, within: 5 minutes}")),
         "when.within: not a duration: \"5 minutes\"");
    says(problems_of(with_when("{all: {a: {event: e}, b: {event: f}}, key: {a: 'x'}}")),
         "the leaf \"b\" has no key, so all keys share it; then it must be keep: true");
    says(problems_of(with_when("{all: {a: {event: e}}, key: {aa: 'x'}}")),
         "there is no leaf \"aa\"; did you mean \"a\"?");
    says(problems_of("trigger: t\nwhen: {event: a}\nlaunch: {flow: f, queue: {limit: 5}}\n"),
         "only together with overlap: queue");
    says(problems_of("trigger: t\nwhen: {event: a}\nlaunch: {flow: f, overlap: queue, queue: {limit: 0}}\n"),
         "0 is out of range");
    says(problems_of("trigger: t\nwhen: {event: a}\nlaunch: {flow: f, overlap: often}\n"),
         "expected allow, skip, queue, latest or cancel_running");
    says(problems_of("trigger: t\nwhen: {event: a}\nlaunch: {flow: f, parameters: {a: ''}}\n"),
         "for empty text write {value: ''}");
    says(problems_of(with_when("{event: a}") + "---\n" + with_when("{event: b}")),
         "t:5:1: the trigger home/t stands here a second time; the first is at t:1:1");
    std::string many;
    for (int i = 0; i < 33; ++i)
        many += (i > 0 ? ", l" : "l") + std::to_string(i) + ": {event: e}";
    says(problems_of(with_when("{all: {" + many + "}}")), "more than 32 leaves");
}

TEST_CASE("an update carries over the leaves whose meaning is the same") {
    const auto before = read(retrain).when;
    auto text = retrain;
    CHECK(carried_leaves(before, read(text).when) == std::vector<std::optional<int>>{0, 1, 2});
    text.replace(text.find("6h"), 2, "9h");
    CHECK(carried_leaves(before, read(text).when) == std::vector<std::optional<int>>{0, 1, 2});
    text.replace(text.find("\"users\""), 7, "\"peers\"");
    CHECK(carried_leaves(before, read(text).when) == std::vector<std::optional<int>>{0, std::nullopt, 2});
    text.replace(text.find("event.data.date"), 15, "event.data.week");
    CHECK(carried_leaves(before, read(text).when) ==
          std::vector<std::optional<int>>{std::nullopt, std::nullopt, 2});
    CHECK(carried_leaves(before, read(with_when("{event: a}")).when) == std::vector<std::optional<int>>(3));
}

TEST_CASE("the trigger table gives a schema and a reference") {
    CHECK(validate_json(json_schema(trigger_table())).ok());
    const auto reference = reference_text(trigger_table());
    INFO(reference);
    CHECK(reference.find("| `outcome` | `cancelled` \\| `failed`") != std::string::npos);
    CHECK(reference.find("not built yet: ") != std::string::npos);
}
