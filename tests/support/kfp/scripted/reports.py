"""The server's own entry for what happens to Workflows: a report moves the row of its run id, forwards or back."""

import json

from . import clock, jsonio
from .cluster import FINAL_LABEL, RUN_LABEL
from .errors import gateway, invalid, not_found, unavailable, within

PHASES = {"Pending": "PENDING", "Running": "RUNNING", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Error": "FAILED",
          "Skipped": "SKIPPED", "Omitted": "SKIPPED", "": ""}  # fmt: skip
FINAL = {"SUCCEEDED", "FAILED", "SKIPPED"}


async def report(core, request):
    """POST /workflows: a JSON string with the object's JSON."""
    manifest = manifest_of(request.body)
    metadata = manifest.get("metadata") if isinstance(manifest.get("metadata"), dict) else {}
    with within("Report workflow failed"):
        for name in ("name", "namespace", "uid"):
            if not metadata.get(name):
                raise invalid(f"The workflow must have a {name}")
        labels = metadata.get("labels") if isinstance(metadata.get("labels"), dict) else {}
        if not labels.get(RUN_LABEL):
            raise invalid("The workflow must have a run id label")
    core.identities.authorize(request, "", "report", "workflows")
    apply(core, manifest)
    return {}


def manifest_of(body):
    try:
        text = jsonio.decode(body)
    except jsonio.Fault as fault:
        raise gateway(str(fault)) from fault
    if not isinstance(text, str):
        raise gateway("json: cannot unmarshal object into Go value of type string")
    try:
        manifest = json.loads(text)
        if not isinstance(manifest, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as fault:
        raise invalid(f"Could not unmarshal workflow: {fault}").within("Report workflow failed") from fault
    return manifest


def apply(core, manifest):
    """ApiError 503 for a young Workflow without a row, 404 for an old one, which is then removed."""
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    labels, run_id = metadata["labels"], metadata["labels"][RUN_LABEL]
    row = core.db.runs.find(run_id)
    if row is None:
        no_row(core, metadata, run_id)
    if labels.get(FINAL_LABEL) == "true" and not core.cluster.delete(metadata["namespace"], metadata["name"]):
        raise not_found("Workflow", metadata["name"]).within("Failed to report workflow")
    phase = status.get("phase") or ""
    state = PHASES.get(phase, "")
    now = core.clock.seconds()
    if state not in FINAL and row.state == "CANCELING":
        state = "CANCELING"
    if not row.history or row.history[-1][1] != state:
        row.history.append((now, state))
    row.state = state
    row.phase = phase
    row.finished = moment(status.get("finishedAt")) if state in FINAL else 0
    row.nodes = nodes_of(status, row)
    workflow = core.cluster.get(metadata["namespace"], metadata["name"])
    if state in FINAL and workflow:
        workflow.labels[FINAL_LABEL] = "true"


def no_row(core, metadata, run_id):
    created = moment(metadata.get("creationTimestamp"))
    if core.clock.now() - created < core.orphan_grace:
        raise unavailable(f"Run {run_id} is not there yet").within("Failed to report workflow")
    core.cluster.delete(metadata["namespace"], metadata["name"])
    core.orphans_deleted += 1
    raise not_found("Run", run_id).within("Failed to report workflow")


def moment(text):
    try:
        return max(0, clock.read(text)) if isinstance(text, str) else 0
    except ValueError:
        return 0


def nodes_of(status, row):
    found = []
    nodes = status.get("nodes")
    for key, node in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node, dict):
            found.append(
                {
                    "id": node.get("id") or key, "name": node.get("displayName") or node.get("name") or key,
                    "state": PHASES.get(node.get("phase") or "", ""), "started": moment(node.get("startedAt")),
                    "finished": moment(node.get("finishedAt")), "children": node.get("children") or [],
                }
            )  # fmt: skip
    del row
    return found
