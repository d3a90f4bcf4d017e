"""Recurring runs. Nothing here fires: the genuine API server does not either, a controller does."""

import re
import uuid

from . import database, experiments, jsonio, listing, parameters, present, runs
from .errors import internal, invalid, not_found, within

DESCRIPTORS = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
UNIT = re.compile(r"(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
NAMES = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)}
DAYS = {name: number for number, name in enumerate("sun mon tue wed thu fri sat".split())}
# Second, minute, hour, day of month, month, day of week (which may be missing).
BOUNDS = ((0, 59, {}), (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, NAMES), (0, 6, DAYS))


def check_cron(text):
    """ApiError 400 for what robfig/cron 1.2.0 does not read."""
    wrong = cron_fault(text)
    if wrong:
        raise invalid(
            f"Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: {wrong}"
        )


def cron_fault(text):
    if not text:
        return "Empty spec string"
    if text[0] == "@":
        if text in DESCRIPTORS:
            return ""
        if text.startswith("@every ") and UNIT.sub("", text[7:].lstrip("+-")) == "" and text[7:]:
            return ""
        return f"Unrecognized descriptor: {text}"
    fields = text.split()
    if not 5 <= len(fields) <= 6:
        return f"Expected 5 to 6 fields, found {len(fields)}: {text}"
    for field, bounds in zip(fields, BOUNDS):
        for part in field.split(","):
            wrong = part_fault(part, *bounds)
            if wrong:
                return wrong
    return ""


def part_fault(part, low, high, names):
    span, slash, step = part.partition("/")
    ends = span.split("-")
    if len(ends) > 2 or "/" in step:
        return f"Too many hyphens or slashes: {part}"
    if slash and (not step.isdigit() or int(step) == 0):
        return f"Failed to parse int from {step}"
    if span in ("*", "?"):
        return ""
    numbers = [names.get(end.lower(), int(end) if end.isdigit() else None) for end in ends]
    if None in numbers:
        return f"Failed to parse int from {span}"
    if numbers[0] < low or numbers[-1] > high or numbers[0] > numbers[-1]:
        return f"{span} is out of range {low} to {high}"
    return ""


def check(given):
    """What is wrong with the request itself."""
    count = given.get("max_concurrency", 0)
    if not 1 <= count <= 10:
        raise invalid(f"Max concurrency of a recurring run must be at least 1 and at most 10. Received {count}")
    trigger = given.get("trigger") or {}
    if "cron_schedule" in trigger:
        check_cron(trigger["cron_schedule"].get("cron", ""))
    if "periodic_schedule" in trigger:
        seconds = trigger["periodic_schedule"].get("interval_second", 0)
        if seconds < 1:
            raise invalid(f"Found invalid period schedule interval {seconds}. Set at interval to least 1 second")
    if not given.get("display_name"):
        raise internal(
            "Failed to convert a API recurring run: Invalid input error: Recurring run's name cannot be empty"
        )


async def create(core, request):
    given = jsonio.read_body(jsonio.RECURRING, request.body)
    with within("Failed to create a recurring run due to conversion error"):
        check(given)
        runs.check_plugins(given)
    with within("Failed to create a recurring run"):
        experiment = runs.experiment_for(core, given.get("experiment_id"))
        core.identities.authorize(request, experiment.namespace, "create", "jobs", given["display_name"])
        row = new_row(core, given, experiment)
        texts = {
            "DisplayName": row.display_name,
            "Description": row.description,
            "Parameters": (str(row.parameters or ""), None),
        }
        core.db.accept("Failed to store recurring run to table", texts)
        core.db.recurring.put(row.recurring_run_id, row)
    return shown(core, row)


def new_row(core, given, experiment):
    """Without a version id the newest is taken when it fires: it stays open here."""
    template, pipeline_id, version_id, inline = runs.source_of(core, given, "a recurring run")
    reference = given.get("pipeline_version_reference") or {}
    pinned = inline is not None or bool(reference.get("pipeline_version_id"))
    config = given.get("runtime_config") or {}
    parameters.check(template, config.get("parameters"))
    now = core.clock.seconds()
    account = given.get("service_account") or (core.service_account() if pinned else "")
    return database.Recurring(
        recurring_run_id=str(uuid.uuid4()), experiment_id=experiment.experiment_id, namespace=experiment.namespace,
        display_name=given["display_name"], description=given.get("description", ""), created=now, updated=now,
        enabled=given.get("mode") == "ENABLE", trigger=given.get("trigger") or {}, max_concurrency=given["max_concurrency"],
        no_catchup=given.get("no_catchup", False), pipeline_id=pipeline_id, version_id=version_id if pinned else "",
        inline=inline, parameters=config.get("parameters"), pipeline_root=config.get("pipeline_root", ""),
        service_account=account, plugins_input=given.get("plugins_input"),
    )  # fmt: skip


def shown(core, row):
    return present.recurring(row, row.namespace or core.namespace)


def find(core, request, recurring_run_id, verb):
    row = core.db.recurring.find(recurring_run_id)
    if row is None:
        raise not_found("Job", recurring_run_id)
    core.identities.authorize(request, row.namespace, verb, "jobs", row.display_name)
    return row


async def get(core, request, recurring_run_id):
    with within("Failed to fetch a recurring run"):
        return shown(core, find(core, request, recurring_run_id, "get"))


async def show_list(core, request):
    with within("Failed to list jobs"):
        wanted = listing.options(listing.RECURRING, request.query)
        rows = visible(core, request)
        found, total, token = listing.page(listing.RECURRING, wanted, rows, core.db)
    return present.without_zeros(
        {"recurringRuns": [shown(core, row) for row in found], "total_size": total, "next_page_token": token}
    )


def visible(core, request):
    experiment_id, namespace = request.query.get("experiment_id"), request.query.get("namespace") or ""
    if experiment_id:
        experiment = experiments.find(core, experiment_id)
        namespace = experiment.namespace
    if core.identities.multi_user:
        if not namespace:
            raise invalid("a recurring run cannot have an empty namespace in multi-user mode")
        core.identities.authorize(request, namespace, "list", "jobs")
    rows = core.db.recurring.values()
    if experiment_id:
        return [row for row in rows if row.experiment_id == experiment.experiment_id]
    return [row for row in rows if not core.identities.multi_user or row.namespace == namespace]


async def enable(core, request, recurring_run_id):
    return switch(core, request, recurring_run_id, "enable")


async def disable(core, request, recurring_run_id):
    return switch(core, request, recurring_run_id, "disable")


def switch(core, request, recurring_run_id, verb):
    with within(f"Failed to {verb} a recurring run"):
        row = find(core, request, recurring_run_id, verb)
    row.enabled = verb == "enable"
    row.updated = core.clock.seconds()
    return {}


async def delete(core, request, recurring_run_id):
    """Its Workflows are owned by it and go with it; the rows of their runs stay."""
    with within("Failed to delete a recurring run"):
        row = find(core, request, recurring_run_id, "delete")
    core.db.recurring.drop(row.recurring_run_id)
    for run in core.db.runs.values():
        if run.recurring_run_id == row.recurring_run_id:
            core.cluster.delete(run.namespace or core.namespace, run.workflow)
    return {}
