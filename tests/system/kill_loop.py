#!/usr/bin/env python3
"""Kills `weir dev` again and again under traffic; afterwards every event must have been decided and run exactly once.

    kill_loop.py --weir PROGRAM [--kills N] [--seed S] [--keep]

A producer publishes events over HTTP and repeats each one until it is acknowledged, so that duplicates happen. Every
other life of weir ends by SIGKILL at a random moment, the others kill themselves at the n-th pass of a named crash
point. The end is a line "kills N, events N, ok N, lost 0, twice 0, unknown 0, seed S"; exit status 1 if anything else
than `ok` was counted or a check failed; then the data folder is kept and named.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from kill_loop_checks import Verdict, check_events, check_leftovers, check_ledger, check_process, check_tasks

POINTS = (
    "before_commit", "after_commit", "before_send", "after_send",
    "bus_before_commit", "bus_after_commit",
    "local_before_accept", "local_after_accept", "local_before_spawn",
    "local_before_task_record", "local_after_task_record", "local_before_settle", "local_after_settle",
)  # fmt: skip
START_SECONDS = 60
SETTLE_SECONDS = 300
LOCAL_EVERY_SECONDS = 1.0  # tasks are real processes; the other flows take the load

# Says in the journal what happened to this attempt. The lock ends with the last process that has it open.
TASK = """
exec 9>"$0/$WEIR_RUN_ID.lock"
flock -n 9 || echo "overlap $WEIR_RUN_ID $WEIR_ATTEMPT" >>"$0/journal"
echo "begin $WEIR_RUN_ID $WEIR_ATTEMPT" >>"$0/journal"
sleep "$1"
echo "end $WEIR_RUN_ID $WEIR_ATTEMPT" >>"$0/journal"
"""

FLOWS = """
flow: quick
team: t
backend: 'null'
settle_after: 300ms
---
flow: after
team: t
backend: 'null'
---
flow: task
team: t
backend: local
pipeline: task.yaml
"""

TRIGGERS = """
trigger: plain
team: t
when: {event: load.plain}
launch: {flow: quick}
limits: {firings_per_minute: 1000000}
---
trigger: chained
team: t
when: {finish: quick}
launch: {flow: after}
limits: {firings_per_minute: 1000000}
---
trigger: tasks
team: t
when: {event: load.task}
launch:
  flow: task
  parameters: {seconds: 'string(event.data.seconds)'}
---
trigger: each-minute
team: t
when: {schedule: '* * * * *', timezone: UTC}
launch: {flow: after}
"""


def pipeline(folder):
    """A pipeline of one container component, as the kfp compiler would write it; JSON is YAML."""
    text = {"parameterType": "STRING"}
    inputs = {"parameters": {"seconds": text}}
    command = ["sh", "-ec", TASK, str(folder), "{{$.inputs.parameters['seconds']}}"]
    task = {
        "taskInfo": {"name": "work"},
        "componentRef": {"name": "comp-work"},
        "inputs": {"parameters": {"seconds": {"componentInputParameter": "seconds"}}},
    }
    return json.dumps({
        "components": {"comp-work": {"executorLabel": "exec-work", "inputDefinitions": inputs}},
        "deploymentSpec": {"executors": {"exec-work": {"container": {"image": "debian:12", "command": command}}}},
        "pipelineInfo": {"name": "task"},
        "root": {"dag": {"tasks": {"work": task}}, "inputDefinitions": inputs},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.13.0",
    })  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Weir:
    """One program on one data folder and port, started and ended many times."""

    def __init__(self, program, folder):
        self.program = str(program)
        self.folder = folder
        self.data = folder / "data"
        self.ready = folder / "ready"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, crash_at=None):
        self.ready.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        if crash_at:
            environment["WEIR_CRASH_AT"] = crash_at
        words = [self.program, "dev", "--data", self.data, "--port", str(self.port), "--on-ready", self.ready]
        with open(self.folder / "weir.log", "ab") as log:
            self.process = subprocess.Popen(
                [*words, "--log-level", "error"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment,
            )  # fmt: skip

    def wait_ready(self):
        """True once it serves; False if it ended before."""
        until = time.monotonic() + START_SECONDS
        while not self.ready.exists():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > until:
                raise RuntimeError(f"weir was not ready within {START_SECONDS} s")
            time.sleep(0.02)
        return True

    def ended_within(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def ask(self, *words):
        """The lines of a client command."""
        done = subprocess.run(
            [self.program, *words, "--json", "-n", "1000000", "--server", self.url],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"weir {' '.join(words)}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def apply(self, *paths):
        words = [self.program, "apply", *paths, "--server", self.url]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class Producer(threading.Thread):
    """Publishes until told to stop, each event until weir acknowledged it."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port = port
        self.chance = random.Random(seed)
        self.ending = threading.Event()
        self.sent = {}  # id -> type, of acknowledged events
        self.repeats = 0
        self.fault = None

    def post(self, event):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                "POST", "/v1/events", json.dumps(event), {"Content-Type": "application/cloudevents+json"}
            )
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if answer.status == 202:
            return True
        if answer.status in (429, 500, 502, 503):
            return False
        raise RuntimeError(f"an event was answered {answer.status}: {body.decode(errors='replace')}")

    def publish(self, event):
        while not self.post(event):
            self.repeats += 1
            time.sleep(0.02)

    def run(self):
        try:
            self.produce()
        except RuntimeError as fault:
            self.fault = fault

    def produce(self):
        number, next_task, last = 0, time.monotonic(), None
        while not self.ending.is_set():
            if last and self.chance.random() < 0.03:
                self.publish(last)  # acknowledged already: sent once more all the same
            number += 1
            event = {"specversion": "1.0", "source": "/kill-loop", "id": f"e{number}", "type": "load.plain"}
            event["data"] = {"n": number}
            if time.monotonic() >= next_task:
                next_task = time.monotonic() + LOCAL_EVERY_SECONDS
                event["type"] = "load.task"
                event["data"]["seconds"] = f"{self.chance.uniform(0.3, 1):.2f}"
            self.publish(event)
            self.sent[event["id"]] = event["type"]
            last = event
            time.sleep(self.chance.uniform(0.005, 0.05))

    def end(self):
        self.ending.set()
        self.join(300)
        if self.is_alive():
            raise RuntimeError("the last event was never acknowledged")
        if self.fault:
            raise self.fault


