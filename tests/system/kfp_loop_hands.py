"""What happens to runs from outside while weir lives and dies, and the record of every request the server got.

One thread reads the server's log and acts: it retries failed runs, deletes and terminates runs, reports on behalf of
flows, starts runs that weir knows nothing of. Another publishes events until each is acknowledged.
"""

import heapq
import itertools
import json
import queue
import random
import threading
import time
import uuid

from kfp_loop_lab import ABSENCE, API, OUTPUTS_GRACE

PATIENCE = 120  # for what a person would try again


def same_event(event_id):
    """Matches the body of a CreateRun for that event."""
    return f'"event": ?"{event_id}"'


class Record:
    """The server's log, kept: requests about runs by number. Lists are not kept."""

    def __init__(self, server):
        self.server = server
        self.creates = {}  # number -> entry with "run", "flow", "event"
        self.looks = {}  # run id -> entries of GetRun
        self.verbs = {}  # run id -> [(verb, status)]
        self.longest = 0.0  # the server took so long for what takes milliseconds: the machine was busy
        self.done = 0  # all up to this number are complete here

    def read(self):
        """The creates that were not known before."""
        fresh = []
        open_ones = []
        last = self.done
        began = time.monotonic()
        requests = self.server.control(f"log?after={self.done}")["requests"]
        self.longest = max(self.longest, time.monotonic() - began)
        for entry in requests:
            last = entry["number"]
            if entry["status"] is None:
                open_ones.append(entry["number"])
            if entry["path"] == API + "/runs" and entry["method"] == "POST":
                if entry["number"] not in self.creates:
                    fresh.append(entry)
                self.creates[entry["number"]] = described(entry)
            elif entry["path"].startswith(API + "/runs/"):
                run, _, verb = entry["path"].rpartition("/")[2].partition(":")
                if entry["method"] == "GET":
                    self.looks.setdefault(run, {})[entry["number"]] = slim(entry)
                elif entry["status"] is not None:
                    self.verbs.setdefault(run, {})[entry["number"]] = (verb, entry["status"])
        self.done = min(open_ones) - 1 if open_ones else last
        self.server.control("log/clear", {"up_to": self.done})
        return [self.creates[entry["number"]] for entry in fresh]


def slim(entry):
    return {name: entry.get(name) for name in ("number", "time", "seconds", "status", "fault", "made")}


def described(entry):
    kept = slim(entry)
    try:
        body = json.loads(entry["body"])
        kept["run"] = body.get("run_id", "")
        kept["flow"] = body["display_name"].split(" ")[0]
        kept["event"] = body["runtime_config"]["parameters"]["event"]
    except (ValueError, KeyError, TypeError):
        kept |= {"run": kept.get("run", ""), "flow": "?", "event": "?"}
    return kept


