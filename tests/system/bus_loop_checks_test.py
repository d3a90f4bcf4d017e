"""The checks of the bus loop see what they are there for. `bus_loop_checks_test.py`."""

import unittest

from bus_loop_checks import check_all


def event(name, seq, duplicate_of=None):
    return {"source": "/bus-loop", "id": name, "seq": seq, "duplicate_of": duplicate_of}


def decision(name, seq, verdict="fired"):
    return {"decision": f"d-{name}-{seq}", "verdict": verdict, "seq": seq, "events": [{"id": name}]}


def run(name, seq, **more):
    key, _, number = name.rpartition("-")
    parts = {"run": f"r-{name}-{seq}", "decision": f"d-{name}-{seq}", "state": "settled", "outcome": "succeeded"}
    return parts | {"reason": None, "parameters": {"key": key, "n": int(number)}} | more


class Checks(unittest.TestCase):
    def setUp(self):
        self.acknowledged = ["k0-1", "k1-1", "k0-2"]
        self.events = [event(name, seq) for seq, name in enumerate(self.acknowledged)]
        self.decisions = [decision(name, seq) for seq, name in enumerate(self.acknowledged)]
        self.runs = [run(name, seq) for seq, name in enumerate(self.acknowledged)]
        self.backend = {run["run"] for run in self.runs}

    def check(self, ok, lost=0, twice=0, unknown=0, faults=1):
        verdict = check_all(self.acknowledged, self.events, self.decisions, self.runs, self.backend)
        counted = (verdict.ok, verdict.lost, verdict.twice, verdict.unknown, len(verdict.faults))
        self.assertEqual(counted, (ok, lost, twice, unknown, faults), verdict.faults)

    def test_all_right(self):
        self.events.append(event("k0-1", 7, duplicate_of=0))
        self.check(3, faults=0)

    def test_lost(self):
        del self.decisions[1], self.runs[1]
        self.backend = {run["run"] for run in self.runs}
        self.check(2, lost=1)

    def test_lost_before_the_ledger(self):
        del self.decisions[1], self.runs[1], self.events[1]
        self.backend = {run["run"] for run in self.runs}
        self.check(2, lost=1, faults=2)

    def test_lost_by_the_backend(self):
        self.backend.discard("r-k1-1-1")
        self.check(2, lost=1)

    def test_decided_twice(self):
        self.decisions.append(decision("k0-2", 9))
        self.runs.append(run("k0-2", 9))
        self.backend.add("r-k0-2-9")
        self.check(2, twice=1, faults=2)  # and out of order

    def test_launched_twice(self):
        self.backend.add("r-stray")
        self.check(3, twice=1)

    def test_recorded_twice(self):
        self.events.append(event("k0-1", 7))
        self.check(3)

    def test_unknown(self):
        self.runs[0]["state"] = "unknown"
        self.check(2, unknown=1)

    def test_out_of_order(self):
        self.decisions[0]["seq"], self.decisions[2]["seq"] = 2, 0
        self.check(3)

    def test_never_acknowledged(self):
        self.acknowledged.remove("k0-2")
        self.check(2, faults=2)

    def test_wrong_parameters(self):
        self.runs[0]["parameters"] = {"key": "k0", "n": 7}
        self.check(3)

    def test_failed_decisions(self):
        self.decisions.append(decision("k0-1", 5, verdict="failed"))
        self.check(3)


if __name__ == "__main__":
    unittest.main()
