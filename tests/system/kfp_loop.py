#!/usr/bin/env python3
"""Kills weir around its requests to a Kubeflow server that does all that such servers do: each firing has one run.

    kfp_loop.py --weir PROGRAM [--rounds N] [--seed S] [--keep] [--verbose]

`weir serve` launches on the scripted server (tests/support/kfp), which outlives it. A round is a life of weir: events
are published, each with a fault of its own CreateRun or none; some rounds have a fault of everything (404 for longer
than every wait, maintenance, bursts of 429, 500, 503); then weir is killed, at a random moment or at a named crash
point. Runs flap, fail and are retried, vanish, are terminated, report themselves early, late, twice or never. In the
end all is healed and drained, and kfp_loop_checks.py says what must hold. The last lines are "rounds N, kills N,
faults {...}, runs N, ok N, lost 0, twice 0, strays 0, unknown 0, seed S" and "N passed, N failed" (of the checks);
exit status 1 if anything is wrong; then the data folder is kept and named. Strays that the scripted fault itself
explains are named one by one, and do not count.
"""

import argparse
import collections
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from kfp_loop_checks import CHECKS, Evidence, Judge, missing
from kfp_loop_hands import Hands, Producer, same_event
from kfp_loop_lab import FIRED_BY_EVENTS, LAUNCH_TIMEOUT, ORPHAN_GRACE, WHOLE_WAIT, Served, Server
from kill_loop_checks import Verdict, check_leftovers, check_ledger, check_process

POINTS = ("before_send", "after_send", "before_commit", "after_commit", "kubeflow_in_request", "kubeflow_after_reply")
DRAIN_SECONDS = 60
CREATE = {"method": "POST", "path": "/runs$"}


def said(code, text):
    """An error as the server writes it."""
    return {"code": code, "message": text, "details": [{"@type": "type.googleapis.com/google.rpc.Status", "message": text}]}


def create_faults(chance):
    """What may happen to the CreateRun of one event, by name."""
    hang = LAUNCH_TIMEOUT + chance.uniform(0.2, 1)
    answers = {
        f"answer-{status}": {"do": "answer", "status": status, "body": body}
        for status, body in (
            (429, "slow down"), (500, said(13, "the database is away")), (502, "bad gateway"), (503, "no healthy upstream"),
            (504, "upstream request timeout"),
        )
    }  # fmt: skip
    answers |= {f"{name}-after": {**fault, "when": "after"} for name, fault in answers.items() if name != "answer-429"}
    ends = {f"{deed}-{when}": {"do": deed, "when": when} for deed in ("close", "reset") for when in ("before", "after")}
    return answers | ends | {
        "partial": {"do": "partial", "when": "after"},
        "hang-before": {"do": "hang", "seconds": hang},
        "hang-after": {"do": "hang", "when": "after", "seconds": hang},
        # Longer, and the cluster may sweep the Workflow away before its row is there: creationTimestamp has whole seconds.
        "slow": {"do": "slow_create", "seconds": round(chance.uniform(0.3, ORPHAN_GRACE - 1.2), 2)},
        "late-answer": {"do": "delay", "when": "after", "delay": round(chance.uniform(0.3, 2.5), 2)},
        "too-slow": {"do": "slow_create", "seconds": WHOLE_WAIT + 2},
        "other-id": {"do": "ignore_run_id"},
        "refused-400": {"do": "answer", "status": 400, "body": said(3, "parameter x is not required by pipeline")},
        "refused-403": {"do": "answer", "status": 403, "body": said(7, "user is not authorized")},
        "insert-fails": {"do": "insert_fails"},
        "cluster-refuses": {"do": "workflow_fails"},
        "cluster-slow": {"do": "workflow_times_out"},
        "cluster-slow-made": {"do": "workflow_times_out", "effect": True},
        "twice-lost": {"do": "close", "times": 2},
    }  # fmt: skip


RARE = ("too-slow", "other-id", "twice-lost")  # one in five of the others


def round_faults(chance):
    """What may happen to everything during a round, by name; most often nothing."""
    wait = WHOLE_WAIT + chance.uniform(0.5, 2)
    reads = {"method": "GET", "times": None, "for_seconds": round(chance.uniform(0.5, 3), 2)}
    burst = {"do": "answer", "path": "^/apis", "times": chance.randrange(3, 16)}
    return {
        "404": {"method": "GET", "path": "/runs/[^/:]+$", "do": "not_found", "for_seconds": wait},
        "burst-429": {**burst, "status": 429, "body": "slow down", "headers": {"Retry-After": "1"}},
        "burst-500": {**burst, "status": 500, "body": said(13, "Internal Server Error")},
        "burst-503": {**burst, "status": 503, "body": "no healthy upstream"},
        "lists-lost": {**reads, "path": "/runs$", "do": chance.choice(("close", "reset", "partial"))},
        "reads-fail": {**reads, "path": "/(pipelines|experiments)", "do": "answer", "status": 500, "body": said(13, "away")},
        "slow": {"path": "^/apis", "do": "delay", "delay": 0.3, "times": 20},
    }


