"""Exchanges of our own in the form of the recordings, from what is known of the genuine server: held where the recordings
are not. `write(folder)` gives the file."""

import json
import pathlib
import urllib.parse

API = "/apis/v2beta1"
DATE = "Sat, 21 Nov 2026 09:42:23 GMT"
NOW = "2026-11-21T09:42:23Z"
NEVER = "1970-01-01T00:00:00Z"
EXPERIMENT = "11111111-0000-4000-8000-000000000001"
PIPELINE = "22222222-0000-4000-8000-000000000001"
VERSION = "33333333-0000-4000-8000-000000000001"
RUN = "44444444-0000-4000-8000-000000000001"
RECURRING = "55555555-0000-4000-8000-000000000001"
NONE = "99999999-0000-4000-8000-000000000009"

SPEC = {
    "pipelineInfo": {"name": "own"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "components": {"comp-say": {"executorLabel": "exec-say"}},
    "deploymentSpec": {
        "executors": {"exec-say": {"container": {"image": "alpine", "command": ["sh", "-c"], "args": ["true"]}}}
    },
    "root": {
        "dag": {"tasks": {"say": {"taskInfo": {"name": "say"}, "componentRef": {"name": "comp-say"}}}},
        "inputDefinitions": {
            "parameters": {
                "msg": {"parameterType": "STRING", "defaultValue": "hi", "isOptional": True},
                "n": {"parameterType": "NUMBER_INTEGER", "isOptional": True},
            }
        },
    },
}
FORM = (
    '--cut\r\nContent-Disposition: form-data; name="uploadfile"; filename="own.yaml"\r\n\r\n'
    + json.dumps(SPEC)
    + "\r\n--cut--\r\n"
)
REFERENCE = {"pipeline_id": PIPELINE, "pipeline_version_id": VERSION}


def exchange(name, method, path, status, answer, body=None, kind="application/json"):
    """`answer`: a JSON value."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return {
        "name": name,
        "request": {
            "method": method, "path": API + path,
            "headers": {} if text is None else {"Content-Type": kind}, "body": text,
        },
        "response": {
            "status": status, "headers": {"Content-Type": "application/json", "Date": DATE}, "body": json.dumps(answer),
        },
    }  # fmt: skip


def fault(code):
    """What KFP itself refuses."""
    status = {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": "its words"}
    return {"code": code, "message": "all the words", "details": [status]}


def bare(code):
    """What the gateway refuses before KFP sees it."""
    return {"code": code, "message": "its words"}


def upload_fault():
    return {"error_message": "its words", "error_details": "more of them"}


def experiments():
    made = {
        "experiment_id": EXPERIMENT, "display_name": "own", "description": "d", "created_at": NOW,
        "storage_state": "AVAILABLE", "last_run_created_at": NEVER,
    }  # fmt: skip
    body = {"display_name": "own", "description": "d"}
    one = f"/experiments/{EXPERIMENT}"
    return [
        exchange("make an experiment", "POST", "/experiments", 200, made, body),
        exchange("the same name", "POST", "/experiments", 409, fault(6), body),
        exchange("no name", "POST", "/experiments", 400, fault(3), {}),
        exchange("a name of 129", "POST", "/experiments", 500, fault(13), {"display_name": "x" * 129}),
        exchange("get it", "GET", one, 200, made),
        exchange("get another", "GET", f"/experiments/{NONE}", 404, fault(5)),
        exchange("archive it", "POST", one + ":archive", 200, {}),
        exchange("it is archived", "GET", one, 200, {**made, "storage_state": "ARCHIVED"}),
        exchange("archive it again", "POST", one + ":archive", 200, {}),
        exchange("bring it back", "POST", one + ":unarchive", 200, {}),
    ]


def pipelines():
    pipeline = {"pipeline_id": PIPELINE, "display_name": "own", "name": "own", "created_at": NOW}
    version = {**pipeline, "pipeline_version_id": VERSION, "pipeline_spec": SPEC}
    form = "multipart/form-data; boundary=cut"
    broken = FORM.replace(json.dumps(SPEC), "not: [a pipeline")
    return [
        exchange("upload", "POST", "/pipelines/upload?name=own", 200, pipeline, FORM, form),
        exchange("upload the name again", "POST", "/pipelines/upload?name=own", 409, upload_fault(), FORM, form),
        exchange("upload what is no YAML", "POST", "/pipelines/upload?name=bad", 400, upload_fault(), broken, form),
        exchange("get the pipeline", "GET", f"/pipelines/{PIPELINE}", 200, pipeline),
        exchange("by name", "GET", "/pipelines/names/own", 200, pipeline),
        exchange("by another name", "GET", "/pipelines/names/nobody", 404, fault(5)),
        exchange("versions", "GET", f"/pipelines/{PIPELINE}/versions", 200, {"pipeline_versions": [version], "total_size": 1}),
        exchange("the version by any pipeline", "GET", f"/pipelines/{NONE}/versions/{VERSION}", 200, version),
        exchange("delete it with its versions", "DELETE", f"/pipelines/{PIPELINE}", 400, fault(3)),
        exchange("from a URL of this machine", "POST", "/pipelines/create", 400, fault(3), {
            "pipeline": {"display_name": "u"},
            "pipeline_version": {"package_url": {"pipeline_url": "http://127.0.0.1:1/p.yaml"}},
        }),
    ]  # fmt: skip


def run(**more):
    return {
        "experiment_id": EXPERIMENT, "run_id": RUN, "display_name": "one", "storage_state": "AVAILABLE",
        "pipeline_version_reference": REFERENCE, "service_account": "pipeline-runner", "created_at": NOW,
        "scheduled_at": NOW, "finished_at": NEVER, "state": "PENDING",
        "state_history": [{"update_time": NOW, "state": "PENDING"}], **more,
    }  # fmt: skip


def runs():
    body = {"display_name": "one", "run_id": RUN, "experiment_id": EXPERIMENT, "pipeline_version_reference": {"pipeline_id": PIPELINE}}

    def refused(name, status, code, given, details=True):
        whole = {"display_name": "x", "experiment_id": EXPERIMENT, "pipeline_version_reference": REFERENCE, **given}
        return exchange(name, "POST", "/runs", status, fault(code) if details else bare(code), whole)

    def parameters(name, values):
        return refused(name, 400, 3, {"runtime_config": {"parameters": values}})

    return [
        exchange("make a run of the latest version", "POST", "/runs", 200, run(runtime_config={"parameters": {"n": 3}}), {
            **body, "runtime_config": {"parameters": {"n": 3}},
        }),
        exchange("the same run_id", "POST", "/runs", 500, fault(13), body),
        exchange("get the run", "GET", f"/runs/{RUN}", 200, run(runtime_config={"parameters": {"n": 3}})),
        exchange("get another run", "GET", f"/runs/{NONE}", 404, fault(5)),
        exchange("end another run", "POST", f"/runs/{NONE}:terminate", 404, fault(5)),
        exchange("retry another run", "POST", f"/runs/{NONE}:retry", 404, fault(5)),
        exchange("retry what has not failed", "POST", f"/runs/{RUN}:retry", 409, fault(10)),
        parameters("a parameter nobody declared", {"nope": 1}),
        parameters("null", {"msg": None}),
        parameters("a number for a text", {"msg": 1}),
        parameters("a text for a number", {"n": "1"}),
        refused("no name", 500, 13, {"display_name": ""}),
        refused("a run_id that is no label", 500, 13, {"run_id": "a b/c"}),
        refused("an experiment nobody made", 404, 5, {"experiment_id": NONE}),
        refused("no version of it", 500, 13, {"pipeline_version_reference": {"pipeline_id": NONE}}),
        refused("a field that is none", 400, 3, {"nope": 1}, False),
        refused("a field of another type", 400, 3, {"display_name": 5}, False),
        exchange("both sources", "POST", "/runs", 400, bare(3), {**body, "pipeline_spec": SPEC}),
        exchange("no JSON", "POST", "/runs", 400, bare(3), '{"display_name": '),
        exchange("archive the run", "POST", f"/runs/{RUN}:archive", 200, {}),
        exchange("archived", "GET", f"/runs/{RUN}", 200, run(storage_state="ARCHIVED", runtime_config={"parameters": {"n": 3}})),
        exchange("bring the run back", "POST", f"/runs/{RUN}:unarchive", 200, {}),
    ]  # fmt: skip


def lists():
    def found(name, *predicates):
        text = json.dumps({"predicates": list(predicates)})
        query = urllib.parse.quote(urllib.parse.quote(text, safe=""), safe="")
        return f"/runs?experiment_id={EXPERIMENT}&filter={query}"

    one = {"runs": [run(runtime_config={"parameters": {"n": 3}})], "total_size": 1}
    name = {"key": "display_name", "operation": "EQUALS", "string_value": "one"}
    return [
        exchange("all of the experiment", "GET", f"/runs?experiment_id={EXPERIMENT}", 200, one),
        exchange("by name", "GET", found("by name", name), 200, one),
        exchange("by another name", "GET", found("none", {**name, "string_value": "two"}), 200, {}),
        exchange("in none", "GET", found("in", {"key": "run_id", "operation": "IN", "string_values": {"values": []}}), 200, {}),
        exchange("an operation by number", "GET", found("number", {**name, "operation": 1}), 200, one),
        exchange("a key that is none", "GET", found("key", {**name, "key": "nope"}), 400, fault(3)),
        exchange("of no experiment", "GET", f"/runs?experiment_id={NONE}", 404, fault(5)),
        exchange("page_size -1", "GET", "/runs?page_size=-1", 400, fault(3)),
        exchange("page_size abc", "GET", "/runs?page_size=abc", 400, bare(3)),
        exchange("a page token that is none", "GET", "/runs?page_token=nope", 400, fault(3)),
        exchange("a sort key that is none", "GET", "/runs?sort_by=nope", 400, fault(3)),
        exchange("an empty value is unset", "GET", f"/runs?experiment_id={EXPERIMENT}&page_token=&sort_by=", 200, one),
        exchange("a query nobody knows", "GET", f"/runs?experiment_id={EXPERIMENT}&nope=1", 200, one),
    ]


def recurring_runs():
    body = {
        "display_name": "nightly", "experiment_id": EXPERIMENT, "max_concurrency": "1", "mode": "DISABLE",
        "pipeline_version_reference": REFERENCE, "trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}},
    }  # fmt: skip
    made = {
        **body, "recurring_run_id": RECURRING, "service_account": "pipeline-runner", "created_at": NOW,
        "updated_at": NOW, "status": "DISABLED", "namespace": "kubeflow",
    }  # fmt: skip
    one = f"/recurringruns/{RECURRING}"

    def refused(name, code, status, **given):
        return exchange(name, "POST", "/recurringruns", status, fault(code), {**body, **given})

    return [
        exchange("make a recurring run", "POST", "/recurringruns", 200, made, body),
        exchange("get the recurring run", "GET", one, 200, made),
        exchange("list them", "GET", f"/recurringruns?experiment_id={EXPERIMENT}", 200, {"recurringRuns": [made], "total_size": 1}),
        exchange("enable", "POST", one + ":enable", 200, {}),
        exchange("disable", "POST", one + ":disable", 200, {}),
        refused("max_concurrency 0", 3, 400, max_concurrency="0"),
        refused("max_concurrency 11", 3, 400, max_concurrency="11"),
        refused("a cron of seven fields", 3, 400, trigger={"cron_schedule": {"cron": "0 0 3 * * * 2026"}}),
        refused("an interval of 0", 3, 400, trigger={"periodic_schedule": {"interval_second": "0"}}),
        refused("no name of its own", 13, 500, display_name=""),
        exchange("change one", "PATCH", one, 501, bare(12), {}),
        exchange("delete it", "DELETE", one, 200, {}),
        exchange("delete it again", "DELETE", one, 404, fault(5)),
    ]


def ends():
    return [
        exchange("no such route", "GET", "/nope", 404, bare(5)),
        exchange("no such method", "PUT", "/runs", 501, bare(12), {}),
        exchange("delete the run", "DELETE", f"/runs/{RUN}", 200, {}),
        exchange("it is gone", "GET", f"/runs/{RUN}", 404, fault(5)),
        exchange("no runs", "GET", f"/runs?experiment_id={EXPERIMENT}", 200, {}),
    ]


def write(folder):
    file = pathlib.Path(folder) / "own.jsonl"
    all_of_them = experiments() + pipelines() + runs() + lists() + recurring_runs() + ends()
    file.write_text("".join(json.dumps(item) + "\n" for item in all_of_them))
    return file
