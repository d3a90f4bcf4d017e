"""Banned calls, and where each is at home."""

import re

from .tree import code_of, line_of

# (what, pattern, folders or files where it is allowed, what to do instead)
UNIT_TESTS = tuple(
    f"tests/{name}/"
    for name in ("base", "cel", "events", "triggers", "flows", "ledger", "engine", "server", "cli", "sim", "contract")
)
OTHER_TESTS = ("tests/system/", "tests/bench/", "tests/support/", "tests/conformance/", "tests/tidy/")
BANNED = (
    ("a clock", r"\b\w+_clock::now\b|\bgettimeofday\s*\(|\bclock_gettime\s*\(|(?<![\w.>:])(?:std)?(?:::)?time\s*\(\s*(?:nullptr|NULL|0|&)",
     ("base/", *OTHER_TESTS), "take a Clock"),
    ("a sleep", r"\bsleep_(?:for|until)\s*\(|(?<![\w.>:])(?:::)?u?sleep\s*\(|\bnanosleep\s*\(",
     ("base/", *OTHER_TESTS), "wait for what is waited for, or use a timer of the loop"),
    ("chance", r"(?<![\w.>:])(?:std)?(?:::)?s?rand\s*\(|\brandom_device\b|\bmt19937|\bgetrandom\s*\(|\bgetentropy\s*\(|\bRAND_bytes\s*\(",
     ("base/", "tests/"), "take what base offers, so that a run can be repeated"),
    ("a shell", r"(?<![\w.>:])(?:std)?(?:::)?system\s*\(|\bpopen\s*\(",
     (), "spawn the program with an argument list"),
    ("the environment", r"\b(?:secure_)?getenv\s*\(|\bsetenv\s*\(|\bputenv\s*\(",
     ("base/", "src/app/", "src/cli/", "tests/"), "take a setting"),
    ("the terminal", r"\bstd::(?:cout|cerr|clog)\b|(?<![\w:])(?:std::)?(?:printf|puts|putchar|perror)\s*\(|(?<![\w:])(?:std::)?fprintf\s*\(\s*std(?:out|err)",
     ("base/", "src/app/", "src/cli/", "tests/"), "log, or return a Result"),
    ("<format>, <expected>", r"\bstd::(?:format|expected|unexpected)\b|#\s*include\s*<(?:format|expected|print)>",
     (), "g++ 12 has none; use base"),
    ("a thread nobody waits for", r"\.detach\s*\(\s*\)|\bstd::async\b",
     (), "own the thread"),
    ("using namespace std", r"\busing\s+namespace\s+std\s*;", (), "write std::"),
    ("an abrupt end", r"(?<![\w.>:])(?:std)?(?:::)?(?:_?exit|quick_exit|_Exit)\s*\(",
     ("base/", "src/app/", "src/cli/", "tests/", "flows/launch/local/"), "return a Result; the supervisor's child may"),
)


def check(tree):
    findings = []
    for path in tree.paths(".hpp", ".cpp"):
        if not path.startswith(("base/", "events/", "triggers/", "flows/", "src/", "tests/")):
            continue
        code = code_of(tree.text(path))
        for what, pattern, homes, instead in BANNED:
            if path.startswith(homes or ("\0",)):
                continue
            for match in re.finditer(pattern, code):
                findings.append(f"{path}:{line_of(code, match.start())}: {what} ({match[0].strip()}): {instead}")
    return findings