class Trouble:
    """Faults, armed by name; every one is kept for the checks."""

    def __init__(self, server, chance):
        self.server, self.chance = server, chance
        self.known = {}

    def arm(self, name, fault):
        fault = {"times": 1, **fault, "id": name} if "for_seconds" not in fault else {**fault, "id": name}
        self.server.control("faults", fault)
        self.known[name] = fault

    def for_event(self, event):
        """A fault of this event's launch, or none."""
        if self.chance.random() < 0.35:
            return None
        menu = create_faults(self.chance)
        name = self.chance.choice(list(menu))
        if name in RARE and self.chance.random() < 0.8:
            name = "close-after"
        self.arm(f"{name} {event}", {**CREATE, "content": same_event(event), **menu[name]})
        return name

    def for_round(self, number):
        pick = self.chance.random()
        if pick < 0.1:
            seconds = round(self.chance.uniform(0.5, 5), 2)
            self.server.control("maintenance", {"seconds": seconds})
            self.known["maintenance"] = {"do": "answer", "status": 503}
        elif pick < 0.5:
            menu = round_faults(self.chance)
            name = self.chance.choice([*menu, "404"])
            self.arm(f"{name} round{number}", menu[name])

    def heal(self):
        """How often each kind was met."""
        used = self.server.control("faults")["used"]
        self.server.control("faults/clear", {})
        kinds = collections.Counter()
        for name, times in used.items():
            kinds[name.split(" ")[0]] += times
        return dict(sorted(kinds.items()))


