"""The package as it is installed, and its types: mypy --strict finds nothing in it, and finds what its users do wrong."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from rig import stub

PACKAGE = pathlib.Path(__file__).resolve().parents[3] / "flows" / "kfp" / "weir_kfp"


class Types(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cache = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="weir-mypy-"))

    def test_mypy_finds_nothing(self):
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--config-file", PACKAGE.parent / "pyproject.toml", "--cache-dir", self.cache, PACKAGE],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_mypy_knows_the_options(self):
        wrong = (
            "import weir_kfp as weir\nweir.publish(3)\nweir.schedule('* * * * *', timzone='UTC')\n"
            "said: int = weir.publish('a').id\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "wrong.py"
            file.write_text(wrong)
            done = subprocess.run(
                [sys.executable, "-m", "mypy", "--strict", "--cache-dir", self.cache, file],
                capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "MYPYPATH": str(PACKAGE.parent)},
            )  # fmt: skip
        found = [line.split(":")[1] for line in done.stdout.splitlines() if line.startswith(str(file)) and ": error:" in line]
        self.assertEqual(found, ["2", "3", "4"], done.stdout)


class Installed(unittest.TestCase):
    def test_pip_installs_it(self):
        with tempfile.TemporaryDirectory(prefix="weir-install-") as folder:
            # setuptools leaves its work beside the sources.
            source = shutil.copytree(PACKAGE.parent, pathlib.Path(folder) / "kfp")
            target = pathlib.Path(folder) / "site"
            words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr)
            made = {each.name for each in (target / "weir_kfp").iterdir()}
            self.assertLessEqual({each.name for each in PACKAGE.iterdir()} - {"__pycache__"}, made)
            told = (target / "weir_kfp-0.1.0.dist-info" / "METADATA").read_text()
            self.assertIn("Requires-Dist: kfp<3,>=2.0.0", told)
            # Installed alone it publishes: neither kfp nor anything else is found with -S.
            with stub() as server:
                text = f"import sys; sys.path.insert(0, {str(target)!r}); from weir_kfp import publish; publish('a', server={server.url!r})"
                done = subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, text=True, check=False, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(len(server.requests), 1)


if __name__ == "__main__":
    unittest.main()
