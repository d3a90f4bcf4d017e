"""Which path is which call, and how what comes back is written."""

import json
import re
import urllib.parse

from . import experiments, jsonio, pipelines, recurring, reports, runs
from .errors import NOT_FOUND, UNIMPLEMENTED, ApiError, PlainError, gateway

ROOT = "/apis/v2beta1"
LONG = 2048  # Go sends more than this in chunks


async def healthz(core, request):
    del request
    return {
        "commit_sha": "scripted", "tag_name": core.tag, "multi_user": core.identities.multi_user,
        "pipeline_store": "database",
    }  # fmt: skip


# Method, path, verb after the colon, call. First match wins; a path that only another method knows is 501.
ROUTES = (
    ("GET", "/healthz", "", healthz),
    ("POST", "/pipelines/upload", "", pipelines.upload),
    ("POST", "/pipelines/upload_version", "", pipelines.upload_version),
    ("POST", "/pipelines/create", "", pipelines.create_from_url),
    ("GET", "/pipelines/names/*", "", pipelines.by_name),
    ("POST", "/pipelines", "", pipelines.create),
    ("GET", "/pipelines", "", pipelines.show_list),
    ("GET", "/pipelines/*", "", pipelines.get),
    ("PATCH", "/pipelines/*", "", pipelines.update),
    ("DELETE", "/pipelines/*", "", pipelines.delete),
    ("POST", "/pipelines/*/versions", "", pipelines.create_from_url),
    ("GET", "/pipelines/*/versions", "", pipelines.list_versions),
    ("GET", "/pipelines/*/versions/*", "", pipelines.get_version),
    ("PATCH", "/pipelines/*/versions/*", "", pipelines.update_version),
    ("DELETE", "/pipelines/*/versions/*", "", pipelines.delete_version),
    ("POST", "/experiments", "", experiments.create),
    ("GET", "/experiments", "", experiments.show_list),
    ("GET", "/experiments/*", "", experiments.get),
    ("DELETE", "/experiments/*", "", experiments.delete),
    ("POST", "/experiments/*", "archive", experiments.archive),
    ("POST", "/experiments/*", "unarchive", experiments.unarchive),
    ("POST", "/runs", "", runs.create),
    ("GET", "/runs", "", runs.show_list),
    ("GET", "/runs/*", "", runs.get),
    ("DELETE", "/runs/*", "", runs.delete),
    ("POST", "/runs/*", "terminate", runs.terminate),
    ("POST", "/runs/*", "retry", runs.retry),
    ("POST", "/runs/*", "archive", runs.archive),
    ("POST", "/runs/*", "unarchive", runs.unarchive),
    ("POST", "/recurringruns", "", recurring.create),
    ("GET", "/recurringruns", "", recurring.show_list),
    ("GET", "/recurringruns/*", "", recurring.get),
    ("DELETE", "/recurringruns/*", "", recurring.delete),
    ("POST", "/recurringruns/*", "enable", recurring.enable),
    ("POST", "/recurringruns/*", "disable", recurring.disable),
    ("POST", "/workflows", "", reports.report),
)
COMPILED = [
    (method, re.compile(path.replace("*", "([^/]+)")), verb, call) for method, path, verb, call in ROUTES
]  # fmt: skip
BY_HAND = {pipelines.upload, pipelines.upload_version, healthz}


def route(method, path):
    """(call, arguments). ApiError 404 or 501."""
    known = False
    for want, pattern, verb, call in COMPILED:
        bare = path
        if verb:
            bare, colon, found = path.rpartition(":")
            if not colon or found != verb:
                continue
        match = pattern.fullmatch(bare)
        if match:
            if want == method:
                return call, match.groups()
            known = True
    if known:
        raise ApiError(UNIMPLEMENTED, "Method Not Allowed")
    raise ApiError(NOT_FOUND, "Not Found")


def read_query(text):
    """First values by snake_case name. ApiError 400 for a name given twice."""
    query = {}
    for name, value in urllib.parse.parse_qsl(text, keep_blank_values=True, errors="replace"):
        name = re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)
        if name in query:
            raise gateway(f'too many values for field "{name}"')
        query[name] = value
    return query


class Answer:
    """`chunked`: in chunks, as Go sends what is long."""

    def __init__(self, status, headers, body, chunked=False):
        self.status, self.headers, self.body, self.chunked = status, headers, body, chunked


def as_json(status, value, headers=()):
    return Answer(status, [("Content-Type", "application/json"), *headers], jsonio.dump(value))


async def answer(core, request):
    """Carries a request out. Crash passes through."""
    path = request.path
    if not path.startswith(ROOT + "/"):
        return Answer(404, [("Content-Type", "text/plain; charset=utf-8")], b"404 page not found\n")
    try:
        call, arguments = route(request.method, path[len(ROOT) :])
        request.query = read_query(request.query_text)
        value = await call(core, request, *arguments)
    except ApiError as fault:
        return as_json(fault.status, fault.body(), fault.headers())
    except PlainError as fault:
        return Answer(fault.status, [("Content-Type", fault.content_type)], fault.body.encode())
    if call in BY_HAND:
        return as_json(200, value)
    body = jsonio.dump(value)
    headers = [("Content-Type", "application/json"), ("Grpc-Metadata-Content-Type", "application/grpc")]
    return Answer(200, headers, body, chunked=len(body) > LONG)


def not_found_run(path):
    """GetRun's own 404, for a run that is there all the same."""
    run_id = urllib.parse.unquote(path.rpartition("/")[2])
    detail = f"Run {run_id} not found"
    fault = ApiError(
        NOT_FOUND, f"Failed to get a run: Failed to fetch run {run_id}: ResourceNotFoundError: {detail}", detail
    )
    return as_json(404, fault.body())


def scripted(fault):
    """The answer that a fault's own fields make."""
    body = fault.get("body", {"code": 14, "message": "scripted"})
    given = fault.get("headers") or {}
    kind = "application/json"
    if isinstance(body, str):
        kind = "application/json" if body.lstrip()[:1] in ("{", "[") else "text/plain"
    else:
        body = json.dumps(body)
    headers = [] if any(name.lower() == "content-type" for name in given) else [("Content-Type", kind)]
    return Answer(fault.get("status", 503), [*headers, *given.items()], body.encode())
