#!/usr/bin/env python3
"""From an event's publishing to CreateRun's arrival at a Kubeflow server, idle, through the whole product.

    kubeflow_overhead.py WEIR [--events N]

`weir serve` with the scripted server (tests/support/kfp), events over HTTP one at a time. `warm`: pipeline, version and
experiment are known from the event before; `cold`: more than `resolve_cache` (2 s) has passed, three reads come first.
Measured until the server has read the whole request, by its clock (the same machine's). Prints one JSON object.
"""

import argparse
import http.client
import json
import pathlib
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE.parent / "support" / "kfp")]
from cases import API, form, spec  # noqa: E402
from engine import Engine, until  # noqa: E402
from scripted import server  # noqa: E402

CONFIG = """weir: 1
data: data
listen: {{address: 127.0.0.1, port: 0}}
backends:
  kubeflow: {{url: {url}}}
teams:
  bench: {{backends: [{{name: kubeflow, experiment: bench}}]}}
"""
DOCUMENTS = """flow: sink
team: bench
backend: kubeflow
pipeline: sink
parameters: {n: {type: integer}}
---
trigger: each
team: bench
when: {event: bench.tick}
launch: {flow: sink, parameters: {n: 'int(event.data.n)'}}
"""


def upload(kfp):
    body, headers = form(spec("n: {parameterType: NUMBER_INTEGER}", "sink"))
    connection = http.client.HTTPConnection("127.0.0.1", kfp.port)
    connection.request("POST", f"{API}/pipelines/upload?name=sink", body, headers)
    answer = connection.getresponse()
    assert answer.read() and answer.status == 200, answer.status


def creates(kfp):
    return kfp.get("log?method=POST&path=/v2beta1/runs")["requests"]


def measure(weir, kfp, count, pause, first):
    """Milliseconds of `count` events, `pause` seconds apart; the publishing alone beside."""
    total, publishing = [], []
    for n in range(first, first + count):
        time.sleep(pause)
        event = {"specversion": "1.0", "id": f"e{n}", "source": "/bench", "type": "bench.tick", "data": {"n": n}}
        seen = len(creates(kfp))
        start = time.time()
        status, answer = weir.ask(
            "POST", "/v1/events", json.dumps(event), {"Content-Type": "application/cloudevents+json"}
        )
        publishing.append(1000 * (time.time() - start))
        assert status == 202, answer
        until(lambda seen=seen: len(creates(kfp)) > seen, f"the run of event {n} is asked for")
        total.append(1000 * (creates(kfp)[-1]["time"] - start))
    return {"events": count, "total": spread(total), "publish_until_durable": spread(publishing)}


def spread(values):
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(share * len(values)))]  # noqa: E731
    return {"p50_ms": round(statistics.median(values), 2), "p95_ms": round(at(0.95), 2), "max_ms": round(values[-1], 2)}


def main():
    parser = argparse.ArgumentParser(description="Overhead of weir before a Kubeflow run is asked for.")
    parser.add_argument("weir", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as name, server.Scripted() as kfp:
        folder = pathlib.Path(name)
        (folder / "weir.yaml").write_text(CONFIG.format(url=kfp.url))
        upload(kfp)
        weir = Engine(options.weir.resolve(), folder).wait_ready()
        try:
            weir.apply({"bench.yaml": DOCUMENTS})
            measure(weir, kfp, 5, 0.05, 0)
            warm = measure(weir, kfp, options.events, 0.05, 5)
            cold = measure(weir, kfp, max(5, options.events // 20), 2.5, 5 + options.events)
        finally:
            weir.end()
    print(json.dumps({"mode": "kubeflow-overhead", "warm": warm, "cold": cold}, indent=2))


if __name__ == "__main__":
    main()
