"""The test's side: /_control/... for whoever scripts the server, /oracle/... as the recordings have it. All JSON."""

import json
import re
import urllib.parse

from . import api, autorun, clock, cluster, present, reports, runs
from .errors import ApiError


class Wrong(Exception):
    """The test asked for something that makes no sense: 400."""


async def answer(wire, request):
    core = wire.core
    query = dict(urllib.parse.parse_qsl(request.query_text, keep_blank_values=True))
    try:
        if request.path.startswith("/oracle/"):
            return oracle(core, request.path[len("/oracle/") :], query)
        body = json.loads(request.body) if request.body.strip() else {}
        name = request.path[len("/_control/") :]
        calls = GETS if request.method == "GET" else POSTS if request.method == "POST" else {}
        if name not in calls:
            raise Wrong(f"unknown: {request.method} {name}; there are {', '.join(sorted(calls))}")
        value = calls[name](wire, {**query, **body} if isinstance(body, dict) else body)
        return api.as_json(200, value)
    except ApiError as fault:
        return api.as_json(fault.status, fault.body())
    except (Wrong, ValueError, KeyError, TypeError, re.error) as fault:
        return api.as_json(400, {"error": f"{type(fault).__name__}: {fault}"})


def oracle(core, name, query):
    if name == "workflows":
        return workflows_of_oracle(core, query)
    if name == "advance":
        workflow = core.cluster.get(query.get("namespace") or core.namespace, query.get("workflow", ""))
        if workflow is None:
            return api.as_json(404, {"error": "no such workflow"})
        finished = clock.read(query["finishedAt"]) if query.get("finishedAt") else None
        autorun.advance(core, workflow, query.get("phase", ""), finished)
        autorun.send(core, workflow)
        value = {"namespace": workflow.namespace, "phase": workflow.phase, "workflow": workflow.name}
        return api.Answer(200, [("Content-Type", "application/json")], (json.dumps(value, indent=1) + "\n").encode())
    if name == "sars":
        return api.as_json(200, core.identities.reviews)
    return api.as_json(404, {"error": f"unknown: {name}"})


def workflows_of_oracle(core, query):
    run_id = query.get("run_id")
    found = core.cluster.of_run(run_id) if run_id else list(core.cluster.workflows.values())
    if query.get("raw") == "1":
        return api.as_json(200, [workflow.manifest() for workflow in found])
    described = [cluster.described(workflow, core.db.runs.find(workflow.run_id)) for workflow in found]
    ever, gone = core.cluster.created_ever, core.cluster.deleted_ever
    return api.as_json(
        200,
        {
            "count": len(found), "created_ever": ever.get(run_id, 0) if run_id else sum(ever.values()),
            "deleted_ever": gone.get(run_id, 0) if run_id else sum(gone.values()),
            "strays": sum(1 for item in described if not item["row_owner"]), "workflows": described,
        },
    )  # fmt: skip


def show_workflows(wire, given):
    core = wire.core
    run_id = given.get("run_id")
    found = core.cluster.of_run(run_id) if run_id else core.cluster.workflows.values()
    return {
        "workflows": [
            {
                **cluster.described(workflow, core.db.runs.find(workflow.run_id)), "run_name": workflow.run_name,
                "parameters": workflow.parameters, "terminated": workflow.terminated, "retries": workflow.retries,
            }
            for workflow in found
        ]
    }  # fmt: skip


def show_strays(wire, given):
    """How many Workflows were ever made that no row owns, by run id; and how many were made at all."""
    core = wire.core
    counts = core.cluster.strays(core.db.runs.find)
    run_id = given.get("run_id")
    if run_id:
        return {"run_id": run_id, "strays": counts.get(run_id, 0), "created": core.cluster.created_ever.get(run_id, 0)}
    return {"total": sum(counts.values()), "strays": counts, "created": dict(core.cluster.created_ever)}


def chosen(core, given):
    """The Workflow that is meant: by its name, or the one that the run's row owns (else the first of the run)."""
    if given.get("workflow"):
        workflow = core.cluster.find(given["workflow"])
    else:
        row = core.db.runs.find(given["run_id"])
        made = core.cluster.of_run(given["run_id"])
        workflow = next((item for item in made if row and row.workflow == item.name), made[0] if made else None)
    if workflow is None:
        raise Wrong("no such Workflow")
    return workflow


def report(wire, given):
    """Moves a Workflow on and reports it: `phase`, `finished_at` (time, or null for none), `nodes`."""
    core = wire.core
    workflow = chosen(core, given)
    phase = given.get("phase") or ""
    if phase not in reports.PHASES:
        raise Wrong(f"unknown phase {phase!r}; there are {', '.join(name for name in reports.PHASES if name)}")
    finished = given.get("finished_at")
    autorun.advance(core, workflow, phase, clock.read(finished) if finished else None, given.get("nodes"))
    without = ["finishedAt"] if "finished_at" in given and finished is None else []
    if given.get("send", True):
        autorun.send(core, workflow, {"without": without})
    if phase == "Succeeded":
        autorun.give_tasks(core, workflow.run_id, given.get("outputs") or {}, given.get("artifacts") or [])
    return cluster.described(workflow, core.db.runs.find(workflow.run_id))


