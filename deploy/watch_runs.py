#!/usr/bin/env python3
"""Follows runs until as many of each flow have ended as were asked for; says each change. For quickstart.sh.

    watch_runs.py --weir PATH --ids FILE FLOW=NUMBER...

Writes train_run, alert_run and held_event as shell words into FILE. Exit status 1 if they do not end within the time.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time

SECONDS_MAX = 240
ENDED = {"succeeded", "failed", "cancelled", "skipped", "refused", "lost"}


def lines(weir, *words):
    """The objects that a listing prints."""
    done = subprocess.run([weir, *words, "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"weir {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def say_changes(runs, seen, begun):
    for run in sorted(runs, key=lambda run: run["created_at"] or ""):
        now = run["outcome"] or run["state"]
        if seen.get(run["run"]) != now:
            seen[run["run"]] = now
            day = (run["parameters"] or {}).get("date") or ""
            print(f"    {time.monotonic() - begun:5.1f} s  {run['flow']:<9} {now:<10} {run['run']}  {day}", flush=True)


def ended(runs, flow):
    return [run for run in runs if run["flow"] == flow and run["outcome"] in ENDED]


def held_event(weir, runs):
    """The id of the event that told of quality's end on the day whose features failed."""
    bad_days = {run["parameters"]["date"] for run in runs if run["flow"] == "features" and run["outcome"] == "failed"}
    for run in ended(runs, "quality"):
        if run["parameters"]["date"] in bad_days:
            return f"{run['run']}/{run['attempt']}"
    raise SystemExit("no run of quality waits in the join; see weir runs")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weir", required=True)
    parser.add_argument("--ids", required=True)
    parser.add_argument("wanted", nargs="+", metavar="FLOW=NUMBER")
    options = parser.parse_args()
    wanted = {flow: int(number) for flow, number in (word.split("=") for word in options.wanted)}

    begun = said = time.monotonic()
    seen = {}
    while True:
        runs = lines(options.weir, "runs")
        before = len(seen), list(seen.values())
        say_changes(runs, seen, begun)
        missing = [flow for flow, number in wanted.items() if len(ended(runs, flow)) < number]
        if not missing:
            break
        now = time.monotonic()
        if (len(seen), list(seen.values())) != before:
            said = now
        elif now - said > 10:
            said = now
            print(f"    {now - begun:5.1f} s  waiting for: {', '.join(missing)}", flush=True)
        if now - begun > SECONDS_MAX:
            print(f"did not end within {SECONDS_MAX} s: {', '.join(missing)}", file=sys.stderr)
            return 1
        time.sleep(0.3)

    for flow in ("train", "alert"):
        if ended(runs, flow)[0]["outcome"] != "succeeded":
            print(f"{flow} ended as {ended(runs, flow)[0]['outcome']}", file=sys.stderr)
            return 1
    with open(options.ids, "w", encoding="utf-8") as file:
        for name, value in (
            ("train_run", ended(runs, "train")[0]["run"]),
            ("alert_run", ended(runs, "alert")[0]["run"]),
            ("held_event", held_event(options.weir, runs)),
        ):
            file.write(f"{name}={shlex.quote(value)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
