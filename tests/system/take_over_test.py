"""Two engines on one record: frozen and taken over, restored from a backup, copied. `take_over_test.py WEIR`.

Whatever happens, an event that was accepted has exactly one run, known to its backend under one id.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

WEIR = pathlib.Path(sys.argv[1]).resolve()

CONFIG = """weir: 1
instance: lab
data: data
listen: {address: 127.0.0.1, port: 0}
buses:
  embedded: {kind: embedded}
backends:
  'null': {}
"""
FLOWS = """flow: f
team: t
backend: 'null'
settle_after: 50ms
---
flow: after
team: t
backend: 'null'
"""
TRIGGERS = """trigger: plain
team: t
when: {event: load.plain}
launch: {flow: f}
limits: {firings_per_minute: 1000000}
---
trigger: chained
team: t
when: {finish: f}
launch: {flow: after}
limits: {firings_per_minute: 1000000}
"""


def until(condition, what, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not come to pass in {seconds} s: {what}")


class Engine:
    """One weir serve."""

    def __init__(self, folder, *words, **environment):
        self.folder = folder
        self.ready = folder / f"ready-{time.monotonic_ns()}"
        self.log = folder / f"log-{time.monotonic_ns()}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [WEIR, "serve", "--config", folder / "weir.yaml", "--on-ready", self.ready, *words],
                env={**clean, **environment}, stdout=log, stderr=log, cwd=folder,
            )  # fmt: skip

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"weir ended: {self.log.read_text()[-3000:]}")
            return self.ready.exists()

        until(ready, "weir is ready")
        host, port = self.ready.read_text().strip().removeprefix("http://").rsplit(":", 1)
        self.address = (host, int(port))
        return self

    def ask(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def publish(self, event_id, timeout=30):
        headers = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/test", "ce-type": "load.plain"}
        return self.ask("POST", "/v1/events", None, headers, timeout)[0] == 202

    def apply(self):
        body = json.dumps({"files": [{"name": "flows.yaml", "text": FLOWS}, {"name": "triggers.yaml", "text": TRIGGERS}]})
        status, answer = self.ask("POST", "/v1/apply", body, {"Content-Type": "application/json"})
        assert status == 200, answer

    def all(self, what):
        items, page = [], ""
        while True:
            _, answer = self.ask("GET", f"/v1/{what}?limit=1000" + (f"&page={page}" if page else ""))
            items += answer["items"]
            page = answer["next"]
            if not page:
                return items

    def stopped(self):
        return pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

    def send(self, number):
        self.process.send_signal(number)

    def end(self):
        self.send(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0, self.log.read_text()[-3000:]


class Record(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-two-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.engines = []
        self.addCleanup(self.end_all)
        self.lay_out(self.folder)

    def lay_out(self, folder):
        folder.mkdir(exist_ok=True)
        (folder / "weir.yaml").write_text(CONFIG)

    def end_all(self):
        for engine in self.engines:
            if engine.process.poll() is None:
                engine.process.kill()
                engine.process.wait()

    def engine(self, *words, folder=None, **environment):
        self.engines.append(Engine(folder or self.folder, *words, **environment))
        return self.engines[-1]

    def weir(self, *words):
        return subprocess.run([WEIR, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)

    def settled(self, engine, wanted):
        def done():
            runs = engine.all("runs")
            open_ones = [run for run in runs if run["state"] != "settled"]
            return len(runs) >= wanted and not open_ones and runs

        return until(done, f"{wanted} runs and all settled")

    def check_once(self, engine, ids, folder=None):
        """Each event: one run of f, one of after, each known to the backend under the very id of the ledger."""
        runs = self.settled(engine, 2 * len(ids))
        by_event = {}
        for run in runs:
            if run["flow"] == "f":
                by_event.setdefault(run["events"][0]["id"], []).append(run)
        self.assertEqual(sorted(by_event), sorted(ids), "an event has no run, or one that nobody published has")
        self.assertEqual([i for i, of in by_event.items() if len(of) != 1], [], "launched twice in the ledger")
        self.assertEqual([run["run"] for run in runs if run["outcome"] != "succeeded"], [])
        known = {path.stem for path in ((folder or self.folder) / "data" / "null").glob("*.json")}
        self.assertEqual(known, {run["run"] for run in runs}, "the backend has other runs than the ledger")

    def take_over(self, point, killed=False):
        # One that hangs in the middle of a write of the ledger or the bus has to be ended: it can never be refused.
        first = self.engine(WEIR_FREEZE_AT=point).wait_ready()
        first.apply()
        ids = []
        for i in range(2000):
            if first.stopped():
                break
            event_id = f"before-{i}"
            ids.append(event_id)
            try:
                first.publish(event_id, timeout=3)
            except OSError:
                break  # it froze with our request in its hands
        until(first.stopped, f"the first engine freezes at {point}")
        refused = self.engine()
        self.assertNotEqual(refused.process.wait(timeout=60), 0)
        self.assertIn("in use by another weir", refused.log.read_text())

        second = self.engine("--take-over").wait_ready()
        # What was not acknowledged is published again by whoever published it, with the same id.
        for i in range(20):
            ids.append(f"after-{i}")
        for event_id in ids:
            self.assertTrue(second.publish(event_id))
        if killed or first.process.poll() is not None:
            self.assertEqual(first.process.wait(timeout=60), -signal.SIGKILL)
            self.assertIn("stopped", second.log.read_text())
        else:
            first.send(signal.SIGCONT)
            self.assertNotEqual(first.process.wait(timeout=60), 0)
            self.assertIn("another process took it over", first.log.read_text())
        for i in range(20):
            ids.append(f"alone-{i}")
            self.assertTrue(second.publish(ids[-1]))
        self.check_once(second, ids)
        second.end()
        sound = self.weir("ledger", "verify", "--data", self.folder / "data")
        self.assertEqual(sound.returncode, 0, sound.stdout + sound.stderr)
        # The folder is free again: nothing was left behind.
        third = self.engine().wait_ready()
        third.end()

    def test_frozen_between_commit_and_request(self):
        self.take_over("before_send:7")

    def test_frozen_in_mid_request(self):
        self.take_over("null_in_request:5")

    def test_frozen_after_the_request(self):
        self.take_over("after_send:6")

    def test_frozen_before_a_commit(self):
        self.take_over("before_commit:9")

    def test_frozen_in_mid_commit(self):
        self.take_over("in_commit:9", killed=True)

    def publish_along(self, engine, prefix, into, stop):
        n = 0
        while not stop.is_set():
            event_id = f"{prefix}-{n}"
            try:
                if engine.publish(event_id, timeout=5):
                    into.append(event_id)
                    n += 1
            except OSError:
                return  # killed under us: this one was not acknowledged, and is not counted

    def test_a_backup_restored_under_traffic_launches_nothing_twice(self):
        first = self.engine().wait_ready()
        first.apply()
        ids, stop = [], threading.Event()
        traffic = threading.Thread(target=self.publish_along, args=(first, "first", ids, stop))
        traffic.start()
        until(lambda: len(ids) > 100, "traffic")
        made = self.weir("ledger", "backup", self.folder / "backup.db", "--data", self.folder / "data")
        self.assertEqual(made.returncode, 0, made.stderr)
        until(lambda: len(ids) > 300, "traffic after the backup")
        first.send(signal.SIGKILL)
        first.process.wait()
        stop.set()
        traffic.join()
        restored = self.weir("ledger", "restore", self.folder / "backup.db", "--data", self.folder / "data", "--force")
        self.assertEqual(restored.returncode, 0, restored.stderr)
        second = self.engine().wait_ready()
        for i in range(50):
            ids.append(f"second-{i}")
            self.assertTrue(second.publish(ids[-1]))
        events = until(lambda: len(second.all("runs")) >= 2 * len(ids) and second.all("events"), "all is decided again")
        # The last one may have been durable without its answer: then it has a run as well, and only one.
        there = {e["id"] for e in events if e["type"] == "load.plain" and e.get("duplicate_of") is None}
        self.assertEqual(set(ids) - there, set())
        self.check_once(second, sorted(there))
        second.end()

    def test_a_copy_claimed_as_new_leaves_the_past_to_the_original(self):
        first = self.engine().wait_ready()
        first.apply()
        before = [f"before-{i}" for i in range(60)]
        for event_id in before:
            self.assertTrue(first.publish(event_id))
        # The copy is made in the middle of it: some runs are open.
        copy = self.folder / "copy"
        self.lay_out(copy)
        (copy / "data").mkdir()
        made = self.weir("ledger", "backup", copy / "data" / "ledger.db", "--data", self.folder / "data")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.check_once(first, before)
        first.end()
        shutil.copy(self.folder / "data" / "events.db", copy / "data" / "events.db")

        paused = self.engine(folder=copy)
        self.assertNotEqual(paused.process.wait(timeout=60), 0)
        self.assertIn("ledger claim", paused.log.read_text())
        claimed = self.weir("ledger", "claim", "--new", "--config", copy / "weir.yaml")
        self.assertEqual(claimed.returncode, 0, claimed.stdout + claimed.stderr)
        second = self.engine(folder=copy).wait_ready()
        self.assertTrue(second.publish("new-0"))
        until(lambda: [r for r in second.all("runs") if r["events"][0]["id"] == "new-0" and r["outcome"] == "succeeded"],
              "the copy decides what is new")  # fmt: skip
        launched = {path.stem for path in (copy / "data" / "null").glob("*.json")}
        runs = {run["run"]: run for run in second.all("runs")}
        for run in launched:
            self.assertTrue(runs[run]["events"][0]["id"].startswith(("new-", "/weir", "0")) or runs[run]["flow"] == "after",
                            f"the copy launched again what the original did: {runs[run]}")  # fmt: skip
        self.assertEqual(len(launched), 2, "one run for the new event and one after it")
        original = {path.stem for path in (self.folder / "data" / "null").glob("*.json")}
        self.assertEqual(launched & original, set())
        second.end()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
