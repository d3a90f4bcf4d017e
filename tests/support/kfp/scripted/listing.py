"""List calls: sort keys, page tokens, pages. A token points at the first row of its page."""

import base64
import json

from . import filters
from .database import fold
from .errors import gateway, invalid, within

DEFAULT_PAGE, LONGEST_PAGE = 20, 200
TIME_COLUMNS = {"CreatedAtInSec", "FinishedAtInSec", "ScheduledAtInSec", "UpdatedAtInSec"}


class Listable:
    """What can be listed. `keys`: name in the API -> column; `cells`: column -> value in a row; `sortable`: columns a
    token can be made for."""

    def __init__(self, name, model, keys, cells, sortable):
        self.name, self.model, self.keys, self.cells, self.sortable = name, model, keys, cells, sortable
        self.prefix = model + "." if model else ""

    def filter_column(self, key):
        if key in self.keys:
            return self.prefix + self.keys[key]
        if key.startswith("tags.") and self.model.startswith("pipeline"):
            return self.prefix + key
        raise invalid(f'no support for filtering on unrecognized field "{key}"')

    def cell(self, column):
        column = column[len(self.prefix) :] if self.prefix and column.startswith(self.prefix) else column
        if column.startswith("tags."):
            return lambda row: row.tags.get(column[5:], "")
        if column not in self.cells:
            raise invalid(f'invalid filter key "{column}"')
        return self.cells[column]


def attribute(name):
    return lambda row: getattr(row, name)


def nothing(row):
    del row
    return ""


RUNS = Listable(
    "Run",
    "",
    {
        "run_id": "UUID", "id": "UUID", "name": "DisplayName", "display_name": "DisplayName", "created_at": "CreatedAtInSec",
        "finished_at": "FinishedAtInSec", "scheduled_at": "ScheduledAtInSec", "description": "Description",
        "storage_state": "StorageState", "state": "State", "state_history": "StateHistory", "status": "Conditions",
        "namespace": "Namespace", "experiment_id": "ExperimentUUID", "recurring_run_id": "JobUUID",
        "runtime_details": "PipelineRuntimeManifest",
    },
    {
        "UUID": attribute("run_id"), "DisplayName": attribute("display_name"), "CreatedAtInSec": attribute("created"),
        "FinishedAtInSec": attribute("finished"), "ScheduledAtInSec": attribute("scheduled"),
        "Description": attribute("description"), "StorageState": attribute("storage_state"), "State": attribute("state"),
        "StateHistory": lambda row: json.dumps([state for _, state in row.history]),
        "Conditions": lambda row: row.state.capitalize(), "Namespace": attribute("namespace"),
        "ExperimentUUID": attribute("experiment_id"), "JobUUID": attribute("recurring_run_id"),
        "PipelineRuntimeManifest": nothing,
    },
    {"UUID", "DisplayName", "CreatedAtInSec", "FinishedAtInSec", "ScheduledAtInSec", "Description", "StorageState", "State"},
)  # fmt: skip
EXPERIMENTS = Listable(
    "Experiment",
    "experiments",
    {
        "experiment_id": "UUID", "id": "UUID", "name": "Name", "display_name": "Name", "created_at": "CreatedAtInSec",
        "description": "Description", "namespace": "Namespace", "storage_state": "StorageState",
        "last_run_created_at": "LastRunCreatedAtInSec",
    },
    {
        "UUID": attribute("experiment_id"), "Name": attribute("display_name"), "CreatedAtInSec": attribute("created"),
        "Description": attribute("description"), "Namespace": attribute("namespace"),
        "StorageState": attribute("storage_state"), "LastRunCreatedAtInSec": attribute("last_run"),
    },
    {"UUID", "Name", "CreatedAtInSec", "Description", "Namespace", "StorageState", "LastRunCreatedAtInSec"},
)  # fmt: skip
PIPELINES = Listable(
    "Pipeline",
    "pipelines",
    {
        "pipeline_id": "UUID", "id": "UUID", "name": "Name", "display_name": "DisplayName", "created_at": "CreatedAtInSec",
        "description": "Description", "namespace": "Namespace",
    },
    {
        "UUID": attribute("pipeline_id"), "Name": attribute("name"), "DisplayName": attribute("display_name"),
        "CreatedAtInSec": attribute("created"), "Description": attribute("description"),
        "Namespace": attribute("namespace"),
    },
    {"UUID", "Name", "DisplayName", "CreatedAtInSec", "Description", "Namespace"},
)  # fmt: skip
VERSIONS = Listable(
    "PipelineVersion",
    "pipeline_versions",
    {
        "pipeline_version_id": "UUID", "id": "UUID", "name": "Name", "display_name": "DisplayName",
        "created_at": "CreatedAtInSec", "description": "Description", "code_source_url": "CodeSourceUrl",
        "pipeline_id": "PipelineId",
    },
    {
        "UUID": attribute("version_id"), "Name": attribute("name"), "DisplayName": attribute("display_name"),
        "CreatedAtInSec": attribute("created"), "Description": attribute("description"),
        "CodeSourceUrl": attribute("code_source_url"), "PipelineId": attribute("pipeline_id"),
    },
    {"UUID", "Name", "DisplayName", "CreatedAtInSec", "Description", "CodeSourceUrl"},
)  # fmt: skip
RECURRING = Listable(
    "Job",
    "jobs",
    {
        "recurring_run_id": "UUID", "id": "UUID", "name": "DisplayName", "display_name": "DisplayName",
        "created_at": "CreatedAtInSec", "updated_at": "UpdatedAtInSec", "description": "Description",
        "namespace": "Namespace", "experiment_id": "ExperimentUUID", "mode": "Enabled", "status": "Conditions",
        "pipeline_id": "PipelineId", "pipeline_version_id": "PipelineVersionId",
    },
    {
        "UUID": attribute("recurring_run_id"), "DisplayName": attribute("display_name"),
        "CreatedAtInSec": attribute("created"), "UpdatedAtInSec": attribute("updated"),
        "Description": attribute("description"), "Namespace": attribute("namespace"),
        "ExperimentUUID": attribute("experiment_id"), "Enabled": lambda row: int(row.enabled),
        "Conditions": lambda row: "ENABLED" if row.enabled else "DISABLED", "PipelineId": attribute("pipeline_id"),
        "PipelineVersionId": attribute("version_id"),
    },
    {"UUID", "DisplayName", "CreatedAtInSec", "UpdatedAtInSec", "Description", "PipelineId", "PipelineVersionId"},
)  # fmt: skip


