"""The checks of the Kubeflow loop see what they are there for. `kfp_loop_checks_test.py`."""

import copy
import itertools
import unittest

from kfp_loop_checks import CHECKS, Evidence, Judge, attempts_of
from kfp_loop_lab import ABSENCE, BACKEND, OUTPUTS_GRACE

STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "skipped": "SKIPPED", "cancelled": "FAILED"}


class Story:
    """Evidence of a loop in which all went well, told run by run."""

    def __init__(self):
        self.of = Evidence()
        self.numbers = itertools.count(1)

    def decide(self, trigger, event, verdict="fired"):
        name = f"d{next(self.numbers)}"
        self.of.decisions.append({"decision": name, "trigger": trigger, "verdict": verdict, "events": [{"id": event}]})
        return name

    def run(self, trigger, event, flow, outcome="succeeded", backend=BACKEND, **more):
        """One firing and its run; on the backend with its request, row and settlement."""
        parts = {
            "run": f"r-{trigger}-{event}", "decision": self.decide(trigger, event), "flow": flow, "backend": backend,
            "state": "settled", "outcome": outcome, "attempt": 1, "reason": None, "parameters": {"event": event},
            "outputs": {}, "origin": None,
        }  # fmt: skip
        run = parts | more
        self.of.runs.append(run)
        return run

    def launched(self, flow, event, outcome="succeeded", **more):
        self.of.sent[event] = flow
        run = self.run(flow, event, flow, outcome, **more)
        self.create(run)
        if outcome in STATES:
            self.row(run, ["PENDING", "RUNNING", STATES[outcome]])
        if run["state"] == "settled":
            self.settle(run, 1, outcome)
        return run

    def create(self, run, time=100.0, fault=None, deed=None, status=200, made=True, row=True, as_run=None):
        workflow = {"run_id": as_run or run["run"], "workflow": f"w{next(self.numbers)}", "row": row}
        create = {
            "number": next(self.numbers), "time": time, "seconds": 0.1, "status": status, "fault": fault,
            "made": workflow if made else {}, "run": run["run"], "flow": run["flow"], "event": run["parameters"]["event"],
        }  # fmt: skip
        if fault:
            self.of.faults[fault] = deed
        self.of.creates.append(create)
        return create

    def row(self, run, history):
        self.of.rows[run["run"]] = {
            "run_id": run["run"], "state": history[-1], "state_history": [{"state": state} for state in history],
            "runtime_config": {"parameters": dict(run["parameters"])}, "description": f"weir: decision={run['decision']} flow=t/x",
        }  # fmt: skip

    def settle(self, run, attempt, outcome):
        finish = f"{run['run']}/{attempt}"
        numbered = {"run": run["run"], "attempt": attempt, "outcome": outcome}
        self.run(f"end-{run['flow']}", finish, "note", backend="null", parameters=numbered)
        if run["flow"] == "plain" and outcome == "succeeded":
            self.launched_by_chain(run, finish)
        if run["flow"] == "told" and outcome == "succeeded" and run["outputs"]:
            handed = {"run": run["run"], "score": run["outputs"]["score"]}
            self.run("handed", finish, "hand", backend="null", parameters=handed)
        elif run["flow"] == "told" and outcome == "succeeded":
            self.decide("handed", finish, "failed")

    def launched_by_chain(self, run, finish):
        chained = self.run("chained", finish, "next", parameters={"event": run["run"]})
        self.create(chained)
        self.row(chained, ["PENDING", "SUCCEEDED"])
        self.settle(chained, 1, "succeeded")


