"""Each pipeline of the examples is what the real kfp SDK makes of the source beside it. `recompile_test.py SOURCE`.

WEIR_KFP_PYTHON names the Python that has the SDK; tests/run.sh sets it. Without it the test fails: what was not compiled
is not known to be right.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv[1]).resolve()
PIPELINES = SOURCE / "flows" / "examples" / "pipelines"
FOLDERS = (PIPELINES, SOURCE / "flows" / "examples-kubeflow" / "pipelines")
PYTHON = os.environ.get("WEIR_KFP_PYTHON") or sys.exit("WEIR_KFP_PYTHON must name a Python that has the kfp SDK")


def compile_to(text_of_source, name):
    """The IR that the SDK makes of this source, as it would stand beside it."""
    with tempfile.TemporaryDirectory(prefix="weir-recompile-") as folder:
        source = pathlib.Path(folder) / f"{name}.py"
        source.write_text(text_of_source, encoding="utf-8")
        done = subprocess.run(
            [PYTHON, "-B", str(source)], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PYTHONPATH": str(SOURCE / "flows" / "kfp")},
        )  # fmt: skip
        if done.returncode != 0:
            raise AssertionError(f"{PYTHON} {name}.py ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return source.with_suffix(".yaml").read_text(encoding="utf-8")


class Recompile(unittest.TestCase):
    maxDiff = None

    def test_each_source_gives_the_pipeline_beside_it(self):
        sources = sorted(source for folder in FOLDERS for source in folder.glob("*.py"))
        self.assertGreaterEqual(len(sources), 7)
        for source in sources:
            with self.subTest(source.name):
                made = compile_to(source.read_text(encoding="utf-8"), source.stem)
                self.assertEqual(made, source.with_suffix(".yaml").read_text(encoding="utf-8"))

    def test_each_pipeline_has_its_source(self):
        for pipeline in [each for folder in FOLDERS for each in folder.glob("*.yaml")]:
            self.assertTrue(pipeline.with_suffix(".py").exists(), f"{pipeline.name} has no source beside it")

    def test_a_changed_source_is_seen(self):
        text = (PIPELINES / "report.py").read_text(encoding="utf-8")
        changed = text.replace("# Report", "# Another report")
        self.assertNotEqual(changed, text)
        self.assertNotEqual(compile_to(changed, "report"), (PIPELINES / "report.yaml").read_text(encoding="utf-8"))

    def test_the_sdk_is_the_one_the_pipelines_name(self):
        wanted = (SOURCE / "tests" / "data" / "kfp-requirements.txt").read_text().splitlines()[0].split("==")[1].strip()
        for pipeline in [each for folder in FOLDERS for each in folder.glob("*.yaml")]:
            self.assertIn(f"sdkVersion: kfp-{wanted}", pipeline.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
