#!/usr/bin/env python3
"""Plants each defect of this folder in a copy of the sources and demands that the simulation turns red.

    run.py SOURCE [--only NAME]... [--seeds N] [--build FOLDER]

Only the target tests/sim/sim-test is built, once whole and then once for each patch. Without any patch it must pass,
or red would mean nothing. The end is a table and the line "N passed, N failed"; a defect passes that is seen.
With --build the copy and its build are kept in FOLDER and used again.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TARGET = "tests/sim/sim-test"
SECONDS_MAX = 1800
FAILED_LINE = ("REQUIRE(", "CHECK(", "terminate called", "broken invariant")


def run(words, folder, timeout=None, **environment):
    return subprocess.run(
        [str(word) for word in words], cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, check=False,
    )  # fmt: skip


def copy_sources(source, target):
    def ignored(folder, names):
        top = pathlib.Path(folder) == source
        return [name for name in names if name in (".git", "__pycache__") or (top and name.startswith("build"))]

    shutil.copytree(source, target, ignore=ignored, symlinks=True)


class Workshop:
    """A copy of the sources, and its build."""

    def __init__(self, source, folder, seeds):
        self.source = folder / "source"
        self.build = folder / "build"
        self.seeds = str(seeds)
        # The same objects wherever the copy lies, if there is ccache.
        self.environment = {"CCACHE_BASEDIR": str(self.source), "CCACHE_NOHASHDIR": "1"}
        if not self.source.exists():
            copy_sources(source, self.source)
        if not (self.build / "build.ninja").exists():
            words = ["meson", "setup", self.build, "-Dbuildtype=debug", "-Ddebug=false", "--wrap-mode=nodownload"]
            done = run(words, self.source, **self.environment)
            if done.returncode != 0:
                raise RuntimeError(f"the configuration failed:\n{done.stdout[-3000:]}")

    def make(self):
        done = run(["ninja", "-C", self.build, TARGET], self.source, **self.environment)
        return None if done.returncode == 0 else done.stdout[-3000:]

    def patch(self, patch, *options):
        return run(["patch", "-p1", "--batch", "--fuzz=0", *options, "-i", patch], self.source)

    def test(self):
        """(passed, first line that says what is wrong)"""
        try:
            done = run([self.build / TARGET, "--abort"], self.build, SECONDS_MAX, WEIR_SEEDS=self.seeds)
        except subprocess.TimeoutExpired:
            return False, f"no end within {SECONDS_MAX} s"
        if done.returncode == 0:
            return True, ""
        return False, reason(done.stdout)


def reason(output):
    """The failed check, and the first thing that was told about it."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" =-.")]
    check = next((line for line in lines if any(word in line for word in FAILED_LINE)), lines[-1] if lines else "")
    for number, line in enumerate(lines):
        if line.startswith("due to "):  # an exception or a signal: the next line says which
            return " ".join(lines[number : number + 2])
        if line.startswith("with message"):
            told = [text.strip('" ') for text in lines[number + 1 : number + 4]]
            told = [text for text in told if not text.startswith(("WEIR_", "test cases:", "assertions:"))]
            return ": ".join([check, *told[:1]])
    return check


def plant(workshop, patch):
    """(seen, seconds, what was seen)"""
    began = time.monotonic()
    planted = workshop.patch(patch)
    if planted.returncode != 0:
        workshop.patch(patch, "--reverse", "--force")
        return False, 0, f"the patch does not fit any more: {' '.join(planted.stdout.split())}"
    try:
        fault = workshop.make()
        passed, line = (True, f"it does not build: {fault}") if fault else workshop.test()
    finally:
        workshop.patch(patch, "--reverse")
    return not passed, time.monotonic() - began, line or "nothing: the simulation stays green"


def main():
    parser = argparse.ArgumentParser(description="Plants defects; the simulation must turn red.")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--only", action="append", help="name of a patch without .patch")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--build", type=pathlib.Path, help="a folder to keep")
    options = parser.parse_args()
    source = options.source.resolve()
    patches = sorted((source / "tests" / "sim" / "defects").glob("*.patch"))
    if options.only:
        patches = [patch for patch in patches if patch.stem in options.only]
    folder = options.build.resolve() if options.build else pathlib.Path(tempfile.mkdtemp(prefix="weir-defects-"))
    folder.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    try:
        workshop = Workshop(source, folder, options.seeds)
        fault = workshop.make()
        if fault:
            raise RuntimeError(f"the build failed:\n{fault}")
        sound, line = workshop.test()
        print(f"{'(no defect)':32} {'green' if sound else 'RED'} {line}", flush=True)
        failed += not sound
        passed += sound
        for patch in patches if sound else []:
            seen, seconds, line = plant(workshop, patch)
            print(f"{patch.stem:32} {'red  ' if seen else 'GREEN'} {seconds:5.0f} s  {line[:160]}", flush=True)
            passed += seen
            failed += not seen
    except RuntimeError as fault:
        print(fault)
        failed += 1
    finally:
        if not options.build:
            shutil.rmtree(folder, ignore_errors=True)
    if not patches:
        print("there is no such patch")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
