"""A chain written in Python alone, on a real weir: compiled, checked, applied, started by publish(). `chain_test.py WEIR`.

The pipelines run on weir's local backend; their reports go to a stub, which sees what a run reports, and as whom.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import weir_kfp as weir
from rig import stub

WEIR = pathlib.Path(sys.argv[1]).resolve()

PIPELINES = '''
import weir_kfp as weir
from kfp import dsl

STUB = "{stub}"


@dsl.component(base_image="python:3.11")
def fit(table: str, rounds: int, model: dsl.Output[dsl.Model]) -> float:
    if table == "bad":
        raise ValueError("no such table")
    with open(model.path, "w") as file:
        file.write(table)
    return 0.9


@dsl.component(base_image="python:3.11")
def serve(model_uri: str, auc: float) -> str:
    return model_uri


@weir.flow(team="ads", backend="local")
@weir.trigger("table.ready", parameters={{"table": "event.data.table", "rounds": 10}})
@dsl.pipeline
def train(table: str, rounds: int = 100) -> float:
    with dsl.ExitHandler(exit_task=weir.report(server=STUB, flow="ads/train")):
        fitted = fit(table=table, rounds=rounds)
        weir.report(
            outputs={{"model_uri": fitted.outputs["model"], "auc": fitted.outputs["Output"], "rounds": rounds}},
            artifacts={{"model": fitted.outputs["model"]}},
            server=STUB,
        )
    return fitted.outputs["Output"]


@weir.flow(team="ads", backend="local")
@weir.on_finish(train, parameters={{"model_uri": "run.parameters.table", "auc": "run.outputs.Output"}})
@dsl.pipeline
def deploy(model_uri: str, auc: float) -> str:
    return serve(model_uri=model_uri, auc=auc).output
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

    def start(self):
        ready, log = self.folder / "ready", self.folder / "log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [WEIR, "dev", "--data", "data", "--port", "0", "--on-ready", ready], cwd=self.folder, stdout=said, stderr=said
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
        status, text = self.run_in(WEIR, "apply", "--server", url, ".")
        self.assertEqual(status, 0, text)

        weir.publish("table.ready", {"table": "orders"}, id="first", server=url)
        weir.publish("table.ready", {"table": "bad"}, id="second", server=url)
        weir.publish("table.ready", {"table": "orders"}, id="first", server=url)

        def settled():
            status, text = self.run_in(WEIR, "runs", "--json", "--server", url)
            self.assertEqual(status, 0, text)
            runs = [json.loads(line) for line in text.splitlines()]
            ended = {(run["flow"], run.get("outcome")): run["id"] for run in runs if run["state"] == "settled"}
            return ended if len(runs) >= 3 and len(ended) == len(runs) else None

        ended = until(settled)
        self.assertEqual(sorted(ended), [("deploy", "succeeded"), ("train", "failed"), ("train", "succeeded")])
        good, bad = ended["train", "succeeded"], ended["train", "failed"]
        told = {}
        for path, _, body in server.requests:
            told.setdefault(path.split("/")[3], []).append(body)
        self.assertEqual(sorted(told), sorted([good, bad]))
        self.assertEqual([body["outcome"] for body in told[bad]], ["failed"])
        made, end = told[good]
        self.assertEqual((made["outputs"]["auc"], made["outputs"]["rounds"]), (0.9, 10))
        self.assertEqual(made["artifacts"][0]["type"], "system.Model")
        self.assertEqual(made["artifacts"][0]["uri"], made["outputs"]["model_uri"])
        self.assertEqual(end, {"flow": "ads/train", "outcome": "succeeded"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
