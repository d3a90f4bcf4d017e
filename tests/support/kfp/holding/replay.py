"""Replays exchanges. What they take for granted is made first: runs of requests that were not recorded, and reports."""

import datetime
import json
import re
import time
import urllib.parse

from . import compare, recording
from .recording import API

PHASE = {"PENDING": "Pending", "RUNNING": "Running", "SUCCEEDED": "Succeeded", "FAILED": "Failed", "CANCELING": "Running",
         "SKIPPED": "Skipped", "": ""}  # fmt: skip
END_SECONDS = 60
SAMPLE = """pipelineInfo: {name: hello-pipe}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
components: {}
deploymentSpec: {}
root:
  dag: {tasks: {}}
  inputDefinitions: {parameters: {msg: {parameterType: STRING, defaultValue: hi, isOptional: true}}}
"""


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def total_of(answer):
    """How many rows an answer counts."""
    try:
        value = json.loads(answer[2])
    except ValueError:
        return 0
    return value.get("total_size", 0) if isinstance(value, dict) else 0


class NotHeld(Exception):
    """The exchange needs what the server under test does not have: a cluster side."""


class Replay:
    """On a server without a cluster side nothing can report how runs fare: see compare.MOVING."""

    def __init__(self, target, exchanges, give_run_ids=True):
        self.target, self.exchanges, self.give_run_ids = target, exchanges, give_run_ids
        self.knowledge = recording.Knowledge(exchanges)
        self.ids = compare.Ids()
        self.differences, self.held, self.not_held = [], 0, []
        self.different = 0  # exchanges
        self.open_list = False
        self.clock = None
        self.histories = {}  # run id -> as last seen
        self.masked = 0  # runs of answers of which it could not be held how they fare: there is no cluster side

    def run(self):
        for exchange in self.exchanges:
            try:
                found = self.exchange(exchange)
            except NotHeld as reason:
                self.not_held.append(f"{exchange.place} {exchange.name}: {reason}")
                continue
            if found:
                self.different += 1
                self.differences += [f"{exchange.place} {exchange.name}: {text}" for text in found]
            else:
                self.held += 1
        return self

    def exchange(self, exchange):
        """The differences."""
        if exchange.path.startswith("/oracle/") and not self.target.control:
            raise NotHeld("a look at the cluster")
        self.prepare(exchange)
        self.set_clock(exchange.when())
        self.open_list = False
        answer = self.send(exchange)
        if self.fewer_rows(exchange, answer):
            self.open_list = self.more_rows(exchange)
            self.set_clock(exchange.when())
            answer = self.send(exchange)
        found = self.hold(exchange, *answer)
        self.wait_for_end(exchange, answer[0])
        self.same_id_again(exchange)
        return found

    def send(self, exchange):
        base = not exchange.path.startswith("/oracle/")
        return self.target.send(
            exchange.method, self.request_target(exchange), exchange.headers, self.request_body(exchange), base
        )

    def fewer_rows(self, exchange, answer):
        if exchange.method != "GET" or exchange.status != 200 or not isinstance(exchange.value, dict):
            return False
        return total_of(answer) < exchange.value.get("total_size", 0)

    def wait_for_end(self, exchange, status):
        """Where runs end by themselves, one that was told to does so before the next exchange."""
        if self.target.control or status != 200 or not exchange.path.endswith(":terminate"):
            return
        path = self.request_target(exchange).partition("?")[0].removesuffix(":terminate")
        end = time.monotonic() + END_SECONDS
        while time.monotonic() < end:
            status, run = self.target.call("GET", path)
            if status != 200 or run.get("state") != "CANCELING":
                return
            time.sleep(0.02)

    def same_id_again(self, exchange):
        """A run whose id the server picked is made again under the recorded one: rows are ordered by it."""
        if (
            not self.target.control
            or not self.give_run_ids
            or exchange.creates() != "run_id"
            or "recurring_run_id" in exchange.given
        ):
            return
        recorded = exchange.value["run_id"]
        live = self.ids.table.get(recorded, recorded)
        if live != recorded:
            self.target.call("DELETE", f"{API}/runs/{urllib.parse.quote(live, safe='')}")
            body = json.loads(self.ids.translate(exchange.body))
            self.ids.table[recorded] = recorded
            self.target.call("POST", f"{API}/runs", {**body, "run_id": recorded})

    # --- the request

    def set_clock(self, seconds):
        if self.target.control and seconds is not None and self.clock != int(seconds):
            self.clock = int(seconds)
            moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
            self.target.cluster("clock", {"set": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "freeze": True})

    def request_target(self, exchange):
        target = self.ids.translate(exchange.target)
        token = exchange.query.get("page_token")
        if token in self.ids.table:
            live = urllib.parse.quote(self.ids.table[token], safe="")
            target = re.sub(r"page_token=[^&]*", lambda match: "page_token=" + live, target)
        return target

    def request_body(self, exchange):
        """Run ids are given where the recorded server picked them: rows of one second come in their order."""
        body = exchange.body
        if body is None:
            return None
        body = self.ids.translate(body)
        given = exchange.given
        if (
            exchange.creates() == "run_id"
            and self.give_run_ids
            and "run_id" not in given
            and "recurring_run_id" not in given
        ):
            end = body.rindex("}")
            body = f'{body[:end]}{", " if given else ""}"run_id": "{exchange.value["run_id"]}"{body[end:]}'
        return body

    # --- what is taken for granted

    def prepare(self, exchange):
        text = exchange.target + (exchange.body or "") + exchange.text
        for run_id in recording.UUID.findall(text):
            if run_id in self.ids.table:
                continue
            if run_id in self.knowledge.pipelines:
                self.make_pipeline(run_id)
            elif run_id in self.knowledge.experiments:
                self.make_experiment(run_id)
        for run_id in recording.UUID.findall(text):
            if run_id in self.knowledge.runs and run_id not in self.ids.table:
                self.make_run(run_id)
        if exchange.status == 200 and exchange.method == "GET":
            for run in recording.runs_in(exchange.value):
                self.bring_forward(run)

    def more_rows(self, exchange):
        """Makes rows that are counted and not shown, as far as they are shown elsewhere; whether some stay unknown."""
        while total_of(self.send(exchange)) < exchange.value["total_size"]:
            run = next((run for run in self.candidates(exchange) if run["run_id"] not in self.ids.table), None)
            if run is None or not exchange.path.endswith("/runs"):
                return True
            self.make_run(run["run_id"])
            self.bring_forward(run)
        return False

    def candidates(self, exchange):
        """Runs seen later that may be there already: those of the experiment first, oldest first."""
        now = exchange.when() or 0
        runs = [run for run in self.knowledge.runs.values() if seconds(run["created_at"]) <= now]
        mine = exchange.query.get("experiment_id")
        return sorted(runs, key=lambda run: (run["experiment_id"] != mine, run["created_at"], run["run_id"]))

    def make_pipeline(self, pipeline_id):
        known = self.knowledge.pipelines[pipeline_id]
        query = {"name": known.get("name") or known["display_name"]}
        if known.get("namespace"):
            query["namespace"] = known["namespace"]
        kind, body = self.knowledge.file or (None, None)
        if body is None:
            kind = "multipart/form-data; boundary=held"
            body = f'--held\r\nContent-Disposition: form-data; name="uploadfile"; filename="p.yaml"\r\n\r\n{SAMPLE}\r\n--held--\r\n'
        target = f"{API}/pipelines/upload?" + urllib.parse.urlencode(query)
        status, _, text = self.target.send("POST", target, {**self.target.identity, "Content-Type": kind}, body)
        if status != 200:
            raise NotHeld(f"a pipeline it needs could not be made: {status} {text[:200]}")
        self.ids.learn(pipeline_id, json.loads(text)["pipeline_id"])

    def make_experiment(self, experiment_id):
        body = {"display_name": f"held {len(self.ids.table)}"}
        if self.knowledge.experiments[experiment_id]:
            body["namespace"] = self.knowledge.experiments[experiment_id]
        status, answer = self.target.call("POST", f"{API}/experiments", body)
        if status != 200:
            raise NotHeld(f"an experiment it needs could not be made: {status} {answer}")
        self.ids.learn(experiment_id, answer["experiment_id"])

    def make_run(self, run_id):
        run = self.knowledge.runs[run_id]
        keys = (
            "display_name",
            "description",
            "runtime_config",
            "pipeline_version_reference",
            "pipeline_spec",
            "experiment_id",
            "service_account",
        )
        body = {key: run[key] for key in keys if key in run}
        if run["storage_state"] == "ARCHIVED":
            body["storage_state"] = "ARCHIVED"
        if run.get("state") not in ("SUCCEEDED", "FAILED", "SKIPPED") and run["finished_at"] != compare.EPOCH:
            body["finished_at"] = run["finished_at"]
        if body["experiment_id"] not in self.ids.table:
            if not self.target.identity and body["experiment_id"] not in self.knowledge.named:
                del body["experiment_id"]  # Default
            else:
                self.knowledge.experiments.setdefault(body["experiment_id"], "ns1")
                self.make_experiment(body["experiment_id"])
        text = self.ids.translate(json.dumps({**body, "run_id": run_id}))
        reference = json.loads(text).get("pipeline_version_reference")
        if reference and run["pipeline_version_reference"].get("pipeline_version_id") not in self.ids.table:
            reference.pop("pipeline_version_id", None)
            text = json.dumps({**json.loads(text), "pipeline_version_reference": reference})
        self.set_clock(seconds(run["created_at"]))
        status, answer = self.target.call("POST", f"{API}/runs", json.loads(text))
        if status != 200:
            raise NotHeld(f"a run it needs could not be made: {status} {answer}")
        self.ids.learn(run_id, answer["run_id"])
        for name in ("experiment_id",):
            self.ids.learn(run[name], answer[name])
        for name, value in (run.get("pipeline_version_reference") or {}).items():
            self.ids.learn(value, answer["pipeline_version_reference"][name])

    def bring_forward(self, run):
        """Reports what must have been reported in between, for the history to be as recorded."""
        live_id = self.ids.table.get(run["run_id"], run["run_id"])
        there = [entry.get("state", "") for entry in run["state_history"]]
        if len(there) < 2 or self.histories.get(live_id) == there:
            return
        status, live = self.target.call("GET", f"{API}/runs/{urllib.parse.quote(live_id, safe='')}")
        if status != 200 or not live:
            return
        here = [entry.get("state", "") for entry in live.get("state_history", [])]
        if here == there or there[: len(here)] != here:
            self.histories[live_id] = there
            return
        if not self.target.control:
            return
        self.histories[live_id] = there
        details = (run.get("run_details") or {}).get("task_details") or []
        for state, entry in zip(there[len(here) :], run["state_history"][len(here) :]):
            if entry.get("update_time"):
                self.set_clock(seconds(entry["update_time"]))
            if state == "CANCELING":
                self.target.call("POST", f"{API}/runs/{urllib.parse.quote(live_id, safe='')}:terminate")
            report = {"run_id": live_id, "phase": PHASE[state]}
            if PHASE[state] in ("Succeeded", "Failed", "Skipped"):
                report["finished_at"] = run["finished_at"]
            if details:
                report["nodes"] = [
                    {
                        "name": task["display_name"], "phase": PHASE[task.get("state", "")], "started_at": task.get("start_time"),
                        "finished_at": task.get("end_time"), "id": task["task_id"],
                    }
                    for task in details
                ]  # fmt: skip
            self.target.cluster("report", report)

    # --- the answer

    def hold(self, exchange, status, headers, text):
        if status != exchange.status:
            return [f"status: recorded {exchange.status}, answered {status} {text[:300]}"]
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        moving = (lambda run: False) if self.target.control else (lambda run: True)
        comparison = compare.Comparison(
            self.ids, self.knowledge.determined, self.target.control, self.open_list, moving
        )
        if exchange.path == "/oracle/sars":
            return [] if isinstance(value, list) else ["answer: no list"]
        if exchange.query.get("raw") == "1":
            recorded = [self.ids.translate(item) for item in compare.expanded(exchange.value)]
            live = compare.expanded(value)
            return [] if recorded == live else [f"runtime-config: recorded {recorded}, answered {live}"]
        self.hold_headers(exchange, headers, comparison)
        if exchange.value is None:
            if value is not None:
                comparison.differ("body", exchange.text, text)
        else:
            self.learn_made(exchange, value)
            comparison.values("", "", exchange.value, value)
            # A new run may have got under way by itself, no further.
            if comparison.masked and exchange.creates() == "run_id" and exchange.value["state"] == "PENDING":
                if value["state"] not in ("PENDING", "RUNNING"):
                    comparison.differ(".state", exchange.value["state"], value["state"])
        self.masked += comparison.masked
        return comparison.found

    def learn_made(self, exchange, value):
        if isinstance(value, dict) and isinstance(exchange.value, dict):
            kind = exchange.creates()
            if kind and kind in value and kind in exchange.value:
                self.ids.learn(exchange.value[kind], value[kind])

    def hold_headers(self, exchange, headers, comparison):
        live = {name.lower(): value for name, value in headers.items()}
        recorded = {name.lower(): value for name, value in exchange.answer_headers.items()}
        if recorded.get("content-type", "").split(";")[0] != live.get("content-type", "").split(";")[0]:
            comparison.differ("Content-Type", recorded.get("content-type"), live.get("content-type"))
        if ("www-authenticate" in recorded) != ("www-authenticate" in live):
            comparison.differ("Www-Authenticate", recorded.get("www-authenticate"), live.get("www-authenticate"))
