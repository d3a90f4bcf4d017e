#!/usr/bin/env python3
"""Kills weir and its broker again and again under traffic; every acknowledged event must have run exactly once.

    bus_loop.py --weir PROGRAM --produce PROGRAM --bus KIND:VERSION [--seconds N] [--rate N] [--seed S] [--keep]

A producer publishes events with unique ids to a real broker (nats:debian, nats:current, kafka:3.9, kafka:4.x) and
writes down each id that was acknowledged. Meanwhile `weir serve` dies by SIGKILL at random moments or at named crash
points, and the broker is killed, frozen, stopped, cut off, and started again. All of them talk to it through a proxy.
At the end all is healed and drained. The last lines are "kills of weir N, faults of the broker N, events N, ok N,
lost 0, twice 0, unknown 0, seed S" and "N passed, N failed"; exit status 1 if anything else than `ok` was counted or a
check failed; then the data folder is kept and named. WEIR_BROKERS names the file that says where the brokers are.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support" / "brokers"))
import brokers  # noqa: E402
from bus_loop_checks import check_all  # noqa: E402
from kill_loop import Weir  # noqa: E402
from kill_loop_checks import check_ledger, check_leftovers, check_process  # noqa: E402
from proxy import Proxy  # noqa: E402

POINTS = ("before_commit", "after_commit", "before_send", "after_send")
STREAM = "LOOP"
DRAIN_SECONDS = 300

FLOWS = """
flow: quick
team: t
backend: 'null'
settle_after: 100ms
parameters:
  key: {type: string}
  n: {type: integer}
"""

TRIGGERS = """
trigger: each
team: t
when: {event: loop.event}
launch:
  flow: quick
  parameters: {key: 'event.data.key', n: 'event.data.n'}
limits: {firings_per_minute: 1000000}
"""


class Served(Weir):
    """`weir serve` on one configuration, started and ended many times."""

    def __init__(self, program, folder, bus):
        super().__init__(program, folder)
        self.file = folder / "weir.yaml"
        self.file.write_text(json.dumps({  # JSON is YAML
            "weir": 1, "data": str(self.data), "log_level": "warn", "listen": {"port": self.port},
            "buses": {"loop": bus}, "backends": {"null": {}},
        }))  # fmt: skip

    def start(self, crash_at=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        if crash_at:
            environment["WEIR_CRASH_AT"] = crash_at
        with open(self.folder / "weir.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--config", self.file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )  # fmt: skip

    def wait_ready(self):
        """True once it answers, whatever it has to say about its bus; False if it ended before."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                return False
            ask = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                ask.request("GET", "/healthz")
                if ask.getresponse().status == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            finally:
                ask.close()
            time.sleep(0.02)
        raise RuntimeError("weir was not ready within 60 s")


def bus_of(kind, url):
    """The configuration of weir for the stream or topic that the producer writes to."""
    if kind == "nats":
        create = {"subjects": [f"{STREAM}.>"]}
        stream = {"stream": STREAM, "start": "earliest", "create": create}
        return {"kind": "nats", "urls": [url], "publish_subject": STREAM, "streams": [stream]}
    topic = {"topic": STREAM, "start": "earliest", "create": {"partitions": 3}}
    return {"kind": "kafka", "brokers": [url], "topics": [topic]}


class Producer:
    """The program that publishes, and the ids that the broker acknowledged to it."""

    def __init__(self, program, kind, url, folder, rate, seed):
        self.acked = folder / "acknowledged"
        mode = random.Random(seed).choice(("binary", "structured"))
        words = [program, "--kind", kind, "--url", url, "--stream", STREAM, "--acked", self.acked]
        words += ["--rate", str(rate), "--seed", str(seed), "--mode", mode]
        self.log = folder / "producer.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def end(self):
        """Lets it finish what it has begun; what it says about itself."""
        said, _ = self.process.communicate(timeout=180)  # closes its stdin
        if self.process.returncode != 0:
            end = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the producer ended with {self.process.returncode}: {said}{end}")
        return said.strip()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def acknowledged(self):
        return self.acked.read_text().split() if self.acked.exists() else []


class Trouble(threading.Thread):
    """Kills, freezes, stops and cuts off the broker until told to end; then all is well again."""

    def __init__(self, server, proxy, pause, seed):
        super().__init__(daemon=True)
        self.server, self.proxy, self.pause = server, proxy, pause
        self.chance = random.Random(seed)
        self.ending = threading.Event()
        self.done = {}
        self.fault = None

    def run(self):
        acts = (self.killed, self.killed, self.killed, self.frozen, self.stopped, self.cut, self.reset, self.held)
        try:
            while not self.ending.wait(self.chance.uniform(*self.pause)):
                act = self.chance.choice(acts)
                act()
                self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        except (brokers.BrokerError, OSError) as fault:
            self.fault = fault

    def killed(self):
        self.server.kill9()
        self.ending.wait(self.chance.choice((0, self.chance.uniform(0, 3))))
        self.server.start()

    def frozen(self):
        self.server.freeze()
        self.ending.wait(self.chance.uniform(0.1, 3))
        self.server.thaw()

    def stopped(self):
        self.server.restart()

    def cut(self):
        self.proxy.cut(self.chance.randrange(20_000), self.chance.choice(("to_target", "to_client", "both")))

    def reset(self):
        self.proxy.reset()

    def held(self):
        self.proxy.hold()
        self.ending.wait(self.chance.uniform(0.1, 3))
        self.proxy.pass_all()

    def end(self):
        self.ending.set()
        self.join(120)
        if self.is_alive() or self.fault:
            raise RuntimeError(f"the broker could not be brought back: {self.fault}")
        self.proxy.pass_all()
        self.server.thaw()
        return sum(self.done.values())


