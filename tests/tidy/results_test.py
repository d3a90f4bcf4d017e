"""The counting of test cases: what a person reads at the end of a run must be true."""

import importlib.util
import pathlib
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "results.py"
spec = importlib.util.spec_from_file_location("results", SOURCE)
results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results)


def entry(stdout, result="OK", stderr=""):
    return {"name": "x", "stdout": stdout, "stderr": stderr, "result": result}


class CountOne(unittest.TestCase):
    def check(self, text, result, expected):
        self.assertEqual(results.count_one(entry(text, result)), expected)

    def test_catch(self):
        self.check("All tests passed (89 assertions in 18 test cases)\n", "OK", (18, 0))
        self.check("All tests passed (1 assertion in 1 test case)\n", "OK", (1, 0))
        self.check("test cases: 5 | 3 passed | 2 failed\nassertions: 9 | 7 passed | 2 failed\n", "FAIL", (3, 2))
        self.check("test cases: 2 | 2 failed\n", "FAIL", (0, 2))

    def test_a_skipped_case_counts_as_failed(self):
        self.check("test cases: 3 | 2 passed | 1 skipped\nassertions: 2 | 2 passed\n", "OK", (2, 1))
        self.check("Ran 4 tests in 0.1s\n\nOK (skipped=1)\n", "OK", (3, 1))
        self.check("12 passed, 0 failed, 3 skipped\n", "OK", (12, 3))
        self.check("", "SKIP", (0, 1))

    def test_unittest(self):
        self.check("Ran 4 tests in 0.1s\n\nOK\n", "OK", (4, 0))
        self.check("Ran 4 tests in 0.1s\n\nFAILED (failures=1, errors=2)\n", "FAIL", (1, 3))

    def test_plain_line_and_silence(self):
        self.check("noise\n7 passed, 1 failed\n", "FAIL", (7, 1))
        self.check("nothing known\n", "OK", (1, 0))
        self.check("nothing known\n", "FAIL", (0, 1))

    def test_what_ends_badly_after_counting_failed(self):
        self.check("All tests passed (89 assertions in 18 test cases)\nLeakSanitizer: ...\n", "FAIL", (18, 1))
        self.check("All tests passed (8 assertions in 1 test case)\n", "TIMEOUT", (1, 1))

    def test_a_program_without_cases_failed(self):
        self.check("No tests ran\nRan 0 tests in 0.000s\n\nOK\n", "OK", (0, 1))
        self.check("All tests passed (no assertions in 0 test cases)\n", "OK", (0, 1))


if __name__ == "__main__":
    unittest.main()
