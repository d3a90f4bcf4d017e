"""The report component of compiled pipelines, and its run as a backend would start it."""

import json
import os
import subprocess
import sys
import tempfile

from rig import compiled

RUN = "4c1f/7"


def all_tasks(ir):
    """Every task of the IR by name, of nested components too."""
    found = {}
    for component in [ir["root"], *ir["components"].values()]:
        found.update(component.get("dag", {}).get("tasks", {}))
    return found


def report_task(ir, prefix="weir-report"):
    """(component, task, container) of the only report of a pipeline, or of another task."""
    ((name, task),) = [pair for pair in all_tasks(ir).items() if pair[0].startswith(prefix)]
    component = ir["components"][task["componentRef"]["name"]]
    container = ir["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    return component, task, container


class Component:
    """A compiled report, run as a backend would: its own command, in a process."""

    def __init__(self, pipeline=None, ir=None, prefix="weir-report"):
        _, self.task, self.container = report_task(ir or compiled(pipeline)[0], prefix)

    def run(self, values, artifacts=None, run=RUN, **variables):
        """(exit status, stderr). `values` fill inputs that are no constants."""
        parameters = dict(values)
        for name, source in self.task["inputs"]["parameters"].items():
            if "constant" in source.get("runtimeValue", {}):
                constant = source["runtimeValue"]["constant"]
                parameters[name] = run if constant == "{{$.pipeline_job_uuid}}" else constant
        with tempfile.TemporaryDirectory(prefix="weir-report-") as folder:
            described = {
                "inputs": {
                    "parameterValues": parameters,
                    "artifacts": {name: {"artifacts": [each]} for name, each in (artifacts or {}).items()},
                },
                "outputs": {"outputFile": os.path.join(folder, "out.json")},
            }
            words = [*self.container["command"], *self.container["args"]]
            words = [json.dumps(described) if word == "{{$}}" else word for word in words]
            own = {each["name"]: each["value"] for each in self.container.get("env", [])}
            path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=120, cwd=folder,
                env={"PATH": path, "HOME": folder, "TMPDIR": folder, **own, **variables},
            )  # fmt: skip
            return done.returncode, done.stderr
