"""What the decorators write beside a compiled pipeline, and what they refuse."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import weir_kfp as weir
import yaml
from kfp import compiler, dsl
from rig import compiled, echo, fit
from weir_kfp.cron import cron_problem
from weir_kfp.documents import unbalanced

HERE = os.path.abspath(__file__)


def pipeline_with(*decorators):
    """A pipeline with these above @dsl.pipeline, the first at the top."""

    @dsl.pipeline(name="train")
    def made(table: str, rounds: int = 3, rate: float = 0.5, deep: bool = False, tags: list = ["a"], more: dict = {"b": 1}):
        echo(text=table)

    for each in reversed(decorators):
        made = each(made)
    return made


def trigger_of(*decorators):
    return compiled(pipeline_with(*decorators))[1][1]


TABLE = {"table": "event.data.table"}


class Written(unittest.TestCase):
    maxDiff = None

    def test_flow_and_triggers_beside_the_ir(self):
        ir, documents = compiled(
            pipeline_with(
                weir.flow(team="ads", experiment="nightly", version="v3", display_name="{flow}", labels={"a": "08"}),
                weir.trigger("table.ready", where="event.data.rows > 0", parameters=TABLE),
                weir.schedule("0 7 * * *", timezone="Europe/Zurich", parameters={"table": weir.value("all"), "rounds": 7}),
            )
        )
        self.assertEqual(ir["pipelineInfo"]["name"], "train")
        self.assertEqual(
            documents[0],
            {
                "flow": "train", "team": "ads", "backend": "kubeflow", "pipeline": "train", "version": "v3",
                "experiment": "nightly", "display_name": "{flow}", "labels": {"a": "08"},
                "parameters": {
                    "deep": {"type": "boolean", "default": False}, "more": {"type": "struct", "default": {"b": 1}},
                    "rate": {"type": "double", "default": 0.5}, "rounds": {"type": "integer", "default": 3},
                    "table": {"type": "string"}, "tags": {"type": "list", "default": ["a"]},
                },
            },
        )  # fmt: skip
        self.assertEqual(
            documents[1:],
            [
                {
                    "trigger": "train-on-table.ready", "team": "ads",
                    "when": {"event": "table.ready", "where": "event.data.rows > 0"},
                    "launch": {"flow": "train", "parameters": {"table": "event.data.table"}},
                },
                {
                    "trigger": "train-on-schedule", "team": "ads",
                    "when": {"schedule": "0 7 * * *", "timezone": "Europe/Zurich"},
                    "launch": {"flow": "train", "parameters": {"table": {"value": "all"}, "rounds": 7}},
                },
            ],
        )  # fmt: skip

    def test_every_field_of_a_trigger(self):
        document = trigger_of(
            weir.trigger(
                all={
                    "orders": weir.event("data.ready", source="/a/*", subject="orders", where="event.data.n > 0"),
                    "model": weir.finish("ads/fit-*", outcome=["failed", "succeeded"], keep=True),
                    "morning": weir.slot("0 7 * * *", timezone="UTC"),
                },
                key={"orders": "event.data.date", "morning": "string(morning.slot)"},
                within="6h", consume="latest", clock="arrival",
                parameters={**TABLE, "more": {"value": 1}, "tags": ["x"], "rate": 1, "deep": True},
                overlap="queue", queue_limit=5, queue_max_age="2h", firings_per_minute=10, depth=4,
                name="joined", description="A join.", labels={"on": "yes"},
            )
        )  # fmt: skip
        self.assertEqual(
            document,
            {
                "trigger": "joined", "description": "A join.", "labels": {"on": "yes"},
                "when": {
                    "all": {
                        "orders": {"event": "data.ready", "source": "/a/*", "subject": "orders", "where": "event.data.n > 0"},
                        "model": {"finish": "ads/fit-*", "outcome": ["failed", "succeeded"], "keep": True},
                        "morning": {"schedule": "0 7 * * *", "timezone": "UTC"},
                    },
                    "key": {"orders": "event.data.date", "morning": "string(morning.slot)"},
                    "within": "6h", "consume": "latest", "clock": "arrival",
                },
                "launch": {
                    "flow": "train", "overlap": "queue", "queue": {"limit": 5, "max_age": "2h"},
                    "parameters": {
                        "table": "event.data.table", "more": {"value": {"value": 1}}, "tags": ["x"], "rate": 1, "deep": True,
                    },
                },
                "limits": {"firings_per_minute": 10, "depth": 4},
            },
        )  # fmt: skip

    def test_a_pipeline_stands_for_its_flow(self):
        @weir.flow("fit-models", team="ml")
        @dsl.pipeline
        def upstream(table: str):
            echo(text=table)

        same = trigger_of(weir.flow(team="ml"), weir.on_finish(upstream, parameters={"table": "run.outputs.t"}))
        self.assertEqual(same["when"], {"finish": "fit-models"})
        self.assertEqual(same["trigger"], "train-after-fit-models")
        other = trigger_of(weir.flow(team="ads"), weir.on_finish(upstream, parameters={"table": "run.outputs.t"}))
        self.assertEqual(other["when"], {"finish": "ml/fit-models"})

    def test_below_the_pipeline_too(self):
        @weir.schedule("0 1 * * *", parameters={"table": weir.value("x")})
        @dsl.pipeline
        @weir.flow(team="ads")
        @weir.trigger("table.ready", parameters={"table": "event.data.table"})
        def below(table: str):
            "Says something."
            echo(text=table)

        ir, documents = compiled(below)
        self.assertEqual(ir["root"]["inputDefinitions"]["parameters"], {"table": {"parameterType": "STRING"}})
        self.assertEqual([each.get("team") for each in documents], ["ads"] * 3)
        self.assertEqual([list(each["when"]) for each in documents[1:]], [["schedule"], ["event"]])

    def test_local_runs_the_file_beside(self):
        _, documents = compiled(
            pipeline_with(weir.flow(backend="local", timeout="1h", env={"A": "b"}, parallel=2, on_restart="fail"))
        )
        wanted = {"backend": "local", "pipeline": "made.yaml", "timeout": "1h", "env": {"A": "b"}, "parallel": 2}
        self.assertEqual(documents, [{"flow": "train", **wanted, "on_restart": "fail"}])

    def test_what_the_compilation_overrides(self):
        _, documents = compiled(
            pipeline_with(weir.trigger("x", parameters={})), pipeline_name="other", pipeline_parameters={"table": "t"}
        )
        self.assertEqual((documents[0]["flow"], documents[0]["pipeline"]), ("other", "other"))
        self.assertEqual(documents[0]["parameters"]["table"], {"type": "string", "default": "t"})

    def test_texts_that_look_like_something_else_stay_texts(self):
        names = ["1e3", "08", "yes", "null", "~", "0x1F", "a: b", "# c", "'", "\u00e9\u2028", "a\nb", ""]
        document = trigger_of(weir.trigger("x", parameters={**TABLE, "tags": names}))
        self.assertEqual(document["launch"]["parameters"]["tags"], names)

    def test_a_pipeline_without_decorators(self):
        self.assertIsNone(compiled(pipeline_with())[1])
        with tempfile.TemporaryDirectory() as folder:
            path = weir.compile(pipeline_with(), pathlib.Path(folder) / "train.yaml")
            self.assertEqual(sorted(os.listdir(folder)), ["train.weir.yaml", "train.yaml"])
            self.assertIn("flow: 'train'", pathlib.Path(path).read_text())

    def test_inside_another_pipeline_it_is_a_component_as_any(self):
        inner = pipeline_with(weir.trigger("x", parameters=TABLE))

        @dsl.pipeline
        def outer(table: str):
            inner(table=table)

        ir, documents = compiled(outer)
        self.assertIsNone(documents)
        self.assertIn("comp-train", ir["components"])

    def test_reports_are_found_out(self):
        @weir.flow()
        @dsl.pipeline
        def telling(table: str):
            with dsl.ExitHandler(exit_task=weir.report(server="http://weir:9347")):
                fit(table=table)

        self.assertTrue(weir.reports(telling))
        self.assertFalse(weir.reports(pipeline_with()))
        self.assertIs(compiled(telling)[1][0]["reports"], True)


class Refused(unittest.TestCase):
    def refused(self, words, *decorators):
        """Compiling says all of these words, each line with this file; nothing is written."""
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(weir.DefinitionError) as caught:
                made = pipeline_with(*(each() for each in decorators))
                compiler.Compiler().compile(made, os.path.join(folder, "train.yaml"))
            self.assertEqual(os.listdir(folder), [])
        text = str(caught.exception)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, text)
        for line in text.splitlines():
            self.assertTrue(line.startswith(HERE + ":"), line)
        return text

    def test_the_line_is_that_of_the_decorator(self):
        line = sys._getframe().f_lineno + 1
        text = self.refused("no input", lambda: weir.trigger("x", parameters={**TABLE, "tabel": "1"}))
        self.assertEqual(
            text, f'{HERE}:{line}: @weir.trigger: parameters: the pipeline train has no input "tabel"; did you mean "table"?'
        )

    def test_all_problems_at_once(self):
        text = self.refused(
            ["hour", "needs the input", "overlap"],
            lambda: weir.schedule("0 25 * * *", parameters={"table": weir.value("a")}),
            lambda: weir.trigger("x", overlap="skipp"),
        )
        self.assertEqual(len(text.splitlines()), 3)

    def test_each(self):
        def on(**options):
            return lambda: weir.trigger("x", **{"parameters": TABLE, **options})

        def given(**parameters):
            return on(parameters={**TABLE, **parameters})

        def joined(**options):
            leaves = {"a": weir.event("a"), "b": weir.event("b")}
            return lambda: weir.trigger(**{"all": leaves, "parameters": TABLE, **options})

        def scheduled(cron, **options):
            return lambda: weir.schedule(cron, parameters=TABLE, **options)

        cases = [
            (given(rounds=1.5), 'the input "rounds" must be a whole number, not the number 1.5'),
            (given(rounds=True), "must be a whole number, not true"),
            (given(rounds=2**53), "between -(2^53 - 1)"),
            (given(rounds=weir.value("3")), 'must be a whole number, not the string "3"'),
            (given(rounds=None), "not null"),
            (given(table=3), "constant text is weir.value(...)"),
            (given(rate=float("nan")), "no JSON number"),
            (given(deep=1), "must be true or false, not the number 1"),
            (given(tags={"a": 1}), "must be a list, not an object"),
            (given(more={1: 2}), "names that are not text"),
            (given(tags=[2**63]), "parameters.tags: holds 9223372036854775808, a whole number outside of 64 bits; write it as text"),
            (given(more={"a": -(2**63) - 1}), "outside of 64 bits"),
            (given(tags=["\ud800"]), "parameters.tags: holds half a surrogate pair"),
            (given(more={"\ud800": 1}), "parameters.more: holds half a surrogate pair"),
            (given(table="'\ud800'"), "parameters.table: holds half a surrogate pair"),
            (on(where="event.id == '\ud800'"), "where: holds half a surrogate pair"),
            (given(tags=[object()]), "which JSON does not know"),
            (given(table=" "), "the expression is empty"),
            (given(table='event.data["a'), 'a quote " is never closed'),
            (given(table="size(event.data.a"), "a ( is never closed"),
            (given(table="event.data.a)"), "a ) closes nothing"),
            (on(parameters={}), 'needs the input "table" (string), which is not given'),
            (on(where=3), "where: expected an expression as text"),
            (on(name="a b"), "'a b' is not a name"),
            (on(labels={"a": 1}), "labels: expected a map of texts"),
            (on(overlap="latest"), "not built yet in weir: overlap: latest"),
            (on(overlap="que"), 'found \'que\'; did you mean "queue"?'),
            (on(queue_limit=3), 'only together with overlap="queue"'),
            (on(overlap="queue", queue_limit=0), "0 is out of range; allowed: 1 to 10000"),
            (on(overlap="queue", queue_max_age="2 h"), "not a duration"),
            (on(firings_per_minute="9"), "expected a whole number"),
            (on(depth=1001), "1001 is out of range"),
            (on(key="event.id"), "key: only together with all"),
            (on(within="1h"), "within: only together with all"),
            (on(subject=""), "subject: expected 1 to 1024 bytes"),
            (on(al={}), '@weir.trigger has no option "al"; did you mean "all"?'),
            (on(debounce="3s"), "not built yet in weir: debounce"),
            (on(all={"a": weir.event("a")}), "an event stands beside all"),
            (lambda: weir.trigger(parameters=TABLE), "it waits for nothing"),
            (joined(all={}), "at least one leaf"),
            (joined(all={"run": weir.event("a")}), "'run' cannot name a leaf"),
            (joined(all={"a": "data.ready"}), "expected weir.event"),
            (joined(key={"a": "1"}), 'the leaf "b" has no key'),
            (joined(key={"a": "1", "b": "2", "aa": "3"}), 'there is no leaf "aa"; did you mean "a"?'),
            (joined(within="0s"), "within: must be longer than zero"),
            (joined(consume="each"), "not built yet in weir: consume: each"),
            (joined(clock="event"), "not built yet in weir: clock: event"),
            (lambda: weir.on_finish("a/b/c", parameters=TABLE), "the team's name is not valid"),
            (lambda: weir.on_finish("a/b", team="c", parameters=TABLE), "finish names a team already"),
            (lambda: weir.on_finish("b", outcome="done", parameters=TABLE), "outcome: expected cancelled or failed"),
            (lambda: weir.on_finish(pipeline_with(), parameters=TABLE), 'put @weir.flow() on it, or name its flow as text, "train"'),
            (joined(all={"a": weir.finish(pipeline_with())}), "all.a.finish: the pipeline train has no decorator of weir"),
            (lambda: weir.on_finish(3, parameters=TABLE), "expected a flow's name or a pipeline"),
            (lambda: weir.on_finish("b", branch="main", parameters=TABLE), "not built yet in weir: branch"),
            (scheduled("* * * *"), "has 4 fields"),
            (scheduled("@daily"), "nicknames are not taken"),
            (scheduled("0 0 30 2 *"), "never comes"),
            (scheduled("0 7 * * *", timezone="Europe/Zurick"), 'did you mean "Europe/Zurich"?'),
            (lambda: weir.flow(backend="null"), "runs no pipelines"),
            (lambda: weir.flow(timeout="1h"), 'timeout: only together with backend="local"'),
            (lambda: weir.flow(backend="local", experiment="e"), 'experiment: not together with backend="local"'),
            (lambda: weir.flow("a/b"), "is not a name"),
            (lambda: weir.flow(pipeline=3), "pipeline: expected text, found the number 3"),
            (lambda: weir.flow(experiment=""), "experiment: it is empty"),
            (lambda: weir.flow(version=" "), "version: it is empty"),
            (lambda: weir.flow(version="a\nb"), "version: it holds a control character"),
            (lambda: weir.flow(experiment="\U0001f600"), "a character above U+FFFF"),
            (lambda: weir.flow(pipeline="p" * 129), "pipeline: it has more than 128 characters"),
            (lambda: weir.flow(display_name="{flwo} {x Y} {date}"), 'there is no {flwo}; did you mean "flow"?; replaced are {team}, {flow}'),
            (lambda: weir.flow(backend="local", env_pass=3), "env_pass: expected a list of names of variables, found the number 3"),
            (lambda: weir.flow(backend="local", env_pass=["*"]), "env_pass: '*' is no name of a variable"),
            (lambda: weir.flow(backend="local", env={"A=B": "x", "WEIR_TOKEN": "x"}), "env: 'WEIR_TOKEN' is no name for a variable"),
            (lambda: weir.flow(labels={"a": "\ud800"}), "labels: holds half a surrogate pair"),
            (lambda: weir.flow(description="\ud800"), "description: holds half a surrogate pair"),
            (lambda: weir.flow(reports="no"), "reports: expected True or False"),
            (lambda: weir.flow(experimnt="e"), 'did you mean "experiment"?'),
        ]
        for decorator, words in cases:
            with self.subTest(words):
                self.refused(words, decorator)

    def test_what_kfp_refuses_has_no_documents(self):
        made = pipeline_with(weir.trigger("x", parameters=TABLE))
        for options in ({"pipeline_parameters": {"nope": 1}}, {"pipeline_parameters": {"rounds": "abc"}}):
            for compile_it in (compiler.Compiler().compile, weir.compile):
                with self.subTest(options), tempfile.TemporaryDirectory() as folder:
                    with self.assertRaises((ValueError, TypeError)):
                        compile_it(made, os.path.join(folder, "train.yaml"), **options)
                    self.assertEqual(os.listdir(folder), [])

    def test_two_of_a_kind(self):
        on = lambda: weir.trigger("x", parameters=TABLE)  # noqa: E731
        self.refused('the trigger "train-on-x" stands here a second time', on, on)
        self.refused("@weir.flow stands here a second time", weir.flow, weir.flow)

    def test_what_is_no_pipeline(self):
        with self.assertRaisesRegex(weir.DefinitionError, "stands on a @dsl.pipeline, not on"):
            weir.trigger("x")(echo)
        with self.assertRaisesRegex(weir.DefinitionError, "wants a @dsl.pipeline"):
            weir.compile(echo, "x.yaml")
        with self.assertRaisesRegex(weir.DefinitionError, "ends in .yaml"):
            weir.compile(pipeline_with(), "x.txt")
        lone = weir.trigger("x")(lambda: None)
        with self.assertRaisesRegex(weir.DefinitionError, "put the decorators of weir above it"):
            lone()

    def test_an_artifact_cannot_be_launched_with(self):
        @weir.flow()
        @dsl.pipeline
        def wants(model: dsl.Input[dsl.Model]):
            echo(text="x")

        with self.assertRaisesRegex(weir.DefinitionError, "takes artifacts as inputs \\(model\\)"):
            compiled(wants)


class Command(unittest.TestCase):
    def run_command(self, text, *arguments):
        with tempfile.TemporaryDirectory(prefix="weir-kfp-") as folder:
            source = pathlib.Path(folder) / "flows_of_mine.py"
            source.write_text("import weir_kfp as weir\nfrom kfp import dsl\n" + text)
            done = subprocess.run(
                [sys.executable, "-m", "weir_kfp", "compile", str(source), *arguments],
                capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            return done.returncode, done.stdout + done.stderr, sorted(each.name for each in source.parent.glob("*.yaml"))

    TWO = (
        "@dsl.component(base_image='python:3.11')\ndef say(t: str):\n    print(t)\n"
        "@weir.trigger('x', parameters={'t': 'event.id'})\n@dsl.pipeline\ndef first(t: str):\n    say(t=t)\n"
        "@weir.flow()\n@dsl.pipeline\ndef second(t: str):\n    say(t=t)\n"
    )

    def test_all_pipelines_of_a_file(self):
        status, text, files = self.run_command(self.TWO)
        self.assertEqual((status, files), (0, ["first.weir.yaml", "first.yaml", "second.weir.yaml", "second.yaml"]), text)

    def test_one_of_them(self):
        self.assertEqual(self.run_command(self.TWO, "--function", "second")[2], ["second.weir.yaml", "second.yaml"])
        status, text, files = self.run_command(self.TWO, "--function", "third")
        self.assertEqual((status, files), (1, []))
        self.assertIn("no @dsl.pipeline third; it has first, second", text)

    def test_a_wrong_decorator(self):
        status, text, files = self.run_command(self.TWO.replace("'t': 'event", "'u': 'event"))
        self.assertEqual((status, files), (1, []))
        self.assertIn('flows_of_mine.py:6: @weir.trigger: parameters: the pipeline first has no input "u"', text)

    def test_a_file_that_fails(self):
        status, text, _ = self.run_command("raise KeyError('broken')\n")
        self.assertEqual(status, 1)
        self.assertIn("flows_of_mine.py", text)
        self.assertIn("broken", text)

    def test_the_command_of_kfp_itself(self):
        with tempfile.TemporaryDirectory(prefix="weir-kfp-") as folder:
            source = pathlib.Path(folder) / "mine.py"
            source.write_text("import weir_kfp as weir\nfrom kfp import dsl\n" + self.TWO)
            done = subprocess.run(
                [os.path.join(os.path.dirname(sys.executable), "kfp"), "dsl", "compile", "--py", str(source),
                 "--output", str(source.with_name("out.yaml")), "--function", "first"],
                capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("trigger: 'first-on-x'", source.with_name("out.weir.yaml").read_text())


class Example(unittest.TestCase):
    def test_it_compiles(self):
        source = pathlib.Path(weir.__file__).parents[1] / "examples" / "chain.py"
        with tempfile.TemporaryDirectory(prefix="weir-kfp-") as folder:
            copy = pathlib.Path(folder) / source.name
            copy.write_text(source.read_text())
            done = subprocess.run([sys.executable, copy], capture_output=True, text=True, check=False, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            made = sorted(each.name for each in copy.parent.glob("*.yaml"))
            self.assertEqual(made, [name + end for name in ("alert", "deploy", "train") for end in (".weir.yaml", ".yaml")])
            flow, on_event, on_schedule = yaml.safe_load_all((copy.parent / "train.weir.yaml").read_text())
        self.assertEqual((flow["backend"], flow["reports"]), ("kubeflow", True))
        self.assertEqual([list(each["when"])[0] for each in (on_event, on_schedule)], ["event", "schedule"])


class Small(unittest.TestCase):
    def test_cron(self):
        good = ["* * * * *", "*/5 0-6,22 1 JAN-MAR mon", "0 0 29 2 *", "0 0 * * 7", "5/10 * * * *", "0 0 31 * MON"]
        bad = ["", "0 0 31 4 *", "60 * * * *", "*/0 * * * *", "1,,2 * * * *", "5-1 * * * *", "L * * * *", "* * * * FOO", "a"]
        self.assertEqual([each for each in good if cron_problem(each)], [])
        self.assertEqual([each for each in bad if not cron_problem(each)], [])

    def test_brackets_and_quotes(self):
        good = ["a[\"(\"] + '\\'' + r'\\'", '"""a " b"""', "{'a': [1, (2)]}", "a // it's (", "'\u00e9'"]
        bad = ["(", ")", "[)", "'a", '"a\'', "a]"]
        self.assertEqual([each for each in good if unbalanced(each)], [])
        self.assertEqual([each for each in bad if not unbalanced(each)], [])


if __name__ == "__main__":
    unittest.main()
