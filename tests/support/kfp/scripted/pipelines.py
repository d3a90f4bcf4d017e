"""Pipelines and their versions; uploads answer in a shape of their own."""

import email
import email.policy
import json
import uuid

from . import database, jsonio, listing, present, specs
from .errors import ALREADY_EXISTS, INVALID_ARGUMENT, ApiError, PlainError, exists, internal, invalid, not_found, within

JSON_TYPE, TEXT_TYPE = "application/json", "text/plain; charset=utf-8"
STACK = "<server stack trace>"


def find(core, pipeline_id):
    row = core.db.pipelines.find(pipeline_id)
    if row is None:
        raise not_found("Pipeline", pipeline_id)
    return row


def find_version(core, version_id):
    row = core.db.versions.find(version_id)
    if row is None:
        raise not_found("PipelineVersion", version_id)
    return row


def insert(core, name, display_name, description, namespace, tags=None):
    """ApiError 409 if the name is taken in the namespace."""
    core.db.accept(
        "Failed to add pipeline to pipeline table",
        {"Name": name, "DisplayName": display_name, "Description": (description, None)},
    )
    if any(core.db.same(row.name, name) and row.namespace == namespace for row in core.db.pipelines.values()):
        raise exists(f"Failed to create a new pipeline. The name {name} already exists. Please specify a new name")
    row = database.Pipeline(
        str(uuid.uuid4()), name, display_name, description, namespace, core.clock.seconds(), tags or {}
    )
    core.db.pipelines.put(row.pipeline_id, row)
    return row


def insert_version(core, pipeline, name, display_name, description, template, url="", tags=None):
    """ApiError 409 if the pipeline has a version of that name."""
    texts = {
        "Name": name,
        "DisplayName": display_name,
        "Description": (description, None),
        "PipelineSpec": (template.text(), None),
    }
    core.db.accept("Failed to add version to pipeline_versions table", texts)
    for row in core.versions_of(pipeline.pipeline_id):
        if core.db.same(row.name, name):
            raise exists(f"Failed to create a new pipeline version. The name {name} already exists in this pipeline")
    row = database.Version(
        str(uuid.uuid4()),
        pipeline.pipeline_id,
        name,
        display_name,
        description,
        core.clock.seconds(),
        template,
        url,
        tags or {},
    )
    core.db.versions.put(row.version_id, row)
    return row


def upload_error(status, message, content_type=JSON_TYPE):
    """Go writes its own content type where the server had not said one yet."""
    body = json.dumps({"error_message": message, "error_details": STACK})
    return PlainError(status, body, content_type)


def uploaded(request, message):
    """(file name, data) of the form's part `uploadfile`."""
    kind = request.header("content-type") or ""
    head = f"Content-Type: {kind}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    if kind.lower().startswith("multipart/form-data"):
        form = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
        for part in form.iter_parts() if form.is_multipart() else ():
            disposition = part["content-disposition"]
            if (
                disposition is not None
                and disposition.params.get("name") == "uploadfile"
                and part.get_filename() is not None
            ):
                return part.get_filename(), part.get_payload(decode=True)
    raise upload_error(400, message, TEXT_TYPE)


def read_tags(request, message):
    del message
    text = request.query.get("tags")
    if not text:
        return {}
    try:
        tags = json.loads(text)
        if not isinstance(tags, dict) or any(not isinstance(value, str) for value in tags.values()):
            raise ValueError
    except ValueError:
        raise upload_error(
            400, "Failed to parse tags query parameter. Expected JSON object with string keys and values", TEXT_TYPE
        ) from None
    return tags


def names_of(request, file_name):
    shown = request.query.get("display_name") or ""
    name = request.query.get("name") or shown or file_name
    return name, shown or name


def read_template(data):
    try:
        return specs.read_file(data)
    except specs.BadSpec as fault:
        raise invalid(str(fault)) from fault


