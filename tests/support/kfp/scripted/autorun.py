"""Workflows that run by themselves: each new one, stray or not, goes through a script of phases.

    {"enabled": true, "steps": [{"after": 0.05, "phase": "Running"}, {"after": 0.2, "phase": "Succeeded"}],
     "rules": [{"name": "^bad", "steps": [...], "post": {...}}], "terminate_after": 0.05,
     "outputs": {"score": 3}, "artifacts": [{"name": "model", "uri": "s3://b/m", "type": "system.Model"}],
     "post": {"url": "http://127.0.0.1:9/v1/runs/{run_id}/report", "headers": {...}, "body": {...}, "at": "Succeeded"}}

`after` is in real seconds from the step before. The first rule whose `name` is found in the run's name counts, with
the settings it leaves out taken from above. A terminated Workflow ends Failed after `terminate_after`; a retried one
goes through `retry_steps`, or the steps from the start. `post` is what the task itself would send before its phase `at`
is reported: `{run_id}`, `{display_name}` and `{param:NAME}` are filled in, in the URL and in texts of the body.
`outputs` and `artifacts` show in view=FULL.
"""

import asyncio
import json
import re
import uuid

from . import cluster, outgoing, reports
from .errors import ApiError

STEPS = [{"after": 0.05, "phase": "Running"}, {"after": 0.1, "phase": "Succeeded"}]
KNOWN = {"enabled", "steps", "retry_steps", "rules", "terminate_after", "outputs", "artifacts", "post", "name", "nodes"}


class AutoRun:
    def __init__(self, core):
        self.core = core
        self.settings = {"enabled": False}
        self.running = {}  # (namespace, name) -> task
        self.faults = []  # what went wrong while posting
        core.cluster.on_create = lambda workflow: self.start(workflow, "steps")
        core.cluster.on_retry = lambda workflow: self.start(workflow, "retry_steps")
        core.cluster.on_terminate = self.terminated

    def set(self, settings):
        """ValueError if they are none."""
        for part in (settings, *settings.get("rules", [])):
            unknown = set(part) - KNOWN
            if unknown:
                raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
            for step in (*part.get("steps", []), *part.get("retry_steps", [])):
                if step.get("phase") not in reports.PHASES:
                    raise ValueError(f"unknown phase {step.get('phase')!r}")
            re.compile(part.get("name", ""))
        self.settings = {"enabled": True, **settings}

    def settings_for(self, workflow):
        for rule in self.settings.get("rules", []):
            if re.search(rule.get("name", ""), workflow.run_name):
                return {**self.settings, **rule}
        return self.settings

    def start(self, workflow, steps):
        settings = self.settings_for(workflow)
        if settings["enabled"]:
            self.launch(workflow, settings, settings.get(steps) or settings.get("steps", STEPS))

    def terminated(self, workflow):
        settings = self.settings_for(workflow)
        if settings["enabled"]:
            self.launch(workflow, settings, [{"after": settings.get("terminate_after", 0.05), "phase": "Failed"}])

    def launch(self, workflow, settings, steps):
        key = (workflow.namespace, workflow.name)
        if key in self.running:
            self.running[key].cancel()
        task = asyncio.get_running_loop().create_task(self.play(workflow, settings, steps))
        self.running[key] = task
        task.add_done_callback(lambda done: self.running.pop(key, None) if self.running.get(key) is done else None)

    async def play(self, workflow, settings, steps):
        for step in steps:
            await asyncio.sleep(step.get("after", 0))
            post = step.get("post") or settings.get("post")
            if post and (post is step.get("post") or post.get("at", "Succeeded") == step["phase"]):
                await self.post(workflow, post)
            await self.report(workflow, step, settings)

    async def post(self, workflow, post):
        """The task's own report: from inside the cluster to wherever the test says."""

        def fill(value):
            if isinstance(value, str):
                value = value.replace("{run_id}", workflow.run_id).replace("{display_name}", workflow.run_name)
                return re.sub(r"\{param:([^{}]*)\}", lambda match: str(workflow.parameters.get(match[1], "")), value)
            if isinstance(value, dict):
                return {key: fill(item) for key, item in value.items()}
            return [fill(item) for item in value] if isinstance(value, list) else value

        body = json.dumps(fill(post.get("body", {}))).encode()
        headers = {"Content-Type": "application/json", **fill(post.get("headers", {}))}
        try:
            status = await outgoing.post(fill(post["url"]), body, headers)
            self.core.count(f"posted {status}")
        except (OSError, ValueError, asyncio.TimeoutError) as fault:
            self.core.count("posts failed")
            self.faults.append(f"{workflow.run_id}: {fault}")

    async def report(self, workflow, step, settings):
        """As the persistence agent: a row that is not there yet is tried again."""
        if not self.core.cluster.is_live(workflow):
            return
        advance(self.core, workflow, step["phase"], nodes=step.get("nodes") or settings.get("nodes"))
        for pause in (0.05, 0.2, 1, 5, 30, 60, 60):
            try:
                send(self.core, workflow, step)
                break
            except ApiError as fault:
                if fault.code != 14:
                    return
                await asyncio.sleep(pause)
        if step["phase"] == "Succeeded":
            give_tasks(self.core, workflow.run_id, settings.get("outputs") or {}, settings.get("artifacts") or [])


def advance(core, workflow, phase, finished=None, nodes=None):
    """The Workflow itself goes on; nobody has reported it yet."""
    now = core.clock.seconds()
    workflow.phase = phase
    workflow.started = now if workflow.started is None else workflow.started
    ended = reports.PHASES.get(phase) in reports.FINAL
    workflow.finished = (now if finished is None else finished) if ended else None
    if nodes is not None:
        workflow.nodes = [cluster.node(task, workflow) for task in nodes]


def send(core, workflow, step=None):
    """The report of the Workflow as it stands, without the mark of a persisted end: with it the server would remove the
    Workflow. ApiError as the entry answers it."""
    manifest = workflow.manifest()
    manifest["metadata"]["labels"].pop(cluster.FINAL_LABEL, None)
    for name in (step or {}).get("without", []):
        manifest["status"].pop(name, None)
    reports.apply(core, manifest)


def give_tasks(core, run_id, outputs, artifacts):
    """What view=FULL shows of a run: one root task with these."""
    row = core.db.runs.find(run_id)
    if row is None or not (outputs or artifacts):
        return
    parameters = [{"value": value, "type": "OUTPUT", "parameter_key": name} for name, value in outputs.items()]
    listed = [
        {
            "artifacts": [{"artifact_id": str(uuid.uuid4()), **{key: value for key, value in item.items() if value is not None}}],
            "type": "OUTPUT", "artifact_key": item["name"],
        }
        for item in artifacts
    ]  # fmt: skip
    row.tasks = [
        {
            "task_id": str(uuid.uuid4()), "run_id": row.run_id, "name": "ROOT", "display_name": row.display_name,
            "type": "ROOT", "state": row.state, "scope_path": ["root"],
            "outputs": {key: value for key, value in (("parameters", parameters), ("artifacts", listed)) if value},
        }
    ]  # fmt: skip