def kill_many(weir, kills, chance):
    """`kills` lives of weir. Returns how they ended."""
    ends = {}
    for life in range(kills):
        point = None
        if life % 2 == 1:
            point = POINTS[(life // 2) % len(POINTS)] if life < 2 * len(POINTS) else chance.choice(POINTS)
        count = chance.choice((1, 1, 2, 3, 8, 25))
        weir.start(f"{point}:{count}" if point else None)
        early = point is None and chance.random() < 0.2
        if early:
            died = weir.ended_within(chance.uniform(0, 0.7))  # perhaps before it is ready
        else:
            died = not weir.wait_ready()
            died = died or weir.ended_within(chance.uniform(0.3, 2.5) if point is None else 8)
        if died and point is None:
            raise RuntimeError(f"weir ended by itself with {weir.process.returncode}")
        if died and weir.process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"weir ended with {weir.process.returncode} instead of dying at {point}")
        weir.kill()
        name = point if died else "starting" if early else "anywhere"
        ends[name] = ends.get(name, 0) + 1
    return ends


def wait_settled(weir, producer):
    """Every run there must be is there and has ended."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        runs = weir.ask("runs")
        of = [run["trigger"] for run in runs]
        plain = sum(1 for kind in producer.sent.values() if kind == "load.plain")
        enough = of.count("chained") >= plain and len(producer.sent) <= of.count("plain") + of.count("tasks")
        if enough and all(run["state"] == "settled" for run in runs):
            return
        time.sleep(0.5)


def stop_at_rest(weir, verdict):
    status = weir.stop()
    if status not in (0, -signal.SIGTERM):
        verdict.faults.append(f"SIGTERM ended weir with {status}")


def trial(weir, folder, kills, seed):
    (folder / "task.yaml").write_text(pipeline(folder))
    (folder / "flows.yaml").write_text(FLOWS)
    (folder / "triggers.yaml").write_text(TRIGGERS)
    verdict = Verdict()
    weir.start()
    if not weir.wait_ready():
        raise RuntimeError("weir does not start")
    weir.apply(folder / "flows.yaml", folder / "triggers.yaml")
    producer = Producer(weir.port, seed + 1)
    producer.start()
    began = time.monotonic()
    ended_by = {"anywhere": 1}
    time.sleep(1)
    weir.kill()
    for name, number in kill_many(weir, kills - 1, random.Random(seed)).items():
        ended_by[name] = ended_by.get(name, 0) + number
    weir.start()
    if not weir.wait_ready():
        raise RuntimeError("weir does not start")
    producer.end()
    print(f"killed within {time.monotonic() - began:.0f} s: {ended_by}; repeated requests: {producer.repeats}")
    wait_settled(weir, producer)
    runs = check_events(weir, producer, verdict)
    again = check_tasks(weir, folder / "journal", runs, verdict)
    check_process(weir, verdict)
    stop_at_rest(weir, verdict)
    check_leftovers(weir, {run["run"] for run in runs}, verdict)
    check_ledger(weir, verdict)
    # One quiet life more: locks are free, and nothing is decided again.
    weir.start()
    if not weir.wait_ready():
        raise RuntimeError("weir does not start again after a clean stop")
    late = {run["run"] for run in weir.ask("runs") if run["trigger"] != "each-minute"} - {run["run"] for run in runs}
    if late:
        verdict.faults.append(f"runs that came after the end: {sorted(late)}")
    stop_at_rest(weir, verdict)
    print(f"{len(runs)} runs; tasks that were interrupted and ran again: {again}")
    return verdict, producer


def main():
    parser = argparse.ArgumentParser(description="Kills weir again and again under traffic.")
    parser.add_argument("--weir", required=True, type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # weir ends with this program
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-kill-loop-"))
    weir = Weir(options.weir.resolve(), folder)
    try:
        verdict, producer = trial(weir, folder, options.kills, seed)
    except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
        log = folder / "weir.log"
        print(log.read_text(errors="replace")[-4000:] if log.exists() else "", f"{fault}", sep="\n")
        print(f"seed {seed}; the data is in {folder}")
        return 1
    finally:
        if weir.process is not None and weir.process.poll() is None:
            weir.kill()
    for fault in verdict.faults[:50]:
        print(fault)
    bad = bool(verdict.faults or verdict.lost or verdict.twice or verdict.unknown or not producer.sent)
    if bad:
        print(f"{len(verdict.faults)} faults; the data is in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    print(
        f"kills {options.kills}, events {len(producer.sent)}, ok {verdict.ok}, lost {verdict.lost}, "
        f"twice {verdict.twice}, unknown {verdict.unknown}, seed {seed}"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