class Hands(threading.Thread):
    def __init__(self, server, weir, seed):
        super().__init__(daemon=True)
        self.server, self.weir = server, weir
        self.chance = random.Random(seed)
        self.record = Record(server)
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.fault = None
        self.order = itertools.count()
        self.due = []  # (time, order, first try, act, the run that has to be there for it)
        self.met = set()
        self.deleted, self.ended, self.retried, self.others = {}, {}, {}, {}
        self.reports = {}  # run id -> [{"score", "sent", "taken", "recorded", "plan"}]
        self.strangers = []  # run ids that were reported and never were
        self.counts = {}

    def run(self):
        try:
            while not self.ending.wait(0.15):
                self.turn()
        except Exception as fault:  # noqa: BLE001: told by end()
            self.fault = fault

    def turn(self):
        for create in self.record.read():
            if create["run"] not in self.met and create["run"] not in self.others:
                self.met.add(create["run"])
                self.meet(create)
        while True:
            with self.lock:
                if not self.due or self.due[0][0] > time.monotonic():
                    return
                _, _, first, act, run = heapq.heappop(self.due)
            if not act() and time.monotonic() - first < PATIENCE:
                self.later(0.3, act, run, first)

    def later(self, delay, act, run=None, first=None):
        """`act` is repeated until it says that it is done."""
        with self.lock:
            begin = time.monotonic() + delay
            heapq.heappush(self.due, (begin, next(self.order), begin if first is None else first, act, run))

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def meet(self, create):
        """A run that the server is asked for the first time."""
        run, chance = create["run"], self.chance
        if create["flow"] == "again":
            self.later(chance.uniform(0.4, 3), lambda: self.verb(run, "retry", self.retried), run)
        if create["flow"] == "ended":
            self.later(chance.uniform(0.2, 3), lambda: self.verb(run, "terminate", self.ended), run)
        if create["flow"] == "deleted":
            delay = chance.choice((0, chance.uniform(0, 1), chance.uniform(0.5, 3)))
            self.later(delay, lambda: self.delete(run), run)
        if create["flow"] == "told":
            self.plan_reports(run, create["event"])

    def plan_reports(self, run, event):
        """When the flow says how it went: its Workflow ends 0.7 s after it was made."""
        chance = self.chance
        moments = {
            "before": [0], "with": [chance.uniform(0.5, 0.9)], "in grace": [chance.uniform(0.9, 3)],
            "late": [OUTPUTS_GRACE + ABSENCE + chance.uniform(3, 6)], "twice": [0.2, chance.uniform(0.3, 3)], "never": [],
        }  # fmt: skip
        plan = chance.choice(list(moments))
        self.count(f"report {plan}")
        for moment in moments[plan]:
            self.later(moment, self.reporting(run, event, plan))

    def reporting(self, run, score, plan):
        said = {"score": score, "plan": plan, "sent": None, "taken": None}
        self.reports.setdefault(run, []).append(said)

        def report():
            said["sent"] = said["sent"] or time.time()
            status, answer = self.weir.post(f"/v1/runs/{run}/report", {"outputs": {"score": score}})
            if status == 202:
                said["taken"], said["recorded"] = time.time(), answer["recorded"]
            elif status not in (0, 429, 500, 503):
                raise RuntimeError(f"a report was answered {status}: {answer}")
            return status == 202

        return report

    def verb(self, run, verb, into):
        """Done by the first answer that says yes; a run that ended by itself is let go."""
        status, _ = self.server.call("POST", f"/runs/{run}:{verb}")
        if status == 200:
            into[run] = time.time()
            self.count(verb)
        return status == 200 or (verb == "terminate" and status == 400)

    def delete(self, run):
        gone = self.server.control("runs/delete", {"run_ids": [run]})["deleted"]
        if gone:
            self.deleted[run] = time.time()
            self.count("delete")
        return gone > 0

    def other(self, pipeline):
        """Somebody else's run of the flow `told`, which may report itself before weir has seen it."""
        run = str(uuid.uuid4())
        event = f"other-{run[:8]}"
        body = {
            "run_id": run, "display_name": "told by others", "runtime_config": {"parameters": {"event": event}},
            "pipeline_version_reference": {"pipeline_id": pipeline},
        }  # fmt: skip
        self.others[run] = {"event": event, "made": False}

        def create():
            # Where the reply is lost, the run is there and a second request would make a stray.
            if self.server.call("GET", f"/runs/{run}")[0] == 404:
                self.server.call("POST", "/runs", body)
            self.others[run]["made"] = self.server.call("GET", f"/runs/{run}")[0] == 200
            return self.others[run]["made"]

        if self.chance.random() < 0.6:
            report = self.reporting(run, event, "early")
            self.later(0, lambda: report() and (self.later(0, create) or True))
        else:
            self.later(0, create)
        self.count("run of others")

    def stranger(self):
        """A report of a run that never is."""
        run = str(uuid.uuid4())
        self.strangers.append(run)
        self.later(0, self.reporting(run, "none", "stranger"))
        self.count("report of no run")

    def idle(self, rows):
        """Nothing is left to do but to runs that are not there."""
        with self.lock:
            return not any(run is None or run in rows for *_, run in self.due)

    def end(self):
        self.ending.set()
        self.join(60)
        if self.fault:
            raise RuntimeError(f"the hands failed: {self.fault!r}")
        self.record.read()


class Producer(threading.Thread):
    """Publishes what it is given, each event until weir acknowledged it."""

    def __init__(self, weir, seed):
        super().__init__(daemon=True)
        self.weir = weir
        self.chance = random.Random(seed)
        self.waiting = queue.Queue()
        self.sent = {}  # id -> flow, of acknowledged events
        self.repeats = 0
        self.fault = None

    def give(self, event_id, flow):
        self.waiting.put((event_id, flow))

    def run(self):
        while (item := self.waiting.get()) is not None:
            event_id, flow = item
            event = {"specversion": "1.0", "source": "/kfp-loop", "id": event_id, "type": f"loop.{flow}", "data": {}}
            for _ in range(2 if self.chance.random() < 0.05 else 1):
                if not self.publish(event):
                    return
            self.sent[event_id] = flow

    def publish(self, event):
        while True:
            status, answer = self.weir.post("/v1/events", event, "application/cloudevents+json")
            if status == 202:
                return True
            if status not in (0, 429, 500, 502, 503):
                self.fault = f"an event was answered {status}: {answer}"
                return False
            self.repeats += 1
            time.sleep(0.05)

    def end(self):
        self.waiting.put(None)
        self.join(120)
        if self.is_alive() or self.fault:
            raise RuntimeError(self.fault or "the last event was never acknowledged")
