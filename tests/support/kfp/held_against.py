#!/usr/bin/env python3
"""Holds a server against recorded exchanges: replays each in order and prints what it answers differently.

    held_against.py URL FILE... [--as USER] [--ca FILE] [--pick-run-ids]

Compared are status, code, keys present and absent, kinds of values, and the values that the request determines; ids,
times and the words of messages are not. The files are replayed in the order given, on one server; where they speak of
what 00-setup.jsonl beside them made, that is replayed first. Requests that a recording takes for granted are made up:
runs that lists show, reports that moved a run in between. The latter, and requests under /oracle/, want a server with a
cluster side (/_control, see README.md). On others a look at the cluster is counted as not held, and what tells how a run fares
(its state, when it finished, its history, its tasks) is not compared; all else is.
Ends with 1 if anything differs.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from holding import recording, replay, target  # noqa: E402

SETUP = "00-setup.jsonl"


def exchanges_of(files):
    """Of all files, the setup first where it is needed."""
    listed = [exchange for path in files for exchange in recording.read(path)]
    setup = pathlib.Path(files[0]).parent / SETUP
    if setup.exists() and all(pathlib.Path(path).name != SETUP for path in files):
        first = recording.read(setup)
        made = {exchange.value[kind] for exchange in first if (kind := exchange.creates())}
        if any(key in exchange.target + (exchange.body or "") + exchange.text for key in made for exchange in listed):
            return first + listed
    return listed


def hold(url, files, identity=None, ca=None, give_run_ids=True):
    """The finished Replay: `held`, `differences`, `not_held`."""
    held = target.Target(url, identity, ca)
    try:
        return replay.Replay(held, exchanges_of(files), give_run_ids).run()
    finally:
        held.close()


def main():
    parser = argparse.ArgumentParser(description="Holds a KFP server against recorded exchanges.")
    parser.add_argument("url")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--as", dest="user", help="kubeflow-userid of the requests that are made up")
    parser.add_argument("--ca", help="certificate of the server's CA")
    parser.add_argument("--pick-run-ids", action="store_true", help="let the server pick run ids, as recorded")
    options = parser.parse_args()
    identity = {"kubeflow-userid": options.user} if options.user else {}
    done = hold(options.url, options.files, identity, options.ca, not options.pick_run_ids)
    for line in done.differences:
        print(line)
    for line in done.not_held:
        print(f"not held: {line}")
    print(
        f"{done.held} exchanges held, {done.different} differ ({len(done.differences)} differences),"
        f" {len(done.not_held)} not held"
    )
    return 1 if done.differences else 0


if __name__ == "__main__":
    sys.exit(main())
