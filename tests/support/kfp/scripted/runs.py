"""Runs: create (Workflow first, row last), get, list, terminate, retry, archive, delete."""

import asyncio
import json
import uuid

from . import database, jsonio, listing, parameters, present, specs
from .errors import bad_request, internal, invalid, not_found, unavailable, within

ENDED = {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}


def find(core, run_id):
    row = core.db.runs.find(run_id)
    if row is None:
        raise not_found("Run", run_id).within(f"Failed to fetch run {run_id}")
    return row


def source_of(core, given, what):
    """(template, pipeline id, version id, inline spec): which pipeline a run or recurring run is of."""
    inline = given.get("pipeline_spec")
    if inline is not None:
        try:
            template = specs.read_inline(inline)
        except specs.BadSpec as fault:
            raise internal(
                f"Failed to create {what} due to error fetching manifest: Failed to fetch a template with an invalid "
                f"pipeline spec manifest: {fault}"
            ) from fault
        return template, "", "", template.shown
    reference = given.get("pipeline_version_reference") or {"pipeline_version_id": given.get("pipeline_version_id", "")}
    version = find_version(core, reference.get("pipeline_id") or "", reference.get("pipeline_version_id") or "", what)
    return version.template, version.pipeline_id, version.version_id, None


def find_version(core, pipeline_id, version_id, what):
    """The version meant, the newest if none is named. Whatever is wrong is an internal error to the server."""

    def wrong(text):
        return internal(f"Failed to create {what} due to error fetching manifest: {text}")

    before = "Failed to fetch a template due to error retrieving pipeline version: "
    if version_id:
        version = core.db.versions.find(version_id)
        if version is None:
            raise wrong(f"{before}ResourceNotFoundError: PipelineVersion {version_id} not found")
        if pipeline_id and not core.db.same(version.pipeline_id, pipeline_id):
            raise wrong(
                f"{before}Pipeline version {version_id} belongs to pipeline {version.pipeline_id} (not {pipeline_id})"
            )
        return version
    if not pipeline_id:
        raise wrong("Invalid input error: Failed to fetch a template with an empty pipeline spec manifest")
    pipeline = core.db.pipelines.find(pipeline_id)
    if pipeline is None:
        raise wrong(f"{before}ResourceNotFoundError: Pipeline {pipeline_id} not found")
    version = core.latest_version(pipeline.pipeline_id)
    if version is None:
        raise wrong(f"{before}ResourceNotFoundError: PipelineVersion {pipeline_id} not found")
    return version


def depth_of(value):
    if isinstance(value, (dict, list)):
        return 1 + max((depth_of(item) for item in (value.values() if isinstance(value, dict) else value)), default=0)
    return 0


def check_plugins(given):
    if given.get("plugins_output"):
        raise bad_request("plugins_output is set by the server only")
    plugins = given.get("plugins_input") or {}
    total = 0
    if len(plugins) > 16:
        raise invalid(f"plugins_input has {len(plugins)} entries, at most 16")
    for name, value in plugins.items():
        size = len(json.dumps(jsonio.shown(value)).encode())
        total += size
        if size > 64 << 10 or total > 256 << 10 or depth_of(value) > 10:
            raise invalid(f"plugins_input {name} is too large or too deep")


def convert(given):
    """What is checked before anything is looked up."""
    with within("Failed to create a run due to conversion error"):
        if len(given.get("run_id", "")) > 191:
            raise internal(
                "Failed to convert API run to its internal representation: Run.UUID length cannot exceed 191"
            )
        if not given.get("display_name"):
            raise internal("Failed to convert API run to its internal representation: Run's name cannot be empty")
        check_plugins(given)


def experiment_for(core, experiment_id):
    """The experiment of a new run; none named: Default, in single-user mode."""
    if not experiment_id:
        if core.identities.multi_user:
            raise invalid("Experiment id can not be empty in multi-user mode")
        return core.default_experiment()
    row = core.db.experiments.find(experiment_id)
    if row is None:
        raise not_found("Experiment", experiment_id)
    return row


async def create(core, request):
    given = jsonio.read_body(jsonio.RUN, request.body)
    convert(given)
    with within("Failed to create a new run"):
        with within("Failed to create a run due to invalid experimentId and namespace combination"):
            experiment = experiment_for(core, given.get("experiment_id"))
        core.identities.authorize(request, experiment.namespace, "create", "runs")
        return present.run(await create_row(core, request, given, experiment))


