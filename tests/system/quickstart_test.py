"""The quickstart with the weir that was just built: what it shows is what it promises. `quickstart_test.py SOURCE WEIR`."""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(sys.argv[1]).resolve()
WEIR = pathlib.Path(sys.argv[2]).resolve()
FLOWS = ("ingest", "features", "quality", "train", "report", "alert")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*words):
    return subprocess.run(
        ["sh", SOURCE / "deploy" / "quickstart.sh", *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, check=False,
    )  # fmt: skip


class Quickstart(unittest.TestCase):
    def test_the_whole_chain(self):
        done = run("--weir", str(WEIR), "--port", str(free_port()))
        self.assertEqual(done.returncode, 0, done.stdout)
        shown = done.stdout
        for flow in FLOWS:
            self.assertRegex(shown, rf"\b{flow}\b +succeeded\b", shown)
        self.assertRegex(shown, r"\bfeatures +failed\b")
        # The table of runs, why, why not, lineage, where to read on: each part has something in it.
        parts = re.split(r"\n== \d+ s: ", shown)
        by_title = {part.split("\n", 1)[0].split(" ")[1]: part for part in parts if part.startswith("weir ")}
        for title in ("runs", "why", "lineage"):
            self.assertIn(title, by_title, shown)
            self.assertGreater(len(by_title[title].strip().splitlines()), 1, by_title[title])
        waits = next(part for part in parts if part.startswith("weir why --trigger"))
        self.assertIn("features", waits)
        self.assertIn("weir.file.landed", by_title["lineage"])
        self.assertIn("ARCHITECTURE.md", shown)
        data = re.search(r"data in (\S+)/data", shown)[1]
        self.assertFalse(pathlib.Path(data).exists(), "the data folder is left behind")

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = run("--weir", str(WEIR), "--port", str(port))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(str(port), done.stdout.split("The end of weir's log")[-1])

    def test_keep_leaves_it_running(self):
        port = free_port()
        done = run("--weir", str(WEIR), "--port", str(port), "--keep")
        self.assertEqual(done.returncode, 0, done.stdout)
        stop = re.search(r"to stop it +kill (\d+) && rm -r (\S+)", done.stdout)
        self.assertTrue(stop, done.stdout)
        try:
            listing = [WEIR, "flows", "--json", "--server", f"http://127.0.0.1:{port}"]
            flows = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
            self.assertEqual(len(flows.splitlines()), len(FLOWS))
        finally:
            # The very line that it printed.
            subprocess.run(["sh", "-c", f"kill -{int(signal.SIGTERM)} {stop[1]}"], check=True)
            subprocess.run(["sh", "-c", f"while kill -0 {stop[1]} 2>/dev/null; do sleep 0.1; done"], check=True, timeout=60)
            subprocess.run(["rm", "-r", stop[2]], check=True)

    def test_wrong_use(self):
        for words in (["--colour"], ["--port"], ["--port", "x"]):
            done = run(*words)
            self.assertEqual(done.returncode, 2, done.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