class Checks(unittest.TestCase):
    def setUp(self):
        self.story = Story()
        self.of = self.story.of
        self.plain = self.story.launched("plain", "e1")
        self.told = self.story.launched("told", "e2", outputs={"score": "e2"})
        self.of.reports[self.told["run"]] = [{"score": "e2", "plan": "with", "sent": 100.2, "taken": 100.3}]
        self.again = self.story.launched("again", "e3", "failed")
        self.of.rows[self.again["run"]]["state_history"] += [{"state": "RUNNING"}, {"state": "SUCCEEDED"}]
        self.of.rows[self.again["run"]]["state"] = "SUCCEEDED"
        self.again["outcome"] = "succeeded"
        self.story.settle(self.again, 2, "succeeded")

    def judged(self, wrong=1, **counts):
        judge = Judge(copy.deepcopy(self.of))
        for check in CHECKS:
            check(judge)
        self.assertEqual(len(judge.wrong), wrong, judge.wrong)
        for name in ("lost", "twice", "strays", "unknown", "looked_for"):
            self.assertEqual(getattr(judge, name), counts.get(name, 0), (name, judge.wrong))
        return judge

    def decisions(self, trigger):
        return [decision for decision in self.of.decisions if decision["trigger"] == trigger]

    def drop(self, trigger):
        """Its decisions and their runs."""
        names = {decision["decision"] for decision in self.decisions(trigger)}
        self.of.decisions[:] = [decision for decision in self.of.decisions if decision["decision"] not in names]
        self.of.runs[:] = [run for run in self.of.runs if run["decision"] not in names]

    # --- nothing is wrong

    def test_all_right(self):
        judge = self.judged(0)
        self.assertEqual(judge.ok, 4)
        self.assertEqual(judge.named, [])

    def test_attempts(self):
        for history, expected in (
            ("PENDING RUNNING SUCCEEDED RUNNING SUCCEEDED", ["succeeded"]),
            ("PENDING FAILED RUNNING SUCCEEDED", ["failed", "succeeded"]),
            ("FAILED RUNNING FAILED PENDING", ["failed", "failed", None]),
            ("FAILED SUCCEEDED RUNNING", ["failed"]),
            ("SUCCEEDED RUNNING", ["succeeded"]),
            ("RUNNING CANCELING FAILED", ["failed"]),
            ("PENDING", [None]),
        ):
            states = history.split(" ")
            row = {"state": states[-1], "state_history": [{"state": state} for state in states]}
            self.assertEqual(attempts_of(row), expected, history)

    def test_refused_for_a_reason(self):
        run = self.story.launched("fails", "e9", "refused", reason="CreateRun: answered 400: unknown parameter")
        self.of.creates.pop()
        self.story.create(run, fault="f1", deed={"do": "answer"}, status=400, made=False)
        self.judged(0)
        self.of.faults.clear()
        self.judged()
        self.of.faults["f1"] = {"do": "answer"}
        self.story.row(run, ["PENDING"])
        self.judged()  # refused, and there all the same

    def test_lost_for_a_reason(self):
        run = self.story.launched("deleted", "e9", "lost", reason="the server does not know the run any more; it was")
        self.of.strays[run["run"]] = 1
        self.of.deleted[run["run"]] = 101.0
        self.judged(0)
        self.of.deleted.clear()
        self.judged(2, strays=1)

    def test_sent_twice_in_vain(self):
        run = self.story.launched("plain", "e9", None, state="unknown")
        self.of.creates.pop()
        self.story.create(run, fault="f1", deed={"do": "close"}, status=0, made=False)
        self.judged(unknown=1)
        self.story.create(run, time=120, fault="f1", deed={"do": "close"}, status=0, made=False)
        self.of.sent_twice.add(run["run"])
        self.judged(0, looked_for=1)
        asked = self.of.creates[-2:]
        del self.of.creates[-2:]
        self.judged(unknown=1)  # counted, and never left
        self.of.died_leaving = 1
        self.judged(unknown=1)  # one death explains one request
        self.of.died_leaving = 2
        self.judged(0, looked_for=1)
        self.of.died_leaving = 0
        self.of.creates += asked
        self.story.row(run, ["PENDING"])
        self.judged(unknown=1)

    def test_swept_away_before_its_row(self):
        run = self.story.launched("skips", "e9", None, state="accepted")
        self.of.creates[-1]["fault"] = "f1"
        self.of.faults["f1"] = {"do": "slow_create", "seconds": ABSENCE + 1}
        self.story.row(run, ["PENDING"])
        self.assertEqual(self.judged(0).swept, 1)
        self.of.faults["f1"]["seconds"] = ABSENCE - 1
        self.judged(unknown=1)

    # --- firings and runs

    def test_event_lost(self):
        self.of.sent["e8"] = "plain"
        self.judged(lost=1)

    def test_event_fired_twice(self):
        self.story.decide("told", "e2")
        self.judged(twice=1)

    def test_fired_for_nothing(self):
        self.story.decide("told", "e77")
        self.judged()

    def test_run_with_other_parameters(self):
        self.again["parameters"] = {"event": "e4"}
        self.judged(2)  # neither the event's nor the server's

    def test_run_not_known_to_the_server(self):
        del self.of.rows[self.again["run"]]
        self.judged(2)  # its run, and what settled it

    def test_row_of_another_decision(self):
        self.of.rows[self.told["run"]]["description"] = "weir: decision=d999 flow=t/x"
        self.judged()

    def test_row_that_nobody_asked_for(self):
        self.of.rows["r-other"] = dict(self.of.rows[self.told["run"]])
        self.judged(twice=1)

    def test_run_that_did_not_end(self):
        self.told["state"] = "running"
        self.judged(unknown=1)

    def test_refused_for_no_reason(self):
        self.story.launched("fails", "e9", "refused", reason="run id not honoured: the server made another")
        self.of.creates[-1]["made"] = {}
        self.judged()

    def test_ends_as_its_flow_does_not(self):
        self.story.launched("flaps", "e9", "failed")
        self.judged()

    # --- settlements and what they start

    def test_settled_twice(self):
        self.story.settle(self.again, 2, "succeeded")
        self.judged(twice=1, wrong=2)

    def test_never_settled(self):
        self.drop("end-again")
        self.judged()

    def test_flap_taken_for_an_attempt(self):
        run = self.story.launched("flaps", "e9")
        self.of.rows[run["run"]]["state_history"] += [{"state": "RUNNING"}, {"state": "SUCCEEDED"}]
        self.judged(0)
        self.story.settle(run, 2, "succeeded")
        self.judged()

    def test_retry_not_settled(self):
        self.of.rows[self.told["run"]]["state_history"] = [{"state": "FAILED"}, {"state": "RUNNING"}, {"state": "SUCCEEDED"}]
        self.judged()

    def test_chain_lost(self):
        chained = next(run for run in self.of.runs if run["flow"] == "next")
        self.drop("chained")
        self.drop("end-next")
        self.of.creates[:] = [create for create in self.of.creates if create["run"] != chained["run"]]
        del self.of.rows[chained["run"]]
        self.judged(lost=1)

    def test_chain_twice(self):
        self.story.launched_by_chain(self.plain, f"{self.plain['run']}/1")
        judge = Judge(self.of)
        for check in CHECKS:
            check(judge)
        self.assertGreaterEqual(judge.twice, 1)

    # --- requests

    def resend(self, run, time, **more):
        return self.story.create(run, time=time, **more)

    def test_asked_for_too_early(self):
        self.of.creates[0] |= {"made": {}, "status": 0}
        self.resend(self.plain, 100 + ABSENCE + 0.1)
        self.judged(0)
        self.of.creates[-1]["time"] = 100 + ABSENCE - 0.1
        self.judged()

    def test_asked_for_three_times(self):
        self.of.creates[0] |= {"made": {}, "status": 0}
        self.resend(self.plain, 120, made=False)
        self.resend(self.plain, 140)
        self.judged(twice=1)

    def test_two_requests_at_once(self):
        self.of.creates[0] |= {"made": {}, "status": 0, "seconds": 30}
        self.resend(self.plain, 120)
        self.judged()

    def test_request_for_a_run_that_is_not_recorded(self):
        self.story.create({"run": "r-x", "flow": "plain", "parameters": {"event": "e1"}}, made=False)
        self.judged()

    # --- strays

    def test_stray_of_a_fault(self):
        self.of.creates[0] |= {"fault": "f1", "status": 500}
        self.of.creates[0]["made"]["row"] = False
        self.of.faults["f1"] = {"do": "insert_fails"}
        self.of.strays[self.plain["run"]] = 1
        self.resend(self.plain, 120)
        self.assertEqual(len(self.judged(0).named), 1)
        self.of.faults["f1"] = {"do": "close"}
        self.judged(strays=1)

    def test_stray_that_the_server_alone_counts(self):
        self.of.strays[self.plain["run"]] = 1
        self.judged(strays=1)

    def test_stray_after_hiding(self):
        """The run was there, and 404 hid it for longer than every wait."""
        run = self.plain["run"]
        self.resend(self.plain, 120, row=False)
        self.of.strays[run] = 1
        self.of.faults["f404"] = {"do": "not_found"}
        look = {"number": 1, "time": 100 + ABSENCE + 1, "status": 404, "fault": "f404"}
        self.of.looks[run] = [look]
        self.assertIn("404", self.judged(0).named[0])
        self.of.looks[run] = [look, look | {"status": 200, "fault": None}]
        self.judged(strays=1)
        seen = look | {"status": 200, "fault": None, "time": 101}
        self.of.looks[run] = [seen, look]
        self.judged(strays=1)
        self.of.kills.append(102)  # weir died with what it had seen
        self.judged(0)
        self.of.kills[:] = [100.5]
        self.judged(strays=1)
        self.of.kills.clear()
        self.of.looks[run] = [look | {"time": 100 + ABSENCE - 1}]
        self.judged(strays=1)

    def test_id_not_honoured(self):
        run = self.story.launched("fails", "e9", "refused", reason="run id not honoured: the server made r-own instead")
        self.of.creates.pop()
        self.story.create(run, fault="f1", deed={"do": "ignore_run_id"}, as_run="r-own")
        self.story.row({"run": "r-own", "parameters": {}, "decision": "x"}, ["PENDING", "FAILED"])
        self.of.verbs["r-own"] = [("terminate", 200)]
        self.assertEqual(len(self.judged(0).named), 1)
        self.of.verbs.clear()
        self.judged(strays=1)

    # --- reports and others

    def test_report_lost(self):
        self.told["outputs"] = {}
        self.judged(2)  # and yet handed on
        self.of.reports[self.told["run"]][0]["taken"] = 100 + OUTPUTS_GRACE + 5
        self.drop("handed")
        self.story.decide("handed", f"{self.told['run']}/1", "failed")
        self.judged(0)

    def test_outputs_from_nowhere(self):
        self.of.reports.clear()
        self.judged()

    def test_handed_on_wrongly(self):
        next(run for run in self.of.runs if run["flow"] == "hand")["parameters"]["score"] = "e5"
        self.judged()

    def test_not_handed_on(self):
        self.drop("handed")
        self.judged()

    def test_report_of_no_run(self):
        self.of.strangers.append(self.again["run"])
        self.judged()

    def test_run_of_others(self):
        self.of.others["r-o"] = {"event": "o", "made": True}
        other = self.story.run(None, "o", "fails", origin="observed", run="r-o")
        other["outcome"] = "succeeded"
        self.story.row(other, ["SUCCEEDED"])
        self.story.settle(other, 1, "succeeded")
        self.judged(0)
        self.of.runs.remove(other)
        self.judged()


if __name__ == "__main__":
    unittest.main()