def uploading(message, action):
    """What went wrong while storing, in the uploads' shape."""
    try:
        return action()
    except ApiError as fault:
        if fault.code == ALREADY_EXISTS:
            raise upload_error(409, message) from fault
        if fault.code == INVALID_ARGUMENT:
            raise upload_error(400, fault.detail) from fault
        raise upload_error(500, message) from fault


def may_upload(core, request, namespace, message):
    """Without a namespace nobody is asked who they are."""
    if not namespace:
        return
    try:
        core.identities.authorize(request, namespace, "create", "pipelines")
    except ApiError as fault:
        raise upload_error(400, message, TEXT_TYPE) from fault


async def upload(core, request):
    message = "Failed to create a pipeline and a pipeline version"
    file_name, data = uploaded(request, "Failed to read pipeline from file")
    try:
        data = specs.unpack(file_name, data)
    except specs.BadSpec as fault:
        raise upload_error(400, "Failed to read a pipeline spec file", TEXT_TYPE) from fault
    namespace = request.query.get("namespace") or "" if core.identities.multi_user else ""
    may_upload(core, request, namespace, message)
    name, display_name = names_of(request, file_name)
    tags = read_tags(request, message)
    if len(name) > 128:
        raise PlainError(400, "Invalid input error: Pipeline.Name length cannot exceed 128\n", TEXT_TYPE)
    description = request.query.get("description") or ""

    def store():
        template = read_template(data)
        row = insert(core, name, display_name, description, namespace, tags)
        try:
            insert_version(
                core, row, name, display_name, description, template, request.query.get("code_source_url") or ""
            )
        except ApiError:
            core.db.pipelines.drop(row.pipeline_id)
            raise
        return row

    return present.pipeline(uploading(message, store))


async def upload_version(core, request):
    message = "Failed to create a pipeline version"
    file_name, data = uploaded(request, message)
    try:
        data = specs.unpack(file_name, data)
    except specs.BadSpec as fault:
        raise upload_error(400, message, TEXT_TYPE) from fault
    pipeline_id = request.query.get("pipelineid") or ""
    name, display_name = names_of(request, file_name)
    if pipeline_id and len(name) > 128:
        raise PlainError(400, "Invalid input error: PipelineVersion.Name length cannot exceed 128\n", TEXT_TYPE)
    pipeline = core.db.pipelines.find(pipeline_id)
    if pipeline is None:
        raise upload_error(400, message, TEXT_TYPE)
    may_upload(core, request, pipeline.namespace, message)
    tags = read_tags(request, message)
    description, url = request.query.get("description") or "", request.query.get("code_source_url") or ""
    row = uploading(
        message, lambda: insert_version(core, pipeline, name, display_name, description, read_template(data), url, tags)
    )
    return present.version(row)


async def create(core, request):
    """A pipeline without any version."""
    given = jsonio.read_body(jsonio.PIPELINE, request.body)
    return present.pipeline(create_row(core, request, given))


def create_row(core, request, given):
    name = given.get("name") or given.get("display_name") or ""
    namespace = given.get("namespace", "") if core.identities.multi_user else ""
    with within("Failed to create a pipeline"):
        if namespace or core.identities.multi_user:
            core.identities.authorize(request, namespace, "create", "pipelines")
        if not name:
            raise invalid("pipeline's name cannot be empty")
        if len(name) > 128:
            raise internal("Failed to convert API pipeline: Pipeline.Name length cannot exceed 128")
        return insert(
            core, name, given.get("display_name") or name, given.get("description", ""), namespace, given.get("tags")
        )


async def create_from_url(core, request, pipeline_id=None):
    """Every URL is refused here: the server under test fetches nothing."""
    del core, pipeline_id
    jsonio.read_body(jsonio.CREATE_PIPELINE if request.path.endswith("/create") else jsonio.VERSION, request.body)
    raise invalid("Pipeline URL validation failed").within("Failed to create a pipeline")


async def get(core, request, pipeline_id):
    with within(f"Failed to get a pipeline {pipeline_id}. Check error stack"):
        row = find(core, pipeline_id)
        allow(core, request, row.namespace, "get", row.name)
    return present.pipeline(row)