def kill_until(weir, until, chance):
    """Lives of weir until that time. Returns how they ended."""
    ends = {}
    while time.monotonic() < until:
        point = chance.choice(POINTS) if chance.random() < 0.4 else None
        weir.start(f"{point}:{chance.choice((1, 2, 5, 20))}" if point else None)
        if point is None and chance.random() < 0.15:
            died, name = weir.ended_within(chance.uniform(0, 0.5)), "starting"
        else:
            died, name = not weir.wait_ready() or weir.ended_within(chance.uniform(0.3, 4)), "anywhere"
        if died and (point is None or weir.process.returncode != -signal.SIGKILL):
            raise RuntimeError(f"weir ended by itself with {weir.process.returncode}, crash point {point}")
        weir.kill()
        name = point if died else name
        ends[name] = ends.get(name, 0) + 1
    return ends


def backend_runs(weir):
    return {path.stem for path in (weir.data / "null").glob("*.json")}


def wait_drained(weir, number):
    """Every run there must be is there and settled, or nothing more happens."""
    until = time.monotonic() + DRAIN_SECONDS
    before, still = -1, 0
    while time.monotonic() < until and still < 30:
        there = len(backend_runs(weir))
        still = still + 1 if there == before and there >= number else 0
        before = there
        if there >= number and still >= 4 and all(run["state"] == "settled" for run in weir.ask("runs")):
            return
        time.sleep(0.25)


def start(weir):
    weir.start()
    if not weir.wait_ready():
        raise RuntimeError("weir does not start")


def trial(weir, server, proxy, options, folder, seed):
    kind = options.bus.partition(":")[0]
    (folder / "flows.yaml").write_text(FLOWS)
    (folder / "triggers.yaml").write_text(TRIGGERS)
    start(weir)
    weir.apply(folder / "flows.yaml", folder / "triggers.yaml")
    producer = Producer(options.produce.resolve(), kind, server.url, folder, options.rate, seed + 1)
    try:
        trouble = Trouble(server, proxy, (1, 5) if kind == "nats" else (3, 9), seed + 2)
        trouble.start()
        time.sleep(1)
        weir.kill()
        began = time.monotonic()
        ends = kill_until(weir, began + options.seconds, random.Random(seed))
        faults = trouble.end()
        print(f"weir died: {ends}; the broker was: {trouble.done}; the network: {proxy.counts}")
        start(weir)
        print(f"the producer: {producer.end()}")
    finally:
        producer.kill()
    acknowledged = producer.acknowledged()
    healed = time.monotonic()
    wait_drained(weir, len(acknowledged))
    print(f"{len(acknowledged)} events in {healed - began:.0f} s, drained after {time.monotonic() - healed:.0f} s more")
    runs = weir.ask("runs")
    verdict = check_all(acknowledged, weir.ask("events"), weir.ask("decisions"), runs, backend_runs(weir))
    check_process(weir, verdict)
    status = weir.stop()
    if status not in (0, -signal.SIGTERM):
        verdict.faults.append(f"SIGTERM ended weir with {status}")
    check_leftovers(weir, {run["run"] for run in runs}, verdict)
    check_ledger(weir, verdict)
    # One quiet life more: nothing is decided again.
    start(weir)
    late = {run["run"] for run in weir.ask("runs")} - {run["run"] for run in runs}
    if late:
        verdict.faults.append(f"runs that came after the end: {sorted(late)}")
    weir.stop()
    return verdict, acknowledged, sum(ends.values()) + 1, faults


def run(options, folder, seed):
    kind, _, version = options.bus.partition(":")
    reserved = brokers.ReservedPort()
    with brokers.server(kind, version, folder / "broker", advertised=reserved.number) as server:
        with Proxy(reserved, server.port) as proxy:
            server.start()
            weir = Served(options.weir.resolve(), folder, bus_of(kind, server.url))
            try:
                return trial(weir, server, proxy, options, folder, seed)
            finally:
                if weir.process is not None and weir.process.poll() is None:
                    weir.kill()


def main():
    parser = argparse.ArgumentParser(description="Kills weir and its broker again and again under traffic.")
    parser.add_argument("--weir", required=True, type=pathlib.Path)
    parser.add_argument("--produce", required=True, type=pathlib.Path)
    parser.add_argument("--bus", required=True, help="nats:debian, nats:current, kafka:3.9, kafka:4.x")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rate", type=int, default=100, help="events a second")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # weir and the broker end with this program
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    print(f"{options.bus}, seed {seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-bus-loop-"))
    try:
        verdict, acknowledged, kills, faults = run(options, folder, seed)
    except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
        log = folder / "weir.log"
        print(log.read_text(errors="replace")[-4000:] if log.exists() else "", f"{fault}", sep="\n")
        print(f"{options.bus}, seed {seed}; the data is in {folder}\n0 passed, 1 failed")
        return 1
    for fault in verdict.faults[:50]:
        print(fault)
    bad = bool(verdict.faults or verdict.lost or verdict.twice or verdict.unknown or not acknowledged)
    if bad:
        print(f"{len(verdict.faults)} faults; the data is in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    print(
        f"{options.bus}: kills of weir {kills}, faults of the broker {faults}, events {len(acknowledged)}, "
        f"ok {verdict.ok}, lost {verdict.lost}, twice {verdict.twice}, unknown {verdict.unknown}, seed {seed}"
    )
    print("0 passed, 1 failed" if bad else "1 passed, 0 failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
