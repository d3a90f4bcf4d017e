"""flows/examples-kubeflow on a scripted Kubeflow server, by the commands of its README. `kubeflow_example_test.py WEIR SOURCE`.

Replaced are the configuration's address, certificates and tokens. The server executes nothing: the task that reports is run
here, by the command in the compiled pipeline.
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import yaml
from pods import Component

WEIR, SOURCE = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
EXAMPLE = SOURCE / "flows" / "examples-kubeflow"
sys.path[:0] = [str(SOURCE / "tests" / each) for each in ("system", "support/kfp")]
from cases import Case  # noqa: E402
from engine import EngineCase, until  # noqa: E402


def configuration(url):
    """The sample of deploy/config for a server without certificates and tokens, and the command that its comment shows."""
    text = (SOURCE / "deploy" / "config" / "kubeflow.yaml").read_text()
    sample = yaml.safe_load(text)
    del sample["auth"]
    sample.update(data="data", listen={"address": "127.0.0.1", "port": 0})
    sample["backends"]["kubeflow"].update(url=url, watch={**sample["backends"]["kubeflow"]["watch"], "interval": "100ms"})
    for name in ("token_file", "tls"):
        del sample["backends"]["kubeflow"][name]
    del sample["teams"]["demo"]["backends"][0]["namespace"]  # a server for a single user
    return yaml.safe_dump(sample), re.search(r"^#   (weir check .*?) && weir serve", text, re.M)[1]


class Example(EngineCase, Case):
    program = WEIR

    def setUp(self):
        EngineCase.setUp(self)
        Case.setUp(self)

    def shell(self, command, **more):
        path = os.pathsep.join([str(WEIR.parent), os.path.dirname(sys.executable), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-e", "-c", command], cwd=SOURCE, capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PATH": path, **more},
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def run_of(self, flow, state):
        def found():
            runs = self.weir.lines("runs", "--flow", f"demo/{flow}")
            return runs and state in (runs[0]["outcome"], runs[0]["state"]) and runs[0]

        return until(found, f"{flow} is {state}")

    def test_the_readme(self):
        config, check = configuration(self.kfp.url)
        (self.folder / "weir.yaml").write_text(config)
        lines = (EXAMPLE / "README.md").read_text().split("```\n")[3].splitlines()
        self.assertEqual([" ".join(line.split()[:2]) for line in lines[2:]], ["weir check", "weir apply", "weir publish", "weir runs"])
        self.assertEqual(lines[2], check)
        self.weir = self.engine().wait_ready()
        self.shell("\n".join(lines), KFP=self.kfp.url, WEIR_SERVER=self.weir.url)

        run = self.run_of("features", "accepted")["run"]
        given = self.get(f"/runs/{run}").json["runtime_config"]["parameters"]
        self.assertEqual(given, {"dataset_uri": "s3://lake/sales.csv", "date": "2026-11-20", "weir_server": "http://weir.weir:9347"})
        self.report(run, "Running")
        ir = next(yaml.safe_load_all((EXAMPLE / "pipelines" / "features.yaml").read_text()))
        table = {"name": "x", "uri": "s3://lake/features", "type": {"schemaTitle": "system.Dataset"}, "metadata": {}}
        artifacts = {"artifact_table": table, "output_table_uri": table}
        status, said = Component(ir=ir).run({"server": self.weir.url, "output_regions": 2}, artifacts, run)
        self.assertEqual(status, 0, said)
        self.report(run, "Succeeded")
        self.run_of("features", "succeeded")

        train = self.run_of("train", "accepted")
        wanted = {"table_uri": "s3://lake/features", "date": "2026-11-20", "rows": 2}
        self.assertEqual(train["parameters"], wanted)
        self.assertRegex(self.get(f"/runs/{train['run']}").json["display_name"], r"^train \d{4}-\d\d-\d\d \(\S+\)$")
        self.report(train["run"], "Succeeded")
        self.run_of("train", "succeeded")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