def allow(core, request, namespace, verb, name=""):
    """Shared pipelines are read by everybody."""
    if namespace or (core.identities.multi_user and verb not in ("get", "list")):
        core.identities.authorize(request, namespace, verb, "pipelines", name)


async def by_name(core, request, name):
    namespace = request.query.get("namespace") or "" if core.identities.multi_user else ""
    with within(f"Failed to get a pipeline with name {name} and namespace {namespace}"):
        allow(core, request, namespace, "get", name)
        rows = [row for row in core.db.pipelines.values() if core.db.same(row.name, name)]
        row = next((row for row in rows if row.namespace == namespace), None)
        if row is None and not namespace:
            row = rows[0] if rows else None
        if row is None:
            raise not_found("Namespace/Pipeline", f"{namespace}/{name}")
    return present.pipeline(row)


async def show_list(core, request):
    with within("Failed to list pipelines"):
        wanted = listing.options(listing.PIPELINES, request.query)
        namespace = request.query.get("namespace") or "" if core.identities.multi_user else ""
        allow(core, request, namespace, "list")
        rows = [row for row in core.db.pipelines.values() if row.namespace == namespace]
        found, total, token = listing.page(listing.PIPELINES, wanted, rows, core.db)
    return present.without_zeros(
        {"pipelines": [present.pipeline(row) for row in found], "total_size": total, "next_page_token": token}
    )


async def update(core, request, pipeline_id):
    """Only the shown name and the tags."""
    given = jsonio.read_body(jsonio.PIPELINE, request.body)
    row = find(core, pipeline_id)
    allow(core, request, row.namespace, "update", row.name)
    change(row, given, request)
    return present.pipeline(row)


def change(row, given, request):
    row.display_name = given.get("display_name") or row.display_name
    if "tags" in given or request.header("x-clear-tags") == "true":
        row.tags = given.get("tags") or {}


async def delete(core, request, pipeline_id):
    with within(f"Failed to delete pipeline {pipeline_id}. Check error stack"):
        row = find(core, pipeline_id)
        allow(core, request, row.namespace, "delete", row.name)
        versions = core.versions_of(row.pipeline_id)
        if versions and request.query.get("cascade") not in ("true", "1", "True", "TRUE", "t", "T"):
            raise invalid(
                f"Failed to delete pipeline with id {pipeline_id} as it has existing pipeline versions "
                f"(e.g. {versions[0].version_id}). Set cascade=true to delete all versions"
            )
    for version in versions:
        core.db.versions.drop(version.version_id)
    core.db.pipelines.drop(row.pipeline_id)
    return {}


async def get_version(core, request, pipeline_id, version_id):
    """The pipeline id in the path is not looked at."""
    del pipeline_id
    row = version_for(core, request, version_id, "get")
    return present.version(row)


def version_for(core, request, version_id, verb):
    with within(f"Failed to {verb} a pipeline version"):
        row = find_version(core, version_id)
        pipeline = core.db.pipelines.find(row.pipeline_id)
        allow(core, request, pipeline.namespace if pipeline else "", verb)
        return row


async def update_version(core, request, pipeline_id, version_id):
    del pipeline_id
    given = jsonio.read_body(jsonio.VERSION, request.body)
    row = version_for(core, request, version_id, "update")
    change(row, given, request)
    return present.version(row)


async def delete_version(core, request, pipeline_id, version_id):
    del pipeline_id
    row = version_for(core, request, version_id, "delete")
    core.db.versions.drop(row.version_id)
    return {}


async def list_versions(core, request, pipeline_id):
    with within("Failed to list pipeline versions"):
        wanted = listing.options(listing.VERSIONS, request.query)
        row = find(core, pipeline_id)
        allow(core, request, row.namespace, "list")
        found, total, token = listing.page(listing.VERSIONS, wanted, core.versions_of(row.pipeline_id), core.db)
    return present.without_zeros(
        {"pipeline_versions": [present.version(row) for row in found], "total_size": total, "next_page_token": token}
    )
