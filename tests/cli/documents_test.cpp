#include <support/catch.hpp>

#include "rig.hpp"

using namespace weir::cli;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;
using weir::cli::test::Served;
namespace engine = weir::engine;

namespace {

const std::string trigger_text =
    "trigger: retrain\nteam: ads\nwhen:\n  event: data.ready\nlaunch:\n  flow: train\n  parameters:\n    n: "
    "'event.id'\n";
const std::string flow_text = "flow: train\nteam: ads\nbackend: 'null'\nparameters:\n  n: {type: string}\n";

} // namespace

TEST_CASE("apply sends documents, flows first, with the pipelines they name") {
    Served served;
    const Folder folder;
    folder.write("a/trigger.yaml", trigger_text);
    folder.write("a/b/flow.yml", "flow: train\nteam: ads\nbackend: local\npipeline: ir/train.yaml\n");
    folder.write("a/b/ir/train.yaml", "components: {}\n");
    folder.write("a/b/other.yaml", "just: data\n");
    folder.write("a/.hidden/x.yaml", trigger_text);
    folder.write("a/readme.txt", "no document");
    served.rig.engine.report.changes = {
        {engine::ApplyChange::Action::Created, "flow", "ads", "train", "0123456789ab", {}},
        {engine::ApplyChange::Action::Updated, "trigger", "ads", "retrain", "2", {"where differs"}}};
    const auto outcome = invoke({"apply", folder.path() + "/a", "--reason", "release", "--owner", "me"});
    INFO(outcome.out + outcome.err);
    CHECK(outcome.code == 0);
    CHECK(outcome.out ==
          "+ created   flow ads/train (version 0123456789ab)\n"
          "~ updated   trigger ads/retrain (version 2)\n"
          "    where differs\n"
          "1 created, 1 updated\n");
    CHECK(holds(outcome.err, "other.yaml: neither a trigger nor a flow"));
    CHECK(!holds(outcome.err, "train.yaml"));
    REQUIRE(served.rig.engine.applied.size() == 1);
    const auto& request = served.rig.engine.applied[0];
    REQUIRE(request.files.size() == 2);
    CHECK(request.files[0].name.ends_with("/a/b/flow.yml"));
    CHECK(request.files[1].text == trigger_text);
    CHECK(request.extra.at(folder.path() + "/a/b/ir/train.yaml") == "components: {}\n");
    CHECK(request.actor.principal == "local:alice");
    CHECK(request.actor.reason == "release");
    CHECK(request.owner == "me");
    CHECK(!request.dry_run);
    CHECK(invoke({"apply", folder.path() + "/a", "--dry-run"})
              .out.ends_with("would be: 1 created, 1 updated\n"));
    CHECK(served.rig.engine.applied[1].dry_run);
}

TEST_CASE("apply shows problems as lines and changes nothing") {
    Served served;
    const Folder folder;
    const auto file = folder.write("t.yaml", trigger_text);
    served.rig.engine.report.problems = {"t.yaml:1:1: one", "t.yaml:2:3: two"};
    const auto outcome = invoke({"apply", file});
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.err == "t.yaml:1:1: one\nt.yaml:2:3: two\nweir: 2 problems; nothing was changed\n");
}

TEST_CASE("apply finds out about missing files before it asks the server") {
    const Folder folder;
    CHECK(holds(invoke({"apply", folder.path() + "/none.yaml"}).err, "there is no file or folder"));
    CHECK(holds(invoke({"apply", folder.path()}).err, "no documents found"));
    const auto flow =
        folder.write("flow.yaml", "flow: train\nteam: ads\nbackend: local\npipeline: none.yaml\n");
    const auto outcome = invoke({"apply", flow});
    CHECK(outcome.code == 1);
    CHECK(holds(outcome.err, "flow.yaml:4:11: the pipeline: cannot read"));
    const auto latin = folder.write("latin.yaml", "trigger: caf\xe9\n");
    CHECK(holds(invoke({"apply", latin}).err, "UTF-8"));
}

TEST_CASE("check finds what apply would refuse, without a server") {
    const Folder folder;
    const auto trigger = folder.write("trigger.yaml", trigger_text);
    const auto flow = folder.write("flow.yaml", flow_text);
    const auto fine = invoke({"check", folder.path()});
    INFO(fine.err);
    CHECK(fine.code == 0);
    CHECK(fine.out == "1 trigger and 1 flow are fine\n");
    CHECK(invoke({"check", trigger, "--flows", flow}).code == 0);

    const auto alone = invoke({"check", trigger});
    CHECK(alone.code == 0);
    CHECK(holds(alone.err, "the flow ads/train is not among these files"));

    const Folder wrong;
    const auto problems = [&](const std::string& text) {
        const auto outcome = invoke({"check", wrong.write("t.yaml", text), "--flows", flow});
        CHECK(outcome.code == 1);
        CHECK(outcome.out.empty());
        return outcome.err;
    };
    CHECK(holds(problems("trigger: t\nteam: ads\nwhen:\n  evnt: x\nlaunch:\n  flow: train\n"), "t.yaml:4:3"));
    CHECK(
        holds(problems("trigger: t\nteam: ads\nwhen:\n  event: x\n  where: '1 +'\nlaunch:\n  flow: train\n"),
              "t.yaml:5:"));
    CHECK(holds(problems("trigger: t\nteam: ads\nwhen:\n  event: x\nlaunch:\n  flow: trian\n"), "train"));
    CHECK(holds(
        problems("trigger: t\nteam: ads\nwhen:\n  event: x\nlaunch:\n  flow: train\n  parameters: {m: 1}\n"),
        "m"));
    CHECK(holds(
        problems(
            "trigger: t\nteam: ads\nwhen:\n  event: x\n  where: !has(event.x)\nlaunch:\n  flow: train\n"),
        "single quotes"));
    CHECK(holds(problems(trigger_text + "---\n" + trigger_text), "a second time"));

    // A flow and its triggers may stand in one file; each fault is told once.
    const auto together = invoke({"check", wrong.write("f.yaml", flow_text + "---\n" + trigger_text)});
    CHECK(together.out == "1 trigger and 1 flow are fine\n");
    const auto mixed =
        invoke({"check", wrong.write("f.yaml", flow_text + "---\nflow: x\n---\ntrigger: y\n")});
    CHECK(mixed.code == 1);
    CHECK(holds(mixed.err, "missing backend"));
    CHECK(holds(mixed.err, "missing when"));
    // --team is also the team of flows that name none.
    CHECK(invoke({"check", "--team", "ads",
                  wrong.write("f.yaml",
                              "flow: train\nbackend: 'null'\n---\ntrigger: t\n"
                              "when: {event: x}\nlaunch: {flow: ads/train}\n")})
              .code == 0);
}