def set_clock(wire, given):
    time = wire.core.clock
    if "set" in given:
        time.set(clock.read(given["set"]), bool(given.get("freeze")))
    if "advance" in given:
        time.advance(float(given["advance"]))
    if given.get("run"):
        time.run()
    return show_clock(wire, given)


def show_clock(wire, given):
    del given
    return {"now": clock.show(wire.core.clock.now()), "frozen": wire.core.clock.frozen is not None}


def add_faults(wire, given):
    """One fault or a list of them; their ids."""
    listed = given if isinstance(given, list) else given.get("faults", [given])
    return {"ids": [wire.core.faults.add(fault) for fault in listed]}


def show_faults(wire, given):
    del given
    return {"faults": wire.core.faults.list, "used": wire.core.faults.used}


def drop_faults(wire, given):
    wire.core.faults.remove(given.get("id"))
    return show_faults(wire, given)


def maintenance(wire, given):
    """Everything answers 503 in the mesh's words for `seconds` of the server's clock, an hour if not said."""
    fault = {
        "id": "maintenance", "path": "^/", "times": None, "for_seconds": given.get("seconds", 3600), "status": 503,
        "body": "no healthy upstream", "headers": {"Content-Type": "text/plain", "Server": "istio-envoy"},
    }  # fmt: skip
    return {"ids": [wire.core.faults.add(fault)]}


def show_identity(wire, given):
    del given
    found = wire.core.identities
    return {
        "multi_user": found.multi_user, "header": found.header, "prefix": found.prefix, "tokens": found.tokens,
        "grants": found.grants, "crashes": found.crashes,
    }  # fmt: skip


def set_identity(wire, given):
    found = wire.core.identities
    for name in given:
        if name not in ("multi_user", "header", "prefix", "tokens", "grants", "clients"):
            raise Wrong(f"unknown setting {name!r}")
        setattr(found, name, given[name])
    return show_identity(wire, given)


def delete_runs(wire, given):
    """Rows that vanish under the client; their Workflows too, unless `"workflows": false`."""
    core = wire.core
    ids = given.get("run_ids") or [given["run_id"]]
    gone = 0
    for run_id in ids:
        row = core.db.runs.drop(run_id)
        gone += row is not None
        if row and given.get("workflows", True):
            core.cluster.delete(row.namespace or core.namespace, row.workflow)
    return {"deleted": gone}


def insert_runs(wire, given):
    """`count` runs of others, straight into rows: fast, without Workflows. `state`, `finished_at`, `name`."""
    core = wire.core
    finished = clock.read(given["finished_at"]) if given.get("finished_at") else 0
    return {"run_ids": [runs.insert_plain(core, given, number, finished) for number in range(int(given["count"]))]}


def show_log(wire, given):
    """Requests, oldest first: those after number `after`, with the `method` and a part of the `path`."""
    after = int(given.get("after", 0))
    found = [
        entry
        for entry in wire.core.log
        if entry["number"] > after
        and given.get("method", entry["method"]) == entry["method"]
        and given.get("path", "") in entry["path"]
    ]
    return {"requests": found[-int(given.get("last", len(found)) or 1) :] if found else []}


def clear_log(wire, given):
    log = wire.core.log
    log[:] = [entry for entry in log if entry["number"] > int(given.get("up_to", entry["number"]))]
    wire.core.log_bodies = given.get("bodies", wire.core.log_bodies)
    return {}


def show_counters(wire, given):
    del given
    core = wire.core
    return {
        **core.counters, "runs": len(core.db.runs), "workflows": len(core.cluster.workflows),
        "workflows_created": sum(core.cluster.created_ever.values()), "orphans_deleted": core.orphans_deleted,
        "strays": sum(core.cluster.strays(core.db.runs.find).values()), "crashes": core.identities.crashes,
        "in_flight": wire.in_flight, "most_in_flight": wire.most_in_flight,
        "autorun_faults": core.autorun.faults[-20:],
    }  # fmt: skip


def set_autorun(wire, given):
    wire.core.autorun.set(given)
    return wire.core.autorun.settings


def set_tasks(wire, given):
    """What view=FULL shows of a run: `tasks` as they are, or made of `outputs` and `artifacts`."""
    row = wire.core.db.runs.find(given["run_id"])
    if row is None:
        raise Wrong("no such run")
    autorun.give_tasks(wire.core, row.run_id, given.get("outputs") or {}, given.get("artifacts") or [])
    if "tasks" in given:
        row.tasks = given["tasks"]
    wire.core.has_tasks = given.get("has_tasks", True)
    return present.run(row, True)


GETS = {
    "workflows": show_workflows, "strays": show_strays, "clock": show_clock, "faults": show_faults,
    "identity": show_identity, "log": show_log, "counters": show_counters,
    "autorun": lambda wire, given: wire.core.autorun.settings,
}  # fmt: skip
POSTS = {
    "report": report, "clock": set_clock, "faults": add_faults, "faults/clear": drop_faults, "maintenance": maintenance,
    "identity": set_identity, "runs/delete": delete_runs, "runs/insert": insert_runs, "log/clear": clear_log,
    "autorun": set_autorun, "tasks": set_tasks,
}  # fmt: skip
