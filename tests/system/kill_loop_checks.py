"""What must hold once the kill loop is over: events, runs, tasks, processes, files and the ledger."""

import json
import os
import pathlib
import subprocess
import time

LEFTOVER_SUFFIXES = (".part", ".tmp", ".new")


class Verdict:
    """What was found out about the events, and what else is wrong."""

    def __init__(self):
        self.ok = self.lost = self.twice = self.unknown = 0
        self.faults = []

    def count(self, what, decisions, runs):
        """The firings of one event by one trigger, and the runs of these."""
        if len(decisions) > 1 or len(runs) > 1:
            self.twice += 1
            self.faults.append(f"{what}: {len(decisions)} fired decisions, {len(runs)} runs")
        elif not decisions or not runs:
            self.lost += 1
            self.faults.append(f"{what}: {len(decisions)} fired decisions, {len(runs)} runs")
        elif runs[0]["state"] != "settled" or runs[0]["outcome"] != "succeeded":
            self.unknown += 1
            self.faults.append(f"{what}: its run is {runs[0]['state']} {runs[0]['outcome']}: {runs[0]['reason']}")
        else:
            self.ok += 1
            return True
        return False


def check_events(weir, producer, verdict):
    """One decision and one run for each event, for each finish and for each slot. Returns the runs."""
    recorded = {event["id"] for event in weir.ask("events") if event["source"] == "/kill-loop"}
    for missing in sorted(set(producer.sent) - recorded):
        verdict.faults.append(f"event {missing} was acknowledged and is not recorded")
    runs = weir.ask("runs")
    fired = [decision for decision in weir.ask("decisions") if decision["verdict"] == "fired"]
    runs_of, fired_by = {}, {}
    for run in runs:
        runs_of.setdefault(run["decision"], []).append(run)
    for decision in fired:
        # A slot is no recorded event: its cause names it.
        for event in decision["events"] or [{"id": decision["cause"]}]:
            fired_by.setdefault((decision["trigger"], event["id"]), []).append(decision)

    def firings(trigger, event):
        decisions = fired_by.pop((trigger, event), [])
        return decisions, [run for decision in decisions for run in runs_of.pop(decision["decision"], [])]

    for event, kind in producer.sent.items():
        decisions, started = firings("plain" if kind == "load.plain" else "tasks", event)
        if not verdict.count(f"event {event}", decisions, started) or kind != "load.plain":
            continue
        finish = f"{started[0]['run']}/{started[0]['attempt']}"
        decisions, started = firings("chained", finish)
        if len(decisions) != 1 or len(started) != 1:
            verdict.faults.append(f"finish {finish}: {len(decisions)} fired decisions, {len(started)} runs")
    slots = []
    for trigger, event in list(fired_by):
        if trigger != "each-minute":
            continue
        decisions, started = firings(trigger, event)
        slots.append(decisions[0]["cause"])
        if len(decisions) != 1 or len(started) != 1:
            verdict.faults.append(f"slot {event}: {len(decisions)} fired decisions, {len(started)} runs")
    check_slots(slots, verdict)
    for trigger, event in fired_by:
        verdict.faults.append(f"trigger {trigger} fired for {event}, which nobody published")
    for decision in runs_of:
        verdict.faults.append(f"a run has the decision {decision}, which did not fire")
    return runs


def check_slots(causes, verdict):
    """Causes read "slot LEAF 2026-05-01T12:00:00Z": no minute is left out between the first and the last."""
    minutes = sorted(time.strptime(cause.rsplit(" ", 1)[1][:16], "%Y-%m-%dT%H:%M") for cause in causes)
    seconds = [time.mktime(minute) for minute in minutes]
    for one, next_one in zip(seconds, seconds[1:]):
        if next_one - one != 60:
            verdict.faults.append(f"a slot is missing after {time.strftime('%H:%M', time.localtime(one))}")


def check_tasks(weir, journal, runs, verdict):
    """What the tasks themselves saw, against what weir recorded about them."""
    seen = {}
    for line in journal.read_text().splitlines() if journal.exists() else []:
        word, run, attempt = line.split(" ")
        seen.setdefault((word, run), []).append(int(attempt))
        if word == "overlap":
            verdict.twice += 1
            verdict.faults.append(f"run {run} was executed twice at the same time (attempt {attempt})")
    again = 0
    for run in runs:
        if run["backend"] != "local":
            continue
        begun, done = seen.get(("begin", run["run"]), []), seen.get(("end", run["run"]), [])
        folder = weir.data / "local" / "runs" / run["run"] / "tasks" / "work"
        states = {}
        for file in folder.glob("@*.json"):
            states[int(file.stem[1:])] = json.loads(file.read_text())["state"]
        good = [attempt for attempt, state in states.items() if state == "succeeded"]
        if len(set(begun)) != len(begun):
            verdict.faults.append(f"run {run['run']} began an attempt twice: {begun}")
        if len(good) != 1 or good[0] != max(states) or done.count(good[0]) != 1 or max(begun) != good[0]:
            verdict.faults.append(f"run {run['run']}: recorded {states}, begun {begun}, ended {done}")
        again += len(begun) - 1
    return again


def check_process(weir, verdict):
    """Open files of a weir at rest."""
    opened = []
    for entry in pathlib.Path(f"/proc/{weir.process.pid}/fd").iterdir():
        try:
            opened.append(os.readlink(entry))
        except OSError:
            pass  # closed meanwhile
    gone = [path for path in opened if path.endswith("(deleted)") and str(weir.data) in path]
    if gone or len(opened) > 100:
        verdict.faults.append(f"weir at rest has {len(opened)} files open, removed ones among them: {gone}")


def check_leftovers(weir, run_ids, verdict):
    """Nothing of it may live on once weir has stopped, and no half-written file lie about."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        ours = any(v.startswith(b"WEIR_RUN_ID=") and v[12:].decode(errors="replace") in run_ids for v in variables)
        if ours or str(weir.data).encode() in words:
            verdict.faults.append(f"process {entry.name} is left over: {words!r}")
    for path in weir.data.rglob("*"):
        if path.name.endswith(LEFTOVER_SUFFIXES) or path.name.startswith(".new-"):
            verdict.faults.append(f"a temporary file is left over: {path.relative_to(weir.data)}")


def check_ledger(weir, verdict):
    done = subprocess.run(
        [weir.program, "ledger", "verify", "--data", weir.data], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        verdict.faults.append(f"weir ledger verify: {done.stdout}{done.stderr}")
