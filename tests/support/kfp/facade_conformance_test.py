#!/usr/bin/env python3
"""The façade held against our own exchanges, and against the recordings of the genuine server where they are.

    WEIR_PROGRAM=weir facade_conformance_test.py [--show]

The recordings' folder is named by WEIR_CONFORMANCE (else ../shared/conformance beside the source tree). Each file is
replayed on a `weir dev` of its own whose pipelines' commands only wait: no run ends by itself, so that what comes out does
not hang on time. What differs is listed in facade_differences.json, by exchange and place, each with its reason: a
difference that is not there fails, and so does one that is there and is not found any more. --show prints what was found in
that file's form."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import held_against  # noqa: E402
import own_exchanges  # noqa: E402
from holding import recording  # noqa: E402

SOURCE = HERE.parents[2]
FOLDER = pathlib.Path(os.environ.get("WEIR_CONFORMANCE") or SOURCE.parent / "shared" / "conformance") / "kfp-server"
NOT_FOR_US = {"g-multiuser.jsonl"}  # namespaces mean nothing here
EXPECTED = json.loads((HERE / "facade_differences.json").read_text(encoding="utf-8"))
WAITS = "#!/bin/sh\nexec /bin/sleep 300\n"


def hold(files):
    """The finished replay on a fresh façade."""
    with tempfile.TemporaryDirectory(prefix="weir-held-") as name:
        folder = pathlib.Path(name)
        for command in ("sh", "python3"):
            (folder / command).write_text(WAITS)
            (folder / command).chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}
        words = [sys.executable, HERE / "facade.py", os.environ["WEIR_PROGRAM"]]
        server = subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            started = json.loads(server.stdout.readline() or "{}")
            if not started.get("ok"):
                raise RuntimeError(f"weir dev did not start: {started.get('error')}")
            return held_against.hold(started["url"], files)
        finally:
            server.stdin.close()
            server.wait(timeout=60)
            server.stdout.close()


def place(line):
    """file:line name: path of a difference, without what was recorded and answered and without the line."""
    where, rest = line.split(" ", 1)
    name, _, path = rest.split(": recorded ", 1)[0].rpartition(": ")
    return f"{where.split(':', 1)[0]} {name}: {path}"


def found(done):
    differences = sorted({place(line) for line in done.differences})
    return {
        "exchanges": len(done.exchanges), "held": done.held, "not_held": len(done.not_held), "differences": differences,
    }  # fmt: skip


class Facade(unittest.TestCase):
    maxDiff = None

    def test_our_own(self):
        with tempfile.TemporaryDirectory() as folder:
            done = hold([own_exchanges.write(folder)])
        self.assertEqual((done.differences, done.not_held), ([], []))
        self.assertEqual(done.held, len(done.exchanges))
        self.assertGreater(done.held, 50)

    def test_the_recordings(self):
        files = [file for file in sorted(FOLDER.glob("*.jsonl")) if file.name not in NOT_FOR_US]
        if not files:  # they are a set of its own, and need not be there
            print(f"no recordings in {FOLDER}: only our own exchanges are held")
        for file in files:
            with self.subTest(file.name):
                self.assertGreater(len(recording.read(file)), 0)
                done = hold([file])
                self.check(file.name, done)

    def check(self, name, done):
        seen, known = found(done), EXPECTED[name]
        new = [line for line in done.differences if place(line) not in known["differences"]]
        self.assertEqual(new, [], "differences that are not listed")
        # Another recording of that name may lack some of them.
        if seen["exchanges"] == known["exchanges"]:
            self.assertEqual(sorted(known["differences"]), seen["differences"], "differences that are gone")
            self.assertEqual((seen["held"], seen["not_held"]), (known["held"], known["not_held"]), done.not_held)
        self.assertEqual(done.held + done.different + len(done.not_held), len(done.exchanges))
        self.assertGreater(done.held, 0)


def show():
    for file in sorted(FOLDER.glob("*.jsonl")):
        if file.name not in NOT_FOR_US:
            done = hold([file])
            print(json.dumps({file.name: found(done)}, indent=2))
            for line in done.differences + done.not_held:
                print("  #", line[:400])


if __name__ == "__main__":
    if "--show" in sys.argv:
        show()
    else:
        unittest.main()