async def create_row(core, request, given, experiment):
    """One Workflow and one row. What goes wrong after the first leaves a stray."""
    effect = request.effect or {}
    run_id = given.get("run_id") or ""
    if effect.get("do") == "ignore_run_id":
        run_id = ""
    recurring_id = given.get("recurring_run_id") or ""
    if recurring_id:
        if core.db.recurring.find(recurring_id) is None:
            raise internal(
                f"Failed to create a run due to invalid recurring run id: RecurringRunId doesn't exist: {recurring_id}"
            )
        derived = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{recurring_id}/{given['display_name']}"))
        run_id = run_id or derived
        known = core.db.runs.find(derived) or core.run_of_recurring(recurring_id, given["display_name"])
        if known:
            return known
    run_id = run_id or str(uuid.uuid4())
    template, pipeline_id, version_id, inline = source_of(core, given, "a run")
    config = given.get("runtime_config") or {}
    with within("Failed to generate the ExecutionSpec: invalid pipeline job inputs"):
        parameters.check(template, config.get("parameters"))
    await before_workflow(core, request, template, run_id, given)
    namespace = experiment.namespace or core.namespace
    workflow = core.cluster.create(template, namespace, run_id, given["display_name"], config.get("parameters"))
    request.made.update(run_id=run_id, workflow=workflow.name, row=False)
    if effect.get("do") == "slow_create":
        await asyncio.sleep(effect.get("seconds", 1))
    now = core.clock.seconds()
    row = database.Run(
        run_id=run_id, experiment_id=experiment.experiment_id, namespace=experiment.namespace,
        display_name=given["display_name"], description=given.get("description", ""), workflow=workflow.name,
        created=now, scheduled=now, storage_state=stored(given), finished=given.get("finished_at", 0),
        history=[(now, "PENDING")], pipeline_id=pipeline_id, version_id=version_id, inline=inline,
        parameters=config.get("parameters"), pipeline_root=config.get("pipeline_root", ""),
        service_account=given.get("service_account") or core.service_account(), recurring_run_id=recurring_id,
        plugins_input=given.get("plugins_input"),
    )  # fmt: skip
    with within("Failed to create a run"):
        if effect.get("do") == "insert_fails":
            raise internal("Failed to store run to table: the database is away")
        core.db.insert_run(row, texts_of(row, workflow))
    request.made["row"] = True
    experiment.last_run = now
    return row


def stored(given):
    state = given.get("storage_state")
    return "ARCHIVED" if state == "ARCHIVED" else "AVAILABLE"


async def before_workflow(core, request, template, run_id, given):
    """Kubernetes fails, or is too slow to say what it did."""
    effect = request.effect or {}
    if effect.get("do") == "workflow_fails":
        raise internal("Failed to create a workflow for (): the cluster refused")
    if effect.get("do") == "workflow_times_out":
        if effect.get("effect"):
            config = given.get("runtime_config") or {}
            made = core.cluster.create(template, core.namespace, run_id, given["display_name"], config.get("parameters"))
            request.made.update(run_id=run_id, workflow=made.name, row=False)
        raise unavailable("Failed to create a workflow: timeout")


def texts_of(row, workflow):
    def packed(value):
        return json.dumps(value, ensure_ascii=False) if value else ""

    return {
        "UUID": (row.run_id, 191), "DisplayName": row.display_name, "Description": row.description,
        "Name": workflow.name, "ServiceAccount": row.service_account, "RuntimeParameters": (packed(row.parameters), None),
        "PipelineRoot": (row.pipeline_root, None), "PipelineSpecManifest": (packed(row.inline), None),
        "PluginsInput": (packed(row.plugins_input), None),
    }  # fmt: skip


async def get(core, request, run_id):
    with within("Failed to get a run"):
        row = find(core, run_id)
        allow(core, request, row, "get")
    return present.run(row, full_view(core, request))


def full_view(core, request):
    return core.has_tasks and request.query.get("view") == "FULL"


def allow(core, request, row, verb):
    """The review names the Workflow, not the run."""
    if core.identities.multi_user:
        with within("Failed to authorize the request"):
            core.identities.authorize(request, row.namespace, verb, "runs", row.workflow)


