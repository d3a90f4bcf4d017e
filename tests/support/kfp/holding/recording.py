"""Recorded exchanges: how they are read, and what can be learnt from them before they are replayed."""

import email.utils
import json
import pathlib
import re
import urllib.parse

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
API = "/apis/v2beta1"


class Exchange:
    """One line of a file. `value`: the answer's JSON, or None if it is none."""

    def __init__(self, file, number, line):
        recorded = json.loads(line)
        self.place = f"{file}:{number}"
        self.name = recorded["name"]
        request, response = recorded["request"], recorded["response"]
        self.method, self.target = request["method"], request["path"]
        self.headers = request.get("headers") or {}
        self.body = request.get("body")
        self.status, self.answer_headers = response["status"], response.get("headers") or {}
        self.text = response.get("body") or ""
        try:
            self.value = json.loads(self.text)
        except ValueError:
            self.value = None
        self.path, _, query = self.target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    @property
    def given(self):
        """The request's JSON object, or {}."""
        try:
            value = json.loads(self.body) if self.body else {}
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def when(self):
        """Seconds since 1970 of the answer, or None."""
        date = next((value for name, value in self.answer_headers.items() if name.lower() == "date"), None)
        return email.utils.parsedate_to_datetime(date).timestamp() if date else None

    def creates(self):
        """Which kind of thing a successful exchange made, or None."""
        if self.status != 200 or self.method != "POST":
            return None
        return {
            f"{API}/runs": "run_id", f"{API}/experiments": "experiment_id", f"{API}/pipelines": "pipeline_id",
            f"{API}/pipelines/upload": "pipeline_id", f"{API}/pipelines/upload_version": "pipeline_version_id",
            f"{API}/recurringruns": "recurring_run_id",
        }.get(self.path)  # fmt: skip


def read(path):
    path = pathlib.Path(path)
    return [
        Exchange(path.name, number, line)
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if line.strip()
    ]


def runs_in(value):
    """The run objects of an answer."""
    if not isinstance(value, dict):
        return []
    found = value["runs"] if isinstance(value.get("runs"), list) else [value]
    return [run for run in found if isinstance(run, dict) and "run_id" in run and "state_history" in run]


class Knowledge:
    """What the exchanges say between the lines: things that they use and never make."""

    def __init__(self, exchanges):
        self.made = set()  # ids that a recorded exchange makes
        self.runs = {}  # run id -> the object where it is first seen
        self.experiments = {}  # id -> namespace, as far as known
        self.pipelines = {}  # id -> object
        self.named = set()  # experiment ids that a request names
        self.file = None  # a pipeline file as it was uploaded
        self.texts = []
        homes = {}
        for exchange in exchanges:
            self.texts.append(urllib.parse.unquote(urllib.parse.unquote(exchange.target)) + (exchange.body or ""))
            kind = exchange.creates()
            if kind and isinstance(exchange.value, dict) and kind in exchange.value:
                self.made.add(exchange.value[kind])
            user = exchange.headers.get("kubeflow-userid")
            home = exchange.query.get("namespace") or exchange.given.get("namespace")
            if user and home and exchange.status == 200:
                homes.setdefault(user, home)
            if exchange.path.endswith("/pipelines/upload") and exchange.status == 200 and exchange.body:
                self.file = self.file or (exchange.headers.get("Content-Type"), exchange.body)
        for exchange in exchanges:
            self.learn(exchange, homes)

    def learn(self, exchange, homes):
        for run in runs_in(exchange.value) if exchange.status == 200 else ():
            if run["run_id"] not in self.made:
                self.runs.setdefault(run["run_id"], run)
        wanted = exchange.given.get("experiment_id") or exchange.query.get("experiment_id")
        posted = exchange.path in (f"{API}/runs", f"{API}/recurringruns")
        if (
            wanted
            and posted
            and exchange.status not in (400, 404)
            and UUID.fullmatch(wanted)
            and wanted not in self.made
        ):
            self.named.add(wanted)
            home = homes.get(exchange.headers.get("kubeflow-userid"), "")
            self.experiments[wanted] = self.experiments.get(wanted) or home
        value = exchange.value
        if exchange.status == 200 and isinstance(value, dict) and exchange.path.startswith(f"{API}/pipelines"):
            listed = value["pipelines"] if isinstance(value.get("pipelines"), list) else [value]
            for item in listed:
                if "pipeline_id" in item and "pipeline_version_id" not in item and item["pipeline_id"] not in self.made:
                    self.pipelines.setdefault(item["pipeline_id"], item)

    def determined(self, text):
        """Whether a request says this text, so that the answer has no choice."""
        return any(text in request for request in self.texts)
