"""The chain of the README, word for word: `readme_test.py WEIR README`.

Replaced are the port, and the sleep that a person needs: here it is waited for. The package is installed as the README says, into
an environment as the README makes it; but kfp and what it needs are not fetched again: that environment finds those of this one.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import unittest

WEIR = pathlib.Path(sys.argv[1]).resolve()
README = pathlib.Path(sys.argv[2]).resolve()
KFP = pathlib.Path(sysconfig.get_path("purelib"))
PACKAGE = README.parent / "flows" / "kfp"

WAIT = """for second in $(seq 240); do
  [ "$(weir runs --state settled --json 2>/dev/null | wc -l)" -ge 2 ] && break
  sleep 1
done"""


def chapter(title):
    """The commands below a heading."""
    text = README.read_text()
    found = re.search(rf"^## {title}$.*?^```\n(.*?)^```$", text, re.M | re.S)
    if found is None:
        raise AssertionError(f"the README has no chapter {title} with commands")
    return found[1]


def replaced(script, old, new):
    if old not in script:
        raise AssertionError(f"the README does not say {old!r} any more")
    return script.replace(old, new)


class Readme(unittest.TestCase):
    def test_a_chain_from_python_alone(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        script = chapter("A chain from Python alone")
        script = replaced(script, "python3 -m venv kfp\n", f"{sys.executable} -m venv kfp\necho {KFP} > kfp/{KFP.relative_to(sys.prefix)}/kfp.pth\n")
        script = replaced(script, "pip install --quiet", "pip install --quiet --no-deps")
        script = replaced(script, "127.0.0.1:9347", f"127.0.0.1:{port}")
        script = replaced(script, "weir dev &\nsleep 2", f"weir dev --port {port} --on-ready ready &\n"
                          "until [ -e ready ]; do sleep 0.1; done")  # fmt: skip
        script = replaced(script, "sleep 60", WAIT)
        environment = {
            **os.environ,
            "PATH": f"{WEIR.parent}:{os.environ['PATH']}",
            "WEIR_SERVER": f"http://127.0.0.1:{port}",
        }
        del environment["PYTHONPATH"]  # what is installed is what runs
        with tempfile.TemporaryDirectory(prefix="weir-readme-") as folder:
            # pip leaves its work beside the sources.
            environment["SOURCE"] = os.path.join(folder, "source")
            shutil.copytree(PACKAGE, os.path.join(folder, "source", "flows", "kfp"))
            process = subprocess.Popen(
                ["bash", "-e", "-m", "-c", script], cwd=folder, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                said, _ = process.communicate(timeout=280)
            finally:
                self.end_group(process.pid)
        self.assertEqual(process.returncode, 0, said)
        for flow in ("train", "deploy"):
            self.assertRegex(said, rf"{flow}.*succeeded|succeeded.*{flow}", said)
        self.assertIn("load-1", said)

    def end_group(self, leader):
        """weir goes on if the script stopped before its last line."""
        time.sleep(0.5)
        for group in self.groups_of(leader):
            try:
                os.killpg(group, signal.SIGTERM)
            except ProcessLookupError:
                pass

    @staticmethod
    def groups_of(leader):
        """Process groups of the session, by /proc: `ps` is not everywhere."""
        groups = set()
        for file in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                # pid (name) state parent group session ...; the name may hold anything.
                fields = file.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(fields[3]) == leader:
                groups.add(int(fields[2]))
        return groups


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
