"""Experiments."""

import uuid

from . import database, jsonio, listing, present
from .errors import exists, internal, invalid, not_found, within


def find(core, experiment_id):
    row = core.db.experiments.find(experiment_id)
    if row is None:
        raise not_found("Experiment", experiment_id)
    return row


def insert(core, name, description, namespace):
    """ApiError 409 if the name is taken in the namespace, 500 if the database cannot store it."""
    core.db.accept("Failed to add experiment to experiment table", {"Name": name, "Description": description})
    if any(core.db.same(row.display_name, name) and row.namespace == namespace for row in core.db.experiments.values()):
        raise exists(f"Failed to create a new experiment. The name {name} already exists. Please specify a new name")
    row = database.Experiment(str(uuid.uuid4()), name, description, namespace, core.clock.seconds())
    core.db.experiments.put(row.experiment_id, row)
    return row


async def create(core, request):
    given = jsonio.read_body(jsonio.EXPERIMENT, request.body)
    name = given.get("display_name", "")
    namespace = given.get("namespace", "") if core.identities.multi_user else ""
    with within("Failed to create a experiment"):
        if core.identities.multi_user and not namespace:
            raise invalid("An experiment cannot have an empty namespace in multi-user mode")
        core.identities.authorize(request, namespace, "create", "experiments", name)
        if not name:
            raise invalid("Experiment name is empty. Please specify a valid experiment name")
        if len(name) > 128:
            raise internal("Failed to convert API experiment: Experiment.Name length cannot exceed 128")
        return present.experiment(insert(core, name, given.get("description", ""), namespace))


async def get(core, request, experiment_id):
    with within("Failed to fetch experiment"):
        row = find(core, experiment_id)
        core.identities.authorize(request, row.namespace, "get", "experiments", row.display_name)
    return present.experiment(row)


async def show_list(core, request):
    with within("List experiments failed"):
        wanted = listing.options(listing.EXPERIMENTS, request.query)
        namespace = request.query.get("namespace") or "" if core.identities.multi_user else ""
        if core.identities.multi_user and not namespace:
            raise invalid("An experiment cannot have an empty namespace in multi-user mode")
        core.identities.authorize(request, namespace, "list", "experiments")
        rows = [row for row in core.db.experiments.values() if row.namespace == namespace]
        found, total, token = listing.page(listing.EXPERIMENTS, wanted, rows, core.db)
    return present.without_zeros(
        {"experiments": [present.experiment(row) for row in found], "total_size": total, "next_page_token": token}
    )


async def delete(core, request, experiment_id):
    with within("Failed to delete experiment"):
        row = find(core, experiment_id)
        core.identities.authorize(request, row.namespace, "delete", "experiments", row.display_name)
    core.db.experiments.drop(row.experiment_id)
    return {}


async def archive(core, request, experiment_id):
    """Its runs are archived and its recurring runs disabled with it."""
    row = change(core, request, experiment_id, "archive", "ARCHIVED")
    for run in core.db.runs.values():
        if run.experiment_id == row.experiment_id:
            run.storage_state = "ARCHIVED"
    for recurring in core.db.recurring.values():
        if recurring.experiment_id == row.experiment_id:
            recurring.enabled = False
    return {}


async def unarchive(core, request, experiment_id):
    change(core, request, experiment_id, "unarchive", "AVAILABLE")
    return {}


def change(core, request, experiment_id, verb, state):
    with within(f"Failed to {verb} experiment"):
        row = find(core, experiment_id)
        core.identities.authorize(request, row.namespace, verb, "experiments", row.display_name)
    row.storage_state = state
    return row
