#!/usr/bin/env python3
"""Counts what `meson test` ran, by test case, and shows the ends of what failed.

    results.py count BUILD SUITE...     the last run of BUILD; every SUITE must have run something
    results.py targets BUILD SUITE...   the build targets that the tests of these suites need

A test program says in its own words how many cases it ran (Catch2, unittest, or a line "N passed, N failed"); one that
says nothing recognisable is one case. A skipped case counts as failed: what was not run is not known to work. `count`
ends with the line "N passed, N failed" and exits with 1 on any failure.
"""

import json
import pathlib
import re
import subprocess
import sys

TAIL_LINES = 60

CATCH_ALL = re.compile(r"^All tests passed \((?:\d+|no) assertions? in (\d+) test cases?\)", re.M)
CATCH_SOME = re.compile(r"^test cases:\s+(\d+)(.*)$", re.M)
CATCH_PART = re.compile(r"(\d+) (passed|failed as expected|failed|skipped)")
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.M)
UNITTEST_END = re.compile(r"^(OK|FAILED)(?: \((.*)\))?$", re.M)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


def cases_in(text):
    """(passed, failed) as the program itself counted, or None if it said nothing that is known here."""
    if match := CATCH_ALL.search(text):
        return int(match[1]), 0
    if matches := CATCH_SOME.findall(text):
        total, rest = matches[-1]
        parts = {word: int(number) for number, word in CATCH_PART.findall(rest)}
        passed = parts.get("passed", 0) + parts.get("failed as expected", 0)
        return passed, int(total) - passed
    if match := UNITTEST_RAN.search(text):
        total = int(match[1])
        ends = UNITTEST_END.findall(text)
        words = dict(part.split("=") for part in (ends[-1][1] if ends else "").split(", ") if "=" in part)
        failed = sum(int(words.get(word, 0)) for word in ("failures", "errors", "skipped", "unexpected successes"))
        return max(total - failed, 0), failed
    if matches := PLAIN.findall(text):
        passed, failed, skipped = matches[-1]
        return int(passed), int(failed) + int(skipped or 0)
    return None


def count_one(entry):
    """(passed, failed) of one entry of meson's testlog.json."""
    text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    counted = cases_in(text)
    good = entry["result"] in ("OK", "EXPECTEDFAIL")
    if counted is None:
        counted = (1, 0) if good else (0, 1)
    passed, failed = counted
    if not good and failed == 0:  # it crashed, timed out or was skipped after or before it counted
        failed = 1
    if passed + failed == 0:  # a test program without a test case proves nothing
        failed = 1
    return passed, failed


def read_log(build):
    path = pathlib.Path(build) / "meson-logs" / "testlog.json"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line.strip()]


def count(build, suites):
    passed_sum = failed_sum = 0
    entries = read_log(build)
    for entry in entries:
        passed, failed = count_one(entry)
        passed_sum += passed
        failed_sum += failed
        if failed:
            print(f"\n--- {entry['name']}: {entry['result']}, {passed} passed, {failed} failed or skipped; its end:")
            text = (entry.get("stdout") or "") + (entry.get("stderr") or "")
            print("\n".join(text.splitlines()[-TAIL_LINES:]))
            print(f"--- again: {' '.join(entry.get('command') or [])}")
    known = suites_by_name(build)
    ran = {suite for entry in entries for suite in known.get(entry["name"].split(" / ")[-1], ())}
    for suite in suites:
        if suite not in ran:
            print(f"--- suite {suite}: ran no test")
            failed_sum += 1
    print(f"{passed_sum} passed, {failed_sum} failed")
    return 1 if failed_sum or not passed_sum else 0


def introspect(build, *what):
    command = ["meson", "introspect", *what, "--force-object-output", str(build)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def suites_by_name(build):
    """Which suites a test belongs to; meson writes "project:suite" here, and not at all into its log."""
    tests = introspect(build, "--tests")["tests"]
    return {test["name"]: {suite.split(":")[-1] for suite in test["suite"]} for test in tests}


def targets(build, suites):
    wanted = set(suites)
    described = introspect(build, "--tests", "--targets")
    outputs = {target["id"]: target["filename"] for target in described["targets"]}
    root = pathlib.Path(build).resolve()
    needed = set()
    for test in described["tests"]:
        if wanted & {suite.split(":")[-1] for suite in test["suite"]}:
            for target in test["depends"]:
                for output in outputs.get(target, []):
                    needed.add(str(pathlib.Path(output).resolve().relative_to(root)))
    print("\n".join(sorted(needed)))
    return 0


def main(arguments):
    if len(arguments) < 3 or arguments[0] not in ("count", "targets"):
        print(__doc__, file=sys.stderr)
        return 2
    return {"count": count, "targets": targets}[arguments[0]](arguments[1], arguments[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
