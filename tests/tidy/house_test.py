"""The checks of house/ over the house itself. `house_test.py SOURCE BUILD`; what is let pass stands in allowed.txt."""

import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from house import calls, files, floor, headers, lengths, symbols, tree  # noqa: E402

SOURCE, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
TREE = tree.Tree(SOURCE)
SHOWN = 40


def allowed():
    """(start of a finding, reason) of each line "PATH: WORDS | REASON" that is no comment; line numbers are left out."""
    for line in (HERE / "allowed.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            start, _, reason = line.partition(" | ")
            yield start, reason


def numberless(finding):
    return re.sub(r":\d+:", ":", finding, count=1)


class House(unittest.TestCase):
    def check(self, findings):
        let_pass = [start for start, reason in allowed() if reason]
        left = [finding for finding in findings if not any(numberless(finding).startswith(start) for start in let_pass)]
        if left:
            self.fail(f"{len(left)} findings:\n" + "\n".join(left[:SHOWN]))

    def test_floor_order(self):
        self.check(floor.check(TREE))

    def test_banned_calls(self):
        self.check(calls.check(TREE))

    def test_lengths(self):
        self.check(lengths.check(TREE))

    def test_dead_sources(self):
        self.check(files.dead_sources(TREE))

    def test_dead_headers(self):
        self.check(files.dead_headers(TREE))

    def test_dead_scripts(self):
        self.check(files.dead_scripts(TREE))

    def test_nothing_loose(self):
        self.check(files.loose(TREE))

    def test_readmes(self):
        self.check(files.readmes(TREE))

    def test_paths_in_readmes(self):
        self.check(files.readme_paths(TREE))

    def test_no_machine(self):
        self.check(files.machines(TREE))

    def test_public_headers(self):
        self.check(files.public_headers(TREE))

    def test_headers_alone(self):
        self.check(headers.check(TREE, BUILD))

    def test_library_alone(self):
        self.check(symbols.check(TREE, BUILD))

    def test_what_is_allowed_is_still_there(self):
        rooms = (floor.check, calls.check, lengths.check, files.check)
        findings = [numberless(finding) for room in rooms for finding in room(TREE)]
        for start, reason in allowed():
            self.assertTrue(reason, f"allowed.txt gives no reason for {start}")
            self.assertTrue(any(finding.startswith(start) for finding in findings), f"allowed.txt: {start} is no finding any more")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