class Options:
    """What one list call wants."""

    def __init__(self, size, column, descending, groups, value=None, key=None):
        self.size, self.column, self.descending, self.groups = size, column, descending, groups
        self.value, self.key = value, key


LONGEST_FULL_PAGE = 100  # with tasks


def page_size(text):
    if text is None:
        return DEFAULT_PAGE
    try:
        size = int(text)
        if not -(1 << 31) <= size < 1 << 31 or text != text.strip() or "_" in text:
            raise ValueError
    except ValueError:
        raise gateway(f'parsing field "page_size": strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if size < 0:
        raise invalid(f"The page size should be greater than 0. Got {size}").within("Failed to create list options")
    return min(size, LONGEST_PAGE) or DEFAULT_PAGE


def sort_of(text, listable):
    words = text.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise invalid(f'Received invalid sort by format "{text}". Supported format: "field_name", "field_name desc"')
    if not words:
        return "CreatedAtInSec", False
    column = listable.keys.get(words[0])
    if listable is RUNS and words[0].startswith("metric:"):
        column = words[0][len("metric:") :]
    if column is None:
        raise invalid(f'Invalid sorting field: "{words[0]}" on listable type {listable.name}')
    return column, words[-1] == "desc"


def read_token(text):
    try:
        token = json.loads(base64.b64decode(text, validate=True))
        if not isinstance(token, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as fault:
        raise invalid(f"Invalid package token: {fault}") from fault
    return token


def options(listable, query):
    """ApiError 400. Given with a token, sort and filter must be those of the token, and stay what they were in JSON."""
    size = page_size(query.get("page_size"))
    sort, text, token = query.get("sort_by") or "", query.get("filter") or "", query.get("page_token") or ""
    with within("Failed to create list options"):
        if not token:
            column, descending = sort_of(sort, listable)
            return Options(size, column, descending, filters.parse(text, listable))
        held = read_token(token)
        found = Options(
            size, held.get("SortByFieldName") or "", held.get("IsDesc") is True, held.get("Filter"),
            held.get("SortByFieldValue"), held.get("KeyFieldValue"),
        )  # fmt: skip
        if sort or text:
            column, descending = sort_of(sort, listable)
            groups = filters.parse(text, listable)
            same = (column, descending, groups) == (found.column, found.descending, found.groups)
            if not same or not filters.survives_token(groups):
                raise invalid("page token does not match the supplied sort by and/or filtering criteria")
        if found.groups is not None and not isinstance(found.groups, dict):
            raise invalid("Invalid package token: no filter")
        return found


def token_for(listable, wanted, row):
    """Points at the row."""
    token = {
        "SortByFieldName": wanted.column, "SortBySQLColumn": wanted.column,
        "SortByFieldValue": listable.cells[wanted.column](row), "SortByFieldPrefix": listable.prefix,
        "KeyFieldName": "UUID", "KeyFieldValue": listable.cells["UUID"](row), "KeyFieldPrefix": listable.prefix,
        "IsDesc": wanted.descending, "ModelName": listable.model, "Filter": wanted.groups,
    }  # fmt: skip
    return base64.b64encode(json.dumps(token, separators=(",", ":")).encode()).decode()


def page(listable, wanted, rows, database):
    """(rows of the page, total size, next page token or ""). `rows`: those that the caller may see at all."""
    tests = filters.tests_of(wanted.groups, listable, database.mariadb)
    found = [row for row in rows if all(test(cell(row)) for cell, test in tests)]
    total = len(found)
    key = listable.cells["UUID"]
    cell = listable.cells.get(wanted.column, nothing)

    def comparable(value):
        return fold(value) if isinstance(value, str) and database.mariadb else value

    def place(row):
        return comparable(cell(row)), comparable(key(row))

    # The genuine server finds this out only when there is another page.
    if wanted.column not in listable.sortable:
        raise invalid(f'cannot sort by field "{wanted.column}" on type "{listable.name}"')
    found.sort(key=place, reverse=wanted.descending)
    if wanted.value is not None and wanted.key is not None:
        start = (comparable(wanted.value), comparable(wanted.key))
        try:
            if wanted.descending:
                found = [row for row in found if place(row) <= start]
            else:
                found = [row for row in found if place(row) >= start]
        except TypeError as fault:
            raise invalid("Invalid package token: another kind of value") from fault
    shown = found[: wanted.size]
    token = token_for(listable, wanted, found[wanted.size]) if len(found) > wanted.size else ""
    return shown, total, token