class Loop:
    def __init__(self, options, folder, seed):
        self.options, self.folder = options, folder
        self.chance = random.Random(seed)
        self.server = Server(folder)
        self.weir = Served(options.weir.resolve(), folder, self.server.url)
        self.hands = Hands(self.server, self.weir, seed + 1)
        self.producer = Producer(self.weir, seed + 2)
        self.trouble = Trouble(self.server, self.chance)
        self.ends = collections.Counter()
        self.kills = []
        self.events = 0

    def start(self):
        self.weir.start()
        if not self.weir.wait_ready():
            raise RuntimeError("weir does not start")

    def publish(self):
        for _ in range(self.chance.randrange(1, 5)):
            self.events += 1
            event = f"e{self.events}"
            flow = self.chance.choice(["plain", "plain", *FIRED_BY_EVENTS])
            fault = self.trouble.for_event(event)
            if self.options.verbose:
                print(f"  {event} {flow} {fault or ''}")
            self.producer.give(event, flow)

    def life(self, number):
        """One round: weir lives until it is killed, or dies at a crash point."""
        chance, weir = self.chance, self.weir
        point = chance.choice(POINTS) if chance.random() < 0.4 else None
        weir.start(f"{point}:{chance.choice((1, 1, 2, 3, 8))}" if point else None)
        self.trouble.for_round(number)
        self.publish()
        if chance.random() < 0.2:
            self.hands.other(self.server.pipelines["told"])
        if chance.random() < 0.1:
            self.hands.stranger()
        if point is None and chance.random() < 0.1:
            name, died = "starting", weir.ended_within(chance.uniform(0, 0.3))
        else:
            # Every third life sees a whole wait through.
            length = chance.uniform(0.2, 2) if chance.random() < 0.65 else WHOLE_WAIT + chance.uniform(0, 2)
            name, died = "anywhere", not weir.wait_ready() or weir.ended_within(length)
        if died and (point is None or weir.process.returncode != -signal.SIGKILL):
            raise RuntimeError(f"weir ended by itself with {weir.process.returncode}, crash point {point}")
        weir.kill()
        self.kills.append(time.time())
        self.ends[point if died else name] += 1
        if self.hands.fault or self.producer.fault:
            raise RuntimeError(f"{self.hands.fault!r} {self.producer.fault}")

    def evidence(self):
        hands, record, runs = self.hands, self.hands.record, self.weir.ask("runs")
        unknown = [run["run"] for run in runs if run["state"] == "unknown"]
        return Evidence(
            sent_twice={run for run in unknown if "2 times" in self.weir.why(run)[1]},
            sent=dict(self.producer.sent), runs=runs, decisions=self.weir.ask("decisions"),
            rows=self.server.runs(), creates=list(record.creates.values()),
            looks={run: list(looks.values()) for run, looks in list(record.looks.items())},
            verbs={run: list(verbs.values()) for run, verbs in list(record.verbs.items())},
            faults=self.trouble.known, strays=self.server.control("strays")["strays"], deleted=dict(hands.deleted),
            ended=dict(hands.ended), others=dict(hands.others), reports=dict(hands.reports), strangers=hands.strangers,
            kills=self.kills, died_leaving=self.ends["kubeflow_in_request"],
        )  # fmt: skip

    def drain(self):
        """Until everything is as it must be, or for DRAIN_SECONDS."""
        began = time.monotonic()
        calm = 0
        while time.monotonic() < began + DRAIN_SECONDS and calm < 3:
            time.sleep(1)
            evidence = self.evidence()
            calm = calm + 1 if self.hands.idle(evidence.rows) and not missing(evidence) else 0
        self.hands.end()
        return time.monotonic() - began

    def run(self):
        self.start()
        self.weir.apply(self.folder / "documents.yaml")
        self.weir.kill()
        self.ends["applied"] += 1
        self.hands.start()
        self.producer.start()
        began = time.monotonic()
        for number in range(self.options.rounds):
            self.life(number)
            if number % 50 == 49:
                print(f"{number + 1} rounds, {self.events} events, {time.monotonic() - began:.0f} s", flush=True)
        healed = self.trouble.heal()
        self.start()
        self.producer.end()
        lasted = time.monotonic() - began
        print(f"{self.events} events in {lasted:.0f} s, drained after {self.drain():.0f} s more")
        print(f"weir died: {dict(self.ends)}; the hands: {dict(sorted(self.hands.counts.items()))}")
        print(f"the server once took {self.hands.record.longest:.1f} s for what takes milliseconds")
        return healed

    def judge(self):
        """(the judge, checks that held, checks that did not)."""
        judge, passed, failed = Judge(self.evidence()), 0, 0
        others = (self.check_why, self.check_end)
        for check in (*CHECKS, *others):
            before = len(judge.wrong)
            check(judge)
            passed, failed = (passed + 1, failed) if len(judge.wrong) == before else (passed, failed + 1)
        return judge, passed, failed

    def check_why(self, judge):
        """weir tells of each kind of end."""
        kinds = {}
        for run in judge.own:
            kinds.setdefault((run["flow"], run["state"], run["outcome"], (run["reason"] or "")[:20]), run)
        for run in kinds.values():
            status, text = self.weir.why(run["run"])
            words = [run["decision"][:8], run["flow"], (run["reason"] or "")[:30]]
            absent = [word for word in words if word not in text]
            if status != 0 or absent:
                judge.fault(f"weir why {run['run']} ({status}) lacks {absent}: {text[:2000]}")

    def check_end(self, judge):
        """A clean stop, a clean ledger, and nothing new in a quiet life more."""
        verdict = Verdict()
        check_process(self.weir, verdict)
        status = self.weir.stop()
        if status not in (0, -signal.SIGTERM):
            verdict.faults.append(f"SIGTERM ended weir with {status}")
        check_leftovers(self.weir, set(judge.by_id), verdict)
        check_ledger(self.weir, verdict)
        self.start()
        time.sleep(1)
        late = {run["run"] for run in self.weir.ask("runs")} - set(judge.by_id)
        if late:
            verdict.faults.append(f"runs that came after the end: {sorted(late)}")
        self.weir.stop()
        judge.wrong += verdict.faults

    def end(self):
        if self.weir.process is not None and self.weir.process.poll() is None:
            self.weir.kill()
        self.server.end()


def main():
    parser = argparse.ArgumentParser(description="Kills weir around its requests to a Kubeflow server.")
    parser.add_argument("--weir", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data folder")
    parser.add_argument("--verbose", action="store_true", help="name every event and its fault")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # weir and the server end with this program
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-kfp-loop-"))
    loop = Loop(options, folder, seed)
    try:
        faults = loop.run()
        judge, passed, failed = loop.judge()
    except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
        log = folder / "weir.log"
        print(log.read_text(errors="replace")[-4000:] if log.exists() else "", f"{fault}", sep="\n")
        print(f"seed {seed}; the data is in {folder}\n0 passed, 1 failed")
        return 1
    finally:
        loop.end()
    print(*judge.named, *judge.wrong[:50], sep="\n")
    print(f"ended: {dict(judge.ends)}; still looked for: {judge.looked_for}; never asked for: {judge.never_asked}; swept away: {judge.swept}; explained strays: {len(judge.named)}")
    bad = bool(judge.wrong or not judge.of.sent)
    if bad:
        print(f"{len(judge.wrong)} faults; the data is in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    print(
        f"rounds {options.rounds}, kills {sum(loop.ends.values())}, faults {faults}, runs {len(judge.own)}, ok {judge.ok}, "
        f"lost {judge.lost}, twice {judge.twice}, strays {judge.strays}, unknown {judge.unknown}, seed {seed}"
    )
    print(f"{passed} passed, {failed} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