async def show_list(core, request):
    full = full_view(core, request)
    with within("Failed to list runs"):
        wanted = listing.options(listing.RUNS, request.query)
        wanted.size = min(wanted.size, listing.LONGEST_FULL_PAGE) if full else wanted.size
        rows = visible(core, request, wanted)
        found, total, token = listing.page(listing.RUNS, wanted, rows, core.db)
    return present.without_zeros(
        {"runs": [present.run(row, full) for row in found], "total_size": total, "next_page_token": token}
    )


def visible(core, request, wanted):
    """The rows of the experiment or namespace; where the filter names run ids, only those are looked at."""
    experiment_id, namespace = request.query.get("experiment_id"), request.query.get("namespace") or ""
    if experiment_id:
        experiment = core.db.experiments.find(experiment_id)
        if experiment is None:
            raise not_found("Experiment", experiment_id)
        namespace = experiment.namespace
    if core.identities.multi_user:
        if not namespace:
            raise invalid("A run cannot have an empty namespace in multi-user mode")
        core.identities.authorize(request, namespace, "list", "runs")
    rows = named(core, wanted)
    if experiment_id:
        return [row for row in rows if row.experiment_id == experiment.experiment_id]
    if core.identities.multi_user:
        return [row for row in rows if row.namespace == namespace]
    return list(rows)


def named(core, wanted):
    groups = wanted.groups or {}
    lists = (groups.get("IN") or {}).get("UUID") or []
    ids = next((item for item in lists if isinstance(item, list)), None)
    if ids is None:
        return core.db.runs.values()
    found = {id(row): row for row in (core.db.runs.find(item) for item in ids if isinstance(item, str)) if row}
    return found.values()


async def terminate(core, request, run_id):
    with within("Failed to terminate a run"):
        row = find(core, run_id)
        allow(core, request, row, "terminate")
        if row.state in ENDED or row.state == "CANCELING":
            raise invalid(f"Failed to terminate a run {run_id}. Row not found")
        row.state = "CANCELING"
        workflow = core.cluster.get(row.namespace or core.namespace, row.workflow)
        if workflow is None:
            raise internal(f"Failed to terminate run {run_id}: the workflow is gone")
        core.cluster.terminate(workflow)
    return {}


async def retry(core, request, run_id):
    with within("Failed to retry a run"):
        row = find(core, run_id)
        allow(core, request, row, "retry")
        if row.phase is None:
            raise bad_request(
                f"Failed to retry run {run_id} due to error fetching workflow manifest",
                "Workflow manifest cannot be empty",
            )
        if row.phase not in ("Failed", "Error"):
            raise bad_request("Workflow must be Failed/Error to retry", "workflow cannot be retried")
        workflow = core.workflow_of(row)
        if workflow is None:
            raise internal(f"Failed to retry run {run_id}: the workflow is gone")
        core.cluster.retry(workflow)
    row.state, row.finished, row.phase, row.nodes = "RUNNING", 0, "Running", []
    row.history.append((core.clock.seconds(), "RUNNING"))
    return {}


async def archive(core, request, run_id):
    return store(core, request, run_id, "archive", "ARCHIVED")


async def unarchive(core, request, run_id):
    return store(core, request, run_id, "unarchive", "AVAILABLE")


def store(core, request, run_id, verb, state):
    with within(f"Failed to {verb} a run"):
        row = find(core, run_id)
        allow(core, request, row, verb)
    row.storage_state = state
    return {}


async def delete(core, request, run_id):
    with within("Failed to delete a run"):
        row = find(core, run_id)
        allow(core, request, row, "delete")
    core.cluster.delete(row.namespace or core.namespace, row.workflow)
    core.db.runs.drop(row.run_id)
    return {}


def insert_plain(core, given, number, finished):
    """A row as somebody else's run left it: the id. Its Workflow is long gone."""
    experiment = (
        core.db.experiments.find(given["experiment_id"]) if given.get("experiment_id") else core.default_experiment()
    )
    now = core.clock.seconds()
    state = given.get("state", "PENDING")
    row = database.Run(
        run_id=str(uuid.uuid4()), experiment_id=experiment.experiment_id, namespace=experiment.namespace,
        display_name=f"{given.get('name', 'run')} {number}", description=given.get("description", ""),
        workflow=f"gone-{number}", created=now, scheduled=now, state=state, finished=finished,
        history=[(now, "PENDING"), (now, state)], pipeline_id=given.get("pipeline_id", ""),
        version_id=given.get("pipeline_version_id", ""), service_account=core.service_account(),
    )  # fmt: skip
    core.db.runs.put(row.run_id, row)
    return row.run_id
