"""Two engines on one record: frozen and taken over, restored from a backup, copied. `take_over_test.py WEIR`.

Whatever happens, an event that was accepted has exactly one run, known to its backend under one id.
"""

import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import unittest

from engine import Engine, EngineCase, until

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


class Loaded(Engine):
    def publish(self, event_id, timeout=30):
        headers = {"ce-specversion": "1.0", "ce-id": event_id, "ce-source": "/test", "ce-type": "load.plain"}
        return self.ask("POST", "/v1/events", None, headers, timeout)[0] == 202

    def apply_all(self):
        self.apply({"flows.yaml": FLOWS, "triggers.yaml": TRIGGERS})


class Record(EngineCase):
    program = WEIR
    engine_type = Loaded

    def setUp(self):
        super().setUp()
        self.lay_out(self.folder)

    def lay_out(self, folder):
        folder.mkdir(exist_ok=True)
        (folder / "weir.yaml").write_text(CONFIG)

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
        first.apply_all()
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
        first.apply_all()
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
        first.apply_all()
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
        until(lambda: len(list((copy / "data" / "null").glob("*.json"))) >= 2, "what follows from it is launched")
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
