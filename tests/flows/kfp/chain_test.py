"""A chain written in Python alone, on a real weir: compiled, checked, applied, started by publish(). `chain_test.py WEIR`.

The pipelines run on weir's local backend; their reports go to a stub, which sees what a run reports, and as whom.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import weir_kfp as weir
from rig import environment, stub

WEIR = pathlib.Path(sys.argv[1]).resolve()

PIPELINES = '''
import weir_kfp as weir
from kfp import dsl

STUB = "{stub}"


@dsl.component(base_image="python:3.11")
def fit(table: str, rounds: int, model: dsl.Output[dsl.Model]) -> float:
    with open(model.path, "w") as file:
        file.write(table)
    return 0.9 if table == "orders" else 0.1


@dsl.component(base_image="python:3.11")
def serve(table: str, auc: float):
    if auc < 0.5:
        raise ValueError("no good model")


@weir.flow(backend="local")
@weir.trigger("table.ready", parameters={{"table": "event.data.table", "rounds": 10}})
@dsl.pipeline
def train(table: str, rounds: int = 100) -> float:
    fitted = fit(table=table, rounds=rounds)
    weir.report(
        outputs={{"model_uri": fitted.outputs["model"], "auc": fitted.outputs["Output"], "rounds": rounds}},
        artifacts={{"model": fitted.outputs["model"]}},
        server=STUB,
    )
    return fitted.outputs["Output"]


@weir.flow(backend="local")
@weir.on_finish(train, parameters={{"table": "run.parameters.table", "auc": "run.outputs.Output"}})
@dsl.pipeline
def deploy(table: str, auc: float):
    with dsl.ExitHandler(exit_task=weir.report(server=STUB, flow="ads/deploy")):
        serve(table=table, auc=auc)
'''

# Of each kind of trigger and option one that the real checker reads, with a parameter of each type.
EVERYTHING = '''
import weir_kfp as weir
from kfp import dsl


@dsl.component(base_image="python:3.11")
def say(text: str):
    print(text)


TABLE = {"table": "event.data.table"}


@weir.flow("every-thing", team="ads", backend="local", timeout="1h", env={"A": "1e3"}, labels={"n": "08"}, parallel=2)
@weir.trigger("a.*", source="/x", subject="*.csv", where="event.data.n > 0 && event.data.s != ')'", name="first",
              parameters={**TABLE, "i": 3, "d": 1, "b": True, "l": [1, "a", None], "m": {"value": {"x": 1.5}}},
              overlap="queue", queue_limit=5, queue_max_age="2h", firings_per_minute=3, depth=3, labels={"on": "no"})
@weir.on_finish("fit-*", outcome=["failed", "lost"], team="ml", parameters={"table": weir.value("it's: # 1e3\\n\\u00e9")})
@weir.on_finish("ml/score", where="run.outcome == 'succeeded'", parameters={"table": "run.id", "i": "int(run.outputs.n)"})
@weir.schedule("*/5 0-6 1,15 JAN-MAR mon", timezone="Europe/Zurich", parameters={"table": "string(schedule.slot)"})
@weir.trigger(all={"orders": weir.event("data.ready", where="event.data.t == 'orders'"),
                   "model": weir.finish("fit", keep=True), "morning": weir.slot("0 7 * * *", timezone="UTC")},
              key={"orders": "timestamp(event.data.due)", "morning": "morning.slot"}, within="36h", consume="latest",
              clock="arrival", parameters={"table": "orders.data.date"})
@dsl.pipeline(name="everything")
def everything(table: str, i: int = 1, d: float = 0.5, b: bool = False, l: list = [], m: dict = {}):
    say(text=table)
'''


def until(condition, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come to pass")


class OnWeir(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="weir-chain-")))

    def run_in(self, *words):
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, check=False, timeout=120, cwd=self.folder
        )
        return done.returncode, done.stdout + done.stderr

    def compile(self, text, *more):
        (self.folder / "flows.py").write_text(text)
        return self.run_in(sys.executable, "-m", "weir_kfp", "compile", "flows.py", *more)

    def start(self, *more):
        ready, log = self.folder / "ready", self.folder / "log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [WEIR, "dev", "--port", "0", "--on-ready", ready, *more], cwd=self.folder, stdout=said, stderr=said
            )
        self.addCleanup(process.wait, timeout=60)
        self.addCleanup(process.terminate)

        def is_ready():
            self.assertIsNone(process.poll(), log.read_text())
            return ready.exists() and ready.read_text().strip()

        return until(is_ready)

    def test_the_checker_takes_what_is_written(self):
        status, text = self.compile(EVERYTHING, "--check", WEIR)
        self.assertEqual(status, 0, text)
        self.assertIn("5 triggers", text)

    def test_the_checker_says_what_only_it_knows(self):
        status, text = self.compile(EVERYTHING.replace("event.data.n > 0", "event.data.n >> 0"), "--check", WEIR)
        self.assertEqual(status, 1, text)
        self.assertIn("everything.weir.yaml:", text)

    def test_a_chain(self):
        server = self.enterContext(stub())
        status, text = self.compile(PIPELINES.format(stub=server.url), "--check", WEIR)
        self.assertEqual(status, 0, text)
        url = self.start()
        status, text = self.run_in(WEIR, "apply", "--server", url, "--team", "ads", ".")
        self.assertEqual(status, 0, text)

        weir.publish("table.ready", {"table": "orders"}, id="first", server=url)
        weir.publish("table.ready", {"table": "users"}, id="second", server=url)
        weir.publish("table.ready", {"table": "orders"}, id="first", server=url)  # a duplicate

        runs = until(lambda: self.settled(url, 4))
        ends = sorted((run["flow"], run["outcome"]) for run in runs)
        wanted = [("deploy", "failed"), ("deploy", "succeeded"), ("train", "succeeded"), ("train", "succeeded")]
        self.assertEqual(ends, wanted)
        told = {path: body for path, _, body in server.requests}
        self.assertEqual(sorted(told), sorted(f"/v1/runs/{run['run']}/report" for run in runs))
        for run in runs:
            report = told[f"/v1/runs/{run['run']}/report"]
            if run["flow"] == "deploy":
                self.assertEqual((report["flow"], report["outcome"]), ("ads/deploy", run["outcome"]))
                continue
            self.assertEqual((report["outputs"]["rounds"], sorted(report["outputs"])), (10, ["auc", "model_uri", "rounds"]))
            self.assertEqual(report["artifacts"][0]["type"], "system.Model")
            self.assertEqual(report["artifacts"][0]["uri"], report["outputs"]["model_uri"])


    def test_the_readme(self):
        """What the README tells to type, but for the installation, the port and the watching."""
        text = (pathlib.Path(weir.__file__).parents[1] / "README.md").read_text()
        script = text.split("```\n")[1]
        pipelines, commands = re.fullmatch(r".*<<'END'\n(.*)\nEND\n(.*)", script, re.S).groups()
        compiling, starting, _, publishing, _ = commands.splitlines()
        self.assertEqual(compiling, "python -m weir_kfp compile chain.py --check weir")
        self.assertEqual(starting, "weir dev --apply . &")
        (self.folder / "chain.py").write_text(pipelines)
        path = os.pathsep.join([os.path.dirname(sys.executable), str(WEIR.parent), os.environ["PATH"]])
        with environment(PATH=path):
            status, text = self.run_in("sh", "-c", compiling)
            self.assertEqual(status, 0, text)
            self.assertIn("2 triggers and 2 flows are fine", text)
            url = self.start("--apply", ".")
            with environment(WEIR_SERVER=url):
                status, text = self.run_in("sh", "-c", publishing)
        self.assertEqual(status, 0, text)
        runs = until(lambda: self.settled(url, 2))
        self.assertEqual(sorted((run["flow"], run["outcome"]) for run in runs), [("deploy", "succeeded"), ("train", "succeeded")])
        (run,) = [run["run"] for run in runs if run["flow"] == "deploy"]
        self.assertIn("serving the model of orders", self.run_in(WEIR, "logs", "--server", url, run, "serve")[1])

    def test_the_example(self):
        """examples/chain.py by the commands of the README beside it, on the Kubeflow that weir dev is: an exit task's report, the
        model of a good run handed on, an alert after a failed one. The port is replaced, and one date made to fail."""
        examples = pathlib.Path(weir.__file__).parents[1] / "examples"
        commands = (examples / "README.md").read_text().split("```\n")[1]
        self.assertEqual([line.split()[0] for line in commands.splitlines()], ["for", "weir", "python"])
        url = self.start()
        text = (examples / "chain.py").read_text()
        for old, new in (("http://127.0.0.1:9347", url), ("    with open(model.path", "    assert 'bad' not in table\n    with open(model.path")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.folder / "chain.py").write_text(text)
        self.assertEqual(self.run_in(sys.executable, "chain.py")[0], 0)
        path = os.pathsep.join([os.path.dirname(sys.executable), str(WEIR.parent), os.environ["PATH"]])
        with environment(PATH=path, WEIR_SERVER=url):
            status, said = self.run_in("bash", "-e", "-c", commands.replace("http://127.0.0.1:9347", url))
            self.assertEqual(status, 0, said)
        weir.publish("table.ready", {"table": "orders", "date": "bad"}, server=url)
        runs = {(run["flow"], run["outcome"]): run for run in until(lambda: self.settled(url, 4))}
        self.assertEqual(
            sorted(runs), [("alert", "succeeded"), ("deploy", "succeeded"), ("train", "failed"), ("train", "succeeded")]
        )
        given = runs["deploy", "succeeded"]["parameters"]
        self.assertEqual((given["auc"], "model" in given["model_uri"]), (0.9, True))
        self.assertEqual(runs["alert", "succeeded"]["parameters"], {"text": "training failed: " + runs["train", "failed"]["run"]})
        self.assertIn("AssertionError", self.run_in(WEIR, "logs", "--server", url, runs["train", "failed"]["run"], "exit-handler-1/fit")[1])

    def settled(self, url, count):
        """The runs, once there are so many and all have ended."""
        status, text = self.run_in(WEIR, "runs", "--json", "--server", url)
        self.assertEqual(status, 0, text)
        runs = [json.loads(line) for line in text.splitlines()]
        return runs if len(runs) >= count and all(run["state"] == "settled" for run in runs) else None


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
