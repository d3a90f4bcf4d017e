"""The cluster's side: Workflow objects, which know nothing of rows. A stray is one that no row owns: it runs all the same."""

import json
import random
import re
import string
import uuid

from . import clock, jsonio, parameters
from .errors import internal

LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
RUN_LABEL = "pipeline/runid"
FINAL_LABEL = "pipeline/persistedFinalState"


class Workflow:
    def __init__(self, template, namespace, run_id, run_name, now):
        self.generate_name = clean(template.name) + "-"
        self.name = self.generate_name + "".join(random.choices(LETTERS, k=5))
        self.namespace = namespace
        self.uid = str(uuid.uuid4())
        self.run_id = run_id
        self.run_name = run_name
        self.created = int(now)
        self.labels = {RUN_LABEL: run_id}
        self.phase = ""
        self.started = None
        self.finished = None
        self.nodes = []
        self.parameters = {}
        self.terminated = False  # activeDeadlineSeconds: 0
        self.retries = 0

    def manifest(self, **status):
        """The object as the persistence agent reports it."""
        state = {"phase": self.phase, "startedAt": show(self.started), "finishedAt": show(self.finished), **status}
        if self.nodes:
            state["nodes"] = {node["id"]: node for node in self.nodes}
        return {
            "kind": "Workflow",
            "apiVersion": "argoproj.io/v1alpha1",
            "metadata": {
                "name": self.name, "generateName": self.generate_name, "namespace": self.namespace, "uid": self.uid,
                "resourceVersion": "1", "creationTimestamp": clock.show(self.created), "labels": dict(self.labels),
                "annotations": {"pipelines.kubeflow.org/run_name": self.run_name},
            },
            "spec": self.spec(),
            "status": {key: value for key, value in state.items() if value not in (None, "")},
        }  # fmt: skip

    def spec(self):
        runtime = json.dumps({"parameterValues": self.parameters}, ensure_ascii=False, separators=(",", ":"))
        arguments = [{"name": "runtime-config", "value": runtime}, {"name": "driver-type", "value": "ROOT_DAG"}]
        task = {"name": "root-driver", "template": "system-dag-driver", "arguments": {"parameters": arguments}}
        found = {"entrypoint": "entrypoint", "templates": [{"name": "entrypoint", "dag": {"tasks": [task]}}]}
        if self.terminated:
            found["activeDeadlineSeconds"] = 0
        return found


def clean(name):
    return re.sub(r"[^a-z0-9-]", "-", name.lower()).strip("-")[:50] or "workflow"


def show(seconds):
    return None if seconds is None else clock.show(seconds)


class Cluster:
    """`on_create`, `on_terminate`, `on_retry` are called with a Workflow; auto-run hangs there."""

    def __init__(self, time):
        self.clock = time
        self.workflows = {}  # (namespace, name) -> Workflow, in the order made
        self.by_run = {}  # run id -> [Workflow], gone ones too
        self.created_ever = {}
        self.deleted_ever = {}
        self.on_create = self.on_terminate = self.on_retry = lambda workflow: None

    def create(self, template, namespace, run_id, run_name, given):
        """ApiError 500 if the run id can be no label; nothing is made then."""
        workflow = Workflow(template, namespace, run_id, run_name, self.clock.now())
        if len(run_id.encode()) > 63 or not LABEL.fullmatch(run_id):
            raise internal(
                f'Failed to create a workflow for (): Workflow.argoproj.io "{workflow.name}" is invalid: '
                f'metadata.labels: Invalid value: "{run_id}": pipeline/runid: is no label'
            )
        workflow.parameters = parameters.into_cluster(given, run_id, workflow.created)
        self.workflows[(namespace, workflow.name)] = workflow
        self.by_run.setdefault(run_id, []).append(workflow)
        self.created_ever[run_id] = self.created_ever.get(run_id, 0) + 1
        self.on_create(workflow)
        return workflow

    def get(self, namespace, name):
        return self.workflows.get((namespace, name))

    def find(self, name):
        """By name alone, for the control side."""
        return next((workflow for (_, known), workflow in self.workflows.items() if known == name), None)

    def of_run(self, run_id):
        return [workflow for workflow in self.by_run.get(run_id, []) if self.is_live(workflow)]

    def is_live(self, workflow):
        return self.workflows.get((workflow.namespace, workflow.name)) is workflow

    def delete(self, namespace, name):
        workflow = self.workflows.pop((namespace, name), None)
        if workflow:
            self.deleted_ever[workflow.run_id] = self.deleted_ever.get(workflow.run_id, 0) + 1
        return workflow is not None

    def terminate(self, workflow):
        workflow.terminated = True
        self.on_terminate(workflow)

    def retry(self, workflow):
        """The same object goes on; one that is gone is made again under its name."""
        self.workflows.setdefault((workflow.namespace, workflow.name), workflow)
        workflow.phase, workflow.finished, workflow.terminated = "Running", None, False
        workflow.labels.pop(FINAL_LABEL, None)
        workflow.retries += 1
        self.on_retry(workflow)

    def strays(self, rows):
        """Of each run id that has any: how many Workflows were made that no row owns. `rows`: id -> row."""
        counts = {}
        for run_id, made in self.by_run.items():
            row = rows(run_id)
            count = sum(1 for workflow in made if row is None or row.workflow != workflow.name)
            if count:
                counts[run_id] = count
        return counts


def described(workflow, row):
    """As the recordings' /oracle/workflows has it."""
    return {
        "name": workflow.name, "namespace": workflow.namespace, "uid": workflow.uid, "run_id": workflow.run_id,
        "phase": workflow.phase, "created": clock.show(workflow.created), "row_exists": row is not None,
        "row_owner": row is not None and row.workflow == workflow.name, "labels": dict(workflow.labels),
    }  # fmt: skip


def node(task, workflow):
    """A node of an Argo status from {name, phase, started_at, finished_at, id, children}."""
    letters = string.digits
    return {
        "id": task.get("id") or f"{workflow.name}-{''.join(random.choices(letters, k=9))}",
        "displayName": task["name"], "name": f"{workflow.name}.{task['name']}", "type": task.get("type", "Pod"),
        "phase": task.get("phase", "Succeeded"),
        "startedAt": task.get("started_at", show(workflow.started)), "finishedAt": task.get("finished_at", show(workflow.finished)),
        "children": task.get("children", []),
    }  # fmt: skip


def plain_parameters(workflow):
    return jsonio.shown(workflow.parameters)
